#include "dialect/api_err.h"

#include "base/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect_json(const struct api_err *err, int64_t now_s, struct sv wanted)
{
	struct buf out;

	buf_init(&out, KIB(64));
	api_err_write(err, now_s, &out);
	assert_int_equal(buf_error(&out), 0);
	assert_string_equal(buf_cstr(&out), wanted.p);
	buf_fini(&out);
}

static void test_members_that_are_not_told_are_null(void **state)
{
	struct api_err err;

	(void)state;
	assert_int_equal(api_err_set(&err, 502, "server_error", "", "No %s.", "luck"), -EINVAL);
	assert_int_equal(err.status, 502);
	expect_json(&err, 0,
		SV("{\"error\":{\"message\":\"No luck.\",\"type\":\"server_error\",\"param\":null,"
		   "\"code\":null}}"));
}

static void test_param_names_the_member(void **state)
{
	struct api_err err;

	(void)state;
	assert_int_equal(api_err_param(&err, "n", "'%s' is \"bad\".", "n"), -EINVAL);
	assert_int_equal(err.status, 400);
	expect_json(&err, 0,
		SV("{\"error\":{\"message\":\"'n' is \\\"bad\\\".\",\"type\":\"invalid_request_"
		   "error\",\"param\":\"n\",\"code\":null}}"));
}

static void test_limits_tell_when_they_end(void **state)
{
	struct api_err err;

	(void)state;
	api_err_set(&err, 429, "usage_limit_reached", "x", "Later.");
	memcpy(err.plan_type, "plus", 5);
	err.resets_at_s = 1060;
	expect_json(&err, 1000,
		SV("{\"error\":{\"message\":\"Later.\",\"type\":\"usage_limit_reached\",\"param\":"
		   "null,\"code\":\"x\",\"plan_type\":\"plus\",\"resets_at\":1060,\"resets_in_"
		   "seconds\":60}}"));
	expect_json(&err, 2000,
		SV("{\"error\":{\"message\":\"Later.\",\"type\":\"usage_limit_reached\",\"param\":"
		   "null,\"code\":\"x\",\"plan_type\":\"plus\",\"resets_at\":1060,\"resets_in_"
		   "seconds\":0}}"));
}

/* Texts of many lengths around each size, ending in a character of three bytes. */
static void test_long_texts_are_cut_between_characters(void **state)
{
	char text[3000];

	(void)state;
	for (size_t n = 1; n + 4 < sizeof(text); n++) {
		struct api_err err;
		size_t length, code_length;

		memset(text, 'a', n);
		memcpy(text + n, "\xE2\x82\xAC", 4);
		api_err_set(&err, 500, "t", text, "%s", text);
		length = strlen(err.message);
		code_length = strlen(err.code);
		assert_true(length < sizeof(err.message) && code_length < sizeof(err.code));
		assert_true(length == n + 3 || length >= sizeof(err.message) - 4);
		assert_true((unsigned char)err.message[length - 1] == 'a' ||
			    strcmp(err.message + length - 3, "\xE2\x82\xAC") == 0);
		assert_true((unsigned char)err.code[code_length - 1] == 'a' ||
			    strcmp(err.code + code_length - 3, "\xE2\x82\xAC") == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members_that_are_not_told_are_null),
		cmocka_unit_test(test_param_names_the_member),
		cmocka_unit_test(test_limits_tell_when_they_end),
		cmocka_unit_test(test_long_texts_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
