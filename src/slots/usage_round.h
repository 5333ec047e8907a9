/*
 * Usage of several slots, a few at a time: `refresh-usage` and POST /admin/refresh-usage. Owner:
 * itself, until on_done or usage_round_cancel().
 */
#ifndef SLOTS_USAGE_ROUND_H
#define SLOTS_USAGE_ROUND_H

#include "slots/usage_check.h"

struct usage_round;

/*
 * One slot, or with id NULL all slots of the table, disabled ones included. Never calls back at
 * once. on_done comes exactly once, unless cancelled, with a result for each slot in the table's
 * order (none when there are no slots; an id that is not in the table is a result without slot).
 */
struct usage_round *usage_round_start(struct slot_env *env, const char *id,
	void (*on_done)(void *arg, const struct usage_result *results, size_t count), void *arg);
/* Not inside on_done. */
void usage_round_cancel(struct usage_round *r);

/*
 * {"updated":[{id,usage5h,usageWeek,fivePct,weekPct,checkedAt}]}, and "failed":[{id,reason}] when
 * some were not. New reference.
 */
json_t *usage_round_json(const struct usage_result *results, size_t count, int64_t now_ms);
/* How many were updated. */
size_t usage_round_updated(const struct usage_result *results, size_t count);

#endif
