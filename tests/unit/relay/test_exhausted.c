#include "relay/exhausted.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1700000000000)

struct exhausted_case {
	bool native;
	size_t slots;
	int64_t recovers_in_ms; /* 0: unknown */
	const char *type, *code;
	int64_t retry_after_s;
};

static const struct exhausted_case cases[] = {
	{false, 3, 7200000, "rate_limit_error", "rate_limit_exceeded", 7200},
	{false, 3, 1500, "rate_limit_error", "rate_limit_exceeded", 2},
	{false, 3, 0, "rate_limit_error", "rate_limit_exceeded", 60},
	{true, 3, 7200000, "usage_limit_reached", "usage_limit_reached", 7200},
	{true, 3, 60001, "usage_limit_reached", "usage_limit_reached", 61},
	{true, 3, 60000, "rate_limit_error", "rate_limit_exceeded", 60},
	{true, 3, 1, "rate_limit_error", "rate_limit_exceeded", 1},
	{true, 3, 0, "usage_limit_reached", "usage_limit_reached", 60},
	{true, 3, -5000, "usage_limit_reached", "usage_limit_reached", 60},
};

static void codex_stops_for_long_waits_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct exhausted_case *c = &cases[i];
		struct api_err err;

		exhausted_describe(c->native, c->slots,
			c->recovers_in_ms ? NOW_MS + c->recovers_in_ms : 0, "plus", NOW_MS, &err);
		assert_int_equal(err.status, 429);
		assert_string_equal(err.type, c->type);
		assert_string_equal(err.code, c->code);
		assert_string_equal(err.plan_type, "plus");
		assert_int_equal(err.retry_after_s, c->retry_after_s);
		assert_int_equal(err.resets_at_s,
			c->recovers_in_ms > 0 ? (NOW_MS + c->recovers_in_ms + 999) / 1000 : 0);
	}
}

static void codex_is_told_what_only_the_operator_can_mend(void **state)
{
	static const enum pick_reason lost[] = {
		PICK_DISABLED, PICK_REAUTH_REQUIRED, PICK_NO_CREDENTIAL};
	static const enum pick_reason hope[] = {PICK_DISABLED, PICK_REAUTH_REQUIRED, PICK_COOLDOWN};
	struct api_err err;

	(void)state;
	assert_false(exhausted_needs_operator(true, hope, 3, &err));
	assert_true(exhausted_needs_operator(true, hope, 2, &err));
	assert_true(exhausted_needs_operator(true, lost, 3, &err));
	assert_int_equal(err.status, 403);
	assert_string_equal(err.code, "no_slot_usable");
	assert_int_equal(err.retry_after_s, 0);
	assert_string_equal(err.message,
		"No slot can serve (3 configured): 1 disabled, 2 in need of a new login.");
	assert_true(exhausted_needs_operator(false, lost, 3, &err));
	assert_int_equal(err.status, 429);
	assert_string_equal(err.code, "rate_limit_exceeded");
	assert_int_equal(err.retry_after_s, 60);
	assert_true(exhausted_needs_operator(false, NULL, 0, &err));
	assert_non_null(strstr(err.message, "No slot is configured"));
}

static void codex_is_not_told_of_a_limit_when_upstream_fails(void **state)
{
	struct api_err err;

	(void)state;
	exhausted_describe_trouble(2, NOW_MS, &err);
	assert_int_equal(err.status, 503);
	assert_string_equal(err.code, "server_is_overloaded");
	assert_int_equal(err.retry_after_s, 0);
	assert_int_equal(err.resets_at_s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codex_stops_for_long_waits_only),
		cmocka_unit_test(codex_is_not_told_of_a_limit_when_upstream_fails),
		cmocka_unit_test(codex_is_told_what_only_the_operator_can_mend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
