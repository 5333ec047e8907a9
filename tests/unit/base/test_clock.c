#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static void expect_format(int64_t ms, const char *expected)
{
	char text[CLOCK_ISO_SIZE];

	clock_format_iso(ms, text);
	assert_string_equal(text, expected);
}

static void formats_known_times(void **state)
{
	(void)state;
	expect_format(0, "1970-01-01T00:00:00.000Z");
	expect_format(1, "1970-01-01T00:00:00.001Z");
	expect_format(951782399999, "2000-02-28T23:59:59.999Z");
	expect_format(951782400000, "2000-02-29T00:00:00.000Z");
	expect_format(1795467180123, "2026-11-23T20:53:00.123Z");
	expect_format(4107542400000, "2100-03-01T00:00:00.000Z");
	expect_format(4107542399999, "2100-02-28T23:59:59.999Z");
	expect_format(253402300799999, "9999-12-31T23:59:59.999Z");
}

static void clamps_times_out_of_range(void **state)
{
	(void)state;
	expect_format(-1, "1970-01-01T00:00:00.000Z");
	expect_format(INT64_MIN, "1970-01-01T00:00:00.000Z");
	expect_format(253402300800000, "9999-12-31T23:59:59.999Z");
	expect_format(INT64_MAX, "9999-12-31T23:59:59.999Z");
}

/* Every 9,973 minutes (a prime) from 1970 to 9999 against the C library, and back. */
static void agrees_with_gmtime(void **state)
{
	(void)state;
	for (int64_t second = 0; second < INT64_C(253402300800); second += 9973 * 60 + 1) {
		time_t now = (time_t)second;
		struct tm tm;
		char expected[64];
		char text[CLOCK_ISO_SIZE];
		int64_t back = -1;

		assert_non_null(gmtime_r(&now, &tm));
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.789Z", &tm);
		clock_format_iso(second * 1000 + 789, text);
		assert_string_equal(text, expected);
		assert_int_equal(clock_parse_iso(sv_cstr(text), &back), 0);
		assert_int_equal(back, second * 1000 + 789);
	}
}

static void parses_what_others_write(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01t00:00:00z", 0},
		{"1970-01-01 00:00:01Z", 1000},
		{"1970-01-01T00:00:00.5Z", 500},
		{"1970-01-01T00:00:00,25Z", 250},
		{"1970-01-01T00:00:00.1239999999999Z", 123},
		{"1970-01-01T01:00:00+01:00", 0},
		{"1970-01-01T01:30:00+0130", 0},
		{"1969-12-31T19:00:00-05:00", 0},
		{"1970-01-01T02:00:00+02", 0},
		{"1969-12-31T23:59:59Z", -1000},
		{"0000-01-01T00:00:00Z", INT64_C(-62167219200000)},
		{"0000-03-01T00:00:00Z", INT64_C(-62162035200000)},
		{"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
		{"2024-02-29T12:00:00.000+00:00", INT64_C(1709208000000)},
		{"2026-11-23T20:53:00.123456+00:00", INT64_C(1795467180123)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 42;

		assert_int_equal(clock_parse_iso(sv_cstr(rows[i].text), &ms), 0);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void refuses_what_is_no_time(void **state)
{
	static const char *const rows[] = {
		"",
		"2026",
		"2026-11-23",
		"2026-11-23T20:53:00",
		"2026-11-23T20:53Z",
		"2026-11-23X20:53:00Z",
		"2026-11-23T20:53:00ZZ",
		"2026-11-23T20:53:00Z ",
		" 2026-11-23T20:53:00Z",
		"2026-11-23T20:53:00.Z",
		"2026-00-23T20:53:00Z",
		"2026-13-23T20:53:00Z",
		"2026-11-00T20:53:00Z",
		"2026-11-31T20:53:00Z",
		"2026-02-29T20:53:00Z",
		"2100-02-29T20:53:00Z",
		"2026-11-23T24:00:00Z",
		"2026-11-23T20:60:00Z",
		"2026-11-23T20:53:61Z",
		"2026-11-23T20:53:00+1",
		"2026-11-23T20:53:00+01:",
		"2026-11-23T20:53:00+01:0",
		"2026-11-23T20:53:00+24:00",
		"2026-11-23T20:53:00+00:60",
		"26-11-23T20:53:00Z",
		"2026-1-23T20:53:00Z",
		"-026-11-23T20:53:00Z",
		"1795467180123",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 42;

		assert_int_equal(clock_parse_iso(sv_cstr(rows[i]), &ms), -EINVAL);
		assert_int_equal(ms, 42);
	}
}

static void every_cut_of_a_time_is_refused(void **state)
{
	struct sv whole = SV("2026-11-23T20:53:00.123+01:30");

	(void)state;
	for (size_t n = 0; n < whole.n; n++) {
		int64_t ms;
		/* "+01" is an offset by itself. */
		int expected = n == whole.n - 3 ? 0 : -EINVAL;

		assert_int_equal(clock_parse_iso(sv_make(whole.p, n), &ms), expected);
	}
}

static void a_nul_is_no_separator(void **state)
{
	int64_t ms;

	(void)state;
	assert_int_equal(clock_parse_iso(SV("2026-11-23\0"
					    "20:53:00Z"),
				 &ms),
		-EINVAL);
	assert_int_equal(clock_parse_iso(SV("2026-11-23T20:53:00\0"), &ms), -EINVAL);
}

static void clocks_run(void **state)
{
	int64_t first_us = clock_mono_us();
	int64_t ms = clock_mono_ms();
	int64_t last_us = clock_mono_us();
	int64_t before = (int64_t)time(NULL);
	int64_t wall = clock_wall_ms();
	int64_t after = (int64_t)time(NULL);

	(void)state;
	assert_true(first_us / 1000 <= ms && ms <= last_us / 1000);
	/* time() may lag behind by a tick of the kernel. */
	assert_true(before * 1000 <= wall && wall < (after + 2) * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_known_times),
		cmocka_unit_test(clamps_times_out_of_range),
		cmocka_unit_test(agrees_with_gmtime),
		cmocka_unit_test(parses_what_others_write),
		cmocka_unit_test(refuses_what_is_no_time),
		cmocka_unit_test(every_cut_of_a_time_is_refused),
		cmocka_unit_test(a_nul_is_no_separator),
		cmocka_unit_test(clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
