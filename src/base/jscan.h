/*
 * Scanning shared by the files of the JSON reader and writer, and private to them: runs of bytes
 * that stand for themselves inside a JSON string, and UTF-8 characters. 16 bytes at a time with
 * SSE2, else 8 with plain words. Nothing reads at or behind end.
 */
#ifndef BASE_JSCAN_H
#define BASE_JSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define JSCAN_ONES UINT64_C(0x0101010101010101)
#define JSCAN_HIGHS UINT64_C(0x8080808080808080)

static inline uint64_t jscan_load8(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* Not 0 when a byte of word is c. */
static inline uint64_t jscan_has(uint64_t word, unsigned char c)
{
	uint64_t x = word ^ (JSCAN_ONES * c);

	return (x - JSCAN_ONES) & ~x & JSCAN_HIGHS;
}

/* Not 0 when a byte of word is a quote, a backslash, a control character or not ASCII. */
static inline uint64_t jscan_has_special(uint64_t word)
{
	return jscan_has(word, '"') | jscan_has(word, '\\') | (word & JSCAN_HIGHS) |
	       ((word - JSCAN_ONES * 0x20) & ~word & JSCAN_HIGHS);
}

static inline bool jscan_is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static inline bool jscan_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *jscan_skip_space(const char *p, const char *end)
{
	while (p < end && jscan_is_space(*p))
		p++;
	return p;
}

/* Value of a hexadecimal digit, or -1. */
static inline int jscan_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* First byte in [p, end) that is a quote, a backslash, a control character or not ASCII. */
static inline const char *jscan_plain_run(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i slash = _mm_set1_epi8('\\');
	const __m128i space = _mm_set1_epi8(' ');

	while (end - p >= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i odd = _mm_or_si128(
			_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash)),
			_mm_cmplt_epi8(x, space)); /* signed: controls and all above 0x7f */
		unsigned mask = (unsigned)_mm_movemask_epi8(odd);

		if (mask)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#endif
	while (end - p >= 8 && !jscan_has_special(jscan_load8(p)))
		p += 8;
	while (p < end && jscan_is_plain((unsigned char)*p))
		p++;
	return p;
}

/* First quote or backslash in [p, end). */
static inline const char *jscan_quote_or_slash(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i slash = _mm_set1_epi8('\\');

	while (end - p >= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		unsigned mask = (unsigned)_mm_movemask_epi8(
			_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash)));

		if (mask)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#endif
	while (end - p >= 8 && !(jscan_has(jscan_load8(p), '"') | jscan_has(jscan_load8(p), '\\')))
		p += 8;
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

/*
 * Copies [p, end) up to the first backslash, whose place is returned. dst has room for end - p
 * bytes; those behind the copy may be overwritten.
 */
static inline const char *jscan_copy_to_slash(const char *p, const char *end, char *dst)
{
#ifdef __SSE2__
	const __m128i slash = _mm_set1_epi8('\\');

	while (end - p >= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, slash));

		_mm_storeu_si128((__m128i *)(void *)dst, x);
		if (mask)
			return p + __builtin_ctz(mask);
		p += 16;
		dst += 16;
	}
#endif
	while (p < end && *p != '\\')
		*dst++ = *p++;
	return p;
}

static inline bool jscan_is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/*
 * Length of the character of two to four bytes at p (p < end, *p >= 0x80), or 0 when it is not
 * UTF-8: cut off, overlong, a surrogate or above U+10FFFF.
 */
static inline size_t jscan_utf8(const char *text, const char *end)
{
	const unsigned char *p = (const unsigned char *)text;
	ptrdiff_t left = end - text;

	if (p[0] < 0xe0)
		return p[0] >= 0xc2 && left >= 2 && jscan_is_tail(p[1]) ? 2 : 0;
	if (p[0] < 0xf0) {
		if (left < 3 || !jscan_is_tail(p[1]) || !jscan_is_tail(p[2]))
			return 0;
		if (p[0] == 0xe0 && p[1] < 0xa0)
			return 0;
		return p[0] == 0xed && p[1] > 0x9f ? 0 : 3;
	}
	if (p[0] > 0xf4 || left < 4)
		return 0;
	if (!jscan_is_tail(p[1]) || !jscan_is_tail(p[2]) || !jscan_is_tail(p[3]))
		return 0;
	if (p[0] == 0xf0 && p[1] < 0x90)
		return 0;
	return p[0] == 0xf4 && p[1] > 0x8f ? 0 : 4;
}

#endif
