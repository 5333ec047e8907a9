/*
 * What has changed in the slots since they were last looked at, in groups. Keeps hashes only.
 */
#ifndef ADMIN_SLOT_WATCH_H
#define ADMIN_SLOT_WATCH_H

#include "slots/slot_table.h"

enum slot_group {
	SLOT_GROUP_STATE,
	SLOT_GROUP_COOLDOWN,
	SLOT_GROUP_USAGE,
	SLOT_GROUP_CREDENTIAL,
	SLOT_GROUP_SETTINGS,
	SLOT_GROUPS
};

struct slot_watch;

struct slot_watch *slot_watch_new(void);
void slot_watch_free(struct slot_watch *w);
/* What is there now is not news. */
void slot_watch_forget(struct slot_watch *w, struct slot_table *t, int64_t now_ms);

struct slot_watch_ops {
	/* groups: bits of slot_group; 0: the slot is new. */
	void (*on_slot)(void *arg, const struct slot *s, enum pick_reason reason, unsigned groups);
	void (*on_removed)(void *arg, const char *id);
};
void slot_watch_look(struct slot_watch *w, struct slot_table *t, int64_t now_ms,
	const struct slot_watch_ops *ops, void *arg);
const char *slot_group_name(enum slot_group group);

#endif
