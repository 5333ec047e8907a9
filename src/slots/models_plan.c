#include "slots/models_plan.h"

#include "slots/catalogue.h"

enum { HINT_PAUSE_MS = 5 * 60 * 1000 }; /* a hint that never comes true must not become a burst */

static bool is_of_other_plan(const struct slot *s)
{
	const char *plan = s->catalogue ? s->catalogue->plan : NULL;

	return plan && s->meters.plan_type[0] && strcmp(plan, s->meters.plan_type) != 0;
}

/* Its file is gone, or another version wrote the rest. */
static bool lacks_text(const struct slot *s)
{
	return s->catalogue && !s->catalogue->text;
}

int64_t models_plan_due_ms(const struct slot *s, const struct poll_state *poll, bool is_outdated,
	int64_t ttl_ms, int64_t now_ms)
{
	uint64_t seed = sv_hash(sv_cstr(s->id), ~SV_HASH_SEED);
	int64_t fetched_ms = s->catalogue ? s->catalogue->fetched_ms : 0;
	int64_t retry_ms = poll_retry_ms(poll, seed);
	int64_t due = 0;

	if (ttl_ms <= 0 || !s->enabled || s->reauth_required || secret_is_empty(&s->access))
		return POLL_NEVER;
	/* From the future: the clock was set back. */
	if (fetched_ms > now_ms)
		fetched_ms = 0;
	if (fetched_ms)
		due = fetched_ms + poll_jitter_ms(ttl_ms, seed, fetched_ms);
	if ((is_outdated || is_of_other_plan(s) || lacks_text(s)) &&
		due > fetched_ms + HINT_PAUSE_MS)
		due = fetched_ms + HINT_PAUSE_MS;
	if (poll->failures && poll->failed_ms <= now_ms && retry_ms > due)
		due = retry_ms;
	return due;
}
