#include "cli/cli_text.h"

#include "base/mem.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_clean(const char *text, const char *wanted)
{
	char *clean = cli_text_clean(text);

	assert_string_equal(clean, wanted);
	free(clean);
}

static void test_what_drives_a_terminal_is_a_question_mark(void **state)
{
	(void)state;
	assert_clean("", "");
	assert_clean("plain \xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x9a\x80",
		"plain \xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x9a\x80");
	assert_clean("a\033[2Jb\nc\td\177", "a?[2Jb?c?d?");
	assert_clean("\xc2\x9b"
		     "31m",
		"?31m"); /* CSI of Latin-1 */
	assert_clean("a\xe2\x80\xae"
		     "b\xe2\x81\xa6"
		     "c",
		"a?b?c");		   /* directions */
	assert_clean("\xe2\x80\xa8", "?"); /* line separator */
	assert_clean("\xff\xc3", "??");
	assert_clean("\xc3(\xed\xa0\x80", "?(???");
}

static void test_width_is_that_of_terminals(void **state)
{
	(void)state;
	assert_int_equal(cli_text_width(""), 0);
	assert_int_equal(cli_text_width("abc"), 3);
	assert_int_equal(cli_text_width("\xc3\xa9"), 1);
	assert_int_equal(cli_text_width("e\xcc\x81"), 1);		 /* combining accent */
	assert_int_equal(cli_text_width("\xe6\x97\xa5\xe6\x9c\xac"), 4); /* CJK */
	assert_int_equal(cli_text_width("\xf0\x9f\x9a\x80"), 2);	 /* emoji */
	assert_int_equal(cli_text_width("\xe2\x96\x88\xe2\x96\x91"), 2); /* bars */
}

static void assert_cut(const char *text, size_t columns, const char *wanted)
{
	char *copy = mem_strdup(text);

	cli_text_cut(copy, columns);
	assert_string_equal(copy, wanted);
	assert_true(cli_text_width(copy) <= columns);
	free(copy);
}

static void test_cut_texts_fit_and_show_that_they_were_cut(void **state)
{
	(void)state;
	setenv("LC_ALL", "C.UTF-8", 1);
	setlocale(LC_CTYPE, "");
	assert_cut("abcdef", 6, "abcdef");
	assert_cut("abcdefgh", 6, "abcde\xe2\x80\xa6");
	assert_cut("abcdefgh", 1, "a");
	assert_cut("abcdefgh", 0, "");
	/* A wide character that does not fit leaves a column free. */
	assert_cut("ab\xe6\x97\xa5\xe6\x9c\xac", 5, "ab\xe6\x97\xa5\xe2\x80\xa6");
	assert_cut("\xe6\x97\xa5\xe6\x9c\xac", 3, "\xe6\x97\xa5\xe2\x80\xa6");
	assert_cut("\xe6\x97\xa5\xe6\x9c\xac", 1, "");
}

static void test_every_width_of_every_text_holds(void **state)
{
	static const char *const texts[] = {"abcdefghijkl", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		"a\xcc\x81"
		"b\xcc\x82"
		"c",
		"x\xf0\x9f\x9a\x80y\xf0\x9f\x9a\x80z", "ab"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t columns = 0; columns < 16; columns++) {
			char *cut = mem_strdup(texts[i]);
			char *plain = mem_strdup(texts[i]);
			char *clean;

			cli_text_cut(cut, columns);
			cli_text_cut_plain(plain, columns);
			clean = cli_text_clean(cut); /* still UTF-8 */
			assert_string_equal(clean, cut);
			assert_true(cli_text_width(cut) <= columns);
			assert_true(cli_text_width(plain) <= columns);
			assert_true(strncmp(plain, texts[i], strlen(plain)) == 0);
			free(clean);
			free(plain);
			free(cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_drives_a_terminal_is_a_question_mark),
		cmocka_unit_test(test_width_is_that_of_terminals),
		cmocka_unit_test(test_cut_texts_fit_and_show_that_they_were_cut),
		cmocka_unit_test(test_every_width_of_every_text_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
