#include "base/b64url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>

static void expect_url(struct sv bytes, const char *expected)
{
	struct buf out;

	buf_init(&out, 1024);
	b64url_encode(bytes, &out);
	assert_int_equal(buf_error(&out), 0);
	assert_string_equal(buf_cstr(&out), expected);
	buf_fini(&out);
}

static void expect_plain(struct sv bytes, const char *expected)
{
	struct buf out;

	buf_init(&out, 1024);
	b64_encode(bytes, &out);
	assert_int_equal(buf_error(&out), 0);
	assert_string_equal(buf_cstr(&out), expected);
	buf_fini(&out);
}

static void expect_decoded(struct sv text, struct sv expected)
{
	struct buf out;

	buf_init(&out, 1024);
	buf_add_lit(&out, "<");
	assert_int_equal(b64url_decode(text, &out), 0);
	assert_true(sv_eq(sv_from(buf_sv(&out), 1), expected));
	buf_fini(&out);
}

static void encodes_the_vectors_of_the_rfc(void **state)
{
	(void)state;
	expect_url(SV(""), "");
	expect_url(SV("f"), "Zg");
	expect_url(SV("fo"), "Zm8");
	expect_url(SV("foo"), "Zm9v");
	expect_url(SV("foob"), "Zm9vYg");
	expect_url(SV("fooba"), "Zm9vYmE");
	expect_url(SV("foobar"), "Zm9vYmFy");
	expect_url(SV("\xff\xff\xfe"), "___-");
	expect_plain(SV(""), "");
	expect_plain(SV("f"), "Zg==");
	expect_plain(SV("fo"), "Zm8=");
	expect_plain(SV("foobar"), "Zm9vYmFy");
	expect_plain(SV("\xff\xff\xfe"), "///+");
}

static void decodes_with_and_without_padding(void **state)
{
	(void)state;
	expect_decoded(SV(""), SV(""));
	expect_decoded(SV("Zg"), SV("f"));
	expect_decoded(SV("Zg=="), SV("f"));
	expect_decoded(SV("Zm8"), SV("fo"));
	expect_decoded(SV("Zm8="), SV("fo"));
	expect_decoded(SV("Zm9v"), SV("foo"));
	expect_decoded(SV("___-"), SV("\xff\xff\xfe"));
	expect_decoded(SV("AAAA"), SV("\0\0\0"));
}

static void refuses_what_is_not_base64url(void **state)
{
	static const struct sv rows[] = {
		{"Z", 1},
		{"Zm9vZ", 5},
		{"Zg=", 3},
		{"Zm8==", 5},
		{"Zm9v=", 5},
		{"Zm9v====", 8},
		{"Z===", 4},
		{"=", 1},
		{"==", 2},
		{"Zg==Zg==", 8},
		{"Zm+v", 4},
		{"Zm/v", 4},
		{"Zm v", 4},
		{"Zm9v\n", 5},
		{"Zm9\0", 4},
		{"Zm9\xc3", 4},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	buf_add_lit(&out, "kept");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(b64url_decode(rows[i], &out), -EBADMSG);
		assert_string_equal(buf_cstr(&out), "kept");
	}
	buf_fini(&out);
}

/* Every byte value at every position of a group, and lengths 0 to 255, against OpenSSL. */
static void agrees_with_openssl(void **state)
{
	unsigned char bytes[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 167 + 13);
	for (size_t n = 0; n < sizeof(bytes); n++) {
		unsigned char expected[4 * sizeof(bytes) / 3 + 8];
		struct sv view = sv_make((const char *)bytes, n);
		struct buf text;

		EVP_EncodeBlock(expected, bytes, (int)n);
		expect_plain(view, (const char *)expected);
		buf_init(&text, 1024);
		b64url_encode(view, &text);
		expect_decoded(buf_sv(&text), view);
		buf_fini(&text);
	}
}

static void a_full_buffer_fails_without_a_part(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4);
	b64url_encode(SV("foobar"), &out);
	assert_int_equal(buf_error(&out), -ENOBUFS);
	assert_int_equal(out.len, 0);
	buf_reset(&out, 0);
	assert_int_equal(b64url_decode(SV("Zm9vYmFy"), &out), -ENOBUFS);
	assert_int_equal(out.len, 0);
	buf_reset(&out, 0);
	b64url_encode(SV("foo"), &out);
	assert_int_equal(buf_error(&out), 0);
	assert_int_equal(out.len, 4);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_the_vectors_of_the_rfc),
		cmocka_unit_test(decodes_with_and_without_padding),
		cmocka_unit_test(refuses_what_is_not_base64url),
		cmocka_unit_test(agrees_with_openssl),
		cmocka_unit_test(a_full_buffer_fails_without_a_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
