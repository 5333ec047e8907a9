#include "slots/slot.h"

#include <math.h>
#include <stdio.h>

enum {
	TRANSIENT_STREAK = 3,	      /* PROTOCOL 6: cooldown only after 3 in a row */
	BLOCKED_FIRST_MS = 15 * 1000, /* doubles with each further one */
	BLOCKED_MOST_MS = 600 * 1000,
	UNSUPPORTED_MS = 3600 * 1000, /* how long an entitlement refusal is believed */
};

double slot_left_pct(const struct slot *s, enum meter_kind kind, int64_t now_ms)
{
	const struct meter *m = &s->meters.window[kind];
	double left;

	if (!m->known && kind == METER_WEEK)
		m = &s->meters.window[METER_MONTH];
	if (!m->known)
		return -1;
	left = 100.0 - meter_used_at(m, now_ms / 1000);
	return left < 0 ? 0 : left;
}

bool slot_model_is_unsupported(const struct slot *s, uint64_t model_hash, int64_t now_ms)
{
	for (size_t i = 0; i < SLOT_UNSUPPORTED_MAX; i++) {
		const struct slot_unsupported *u = &s->unsupported[i];

		if (u->model_hash == model_hash && u->until_ms > now_ms)
			return true;
	}
	return false;
}

static void remember_unsupported(struct slot *s, uint64_t model_hash, int64_t now_ms)
{
	struct slot_unsupported *oldest = &s->unsupported[0];

	for (size_t i = 0; i < SLOT_UNSUPPORTED_MAX; i++) {
		struct slot_unsupported *u = &s->unsupported[i];

		if (u->model_hash == model_hash) {
			oldest = u;
			break;
		}
		if (u->until_ms < oldest->until_ms)
			oldest = u;
	}
	*oldest = (struct slot_unsupported){model_hash, now_ms + UNSUPPORTED_MS};
}

static void on_success(struct slot *s, int64_t now_ms)
{
	s->last_error[0] = '\0';
	s->cooldown_reason[0] = '\0';
	s->cooldown_until_ms = 0;
	s->failures = 0;
	s->transient_streak = 0;
	s->last_used_ms = now_ms;
}

static void cool_until(struct slot *s, int64_t until_ms, const struct failure *f)
{
	s->cooldown_until_ms = until_ms;
	snprintf(
		s->cooldown_reason, sizeof(s->cooldown_reason), "%s", failure_class_name(f->class));
}

static int64_t blocked_ms(const struct slot *s)
{
	unsigned doublings = s->failures > 1 ? s->failures - 1 : 0;
	int64_t wait = BLOCKED_FIRST_MS;

	while (doublings-- && wait < BLOCKED_MOST_MS)
		wait *= 2;
	return wait < BLOCKED_MOST_MS ? wait : BLOCKED_MOST_MS;
}

static void require_reauth(struct slot *s)
{
	s->reauth_required = true;
}

/* The cooldown that a failure asks for, or 0: upstream's own time first, ours when it named none.
 */
static int64_t cooldown_end(const struct slot *s, const struct failure *f,
	const struct cooldown_conf *c, int64_t now_ms)
{
	if (f->until_ms > now_ms)
		return f->until_ms;
	switch (f->class) {
	case FAILURE_RATE_LIMIT:
	case FAILURE_QUOTA:
		return now_ms + c->quota_s * 1000;
	case FAILURE_BLOCKED:
		return now_ms + blocked_ms(s);
	default:
		return now_ms + c->generic_s * 1000;
	}
}

static void on_failure(struct slot *s, const struct slot_verdict *v,
	const struct cooldown_conf *conf, int64_t now_ms)
{
	const struct failure *f = v->failure;

	switch (f->class) {
	case FAILURE_NONE:
	case FAILURE_CLIENT:
	case FAILURE_BLOB:
	case FAILURE_CLASSES:
		return; /* nobody's or the client's fault: the slot is as good as before */
	case FAILURE_ENTITLEMENT:
		remember_unsupported(s, v->model_hash, now_ms);
		return;
	default:
		break;
	}
	s->failures++;
	snprintf(s->last_error, sizeof(s->last_error), "%.32s: %.200s", failure_class_name(f->class),
		f->err.message);
	switch (f->class) {
	case FAILURE_RATE_LIMIT:
	case FAILURE_QUOTA:
	case FAILURE_BLOCKED:
		cool_until(s, cooldown_end(s, f, conf, now_ms), f);
		break;
	case FAILURE_AUTH:
		require_reauth(s);
		break;
	case FAILURE_DEAD:
		s->enabled = false;
		break;
	case FAILURE_TRANSIENT:
		if (++s->transient_streak >= TRANSIENT_STREAK)
			cool_until(s, cooldown_end(s, f, conf, now_ms), f);
		break;
	default:
		break; /* network, truncated, idle, protocol: no cooldown (PROTOCOL 6) */
	}
}

static bool is_out(const struct slot *s, int64_t now_ms)
{
	return !s->enabled || s->reauth_required || s->cooldown_until_ms > now_ms;
}

bool slot_apply_verdict(struct slot *s, const struct slot_verdict *v,
	const struct cooldown_conf *conf, int64_t now_ms)
{
	bool was_out = is_out(s, now_ms);

	if (v->meters) {
		meters_merge(&s->meters, v->meters);
		s->checked_at_ms = now_ms;
	}
	if (v->kind == VERDICT_SUCCESS)
		on_success(s, now_ms);
	else if (v->kind == VERDICT_FAILURE)
		on_failure(s, v, conf, now_ms);
	return was_out != is_out(s, now_ms);
}
