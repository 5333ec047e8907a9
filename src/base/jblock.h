/*
 * 64 bytes of JSON text looked at together. A question gives a mask of those bytes that are so;
 * jblock_bits() makes one bit a byte of it, the first byte lowest. AVX2 (in files that are compiled
 * for it), SSE2, NEON, or plain words. Private to the files of the JSON reader.
 */
#ifndef BASE_JBLOCK_H
#define BASE_JBLOCK_H

#include <stdint.h>
#include <string.h>

enum { JBLOCK_BYTES = 64 };

#if defined(JBLOCK_PORTABLE)
#define JBLOCK_WORDS
#elif defined(__AVX2__)

#include <immintrin.h>

typedef __m256i jblock_vector;

static inline jblock_vector jblock_v_load(const char *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline jblock_vector jblock_v_all(unsigned char c)
{
	return _mm256_set1_epi8((char)c);
}

static inline jblock_vector jblock_v_equal(jblock_vector a, jblock_vector b)
{
	return _mm256_cmpeq_epi8(a, b);
}

static inline jblock_vector jblock_v_or(jblock_vector a, jblock_vector b)
{
	return _mm256_or_si256(a, b);
}

static inline jblock_vector jblock_v_least(jblock_vector a, jblock_vector b)
{
	return _mm256_min_epu8(a, b);
}

static inline jblock_vector jblock_v_minus(jblock_vector a, jblock_vector b)
{
	return _mm256_sub_epi8(a, b);
}

static inline uint64_t jblock_v_bits(const jblock_vector *x)
{
	return (unsigned)_mm256_movemask_epi8(x[0]) | (uint64_t)(unsigned)_mm256_movemask_epi8(x[1])
							      << 32;
}

#elif defined(__SSE2__)

#include <emmintrin.h>

typedef __m128i jblock_vector;

static inline jblock_vector jblock_v_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline jblock_vector jblock_v_all(unsigned char c)
{
	return _mm_set1_epi8((char)c);
}

static inline jblock_vector jblock_v_equal(jblock_vector a, jblock_vector b)
{
	return _mm_cmpeq_epi8(a, b);
}

static inline jblock_vector jblock_v_or(jblock_vector a, jblock_vector b)
{
	return _mm_or_si128(a, b);
}

static inline jblock_vector jblock_v_least(jblock_vector a, jblock_vector b)
{
	return _mm_min_epu8(a, b);
}

static inline jblock_vector jblock_v_minus(jblock_vector a, jblock_vector b)
{
	return _mm_sub_epi8(a, b);
}

static inline uint64_t jblock_v_bits(const jblock_vector *x)
{
	uint64_t low = (unsigned)_mm_movemask_epi8(x[0]) | (unsigned)_mm_movemask_epi8(x[1]) << 16;
	uint64_t high = (unsigned)_mm_movemask_epi8(x[2]) | (unsigned)_mm_movemask_epi8(x[3]) << 16;

	return low | high << 32;
}

#elif defined(__ARM_NEON) && defined(__aarch64__)

#include <arm_neon.h>

typedef uint8x16_t jblock_vector;

static inline jblock_vector jblock_v_load(const char *p)
{
	return vld1q_u8((const uint8_t *)p);
}

static inline jblock_vector jblock_v_all(unsigned char c)
{
	return vdupq_n_u8(c);
}

static inline jblock_vector jblock_v_equal(jblock_vector a, jblock_vector b)
{
	return vceqq_u8(a, b);
}

static inline jblock_vector jblock_v_or(jblock_vector a, jblock_vector b)
{
	return vorrq_u8(a, b);
}

static inline jblock_vector jblock_v_least(jblock_vector a, jblock_vector b)
{
	return vminq_u8(a, b);
}

static inline jblock_vector jblock_v_minus(jblock_vector a, jblock_vector b)
{
	return vsubq_u8(a, b);
}

/* Each byte keeps a bit of its own; three sums of neighbours put eight of them into one byte. */
static inline uint64_t jblock_v_bits(const jblock_vector *x)
{
	static const uint8_t weights[16] = {
		1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
	const uint8x16_t weight = vld1q_u8(weights);
	uint8x16_t part[4];

	for (int i = 0; i < 4; i++) /* of the highest bit alone */
		part[i] = vandq_u8(
			vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8(x[i]), 7)), weight);
	part[0] = vpaddq_u8(vpaddq_u8(part[0], part[1]), vpaddq_u8(part[2], part[3]));
	return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(part[0], part[0])), 0);
}

#else
#define JBLOCK_WORDS
#endif

#ifndef JBLOCK_WORDS

enum { JBLOCK_PARTS = JBLOCK_BYTES / (int)sizeof(jblock_vector) };

struct jblock {
	jblock_vector part[JBLOCK_PARTS];
};

static inline struct jblock jblock_load(const char *p)
{
	struct jblock b;

#pragma GCC unroll 4
	for (unsigned i = 0; i < JBLOCK_PARTS; i++)
		b.part[i] = jblock_v_load(p + sizeof(jblock_vector) * i);
	return b;
}

/* Bytes that are c. */
static inline struct jblock jblock_equal(struct jblock b, unsigned char c)
{
#pragma GCC unroll 4
	for (unsigned i = 0; i < JBLOCK_PARTS; i++)
		b.part[i] = jblock_v_equal(b.part[i], jblock_v_all(c));
	return b;
}

/* Bytes in [from, to]. */
static inline struct jblock jblock_within(struct jblock b, unsigned char from, unsigned char to)
{
#pragma GCC unroll 4
	for (unsigned i = 0; i < JBLOCK_PARTS; i++) {
		jblock_vector above = jblock_v_minus(b.part[i], jblock_v_all(from));

		b.part[i] = jblock_v_equal(
			jblock_v_least(above, jblock_v_all((unsigned char)(to - from))), above);
	}
	return b;
}

/* Bytes with these bits set as well; of masks: those of either. */
static inline struct jblock jblock_or(struct jblock a, struct jblock b)
{
#pragma GCC unroll 4
	for (unsigned i = 0; i < JBLOCK_PARTS; i++)
		a.part[i] = jblock_v_or(a.part[i], b.part[i]);
	return a;
}

static inline struct jblock jblock_all(unsigned char c)
{
	struct jblock b;

#pragma GCC unroll 4
	for (unsigned i = 0; i < JBLOCK_PARTS; i++)
		b.part[i] = jblock_v_all(c);
	return b;
}

/* Of a mask, or of text: its bytes of 0x80 and above. */
static inline uint64_t jblock_bits(struct jblock mask)
{
	return jblock_v_bits(mask.part);
}

#else

#define JBLOCK_ONES UINT64_C(0x0101010101010101)
#define JBLOCK_LOWS UINT64_C(0x7f7f7f7f7f7f7f7f)

enum { JBLOCK_PARTS = JBLOCK_BYTES / 8 };

/* Words with their first byte lowest. Of a mask's bytes the highest bit counts. */
struct jblock {
	uint64_t part[JBLOCK_PARTS];
};

static inline struct jblock jblock_load(const char *p)
{
	struct jblock b;

	memcpy(&b, p, sizeof(b));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	for (unsigned i = 0; i < JBLOCK_PARTS; i++)
		b.part[i] = __builtin_bswap64(b.part[i]);
#endif
	return b;
}

static inline struct jblock jblock_equal(struct jblock b, unsigned char c)
{
	for (unsigned i = 0; i < JBLOCK_PARTS; i++) {
		uint64_t x = b.part[i] ^ JBLOCK_ONES * c;

		b.part[i] = ~(((x & JBLOCK_LOWS) + JBLOCK_LOWS) | x); /* no carry between bytes */
	}
	return b;
}

/* Bytes of a word that are at least c. */
static inline uint64_t jblock_at_least(uint64_t word, unsigned char c)
{
	uint64_t lows = (word & JBLOCK_LOWS) + JBLOCK_ONES * (0x80u - (c & 0x7fu));

	return c & 0x80 ? lows & word : lows | word;
}

static inline struct jblock jblock_within(struct jblock b, unsigned char from, unsigned char to)
{
	for (unsigned i = 0; i < JBLOCK_PARTS; i++) {
		uint64_t above =
			to < 0xff ? jblock_at_least(b.part[i], (unsigned char)(to + 1)) : 0;

		b.part[i] = jblock_at_least(b.part[i], from) & ~above;
	}
	return b;
}

static inline struct jblock jblock_or(struct jblock a, struct jblock b)
{
	for (unsigned i = 0; i < JBLOCK_PARTS; i++)
		a.part[i] |= b.part[i];
	return a;
}

static inline struct jblock jblock_all(unsigned char c)
{
	struct jblock b;

	for (unsigned i = 0; i < JBLOCK_PARTS; i++)
		b.part[i] = JBLOCK_ONES * c;
	return b;
}

static inline uint64_t jblock_bits(struct jblock mask)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < JBLOCK_PARTS; i++) {
		uint64_t highs = mask.part[i] >> 7 & JBLOCK_ONES;

		bits |= (highs * UINT64_C(0x0102040810204080) >> 56) << 8 * i;
	}
	return bits;
}

#endif

/*
 * The bytes behind an odd number of backslashes (as in simdjson's first stage). *escaped: 1 when
 * the block's first byte is one of them, and then whether the next block's is; else 0.
 */
static inline uint64_t jblock_escaped(uint64_t slashes, uint64_t *escaped)
{
	const uint64_t even = UINT64_C(0x5555555555555555);
	uint64_t follows;
	uint64_t odd_starts;
	uint64_t even_sums;

	if (slashes == 0) {
		follows = *escaped;
		*escaped = 0;
		return follows;
	}
	slashes &= ~*escaped;
	follows = slashes << 1 | *escaped;
	odd_starts = slashes & ~even & ~follows;
	*escaped = __builtin_add_overflow(odd_starts, slashes, &even_sums);
	return (even ^ even_sums << 1) & follows;
}

#endif
