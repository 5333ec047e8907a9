#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { CAP = 1 << 20 };

static void test_pieces_are_aligned_and_apart(void **state)
{
	struct arena a;
	char *pieces[300];

	(void)state;
	arena_init(&a, CAP);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		pieces[i] = arena_alloc(&a, i + 1);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], (int)(i % 251), i + 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		for (size_t k = 0; k <= i; k++)
			assert_int_equal((unsigned char)pieces[i][k], i % 251);
	}
	arena_fini(&a);
}

static void test_fini_accepts_anything(void **state)
{
	struct arena a;

	(void)state;
	arena_fini(NULL);
	arena_init(&a, CAP);
	arena_fini(&a);
	arena_fini(&a);
	assert_non_null(arena_alloc(&a, 1));
	arena_fini(&a);
}

static void test_cap(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 100);
	assert_null(arena_alloc(&a, 101));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 15));
	assert_non_null(arena_alloc(&a, 60));
	assert_null(arena_alloc(&a, 60));
	assert_non_null(arena_alloc(&a, 32));
	assert_null(arena_alloc(&a, 16));
	assert_int_equal(a.used, 96);
	arena_reset(&a);
	assert_int_equal(a.used, 0);
	assert_non_null(arena_alloc(&a, 90));
	arena_fini(&a);
}

static void test_huge_cap(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, SIZE_MAX);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 15));
	assert_null(arena_alloc(&a, SIZE_MAX - 40));
	assert_int_equal(a.used, 0);
	assert_non_null(arena_alloc(&a, 1));
	arena_fini(&a);
}

static void test_big_pieces(void **state)
{
	struct arena a;
	char *big;
	char *small;

	(void)state;
	arena_init(&a, CAP);
	small = arena_alloc(&a, 10);
	assert_non_null(small);
	memset(small, 's', 10);
	big = arena_alloc(&a, 100000);
	assert_non_null(big);
	memset(big, 'b', 100000);
	assert_int_equal(small[9], 's');
	assert_non_null(arena_alloc(&a, 4000));
	assert_int_equal(big[99999], 'b');
	arena_fini(&a);
}

static void test_reset_reuses_a_block(void **state)
{
	struct arena a;
	void *first;

	(void)state;
	arena_init(&a, CAP);
	first = arena_alloc(&a, 10);
	for (int i = 0; i < 10; i++) {
		arena_reset(&a);
		assert_ptr_equal(arena_alloc(&a, 10), first);
		assert_int_equal(a.used, 16);
	}
	for (int i = 0; i < 1000; i++)
		assert_non_null(arena_alloc(&a, 500));
	arena_reset(&a);
	arena_reset(&a);
	assert_non_null(arena_alloc(&a, 200000));
	arena_reset(&a); /* a block that big is not kept */
	assert_null(a.head);
	arena_reset(&a);
	arena_fini(&a);
}

static void test_dup(void **state)
{
	struct arena a;
	struct sv copy;
	struct sv text = SV("a\0b");

	(void)state;
	arena_init(&a, 40);
	copy = arena_dup(&a, text);
	assert_int_equal(copy.n, 3);
	assert_memory_equal(copy.p, "a\0b", 4);
	assert_ptr_not_equal(copy.p, text.p);
	copy = arena_dup(&a, SV_NONE);
	assert_non_null(copy.p);
	assert_int_equal(copy.n, 0);
	assert_string_equal(copy.p, "");
	copy = arena_dup(&a, SV("12345678901234567890"));
	assert_null(copy.p);
	assert_int_equal(copy.n, 0);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_aligned_and_apart),
		cmocka_unit_test(test_fini_accepts_anything),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_huge_cap),
		cmocka_unit_test(test_big_pieces),
		cmocka_unit_test(test_reset_reuses_a_block),
		cmocka_unit_test(test_dup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
