#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_holds(const struct buf *b, struct sv want)
{
	if (!sv_eq(buf_sv(b), want))
		fail_msg("got <%.*s>, want <%.*s>", SV_ARG(buf_sv(b)), SV_ARG(want));
}

static void test_starts_empty(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(buf_sv(&b).n, 0);
	assert_string_equal(buf_cstr(&b), "");
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

static void test_fini_accepts_anything(void **state)
{
	struct buf zero = {0};

	(void)state;
	buf_fini(NULL);
	buf_fini(&zero);
	buf_fini(&zero);
}

static void test_adders(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_add(&b, "ab\0c", 4);
	buf_add(&b, NULL, 0);
	buf_add_sv(&b, SV("-"));
	buf_add_sv(&b, SV_NONE);
	buf_add_cstr(&b, "cstr");
	buf_add_char(&b, ' ');
	buf_add_lit(&b, "lit");
	buf_addf(&b, "<%d %s>", 7, "x");
	buf_addf(&b, "%s", "");
	assert_holds(&b, SV("ab\0c-cstr lit<7 x>"));
	assert_string_equal(buf_cstr(&b), "ab");
	assert_holds(&b, SV("ab\0c-cstr lit<7 x>"));
	buf_fini(&b);
}

static void test_numbers(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_add_u64(&b, 0);
	buf_add_char(&b, ' ');
	buf_add_u64(&b, 10);
	buf_add_char(&b, ' ');
	buf_add_u64(&b, UINT64_MAX);
	buf_add_char(&b, ' ');
	buf_add_i64(&b, INT64_MIN);
	buf_add_char(&b, ' ');
	buf_add_i64(&b, -1);
	buf_add_char(&b, ' ');
	buf_add_i64(&b, INT64_MAX);
	assert_holds(
		&b, SV("0 10 18446744073709551615 -9223372036854775808 -1 9223372036854775807"));
	buf_fini(&b);
}

static void test_grows_and_keeps(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	for (int i = 0; i < 100000; i++)
		buf_add_char(&b, (char)('a' + i % 26));
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(b.len, 100000);
	assert_true(b.size <= b.cap);
	for (size_t i = 0; i < b.len; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	buf_fini(&b);
}

static void test_cap_is_sticky(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	buf_add_lit(&b, "abc");
	buf_add_lit(&b, "def");
	assert_int_equal(buf_error(&b), -ENOBUFS);
	assert_holds(&b, SV("abc"));
	buf_add_lit(&b, "d"); /* would fit */
	buf_add_char(&b, 'd');
	buf_addf(&b, "%d", 1);
	buf_add_u64(&b, 1);
	assert_holds(&b, SV("abc"));
	assert_int_equal(buf_reserve(&b, 0), -ENOBUFS);
	assert_string_equal(buf_cstr(&b), "");
	buf_reset(&b, 1000);
	assert_int_equal(buf_error(&b), 0);
	buf_add_lit(&b, "12345");
	assert_int_equal(buf_error(&b), 0);
	assert_holds(&b, SV("12345"));
	buf_fini(&b);
}

static void test_absurd_sizes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_add_lit(&b, "x");
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOBUFS);
	buf_reset(&b, 100);
	buf_add_lit(&b, "x");
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 1), -ENOBUFS);
	buf_fini(&b);
}

static void test_formatted_text_may_fill_it(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 6);
	buf_addf(&b, "%s", "abc");
	buf_addf(&b, "%s", "def");
	assert_int_equal(buf_error(&b), 0);
	assert_string_equal(buf_cstr(&b), "abcdef");
	assert_holds(&b, SV("abcdef"));
	buf_addf(&b, "%s", "");
	assert_int_equal(buf_error(&b), 0);
	buf_addf(&b, "%s", "g");
	assert_int_equal(buf_error(&b), -ENOBUFS);
	buf_fini(&b);
}

static void test_reset_keeps_or_frees(void **state)
{
	struct buf b;
	const char *before;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_add_lit(&b, "abc");
	before = b.data;
	buf_reset(&b, 4096);
	assert_ptr_equal(b.data, before);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_reserve(&b, 8192), 0);
	buf_reset(&b, 4096);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
	buf_add_lit(&b, "again");
	assert_holds(&b, SV("again"));
	buf_fini(&b);
}

static void test_move(void **state)
{
	struct buf from;
	struct buf to;

	(void)state;
	buf_init(&from, 4);
	buf_add_lit(&from, "abcd");
	buf_add_lit(&from, "e");
	buf_move(&from, &to);
	assert_holds(&to, SV("abcd"));
	assert_int_equal(to.cap, 4);
	assert_int_equal(buf_error(&to), -ENOBUFS);
	assert_int_equal(from.len, 0);
	assert_int_equal(buf_error(&from), 0);
	buf_add_lit(&from, "new");
	assert_holds(&from, SV("new"));
	assert_holds(&to, SV("abcd"));
	buf_fini(&from);
	buf_fini(&to);
}

static void test_consume_and_truncate(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_consume(&b, 0);
	buf_truncate(&b, 0);
	buf_add_lit(&b, "0123456789");
	buf_consume(&b, 0);
	buf_consume(&b, 3);
	assert_holds(&b, SV("3456789"));
	buf_truncate(&b, 4);
	assert_holds(&b, SV("3456"));
	assert_string_equal(buf_cstr(&b), "3456");
	buf_consume(&b, 4);
	assert_int_equal(b.len, 0);
	buf_add_lit(&b, "x");
	assert_holds(&b, SV("x"));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts_empty),
		cmocka_unit_test(test_fini_accepts_anything),
		cmocka_unit_test(test_adders),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_grows_and_keeps),
		cmocka_unit_test(test_cap_is_sticky),
		cmocka_unit_test(test_absurd_sizes),
		cmocka_unit_test(test_formatted_text_may_fill_it),
		cmocka_unit_test(test_reset_keeps_or_frees),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_consume_and_truncate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
