/*
 * What an answer of the usage backend does to a slot. Pure but for *s. Limits that came with
 * traffic (headers, events) while the question was open are newer and stay. A cooldown whose cause
 * is gone ends, and none lasts longer than the window that is full; nothing here begins one.
 */
#ifndef SLOTS_SLOT_USAGE_H
#define SLOTS_SLOT_USAGE_H

#include "slots/slot.h"

struct slot_usage {
	const struct meters *meters;
	bool is_whole;	    /* windows that it does not tell of do not exist */
	bool limit_reached; /* upstream refuses requests for now, whatever the windows say */
	int64_t asked_ms;   /* wall: when the question was put */
	unsigned cooldowns; /* slot->cooldowns at that time */
};

/* True when the slot may serve again, or sooner than before: somebody may wait for it. */
bool slot_usage_apply(struct slot *s, const struct slot_usage *news, int64_t now_ms);

#endif
