#include "base/sv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_sv(struct sv got, struct sv want)
{
	if (!sv_eq(got, want))
		fail_msg("got <%.*s>, want <%.*s>", SV_ARG(got), SV_ARG(want));
}

static void test_equality(void **state)
{
	(void)state;
	assert_true(sv_eq(SV("abc"), SV("abc")));
	assert_true(sv_eq(SV(""), SV_NONE));
	assert_true(sv_eq(SV("a\0b"), SV("a\0b")));
	assert_false(sv_eq(SV("a\0b"), SV("a\0c")));
	assert_false(sv_eq(SV("abc"), SV("abd")));
	assert_false(sv_eq(SV("abc"), SV("ab")));
	assert_false(sv_eq(SV("abc"), SV("ABC")));
	assert_true(sv_eq(sv_cstr(NULL), SV_NONE));
	assert_true(sv_eq(sv_cstr("x"), SV("x")));
}

static void test_equality_of_any_case(void **state)
{
	(void)state;
	assert_true(sv_ieq(SV("Content-Type"), SV("cONTENT-tYPE")));
	assert_true(sv_ieq(SV_NONE, SV("")));
	assert_true(sv_ieq(SV("azAZ09[]{}"), SV("AZaz09[]{}")));
	assert_false(sv_ieq(SV("["), SV("{")));
	assert_false(sv_ieq(SV("@"), SV("`")));
	assert_false(sv_ieq(SV("abc"), SV("abcd")));
	assert_false(sv_ieq(SV("a\0b"), SV("a\0c")));
	assert_true(sv_ieq(SV("a\0b"), SV("A\0B")));
	assert_false(sv_ieq(SV("\xc3\xa9"), SV("\xc3\x89")));
}

static void test_prefix_and_suffix(void **state)
{
	(void)state;
	assert_true(sv_starts(SV("data: x"), SV("data:")));
	assert_true(sv_starts(SV("x"), SV("")));
	assert_true(sv_starts(SV_NONE, SV_NONE));
	assert_false(sv_starts(SV("dat"), SV("data")));
	assert_false(sv_starts(SV("Data"), SV("data")));
	assert_true(sv_istarts(SV("BEARER x"), SV("bearer ")));
	assert_false(sv_istarts(SV("BEARE"), SV("bearer")));
	assert_true(sv_ends(SV("a.json"), SV(".json")));
	assert_true(sv_ends(SV("a"), SV("")));
	assert_true(sv_ends(SV_NONE, SV_NONE));
	assert_false(sv_ends(SV("json"), SV(".json")));
	assert_false(sv_ends(SV("a.jsonx"), SV(".json")));
}

static void test_find(void **state)
{
	(void)state;
	assert_int_equal(sv_find(SV("hello"), SV("l")), 2);
	assert_int_equal(sv_find(SV("hello"), SV("lo")), 3);
	assert_int_equal(sv_find(SV("hello"), SV("")), 0);
	assert_int_equal(sv_find(SV_NONE, SV("")), 0);
	assert_int_equal(sv_find(SV_NONE, SV("x")), -1);
	assert_int_equal(sv_find(SV("lo"), SV("hello")), -1);
	assert_int_equal(sv_find(SV("hello"), SV("L")), -1);
	assert_int_equal(sv_find(SV("a\0b"), SV("b")), 2);
	assert_int_equal(sv_ifind(SV("hello"), SV("LO")), 3);
	assert_int_equal(sv_ifind(SV("hello"), SV("x")), -1);
	assert_int_equal(sv_ifind(SV("hello"), SV("hello!")), -1);
	assert_int_equal(sv_ifind(SV("hello"), SV("")), 0);
}

static void test_cutting(void **state)
{
	(void)state;
	assert_sv(sv_trim(SV(" \t\r\na b\n ")), SV("a b"));
	assert_sv(sv_trim(SV(" \n ")), SV(""));
	assert_sv(sv_trim(SV_NONE), SV(""));
	assert_sv(sv_trim(SV("\va\f")), SV("\va\f"));
	assert_sv(sv_from(SV("abc"), 1), SV("bc"));
	assert_sv(sv_from(SV("abc"), 3), SV(""));
	assert_sv(sv_from(SV("abc"), 4), SV(""));
	assert_sv(sv_from(SV_NONE, 1), SV(""));
}

static void test_split(void **state)
{
	struct sv rest = SV("a,,bc,");

	(void)state;
	assert_sv(sv_split(&rest, ','), SV("a"));
	assert_sv(rest, SV(",bc,"));
	assert_sv(sv_split(&rest, ','), SV(""));
	assert_sv(sv_split(&rest, ','), SV("bc"));
	assert_sv(rest, SV(""));
	assert_sv(sv_split(&rest, ','), SV(""));
	assert_null(rest.p);
	assert_sv(sv_split(&rest, ','), SV(""));
	rest = SV("none");
	assert_sv(sv_split(&rest, ','), SV("none"));
	assert_int_equal(rest.n, 0);
}

static void test_u64(void **state)
{
	static const struct {
		struct sv text;
		int err;
		uint64_t want;
	} rows[] = {
		{SV("0"), 0, 0},
		{SV("007"), 0, 7},
		{SV("18446744073709551615"), 0, UINT64_MAX},
		{SV("18446744073709551616"), -ERANGE, 0},
		{SV("99999999999999999999"), -ERANGE, 0},
		{SV("184467440737095516150"), -ERANGE, 0},
		{SV(""), -EINVAL, 0},
		{SV("-1"), -EINVAL, 0},
		{SV("+1"), -EINVAL, 0},
		{SV(" 1"), -EINVAL, 0},
		{SV("1 "), -EINVAL, 0},
		{SV("1\0"), -EINVAL, 0},
		{SV("1.0"), -EINVAL, 0},
		{SV("0x1"), -EINVAL, 0},
		{SV("a"), -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t got = 77;

		assert_int_equal(sv_u64(rows[i].text, &got), rows[i].err);
		assert_true(got == (rows[i].err ? 77 : rows[i].want));
	}
}

static void test_i64(void **state)
{
	static const struct {
		struct sv text;
		int err;
		int64_t want;
	} rows[] = {
		{SV("0"), 0, 0},
		{SV("-0"), 0, 0},
		{SV("-12"), 0, -12},
		{SV("9223372036854775807"), 0, INT64_MAX},
		{SV("-9223372036854775807"), 0, -INT64_MAX},
		{SV("-9223372036854775808"), 0, INT64_MIN},
		{SV("9223372036854775808"), -ERANGE, 0},
		{SV("-9223372036854775809"), -ERANGE, 0},
		{SV("-99999999999999999999"), -ERANGE, 0},
		{SV("-"), -EINVAL, 0},
		{SV("--1"), -EINVAL, 0},
		{SV("+1"), -EINVAL, 0},
		{SV(""), -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t got = 77;

		assert_int_equal(sv_i64(rows[i].text, &got), rows[i].err);
		assert_true(got == (rows[i].err ? 77 : rows[i].want));
	}
}

static void test_f64(void **state)
{
	static const struct {
		struct sv text;
		int err;
		double want;
	} rows[] = {
		{SV("12"), 0, 12},
		{SV("12.5"), 0, 12.5},
		{SV("-1e3"), 0, -1000},
		{SV("0.0"), 0, 0},
		{SV("1e999"), -ERANGE, 0},
		{SV(""), -EINVAL, 0},
		{SV(" 1"), -EINVAL, 0},
		{SV("\v1"), -EINVAL, 0},
		{SV("1 "), -EINVAL, 0},
		{SV("1x"), -EINVAL, 0},
		{SV("1\0"), -EINVAL, 0},
		{SV("0x10"), -EINVAL, 0},
		{SV("inf"), -EINVAL, 0},
		{SV("nan"), -EINVAL, 0},
		{SV("NAN(1)"), -EINVAL, 0},
		{SV("."), -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double got = 77;

		assert_int_equal(sv_f64(rows[i].text, &got), rows[i].err);
		assert_true(got == (rows[i].err ? 77 : rows[i].want));
	}
}

static void test_hash_of_long_texts(void **state)
{
	char text[200];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t n = 0; n <= sizeof(text); n++) {
		uint64_t whole = sv_hash_long(sv_make(text, n));

		assert_true(whole == sv_hash_long(sv_make(text, n)));
		assert_true(n == 0 || whole != sv_hash_long(sv_make(text, n - 1)));
		for (size_t at = 0; at < n; at++) {
			for (int bit = 0; bit < 8; bit++) {
				text[at] = (char)('a' ^ 1 << bit);
				assert_true(sv_hash_long(sv_make(text, n)) != whole);
			}
			text[at] = 'a';
		}
	}
}

static void test_hash(void **state)
{
	(void)state;
	assert_true(sv_hash(SV(""), SV_HASH_SEED) == SV_HASH_SEED);
	/* The published test vectors of FNV-1a. */
	assert_true(sv_hash(SV("a"), SV_HASH_SEED) == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(sv_hash(SV("foobar"), SV_HASH_SEED) == UINT64_C(0x85944171f73967e8));
	assert_true(sv_hash(SV("bar"), sv_hash(SV("foo"), SV_HASH_SEED)) ==
		    sv_hash(SV("foobar"), SV_HASH_SEED));
}

static void test_cut_copies_what_fits(void **state)
{
	char out[4];

	(void)state;
	sv_cut(SV("ab"), out, sizeof(out));
	assert_string_equal(out, "ab");
	sv_cut(SV("abcd"), out, sizeof(out));
	assert_string_equal(out, "abc");
	sv_cut(SV_NONE, out, sizeof(out));
	assert_string_equal(out, "");
	sv_cut(SV("ab"), out, 1);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equality),
		cmocka_unit_test(test_equality_of_any_case),
		cmocka_unit_test(test_prefix_and_suffix),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_cutting),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_i64),
		cmocka_unit_test(test_f64),
		cmocka_unit_test(test_cut_copies_what_fits),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_hash_of_long_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
