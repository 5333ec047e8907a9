#include "slots/usage_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BASE_MS INT64_C(1790000000000)
#define BASE_S (BASE_MS / 1000)

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

static void test_texts_that_are_read(void **state)
{
	static const struct {
		const char *text;
		double used;
		int64_t resets_in_s; /* 0: unknown */
	} cases[] = {
		{"95% left · resets 3h", 5, 3 * HOUR},
		{"95% left", 5, 0},
		{"100% left · resets 6d 23h", 0, 6 * DAY + 23 * HOUR},
		{"0% left · resets 45m", 100, 45 * MINUTE},
		{"12.5% left · resets 1h 30m", 87.5, HOUR + 30 * MINUTE},
		{"12% used · resets in 2h", 12, 2 * HOUR},
		{" 7 % left, resets 10s ", 93, 10},
		{"50%", 50, 0},
		{"50% left · resets Nov 3", 50, 0},
		{"50% left - Resets 1w", 50, 7 * DAY},
		{"50% left · resets 400d", 50, 0},
		{"50% left · resets 99999999999999999999d", 50, 0},
		{"50% left · resets 3", 50, 0},
		{"50% left · resets", 50, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct meter m = {0};
		int64_t want = cases[i].resets_in_s ? BASE_S + cases[i].resets_in_s : 0;

		if (!usage_text_parse(sv_cstr(cases[i].text), BASE_MS, &m))
			fail_msg("%s: not read", cases[i].text);
		if (!m.known || m.used_percent != cases[i].used)
			fail_msg("%s: used %f", cases[i].text, m.used_percent);
		if (m.resets_at_s != want)
			fail_msg("%s: resets at %lld", cases[i].text, (long long)m.resets_at_s);
	}
}

static void test_texts_that_are_none(void **state)
{
	static const char *const texts[] = {
		"", "%", "left", "95", "95 left", "x%", "-1% left", "101% left", "1e3% left"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct meter m = {.window_minutes = 77};

		if (usage_text_parse(sv_cstr(texts[i]), BASE_MS, &m))
			fail_msg("%s was read", texts[i]);
		assert_int_equal(m.window_minutes, 77);
	}
}

static void test_without_a_time_the_reset_is_unknown(void **state)
{
	struct meter m;

	(void)state;
	assert_true(usage_text_parse(SV("95% left · resets 3h"), 0, &m));
	assert_int_equal(m.resets_at_s, 0);
}

static void test_reset_now(void **state)
{
	struct meter m;

	(void)state;
	assert_true(usage_text_parse(SV("5% left · resets now"), BASE_MS, &m));
	assert_int_equal(m.resets_at_s, BASE_S);
	assert_true(meter_used_at(&m, BASE_S) == 0);
}

static void test_texts_that_are_written(void **state)
{
	static const struct {
		double used;
		int64_t resets_in_s;
		const char *text;
	} cases[] = {
		{5, 3 * HOUR, "95% left · resets 3h"},
		{0, 6 * DAY + 23 * HOUR, "100% left · resets 6d 23h"},
		{100, 45 * MINUTE, "0% left · resets 45m"},
		{50, 90 * MINUTE, "50% left · resets 1h 30m"},
		{50, 1, "50% left · resets 1m"},
		{50, 59 * MINUTE + 30, "50% left · resets 1h"},
		{50, 29 * DAY, "50% left · resets 29d 0h"},
		{99.7, HOUR, "1% left · resets 1h"},
		{0.2, HOUR, "100% left · resets 1h"},
		{33.3, 0, "67% left"},
		{80, -5, "100% left"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct meter m = {.known = true, .used_percent = cases[i].used};
		struct meter back;
		char text[USAGE_TEXT_SIZE];

		if (cases[i].resets_in_s)
			m.resets_at_s = BASE_S + cases[i].resets_in_s;
		usage_text_format(&m, BASE_MS, text);
		assert_string_equal(text, cases[i].text);
		/* Reads back, to the minute, and an exhausted window alone as exhausted. */
		assert_true(usage_text_parse(sv_cstr(text), BASE_MS, &back));
		assert_int_equal(back.used_percent >= 100, cases[i].used >= 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_that_are_read),
		cmocka_unit_test(test_texts_that_are_none),
		cmocka_unit_test(test_without_a_time_the_reset_is_unknown),
		cmocka_unit_test(test_reset_now),
		cmocka_unit_test(test_texts_that_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
