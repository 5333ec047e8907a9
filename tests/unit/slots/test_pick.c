#include "slots/pick.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { CANDIDATES_MAX = 4, NOW = 1000000 };

/* A slot that could serve everything. */
#define OK(name, five, week)                                                      \
	.id = (name), .enabled = true, .has_credential = true, .left_5h = (five), \
	.left_week = (week)

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
		{{OK("slot-10", 50, 50)}, {OK("slot-9", 50, 50)}, {OK("slot-11", 50, 50)}}, 0, 1,
		{PICK_LOWER_RANK, PICK_CHOSEN, PICK_LOWER_RANK}, false, 0},
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
};

static size_t count_of(const struct pick_case *c)
{
	size_t count = 0;

	while (count < CANDIDATES_MAX && c->c[count].id)
		count++;
	return count;
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
		size_t count = count_of(c);
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
		size_t count = count_of(&cases[i]);
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
		cmocka_unit_test(test_every_reason_has_a_name_of_its_own),
		cmocka_unit_test(test_order_of_candidates_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
