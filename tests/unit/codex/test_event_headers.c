/* Events that stand for headers: which they are, and what of them could be in a head. */
#include "codex/event_headers.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MOST = 3 };

static struct event parsed(const char *json)
{
	struct event ev;

	assert_int_equal(event_parse(sv_cstr(json), SV_NONE, &ev), 0);
	return ev;
}

static void test_which_belong_to_the_head(void **state)
{
	static const char *const others[] = {"{\"type\":\"codex.rate_limits\"}",
		"{\"type\":\"error\",\"headers\":{\"a\":\"b\"}}",
		"{\"type\":\"response.created\"}"};
	struct event ev = parsed("{\"type\":\"response.metadata\"}");

	(void)state;
	assert_true(event_headers_are_of_head(&ev));
	ev = parsed("{\"type\":\"codex.response.metadata\"}");
	assert_true(event_headers_are_of_head(&ev));
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		ev = parsed(others[i]);
		assert_false(event_headers_are_of_head(&ev));
	}
}

struct row {
	const char *json;
	size_t count;
	const char *name, *value; /* of the last one */
};

static const struct row rows[] = {
	{"{\"type\":\"error\",\"headers\":{\"x-a\":\"1\",\"x-b\":\"2 \\u00e9\"}}", 2, "x-b",
		"2 \xc3\xa9"},
	{"{\"type\":\"error\",\"headers\":{\"x-a\":100}}", 1, "x-a", "100"},
	{"{\"type\":\"error\",\"headers\":{\"a b\":\"1\",\"\":\"2\",\"c\":\"3\\r\\nx: "
	 "y\",\"d\":\"4\"}}",
		1, "d", "4"},
	{"{\"type\":\"error\",\"headers\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\",\"d\":\"4\"}}", MOST,
		"c", "3"},
	{"{\"type\":\"error\",\"headers\":[\"a\"]}", 0, NULL, NULL},
	{"{\"type\":\"error\"}", 0, NULL, NULL},
};

static void test_what_a_head_could_have(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct event ev = parsed(rows[i].json);
		struct http_header found[MOST];
		struct arena arena;

		arena_init(&arena, KIB(4));
		assert_int_equal(event_headers_read(&ev, &arena, found, MOST), rows[i].count);
		if (rows[i].count) {
			const struct http_header *last = &found[rows[i].count - 1];

			assert_true(sv_eq(last->name, sv_cstr(rows[i].name)));
			assert_true(sv_eq(last->value, sv_cstr(rows[i].value)));
		}
		arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_belong_to_the_head),
		cmocka_unit_test(test_what_a_head_could_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
