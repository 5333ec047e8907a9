#include "base/jv.h"
#include "json_cases.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DEPTH = 64 };

/* A copy that ends where its memory ends, so that a sanitizer sees a read behind it. */
static struct sv exact_copy(struct sv text)
{
	char *copy = mem_try_alloc(text.n);

	assert_non_null(copy);
	if (text.n)
		memcpy(copy, text.p, text.n);
	return sv_make(copy, text.n);
}

static int parse(struct sv text, struct jv *ret, struct jv_error *err)
{
	return jv_parse(text, DEPTH, ret, err);
}

static struct jv parsed(struct sv text)
{
	struct jv v;

	assert_int_equal(parse(text, &v, NULL), 0);
	return v;
}

static void assert_sv(struct sv got, struct sv want)
{
	if (!sv_eq(got, want))
		fail_msg("got <%.*s>, want <%.*s>", SV_ARG(got), SV_ARG(want));
}

static void assert_raw(struct jv v, struct sv want)
{
	assert_sv(jv_raw(v), want);
}

static void check_case(struct sv text, int want)
{
	struct sv copy = exact_copy(text);
	struct jv v = {"untouched", 9};
	struct jv_error err = {SIZE_MAX, NULL};
	int got = parse(copy, &v, &err);

	if (got != want)
		fail_msg("<%.*s>: got %d, want %d", SV_ARG(text), got, want);
	if (want) {
		assert_int_equal(v.n, 9);
		assert_true(err.offset <= text.n);
		assert_non_null(err.message);
	} else {
		assert_raw(v, sv_trim(text));
		assert_null(err.message);
	}
	free((void *)(uintptr_t)copy.p);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(json_cases); i++)
		check_case(json_cases[i].text, json_cases[i].want);
}

/* The table again inside of an array and an object, in the middle and at their ends. */
static void test_table_nested(void **state)
{
	static const struct {
		struct sv before;
		struct sv behind;
	} frames[] = {
		{SV("[0,"), SV("]")},
		{SV("[\"a\", "), SV(" ,1]")},
		{SV("{\"a\":"), SV("}")},
		{SV("{\"a\": [{}],\"b\" : "), SV("\n,\"\\\"\":1}")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(json_cases); i++) {
		struct sv text = json_cases[i].text;

		if (json_cases[i].want)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(frames); k++) {
			struct buf whole;
			int want = 0;

			buf_init(&whole, 1 << 20);
			buf_add_sv(&whole, frames[k].before);
			buf_add_sv(&whole, text);
			buf_add_sv(&whole, frames[k].behind);
			if (sv_ends(text, SV("]]]]]]]]]]]]")) || sv_ends(text, SV("}}}}}}")))
				want = -E2BIG;
			check_case(buf_sv(&whole), want);
			buf_fini(&whole);
		}
	}
}

static void test_error_may_be_null(void **state)
{
	struct jv v;

	(void)state;
	assert_int_equal(jv_parse(SV("[1,]"), DEPTH, &v, NULL), -EBADMSG);
	assert_int_equal(jv_parse(SV_NONE, DEPTH, &v, NULL), -EBADMSG);
}

static void test_error_offsets(void **state)
{
	static const struct {
		struct sv text;
		size_t offset;
		const char *message;
	} rows[] = {
		{SV(""), 0, "unexpected end of input"},
		{SV("   "), 3, "unexpected end of input"},
		{SV("[1,]"), 3, "expected a value"},
		{SV("[1 2]"), 3, "expected a comma or ]"},
		{SV("{\"a\":1]"), 6, "expected a comma or }"},
		{SV("{\"a\" 1}"), 5, "expected a colon"},
		{SV("{a:1}"), 1, "expected a key in quotes"},
		{SV("{\"a\":1,}"), 7, "expected a key in quotes"},
		{SV("{} x"), 3, "unexpected text behind the value"},
		{SV("01"), 1, "unexpected text behind the value"},
		{SV("-x"), 1, "expected a digit"},
		{SV("1.e"), 2, "expected a digit"},
		{SV("1e+"), 3, "unexpected end of input"},
		{SV("trux"), 3, "expected a value"},
		{SV("\"ab\x01\""), 3, "control character in a string"},
		{SV("\"ab\\q\""), 4, "invalid escape in a string"},
		{SV("\"\\u00g0\""), 5, "\\u needs four hexadecimal digits"},
		{SV("\"abc\xff\""), 4, "invalid UTF-8 in a string"},
		{SV("\"abc"), 4, "unexpected end of input"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct jv_error err;
		struct jv v;

		assert_int_not_equal(parse(rows[i].text, &v, &err), 0);
		assert_int_equal(err.offset, rows[i].offset);
		assert_string_equal(err.message, rows[i].message);
	}
}

static void test_depth_limits(void **state)
{
	struct jv_error err;
	struct jv v;

	(void)state;
	assert_int_equal(jv_parse(SV("1"), 0, &v, NULL), 0);
	assert_int_equal(jv_parse(SV("[]"), 0, &v, NULL), -E2BIG);
	assert_int_equal(jv_parse(SV("[]"), 1, &v, NULL), 0);
	assert_int_equal(jv_parse(SV("[1,{}]"), 1, &v, &err), -E2BIG);
	assert_int_equal(err.offset, 3);
	assert_string_equal(err.message, "nested too deeply");
	assert_int_equal(jv_parse(SV("[1,{}]"), 2, &v, NULL), 0);
	assert_int_equal(jv_parse(SV("[[],[],[[]]]"), 2, &v, NULL), -E2BIG);
	assert_int_equal(jv_parse(SV("[[],[],[],{\"a\":1}]"), 2, &v, NULL), 0);
}

/* depth times the opening text, then 1, then the closing text depth times. */
static void nest(struct buf *b, const char *open, const char *close, size_t depth)
{
	buf_init(b, 1 << 24);
	for (size_t i = 0; i < depth; i++)
		buf_add_cstr(b, open);
	buf_add_char(b, '1');
	for (size_t i = 0; i < depth; i++)
		buf_add_cstr(b, close);
}

static void test_hostile_nesting(void **state)
{
	static const struct {
		const char *open;
		const char *close;
	} rows[] = {{"[", "]"}, {"{\"k\":", "}"}, {"[{\"k\": ", "}]"}, {"[0,", "]"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t per = i == 2 ? 2 : 1;
		struct buf b;
		struct jv v;

		nest(&b, rows[i].open, rows[i].close, 1024 / per);
		assert_int_equal(jv_parse(buf_sv(&b), 1024, &v, NULL), 0);
		assert_int_equal(jv_count(v), i == 3 ? 2 : 1);
		assert_int_equal(jv_parse(buf_sv(&b), 1023, &v, NULL), -E2BIG);
		buf_fini(&b);
		nest(&b, rows[i].open, rows[i].close, 100000);
		assert_int_equal(jv_parse(buf_sv(&b), 1024, &v, NULL), -E2BIG);
		/* Skipping takes no stack either. */
		assert_int_equal(jv_count(jv_trusted(buf_sv(&b))), i == 3 ? 2 : 1);
		buf_fini(&b);
	}
}

static void test_brackets_alternate(void **state)
{
	struct buf b;
	struct jv v;

	(void)state;
	buf_init(&b, 1 << 24);
	buf_add_char(&b, '[');
	for (int i = 0; i < 100000; i++)
		buf_add_cstr(&b, i ? ",[{}]" : "[{}]");
	assert_int_equal(jv_parse(buf_sv(&b), 3, &v, NULL), -EBADMSG);
	buf_add_char(&b, ']');
	assert_int_equal(jv_parse(buf_sv(&b), 3, &v, NULL), 0);
	assert_int_equal(jv_count(v), 100000);
	buf_fini(&b);
}

static const struct sv rich_document =
	SV(" {\"id\":\"resp_1\",\"n\":[-1.5e+3,0,true,false,null],\"t\":\"caf\xc3\xa9 \\u00e9"
	   "\\ud83d\\ude00 \xf0\x9f\x98\x80 \\\"x\\\"\", \"o\" : {\"\":[{}, [ ]]}} ");

static void test_cut_at_every_offset(void **state)
{
	(void)state;
	for (size_t n = 0; n + 1 < rich_document.n; n++) {
		struct sv cut = exact_copy(sv_make(rich_document.p, n));
		struct jv_error err;
		struct jv v;
		int got = parse(cut, &v, &err);

		if (got == -EBADMSG) {
			assert_string_equal(err.message, "unexpected end of input");
			assert_int_equal(err.offset, n);
		} else {
			/* Only inside of a character. */
			assert_int_equal(got, -EILSEQ);
			assert_true((unsigned char)rich_document.p[n] >> 6 == 2);
		}
		free((void *)(uintptr_t)cut.p);
	}
	assert_int_equal(jv_count(parsed(rich_document)), 4);
}

/* Each special thing at each place of a long string: every lane of the wide scans. */
static void test_special_at_every_place(void **state)
{
	static const struct {
		struct sv piece;
		int want;
		size_t decoded;
	} rows[] = {
		{SV("\\\""), 0, 1},
		{SV("\\\\"), 0, 1},
		{SV("\\u0041"), 0, 1},
		{SV("\\ud83d\\ude00"), 0, 4},
		{SV("\\ud800"), 0, 3},
		{SV("\xc3\xa9"), 0, 2},
		{SV("\xf0\x9f\x98\x80"), 0, 4},
		{SV("{]"), 0, 2},
		{SV("\x1f"), -EBADMSG, 0},
		{SV("\n"), -EBADMSG, 0},
		{SV("\\x"), -EBADMSG, 0},
		{SV("\x80"), -EILSEQ, 0},
		{SV("\xe2\x82"), -EILSEQ, 0},
	};
	enum { LENGTH = 70 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t at = 0; at <= LENGTH; at++) {
			struct buf b, decoded;
			struct sv copy;
			struct jv v;

			buf_init(&b, 1 << 10);
			buf_init(&decoded, 1 << 10);
			buf_addf(&b, "[\"%.*s%.*s%.*s\",[{}]]", (int)at,
				"~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~"
				"~~~~",
				SV_ARG(rows[i].piece), (int)(LENGTH - at),
				"!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"
				"!!!!");
			copy = exact_copy(buf_sv(&b));
			assert_int_equal(parse(copy, &v, NULL), rows[i].want);
			if (!rows[i].want) {
				struct jv_iter it = jv_iter(v);

				assert_true(jv_next(&it));
				jv_str_decode(it.value, &decoded);
				assert_int_equal(decoded.len, LENGTH + rows[i].decoded);
				assert_true(jv_next(&it));
				assert_raw(it.value, SV("[{}]"));
				assert_false(jv_next(&it));
			}
			free((void *)(uintptr_t)copy.p);
			buf_fini(&b);
			buf_fini(&decoded);
		}
	}
}

/* Runs of backslashes and brackets in strings over the borders of the block scanner. */
static void test_skip_over_borders(void **state)
{
	(void)state;
	for (size_t pad = 0; pad < 140; pad++) {
		for (int slashes = 0; slashes < 12; slashes++) {
			struct buf b;
			struct sv copy;
			struct jv v;

			buf_init(&b, 1 << 10);
			buf_addf(&b, "{\"a\":[\"%*s", (int)pad, "");
			for (int i = 0; i < slashes; i++)
				buf_add_lit(&b, "\\\\");
			if (slashes % 2)
				buf_add_lit(&b, "\\\"");
			buf_add_lit(&b, "]}\",{\"]\":[\"\\\"[[{\"]}],\"b\":[[1],2]}");
			copy = exact_copy(buf_sv(&b));
			v = parsed(copy);
			assert_int_equal(jv_count(v), 2);
			assert_int_equal(jv_count(jv_get(v, SV("a"))), 2);
			assert_raw(jv_get(v, SV("b")), SV("[[1],2]"));
			free((void *)(uintptr_t)copy.p);
			buf_fini(&b);
		}
	}
}

static void test_types(void **state)
{
	(void)state;
	assert_int_equal(jv_type(parsed(SV("null"))), JV_NULL);
	assert_int_equal(jv_type(parsed(SV("true"))), JV_TRUE);
	assert_int_equal(jv_type(parsed(SV("false"))), JV_FALSE);
	assert_int_equal(jv_type(parsed(SV("-0"))), JV_NUMBER);
	assert_int_equal(jv_type(parsed(SV("7"))), JV_NUMBER);
	assert_int_equal(jv_type(parsed(SV(" \"\""))), JV_STRING);
	assert_int_equal(jv_type(parsed(SV("[]"))), JV_ARRAY);
	assert_int_equal(jv_type(parsed(SV("{}"))), JV_OBJECT);
	assert_int_equal(jv_type(JV_NONE), JV_MISSING);
	assert_true(jv_is(parsed(SV("{}")), JV_OBJECT));
	assert_true(jv_exists(parsed(SV("null"))));
	assert_false(jv_exists(JV_NONE));
	assert_true(jv_is_nil(parsed(SV("null"))));
	assert_true(jv_is_nil(JV_NONE));
	assert_false(jv_is_nil(parsed(SV("0"))));
	assert_true(jv_is_true(parsed(SV("true"))));
	assert_false(jv_is_true(parsed(SV("false"))));
	assert_true(jv_is_bool(parsed(SV("false"))));
	assert_false(jv_is_bool(parsed(SV("null"))));
}

static void test_wrong_type_is_empty(void **state)
{
	static const char *const texts[] = {"null", "true", "0", "\"a\"", "[]", "{}"};

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(texts); i++) {
		struct jv v = i < ARRAY_LEN(texts) ? parsed(sv_cstr(texts[i])) : JV_NONE;
		struct jv_iter it = jv_iter(v);
		struct sv text = SV("old");
		char small[4] = "old";
		struct buf out;
		bool is_string = jv_is(v, JV_STRING);

		assert_false(jv_next(&it));
		assert_false(jv_next(&it));
		assert_int_equal(jv_count(v), 0);
		assert_false(jv_exists(jv_get(v, SV("a"))));
		assert_int_equal(jv_str_eq(v, SV("a")), is_string);
		assert_false(jv_str_eq(v, SV("")));
		assert_int_equal(jv_str(v, NULL, &text), is_string ? 0 : -EINVAL);
		assert_sv(text, is_string ? SV("a") : SV("old"));
		assert_sv(jv_str_raw(v), is_string ? SV("a") : SV_NONE);
		assert_int_equal(jv_str_is_plain(v), is_string);
		assert_int_equal(jv_str_copy(v, small, sizeof(small)), is_string);
		assert_string_equal(small, is_string ? "a" : "");
		buf_init(&out, 10);
		jv_str_decode(v, &out);
		assert_int_equal(out.len, is_string ? 1 : 0);
		buf_fini(&out);
	}
}

static void test_get(void **state)
{
	struct jv v = parsed(SV(" { \"a\" : 1 ,\"b\":[{\"a\":2}], \"\":\"empty\", \"c\" :null,"
				"\"say \\\"x\\\"\":3,\"\\u0064\":4,\"bb\":5,\"a\\\\\":6 } "));

	(void)state;
	assert_raw(jv_get(v, SV("a")), SV("1"));
	assert_raw(jv_get(v, SV("b")), SV("[{\"a\":2}]"));
	assert_raw(jv_get(v, SV("")), SV("\"empty\""));
	assert_raw(jv_get(v, SV_NONE), SV("\"empty\""));
	assert_raw(jv_get(v, SV("c")), SV("null"));
	assert_raw(jv_get(v, SV("say \"x\"")), SV("3"));
	assert_raw(jv_get(v, SV("d")), SV("4"));
	assert_raw(jv_get(v, SV("bb")), SV("5"));
	assert_raw(jv_get(v, SV("a\\")), SV("6"));
	assert_false(jv_exists(jv_get(v, SV("\\u0064"))));
	assert_false(jv_exists(jv_get(v, SV("say \\\"x\\\""))));
	assert_false(jv_exists(jv_get(v, SV("A"))));
	assert_false(jv_exists(jv_get(v, SV("aa"))));
	assert_false(jv_exists(jv_get(v, SV("1"))));
	assert_false(jv_exists(jv_get(jv_get(v, SV("b")), SV("a"))));
}

static void test_last_duplicate_wins(void **state)
{
	struct jv v = parsed(
		SV("{\"a\":1,\"b\":2,\"\\u0061\":3,\"b\":4,\"c\":5,\"a\":6,\"a\\u0062\":7}"));
	static const struct sv keys[] = {
		{"b", 1}, {"a", 1}, {"none", 4}, {"a", 1}, {"c", 1}, {"ab", 2}};
	struct jv out[ARRAY_LEN(keys)];

	(void)state;
	assert_raw(jv_get(v, SV("a")), SV("6"));
	assert_raw(jv_get(v, SV("b")), SV("4"));
	assert_int_equal(jv_count(v), 7);
	jv_pick(v, keys, ARRAY_LEN(keys), out);
	assert_raw(out[0], SV("4"));
	assert_raw(out[1], SV("6"));
	assert_false(jv_exists(out[2]));
	assert_raw(out[3], SV("6"));
	assert_raw(out[4], SV("5"));
	assert_raw(out[5], SV("7"));
	v = parsed(SV("{\"a\":1,\"\\u0061\":null}"));
	assert_raw(jv_get(v, SV("a")), SV("null"));
}

static void test_pick_of_no_object(void **state)
{
	static const struct sv keys[] = {{"", 0}, {"a", 1}};
	struct jv out[2] = {{"x", 1}, {"x", 1}};

	(void)state;
	jv_pick(parsed(SV("[\"a\",1]")), keys, 2, out);
	assert_false(jv_exists(out[0]) || jv_exists(out[1]));
	out[0] = parsed(SV("1"));
	jv_pick(JV_NONE, keys, 1, out);
	assert_false(jv_exists(out[0]));
	jv_pick(parsed(SV("{\"a\":1}")), NULL, 0, NULL);
}

static void test_iterate(void **state)
{
	struct jv_iter it = jv_iter(parsed(SV("[ 1 ,\"]\",[2, 3] , {\"a\":\"}\"},-1e5\n, null ]")));
	static const char *const want[] = {"1", "\"]\"", "[2, 3]", "{\"a\":\"}\"}", "-1e5", "null"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(jv_next(&it));
		assert_raw(it.value, sv_cstr(want[i]));
		assert_int_equal(it.key.n, 0);
	}
	assert_false(jv_next(&it));
	assert_false(jv_next(&it));
	it = jv_iter(parsed(SV("{ \"a\\\"\" : [] ,\n\"\":\":,\" }")));
	assert_true(jv_next(&it));
	assert_sv(it.key, SV("a\\\""));
	assert_true(jv_key_eq(it.key, SV("a\"")));
	assert_raw(it.value, SV("[]"));
	assert_true(jv_next(&it));
	assert_sv(it.key, SV(""));
	assert_raw(it.value, SV("\":,\""));
	assert_false(jv_next(&it));
}

static void test_trusted_garbage_ends(void **state)
{
	static const char *const texts[] = {"[}]", "[]]", "{]}", "{\"a}", "[\"\\", "[,,,]",
		"{\"a\":}", "[[[", "{\"a\"", "[1", "\"", "\"\\", "[\"\\u12\"]", "{:::}", "[:]"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sv copy = exact_copy(sv_cstr(texts[i]));
		struct jv v = jv_trusted(copy);
		char small[16];

		assert_true(jv_count(v) <= copy.n);
		jv_get(v, SV("a"));
		jv_str_copy(v, small, sizeof(small));
		free((void *)(uintptr_t)copy.p);
	}
}

static void test_key_eq(void **state)
{
	(void)state;
	assert_true(jv_key_eq(SV("abc"), SV("abc")));
	assert_true(jv_key_eq(SV(""), SV("")));
	assert_true(jv_key_eq(SV_NONE, SV("")));
	assert_true(jv_key_eq(SV("\\u0061b"), SV("ab")));
	assert_true(jv_key_eq(SV("a\\\\"), SV("a\\")));
	assert_true(jv_key_eq(SV("\\ud83d\\ude00"), SV("\xf0\x9f\x98\x80")));
	assert_true(jv_key_eq(SV("\\ud83d"), SV("\xef\xbf\xbd")));
	assert_true(jv_key_eq(SV("a\\u0000"), SV("a\0")));
	assert_false(jv_key_eq(SV("a\\u0000"), SV("a")));
	assert_false(jv_key_eq(SV("\\n"), SV("\\n")));
	assert_false(jv_key_eq(SV("abc"), SV("ab")));
	assert_false(jv_key_eq(SV("ab"), SV("abc")));
	assert_false(jv_key_eq(SV("\\u0061b"), SV("a")));
	assert_false(jv_key_eq(SV("\\u0061b"), SV("abc")));
	assert_false(jv_key_eq(SV("\\u0061b"), SV("bb")));
}

static const struct {
	struct sv json;
	struct sv text;
} string_cases[] = {
	{SV("\"\""), SV("")},
	{SV("\"plain\""), SV("plain")},
	{SV("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), SV("\"\\/\b\f\n\r\t")},
	{SV("\"\\u0000\\u001f\\u007F\""), SV("\0\x1f\x7f")},
	{SV("\"\\u0080\\u07ff\""), SV("\xc2\x80\xdf\xbf")},
	{SV("\"\\u0800\\uFFFF\""), SV("\xe0\xa0\x80\xef\xbf\xbf")},
	{SV("\"\\ud800\\udc00\\uDBFF\\uDFFF\""), SV("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
	{SV("\"\\ud800\""), SV("\xef\xbf\xbd")},
	{SV("\"\\udfffx\""), SV("\xef\xbf\xbdx")},
	{SV("\"\\ud800\\ud800\\udc00\""), SV("\xef\xbf\xbd\xf0\x90\x80\x80")},
	{SV("\"\\ud800\\ue000\""), SV("\xef\xbf\xbd\xee\x80\x80")},
	{SV("\"\\ud800\\udbff\""), SV("\xef\xbf\xbd\xef\xbf\xbd")},
	{SV("\"\\udc00\\udc00\""), SV("\xef\xbf\xbd\xef\xbf\xbd")},
	{SV("\"\\ud7ff\\udc00\""), SV("\xed\x9f\xbf\xef\xbf\xbd")},
	{SV("\"\\udc00\\ud800\""), SV("\xef\xbf\xbd\xef\xbf\xbd")},
	{SV("\"\\ud800\\\\udc00\""), SV("\xef\xbf\xbd\\udc00")},
	{SV("\"\\ud800\\n\\udc00\""), SV("\xef\xbf\xbd\n\xef\xbf\xbd")},
	{SV("\"\\ud83d\\u0041\""), SV("\xef\xbf\xbd"
				      "A")},
	{SV("\"a\\nb\\\\nc \xc3\xa9\""), SV("a\nb\\nc \xc3\xa9")},
	{SV("\"\\\\\\\\\\\"\""), SV("\\\\\"")},
};

static void check_string(struct sv json, struct sv want)
{
	struct sv copy = exact_copy(json);
	struct jv v = parsed(copy);
	struct arena arena;
	struct buf out;
	struct sv got;

	/* Room to spare, exactly enough room, and one byte too little. */
	for (size_t cap = want.n + 40; cap >= want.n && cap > 0; cap -= cap > want.n ? 40 : 1) {
		buf_init(&out, cap);
		jv_str_decode(v, &out);
		assert_int_equal(buf_error(&out), 0);
		assert_sv(buf_sv(&out), want);
		buf_fini(&out);
	}
	if (want.n > 1) {
		buf_init(&out, want.n - 1);
		jv_str_decode(v, &out);
		assert_int_equal(buf_error(&out), -ENOBUFS);
		buf_fini(&out);
	}
	arena_init(&arena, 4096);
	assert_int_equal(jv_str(v, &arena, &got), 0);
	assert_sv(got, want);
	assert_int_equal(jv_str_is_plain(v), arena.used == 0);
	arena_fini(&arena);
	assert_true(jv_str_eq(v, want));
	assert_false(jv_str_eq(v, SV("something else")));
	assert_int_equal(jv_str_raw(v).n, json.n - 2);
	free((void *)(uintptr_t)copy.p);
}

static void test_string_decoding(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(string_cases); i++)
		check_string(string_cases[i].json, string_cases[i].text);
}

static void test_string_views(void **state)
{
	struct sv text = SV("\"plain caf\xc3\xa9\"");
	struct arena arena;
	struct sv got = SV("old");

	(void)state;
	arena_init(&arena, 4);
	assert_int_equal(jv_str(parsed(text), &arena, &got), 0);
	assert_ptr_equal(got.p, text.p + 1);
	got = SV("old");
	assert_int_equal(jv_str(parsed(SV("\"long enough\\n\"")), &arena, &got), -ENOMEM);
	assert_sv(got, SV("old"));
	arena_fini(&arena);
}

static void test_decode_appends(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	buf_add_lit(&out, "x");
	jv_str_decode(parsed(SV("\"\\ta\"")), &out);
	jv_str_decode(parsed(SV("\"\"")), &out);
	jv_str_decode(parsed(SV("\"b\"")), &out);
	assert_sv(buf_sv(&out), SV("x\tab"));
	buf_fini(&out);
}

static void test_str_copy(void **state)
{
	static const struct {
		struct sv json;
		size_t size;
		const char *want;
	} rows[] = {
		{SV("\"abc\""), 1, ""},
		{SV("\"abc\""), 3, "ab"},
		{SV("\"abc\""), 4, "abc"},
		{SV("\"abc\""), 100, "abc"},
		{SV("\"\""), 1, ""},
		{SV("\"a\xc3\xa9z\""), 2, "a"},
		{SV("\"a\xc3\xa9z\""), 3, "a"},
		{SV("\"a\xc3\xa9z\""), 4, "a\xc3\xa9"},
		{SV("\"a\\u00e9z\""), 3, "a"},
		{SV("\"a\\u00e9z\""), 4, "a\xc3\xa9"},
		{SV("\"a\\u00e9z\""), 5, "a\xc3\xa9z"},
		{SV("\"\\ud83d\\ude00z\""), 4, ""},
		{SV("\"\\ud83d\\ude00z\""), 5, "\xf0\x9f\x98\x80"},
		{SV("\"\xf0\x9f\x98\x80z\""), 4, ""},
		{SV("\"ab\\ncd\""), 4, "ab\n"},
		{SV("\"ab\\ncd\""), 3, "ab"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *dst = mem_try_alloc(rows[i].size);

		assert_non_null(dst);
		assert_true(jv_str_copy(parsed(rows[i].json), dst, rows[i].size));
		assert_string_equal(dst, rows[i].want);
		free(dst);
	}
}

static void test_i64(void **state)
{
	static const struct {
		const char *text;
		int err;
		int64_t want;
	} rows[] = {
		{"0", 0, 0},
		{"-0", 0, 0},
		{"7", 0, 7},
		{"-7", 0, -7},
		{"5.0", 0, 5},
		{"5e0", 0, 5},
		{"5E+0", 0, 5},
		{"50e-1", 0, 5},
		{"0.5e1", 0, 5},
		{"0.00500e3", 0, 5},
		{"-1.5e1", 0, -15},
		{"1e18", 0, INT64_C(1000000000000000000)},
		{"9223372036854775807", 0, INT64_MAX},
		{"-9223372036854775808", 0, INT64_MIN},
		{"9223372036854775807.000", 0, INT64_MAX},
		{"922337203685477580.7e1", 0, INT64_MAX},
		{"9007199254740993", 0, INT64_C(9007199254740993)},
		{"0e999999999999999999999999", 0, 0},
		{"0.0e-999999999999999999999999", 0, 0},
		{"-0.0", 0, 0},
		{"100000000000000000000000000000e-29", 0, 1},
		{"0.00000000000000000000000000001e29", 0, 1},
		{"9223372036854775808", -ERANGE, 0},
		{"-9223372036854775809", -ERANGE, 0},
		{"9999999999999999999", -ERANGE, 0},
		{"18446744073709551617", -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, 0},
		{"1e19", -ERANGE, 0},
		{"1e999999999999999999999999", -ERANGE, 0},
		{"0.5", -EINVAL, 0},
		{"5.01", -EINVAL, 0},
		{"1e-1", -EINVAL, 0},
		{"1e-999999999999999999999999", -EINVAL, 0},
		{"15e-1", -EINVAL, 0},
		{"0.1e0", -EINVAL, 0},
		{"\"5\"", -EINVAL, 0},
		{"null", -EINVAL, 0},
		{"true", -EINVAL, 0},
		{"[5]", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t got = -77;
		int err = jv_i64(parsed(sv_cstr(rows[i].text)), &got);

		if (err != rows[i].err || got != (err ? -77 : rows[i].want))
			fail_msg("%s: %d, %lld", rows[i].text, err, (long long)got);
	}
	assert_int_equal(jv_i64(JV_NONE, &(int64_t){0}), -EINVAL);
}

static void test_f64(void **state)
{
	static const struct {
		const char *text;
		double want;
	} rows[] = {
		{"0", 0},
		{"1.5", 1.5},
		{"-2.25e2", -225},
		{"0.1", 0.1},
		{"1e-400", 0},
		{"5e-324", 5e-324},
		{"2.2250738585072011e-308", 2.2250738585072011e-308},
		{"1.7976931348623157e308", 1.7976931348623157e308},
		{"9007199254740993", 9007199254740992.0},
		{"9007199254740993.00000000000000000000000000000000000001", 9007199254740994.0},
		{"0.000000000000000000000000000000000000000000000000000000000001e60", 1},
		{"1000000000000000000000000000000000000000000000000000000000000e-60", 1},
		{"-0.0000000000000000000000000000000000000000000000000000000000000", -0.0},
		{"1e-99999999999999999999999999999999999999999999999999", 0},
		{"0e99999999999999999999999999999999999999999999999999", 0},
	};
	double got = 77;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(jv_f64(parsed(sv_cstr(rows[i].text)), &got), 0);
		assert_memory_equal(&got, &rows[i].want, sizeof(got));
	}
	got = 77;
	assert_int_equal(jv_f64(parsed(SV("1e309")), &got), -ERANGE);
	assert_int_equal(
		jv_f64(parsed(SV("-1e99999999999999999999999999999999999")), &got), -ERANGE);
	assert_int_equal(jv_f64(parsed(SV("\"1\"")), &got), -EINVAL);
	assert_int_equal(jv_f64(JV_NONE, &got), -EINVAL);
	assert_true(got == 77);
}

/* A number of 3,000 digits just above the middle of two doubles rounds up, exactly there to even.
 */
static void test_f64_of_very_long_numbers(void **state)
{
	struct buf b;
	double got;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_add_lit(&b, "9007199254740993.");
	for (int i = 0; i < 3000; i++)
		buf_add_char(&b, '0');
	assert_int_equal(jv_f64(parsed(buf_sv(&b)), &got), 0);
	assert_true(got == 9007199254740992.0);
	buf_add_lit(&b, "1");
	assert_int_equal(jv_f64(parsed(buf_sv(&b)), &got), 0);
	assert_true(got == 9007199254740994.0);
	buf_add_lit(&b, "e-3");
	assert_int_equal(jv_f64(parsed(buf_sv(&b)), &got), 0);
	assert_true(got == 9007199254740.993);
	buf_fini(&b);
}

/* Half of the least double needs 752 digits; a one far behind them decides. */
static void test_f64_with_most_digits(void **state)
{
	struct buf b;
	double got;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_addf(&b, "%.1075Lf", ldexpl(1, -1075));
	assert_int_equal(jv_f64(parsed(buf_sv(&b)), &got), 0);
	assert_true(got == 0);
	buf_add_lit(&b, "0000000001");
	assert_int_equal(jv_f64(parsed(buf_sv(&b)), &got), 0);
	assert_true(got == 5e-324);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_nested),
		cmocka_unit_test(test_error_may_be_null),
		cmocka_unit_test(test_error_offsets),
		cmocka_unit_test(test_depth_limits),
		cmocka_unit_test(test_hostile_nesting),
		cmocka_unit_test(test_brackets_alternate),
		cmocka_unit_test(test_cut_at_every_offset),
		cmocka_unit_test(test_special_at_every_place),
		cmocka_unit_test(test_skip_over_borders),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_wrong_type_is_empty),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_last_duplicate_wins),
		cmocka_unit_test(test_pick_of_no_object),
		cmocka_unit_test(test_iterate),
		cmocka_unit_test(test_trusted_garbage_ends),
		cmocka_unit_test(test_key_eq),
		cmocka_unit_test(test_string_decoding),
		cmocka_unit_test(test_string_views),
		cmocka_unit_test(test_decode_appends),
		cmocka_unit_test(test_str_copy),
		cmocka_unit_test(test_i64),
		cmocka_unit_test(test_f64),
		cmocka_unit_test(test_f64_of_very_long_numbers),
		cmocka_unit_test(test_f64_with_most_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
