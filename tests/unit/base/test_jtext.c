/*
 * The blocks of the JSON reader against plain loops over the same bytes: as the program chooses
 * them for this processor, and as they are compiled here.
 */
#include "base/jscan.h"
#include "base/jtext.h"
#include "base/jtext_blocks.h"
#include "base/sv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ALIGNMENTS = 32, LONGEST = 4 * JBLOCK_BYTES, ROUNDS = 200000 };

/* --- masks --- */

typedef bool question(unsigned char byte, unsigned char from, unsigned char to);

static bool is_equal(unsigned char byte, unsigned char from, unsigned char to)
{
	(void)to;
	return byte == from;
}

static bool is_within(unsigned char byte, unsigned char from, unsigned char to)
{
	return byte >= from && byte <= to;
}

static bool is_wide(unsigned char byte, unsigned char from, unsigned char to)
{
	(void)from;
	(void)to;
	return byte >= 0x80;
}

static uint64_t ask(const unsigned char *p, question *q, unsigned char from, unsigned char to)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < JBLOCK_BYTES; i++)
		bits |= (uint64_t)q(p[i], from, to) << i;
	return bits;
}

static void check_masks(const unsigned char *p, unsigned char from, unsigned char to)
{
	struct jblock b = jblock_load((const char *)p);
	struct jblock either = jblock_or(jblock_equal(b, from), jblock_equal(b, to));

	assert_true(jblock_bits(b) == ask(p, is_wide, 0, 0));
	assert_true(jblock_bits(jblock_equal(b, from)) == ask(p, is_equal, from, 0));
	assert_true(jblock_bits(either) == (ask(p, is_equal, from, 0) | ask(p, is_equal, to, 0)));
	if (from <= to)
		assert_true(jblock_bits(jblock_within(b, from, to)) == ask(p, is_within, from, to));
}

static void masks_are_of_every_byte_at_every_place(void **state)
{
	unsigned char block[JBLOCK_BYTES];

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		for (unsigned at = 0; at < JBLOCK_BYTES; at++) {
			memset(block, (int)(255 - byte), sizeof(block));
			block[at] = (unsigned char)byte;
			check_masks(block, (unsigned char)byte, 0xff);
			check_masks(block, 0, (unsigned char)byte);
		}
	}
}

static void masks_are_of_every_range(void **state)
{
	unsigned char bytes[256 + JBLOCK_BYTES];

	(void)state;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	for (unsigned from = 0; from < 256; from++) {
		for (unsigned to = 0; to < 256; to++)
			check_masks(
				bytes + (from + to) % 256, (unsigned char)from, (unsigned char)to);
	}
}

static void all_has_one_byte(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		struct jblock b = jblock_equal(jblock_all((unsigned char)c), (unsigned char)c);

		assert_true(jblock_bits(b) == UINT64_MAX);
	}
}

/* One backslash after the other, as a reader of bytes sees them. */
static uint64_t escaped_by_loop(uint64_t slashes, uint64_t *escaped)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 64; i++) {
		bits |= *escaped << i;
		*escaped = !*escaped && (slashes >> i & 1);
	}
	return bits;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void escapes_go_on_in_the_next_block(void **state)
{
	uint64_t random = 1, carried = 0, expected = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t slashes = next_random(&random);

		if (i % 3)
			slashes |= next_random(&random) | next_random(&random);
		assert_true(
			jblock_escaped(slashes, &carried) == escaped_by_loop(slashes, &expected));
		assert_true(carried == expected);
	}
}

/* --- text --- */

static size_t unicode_escape(const char *p, const char *end)
{
	for (int i = 2; i < 6; i++) {
		if (p + i >= end || jscan_hex(p[i]) < 0)
			return 0;
	}
	return 6;
}

/* Length of the character or escape at p, or 0 when it is none that may stand in a string. */
static size_t unit_length(const char *p, const char *end)
{
	unsigned char c = (unsigned char)*p;

	if (c >= 0x80)
		return jscan_utf8(p, end);
	if (c < 0x20 || c == '"')
		return 0;
	if (c != '\\')
		return 1;
	if (p + 1 == end)
		return 0;
	if (p[1] == 'u')
		return unicode_escape(p, end);
	return p[1] && strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
}

static bool is_plain(const char *p)
{
	for (int i = 0; i < JBLOCK_BYTES; i++) {
		if ((unsigned char)p[i] >= 0x80 || p[i] == '\\')
			return false;
	}
	return true;
}

/* What jtext.h promises, block by block. */
static const char *skip_by_loop(const char *p, const char *end)
{
	while (end - p >= JBLOCK_BYTES && !is_plain(p)) {
		const char *behind = p + JBLOCK_BYTES;

		while (p < behind) {
			size_t n = unit_length(p, behind);

			if (n == 0)
				return p;
			p += n;
		}
	}
	return p;
}

static void check_skip(const char *p, const char *end)
{
	const char *expected = skip_by_loop(p, end);

	assert_ptr_equal(jtext_skip(p, end), expected);
	assert_ptr_equal(jtext_skip_blocks(p, end), expected);
}

/* text at the end of an allocation of its own, so that a sanitizer sees what is read behind it. */
static void check_text(const char *text, size_t n, size_t alignment)
{
	char *copy = malloc(alignment + n + 1);

	assert_non_null(copy);
	copy = realloc(copy, alignment + n ? alignment + n : 1);
	assert_non_null(copy);
	memset(copy, '\\', alignment);
	if (n)
		memcpy(copy + alignment, text, n);
	check_skip(copy + alignment, copy + alignment + n);
	free(copy);
}

static void every_byte_at_every_place(void **state)
{
	static const char *const fills[] = {"a", "\\n", "\xc3\xa9", "\xe6\x97\xa5"};
	char text[JBLOCK_BYTES + 8];

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(fills); f++) {
		for (unsigned i = 0; i < sizeof(text); i++)
			text[i] = fills[f][i % strlen(fills[f])];
		for (unsigned at = 0; at < JBLOCK_BYTES; at++) {
			char before = text[at];

			for (unsigned byte = 0; byte < 256; byte++) {
				text[at] = (char)byte;
				check_text(text, sizeof(text), byte % ALIGNMENTS);
			}
			text[at] = before;
		}
	}
}

static void every_length_at_every_alignment(void **state)
{
	char text[LONGEST];

	(void)state;
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = "\\n\xc3\xa9\\\"\xf0\x9f\x98\x80x"[i % 11];
	for (size_t n = 0; n <= sizeof(text); n++) {
		for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++)
			check_text(text, n, alignment);
	}
}

/* Right and wrong ones, each of which falls on every border of a block. */
static const struct sv pieces[] = {
	SV("a"),
	SV("some plain words"),
	SV("\\n"),
	SV("\\\\"),
	SV("\\\""),
	SV("\\/"),
	SV("\\b"),
	SV("\\f"),
	SV("\\r"),
	SV("\\t"),
	SV("\\u00e9"),
	SV("\\uD83d\\uDE00"),
	SV("\\\\u12"),
	SV("\xc2\x80"),
	SV("\xdf\xbf"),
	SV("\xe0\xa0\x80"),
	SV("\xed\x9f\xbf"),
	SV("\xee\x80\x80"),
	SV("\xef\xbf\xbf"),
	SV("\xf0\x90\x80\x80"),
	SV("\xf4\x8f\xbf\xbf"),
	SV("\x7f"),
	/* from here on wrong */
	SV("\""),
	SV("\\"),
	SV("\\x"),
	SV("\\u12"),
	SV("\\u12g4"),
	SV("\\U1234"),
	SV("\x1f"),
	SV("\0"),
	SV("\x80"),
	SV("\xbf"),
	SV("\xc0\x80"),
	SV("\xc1\xbf"),
	SV("\xc2"),
	SV("\xc2\xc2"),
	SV("\xe0\x9f\xbf"),
	SV("\xe0\xa0"),
	SV("\xed\xa0\x80"),
	SV("\xef\xbf"),
	SV("\xf0\x8f\xbf\xbf"),
	SV("\xf0\x90\x80"),
	SV("\xf4\x90\x80\x80"),
	SV("\xf5\x80\x80\x80"),
	SV("\xff"),
	SV("\xfe"),
};
enum { RIGHT = 22 };

static void every_piece_across_every_border(void **state)
{
	static const char *const around[] = {"x", "\\t", "\xc3\xa9", "\xe2\x82\xac", "\\u20ac"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		for (size_t at = 0; at < 2 * JBLOCK_BYTES; at++) {
			const char *fill = around[at % ARRAY_LEN(around)];
			struct sv unit = sv_cstr(fill);
			char text[LONGEST];
			size_t n = 0;

			while (n < at)
				text[n++] = 'x';
			memcpy(text + n, pieces[i].p, pieces[i].n);
			for (n += pieces[i].n; n + unit.n <= sizeof(text); n += unit.n)
				memcpy(text + n, unit.p, unit.n);
			text[0] = 'y';
			check_text(text, n, at % ALIGNMENTS);
			check_text(text + 1, n - 1, at % ALIGNMENTS);
			memcpy(text, "\\n", at >= 2 ? 2 : 0); /* no plain block before it */
			check_text(text, n, at % ALIGNMENTS);
		}
	}
}

static void pieces_in_any_order(void **state)
{
	uint64_t random = 7;

	(void)state;
	for (int round = 0; round < ROUNDS / 4; round++) {
		size_t from = round % 4 ? RIGHT : ARRAY_LEN(pieces);
		char text[LONGEST];
		size_t n = 0;

		while (n < sizeof(text) - 16) {
			struct sv piece = pieces[(next_random(&random) >> 33) % from];

			memcpy(text + n, piece.p, piece.n);
			n += piece.n;
		}
		check_text(text, n, (size_t)round % ALIGNMENTS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masks_are_of_every_byte_at_every_place),
		cmocka_unit_test(masks_are_of_every_range),
		cmocka_unit_test(all_has_one_byte),
		cmocka_unit_test(escapes_go_on_in_the_next_block),
		cmocka_unit_test(every_byte_at_every_place),
		cmocka_unit_test(every_length_at_every_alignment),
		cmocka_unit_test(every_piece_across_every_border),
		cmocka_unit_test(pieces_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
