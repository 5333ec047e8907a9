/* What is noted while a document is validated: the ends of its long values, its members. */
#include "base/jspan.h"
#include "base/jv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DEPTH = 64, CAP = 1 << 24, PLACES = 4096 };

static void add_string(struct buf *b, size_t length)
{
	buf_add_char(b, '"');
	for (size_t i = 0; i < length; i++) {
		if (i % 61 == 60 && i + 1 < length) {
			buf_add_lit(b, "\\\"");
			i++;
		} else {
			buf_add_char(b, "abc[]{}:, "[i % 10]);
		}
	}
	buf_add_char(b, '"');
}

/* Strings and arrays of every length around the two borders, one in the other. */
static void make_document(struct buf *b)
{
	static const size_t around[] = {JSPAN_PROBE, JSPAN_VALUE_MIN};

	buf_init(b, CAP);
	buf_add_lit(b, "{\"first\":1,\"list\":[");
	for (size_t border = 0; border < ARRAY_LEN(around); border++) {
		for (size_t n = around[border] - 6; n < around[border] + 6; n++) {
			add_string(b, n);
			buf_add_lit(b, ",[{\"text\":");
			add_string(b, n);
			buf_add_lit(b, "}, [ ] ],");
		}
	}
	buf_add_lit(b, "null],\"last\":{}}");
	assert_int_equal(buf_error(b), 0);
	assert_true(b->len > JSPAN_DOCUMENT_MIN);
}

struct walk {
	struct jv seen[PLACES];
	size_t count;
};

static void walk(struct walk *w, struct jv v)
{
	struct jv_iter it = jv_iter(v);

	assert_true(w->count < PLACES);
	w->seen[w->count++] = v;
	while (jv_next(&it))
		walk(w, it.value);
}

static void test_views_are_the_same_with_an_index(void **state)
{
	static struct walk without, with;
	struct jspan_index *index;
	struct jv v;
	struct buf b;

	(void)state;
	make_document(&b);
	assert_int_equal(jv_parse(buf_sv(&b), DEPTH, &v, NULL), 0);
	without.count = with.count = 0;
	walk(&without, v);
	assert_int_equal(jv_parse_indexed(buf_sv(&b), DEPTH, &v, NULL, &index), 0);
	assert_non_null(index);
	walk(&with, v);
	assert_int_equal(with.count, without.count);
	assert_memory_equal(with.seen, without.seen, with.count * sizeof(struct jv));
	jv_index_free(index);
	buf_fini(&b);
}

/* Blanked behind the back of the index: who reads them cannot see where they end. */
static void test_long_values_are_not_read_again(void **state)
{
	struct jspan_index *index;
	struct jv v, list;
	struct buf b;
	size_t n;

	(void)state;
	make_document(&b);
	assert_int_equal(jv_parse_indexed(buf_sv(&b), DEPTH, &v, NULL, &index), 0);
	list = jv_get(v, SV("list"));
	n = list.n;
	memset((char *)(uintptr_t)list.p + JSPAN_PROBE, '[', n - JSPAN_PROBE);
	assert_int_equal(jv_get(v, SV("list")).n, n);
	assert_true(jv_is(jv_get(v, SV("last")), JV_OBJECT));
	jv_index_free(index);
	assert_int_not_equal(jv_get(v, SV("list")).n, n);
	buf_fini(&b);
}

static void test_several_documents_at_a_time(void **state)
{
	struct jspan_index *index[3];
	struct buf b[3];
	struct jv v[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		make_document(&b[i]);
		assert_int_equal(jv_parse_indexed(buf_sv(&b[i]), DEPTH, &v[i], NULL, &index[i]), 0);
	}
	for (size_t i = 0; i < 3; i++) {
		assert_true(jv_is(jv_get(v[i], SV("last")), JV_OBJECT));
		jv_index_free(index[(i + 1) % 3]);
		assert_true(jv_is(jv_get(v[i], SV("last")), JV_OBJECT));
	}
	assert_false(jspan_is_any());
	for (size_t i = 0; i < 3; i++)
		buf_fini(&b[i]);
}

/* More long values than are noted, and a chain of containers that all end at once. */
static void test_more_long_values_than_fit(void **state)
{
	enum { CHAIN = 60 };
	struct jspan_index *index;
	struct buf b;
	struct jv v;

	(void)state;
	buf_init(&b, 1 << 25);
	buf_add_char(&b, '[');
	for (size_t i = 0; i < JSPAN_MAX + 100; i++) {
		add_string(&b, JSPAN_VALUE_MIN);
		buf_add_char(&b, ',');
	}
	for (size_t i = 0; i < CHAIN; i++)
		buf_add_char(&b, '[');
	add_string(&b, JSPAN_VALUE_MIN);
	for (size_t i = 0; i < CHAIN; i++)
		buf_add_char(&b, ']');
	buf_add_char(&b, ']');
	assert_int_equal(jv_parse_indexed(buf_sv(&b), DEPTH, &v, NULL, &index), 0);
	assert_int_equal(jv_count(v), JSPAN_MAX + 101);
	jv_index_free(index);
	buf_fini(&b);
}

static void test_no_index_of_small_or_wrong_documents(void **state)
{
	struct jspan_index *index = NULL;
	struct jv v = JV_NONE;
	struct buf b;

	(void)state;
	assert_int_equal(jv_parse_indexed(SV("{\"a\":[1]}"), DEPTH, &v, NULL, &index), 0);
	assert_null(index);
	make_document(&b);
	buf_truncate(&b, b.len - 1);
	assert_int_equal(jv_parse_indexed(buf_sv(&b), DEPTH, &v, NULL, &index), -EBADMSG);
	assert_null(index);
	assert_false(jspan_is_any());
	buf_fini(&b);
}

static void assert_get(const struct jv_outline *o, struct jv v, struct sv key, struct sv want)
{
	struct jv got = jv_outline_get(o, v, key);

	assert_int_equal(got.n, want.n);
	if (want.n)
		assert_memory_equal(got.p, want.p, want.n);
}

static void test_outline_of_an_object(void **state)
{
	struct sv text = SV(" { \"a\" : [1, {\"a\": 2}] ,\"b\":{\"c\":{}},\"\\u0063\":\"x\\\"y\" , "
			    "\"d\": -1.5 , \"a\":true\n} ");
	struct jv_outline o;
	struct jv v;

	(void)state;
	assert_int_equal(jv_parse_outlined(text, DEPTH, &v, &o), 0);
	assert_int_equal(o.count, 5);
	assert_get(&o, v, SV("a"), SV("true")); /* the last of two */
	assert_get(&o, v, SV("b"), SV("{\"c\":{}}"));
	assert_get(&o, v, SV("c"), SV("\"x\\\"y\""));
	assert_get(&o, v, SV("d"), SV("-1.5"));
	assert_get(&o, v, SV("e"), SV_NONE);
	for (size_t i = 0; i < o.count; i++)
		assert_true(jv_exists(o.member[i].value));
}

static void test_outline_of_no_object(void **state)
{
	static const struct sv texts[] = {SV("[{\"a\":1}]"), SV("\"a\""), SV("{}"), SV("3")};
	struct jv_outline o;
	struct jv v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(jv_parse_outlined(texts[i], DEPTH, &v, &o), 0);
		assert_int_equal(o.count, 0);
		assert_get(&o, v, SV("a"), SV_NONE);
	}
}

static void test_outline_of_many_members(void **state)
{
	struct jv_outline o;
	struct jv v;
	struct buf b;

	(void)state;
	buf_init(&b, CAP);
	buf_add_char(&b, '{');
	for (size_t i = 0; i <= JV_OUTLINE_MAX; i++) {
		buf_addf(&b, "%s\"k%zu\":%zu", i ? "," : "", i, i);
		if (i + 1 < JV_OUTLINE_MAX)
			continue;
		buf_add_char(&b, '}');
		assert_int_equal(jv_parse_outlined(buf_sv(&b), DEPTH, &v, &o), 0);
		assert_int_equal(o.count, i + 1);
		assert_get(&o, v, SV("k0"), SV("0"));
		assert_get(&o, v, SV("k15"), SV("15"));
		assert_get(&o, v, SV("k16"), i == 16 ? SV("16") : SV_NONE);
		buf_truncate(&b, b.len - 1);
	}
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views_are_the_same_with_an_index),
		cmocka_unit_test(test_long_values_are_not_read_again),
		cmocka_unit_test(test_several_documents_at_a_time),
		cmocka_unit_test(test_more_long_values_than_fit),
		cmocka_unit_test(test_no_index_of_small_or_wrong_documents),
		cmocka_unit_test(test_outline_of_an_object),
		cmocka_unit_test(test_outline_of_no_object),
		cmocka_unit_test(test_outline_of_many_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
