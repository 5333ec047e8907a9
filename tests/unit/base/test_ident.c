#include "base/ident.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_uuid(const char *text, char version)
{
	assert_int_equal(strlen(text), IDENT_UUID_SIZE - 1);
	for (size_t i = 0; i < IDENT_UUID_SIZE - 1; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23)
			assert_int_equal(text[i], '-');
		else
			assert_non_null(memchr("0123456789abcdef", text[i], 16));
	}
	assert_int_equal(text[14], version);
	assert_non_null(memchr("89ab", text[19], 4));
}

static void uuid7_has_its_form_and_the_time(void **state)
{
	char text[IDENT_UUID_SIZE];
	char digits[13];
	int64_t before = clock_wall_ms();
	int64_t stamp;

	(void)state;
	ident_uuid7(text);
	assert_uuid(text, '7');
	memcpy(digits, text, 8);
	memcpy(digits + 8, text + 9, 4);
	digits[12] = '\0';
	stamp = strtoll(digits, NULL, 16);
	assert_true(before <= stamp && stamp <= clock_wall_ms() + 1);
}

/* More than the counter of one millisecond holds. */
static void uuid7_always_rises(void **state)
{
	char last[IDENT_UUID_SIZE];

	(void)state;
	ident_uuid7(last);
	for (int i = 0; i < 20000; i++) {
		char next[IDENT_UUID_SIZE];

		ident_uuid7(next);
		assert_true(strcmp(last, next) < 0);
		assert_string_not_equal(last + 19, next + 19);
		memcpy(last, next, sizeof(last));
	}
	assert_uuid(last, '7');
}

static void hex_is_random(void **state)
{
	char a[IDENT_HEX_SIZE];
	char b[IDENT_HEX_SIZE];

	(void)state;
	ident_hex(a);
	ident_hex(b);
	assert_int_equal(strlen(a), IDENT_HEX_SIZE - 1);
	assert_int_equal(strspn(a, "0123456789abcdef"), IDENT_HEX_SIZE - 1);
	assert_string_not_equal(a, b);
}

static void fingerprint_is_the_start_of_sha256(void **state)
{
	char text[IDENT_HEX_SIZE];

	(void)state;
	ident_fingerprint(SV("abc"), text);
	assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223");
	ident_fingerprint(SV_NONE, text);
	assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb924");
}

static void derived_uuid_is_stable(void **state)
{
	static const struct sv parts[] = {{"abc", 3}};
	char text[IDENT_UUID_SIZE];

	(void)state;
	/* printf '\0\0\0\0\0\0\0\3abc' | sha256sum, with version and variant put in. */
	ident_derived_uuid(parts, 1, text);
	assert_uuid(text, '8');
	assert_string_equal(text, "c3494ca1-a2cf-8eeb-8a11-ded316fb55b8");
}

static void lengths_over_a_byte_count(void **state)
{
	static const char zeros[600];
	struct sv parts[2] = {{zeros, 300}, {zeros, 300}};
	char text[IDENT_UUID_SIZE];

	(void)state;
	/* The same with 300 zeros twice. */
	ident_derived_uuid(parts, 2, text);
	assert_string_equal(text, "60fbee51-974f-829e-a9b5-b982d4a24572");
}

static void derived_uuid_knows_borders_and_order(void **state)
{
	static const struct sv rows[][3] = {
		{{"ab", 2}, {"c", 1}, {"", 0}},
		{{"a", 1}, {"bc", 2}, {"", 0}},
		{{"abc", 3}, {"", 0}, {"", 0}},
		{{"", 0}, {"abc", 3}, {"", 0}},
		{{"c", 1}, {"ab", 2}, {"", 0}},
		{{"", 0}, {"", 0}, {NULL, 0}},
	};
	char texts[ARRAY_LEN(rows) + 2][IDENT_UUID_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ident_derived_uuid(rows[i], 3, texts[i]);
	ident_derived_uuid(rows[2], 1, texts[ARRAY_LEN(rows)]);
	ident_derived_uuid(NULL, 0, texts[ARRAY_LEN(rows) + 1]);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_uuid(texts[i], '8');
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(texts[i], texts[k]);
	}
}

static void sha256_of_a_known_text(void **state)
{
	static const unsigned char want[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41,
		0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a,
		0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	unsigned char got[IDENT_SHA256_BYTES];

	(void)state;
	ident_sha256(SV("abc"), got);
	assert_memory_equal(got, want, sizeof(want));
}

static void random_bytes_differ(void **state)
{
	unsigned char a[32] = {0}, b[32] = {0}, none[32] = {0};

	(void)state;
	ident_random(a, sizeof(a));
	ident_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, none, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uuid7_has_its_form_and_the_time),
		cmocka_unit_test(uuid7_always_rises),
		cmocka_unit_test(hex_is_random),
		cmocka_unit_test(fingerprint_is_the_start_of_sha256),
		cmocka_unit_test(sha256_of_a_known_text),
		cmocka_unit_test(random_bytes_differ),
		cmocka_unit_test(derived_uuid_is_stable),
		cmocka_unit_test(lengths_over_a_byte_count),
		cmocka_unit_test(derived_uuid_knows_borders_and_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
