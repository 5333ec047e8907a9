#include "conf/conf_edit.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static json_t *document(const char *text)
{
	json_t *doc = json_loads(text, 0, NULL);

	assert_non_null(doc);
	return doc;
}

static void assert_document(json_t *doc, const char *wanted)
{
	char *text = json_dumps(doc, JSON_COMPACT);

	assert_string_equal(text, wanted);
	free(text);
	json_decref(doc);
}

static void test_values_are_put_where_their_names_say(void **state)
{
	json_t *doc = document("{\"a\":1,\"g\":{\"x\":1},\"n\":null,\"s\":5}");

	(void)state;
	assert_int_equal(conf_edit_put(doc, "a", json_integer(2)), 0);
	assert_int_equal(conf_edit_put(doc, "g.y", json_true()), 0);
	assert_int_equal(conf_edit_put(doc, "new.z", json_null()), 0);
	assert_int_equal(conf_edit_put(doc, "n.z", json_integer(3)), 0);
	assert_int_equal(conf_edit_put(doc, "s.z", json_integer(3)), -ENOTDIR);
	assert_document(doc, "{\"a\":2,\"g\":{\"x\":1,\"y\":true},\"n\":{\"z\":3},\"s\":5,"
			     "\"new\":{\"z\":null}}");
}

static void test_members_with_dots_of_their_own_are_found_and_dropped(void **state)
{
	json_t *doc = document("{\"a.b\":1,\"a\":{\"b\":2,\"c\":3}}");

	(void)state;
	assert_int_equal(json_integer_value(conf_edit_get(doc, "a.b")), 1);
	assert_int_equal(conf_edit_drop(doc, "a.b"), 0);
	assert_int_equal(json_integer_value(conf_edit_get(doc, "a.b")), 2);
	assert_int_equal(conf_edit_drop(doc, "a.b"), 0);
	assert_int_equal(conf_edit_drop(doc, "a.b"), -ENOENT);
	assert_int_equal(conf_edit_drop(doc, "nothing"), -ENOENT);
	assert_null(conf_edit_get(doc, "a.b"));
	assert_document(doc, "{\"a\":{\"c\":3}}");
}

static void test_group_that_gets_empty_goes(void **state)
{
	json_t *doc = document("{\"a\":{\"b\":2},\"c\":1}");

	(void)state;
	assert_int_equal(conf_edit_drop(doc, "a.b"), 0);
	assert_document(doc, "{\"c\":1}");
}

struct text_case {
	const char *key, *text, *wanted; /* NULL: refused */
};

static void test_words_become_values_of_the_keys_type(void **state)
{
	static const struct text_case cases[] = {
		{"usageTtlSeconds", "60", "60"},
		{"usageTtlSeconds", " 60 ", "60"},
		{"usageTtlSeconds", "0", NULL},
		{"usageTtlSeconds", "x", NULL},
		{"usageTtlSeconds", "", NULL},
		{"usageTtlSeconds", "null", NULL},
		{"usageTtlSeconds", "60 60", NULL},
		{"reusePort", "true", "true"},
		{"reusePort", "1", NULL},
		{"thinking", "off", "\"off\""},
		{"thinking", "5", "\"5\""},
		{"thinking", "null", "\"null\""},
		{"thinking", "\"quoted\"", "\"quoted\""},
		{"thinking", "\"", "\"\\\"\""},
		{"thinking", "\"open", NULL},
		{"thinking", "\xff", NULL},
		{"upstream.caFile", "", "\"\""},
		{"listen", "[::1]:80", "\"[::1]:80\""},
		{"listen", "\":80\"", "\":80\""},
		{"listen", "[\":80\",\"tls://:443\"]", "[\":80\",\"tls://:443\"]"},
		{"listen", "80", "\"80\""},
		{"listen", "[", NULL},
		{"listen", "", NULL},
		{"listen", "\xff", NULL},
		{"authToken", "abc", "\"abc\""},
		{"authToken", "a b", NULL},
		{"authToken", "", NULL},
		{"authTokenAliases", "[\"a\",\"b\"]", "[\"a\",\"b\"]"},
		{"authTokenAliases", "a\nb\n\n c\n", "[\"a\",\"b\",\"c\"]"},
		{"authTokenAliases", "", "[]"},
		{"authTokenAliases", "[1]", NULL},
		{"authTokenAliases", "[", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct conf_key *key = conf_edit_find(cases[i].key);
		struct conf_error err = {""};
		json_t *value = NULL;
		int result;

		assert_non_null(key);
		result = conf_edit_parse(key, sv_cstr(cases[i].text), &value, &err);
		if (!cases[i].wanted) {
			assert_int_equal(result, -EINVAL);
			assert_null(value);
			assert_true(sv_starts(sv_cstr(err.message), sv_cstr(cases[i].key)));
			assert_true(sv_find(sv_cstr(err.message), SV(": must be ")) > 0);
			continue;
		}
		assert_int_equal(result, 0);
		{
			char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

			assert_string_equal(text, cases[i].wanted);
			free(text);
		}
		json_decref(value);
	}
}

static void test_every_key_of_the_table_is_found(void **state)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(conf_edit_find(rows[i].name), &rows[i]);
		assert_int_equal(conf_edit_is_secret(&rows[i]),
			rows[i].type == CONF_SECRET || rows[i].type == CONF_SECRET_LIST);
	}
	assert_null(conf_edit_find("thresholds"));
	assert_null(conf_edit_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_put_where_their_names_say),
		cmocka_unit_test(test_members_with_dots_of_their_own_are_found_and_dropped),
		cmocka_unit_test(test_group_that_gets_empty_goes),
		cmocka_unit_test(test_words_become_values_of_the_keys_type),
		cmocka_unit_test(test_every_key_of_the_table_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
