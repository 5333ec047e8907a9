#include "slots/stamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static json_t *json_of(const char *text)
{
	return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

static void test_read(void **state)
{
	static const struct {
		const char *json;
		int64_t want;
	} cases[] = {
		{"1790000000000", 1790000000000},
		{"1790000000", 1790000000000},
		{"1790000000.5", 1790000000500},
		{"\"1790000000000\"", 1790000000000},
		{"\"1790000000\"", 1790000000000},
		{"\"2026-09-21T14:13:20.000Z\"", 1790000000000},
		{"\"2026-09-21T16:13:20+02:00\"", 1790000000000},
		{"\"2026-09-21T14:13:20.123456\"", 1790000000123},
		{"null", 0},
		{"0", 0},
		{"-5", 0},
		{"\"\"", 0},
		{"\"soon\"", 0},
		{"true", 0},
		{"[]", 0},
		{"1e300", 0},
		{"999999999999999", 0},
		{"\"2026-13-40T00:00:00Z\"", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *value = json_of(cases[i].json);

		if (stamp_read(value) != cases[i].want)
			fail_msg("%s: %lld", cases[i].json, (long long)stamp_read(value));
		json_decref(value);
	}
	assert_int_equal(stamp_read(NULL), 0);
}

static void test_write_in_the_type_that_was_there(void **state)
{
	static const struct {
		int64_t ms;
		const char *old, *sibling, *want;
	} cases[] = {
		{1790000000123, "1780000000000", NULL, "1790000000123"},
		{1790000000123, "1780000000", NULL, "1790000000"},
		{1790000000500, "1780000000.25", NULL, "1790000000.5"},
		{1790000000000, "\"x\"", NULL, "\"2026-09-21T14:13:20.000Z\""},
		{1790000000000, NULL, NULL, "\"2026-09-21T14:13:20.000Z\""},
		{1790000000000, "null", NULL, "\"2026-09-21T14:13:20.000Z\""},
		{1790000000000, "null", "1780000000", "1790000000"},
		{1790000000000, "null", "1780000000000", "1790000000000"},
		{1790000000000, "\"x\"", "1780000000000", "\"2026-09-21T14:13:20.000Z\""},
		{1790000000000, "0", NULL, "1790000000000"},
		{0, "1780000000000", NULL, "null"},
		{0, "0", NULL, "0"},
		{0, NULL, NULL, "null"},
		{0, "\"x\"", "0", "null"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *old = json_of(cases[i].old), *sibling = json_of(cases[i].sibling);
		json_t *got = stamp_write(cases[i].ms, old, sibling);
		char *text = json_dumps(got, JSON_ENCODE_ANY);

		assert_string_equal(text, cases[i].want);
		free(text);
		json_decref(got);
		json_decref(old);
		json_decref(sibling);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write_in_the_type_that_was_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
