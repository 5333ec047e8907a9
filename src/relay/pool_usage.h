/*
 * The limits of all slots as one account would have them, for clients that show their user a single
 * pair of windows (docs/codex.md):
 *
 * - A window's percentage is the mean over the slots that requests may use (enabled, with a login
 *   that is not dead) and whose window is known, weighted by what their plan is worth. Unknown is
 *   neither empty nor full: such slots are left out.
 * - A slot whose week is used up has nothing left in its 5 h window either.
 * - It resets when the first slot gets something back; an untouched one, when the first would.
 * - Requests are refused when no slot could serve one.
 *
 * Pure but for the table, which it only reads.
 */
#ifndef RELAY_POOL_USAGE_H
#define RELAY_POOL_USAGE_H

#include "slots/slot_table.h"

enum { POOL_5H, POOL_WEEK, POOL_WINDOWS };

struct pool_window {
	bool known;
	double used_percent; /* 0 to 100 */
	int64_t length_s;    /* of the largest part of the pool */
	int64_t resets_at_s; /* unix time; 0 unknown */
};

struct pool_usage {
	struct pool_window window[POOL_WINDOWS];
	bool allowed;	    /* a slot could serve now */
	char plan_type[32]; /* of the slot that is worth most; "" unknown */
	bool has_credits;   /* some slot has */
	bool credits_unlimited;
};

void pool_usage_of(struct slot_table *slots, int64_t now_ms, struct pool_usage *ret);

#endif
