#include "slots/affinity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { IDLE_MS = 1000 };

static struct sv key_of(char *text, size_t size, int number)
{
	snprintf(text, size, "session-%d", number);
	return sv_cstr(text);
}

static void test_finds_what_was_put(void **state)
{
	struct affinity *a = affinity_new(10, IDLE_MS);

	(void)state;
	assert_int_equal(affinity_get(a, SV("x"), 0), 0);
	affinity_put(a, SV("x"), 7, 0);
	affinity_put(a, SV("y"), 8, 0);
	assert_int_equal(affinity_get(a, SV("x"), 1), 7);
	assert_int_equal(affinity_get(a, SV("y"), 1), 8);
	affinity_put(a, SV("x"), 9, 2);
	assert_int_equal(affinity_get(a, SV("x"), 3), 9);
	assert_int_equal(affinity_count(a), 2);
	affinity_put(a, SV_NONE, 5, 3);
	assert_int_equal(affinity_get(a, SV(""), 3), 5);
	affinity_free(a);
	affinity_free(NULL);
}

static void test_idle_entries_expire_and_used_ones_stay(void **state)
{
	struct affinity *a = affinity_new(10, IDLE_MS);

	(void)state;
	affinity_put(a, SV("idle"), 1, 0);
	affinity_put(a, SV("used"), 2, 0);
	assert_int_equal(affinity_get(a, SV("used"), IDLE_MS), 2);
	assert_int_equal(affinity_get(a, SV("idle"), IDLE_MS + 1), 0);
	assert_int_equal(affinity_count(a), 1);
	assert_int_equal(affinity_get(a, SV("used"), 2 * IDLE_MS), 2);
	assert_int_equal(affinity_get(a, SV("used"), 3 * IDLE_MS + 1), 0);
	assert_int_equal(affinity_count(a), 0);
	affinity_free(a);
}

static void test_the_longest_unused_goes_first(void **state)
{
	struct affinity *a = affinity_new(3, IDLE_MS);
	char text[32];

	(void)state;
	for (int i = 0; i < 3; i++)
		affinity_put(a, key_of(text, sizeof(text), i), (uint64_t)i + 1, i);
	assert_int_equal(affinity_get(a, SV("session-0"), 3), 1);
	affinity_put(a, SV("session-3"), 4, 4);
	assert_int_equal(affinity_count(a), 3);
	assert_int_equal(affinity_get(a, SV("session-1"), 5), 0);
	assert_int_equal(affinity_get(a, SV("session-0"), 5), 1);
	assert_int_equal(affinity_get(a, SV("session-2"), 5), 3);
	assert_int_equal(affinity_get(a, SV("session-3"), 5), 4);
	affinity_free(a);
}

static void test_many_entries(void **state)
{
	enum { MANY = 50000, KEPT = 20000 };
	struct affinity *a = affinity_new(KEPT, IDLE_MS);
	char text[32];

	(void)state;
	for (int i = 0; i < MANY; i++)
		affinity_put(a, key_of(text, sizeof(text), i), (uint64_t)i + 1, 0);
	assert_int_equal(affinity_count(a), KEPT);
	for (int i = 0; i < MANY; i++) {
		uint64_t want = i < MANY - KEPT ? 0 : (uint64_t)i + 1;

		if (affinity_get(a, key_of(text, sizeof(text), i), 0) != want)
			fail_msg("session %d", i);
	}
	affinity_free(a);
}

static void test_long_keys(void **state)
{
	struct affinity *a = affinity_new(3, IDLE_MS);
	char text[2000];

	(void)state;
	memset(text, 'k', sizeof(text));
	affinity_put(a, sv_make(text, sizeof(text)), 6, 0);
	assert_int_equal(affinity_get(a, sv_make(text, sizeof(text)), 0), 6);
	assert_int_equal(affinity_get(a, sv_make(text, 100), 0), 0);
	affinity_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_what_was_put),
		cmocka_unit_test(test_idle_entries_expire_and_used_ones_stay),
		cmocka_unit_test(test_the_longest_unused_goes_first),
		cmocka_unit_test(test_many_entries),
		cmocka_unit_test(test_long_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
