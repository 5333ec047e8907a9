/*
 * When a slot's backend is asked again about something (usage, models): a life time with jitter, a
 * back-off after failures. Jitter is made of a seed and the time that it counts from, so that slots
 * spread and the same question always has the same answer. Pure; wall clock, unix ms.
 */
#ifndef SLOTS_POLL_PLAN_H
#define SLOTS_POLL_PLAN_H

#include <stdint.h>

#define POLL_NEVER INT64_MAX

/* How the last questions went. Zeroed: none yet. */
struct poll_state {
	int64_t answered_ms;   /* last good answer; 0 none */
	int64_t failed_ms;     /* last failure since then; 0 none */
	unsigned failures;     /* in a row */
	int64_t not_before_ms; /* upstream's own wish (Retry-After); 0 none */
};

void poll_note_answer(struct poll_state *p, int64_t now_ms);
/* retry_at_ms: not before, 0 none. A wish beyond a day is cut to one. */
void poll_note_failure(struct poll_state *p, int64_t retry_at_ms, int64_t now_ms);

/* span_ms more or less a tenth of it, by seed and base. */
int64_t poll_jitter_ms(int64_t span_ms, uint64_t seed, int64_t base_ms);
/*
 * When to ask again after failures, from half a minute doubling to an hour, and never before
 * upstream's wish; 0 when the last answer was good.
 */
int64_t poll_retry_ms(const struct poll_state *p, uint64_t seed);

#endif
