/*
 * Slots on disk: config/slots.json and each slot's auth-profiles.json (SPEC 4). Reading and merging
 * block: start-up code, the CLI, or pool threads. The daemon owns `usage` and `runtime` of a
 * record, the operator (CLI) owns the rest; a save merges under run/state.lock with what is in the
 * file.
 */
#ifndef SLOTS_STORE_H
#define SLOTS_STORE_H

#include "slots/slot.h"
#include "slots/slot_table.h"

/* A slot made from a record and its auth file; a missing or bad auth file gives a slot without
 * credential and last_error. NULL when the record has no valid id. */
struct slot *store_slot_new(const char *root, json_t *record, const struct conf *conf);
void store_slot_free(struct slot *s);
/* (Re)reads the auth file. 0, or -errno and last_error; the old credential stays on failure. */
int store_read_auth(struct slot *s) MUST_CHECK;

/* Reads slots.json into the table: adds, updates the operator's part, removes what is gone. No file
 * is no slots. On failure the table is as before, and *err tells people why. */
int store_load(const char *root, struct conf *conf, struct slot_table *t,
	struct conf_error *err) MUST_CHECK;

/*
 * Saving in two halves: snapshot on the loop (deep copy of usage and runtime of the dirty slots,
 * marks them clean), commit on a pool thread (lock, read, merge, write, unlock), then free
 * anywhere.
 */
struct store_save;
struct store_save *store_save_begin(const char *root, struct slot_table *t);
/*
 * For a command, beside which a relay may run: of runtime and relay only what changed since the
 * slots were read, and not over what somebody else has changed meanwhile.
 */
struct store_save *store_save_begin_changes(const char *root, struct slot_table *t);
int store_save_commit(struct store_save *save) MUST_CHECK;
/* After a failed commit, on the loop: what it held is dirty again. */
void store_save_undo(struct store_save *save, struct slot_table *t);
void store_save_free(struct store_save *save);

/*
 * Edits slots.json under the lock: edit() gets the document's "slots" array and returns 0 to write
 * it back; anything else is returned. err: for people; empty when edit() itself refused. For the
 * CLI.
 */
int store_edit(const char *root, int (*edit)(json_t *slots, void *arg), void *arg,
	struct conf_error *err) MUST_CHECK;
/* Finds a record by id or NULL. */
json_t *store_find(json_t *slots, const char *id);
/* "2" or "slot-2" -> "slot-2"; -EINVAL otherwise. */
int store_slot_id(const char *text, char out[LIMIT_SLOT_ID_BYTES]) MUST_CHECK;

/* A slot as SPEC 2's /admin/slots shows it (never a token): for the CLI's slot-list and the admin
 * API. New reference. */
json_t *store_show_slot(const struct slot *s, enum pick_reason reason, int64_t now_ms);

#endif
