/*
 * Fetches a slot's catalogue, gives it to the slot and writes it to disk on a pool thread. Owner:
 * itself, until on_done or catalogue_fetch_cancel().
 */
#ifndef SLOTS_CATALOGUE_FETCH_H
#define SLOTS_CATALOGUE_FETCH_H

#include "slots/slot_env.h"

struct catalogue_fetch;

struct catalogue_fetch_result {
	struct slot *slot;   /* NULL: it has left the table */
	const char *problem; /* why there is none, for people; NULL: the slot has it */
	bool changed;	     /* it is another one than before */
	int64_t retry_at_ms; /* unix ms before which not to ask again; 0 none */
};

/* Never calls back at once. on_done comes exactly once, unless cancelled. */
struct catalogue_fetch *catalogue_fetch_start(struct slot_env *env, const struct slot *s,
	void (*on_done)(void *arg, const struct catalogue_fetch_result *result), void *arg);
/* Not inside on_done. */
void catalogue_fetch_cancel(struct catalogue_fetch *f);
/* Gives the slot what its file holds, if that is of this account, backend and version. Blocks. */
void catalogue_fetch_load(const struct slot_env *env, struct slot *s);

#endif
