#include "slots/usage_plan.h"

enum {
	RARELY = 12, /* life times */
	RARELY_LEAST_MS = 3600 * 1000,
	SETTLE_MS = 5 * 1000,  /* upstream's clock may be behind ours */
	SPREAD_MS = 30 * 1000, /* slots of one team reset together */
};

static int64_t soonest_reset_ms(const struct slot *s)
{
	int64_t soonest = 0;

	for (size_t kind = 0; kind < METER_KINDS; kind++) {
		const struct meter *m = &s->meters.window[kind];
		int64_t at = m->resets_at_s * 1000;

		/* Nothing changes at the reset of a window that nobody has used. */
		if (!m->known || m->used_percent <= 0 || at <= s->checked_at_ms)
			continue;
		if (!soonest || at < soonest)
			soonest = at;
	}
	return soonest;
}

struct usage_plan usage_plan_of(const struct slot *s, const struct poll_state *poll)
{
	return (struct usage_plan){
		.enabled = s->enabled,
		.can_ask = !secret_is_empty(&s->access) && !s->reauth_required,
		.learnt_ms = s->checked_at_ms,
		.resets_ms = soonest_reset_ms(s),
		.poll = *poll,
		.seed = sv_hash(sv_cstr(s->id), SV_HASH_SEED),
	};
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Behind the end of its life time; 0 when nothing was learnt yet. */
static int64_t stale_ms(const struct usage_plan *p, int64_t ttl_ms)
{
	int64_t fresh_ms = later(p->learnt_ms, p->poll.answered_ms);
	int64_t due = fresh_ms + poll_jitter_ms(ttl_ms, p->seed, fresh_ms);

	/* Also when the slot is another account's by now. */
	if (!p->learnt_ms)
		return 0;
	if (p->poll.answered_ms)
		due = sooner(due, p->poll.answered_ms + poll_jitter_ms(ttl_ms * RARELY, p->seed,
								p->poll.answered_ms));
	return due;
}

static int64_t after_reset_ms(const struct usage_plan *p)
{
	return p->resets_ms + SETTLE_MS + (int64_t)((p->seed >> 20) % SPREAD_MS);
}

int64_t usage_plan_due_ms(const struct usage_plan *p, int64_t ttl_ms, int64_t now_ms)
{
	struct usage_plan plan = *p;
	int64_t due;

	if (!p->can_ask)
		return POLL_NEVER;
	/* A clock that was set back: what seems to come from the future is as good as unknown. */
	if (plan.learnt_ms > now_ms)
		plan.learnt_ms = 0;
	if (plan.poll.answered_ms > now_ms)
		plan.poll.answered_ms = 0;
	if (plan.poll.failed_ms > now_ms)
		plan.poll = (struct poll_state){0};
	if (!plan.enabled)
		ttl_ms = later(ttl_ms * RARELY, RARELY_LEAST_MS);
	due = stale_ms(&plan, ttl_ms);
	if (due && plan.enabled && plan.resets_ms)
		due = sooner(due, after_reset_ms(&plan));
	return later(due, poll_retry_ms(&plan.poll, plan.seed));
}
