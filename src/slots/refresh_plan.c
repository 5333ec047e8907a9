#include "slots/refresh_plan.h"

enum {
	USED_LEAST_MS = 12 * 60 * 60 * 1000,
	BACKOFF_FIRST_MS = 5 * 1000,
	BACKOFF_MOST_MS = 60 * 60 * 1000,
	ASKED_MOST_MS = 24 * 60 * 60 * 1000, /* an issuer that asks for more is not believed */
};

static const double earliest_part = 0.70, latest_part = 0.85;

/* From 0 to 1, the same for the same slot, grant and seed. */
static double jitter_of(const struct slot *s, uint64_t seed)
{
	const struct {
		uint64_t seed;
		int64_t granted_ms, expires_ms;
	} grant = {seed, s->granted_ms, s->expires_ms};
	uint64_t hash = sv_hash(sv_cstr(s->id), SV_HASH_SEED);

	hash = sv_hash(sv_make((const char *)&grant, sizeof(grant)), hash);
	return (double)(hash >> 11) / (double)(UINT64_C(1) << 53);
}

/* By the token's life; INT64_MAX when its end is not known. */
static int64_t by_life_ms(const struct slot *s, double jitter)
{
	int64_t life_ms = s->expires_ms - s->granted_ms;

	if (!s->expires_ms)
		return INT64_MAX;
	if (!s->granted_ms || life_ms <= 0)
		return s->expires_ms - REFRESH_PLAN_AHEAD_MS;
	return s->granted_ms + (int64_t)((double)life_ms *
					 (earliest_part + (latest_part - earliest_part) * jitter));
}

/* By the grant's age; INT64_MAX when that is not known. */
static int64_t by_age_ms(const struct slot *s, double jitter)
{
	double spread = (double)REFRESH_PLAN_OLDEST_MS * (1 - earliest_part);

	if (!s->granted_ms)
		return INT64_MAX;
	return s->granted_ms + REFRESH_PLAN_OLDEST_MS - (int64_t)(spread * jitter);
}

/*
 * Not before the present grant has been used for a while, whatever the token says of its age: an
 * issuer whose dates are odd would be asked without an end.
 */
static int64_t floor_ms(const struct slot *s)
{
	int64_t while_ms = USED_LEAST_MS;

	if (!s->written_ms)
		return 0;
	if (s->expires_ms && (s->expires_ms - s->written_ms) / 2 < while_ms)
		while_ms = (s->expires_ms - s->written_ms) / 2;
	return s->written_ms + while_ms;
}

int64_t refresh_plan_next_ms(const struct slot *s, uint64_t seed, int64_t now_ms)
{
	double jitter = jitter_of(s, seed);
	int64_t at_ms;

	if (s->reauth_required || secret_is_empty(&s->access) || secret_is_empty(&s->refresh))
		return INT64_MAX;
	if (s->refresh_state == SLOT_REFRESH_NOTED)
		return now_ms;
	if (s->refresh_state == SLOT_REFRESH_IN_DOUBT) {
		if (s->token_refused)
			return now_ms;
		return s->expires_ms ? s->expires_ms : INT64_MAX;
	}
	at_ms = by_life_ms(s, jitter);
	if (by_age_ms(s, jitter) < at_ms)
		at_ms = by_age_ms(s, jitter);
	if (at_ms < floor_ms(s))
		at_ms = floor_ms(s);
	if (s->token_refused && now_ms < at_ms)
		at_ms = now_ms;
	return s->refresh_after_ms > at_ms ? s->refresh_after_ms : at_ms;
}

bool refresh_plan_is_short(const struct slot *s, int64_t now_ms)
{
	int64_t ahead_ms = REFRESH_PLAN_AHEAD_MS;
	int64_t life_ms = s->expires_ms - s->granted_ms;

	if (!s->expires_ms)
		return false;
	/* A token that never lives that long is not renewed with every request. */
	if (s->granted_ms && life_ms > 0 && life_ms / 2 < ahead_ms)
		ahead_ms = life_ms / 2;
	return s->expires_ms - now_ms < ahead_ms;
}

int64_t refresh_plan_backoff_ms(unsigned n, int64_t asked_ms)
{
	int64_t wait_ms = BACKOFF_FIRST_MS;

	while (n-- > 1 && wait_ms < BACKOFF_MOST_MS)
		wait_ms *= 2;
	if (wait_ms > BACKOFF_MOST_MS)
		wait_ms = BACKOFF_MOST_MS;
	if (asked_ms > ASKED_MOST_MS)
		asked_ms = ASKED_MOST_MS;
	return asked_ms > wait_ms ? asked_ms : wait_ms;
}
