/* Estimates of tokens: in the right range, and more for more. */
#include "dialect/token_estimate.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int64_t estimate(const char *text)
{
	struct jv v;

	assert_int_equal(jv_parse(sv_cstr(text), LIMIT_JSON_DEPTH, &v, NULL), 0);
	return token_estimate(v);
}

struct range_case {
	const char *request;
	int64_t least, most;
};

#define HELLO "{\"role\":\"user\",\"content\":\"hello\"}"

static const struct range_case range_cases[] = {
	{"{}", 1, 10},
	{"{\"input\":\"\"}", 1, 10},
	{"{\"input\":\"hello\"}", 5, 15},
	{"{\"input\":[" HELLO "]}", 5, 15},
	/* Nine words. */
	{"{\"input\":\"The quick brown fox jumps over the lazy dog\"}", 10, 25},
	/* 16 characters of Chinese are 10 to 20 tokens. */
	{"{\"input\":\"\\u4f60\\u597d\\u4f60\\u597d\\u4f60\\u597d\\u4f60\\u597d"
	 "\\u4f60\\u597d\\u4f60\\u597d\\u4f60\\u597d\\u4f60\\u597d\"}",
		15, 30},
	{"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\","
	 "\"image_url\":\"data:image/png;base64,AAAA\"}]}]}",
		500, 1500},
	{"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"detail\":"
	 "\"low\"}]}]}",
		80, 110},
	{"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"file_id\":"
	 "\"file_1\"}]}]}",
		500, 2000},
	{"{\"input\":7,\"instructions\":[],\"tools\":null}", 1, 10},
};

static void test_estimates_are_in_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(range_cases); i++) {
		int64_t got = estimate(range_cases[i].request);

		if (got < range_cases[i].least || got > range_cases[i].most)
			fail_msg("%s: %lld", range_cases[i].request, (long long)got);
	}
}

static void test_escapes_do_not_change_what_a_text_is(void **state)
{
	(void)state;
	assert_int_equal(estimate("{\"input\":\"\xe4\xbd\xa0\xe5\xa5\xbd\"}"),
		estimate("{\"input\":\"\\u4f60\\u597d\"}"));
	assert_int_equal(estimate("{\"input\":\"aaa\\n\"}"), estimate("{\"input\":\"aaaa\"}"));
}

/* Each has something that the one before it has not. */
static const char *const growing[] = {
	"{\"input\":[" HELLO "]}",
	"{\"instructions\":\"be kind to all\",\"input\":[" HELLO "]}",
	"{\"instructions\":\"be kind to all\",\"input\":[" HELLO "],\"tools\":[{\"type\":"
	"\"function\",\"name\":\"f\"}]}",
	"{\"instructions\":\"be kind to all\",\"input\":[" HELLO "],\"tools\":[{\"type\":"
	"\"function\",\"name\":\"f\"}],\"text\":{\"format\":{\"type\":\"json_schema\"}}}",
	"{\"instructions\":\"be kind to all\",\"input\":[" HELLO ",{\"type\":\"function_call\","
	"\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"output\":"
	"\"a long line of what the tool has said about it\"}],\"tools\":[{\"type\":\"function\","
	"\"name\":\"f\"}],\"text\":{\"format\":{\"type\":\"json_schema\"}}}",
};

static void test_more_counts_more(void **state)
{
	(void)state;
	for (size_t i = 1; i < ARRAY_LEN(growing); i++)
		assert_true(estimate(growing[i]) > estimate(growing[i - 1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_estimates_are_in_range),
		cmocka_unit_test(test_escapes_do_not_change_what_a_text_is),
		cmocka_unit_test(test_more_counts_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
