/* openclaw_usage: what the program's text tells, whole, cut anywhere, and odd. */
#include "openclaw/openclaw_usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW_S = 1800000000 };
#define NOW_MS (INT64_C(1000) * NOW_S)

struct text_case {
	const char *name, *text;
	double short_left, week_left; /* -1: unknown */
	const char *plan;	      /* NULL: none */
	const char *problem;	      /* part of it; NULL: there is an answer */
};

static const struct text_case cases[] = {
	{"what 2026.4.15 prints",
		"OpenClaw status\n\nUsage:\n  Codex (plus)\n    5h: 95% left · resets 3h 5m\n    "
		"Week: 78% left · resets 6d 23h\n",
		95, 78, "plus", NULL},
	{"lines alone", "5h: 1% left\nWeek: 2% left\n", 1, 2, NULL, NULL},
	{"in other words", "5h: 30% used · resets in 2h\n", 70, -1, NULL, NULL},
	{"another provider first",
		"Usage:\n  Claude (max)\n    5h: 10% left\n    Week: 11% left\n  Codex\n    5h: "
		"20% "
		"left\n    Week: 21% left\n",
		20, 21, NULL, NULL},
	{"another provider behind",
		"Usage:\n  Codex\n    5h: 20% left\n  Claude\n    Week: 11% left\n", 20, -1, NULL,
		NULL},
	{"another provider alone", "Usage:\n  Claude\n    5h: 10% left\n", -1, -1, NULL,
		"no Codex usage"},
	{"a balance in the plan", "Usage:\n  Codex (pro ($12.50))\n    Week: 50% left\n", -1, 50,
		"pro", NULL},
	{"a balance alone", "Usage:\n  Codex ($12.50)\n    Week: 50% left\n", -1, 50, NULL, NULL},
	{"a reset as a date", "5h: 95% left\nWeek: 78% left · resets Nov 30\n", 95, 78, NULL, NULL},
	{"lengths in hours", "Usage:\n  Codex\n    3h: 40% left\n    168h: 41% left\n", 40, 41,
		NULL, NULL},
	{"colours and carriage returns",
		"\033[1mUsage:\033[0m\r\n  Codex\r\n    "
		"\033[32m5h\033[0m: 95% left\r\n",
		95, -1, NULL, NULL},
	{"an error", "Usage:\n  Codex: token expired\n", -1, -1, NULL,
		"openclaw says: token expired"},
	{"no data", "Usage:\n  Codex (plus): no data\n", -1, -1, "plus", "no data"},
	{"nothing", "", -1, -1, NULL, "no Codex usage"},
	{"no provider", "Usage: no provider usage available.\n", -1, -1, NULL, "no Codex usage"},
	{"percent beyond", "5h: 101% left\nWeek: -1% left\n", -1, -1, NULL, "no Codex usage"},
	{"no number", "5h: many% left\n", -1, -1, NULL, "no Codex usage"},
	{"a window of no length", "0h: 5% left\n99999999999h: 5% left\n", -1, -1, NULL,
		"no Codex usage"},
	{"the first of two counts", "5h: 10% left\n5h: 20% left\n", 10, -1, NULL, NULL},
	{"an escape at the end", "5h: 10% left\n\033[", 10, -1, NULL, NULL},
};

static void check_window(const char *name, const struct meter *m, double left)
{
	if (left < 0 ? m->known : (!m->known || 100 - m->used_percent != left))
		fail_msg("%s: %s, %g used", name, m->known ? "known" : "unknown", m->used_percent);
}

static void test_every_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct text_case *c = &cases[i];
		char problem[OPENCLAW_PROBLEM_SIZE];
		struct meters m;
		bool found = openclaw_usage_parse(sv_cstr(c->text), NOW_MS, &m, problem);

		if (found != !c->problem)
			fail_msg("%s: %s", c->name, problem);
		if (c->problem && !strstr(problem, c->problem))
			fail_msg("%s: told \"%s\"", c->name, problem);
		check_window(c->name, &m.window[METER_5H], c->short_left);
		check_window(c->name, &m.window[METER_WEEK], c->week_left);
		assert_string_equal(m.plan_type, c->plan ? c->plan : "");
	}
}

static void test_resets_count_from_now(void **state)
{
	char problem[OPENCLAW_PROBLEM_SIZE];
	struct meters m;

	(void)state;
	assert_true(openclaw_usage_parse(
		sv_cstr("5h: 95% left · resets 3h 5m\n720h: 4% left · resets 2d"), NOW_MS, &m,
		problem));
	assert_int_equal(m.window[METER_5H].resets_at_s, NOW_S + 3 * 3600 + 5 * 60);
	assert_int_equal(m.window[METER_5H].window_minutes, 5 * 60);
	assert_int_equal(m.window[METER_MONTH].resets_at_s, NOW_S + 2 * 86400);
	assert_int_equal(m.window[METER_MONTH].window_minutes, 720 * 60);
	assert_false(m.window[METER_WEEK].known);
}

static void test_text_cut_anywhere_tells_no_wrong_number(void **state)
{
	const struct text_case *c = &cases[0];
	size_t n = strlen(c->text);

	(void)state;
	for (size_t i = 0; i <= n; i++) {
		char *copy = mem_strndup(c->text, i);
		char problem[OPENCLAW_PROBLEM_SIZE];
		struct meters m;

		if (openclaw_usage_parse(sv_make(copy, i), NOW_MS, &m, problem))
			check_window("cut", &m.window[METER_5H], 95);
		else
			assert_true(problem[0] != '\0');
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_text),
		cmocka_unit_test(test_resets_count_from_now),
		cmocka_unit_test(test_text_cut_anywhere_tells_no_wrong_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
