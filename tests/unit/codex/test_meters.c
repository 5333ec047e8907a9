#include "base/limits.h"
#include "codex/meters.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW INT64_C(1795449600)
#define LATER "1795456800" /* NOW + 7200 */
#define DAYS(n) ((int64_t)(n)*24 * 60)

struct kind_case {
	int64_t minutes;
	bool secondary;
	enum meter_kind kind;
};

static const struct kind_case kind_cases[] = {
	{300, false, METER_5H},
	{300, true, METER_5H},
	{DAYS(1), true, METER_5H},
	{DAYS(1) + 1, false, METER_WEEK},
	{DAYS(7), false, METER_WEEK},
	{DAYS(28) - 1, true, METER_WEEK},
	{DAYS(28), false, METER_MONTH},
	{DAYS(30), true, METER_MONTH},
	{0, false, METER_5H},
	{0, true, METER_WEEK},
	{-5, false, METER_5H},
};

static void test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kind_cases); i++)
		assert_int_equal(meter_kind_of(kind_cases[i].minutes, kind_cases[i].secondary),
			kind_cases[i].kind);
}

static void test_used_at(void **state)
{
	struct meter m = {true, 70, 300, NOW};

	(void)state;
	assert_true(meter_used_at(&m, NOW - 1) == 70);
	assert_true(meter_used_at(&m, NOW) == 0);
	m.resets_at_s = 0;
	assert_true(meter_used_at(&m, NOW) == 70);
}

/* What is expected of one window; used < 0: unknown. */
struct expected {
	double used;
	int64_t minutes;
	int64_t resets_at_s;
};
#define UNKNOWN          \
	{                \
		-1, 0, 0 \
	}

struct meters_case {
	const char *name;
	const char *text; /* "name: value" lines, an event, or a usage body */
	bool told;
	struct expected window[METER_KINDS];
	int credits; /* 10 * has + unlimited; -1 unknown */
	const char *plan;
};

static void check(const struct meters_case *c, bool told, const struct meters *m)
{
	if (told != c->told)
		fail_msg("%s: told %d", c->name, told);
	for (size_t i = 0; told && i < METER_KINDS; i++) {
		const struct meter *is = &m->window[i];
		const struct expected *not = &c->window[i];

		if (is->known != (not ->used >= 0) ||
			(is->known && (is->used_percent != not ->used ||
					      is->window_minutes != not ->minutes ||
					      is->resets_at_s != not ->resets_at_s)))
			fail_msg("%s: window %zu is %d %g %lld %lld", c->name, i, is->known,
				is->used_percent, (long long)is->window_minutes,
				(long long)is->resets_at_s);
	}
	if (!told)
		return;
	if (c->credits != (m->has_credits_known ? 10 * m->has_credits + m->credits_unlimited : -1))
		fail_msg("%s: credits", c->name);
	assert_string_equal(m->plan_type, c->plan);
}

static const struct meters_case header_cases[] = {
	{"both windows",
		"X-Codex-Primary-Used-Percent: 12.5\nx-codex-primary-window-minutes: 300\n"
		"x-codex-primary-reset-at: " LATER "\nx-codex-secondary-used-percent: 40\n"
		"x-codex-secondary-window-minutes: 10080\nx-codex-secondary-reset-after-seconds: "
		"60\n"
		"x-codex-credits-has-credits: False\nx-codex-credits-unlimited: 1\n"
		"x-codex-credits-balance: \nx-codex-plan-type: pro",
		true, {{12.5, 300, NOW + 7200}, {40, 10080, NOW + 60}, UNKNOWN}, 1, "pro"},
	{"free plan: a monthly primary",
		"x-codex-primary-used-percent: 3\nx-codex-primary-window-minutes: 43200\n"
		"x-codex-plan-type: free",
		true, {UNKNOWN, UNKNOWN, {3, 43200, 0}}, -1, "free"},
	{"places do not count",
		"x-codex-secondary-used-percent: 5\nx-codex-secondary-window-minutes: 300", true,
		{{5, 300, 0}, UNKNOWN, UNKNOWN}, -1, ""},
	{"unknown lengths go by place",
		"x-codex-primary-used-percent: 5\nx-codex-secondary-used-percent: 6", true,
		{{5, 0, 0}, {6, 0, 0}, UNKNOWN}, -1, ""},
	{"two windows of a kind: the fuller",
		"x-codex-primary-used-percent: 50\nx-codex-primary-window-minutes: 300\n"
		"x-codex-secondary-used-percent: 5\nx-codex-secondary-window-minutes: 600",
		true, {{50, 300, 0}, UNKNOWN, UNKNOWN}, -1, ""},
	{"all zeroes is no window",
		"x-codex-primary-used-percent: 0\nx-codex-primary-window-minutes: 0", false,
		{UNKNOWN}, -1, ""},
	{"zero with a length is a window",
		"x-codex-primary-used-percent: 0\nx-codex-primary-window-minutes: 300", true,
		{{0, 300, 0}, UNKNOWN, UNKNOWN}, -1, ""},
	{"zero with a reset is a window",
		"x-codex-primary-used-percent: 0.0\nx-codex-primary-reset-at: " LATER, true,
		{{0, 0, NOW + 7200}, UNKNOWN, UNKNOWN}, -1, ""},
	{"a reset that has passed",
		"x-codex-primary-used-percent: 100\nx-codex-primary-reset-at: 1795449600", true,
		{{0, 0, 0}, UNKNOWN, UNKNOWN}, -1, ""},
	{"a reset that has passed, but a delay",
		"x-codex-primary-used-percent: 100\nx-codex-primary-reset-at: 5\n"
		"x-codex-primary-reset-after-seconds: 30",
		true, {{100, 0, NOW + 30}, UNKNOWN, UNKNOWN}, -1, ""},
	{"a reset in milliseconds is not sane",
		"x-codex-primary-used-percent: 100\nx-codex-primary-reset-at: 1795456800000", true,
		{{100, 0, 0}, UNKNOWN, UNKNOWN}, -1, ""},
	{"a reset over a year ahead is not sane",
		"x-codex-primary-used-percent: 9\nx-codex-primary-reset-after-seconds: 31622400",
		true, {{9, 0, 0}, UNKNOWN, UNKNOWN}, -1, ""},
	{"used over 100", "x-codex-primary-used-percent: 130\nx-codex-secondary-used-percent: -4",
		true, {{100, 0, 0}, {0, 0, 0}, UNKNOWN}, -1, ""},
	{"used is no number",
		"x-codex-primary-used-percent: nan\nx-codex-primary-window-minutes: 300", false,
		{UNKNOWN}, -1, ""},
	{"no used percent", "x-codex-primary-window-minutes: 300", false, {UNKNOWN}, -1, ""},
	{"another limit's headers",
		"x-codex-bengalfox-primary-used-percent: 99\nx-other-primary-used-percent: 99\n"
		"x-codex-active-limit: premium",
		false, {UNKNOWN}, -1, ""},
	{"half of the credits", "x-codex-credits-has-credits: true", false, {UNKNOWN}, -1, ""},
	{"credits in other words", "x-codex-credits-has-credits: yes\nx-codex-credits-unlimited: 0",
		false, {UNKNOWN}, -1, ""},
	{"plan with a space", "x-codex-plan-type: a b", false, {UNKNOWN}, -1, ""},
	{"plan that is too long", "x-codex-plan-type: 01234567890123456789012345678901", false,
		{UNKNOWN}, -1, ""},
	{"nothing", "content-type: text/plain", false, {UNKNOWN}, -1, ""},
};

static size_t split_headers(const char *text, struct http_header *out)
{
	struct sv rest = sv_cstr(text);
	size_t n = 0;

	while (rest.n) {
		struct sv line = sv_split(&rest, '\n');

		out[n].name = sv_split(&line, ':');
		out[n++].value = sv_trim(line);
	}
	return n;
}

static void test_headers(void **state)
{
	struct http_header headers[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(header_cases); i++) {
		const struct meters_case *c = &header_cases[i];
		struct meters m = {0};
		size_t count = split_headers(c->text, headers);

		check(c, meters_from_headers(headers, count, NOW, &m), &m);
	}
}

#define EVENT(members) "{\"type\":\"codex.rate_limits\"," members "}"
#define LIMITS                                                                                   \
	"\"rate_limits\":{\"allowed\":true,\"primary\":{\"used_percent\":33,\"window_minutes\":" \
	"300,"                                                                                   \
	"\"reset_after_seconds\":900},\"secondary\":null}"

static const struct meters_case event_cases[] = {
	{"as seen",
		EVENT("\"plan_type\":\"plus\"," LIMITS ",\"credits\":{\"has_credits\":true,"
		      "\"unlimited\":false,\"balance\":\"5\"}"),
		true, {{33, 300, NOW + 900}, UNKNOWN, UNKNOWN}, 10, "plus"},
	{"reset_at",
		EVENT("\"rate_limits\":{\"secondary\":{\"used_percent\":1.5,\"window_minutes\":"
		      "10080,"
		      "\"reset_at\":" LATER "}}"),
		true, {UNKNOWN, {1.5, 10080, NOW + 7200}, UNKNOWN}, -1, ""},
	{"resets_at",
		EVENT("\"rate_limits\":{\"primary\":{\"used_percent\":\"7\",\"resets_at\":" LATER
		      "}}"),
		true, {{7, 0, NOW + 7200}, UNKNOWN, UNKNOWN}, -1, ""},
	{"limit named codex", EVENT(LIMITS ",\"metered_limit_name\":\"codex\",\"limit_name\":null"),
		true, {{33, 300, NOW + 900}, UNKNOWN, UNKNOWN}, -1, ""},
	{"other limit_id", EVENT(LIMITS ",\"limit_id\":\"codex_bengalfox\""), false, {UNKNOWN}, -1,
		""},
	{"other metered_limit_name", EVENT(LIMITS ",\"metered_limit_name\":\"x\""), false,
		{UNKNOWN}, -1, ""},
	{"other limit_name", EVENT(LIMITS ",\"limit_name\":\"gpt-6-luna\""), false, {UNKNOWN}, -1,
		""},
	{"nothing told", EVENT("\"rate_limits\":null"), false, {UNKNOWN}, -1, ""},
	{"unknown use",
		EVENT("\"rate_limits\":{\"primary\":{\"used_percent\":null,\"window_minutes\":300}"
		      "}"),
		false, {UNKNOWN}, -1, ""},
	{"types that make no sense", EVENT("\"rate_limits\":[1],\"credits\":\"x\",\"plan_type\":5"),
		false, {UNKNOWN}, -1, ""},
};

static struct jv parse(const char *text)
{
	struct jv v;

	assert_int_equal(jv_parse(sv_cstr(text), LIMIT_JSON_DEPTH, &v, NULL), 0);
	return v;
}

static void test_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(event_cases); i++) {
		struct meters m = {0};

		check(&event_cases[i], meters_from_event(parse(event_cases[i].text), NOW, &m), &m);
	}
}

static const struct meters_case usage_cases[] = {
	{"as known",
		"{\"plan_type\":\"team\",\"rate_limit\":{\"primary_window\":{\"used_percent\":10,"
		"\"limit_window_seconds\":18000,\"reset_at\":" LATER
		",\"reset_after_seconds\":7200},"
		"\"secondary_window\":{\"used_percent\":20,\"limit_window_seconds\":604800,"
		"\"reset_after_seconds\":60}},\"credits\":{\"has_credits\":false,\"unlimited\":"
		"false,"
		"\"balance\":\"0\"},\"additional_rate_limits\":[{\"limit_name\":\"x\",\"rate_"
		"limit\":{"
		"\"primary_window\":{\"used_percent\":99}}}]}",
		true, {{10, 300, NOW + 7200}, {20, 10080, NOW + 60}, UNKNOWN}, 0, "team"},
	{"free plan",
		"{\"plan_type\":\"free\",\"rate_limit\":{\"primary_window\":{\"used_percent\":10,"
		"\"limit_window_seconds\":2592000},\"secondary_window\":null}}",
		true, {UNKNOWN, UNKNOWN, {10, 43200, 0}}, -1, "free"},
	{"no limits", "{\"rate_limit\":null}", false, {UNKNOWN}, -1, ""},
	{"no object", "[]", false, {UNKNOWN}, -1, ""},
};

static void test_usage(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(usage_cases); i++) {
		struct meters m = {0};

		check(&usage_cases[i], meters_from_usage(parse(usage_cases[i].text), NOW, &m), &m);
	}
}

static void test_reset_credits_and_refusals(void **state)
{
	static const char *const odd[] = {"{\"rate_limit_reset_credits\":{\"available_count\":-1}}",
		"{\"rate_limit_reset_credits\":{\"available_count\":\"2\"}}",
		"{\"rate_limit_reset_credits\":{\"available_count\":1e300}}",
		"{\"rate_limit_reset_credits\":[]}"};
	struct meters m = {0}, kept = {0};

	(void)state;
	assert_true(meters_from_usage(
		parse("{\"rate_limit_reset_credits\":{\"available_count\":2}}"), NOW, &m));
	assert_true(m.has_resets_known);
	assert_int_equal(m.resets_available, 2);
	meters_merge(&kept, &m);
	meters_merge(&kept, &(struct meters){0});
	assert_int_equal(kept.resets_available, 2);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		assert_false(meters_from_usage(parse(odd[i]), NOW, &m));
	assert_true(meters_usage_is_refusing(parse("{\"rate_limit\":{\"limit_reached\":true}}")));
	assert_true(meters_usage_is_refusing(parse("{\"rate_limit\":{\"allowed\":false}}")));
	assert_false(meters_usage_is_refusing(
		parse("{\"rate_limit\":{\"allowed\":true,\"limit_reached\":false}}")));
	assert_false(meters_usage_is_refusing(parse("{\"rate_limit\":null}")));
	assert_false(meters_usage_is_refusing(parse("[]")));
}

static void test_merge(void **state)
{
	struct meters m = {.window[METER_5H] = {true, 10, 300, 5},
		.window[METER_WEEK] = {true, 20, 10080, 6},
		.plan_type = "plus"};
	struct meters news = {.window[METER_5H] = {true, 11, 300, 0},
		.has_credits_known = true,
		.has_credits = true};

	(void)state;
	meters_merge(&m, &news);
	assert_true(m.window[METER_5H].used_percent == 11);
	assert_int_equal(m.window[METER_5H].resets_at_s, 0);
	assert_true(m.window[METER_WEEK].used_percent == 20);
	assert_false(m.window[METER_MONTH].known);
	assert_true(m.has_credits_known && m.has_credits && !m.credits_unlimited);
	assert_string_equal(m.plan_type, "plus");
	snprintf(news.plan_type, sizeof(news.plan_type), "pro");
	meters_merge(&m, &news);
	assert_string_equal(m.plan_type, "pro");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_used_at),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_reset_credits_and_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
