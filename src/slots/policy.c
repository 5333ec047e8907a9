#include "slots/policy.h"

#include <assert.h>
#include <math.h>

enum { SOONEST_MS = 60 * 1000 };

/* Shares stay in a range in which sums of them lose nothing. */
static const double weight_min = 1e-6, weight_max = 1e6;

static int compare_i64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_f64(double a, double b)
{
	return (a > b) - (a < b);
}

static double known_percent(double left)
{
	return left < 0 ? NAN : left;
}

static double score_week(const struct pick_options *o, const struct pick_candidate *c)
{
	(void)o;
	return known_percent(c->left_week);
}

static double score_5h(const struct pick_options *o, const struct pick_candidate *c)
{
	(void)o;
	return known_percent(c->left_5h);
}

static int tie_week(const struct pick_candidate *a, const struct pick_candidate *b)
{
	return compare_f64(a->left_week, b->left_week);
}

static int tie_5h(const struct pick_candidate *a, const struct pick_candidate *b)
{
	return compare_f64(a->left_5h, b->left_5h);
}

/* What runs is used now: it comes behind all that is idle, the more the later. */
static double score_idle(const struct pick_options *o, const struct pick_candidate *c)
{
	int64_t idle_ms = o->now_ms - c->last_used_ms;

	if (c->inflight)
		return -(double)c->inflight;
	return idle_ms > 0 ? (double)idle_ms / 1000 : 0;
}

static int tie_idle(const struct pick_candidate *a, const struct pick_candidate *b)
{
	int by_use = compare_i64(b->last_used_ms, a->last_used_ms);
	int by_week = tie_week(a, b);

	if (by_use)
		return by_use;
	return by_week ? by_week : tie_5h(a, b);
}

static double score_reset(const struct pick_options *o, const struct pick_candidate *c)
{
	if (c->left_week < 0 || c->resets_week_ms <= o->now_ms)
		return NAN;
	return (double)(c->resets_week_ms - o->now_ms) / 1000;
}

/* Both in the past, or unknown, is no difference that counts: such a window has just begun. */
static int tie_reset(const struct pick_candidate *a, const struct pick_candidate *b)
{
	int64_t ends_a = a->resets_5h_ms ? a->resets_5h_ms : INT64_MAX;
	int64_t ends_b = b->resets_5h_ms ? b->resets_5h_ms : INT64_MAX;

	return compare_i64(ends_b, ends_a);
}

static double score_turn(const struct pick_options *o, const struct pick_candidate *c)
{
	return (double)(o->turn.number - c->turn.number);
}

static double score_number(const struct pick_options *o, const struct pick_candidate *c)
{
	(void)o;
	return (double)c->id_number;
}

/* The tighter one of the windows that are known is what can be spent. */
static double left_fraction(const struct pick_candidate *c)
{
	double left = 100;

	if (c->left_5h >= 0 && c->left_5h < left)
		left = c->left_5h;
	if (c->left_week >= 0 && c->left_week < left)
		left = c->left_week;
	return left / 100;
}

double policy_weight(const struct pick_candidate *c)
{
	double weight = c->capacity * left_fraction(c);

	if (weight > weight_max)
		return weight_max;
	return weight > weight_min ? weight : weight_min;
}

/*
 * Shares are laid on a line, each slot's one after the other, 1/weight long; whose middle comes
 * first is due (Webster's rule: in any stretch of choices each slot has its part, to less than one
 * choice more or less). A slot that was away does not catch up: it is due now at the earliest.
 */
static double due_at(const struct pick_options *o, const struct pick_candidate *c)
{
	double middle = c->turn.due + 0.5 / policy_weight(c);

	return middle > o->turn.due ? middle : o->turn.due;
}

static double score_due(const struct pick_options *o, const struct pick_candidate *c)
{
	return due_at(o, c) - o->turn.due;
}

static void settle_due(
	const struct pick_options *o, const struct pick_candidate *c, struct pick_result *ret)
{
	double due = due_at(o, c);

	ret->table_turn.due = due;
	ret->slot_turn.due = due + 0.5 / policy_weight(c);
}

/* 1: what is left lasts exactly to the reset when it is spent evenly; above: some would be lost. */
static double window_pace(double left, int64_t resets_ms, int64_t length_ms, int64_t now_ms)
{
	int64_t rest_ms = resets_ms - now_ms;

	/* Nobody knows its end: as if it had just begun. */
	if (rest_ms <= 0 || length_ms <= 0 || rest_ms > length_ms)
		return left / 100;
	return left / 100 * (double)length_ms /
	       (double)(rest_ms > SOONEST_MS ? rest_ms : SOONEST_MS);
}

static double score_pace(const struct pick_options *o, const struct pick_candidate *c)
{
	double load = (double)c->inflight / (double)o->concurrency;
	double pace = INFINITY;

	if (c->left_5h >= 0)
		pace = window_pace(c->left_5h, c->resets_5h_ms, c->length_5h_ms, o->now_ms);
	if (c->left_week >= 0)
		pace = fmin(pace,
			window_pace(c->left_week, c->resets_week_ms, c->length_week_ms, o->now_ms));
	return (pace < INFINITY ? pace : 1) - load;
}

static const struct policy policies[CONF_POLICIES] = {
	[POLICY_BEST_WEEK] =
		{
			.help = "most left of the week, then of the 5 hours",
			.unit = "percent of the week left; most first",
			.score = score_week,
			.tie = tie_5h,
		},
	[POLICY_BEST_5H] =
		{
			.help = "most left of the 5 hours, then of the week",
			.unit = "percent of the 5 hours left; most first",
			.score = score_5h,
			.tie = tie_week,
		},
	[POLICY_LEAST_RECENTLY_USED] =
		{
			.help = "idle for the longest time",
			.unit = "seconds since the last use, or minus the running requests; "
				"most first",
			.score = score_idle,
			.tie = tie_idle,
		},
	[POLICY_RESET_SOONEST] =
		{
			.help = "spends what resets first",
			.unit = "seconds to the reset of the week; fewest first",
			.less_first = true,
			.score = score_reset,
			.tie = tie_reset,
		},
	[POLICY_ROUND_ROBIN] =
		{
			.help = "one after the other",
			.unit = "choices since its own last one; most first",
			.in_order = true,
			.score = score_turn,
		},
	[POLICY_FILL_FIRST] =
		{
			.help = "the first slot until it is below a threshold, then the next",
			.unit = "number of the slot; lowest first",
			.less_first = true,
			.in_order = true,
			.score = score_number,
		},
	[POLICY_WEIGHTED] =
		{
			.help = "by turns, in proportion to plan capacity x weight x what is left",
			.unit = "how far its turn is; 0 is due, lowest first",
			.less_first = true,
			.score = score_due,
			.settle = settle_due,
		},
	[POLICY_PACE] =
		{
			.help = "most left for the time until the reset, minus the load",
			.unit = "part left / part of the time left, minus load; most first",
			.score = score_pace,
		},
};

const struct policy *policy_get(enum conf_policy policy)
{
	assert((size_t)policy < CONF_POLICIES);
	return &policies[policy];
}
