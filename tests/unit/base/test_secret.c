#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_holds(const struct secret *s, struct sv expected)
{
	struct sv got = secret_expose(s);

	assert_int_equal(got.n, expected.n);
	assert_true(sv_eq(got, expected));
	if (got.n)
		assert_int_equal(got.p[got.n], '\0');
}

static void is_empty_at_first_and_after_the_end(void **state)
{
	struct secret s = {NULL, 0};

	(void)state;
	assert_true(secret_is_empty(&s));
	assert_holds(&s, SV_NONE);
	secret_fini(&s);
	secret_set(&s, SV("x"));
	assert_false(secret_is_empty(&s));
	secret_fini(&s);
	assert_true(secret_is_empty(&s));
	assert_null(s.bytes);
	secret_fini(&s);
	secret_fini(NULL);
}

static void set_replaces(void **state)
{
	struct secret s = {NULL, 0};

	(void)state;
	secret_set(&s, SV("first"));
	assert_holds(&s, SV("first"));
	secret_set(&s, SV("second, longer"));
	assert_holds(&s, SV("second, longer"));
	secret_set(&s, SV("with\0nul"));
	assert_holds(&s, SV("with\0nul"));
	secret_set(&s, SV_NONE);
	assert_true(secret_is_empty(&s));
	secret_fini(&s);
}

static void set_takes_a_piece_of_itself(void **state)
{
	struct secret s = {NULL, 0};

	(void)state;
	secret_set(&s, SV("Bearer token"));
	secret_set(&s, sv_from(secret_expose(&s), 7));
	assert_holds(&s, SV("token"));
	secret_copy(&s, &s);
	assert_holds(&s, SV("token"));
	secret_fini(&s);
}

static void copies_are_independent(void **state)
{
	struct secret a = {NULL, 0};
	struct secret b = {NULL, 0};

	(void)state;
	secret_set(&a, SV("one"));
	secret_copy(&b, &a);
	secret_set(&a, SV("two"));
	assert_holds(&b, SV("one"));
	secret_fini(&a);
	assert_holds(&b, SV("one"));
	secret_copy(&b, &a);
	assert_true(secret_is_empty(&b));
	secret_fini(&b);
}

static void equals_compares_all_bytes(void **state)
{
	struct secret s = {NULL, 0};

	(void)state;
	secret_set(&s, SV("relay-dev-token"));
	assert_true(secret_equals(&s, SV("relay-dev-token")));
	assert_false(secret_equals(&s, SV("relay-dev-tokem")));
	assert_false(secret_equals(&s, SV("selay-dev-token")));
	assert_false(secret_equals(&s, SV("relay-dev-toke")));
	assert_false(secret_equals(&s, SV("relay-dev-token ")));
	assert_false(secret_equals(&s, SV("Relay-Dev-Token")));
	assert_false(secret_equals(&s, SV_NONE));
	secret_set(&s, SV("a\0b"));
	assert_true(secret_equals(&s, SV("a\0b")));
	assert_false(secret_equals(&s, SV("a\0c")));
	secret_fini(&s);
}

static void an_empty_secret_lets_nobody_in(void **state)
{
	struct secret s = {NULL, 0};

	(void)state;
	assert_false(secret_equals(&s, SV_NONE));
	assert_false(secret_equals(&s, SV("")));
	assert_false(secret_equals(&s, SV("x")));
}

static void wipe_leaves_zeros(void **state)
{
	char bytes[] = "topsecret";
	const char zeros[sizeof(bytes)] = {0};

	(void)state;
	secret_wipe(bytes, sizeof(bytes));
	assert_memory_equal(bytes, zeros, sizeof(bytes));
	secret_wipe(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_empty_at_first_and_after_the_end),
		cmocka_unit_test(set_replaces),
		cmocka_unit_test(set_takes_a_piece_of_itself),
		cmocka_unit_test(copies_are_independent),
		cmocka_unit_test(equals_compares_all_bytes),
		cmocka_unit_test(an_empty_secret_lets_nobody_in),
		cmocka_unit_test(wipe_leaves_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
