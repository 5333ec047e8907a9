/* The loop of jtext_skip(), compiled once for each set of instructions. */
#ifndef BASE_JTEXT_BLOCKS_H
#define BASE_JTEXT_BLOCKS_H

#include "base/jblock.h"

#include <stddef.h>

static inline uint64_t jtext_equal(struct jblock b, unsigned char c)
{
	return jblock_bits(jblock_equal(b, c));
}

static inline uint64_t jtext_within(struct jblock b, unsigned char from, unsigned char to)
{
	return jblock_bits(jblock_within(b, from, to));
}

/* Which of these escaped bytes, none of them n, r, t or /, are wrong or longer than the block? */
static inline uint64_t jtext_rare_escapes(struct jblock b, uint64_t escaped)
{
	uint64_t unicode = escaped & jtext_equal(b, 'u');
	uint64_t hex;

	escaped &= ~(unicode | jtext_equal(b, 'b') | jtext_equal(b, 'f'));
	if (!unicode)
		return escaped;
	hex = jblock_bits(jblock_or(jblock_within(b, '0', '9'),
		jblock_within(jblock_or(b, jblock_all(0x20)), 'a', 'f')));
	return escaped | (unicode & ~(hex >> 1 & hex >> 2 & hex >> 3 & hex >> 4));
}

/* The backslashes of escapes that are wrong or longer than the block; takes away the quotes that
 * are escaped. */
static inline uint64_t jtext_wrong_escapes(struct jblock b, uint64_t slashes, uint64_t *quotes)
{
	uint64_t next = 0; /* the block starts with a character of its own */
	uint64_t escaped = jblock_escaped(slashes, &next);
	uint64_t usual =
		jblock_bits(jblock_or(jblock_or(jblock_equal(b, 'n'), jblock_equal(b, 't')),
			jblock_or(jblock_equal(b, 'r'), jblock_equal(b, '/'))));
	uint64_t wrong = escaped & ~(*quotes | slashes | usual);

	if (wrong)
		wrong = jtext_rare_escapes(b, wrong);
	*quotes &= ~escaped;
	return wrong >> 1 | next << 63;
}

/* First bytes of characters of three or four bytes that are wrong or longer than the block. */
static inline uint64_t jtext_wrong_long(
	struct jblock b, uint64_t tails, uint64_t threes, uint64_t *ret_fours)
{
	uint64_t below_a0 = jtext_within(b, 0x80, 0x9f) >> 1;
	uint64_t below_90 = jtext_within(b, 0x80, 0x8f) >> 1;
	uint64_t fours = jtext_within(b, 0xf0, 0xff);
	uint64_t wrong = (threes & ~(tails >> 2)) | (fours & ~(tails >> 3));

	*ret_fours = fours;
	wrong |= (jtext_equal(b, 0xe0) & below_a0) | (jtext_equal(b, 0xed) & ~below_a0);
	if (fours)
		wrong |= (jtext_equal(b, 0xf0) & below_90) | (jtext_equal(b, 0xf4) & ~below_90) |
			 jtext_within(b, 0xf5, 0xff);
	return wrong;
}

/* The first bytes of what is no UTF-8, or longer than the block. */
static inline uint64_t jtext_wrong_wide(struct jblock b, uint64_t wide)
{
	uint64_t tails = jtext_within(b, 0x80, 0xbf);
	uint64_t firsts = wide & ~tails;
	uint64_t twos = jtext_within(b, 0xc2, 0xdf);
	uint64_t threes = 0, fours = 0; /* of three bytes or more, of four or more */
	uint64_t wrong = firsts & ~(tails >> 1);

	if (firsts != twos) {
		threes = jtext_within(b, 0xe0, 0xff);
		wrong |= firsts & ~(twos | threes);
		wrong |= jtext_wrong_long(b, tails, threes, &fours);
	}
	return wrong | (tails & ~(firsts << 1 | threes << 2 | fours << 3));
}

static inline const char *jtext_skip_blocks(const char *p, const char *end)
{
	for (; end - p >= JBLOCK_BYTES; p += JBLOCK_BYTES) {
		struct jblock b = jblock_load(p);
		uint64_t slashes = jtext_equal(b, '\\');
		uint64_t wide = jblock_bits(b);
		uint64_t quotes = jtext_equal(b, '"');
		uint64_t stop = jtext_within(b, 0, 0x1f);

		if (!(slashes | wide))
			return p;
		if (slashes)
			stop |= jtext_wrong_escapes(b, slashes, &quotes);
		if (wide)
			stop |= jtext_wrong_wide(b, wide);
		stop |= quotes;
		if (stop)
			return p + __builtin_ctzll(stop);
	}
	return p;
}

#endif
