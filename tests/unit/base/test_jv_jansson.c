/* jv against jansson: the table of cases, and a fixed number of mutations of the same texts. */
#include "jansson_diff.h"
#include "json_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check_text(struct sv text)
{
	char *copy = mem_try_alloc(text.n);
	const char *said;

	assert_non_null(copy);
	if (text.n)
		memcpy(copy, text.p, text.n);
	said = diff_with_jansson(sv_make(copy, text.n));
	free(copy);
	if (said)
		fail_msg("%s: <%.*s> (%zu bytes)", said, SV_ARG(text), text.n);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(json_cases); i++)
		check_text(json_cases[i].text);
}

static void test_known_differences(void **state)
{
	static const struct {
		struct sv text;
		unsigned known;
	} rows[] = {
		{SV("1e400"), DIFF_REAL_OVERFLOW},
		{SV("[-1.0e400]"), DIFF_REAL_OVERFLOW},
		{SV("9223372036854775808"), DIFF_INTEGER_OVERFLOW},
		{SV("[[-9223372036854775809]]"), DIFF_INTEGER_OVERFLOW},
		{SV("\"\\ud800\""), DIFF_LONE_SURROGATE},
		{SV("\"\\udc00\\ud800\""), DIFF_LONE_SURROGATE},
		{SV("{\"\\ud800\":1}"), DIFF_LONE_SURROGATE},
		{SV("{\"\\u0000\":1}"), DIFF_NUL_IN_KEY},
		{SV("\"\\u0000\""), 0},
		{SV("\"\\ud800\\udc00\""), 0},
		{SV("{\"a\":1,\"a\":2}"), 0},
		{SV("1e-400"), 0},
		{SV("{\"\\u0000\\ud800\":[1e999,1111111111111111111111]}"), 15},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct jv v;

		assert_int_equal(jv_parse(rows[i].text, DIFF_DEPTH, &v, NULL), 0);
		assert_int_equal(diff_known(v), rows[i].known);
		check_text(rows[i].text);
	}
}

static void test_nul_that_jansson_loses(void **state)
{
	static const struct sv texts[] = {SV("true\0"), SV("[1\0,2]"), SV("{\"a\":1.5\0}")};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_t *tree = json_loadb(texts[i].p, texts[i].n, JSON_DECODE_ANY, NULL);
		struct jv v;

		assert_non_null(tree);
		json_decref(tree);
		assert_int_equal(jv_parse(texts[i], DIFF_DEPTH, &v, NULL), -EBADMSG);
		check_text(texts[i]);
	}
}

/* jansson allows 2048 levels, jv at most 1024. */
static void test_depth_difference(void **state)
{
	(void)state;
	for (size_t depth = 1022; depth < 1028; depth++) {
		struct buf b;
		struct jv v;

		buf_init(&b, 1 << 16);
		for (size_t i = 0; i < depth; i++)
			buf_add_char(&b, '[');
		for (size_t i = 0; i < depth; i++)
			buf_add_char(&b, ']');
		assert_int_equal(jv_parse(buf_sv(&b), DIFF_DEPTH, &v, NULL),
			depth <= DIFF_DEPTH ? 0 : -E2BIG);
		check_text(buf_sv(&b));
		buf_fini(&b);
	}
}

/* Known numbers in a fixed order: xorshift64*. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static size_t below(uint64_t *state, size_t n)
{
	return n ? (size_t)(next_random(state) >> 33) % n : 0;
}

static const char *const tokens[] = {"{", "}", "[", "]", ",", ":", "\"", "\\", " ", "\n", "0", "-",
	".", "e", "E+1", "9", "true", "null", "\\u", "\\ud83d", "\\ude00", "\\u0000", "\xc3\xa9",
	"\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\x80", "\xff", "\x1f", "\"a\":", "[]",
	"{}", "\"\"", ",1", "1e400", "99999999999999999999", "\"a\":1,", "\\\\", "\\\""};

/* Replaces a short range at a random place by a random byte, a token, or a piece of the text. */
static void mutate(uint64_t *random, struct buf *text)
{
	size_t at = below(random, text->len + 1);
	size_t cut = below(random, 3) ? 0 : below(random, 6);
	struct sv old = buf_sv(text);
	struct buf next;

	buf_init(&next, 1 << 20);
	buf_add(&next, old.p, at);
	switch (below(random, 5)) {
	case 0:
		buf_add_char(&next, (char)below(random, 256));
		break;
	case 1:
		buf_add_sv(&next, sv_make(sv_from(old, at).p, below(random, old.n - at + 1)));
		break;
	case 2:
		break;
	default:
		buf_add_cstr(&next, tokens[below(random, ARRAY_LEN(tokens))]);
	}
	buf_add_sv(&next, sv_from(sv_from(old, at), cut));
	buf_fini(text);
	buf_move(&next, text);
}

static void test_mutations(void **state)
{
	uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
	size_t valid = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(json_cases); i++) {
		for (int round = 0; round < 150; round++) {
			struct buf text;
			struct jv v;

			buf_init(&text, 1 << 20);
			buf_add_sv(&text, json_cases[i].text);
			for (size_t n = 1 + below(&random, 4); n; n--)
				mutate(&random, &text);
			check_text(buf_sv(&text));
			valid += jv_parse(buf_sv(&text), DIFF_DEPTH, &v, NULL) == 0;
			buf_fini(&text);
		}
	}
	/* Enough of them must still be JSON, or the values are not compared. */
	assert_true(valid > ARRAY_LEN(json_cases) * 5);
}

/* Random bytes of the alphabet that numbers are made of. */
static void test_random_numbers(void **state)
{
	static const char alphabet[] = "00123456789999.-+eE";
	uint64_t random = 42;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		char text[64];
		size_t n = 1 + below(&random, i % 3 ? 8 : sizeof(text));

		for (size_t k = 0; k < n; k++)
			text[k] = alphabet[below(&random, sizeof(alphabet) - 1)];
		check_text(sv_make(text, n));
	}
}

/* Valid numbers with long parts, which go through jv's own shortening before strtod(). */
static void test_long_numbers(void **state)
{
	uint64_t random = 7;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct buf b;

		buf_init(&b, 1 << 16);
		buf_add_cstr(&b, below(&random, 2) ? "-" : "");
		buf_add_u64(&b, next_random(&random) >> below(&random, 64));
		buf_add_char(&b, '.');
		for (size_t n = 1 + below(&random, i % 10 ? 60 : 1500); n; n--)
			buf_add_char(&b, (char)('0' + below(&random, 10)));
		if (below(&random, 2))
			buf_addf(&b, "e%d", (int)below(&random, 620) - 330);
		check_text(buf_sv(&b));
		buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_known_differences),
		cmocka_unit_test(test_nul_that_jansson_loses),
		cmocka_unit_test(test_depth_difference),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_random_numbers),
		cmocka_unit_test(test_long_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
