#include "proto/inflater.h"

#include "base/limits.h"

#include <brotli/encode.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

enum { RAW_BITS = -15, ZLIB_BITS = 15, GZIP_BITS = 31 };

static void zlib_encode(struct sv text, int bits, struct sv dictionary, struct buf *out)
{
	z_stream z = {0};
	int err;

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	if (dictionary.n)
		deflateSetDictionary(&z, (const Bytef *)dictionary.p, (uInt)dictionary.n);
	assert_int_equal(buf_reserve(out, deflateBound(&z, text.n)), 0);
	z.next_in = (Bytef *)(uintptr_t)text.p;
	z.avail_in = (uInt)text.n;
	z.next_out = (Bytef *)out->data + out->len;
	z.avail_out = (uInt)(out->size - out->len);
	err = deflate(&z, Z_FINISH);
	assert_int_equal(err, Z_STREAM_END);
	out->len += z.total_out;
	deflateEnd(&z);
}

static void gzip_encode(struct sv text, struct buf *out)
{
	zlib_encode(text, GZIP_BITS, SV_NONE, out);
}

static void deflate_encode(struct sv text, struct buf *out)
{
	zlib_encode(text, ZLIB_BITS, SV_NONE, out);
}

static void raw_encode(struct sv text, struct buf *out)
{
	zlib_encode(text, RAW_BITS, SV_NONE, out);
}

static void br_encode(struct sv text, struct buf *out)
{
	size_t n = BrotliEncoderMaxCompressedSize(text.n) + 16;

	assert_int_equal(buf_reserve(out, n), 0);
	assert_true(BrotliEncoderCompress(5, 18, BROTLI_MODE_TEXT, text.n, (const uint8_t *)text.p,
		&n, (uint8_t *)out->data + out->len));
	out->len += n;
}

/* With a checksum, so that every damage is found. */
static void zstd_encode(struct sv text, struct buf *out)
{
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	size_t n = ZSTD_compressBound(text.n);

	assert_non_null(ctx);
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	assert_int_equal(buf_reserve(out, n), 0);
	n = ZSTD_compress2(ctx, out->data + out->len, n, text.p, text.n);
	assert_false(ZSTD_isError(n));
	out->len += n;
	ZSTD_freeCCtx(ctx);
}

static const struct encoder {
	const char *header;
	void (*encode)(struct sv text, struct buf *out);
	bool has_checksum;
} encoders[] = {
	{"gzip", gzip_encode, true},
	{"x-gzip", gzip_encode, true},
	{"deflate", deflate_encode, true},
	{"deflate", raw_encode, false},
	{"br", br_encode, false},
	{"zstd", zstd_encode, true},
};

enum { TEXTS = 5 };

/* Nothing, a byte, a line, something compressible and something that is not. */
static void make_text(unsigned number, struct buf *out)
{
	uint32_t random = 12345;

	buf_init(out, MIB(1));
	if (number == 1)
		buf_add_char(out, '{');
	if (number == 2)
		buf_add_lit(out, "{\"model\":\"gpt-5.4\",\"stream\":true,\"input\":\"hello\"}");
	for (int i = 0; number == 3 && i < 400; i++)
		buf_addf(out, "{\"role\":\"user\",\"content\":\"message %d\"},\n", i % 60);
	for (int i = 0; number == 4 && i < 600; i++) {
		random = random * 1103515245 + 12345;
		buf_add_char(out, (char)(random >> 16));
	}
}

/* Decodes body: a first piece, then pieces of step bytes (0: all the rest); 0 or the error. */
static int decode(const char *header, struct sv body, size_t first, size_t step, struct buf *out)
{
	struct inflater *f = NULL;
	size_t from = 0;
	int err = inflater_new(sv_cstr(header), &f);

	assert_int_equal(err, 0);
	assert_non_null(f);
	for (size_t to = first; !err && from < body.n; to = step ? from + step : body.n) {
		size_t n = (to < body.n ? to : body.n) - from;
		char *copy = malloc(n ? n : 1);

		assert_non_null(copy);
		memcpy(copy, body.p + from, n);
		err = inflater_feed(f, sv_make(copy, n), out);
		free(copy);
		from += n;
	}
	if (err)
		assert_int_equal(inflater_feed(f, SV("x"), out), err);
	err = inflater_finish(f, out);
	inflater_free(f);
	return err;
}

static void expect_text(int err, struct buf *out, struct sv text)
{
	assert_int_equal(err, 0);
	assert_int_equal(out->len, text.n);
	assert_true(sv_eq(buf_sv(out), text));
	buf_reset(out, SIZE_MAX);
}

/* Whole, byte by byte, in pieces of 7, and cut in two at every place. */
static void check_all_cuts(const char *header, struct sv body, struct sv text)
{
	struct buf out;

	buf_init(&out, text.n ? text.n : 1);
	expect_text(decode(header, body, body.n, 0, &out), &out, text);
	expect_text(decode(header, body, 1, 1, &out), &out, text);
	expect_text(decode(header, body, 7, 7, &out), &out, text);
	for (size_t i = 0; i < body.n; i++)
		expect_text(decode(header, body, i, 0, &out), &out, text);
	buf_fini(&out);
}

static void every_coding_is_undone_at_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encoders); i++) {
		for (unsigned k = 0; k < TEXTS; k++) {
			struct buf text;
			struct buf body;

			make_text(k, &text);
			buf_init(&body, MIB(1));
			encoders[i].encode(buf_sv(&text), &body);
			check_all_cuts(encoders[i].header, buf_sv(&body), buf_sv(&text));
			buf_fini(&body);
			buf_fini(&text);
		}
	}
}

static void stacked_codings_are_undone_from_the_last(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encoders) * ARRAY_LEN(encoders); i++) {
		const struct encoder *first = &encoders[i / ARRAY_LEN(encoders)];
		const struct encoder *second = &encoders[i % ARRAY_LEN(encoders)];
		char *header = NULL;
		struct buf text;
		struct buf between;
		struct buf body;

		make_text(3, &text);
		buf_init(&between, MIB(1));
		buf_init(&body, MIB(1));
		first->encode(buf_sv(&text), &between);
		second->encode(buf_sv(&between), &body);
		assert_true(asprintf(&header, "%s, %s", first->header, second->header) > 0);
		check_all_cuts(header, buf_sv(&body), buf_sv(&text));
		free(header);
		buf_fini(&body);
		buf_fini(&between);
		buf_fini(&text);
	}
}

static void headers_are_read_as_lists(void **state)
{
	static const struct {
		const char *header;
		int err;
		bool none;
	} rows[] = {
		{"", 0, true},
		{"identity", 0, true},
		{" Identity , ,identity", 0, true},
		{"gzip", 0, false},
		{"GZip", 0, false},
		{"\tbr ", 0, false},
		{"gzip,identity,zstd,", 0, false},
		{"gzip,zstd,br", -ENOTSUP, true},
		{"gzip,gzip,gzip,gzip", -ENOTSUP, true},
		{"compress", -ENOTSUP, true},
		{"gzip2", -ENOTSUP, true},
		{"gzi", -ENOTSUP, true},
		{"gzip;q=1", -ENOTSUP, true},
		{"gzip zstd", -ENOTSUP, true},
		{"zstd, unknown", -ENOTSUP, true},
		{"*", -ENOTSUP, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct inflater *f = NULL;

		assert_int_equal(inflater_new(sv_cstr(rows[i].header), &f), rows[i].err);
		assert_true((f == NULL) == rows[i].none);
		inflater_free(f);
	}
}

static void a_cut_body_is_noticed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encoders); i++) {
		struct buf text;
		struct buf body;
		struct buf out;

		make_text(3, &text);
		buf_init(&body, MIB(1));
		buf_init(&out, MIB(1));
		encoders[i].encode(buf_sv(&text), &body);
		for (size_t n = 0; n < body.len; n++) {
			struct sv cut = sv_make(body.data, n);

			assert_int_equal(decode(encoders[i].header, cut, n, 0, &out), -EBADMSG);
			assert_true(sv_starts(buf_sv(&text), buf_sv(&out)));
			buf_reset(&out, SIZE_MAX);
		}
		buf_fini(&out);
		buf_fini(&body);
		buf_fini(&text);
	}
}

static void bytes_behind_the_end_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encoders); i++) {
		struct sv tails[] = {SV("x"), SV("\0"), SV("\n\r\n"), SV("garbage that is long")};
		struct buf text;

		make_text(2, &text);
		for (size_t k = 0; k < ARRAY_LEN(tails); k++) {
			struct buf body;
			struct buf out;

			buf_init(&body, MIB(1));
			buf_init(&out, MIB(1));
			encoders[i].encode(buf_sv(&text), &body);
			buf_add_sv(&body, tails[k]);
			for (size_t step = 0; step < 2; step++) {
				int err = decode(encoders[i].header, buf_sv(&body),
					step ? 1 : body.len, step, &out);

				assert_int_equal(err, -EBADMSG);
				buf_reset(&out, SIZE_MAX);
			}
			buf_fini(&out);
			buf_fini(&body);
		}
		buf_fini(&text);
	}
}

/* Every byte changed, in three ways: the same answer whole and byte by byte. */
static void damage_is_noticed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encoders); i++) {
		struct buf text;
		struct buf body;
		struct buf whole;
		struct buf bytes;

		make_text(3, &text);
		buf_init(&body, MIB(1));
		buf_init(&whole, MIB(1));
		buf_init(&bytes, MIB(1));
		encoders[i].encode(buf_sv(&text), &body);
		for (size_t k = 0; k < body.len * 3; k++) {
			char *at = body.data + k / 3;
			char old = *at;
			int err;

			*at = (char)(old ^ (k % 3 == 0 ? 1 : k % 3 == 1 ? 0x80 : 0xff));
			err = decode(encoders[i].header, buf_sv(&body), body.len, 0, &whole);
			assert_int_equal(
				decode(encoders[i].header, buf_sv(&body), 1, 1, &bytes), err);
			if (err == 0) {
				assert_true(sv_eq(buf_sv(&whole), buf_sv(&bytes)));
				/* Else it was a byte without meaning: a time stamp and such. */
				assert_true(!encoders[i].has_checksum ||
					    sv_eq(buf_sv(&whole), buf_sv(&text)));
			}
			*at = old;
			buf_reset(&whole, SIZE_MAX);
			buf_reset(&bytes, SIZE_MAX);
		}
		buf_fini(&bytes);
		buf_fini(&whole);
		buf_fini(&body);
		buf_fini(&text);
	}
}

static void members_and_frames_may_follow_one_another(void **state)
{
	static const char skippable[] = "\x50\x2a\x4d\x18\x03\0\0\0abc";
	struct buf body;

	(void)state;
	buf_init(&body, MIB(1));
	gzip_encode(SV("one "), &body);
	gzip_encode(SV_NONE, &body);
	gzip_encode(SV("two"), &body);
	check_all_cuts("gzip", buf_sv(&body), SV("one two"));
	buf_reset(&body, SIZE_MAX);
	zstd_encode(SV("one "), &body);
	buf_add(&body, skippable, sizeof(skippable) - 1);
	zstd_encode(SV("two"), &body);
	check_all_cuts("zstd", buf_sv(&body), SV("one two"));
	buf_fini(&body);
}

static void the_cap_is_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encoders); i++) {
		struct buf text;
		struct buf body;

		make_text(3, &text);
		buf_init(&body, MIB(1));
		encoders[i].encode(buf_sv(&text), &body);
		for (size_t cap = text.len - 3; cap < text.len + 2; cap++) {
			int expected = cap < text.len ? -ENOBUFS : 0;
			struct buf out;

			for (size_t step = 0; step < 2; step++) {
				buf_init(&out, cap);
				assert_int_equal(decode(encoders[i].header, buf_sv(&body),
							 step ? 1 : body.len, step, &out),
					expected);
				assert_int_equal(buf_error(&out), expected);
				assert_true(sv_starts(buf_sv(&text), buf_sv(&out)));
				assert_true(expected || out.len == text.len);
				buf_fini(&out);
			}
		}
		buf_fini(&body);
		buf_fini(&text);
	}
}

/* Damage and cuts at either level, and the cap, through two codings. */
static void stacked_codings_fail_as_single_ones(void **state)
{
	struct buf text;
	struct buf between;
	struct buf body;

	(void)state;
	make_text(3, &text);
	for (size_t step = 0; step < 2; step++) {
		struct buf out;

		buf_init(&between, MIB(1));
		buf_init(&body, MIB(1));
		buf_init(&out, text.len - 1);
		gzip_encode(buf_sv(&text), &between);
		zstd_encode(buf_sv(&between), &body);
		assert_int_equal(
			decode("gzip, zstd", buf_sv(&body), step ? 1 : body.len, step, &out),
			-ENOBUFS);
		buf_fini(&out);
		buf_init(&out, text.len);
		assert_int_equal(
			decode("gzip, zstd", sv_make(body.data, body.len - 1), 1, step, &out),
			-EBADMSG);
		buf_reset(&out, SIZE_MAX);
		body.data[body.len - 1] ^= 1;
		assert_int_equal(decode("gzip, zstd", buf_sv(&body), 1, step, &out), -EBADMSG);
		buf_reset(&out, SIZE_MAX);
		buf_reset(&body, SIZE_MAX);
		between.data[between.len - 1] ^= 1;
		zstd_encode(buf_sv(&between), &body);
		assert_int_equal(decode("gzip, zstd", buf_sv(&body), 1, step, &out), -EBADMSG);
		buf_reset(&out, SIZE_MAX);
		buf_reset(&body, SIZE_MAX);
		zstd_encode(sv_make(between.data, between.len - 1), &body);
		assert_int_equal(decode("gzip, zstd", buf_sv(&body), 1, step, &out), -EBADMSG);
		buf_fini(&out);
		buf_fini(&body);
		buf_fini(&between);
	}
	buf_fini(&text);
}

static void output_goes_behind_what_is_there(void **state)
{
	struct buf body;
	struct buf out;

	(void)state;
	buf_init(&body, 1024);
	buf_init(&out, 8);
	buf_add_lit(&out, "head ");
	gzip_encode(SV("abc"), &body);
	assert_int_equal(decode("gzip", buf_sv(&body), 1, 1, &out), 0);
	assert_int_equal(out.len, 8);
	assert_memory_equal(out.data, "head abc", 8);
	buf_fini(&body);
	buf_fini(&out);
}

static void a_bomb_ends_at_the_cap(void **state)
{
	char *zeros = calloc(1, MIB(32));

	(void)state;
	assert_non_null(zeros);
	for (size_t i = 0; i < ARRAY_LEN(encoders); i++) {
		struct buf body;
		struct buf out;

		buf_init(&body, MIB(40));
		buf_init(&out, MIB(1));
		encoders[i].encode(sv_make(zeros, MIB(32)), &body);
		assert_int_equal(
			decode(encoders[i].header, buf_sv(&body), body.len, 0, &out), -ENOBUFS);
		assert_int_equal(out.len, MIB(1));
		assert_true(out.size <= MIB(1));
		buf_fini(&out);
		buf_fini(&body);
	}
	free(zeros);
}

/* What lies between two codings may be huge and still give nothing at the end. */
static void a_bomb_without_output_ends_too(void **state)
{
	struct buf between;
	struct buf body;
	struct buf out;

	(void)state;
	buf_init(&between, MIB(8));
	buf_init(&body, MIB(8));
	buf_init(&out, KIB(64));
	for (int i = 0; i < 100000; i++)
		gzip_encode(SV_NONE, &between);
	assert_true(between.len > MIB(1) + KIB(64));
	assert_int_equal(decode("gzip", buf_sv(&between), between.len, 0, &out), 0);
	zstd_encode(buf_sv(&between), &body);
	assert_true(body.len < KIB(64));
	assert_int_equal(decode("gzip, zstd", buf_sv(&body), body.len, 0, &out), -ENOBUFS);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
	buf_fini(&body);
	buf_fini(&between);
}

/* The outer coding gives much more at once than is kept between the two. */
static void much_between_two_codings_is_passed_on(void **state)
{
	struct buf between;
	struct buf body;
	struct buf out;

	(void)state;
	buf_init(&between, MIB(1));
	buf_init(&body, MIB(1));
	buf_init(&out, 16);
	while (between.len < KIB(100))
		gzip_encode(SV_NONE, &between);
	gzip_encode(SV("the end"), &between);
	for (size_t i = 0; i < ARRAY_LEN(encoders); i++) {
		char *header = NULL;

		encoders[i].encode(buf_sv(&between), &body);
		assert_true(body.len < KIB(16));
		assert_true(asprintf(&header, "gzip, %s", encoders[i].header) > 0);
		expect_text(decode(header, buf_sv(&body), body.len, 0, &out), &out, SV("the end"));
		free(header);
		buf_reset(&body, SIZE_MAX);
	}
	buf_fini(&out);
	buf_fini(&body);
	buf_fini(&between);
}

static void a_zstd_window_is_limited(void **state)
{
	/* Frame of one empty raw block; the sixth byte is the window's exponent. */
	char frame[] = "\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00";
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	assert_int_equal(decode("zstd", sv_make(frame, 9), 9, 0, &out), 0);
	frame[5] = (char)0x90;
	assert_int_equal(decode("zstd", sv_make(frame, 9), 9, 0, &out), -ENOBUFS);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

/* Magic numbers of the formats before RFC 8878, which the library may know. */
static void old_zstd_formats_are_refused(void **state)
{
	(void)state;
	for (unsigned char magic = 0x20; magic < 0x28; magic++) {
		const char body[] = {(char)magic, '\xb5', '\x2f', '\xfd', 4, '\xfd', 4, '\xcf'};

		for (size_t step = 0; step < 2; step++) {
			struct buf out;

			buf_init(&out, 1024);
			assert_int_equal(decode("zstd", sv_make(body, sizeof(body)),
						 step ? 1 : sizeof(body), step, &out),
				-EBADMSG);
			assert_int_equal(out.len, 0);
			buf_fini(&out);
		}
	}
}

static void a_preset_dictionary_is_refused(void **state)
{
	struct buf body;
	struct buf out;

	(void)state;
	buf_init(&body, 1024);
	buf_init(&out, 1024);
	zlib_encode(SV("hello hello"), ZLIB_BITS, SV("hello"), &body);
	assert_int_equal(decode("deflate", buf_sv(&body), body.len, 0, &out), -EBADMSG);
	buf_fini(&body);
	buf_fini(&out);
}

static void an_empty_body_is_incomplete(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encoders); i++) {
		struct buf out;

		buf_init(&out, 1024);
		assert_int_equal(decode(encoders[i].header, SV_NONE, 0, 0, &out), -EBADMSG);
		buf_fini(&out);
	}
}

static void a_failed_buffer_is_reported(void **state)
{
	struct inflater *f;
	struct buf body;
	struct buf out;

	(void)state;
	buf_init(&body, 1024);
	gzip_encode(SV("abc"), &body);
	buf_init(&out, 1);
	buf_add_lit(&out, "ab");
	assert_int_equal(inflater_new(SV("gzip"), &f), 0);
	assert_int_equal(inflater_feed(f, buf_sv(&body), &out), -ENOBUFS);
	assert_int_equal(inflater_finish(f, &out), -ENOBUFS);
	inflater_free(f);
	inflater_free(NULL);
	buf_fini(&body);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_coding_is_undone_at_every_cut),
		cmocka_unit_test(stacked_codings_are_undone_from_the_last),
		cmocka_unit_test(headers_are_read_as_lists),
		cmocka_unit_test(a_cut_body_is_noticed),
		cmocka_unit_test(bytes_behind_the_end_are_refused),
		cmocka_unit_test(damage_is_noticed),
		cmocka_unit_test(members_and_frames_may_follow_one_another),
		cmocka_unit_test(the_cap_is_exact),
		cmocka_unit_test(stacked_codings_fail_as_single_ones),
		cmocka_unit_test(output_goes_behind_what_is_there),
		cmocka_unit_test(a_bomb_ends_at_the_cap),
		cmocka_unit_test(a_bomb_without_output_ends_too),
		cmocka_unit_test(much_between_two_codings_is_passed_on),
		cmocka_unit_test(a_zstd_window_is_limited),
		cmocka_unit_test(old_zstd_formats_are_refused),
		cmocka_unit_test(a_preset_dictionary_is_refused),
		cmocka_unit_test(an_empty_body_is_incomplete),
		cmocka_unit_test(a_failed_buffer_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
