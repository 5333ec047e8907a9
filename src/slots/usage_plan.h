/*
 * When a slot's usage is due (PROTOCOL 5: with jitter, never all slots in one burst). Pure.
 *
 * A snapshot counts as fresh for `usageTtlSeconds`, whether a poll or the headers of an answer
 * brought it: a slot at work need not be asked, but for once in twelve of those times, because
 * headers do not tell everything. Right after the reset of a window it is asked sooner, to learn
 * that the window is full again and when it resets next. Failures back off. A disabled slot is
 * asked rarely, one without a valid login never.
 */
#ifndef SLOTS_USAGE_PLAN_H
#define SLOTS_USAGE_PLAN_H

#include "slots/poll_plan.h"
#include "slots/slot.h"

struct usage_plan {
	bool enabled;
	bool can_ask;	   /* has a credential that is not known to be refused */
	int64_t learnt_ms; /* limits were last learnt, from whatever source; 0 never */
	int64_t resets_ms; /* soonest reset of a window behind learnt_ms; 0 none known */
	struct poll_state poll;
	uint64_t seed; /* the slot's own */
};

/* Takes the slot's part; poll is the caller's. */
struct usage_plan usage_plan_of(const struct slot *s, const struct poll_state *poll);
/* Unix ms, maybe in the past: now. POLL_NEVER. */
int64_t usage_plan_due_ms(const struct usage_plan *p, int64_t ttl_ms, int64_t now_ms);

#endif
