/*
 * What an operator changes in one slot's record: edits for store_edit(), whose arg is a struct
 * slot_edit. -ENOENT: there is no such slot. For the commands and the admin API.
 */
#ifndef SLOTS_SLOT_EDIT_H
#define SLOTS_SLOT_EDIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct slot_edit {
	const char *id;
	int64_t now_ms; /* wall; for a reset */
	bool enabled;	/* what to set; after a reset: what it is */
	bool reauth;	/* after a reset: its login is dead */
};

int slot_edit_enable(json_t *slots, void *arg);
int slot_edit_remove(json_t *slots, void *arg);
/* Then deletes state/slots/<id>/. Blocks: not while a refresh writes there; one that takes 10 s
 * ends without the slot's files. */
int slot_edit_remove_files(const char *root, const char *id);
/* Clears cooldown, failures and last error, and enables what the relay disabled by itself; a
 * running relay knows it by relay.resetAt. */
int slot_edit_reset(json_t *slots, void *arg);

#endif
