/* toml: statements of a file, and what is none. */
#include "proto/toml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* One letter a statement (b blank, # comment, t table, v value), or '!' and the end. */
static void check(const char *text, const char *kinds)
{
	static const char letters[] = "b#tv";
	struct toml toml = toml_begin(sv_cstr(text));
	const char *begin = toml.rest.p;
	struct toml_statement s;
	size_t bytes = 0;
	int more;

	while ((more = toml_next(&toml, &s)) > 0) {
		if (letters[s.kind] != *kinds)
			fail_msg("%s: '%c' where '%c' was expected", text, letters[s.kind], *kinds);
		kinds++;
		assert_ptr_equal(s.text.p, begin + bytes);
		assert_true(s.text.n > 0);
		bytes += s.text.n;
	}
	if (more != (*kinds == '!' ? -EBADMSG : 0))
		fail_msg("%s: ended with %d before \"%s\"", text, more, kinds);
	if (!more)
		assert_int_equal(bytes, strlen(begin));
}

static void test_statements(void **state)
{
	(void)state;
	check("", "");
	check("\xef\xbb\xbf", "");
	check("\xef\xbb\xbf[a]\n", "t");
	check("\n  \r\n# x\n \t# y", "bb##");
	check("a=1\nb = 2 # c\r\n[t]\n[[t.u]] # x\nc=3", "vvttv");
	check("a.b . \"c.d\".'e' = 1979-05-27 07:32:00\n", "v");
	check("[a . \"b]\" . 'c']\n", "t");
	check("\"\" = 1\n'' = 2\n", "vv");
}

static void test_values(void **state)
{
	(void)state;
	check("a = \"x\\\"#\" # \"\nb=1\n", "vv");
	check("a = 'x\\'\nb=1\n", "vv");
	check("a = \"\"\"x\n[t]\n\\\"\"\" \"\n\"\"\"\nb=1\n", "vv");
	check("a = '''\n# >>> \n\\'''\nb=1\n", "vv");
	check("a = \"\"\"x\"\"\"\"\"\nb=1\n", "vv");
	check("a = \"\"\"\"\"\"\nb=''''''\n", "vv");
	check("a = \"\"\nb=''\n", "vv");
	check("a = [\n 1, # ]\n [\"]\"],\n\n]\nb=1\n", "vv");
	check("a = { b = \"}\", c = [ { d = 1 } ] }\n", "v");
}

static void test_what_is_none(void **state)
{
	static const char *const wrong[] = {"a", "a =", "a = # x", "= 1", "a b = 1", "a. = 1",
		".a = 1", "[a", "[a]]", "[[a]", "[]", "[a] b", "[a b]", "a = \"x", "a = 'x\n'",
		"a = \"\"\"x\"\"", "a = '''x", "a = [1", "a = ]", "a = }", "a = [1}]]", "\"a = 1",
		"ä = 1", "<html>", "a = \"\\"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		check(wrong[i], "!");
	check("a = 1\n[b\n", "v!");
}

static void test_the_line_of_the_fault(void **state)
{
	struct toml toml = toml_begin(SV("a = 1\nb = '''\n\n'''\n\nc\n"));
	struct toml_statement s;

	(void)state;
	while (toml_next(&toml, &s) > 0)
		continue;
	assert_int_equal(toml.line, 6);
}

static void test_parts_of_a_key(void **state)
{
	struct sv key = SV("a . \"b.c\".'d'"), part;

	(void)state;
	assert_true(toml_key_part(&key, &part) && sv_eq(part, SV("a")));
	assert_true(toml_key_part(&key, &part) && sv_eq(part, SV("b.c")));
	assert_true(toml_key_part(&key, &part) && sv_eq(part, SV("d")));
	assert_false(toml_key_part(&key, &part));
}

static void test_line_ends(void **state)
{
	(void)state;
	assert_true(sv_eq(toml_line_end(SV("a\r\n")), SV("\r\n")));
	assert_true(sv_eq(toml_line_end(SV("a\n")), SV("\n")));
	assert_int_equal(toml_line_end(SV("a\r")).n, 0);
	assert_int_equal(toml_line_end(SV_NONE).n, 0);
}

/* A view that ends anywhere ends the reading: nothing behind it is looked at. */
static void test_cut_at_every_byte(void **state)
{
	static const char text[] =
		"a = \"\"\"x\n\"\"\"\n[[t.\"u\"]] # y\nb = [ {c='d'}, \"\\\"\" ]\r\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = malloc(n + !n);
		struct toml_statement s;
		struct toml toml;

		assert_non_null(copy);
		memcpy(copy, text, n);
		toml = toml_begin(sv_make(copy, n));
		while (toml_next(&toml, &s) > 0)
			assert_true(s.text.p >= copy && s.text.p + s.text.n <= copy + n);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_the_line_of_the_fault),
		cmocka_unit_test(test_parts_of_a_key),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_cut_at_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
