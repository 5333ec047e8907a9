#include "slots/policy.h"

#include <math.h>

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
	[PICK_LOWER_PRIORITY] = "lower_priority",
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
	/* Before what passes: waiting for this slot would be in vain. */
	if (c->model_unsupported)
		return PICK_MODEL;
	if (c->expired)
		return PICK_EXPIRED;
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

/* One that is able to serve, with what it is compared by. */
struct contender {
	const struct pick_candidate *c;
	enum tier tier;
	double rank; /* by the policy, higher first */
};

double pick_score_shown(float score)
{
	return round((double)score * 1e4) / 1e4;
}

uint64_t pick_id_number(const char *id)
{
	enum { DIGITS_MAX = 18 };
	size_t n = strlen(id), at = n;
	uint64_t number = 0;

	while (at > 0 && n - at < DIGITS_MAX && id[at - 1] >= '0' && id[at - 1] <= '9')
		at--;
	for (; at < n; at++)
		number = number * 10 + (uint64_t)(id[at] - '0');
	return number;
}

static int compare_i64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* A free session is a slot's idle capacity: of two equal ones the less loaded goes first. */
static int compare_use(const struct pick_candidate *a, const struct pick_candidate *b)
{
	int by_load = compare_i64(b->inflight, a->inflight);

	return by_load ? by_load : compare_i64(b->last_used_ms, a->last_used_ms);
}

static bool has_lower_id(const struct pick_candidate *a, const struct pick_candidate *b)
{
	if (a->id_number != b->id_number)
		return a->id_number < b->id_number;
	return strcmp(a->id, b->id) < 0;
}

static struct contender contender_of(const struct policy *policy, const struct pick_options *o,
	const struct pick_candidate *c, double score)
{
	struct contender made = {.c = c, .tier = tier_of(c, o)};

	if (isnan(score))
		made.rank = -INFINITY;
	else
		made.rank = policy->less_first ? -score : score;
	return made;
}

static bool goes_before(
	const struct policy *policy, const struct contender *a, const struct contender *b)
{
	int by_tie = 0;

	if (a->tier != b->tier)
		return a->tier > b->tier;
	if (a->c->priority != b->c->priority)
		return a->c->priority > b->c->priority;
	if (a->rank != b->rank)
		return a->rank > b->rank;
	if (policy->tie)
		by_tie = policy->tie(a->c, b->c);
	if (!by_tie && !policy->in_order)
		by_tie = compare_use(a->c, b->c);
	return by_tie ? by_tie > 0 : has_lower_id(a->c, b->c);
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

static enum pick_reason why_lost(
	const struct pick_options *o, const struct pick_candidate *c, const struct contender *best)
{
	enum tier tier = tier_of(c, o);

	if (tier != best->tier)
		return tier == TIER_UNKNOWN ? PICK_UNKNOWN_USAGE : PICK_BELOW_THRESHOLD;
	return c->priority < best->c->priority ? PICK_LOWER_PRIORITY : PICK_LOWER_RANK;
}

/* Until now all who are able to serve are marked as chosen. */
static void explain_losers(const struct pick_options *o, const struct pick_candidate *candidates,
	size_t count, const struct contender *best, enum pick_reason *reasons)
{
	bool pinned_hit = o->pinned >= 0 && best->c == &candidates[o->pinned];

	for (size_t i = 0; i < count; i++) {
		const struct pick_candidate *c = &candidates[i];

		if (reasons[i] != PICK_CHOSEN || c == best->c)
			continue;
		reasons[i] = pinned_hit ? PICK_NOT_PINNED : why_lost(o, c, best);
	}
}

/* A choice that a pin made is nobody's turn. */
static void settle(const struct policy *policy, const struct pick_options *o,
	const struct pick_candidate *c, struct pick_result *result)
{
	result->slot_turn = c->turn;
	if (result->pinned_hit)
		return;
	result->table_turn.number++;
	result->slot_turn.number = result->table_turn.number;
	if (policy->settle)
		policy->settle(o, c, result);
}

struct pick_result pick(const struct pick_options *o, const struct pick_candidate *candidates,
	size_t count, enum pick_reason *reasons, float *scores)
{
	const struct policy *policy = policy_get(o->policy);
	struct pick_result result = {.chosen = -1, .table_turn = o->turn};
	struct contender best = {0};

	for (size_t i = 0; i < count; i++) {
		const struct pick_candidate *c = &candidates[i];
		enum pick_reason reason = obstacle(c, o);
		double score = reason == PICK_CHOSEN ? policy->score(o, c) : NAN;
		struct contender made;

		if (reasons)
			reasons[i] = reason;
		if (scores)
			scores[i] = (float)score;
		if (reason != PICK_CHOSEN) {
			note_obstacle(&result, i, recovery_of(c, reason, o->now_ms), reason);
			continue;
		}
		made = contender_of(policy, o, c, score);
		result.pinned_hit |= (int)i == o->pinned;
		if (!best.c || goes_before(policy, &made, &best))
			best = made;
	}
	if (result.pinned_hit)
		best.c = &candidates[o->pinned];
	if (!best.c)
		return result;
	result.chosen = (int)(best.c - candidates);
	settle(policy, o, best.c, &result);
	if (reasons)
		explain_losers(o, candidates, count, &best, reasons);
	return result;
}
