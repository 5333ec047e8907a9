#include "slots/policy.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { CANDIDATES_MAX = 4, NOW = 1000000 };

/* A slot that could serve everything. */
#define SHARE(name, five, week, size)                                             \
	.id = (name), .enabled = true, .has_credential = true, .left_5h = (five), \
	.left_week = (week), .capacity = (size)
#define OK(name, five, week) SHARE(name, five, week, 1)
#define NUMBER(n) .id_number = (n)

struct pick_case {
	const char *name;
	enum conf_policy policy;
	struct pick_candidate c[CANDIDATES_MAX];
	int pinned; /* number of the candidate, from 1; 0: none */
	int chosen; /* index, -1: none */
	enum pick_reason reasons[CANDIDATES_MAX];
	bool any_busy;
	int64_t recovers_ms;
};

static const struct pick_case cases[] = {
	{"nobody", POLICY_BEST_WEEK, {{0}}, 0, -1, {0}, false, 0},
	{"the only one", POLICY_BEST_WEEK, {{OK("a", 50, 50)}}, 0, 0, {PICK_CHOSEN}, false, 0},
	{"most of the week", POLICY_BEST_WEEK,
		{{OK("a", 90, 50)}, {OK("b", 20, 60)}, {OK("c", 99, 40)}}, 0, 1,
		{PICK_LOWER_RANK, PICK_CHOSEN, PICK_LOWER_RANK}, false, 0},
	{"same week: most of 5h", POLICY_BEST_WEEK, {{OK("a", 30, 50)}, {OK("b", 40, 50)}}, 0, 1,
		{PICK_LOWER_RANK, PICK_CHOSEN}, false, 0},
	{"same limits: less loaded", POLICY_BEST_WEEK,
		{{OK("a", 50, 50), .inflight = 2}, {OK("b", 50, 50), .inflight = 1}}, 0, 1,
		{PICK_LOWER_RANK, PICK_CHOSEN}, false, 0},
	{"same limits: used longer ago", POLICY_BEST_WEEK,
		{{OK("a", 50, 50), .last_used_ms = 9}, {OK("b", 50, 50), .last_used_ms = 8}}, 0, 1,
		{PICK_LOWER_RANK, PICK_CHOSEN}, false, 0},
	{"never used goes first", POLICY_BEST_WEEK,
		{{OK("a", 50, 50), .last_used_ms = 9}, {OK("b", 50, 50)}}, 0, 1,
		{PICK_LOWER_RANK, PICK_CHOSEN}, false, 0},
	{"all the same: id by number", POLICY_BEST_WEEK,
		{{OK("slot-10", 50, 50), NUMBER(10)}, {OK("slot-9", 50, 50), NUMBER(9)},
			{OK("slot-11", 50, 50), NUMBER(11)}},
		0, 1, {PICK_LOWER_RANK, PICK_CHOSEN, PICK_LOWER_RANK}, false, 0},
	{"most of 5h", POLICY_BEST_5H, {{OK("a", 90, 50)}, {OK("b", 20, 60)}}, 0, 0,
		{PICK_CHOSEN, PICK_LOWER_RANK}, false, 0},
	{"same 5h: most of the week", POLICY_BEST_5H, {{OK("a", 50, 50)}, {OK("b", 50, 60)}}, 0, 1,
		{PICK_LOWER_RANK, PICK_CHOSEN}, false, 0},
	{"oldest use", POLICY_LEAST_RECENTLY_USED,
		{{OK("a", 99, 99), .last_used_ms = 9}, {OK("b", 20, 20), .last_used_ms = 8}}, 0, 1,
		{PICK_LOWER_RANK, PICK_CHOSEN}, false, 0},
	{"what runs is used now", POLICY_LEAST_RECENTLY_USED,
		{{OK("a", 99, 99), .last_used_ms = 9},
			{OK("b", 20, 20), .last_used_ms = 8, .inflight = 1}},
		0, 0, {PICK_CHOSEN, PICK_LOWER_RANK}, false, 0},
	{"same use: most of the week", POLICY_LEAST_RECENTLY_USED,
		{{OK("a", 99, 50)}, {OK("b", 20, 60)}}, 0, 1, {PICK_LOWER_RANK, PICK_CHOSEN}, false,
		0},
	{"same use and week: most of 5h", POLICY_LEAST_RECENTLY_USED,
		{{OK("a", 20, 50)}, {OK("b", 21, 50)}}, 0, 1, {PICK_LOWER_RANK, PICK_CHOSEN}, false,
		0},
	{"below the 5h threshold comes last", POLICY_BEST_WEEK,
		{{OK("a", 14.9, 99)}, {OK("b", 15, 10)}}, 0, 1, {PICK_BELOW_THRESHOLD, PICK_CHOSEN},
		false, 0},
	{"below the week threshold comes last", POLICY_BEST_WEEK,
		{{OK("a", 99, 9.9)}, {OK("b", 15, 10)}}, 0, 1, {PICK_BELOW_THRESHOLD, PICK_CHOSEN},
		false, 0},
	{"lacking the model goes before what passes", POLICY_BEST_WEEK,
		{{OK("a", 0, 50), .model_unsupported = true, .recovers_ms = NOW + 5},
			{OK("b", 50, 50), .model_unsupported = true, .cooldown_until_ms = NOW + 6},
			{OK("c", 50, 50), .cooldown_until_ms = NOW + 9}},
		0, -1, {PICK_MODEL, PICK_MODEL, PICK_COOLDOWN}, false, NOW + 9},
	{"unknown comes between", POLICY_BEST_WEEK,
		{{OK("a", 10, 99)}, {OK("b", -1, -1)}, {OK("c", 15, 10)}}, 0, 2,
		{PICK_BELOW_THRESHOLD, PICK_UNKNOWN_USAGE, PICK_CHOSEN}, false, 0},
	{"unknown before below", POLICY_BEST_WEEK, {{OK("a", 10, 99)}, {OK("b", -1, -1)}}, 0, 1,
		{PICK_BELOW_THRESHOLD, PICK_CHOSEN}, false, 0},
	{"one known window is enough", POLICY_BEST_WEEK, {{OK("a", -1, 20)}, {OK("b", -1, -1)}}, 0,
		0, {PICK_CHOSEN, PICK_UNKNOWN_USAGE}, false, 0},
	{"below beats nothing", POLICY_BEST_WEEK, {{OK("a", 1, 1)}}, 0, 0, {PICK_CHOSEN}, false, 0},
	{"disabled", POLICY_BEST_WEEK,
		{{.id = "a", .has_credential = true, .left_5h = 9, .left_week = 9}}, 0, -1,
		{PICK_DISABLED}, false, 0},
	{"no credential", POLICY_BEST_WEEK,
		{{.id = "a", .enabled = true, .left_5h = 9, .left_week = 9}}, 0, -1,
		{PICK_NO_CREDENTIAL}, false, 0},
	{"reauth required", POLICY_BEST_WEEK, {{OK("a", 9, 9), .reauth_required = true}}, 0, -1,
		{PICK_REAUTH_REQUIRED}, false, 0},
	{"expired", POLICY_BEST_WEEK, {{OK("a", 9, 9), .expired = true}}, 0, -1, {PICK_EXPIRED},
		false, 0},
	{"model", POLICY_BEST_WEEK, {{OK("a", 9, 9), .model_unsupported = true}}, 0, -1,
		{PICK_MODEL}, false, 0},
	{"tried, and out for a while", POLICY_BEST_WEEK,
		{{OK("a", 9, 9), .tried = true, .cooldown_until_ms = NOW + 5}}, 0, -1, {PICK_TRIED},
		false, NOW + 5},
	{"tried, and never out", POLICY_BEST_WEEK, {{OK("a", 9, 9), .tried = true}}, 0, -1,
		{PICK_TRIED}, false, 0},
	{"tried, with a cooldown of long ago", POLICY_BEST_WEEK,
		{{OK("a", 9, 9), .tried = true, .cooldown_until_ms = NOW - 5}}, 0, -1, {PICK_TRIED},
		false, 0},
	{"cooldown over", POLICY_BEST_WEEK, {{OK("a", 9, 9), .cooldown_until_ms = NOW}}, 0, 0,
		{PICK_CHOSEN}, false, 0},
	{"soonest cooldown", POLICY_BEST_WEEK,
		{{OK("a", 9, 9), .cooldown_until_ms = NOW + 7},
			{OK("b", 9, 9), .cooldown_until_ms = NOW + 6}},
		0, -1, {PICK_COOLDOWN, PICK_COOLDOWN}, false, NOW + 6},
	{"exhausted 5h", POLICY_BEST_WEEK, {{OK("a", 0, 50), .recovers_ms = NOW + 3}}, 0, -1,
		{PICK_EXHAUSTED}, false, NOW + 3},
	{"exhausted week, nobody knows for how long", POLICY_BEST_WEEK, {{OK("a", 50, 0)}}, 0, -1,
		{PICK_EXHAUSTED}, false, 0},
	{"cooldown and exhausted: the later", POLICY_BEST_WEEK,
		{{OK("a", 0, 50), .recovers_ms = NOW + 9, .cooldown_until_ms = NOW + 2}}, 0, -1,
		{PICK_COOLDOWN}, false, NOW + 9},
	{"exhausted with a cooldown of long ago", POLICY_BEST_WEEK,
		{{OK("a", 0, 50), .cooldown_until_ms = NOW - 2}}, 0, -1, {PICK_EXHAUSTED}, false,
		0},
	{"full: wait", POLICY_BEST_WEEK, {{OK("a", 50, 50), .inflight = 8}}, 0, -1, {PICK_BUSY},
		true, 0},
	{"full, and another one is out", POLICY_BEST_WEEK,
		{{OK("a", 50, 50), .inflight = 8}, {OK("b", 50, 50), .cooldown_until_ms = NOW + 1}},
		0, -1, {PICK_BUSY, PICK_COOLDOWN}, true, NOW + 1},
	{"full: the next one", POLICY_BEST_WEEK,
		{{OK("a", 90, 90), .inflight = 8}, {OK("b", 20, 20)}}, 0, 1,
		{PICK_BUSY, PICK_CHOSEN}, true, 0},
	{"full and disabled is no hope", POLICY_BEST_WEEK,
		{{.id = "a",
			.has_credential = true,
			.left_5h = 50,
			.left_week = 50,
			.inflight = 8}},
		0, -1, {PICK_DISABLED}, false, 0},
	{"the pin wins over rank and threshold", POLICY_BEST_WEEK,
		{{OK("a", 90, 90)}, {OK("b", 2, 2)}}, 2, 1, {PICK_NOT_PINNED, PICK_CHOSEN}, false,
		0},
	{"an exhausted pin loses", POLICY_BEST_WEEK, {{OK("a", 20, 20)}, {OK("b", 0, 90)}}, 2, 0,
		{PICK_CHOSEN, PICK_EXHAUSTED}, false, 0},
	{"a full pin loses", POLICY_BEST_WEEK,
		{{OK("a", 20, 20)}, {OK("b", 90, 90), .inflight = 8}}, 2, 0,
		{PICK_CHOSEN, PICK_BUSY}, true, 0},
	{"a tried pin loses", POLICY_BEST_WEEK, {{OK("a", 20, 20)}, {OK("b", 9, 9), .tried = true}},
		2, 0, {PICK_CHOSEN, PICK_TRIED}, false, 0},
	{"priority goes before the policy", POLICY_BEST_WEEK,
		{{OK("a", 99, 99)}, {OK("b", 15, 10), .priority = 1}, {OK("c", 50, 50)}}, 0, 1,
		{PICK_LOWER_PRIORITY, PICK_CHOSEN, PICK_LOWER_PRIORITY}, false, 0},
	{"a priority below the usual one", POLICY_BEST_WEEK,
		{{OK("a", 99, 99), .priority = -1}, {OK("b", 15, 10)}}, 0, 1,
		{PICK_LOWER_PRIORITY, PICK_CHOSEN}, false, 0},
	{"the policy decides within a priority", POLICY_BEST_WEEK,
		{{OK("a", 99, 99)}, {OK("b", 20, 20), .priority = 5},
			{OK("c", 20, 30), .priority = 5}},
		0, 2, {PICK_LOWER_PRIORITY, PICK_LOWER_RANK, PICK_CHOSEN}, false, 0},
	{"a threshold goes before priority", POLICY_BEST_WEEK,
		{{OK("a", 10, 50), .priority = 9}, {OK("b", 50, 50)}}, 0, 1,
		{PICK_BELOW_THRESHOLD, PICK_CHOSEN}, false, 0},
	{"known usage goes before priority", POLICY_BEST_WEEK,
		{{OK("a", -1, -1), .priority = 9}, {OK("b", 50, 50)}}, 0, 1,
		{PICK_UNKNOWN_USAGE, PICK_CHOSEN}, false, 0},
	{"priority among those below a threshold", POLICY_BEST_WEEK,
		{{OK("a", 1, 50), .priority = 1}, {OK("b", 9, 99)}}, 0, 0,
		{PICK_CHOSEN, PICK_LOWER_PRIORITY}, false, 0},
	{"one of a high priority that is full", POLICY_BEST_WEEK,
		{{OK("a", 50, 50), .priority = 1, .inflight = 8}, {OK("b", 50, 50)}}, 0, 1,
		{PICK_BUSY, PICK_CHOSEN}, false, 0},
	{"one of a high priority that this request tried", POLICY_BEST_WEEK,
		{{OK("a", 50, 50), .priority = 1, .tried = true}, {OK("b", 50, 50)}}, 0, 1,
		{PICK_TRIED, PICK_CHOSEN}, false, 0},
	{"the pin wins over priority", POLICY_BEST_WEEK,
		{{OK("a", 50, 50), .priority = 9}, {OK("b", 20, 20)}}, 2, 1,
		{PICK_NOT_PINNED, PICK_CHOSEN}, false, 0},
};

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };
#define FIVE(ms) .resets_5h_ms = NOW + (ms), .length_5h_ms = 5 * HOUR_MS
#define WEEK(ms) .resets_week_ms = NOW + (ms), .length_week_ms = 7 * DAY_MS
#define NONE NAN

/* What each policy compares, and who goes first. */
struct policy_case {
	const char *name;
	enum conf_policy policy;
	struct pick_candidate c[CANDIDATES_MAX];
	double scores[CANDIDATES_MAX];
	int chosen;
	struct pick_turn turn; /* the table's */
};

static const struct policy_case policy_cases[] = {
	{"week", POLICY_BEST_WEEK, {{OK("a", 90, 50)}, {OK("b", 50, 60)}}, {50, 60}, 1, {0}},
	{"week unknown comes last", POLICY_BEST_WEEK, {{OK("a", 90, -1)}, {OK("b", 20, 10)}},
		{NONE, 10}, 1, {0}},
	{"5 hours", POLICY_BEST_5H, {{OK("a", 90, 50)}, {OK("b", 50, 60)}}, {90, 50}, 0, {0}},
	{"5 hours unknown come last", POLICY_BEST_5H, {{OK("a", -1, 90)}, {OK("b", 15, 10)}},
		{NONE, 15}, 1, {0}},
	{"idle", POLICY_LEAST_RECENTLY_USED,
		{{OK("a", 50, 50), .last_used_ms = NOW - 3000},
			{OK("b", 50, 50), .last_used_ms = NOW - 9000},
			{OK("c", 50, 50), .inflight = 2}},
		{3, 9, -2}, 1, {0}},
	{"used in the future is used now", POLICY_LEAST_RECENTLY_USED,
		{{OK("a", 50, 50), .last_used_ms = NOW + 5000},
			{OK("b", 50, 50), .last_used_ms = NOW}},
		{0, 0}, 1, {0}},
	{"idle, unknown usage among itself", POLICY_LEAST_RECENTLY_USED,
		{{OK("a", -1, -1), .last_used_ms = NOW - 3000},
			{OK("b", -1, -1), .last_used_ms = NOW - 9000}},
		{3, 9}, 1, {0}},

	{"the week that resets first", POLICY_RESET_SOONEST,
		{{OK("a", 99, 99), WEEK(2 * DAY_MS)}, {OK("b", 20, 20), WEEK(DAY_MS)},
			{OK("c", 50, 50), WEEK(3 * DAY_MS)}},
		{172800, 86400, 259200}, 1, {0}},
	{"nobody knows the reset: last", POLICY_RESET_SOONEST,
		{{OK("a", 99, 99)}, {OK("b", 20, 20), WEEK(6 * DAY_MS)}}, {NONE, 518400}, 1, {0}},
	{"a reset that has passed says nothing", POLICY_RESET_SOONEST,
		{{OK("a", 99, 99), WEEK(-1000)}, {OK("b", 20, 20), WEEK(6 * DAY_MS)}},
		{NONE, 518400}, 1, {0}},
	{"no week at all: last", POLICY_RESET_SOONEST,
		{{OK("a", 99, -1), FIVE(HOUR_MS)}, {OK("b", 20, 20), WEEK(6 * DAY_MS)}},
		{NONE, 518400}, 1, {0}},
	{"weeks that end together: the 5 hours that reset first", POLICY_RESET_SOONEST,
		{{OK("a", 50, 50), WEEK(DAY_MS), FIVE(2 * HOUR_MS)},
			{OK("b", 50, 50), WEEK(DAY_MS), FIVE(HOUR_MS)},
			{OK("c", 50, 50), WEEK(DAY_MS)}},
		{86400, 86400, 86400}, 1, {0}},
	{"all resets equal: the less loaded", POLICY_RESET_SOONEST,
		{{OK("a", 50, 50), WEEK(DAY_MS), .inflight = 1}, {OK("b", 50, 50), WEEK(DAY_MS)}},
		{86400, 86400}, 1, {0}},

	{"whose turn is longest ago", POLICY_ROUND_ROBIN,
		{{OK("a", 99, 99), .turn = {9, 0}}, {OK("b", 20, 20), .turn = {7, 0}},
			{OK("c", 50, 50), .turn = {8, 0}}},
		{1, 3, 2}, 1, {10, 0}},
	{"who never had a turn", POLICY_ROUND_ROBIN,
		{{OK("a", 99, 99), .turn = {1, 0}}, {OK("b", 20, 20)}}, {9, 10}, 1, {10, 0}},
	{"nobody had a turn: by number, loaded or not", POLICY_ROUND_ROBIN,
		{{OK("slot-3", 99, 99), NUMBER(3)},
			{OK("slot-2", 20, 20), NUMBER(2), .inflight = 7}},
		{0, 0}, 1, {0}},
	{"unknown usage takes no turns of known good ones", POLICY_ROUND_ROBIN,
		{{OK("a", -1, -1)}, {OK("b", 20, 20), .turn = {10, 0}}}, {10, 0}, 1, {10, 0}},

	{"the first one, loaded and little left", POLICY_FILL_FIRST,
		{{OK("slot-2", 99, 99), NUMBER(2)},
			{OK("slot-1", 15, 10), NUMBER(1), .inflight = 7}},
		{2, 1}, 1, {0}},
	{"the first one is below a threshold: the next", POLICY_FILL_FIRST,
		{{OK("slot-1", 14, 50), NUMBER(1)}, {OK("slot-2", 50, 50), NUMBER(2)},
			{OK("slot-3", 99, 99), NUMBER(3)}},
		{1, 2, 3}, 1, {0}},
	{"fill: all are below a threshold", POLICY_FILL_FIRST,
		{{OK("slot-1", 1, 50), NUMBER(1)}, {OK("slot-2", 14, 50), NUMBER(2)}}, {1, 2}, 0,
		{0}},
	{"fill: the first one is full", POLICY_FILL_FIRST,
		{{OK("slot-1", 50, 50), NUMBER(1), .inflight = 8},
			{OK("slot-2", 50, 50), NUMBER(2)}},
		{NONE, 2}, 1, {0}},

	{"the larger share is due first", POLICY_WEIGHTED,
		{{OK("a", 50, 50)}, {SHARE("b", 50, 50, 5)}}, {1, 0.2}, 1, {0}},
	{"what is left counts: the tighter window", POLICY_WEIGHTED,
		{{OK("a", 100, 20)}, {OK("b", 50, 100)}, {OK("c", 40, 100)}}, {2.5, 1, 1.25}, 1,
		{0}},
	{"one window alone is what is left", POLICY_WEIGHTED,
		{{OK("a", -1, 50)}, {OK("b", 25, -1)}}, {1, 2}, 0, {0}},
	{"unknown usage: as if all were left", POLICY_WEIGHTED,
		{{OK("a", -1, -1)}, {SHARE("b", -1, -1, 2)}}, {0.5, 0.25}, 1, {0}},
	{"who had its share waits", POLICY_WEIGHTED,
		{{OK("a", 100, 100), .turn = {1, 10}}, {OK("b", 100, 100), .turn = {2, 10.25}}},
		{0.5, 0.75}, 0, {2, 10}},
	{"who was away does not catch up", POLICY_WEIGHTED,
		{{OK("a", 100, 100), .turn = {1, 2}}, {OK("b", 100, 100), .turn = {9, 10}}},
		{0, 0.5}, 0, {9, 10}},

	{"spends what would be lost", POLICY_PACE,
		{{OK("a", 100, 50), FIVE(5 * HOUR_MS), WEEK(7 * DAY_MS)},
			{OK("b", 100, 30), FIVE(5 * HOUR_MS), WEEK(DAY_MS)}},
		{0.5, 1}, 1, {0}},
	{"the tighter window counts", POLICY_PACE,
		{{OK("a", 20, 90), FIVE(5 * HOUR_MS), WEEK(7 * DAY_MS)},
			{OK("b", 50, 50), FIVE(HOUR_MS), WEEK(7 * DAY_MS)}},
		{0.2, 0.5}, 1, {0}},
	{"minus the load", POLICY_PACE,
		{{OK("a", -1, 60), WEEK(7 * DAY_MS), .inflight = 2},
			{OK("b", -1, 50), WEEK(7 * DAY_MS)}},
		{0.35, 0.5}, 1, {0}},
	{"nobody knows the end: as if the window had just begun", POLICY_PACE,
		{{OK("a", 60, -1)}, {OK("b", -1, 50), WEEK(14 * DAY_MS)},
			{OK("c", -1, 55), WEEK(-DAY_MS)}},
		{0.6, 0.5, 0.55}, 0, {0}},
	{"unknown usage: on pace", POLICY_PACE,
		{{OK("a", -1, -1), .inflight = 4}, {OK("b", -1, -1)}}, {0.5, 1}, 1, {0}},
	{"seconds before a reset the pace stays finite", POLICY_PACE,
		{{OK("a", 50, -1), FIVE(1)}, {OK("b", 60, -1), FIVE(1000)}}, {150, 180}, 1, {0}},
};

static size_t count_of(const struct pick_candidate *c)
{
	size_t count = 0;

	while (count < CANDIDATES_MAX && c[count].id)
		count++;
	return count;
}

static struct pick_options options_of(enum conf_policy policy, struct pick_turn turn)
{
	return (struct pick_options){.policy = policy,
		.min_5h_pct = 15,
		.min_week_pct = 10,
		.concurrency = 8,
		.pinned = -1,
		.now_ms = NOW,
		.turn = turn};
}

static void test_policies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(policy_cases); i++) {
		const struct policy_case *c = &policy_cases[i];
		struct pick_options o = options_of(c->policy, c->turn);
		float scores[CANDIDATES_MAX];
		size_t count = count_of(c->c);
		struct pick_result r = pick(&o, c->c, count, NULL, scores);

		if (r.chosen != c->chosen)
			fail_msg("%s: chose %d", c->name, r.chosen);
		for (size_t k = 0; k < count; k++) {
			double shown = pick_score_shown(scores[k]);

			if (isnan(c->scores[k]) ? !isnan(shown) : fabs(shown - c->scores[k]) > 1e-4)
				fail_msg("%s: %s has %g", c->name, c->c[k].id, shown);
		}
	}
}

static void test_every_policy_is_explained_and_has_a_case(void **state)
{
	bool seen[CONF_POLICIES] = {false};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(policy_cases); i++)
		seen[policy_cases[i].policy] = true;
	for (int p = 0; p < CONF_POLICIES; p++) {
		const struct policy *policy = policy_get((enum conf_policy)p);

		assert_true(seen[p]);
		assert_non_null(policy->score);
		assert_true(strlen(policy->help) > 0 && strlen(policy->unit) > 0);
		assert_null(strchr(policy->help, '\n'));
	}
}

/* Eligibility, classes, pins: the same under every policy. */
static void test_rules_hold_for_every_policy(void **state)
{
	static const struct pick_candidate c[] = {
		{OK("slot-1", 90, 90), NUMBER(1), .cooldown_until_ms = NOW + 1},
		{OK("slot-2", 90, 90), NUMBER(2), .tried = true},
		{OK("slot-3", 0, 90), NUMBER(3)},
		{OK("slot-4", 90, 90), NUMBER(4), .inflight = 8},
		{OK("slot-5", 14, 90), NUMBER(5), WEEK(1000), .priority = 3},
		{OK("slot-6", -1, -1), NUMBER(6), .priority = 2},
		{OK("slot-7", 20, 20), NUMBER(7), WEEK(6 * DAY_MS), .turn = {9, 9}},
		{OK("slot-8", 90, 90), NUMBER(8), WEEK(DAY_MS), .priority = -1},
	};
	static const enum pick_reason expected[] = {PICK_COOLDOWN, PICK_TRIED, PICK_EXHAUSTED,
		PICK_BUSY, PICK_BELOW_THRESHOLD, PICK_UNKNOWN_USAGE, PICK_CHOSEN,
		PICK_LOWER_PRIORITY};

	(void)state;
	for (int p = 0; p < CONF_POLICIES; p++) {
		struct pick_options o = options_of((enum conf_policy)p, (struct pick_turn){9, 9});
		enum pick_reason reasons[ARRAY_LEN(c)];
		float scores[ARRAY_LEN(c)];
		struct pick_result r = pick(&o, c, ARRAY_LEN(c), reasons, scores);

		assert_int_equal(r.chosen, 6);
		assert_memory_equal(reasons, expected, sizeof(expected));
		for (size_t i = 0; i < 4; i++)
			assert_true(isnan(scores[i]));
		o.pinned = 4;
		r = pick(&o, c, ARRAY_LEN(c), reasons, NULL);
		assert_int_equal(r.chosen, 4);
		assert_int_equal(reasons[6], PICK_NOT_PINNED);
		assert_int_equal(reasons[3], PICK_BUSY);
	}
}

/* As the slot table does it: the ids of so many choices, one letter each. */
static void choose(struct pick_options *o, struct pick_candidate *c, char *ret, size_t choices)
{
	for (size_t i = 0; i < choices; i++) {
		struct pick_result r = pick(o, c, count_of(c), NULL, NULL);

		assert_true(r.chosen >= 0);
		ret[i] = c[r.chosen].id[0];
		o->turn = r.table_turn;
		c[r.chosen].turn = r.slot_turn;
	}
	ret[choices] = '\0';
}

static void test_round_robin_goes_around(void **state)
{
	struct pick_options o = options_of(POLICY_ROUND_ROBIN, (struct pick_turn){0});
	struct pick_candidate c[CANDIDATES_MAX] = {
		{OK("a", 50, 50)}, {OK("b", 20, 20)}, {OK("c", 99, 99)}};
	char order[32];

	(void)state;
	choose(&o, c, order, 7);
	assert_string_equal(order, "abcabca");
	/* One is away for a while: it comes once when it is back, and does not catch up. */
	c[1].cooldown_until_ms = NOW + 1;
	choose(&o, c, order, 4);
	assert_string_equal(order, "caca");
	c[1].cooldown_until_ms = 0;
	choose(&o, c, order, 6);
	assert_string_equal(order, "bcabca");
	/* A new one fits in. */
	c[3] = (struct pick_candidate){OK("d", 50, 50)};
	choose(&o, c, order, 5);
	assert_string_equal(order, "dbcad");
}

static void test_weighted_is_smooth(void **state)
{
	struct pick_options o = options_of(POLICY_WEIGHTED, (struct pick_turn){0});
	struct pick_candidate c[CANDIDATES_MAX] = {
		{SHARE("a", 100, 100, 4)}, {SHARE("b", 100, 100, 2)}, {OK("c", 100, 100)}};
	char order[64];

	(void)state;
	choose(&o, c, order, 21);
	assert_string_equal(order, "abacaba"
				   "abacaba"
				   "abacaba");
}

static size_t times(const char *order, char id)
{
	size_t n = 0;

	for (; *order; order++)
		n += *order == id;
	return n;
}

static void test_weighted_is_right_after_every_choice(void **state)
{
	enum { CHOICES = 2000 };
	static const double shares[] = {6.67, 1, 0.15, 2.5};
	struct pick_options o = options_of(POLICY_WEIGHTED, (struct pick_turn){0});
	struct pick_candidate c[CANDIDATES_MAX] = {
		{OK("a", 100, 100)}, {OK("b", 100, 100)}, {OK("c", 100, 100)}, {OK("d", 100, 100)}};
	char order[CHOICES + 1] = "";
	double sum = 0;

	(void)state;
	for (size_t k = 0; k < CANDIDATES_MAX; k++) {
		c[k].capacity = shares[k];
		sum += shares[k];
	}
	for (size_t n = 1; n <= CHOICES; n++) {
		choose(&o, c, order + n - 1, 1);
		for (size_t k = 0; k < CANDIDATES_MAX; k++) {
			double part = (double)n * shares[k] / sum;

			if (fabs((double)times(order, c[k].id[0]) - part) > 1.5)
				fail_msg("%s after %zu choices", c[k].id, n);
		}
	}
}

static void test_weighted_forgets_who_was_away(void **state)
{
	struct pick_options o = options_of(POLICY_WEIGHTED, (struct pick_turn){0});
	struct pick_candidate c[CANDIDATES_MAX] = {{OK("a", 100, 100)}, {OK("b", 100, 100)}};
	char order[256];

	(void)state;
	c[1].cooldown_until_ms = NOW + 1;
	choose(&o, c, order, 100);
	assert_int_equal(times(order, 'a'), 100);
	c[1].cooldown_until_ms = 0;
	choose(&o, c, order, 10);
	assert_int_equal(times(order, 'b'), 5);
	/* What is left changes its part at once. */
	c[0].left_week = 25;
	choose(&o, c, order, 100);
	assert_in_range(times(order, 'b'), 79, 81);
}

static void test_pin_is_nobodys_turn(void **state)
{
	static const struct pick_candidate c[] = {
		{OK("a", 50, 50), .turn = {3, 4}}, {OK("b", 50, 50), .turn = {4, 5}}};

	(void)state;
	for (int p = 0; p < CONF_POLICIES; p++) {
		struct pick_options o = options_of((enum conf_policy)p, (struct pick_turn){4, 5});
		struct pick_result r;

		o.pinned = 1;
		r = pick(&o, c, 2, NULL, NULL);
		assert_int_equal(r.chosen, 1);
		assert_int_equal(r.table_turn.number, 4);
		assert_true(r.table_turn.due == 5);
		assert_int_equal(r.slot_turn.number, 4);
		assert_true(r.slot_turn.due == 5);
		o.pinned = -1;
		r = pick(&o, c, 2, NULL, NULL);
		assert_int_equal(r.table_turn.number, 5);
		assert_int_equal(r.slot_turn.number, 5);
	}
}

/* Numbers that no real account has: still a choice, and finite state. */
static void test_odd_numbers_do_no_harm(void **state)
{
	struct pick_candidate c[] = {
		{OK("a", 100, 100), .resets_week_ms = INT64_MAX, .length_week_ms = INT64_MAX},
		{OK("b", 1e-300, 1e-300), .resets_5h_ms = INT64_MAX, .length_5h_ms = 1},
		{OK("c", 100, 100), .last_used_ms = INT64_MAX, .resets_5h_ms = 1},
	};

	(void)state;
	c[0].capacity = 0;
	c[1].capacity = 1e300;
	c[2].capacity = 1e-300;
	for (int p = 0; p < CONF_POLICIES; p++) {
		struct pick_options o = options_of((enum conf_policy)p, (struct pick_turn){0});

		o.min_5h_pct = o.min_week_pct = 0;
		for (int n = 0; n < 10; n++) {
			struct pick_result r = pick(&o, c, ARRAY_LEN(c), NULL, NULL);

			assert_in_range(r.chosen, 0, ARRAY_LEN(c) - 1);
			assert_true(isfinite(r.slot_turn.due) && isfinite(r.table_turn.due));
			o.turn = r.table_turn;
		}
	}
}

static void test_number_of_an_id(void **state)
{
	(void)state;
	assert_int_equal(pick_id_number("slot-12"), 12);
	assert_int_equal(pick_id_number("slot-"), 0);
	assert_int_equal(pick_id_number(""), 0);
	assert_int_equal(pick_id_number("7"), 7);
	assert_int_equal(pick_id_number("slot-123456789012345678901234"), 789012345678901234);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct pick_case *c = &cases[i];
		struct pick_options o = {.policy = c->policy,
			.min_5h_pct = 15,
			.min_week_pct = 10,
			.concurrency = 8,
			.pinned = c->pinned - 1,
			.now_ms = NOW};
		enum pick_reason reasons[CANDIDATES_MAX];
		size_t count = count_of(c->c);
		struct pick_result r = pick(&o, c->c, count, reasons, NULL);

		if (r.chosen != c->chosen)
			fail_msg("%s: chose %d", c->name, r.chosen);
		for (size_t k = 0; k < count; k++) {
			if (reasons[k] != c->reasons[k])
				fail_msg("%s: %s is %s", c->name, c->c[k].id,
					pick_reason_name(reasons[k]));
		}
		/* any_busy counts only when nothing was chosen. */
		if (r.chosen < 0 && r.any_busy != c->any_busy)
			fail_msg("%s: any_busy", c->name);
		if (r.chosen < 0 && r.recovers_ms != c->recovers_ms)
			fail_msg("%s: recovers at %lld", c->name, (long long)r.recovers_ms);
		if (r.pinned_hit != (c->pinned && c->chosen == c->pinned - 1))
			fail_msg("%s: pinned_hit", c->name);
		/* Without reasons the choice is the same. */
		assert_int_equal(pick(&o, c->c, count, NULL, NULL).chosen, r.chosen);
	}
}

static void test_every_reason_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = PICK_CHOSEN; i <= PICK_NOT_PINNED; i++) {
		assert_non_null(pick_reason_name((enum pick_reason)i));
		for (int k = PICK_CHOSEN; k < i; k++)
			assert_string_not_equal(pick_reason_name((enum pick_reason)i),
				pick_reason_name((enum pick_reason)k));
	}
}

/* Which one is taken must not hang on the order of the candidates. */
static void test_order_of_candidates_does_not_matter(void **state)
{
	struct pick_options o = {.min_5h_pct = 15,
		.min_week_pct = 10,
		.concurrency = 8,
		.pinned = -1,
		.now_ms = NOW};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pick_candidate turned[CANDIDATES_MAX];
		size_t count = count_of(cases[i].c);
		struct pick_result r, back;

		for (size_t k = 0; k < count; k++)
			turned[k] = cases[i].c[count - 1 - k];
		o.policy = cases[i].policy;
		r = pick(&o, cases[i].c, count, NULL, NULL);
		back = pick(&o, turned, count, NULL, NULL);
		if ((r.chosen < 0) != (back.chosen < 0))
			fail_msg("%s", cases[i].name);
		if (r.chosen >= 0 && strcmp(cases[i].c[r.chosen].id, turned[back.chosen].id) != 0)
			fail_msg("%s", cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_every_policy_is_explained_and_has_a_case),
		cmocka_unit_test(test_rules_hold_for_every_policy),
		cmocka_unit_test(test_round_robin_goes_around),
		cmocka_unit_test(test_weighted_is_smooth),
		cmocka_unit_test(test_weighted_is_right_after_every_choice),
		cmocka_unit_test(test_weighted_forgets_who_was_away),
		cmocka_unit_test(test_pin_is_nobodys_turn),
		cmocka_unit_test(test_odd_numbers_do_no_harm),
		cmocka_unit_test(test_number_of_an_id),
		cmocka_unit_test(test_every_reason_has_a_name_of_its_own),
		cmocka_unit_test(test_order_of_candidates_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
