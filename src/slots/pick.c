#include "slots/pick.h"

#include <ctype.h>
#include <stdlib.h>

static const char *const reason_names[] = {
	[PICK_CHOSEN] = "chosen",
	[PICK_DISABLED] = "disabled",
	[PICK_NO_CREDENTIAL] = "no_credential",
	[PICK_REAUTH_REQUIRED] = "reauth_required",
	[PICK_EXPIRED] = "expired",
	[PICK_COOLDOWN] = "cooldown",
	[PICK_EXHAUSTED] = "exhausted",
	[PICK_MODEL] = "model_unsupported",
	[PICK_TRIED] = "tried",
	[PICK_BUSY] = "busy",
	[PICK_BELOW_THRESHOLD] = "below_threshold",
	[PICK_UNKNOWN_USAGE] = "unknown_usage",
	[PICK_LOWER_RANK] = "lower_rank",
	[PICK_NOT_PINNED] = "not_pinned",
};

const char *pick_reason_name(enum pick_reason reason)
{
	return reason_names[reason];
}

/* How much a candidate is preferred, before the policy ranks within a tier. */
enum tier { TIER_BELOW_THRESHOLD, TIER_UNKNOWN, TIER_GOOD };

static bool is_exhausted(const struct pick_candidate *c)
{
	return c->left_5h == 0 || c->left_week == 0;
}

/* PICK_CHOSEN when nothing but a free lease could be in the way. */
static enum pick_reason obstacle(const struct pick_candidate *c, const struct pick_options *o)
{
	if (!c->enabled)
		return PICK_DISABLED;
	if (!c->has_credential)
		return PICK_NO_CREDENTIAL;
	if (c->reauth_required)
		return PICK_REAUTH_REQUIRED;
	if (c->expired)
		return PICK_EXPIRED;
	/* Before what passes: waiting for this slot would be in vain. */
	if (c->model_unsupported)
		return PICK_MODEL;
	if (c->tried)
		return PICK_TRIED;
	if (c->cooldown_until_ms > o->now_ms)
		return PICK_COOLDOWN;
	if (is_exhausted(c))
		return PICK_EXHAUSTED;
	if (c->inflight >= o->concurrency)
		return PICK_BUSY;
	return PICK_CHOSEN;
}

/* A window that nobody told us of is no reason against a slot whose other window is known. */
static enum tier tier_of(const struct pick_candidate *c, const struct pick_options *o)
{
	if (c->left_5h < 0 && c->left_week < 0)
		return TIER_UNKNOWN;
	if (c->left_5h >= 0 && c->left_5h < o->min_5h_pct)
		return TIER_BELOW_THRESHOLD;
	if (c->left_week >= 0 && c->left_week < o->min_week_pct)
		return TIER_BELOW_THRESHOLD;
	return TIER_GOOD;
}

static int compare_i64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_f64(double a, double b)
{
	return (a > b) - (a < b);
}

/* "slot-2" before "slot-10": the trailing numbers decide, then the text. */
static int compare_id(const char *a, const char *b)
{
	const char *digits_a = a + strlen(a), *digits_b = b + strlen(b);
	unsigned long number_a, number_b;

	while (digits_a > a && isdigit((unsigned char)digits_a[-1]))
		digits_a--;
	while (digits_b > b && isdigit((unsigned char)digits_b[-1]))
		digits_b--;
	number_a = strtoul(digits_a, NULL, 10);
	number_b = strtoul(digits_b, NULL, 10);
	if (number_a != number_b)
		return number_a < number_b ? -1 : 1;
	return strcmp(a, b);
}

/* A free session is a slot's idle capacity: of two equal ones the less loaded goes first. */
static int compare_use(const struct pick_candidate *a, const struct pick_candidate *b)
{
	int by_load = compare_i64(b->inflight, a->inflight);

	return by_load ? by_load : compare_i64(b->last_used_ms, a->last_used_ms);
}

/* Above 0: a ranks before b by the policy. */
static int compare_policy(
	enum conf_policy policy, const struct pick_candidate *a, const struct pick_candidate *b)
{
	int by_week = compare_f64(a->left_week, b->left_week);
	int by_5h = compare_f64(a->left_5h, b->left_5h);
	int first = by_week, second = by_5h;

	if (policy == POLICY_LEAST_RECENTLY_USED) {
		int by_use = compare_use(a, b);

		if (by_use)
			return by_use;
	}
	if (policy == POLICY_BEST_5H) {
		first = by_5h;
		second = by_week;
	}
	if (first)
		return first;
	if (second)
		return second;
	return compare_use(a, b);
}

static bool ranks_before(const struct pick_options *o, const struct pick_candidate *a,
	const struct pick_candidate *b)
{
	int by_tier = (int)tier_of(a, o) - (int)tier_of(b, o);
	int by_policy;

	if (by_tier)
		return by_tier > 0;
	by_policy = compare_policy(o->policy, a, b);
	if (by_policy)
		return by_policy > 0;
	return compare_id(a->id, b->id) < 0;
}

/* When a slot that is out for a while may serve again; 0 unknown or never. */
static int64_t recovery_of(const struct pick_candidate *c, enum pick_reason reason, int64_t now_ms)
{
	int64_t at = 0;

	if (reason == PICK_EXPIRED)
		return c->token_at_ms > now_ms ? c->token_at_ms : 0;
	if (reason != PICK_COOLDOWN && reason != PICK_EXHAUSTED && reason != PICK_TRIED)
		return 0;
	if (c->cooldown_until_ms > at)
		at = c->cooldown_until_ms;
	if (is_exhausted(c) && c->recovers_ms > at)
		at = c->recovers_ms;
	return at > now_ms ? at : 0;
}

static void note_obstacle(
	struct pick_result *result, size_t index, int64_t recovers_ms, enum pick_reason reason)
{
	if (reason == PICK_BUSY)
		result->any_busy = true;
	if (recovers_ms && (!result->recovers_ms || recovers_ms < result->recovers_ms)) {
		result->recovers_ms = recovers_ms;
		result->recovers_index = index;
	}
}

static void explain_losers(const struct pick_options *o, const struct pick_candidate *candidates,
	size_t count, const struct pick_result *result, enum pick_reason *reasons)
{
	for (size_t i = 0; i < count; i++) {
		enum tier tier;

		if (reasons[i] != PICK_CHOSEN || (int)i == result->chosen)
			continue;
		tier = tier_of(&candidates[i], o);
		if (result->pinned_hit)
			reasons[i] = PICK_NOT_PINNED;
		else if (tier == tier_of(&candidates[result->chosen], o))
			reasons[i] = PICK_LOWER_RANK;
		else
			reasons[i] =
				tier == TIER_UNKNOWN ? PICK_UNKNOWN_USAGE : PICK_BELOW_THRESHOLD;
	}
}

struct pick_result pick(const struct pick_options *o, const struct pick_candidate *candidates,
	size_t count, enum pick_reason *reasons)
{
	struct pick_result result = {.chosen = -1};

	for (size_t i = 0; i < count; i++) {
		const struct pick_candidate *c = &candidates[i];
		enum pick_reason reason = obstacle(c, o);

		if (reasons)
			reasons[i] = reason;
		if (reason != PICK_CHOSEN) {
			note_obstacle(&result, i, recovery_of(c, reason, o->now_ms), reason);
			continue;
		}
		if ((int)i == o->pinned)
			result.pinned_hit = true;
		if (result.chosen < 0 || ranks_before(o, c, &candidates[result.chosen]))
			result.chosen = (int)i;
	}
	if (result.pinned_hit)
		result.chosen = o->pinned;
	if (reasons)
		explain_losers(o, candidates, count, &result, reasons);
	return result;
}
