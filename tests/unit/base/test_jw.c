#include "base/jw.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
	struct buf out;
	struct jw w;
};

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	buf_init(&f->out, 1 << 20);
	f->w = jw_begin(&f->out);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	buf_fini(&f->out);
	free(f);
	return 0;
}

/* What was written, which must be valid JSON; the writer starts over. */
static void assert_written(struct fixture *f, struct sv want)
{
	struct sv got = buf_sv(&f->out);
	struct jv v;

	assert_int_equal(buf_error(&f->out), 0);
	if (!sv_eq(got, want))
		fail_msg("got <%.*s>, want <%.*s>", SV_ARG(got), SV_ARG(want));
	assert_int_equal(jv_parse(got, JW_MAX_DEPTH, &v, NULL), 0);
	assert_int_equal(f->w.depth, 0);
	buf_reset(&f->out, 4096);
	f->w = jw_begin(&f->out);
}

static void test_scalars(void **state)
{
	struct fixture *f = *state;

	jw_null(&f->w);
	assert_written(f, SV("null"));
	jw_bool(&f->w, true);
	assert_written(f, SV("true"));
	jw_bool(&f->w, false);
	assert_written(f, SV("false"));
	jw_i64(&f->w, INT64_MIN);
	assert_written(f, SV("-9223372036854775808"));
	jw_i64(&f->w, INT64_MAX);
	assert_written(f, SV("9223372036854775807"));
	jw_i64(&f->w, 0);
	assert_written(f, SV("0"));
	jw_u64(&f->w, UINT64_MAX);
	assert_written(f, SV("18446744073709551615"));
	jw_str(&f->w, SV_NONE);
	assert_written(f, SV("\"\""));
	jw_raw(&f->w, SV("[1, 2]"));
	assert_written(f, SV("[1, 2]"));
	jw_raw(&f->w, SV_NONE);
	assert_written(f, SV("null"));
	jw_jv(&f->w, JV_NONE);
	assert_written(f, SV("null"));
}

static void test_commas_and_nesting(void **state)
{
	struct fixture *f = *state;
	struct jw *w = &f->w;

	jw_obj(w);
	jw_end(w);
	assert_written(f, SV("{}"));
	jw_arr(w);
	jw_end(w);
	assert_written(f, SV("[]"));
	jw_arr(w);
	jw_i64(w, 1);
	jw_arr(w);
	jw_end(w);
	jw_obj(w);
	jw_key(w, SV("a"));
	jw_arr(w);
	jw_null(w);
	jw_null(w);
	jw_end(w);
	jw_key(w, SV("b"));
	jw_obj(w);
	jw_end(w);
	jw_key(w, SV(""));
	jw_str(w, SV("x"));
	jw_end(w);
	jw_raw(w, SV("2"));
	jw_str(w, SV("y"));
	jw_end(w);
	assert_written(f, SV("[1,[],{\"a\":[null,null],\"b\":{},\"\":\"x\"},2,\"y\"]"));
}

static void test_member_macros(void **state)
{
	struct fixture *f = *state;
	struct jw *w = &f->w;

	jw_obj(w);
	jw_kstr(w, "a", SV("\n"));
	jw_klit(w, "b", "text");
	jw_ki64(w, "c", -5);
	jw_kbool(w, "d", true);
	jw_knull(w, "e");
	jw_kraw(w, "f", SV("{}"));
	jw_kobj(w, "g");
	jw_end(w);
	jw_karr(w, "h");
	jw_u64(w, 1);
	jw_end(w);
	jw_end(w);
	assert_written(f, SV("{\"a\":\"\\n\",\"b\":\"text\",\"c\":-5,\"d\":true,\"e\":null,"
			     "\"f\":{},\"g\":{},\"h\":[1]}"));
}

static void test_keys_are_escaped(void **state)
{
	struct fixture *f = *state;

	jw_obj(&f->w);
	jw_key(&f->w, SV("say \"x\"\n\xff"));
	jw_null(&f->w);
	jw_key_lit(&f->w, SV("raw\\u0041"));
	jw_null(&f->w);
	jw_end(&f->w);
	assert_written(f, SV("{\"say \\\"x\\\"\\n\xef\xbf\xbd\":null,\"raw\\u0041\":null}"));
}

static void test_deepest_level(void **state)
{
	struct fixture *f = *state;
	struct sv text;

	for (int i = 0; i < JW_MAX_DEPTH; i++) {
		jw_arr(&f->w);
		jw_i64(&f->w, 1);
		jw_i64(&f->w, 2);
	}
	for (int i = 0; i < JW_MAX_DEPTH; i++) {
		jw_i64(&f->w, 3);
		jw_end(&f->w);
	}
	text = buf_sv(&f->out);
	assert_true(sv_starts(text, SV("[1,2,[1,2,[1,2,[")));
	assert_true(sv_find(text, SV(",[1,2,[1,2,3],3],3]")) > 0);
	assert_true(sv_ends(text, SV(",3],3],3]")));
	assert_int_equal(f->out.len, JW_MAX_DEPTH * 8 - 1);
}

/* Objects and arrays in turn, so that a level's kind is not left over from one before it. */
static void test_levels_are_fresh(void **state)
{
	struct fixture *f = *state;
	struct jw *w = &f->w;

	jw_arr(w);
	for (int i = 0; i < 2; i++) {
		jw_obj(w);
		jw_karr(w, "k");
		jw_obj(w);
		jw_end(w);
		jw_end(w);
		jw_end(w);
		jw_arr(w);
		jw_arr(w);
		jw_arr(w);
		jw_end(w);
		jw_end(w);
		jw_end(w);
	}
	jw_end(w);
	assert_written(f, SV("[{\"k\":[{}]},[[[]]],{\"k\":[{}]},[[[]]]]"));
}

static const struct {
	struct sv text;
	struct sv escaped;
} escape_cases[] = {
	{SV(""), SV("")},
	{SV("plain text, 0123456789/+-'<>&"), SV("plain text, 0123456789/+-'<>&")},
	{SV("\""), SV("\\\"")},
	{SV("\\"), SV("\\\\")},
	{SV("\\\"\\"), SV("\\\\\\\"\\\\")},
	{SV("\b\f\n\r\t"), SV("\\b\\f\\n\\r\\t")},
	{SV("\0\x01\x0b\x1f"), SV("\\u0000\\u0001\\u000b\\u001f")},
	{SV("\x7f"), SV("\x7f")},
	{SV("a\nb"), SV("a\\nb")},
	{SV("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
		SV("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80")},
	{SV("\xe2\x80\xa8"), SV("\xe2\x80\xa8")},
	{SV("\xef\xbf\xbd"), SV("\xef\xbf\xbd")},
	/* Not UTF-8: one U+FFFD for each longest start of a character. */
	{SV("\x80"), SV("\xef\xbf\xbd")},
	{SV("a\xff"
	    "b"),
		SV("a\xef\xbf\xbd"
		   "b")},
	{SV("\xff\xfe"), SV("\xef\xbf\xbd\xef\xbf\xbd")},
	{SV("\xc3"), SV("\xef\xbf\xbd")},
	{SV("\xc3\x28"), SV("\xef\xbf\xbd(")},
	{SV("\xc0\x80"), SV("\xef\xbf\xbd\xef\xbf\xbd")},
	{SV("\xe2\x82"), SV("\xef\xbf\xbd")},
	{SV("\xe2\x82x"), SV("\xef\xbf\xbdx")},
	{SV("\xe2\x82\""), SV("\xef\xbf\xbd\\\"")},
	{SV("\xe2\x82\xc3\xa9"), SV("\xef\xbf\xbd\xc3\xa9")},
	{SV("\xe0\x80\x80"), SV("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd")},
	{SV("\xed\xa0\x80"), SV("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd")},
	{SV("\xf0\x9f\x98"), SV("\xef\xbf\xbd")},
	{SV("\xf0\x9f"), SV("\xef\xbf\xbd")},
	{SV("\xf0\x9f\x98z"), SV("\xef\xbf\xbdz")},
	{SV("\xf4\x90\x80\x80"), SV("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd")},
	{SV("\xf0\x80\x80\x41"), SV("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
				    "A")},
	{SV("\xf1\x80\xc3\xa9\xe1\x80"), SV("\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd")},
};

static void test_escaping(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(escape_cases); i++) {
		struct sv want = escape_cases[i].escaped;

		jw_escape(&f->out, escape_cases[i].text);
		if (!sv_eq(buf_sv(&f->out), want))
			fail_msg("row %zu: <%.*s>", i, SV_ARG(buf_sv(&f->out)));
		buf_reset(&f->out, 4096);
	}
}

/* Each byte at each place of a longer text reads back as itself, or as U+FFFD. */
static void test_every_byte_at_every_place(void **state)
{
	struct fixture *f = *state;
	struct buf back;

	buf_init(&back, 1 << 10);
	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 40; at++) {
			char *text = mem_try_alloc(40);
			struct jv v;

			assert_non_null(text);
			memset(text, '~', 40);
			text[at] = (char)c;
			jw_str(&f->w, sv_make(text, 40));
			assert_int_equal(jv_parse(buf_sv(&f->out), 0, &v, NULL), 0);
			jv_str_decode(v, &back);
			assert_int_equal(back.len, c < 0x80 ? 40 : 42);
			assert_memory_equal(back.data, text, at);
			assert_memory_equal(back.data + at, c < 0x80 ? text + at : "\xef\xbf\xbd",
				c < 0x80 ? 1 : 3);
			assert_memory_equal(
				back.data + back.len - (39 - at), text + at + 1, 39 - at);
			free(text);
			buf_reset(&f->out, 4096);
			buf_reset(&back, 4096);
		}
	}
	buf_fini(&back);
}

static void test_string_pieces(void **state)
{
	struct fixture *f = *state;
	struct jw *w = &f->w;

	jw_arr(w);
	jw_str_begin(w);
	jw_str_end(w);
	jw_str_begin(w);
	jw_str_add(w, SV("a\n"));
	jw_str_add_raw(w, SV("\\t\\ud83d"));
	jw_str_add(w, SV_NONE);
	jw_str_add_raw(w, SV("\\ude00"));
	jw_str_add(w, SV("\""));
	jw_str_end(w);
	jw_str_raw(w, SV("\\u0041"));
	jw_obj(w);
	jw_key(w, SV("k"));
	jw_str_begin(w);
	jw_str_add(w, SV("v"));
	jw_str_end(w);
	jw_end(w);
	jw_end(w);
	assert_written(f, SV("[\"\",\"a\\n\\t\\ud83d\\ude00\\\"\",\"\\u0041\",{\"k\":\"v\"}]"));
}

static void test_doubles(void **state)
{
	static const struct {
		double value;
		const char *want;
	} rows[] = {
		{0, "0"},
		{-0.0, "-0"},
		{1, "1"},
		{-2.5, "-2.5"},
		{0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1.0 / 3, "0.3333333333333333"},
		{100, "100"},
		{1e15, "1e+15"},
		{123456789012345.0, "123456789012345"},
		{9007199254740993.0, "9007199254740992"},
		{100, "100"},
		{999999999999999, "999999999999999"},
		{1e15, "1e+15"},
		{-3, "-3"},
		{1e21, "1e+21"},
		{1e-7, "1e-07"},
		{1.7976931348623157e308, "1.7976931348623157e+308"},
		{5e-324, "5e-324"},
		{1e-310, "1e-310"},
		{2.2250738585072014e-308, "2.2250738585072014e-308"},
		{HUGE_VAL, "null"},
		{-HUGE_VAL, "null"},
		{NAN, "null"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		jw_f64(&f->w, rows[i].value);
		assert_written(f, sv_cstr(rows[i].want));
	}
}

/* Bit patterns from all over the range read back exactly. */
static void test_doubles_round_trip(void **state)
{
	struct fixture *f = *state;
	uint64_t bits = 1;

	for (int i = 0; i < 50000; i++) {
		double value;
		double back;
		struct jv v;

		bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		jw_f64(&f->w, value);
		assert_int_equal(jv_parse(buf_sv(&f->out), 0, &v, NULL), 0);
		assert_int_equal(jv_f64(v, &back), 0);
		assert_memory_equal(&back, &value, sizeof(back));
		buf_reset(&f->out, 4096);
	}
}

static void test_cap_is_kept(void **state)
{
	struct buf out;
	struct jw w;

	(void)state;
	for (size_t cap = 1; cap < 30; cap++) {
		buf_init(&out, cap);
		w = jw_begin(&out);
		jw_obj(&w);
		jw_kstr(&w, "key",
			SV("a\nb\xff"
			   "c"));
		jw_ki64(&w, "n", 12);
		jw_end(&w);
		assert_true(out.len <= cap);
		assert_int_equal(buf_error(&out),
			cap < sizeof("{'key':'a\\nb???c','n':12}") - 1 ? -ENOBUFS : 0);
		buf_fini(&out);
	}
}

/* The pass-through of a request: some members replaced, the others spliced in byte for byte. */
static void test_splice(void **state)
{
	struct fixture *f = *state;
	struct jw *w = &f->w;
	struct jv_iter it;
	struct jv v;

	assert_int_equal(jv_parse(SV("{ \"model\":\"a\",\"t\\u006f\" : [1,  2.50,\"\\u00e9\"], "
				     "\"store\":true}"),
				 8, &v, NULL),
		0);
	it = jv_iter(v);
	jw_obj(w);
	while (jv_next(&it)) {
		jw_key_lit(w, it.key);
		if (jv_key_eq(it.key, SV("model")))
			jw_str(w, SV("b"));
		else
			jw_jv(w, it.value);
	}
	jw_end(w);
	assert_written(
		f, SV("{\"model\":\"b\",\"t\\u006f\":[1,  2.50,\"\\u00e9\"],\"store\":true}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scalars, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_commas_and_nesting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_member_macros, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_keys_are_escaped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deepest_level, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_levels_are_fresh, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_escaping, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_byte_at_every_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_string_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_doubles, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_doubles_round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_splice, set_up, tear_down),
		cmocka_unit_test(test_cap_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
