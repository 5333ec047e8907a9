/*
 * Keeps what is known of all slots fresh while the relay serves: usage (usage_plan.h) and models
 * (models_plan.h). A few questions at a time, a pause between two starts, one timer for the next
 * one that is due. Owner: the relay. Nothing that fails here keeps a slot from serving.
 */
#ifndef SLOTS_UPKEEP_H
#define SLOTS_UPKEEP_H

#include "slots/slot_env.h"

struct upkeep;

/* Reads the stored lists of models (blocks: start-up code) and begins. Borrows env. */
struct upkeep *upkeep_new(struct slot_env *env);
/* Slots were added, removed, replaced or changed (slot_table_on_change()), or env->conf is another
 * one. */
void upkeep_reconsider(struct upkeep *u);
/* The limits of a slot were learnt from traffic: its next reset may be sooner than planned. */
void upkeep_note_limits(struct upkeep *u, const struct slot *s);
/* An answer of upstream named the etag of the slot's list of models (x-models-etag). */
void upkeep_note_models(struct upkeep *u, const struct slot *s, struct sv etag);
/* Breaks off what is open; the loop may end. */
void upkeep_stop(struct upkeep *u);
/* Stops first. Accepts NULL. */
void upkeep_free(struct upkeep *u);

#endif
