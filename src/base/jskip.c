#include "base/jskip.h"

#include "base/jscan.h"
#include "base/jspan.h"

const char *jskip_string(const char *p, const char *end)
{
	for (;;) {
		p = jscan_quote_or_slash(p, end);
		if (p == end || *p == '"')
			return p;
		if (end - p < 2)
			return end;
		p += 2;
	}
}

static const char *behind_string(const char *p, const char *end)
{
	p = jskip_string(p + 1, end);
	return p == end ? end : p + 1;
}

#ifdef __SSE2__

enum { BLOCK = JSCAN_BLOCK };

/* What stands where in a block of 64 bytes: one bit a byte, the first byte lowest. */
struct marks {
	uint64_t quotes;
	uint64_t slashes;
	uint64_t opens;
	uint64_t closes;
};

/* Where a block starts: its first byte may be escaped, or inside of a string. */
struct carry {
	uint64_t escaped; /* 0 or 1 */
	uint64_t inside;  /* all bits or none */
};

static struct marks read_marks(const char *p)
{
	struct marks m = {0};

#pragma GCC unroll 4
	for (unsigned at = 0; at < BLOCK; at += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
		/* Bit 0x20 is all that '[' and '{', ']' and '}' differ in. */
		__m128i folded = _mm_or_si128(x, _mm_set1_epi8(0x20));

		m.quotes |= jscan_equal(x, '"') << at;
		m.slashes |= jscan_equal(x, '\\') << at;
		m.opens |= jscan_equal(folded, '{') << at;
		m.closes |= jscan_equal(folded, '}') << at;
	}
	return m;
}

/* From each quote to before the next: the parity of the quotes up to each bit. */
static uint64_t inside_strings(uint64_t quotes, struct carry *carry)
{
	for (unsigned shift = 1; shift < 64; shift *= 2)
		quotes ^= quotes << shift;
	quotes ^= carry->inside;
	carry->inside = 0 - (quotes >> 63);
	return quotes;
}

/* Number of bits below the close that brings depth to 0, or -1. */
static int find_close(uint64_t opens, uint64_t closes, size_t depth)
{
	for (size_t closed = 1; closes; closes &= closes - 1, closed++) {
		int at = __builtin_ctzll(closes);
		uint64_t before = opens & ((UINT64_C(1) << at) - 1);

		if (depth + (size_t)__builtin_popcountll(before) == closed)
			return at;
	}
	return -1;
}

/* Brackets outside of strings in the block at p. */
static struct marks read_brackets(const char *p, struct carry *carry)
{
	struct marks m = read_marks(p);
	uint64_t outside;

	m.quotes &= ~jscan_escaped(m.slashes, &carry->escaped);
	outside = ~inside_strings(m.quotes, carry);
	m.opens &= outside;
	m.closes &= outside;
	return m;
}

static const char *skip_container(const char *p, const char *end)
{
	struct carry carry = {0, 0};
	size_t depth = 0;

	for (;; p += BLOCK) {
		char tail[BLOCK];
		const char *block = p;
		struct marks m;

		if (end - p < BLOCK) {
			memset(tail, ' ', BLOCK);
			memcpy(tail, p, (size_t)(end - p));
			block = tail;
		}
		m = read_brackets(block, &carry);
		if (m.opens | m.closes) {
			int at = find_close(m.opens, m.closes, depth);

			if (at >= 0)
				return p + at + 1;
			depth += (size_t)__builtin_popcountll(m.opens);
			depth -= (size_t)__builtin_popcountll(m.closes);
		}
		if (end - p <= BLOCK)
			return end;
	}
}

#else

static const char *skip_container(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		char c = *p;

		if (c == '"') {
			p = behind_string(p, end);
			continue;
		}
		p++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			break;
	}
	return p;
}

#endif

/* The end of a value that starts at p, or NULL when it has to be read. */
static const char *look_up(const char *p, const char *end)
{
	const char *behind = jspan_is_any() ? jspan_find(p) : NULL;

	return behind && behind <= end ? behind : NULL;
}

/* Only what is long can have been noted: its first bytes tell whether it is. */
static const char *skip_text(const char *p, const char *end)
{
	const char *near = p + JSPAN_PROBE;
	const char *behind;

	if (end - p <= JSPAN_PROBE)
		return behind_string(p, end);
	behind = jskip_string(p + 1, near);
	if (behind < near)
		return behind + 1;
	behind = look_up(p, end);
	return behind ? behind : behind_string(p, end);
}

static const char *skip_long_container(const char *p, const char *end)
{
	const char *behind = skip_container(p, p + JSPAN_PROBE);

	if (behind < p + JSPAN_PROBE)
		return behind;
	behind = look_up(p, end);
	return behind ? behind : skip_container(p, end);
}

static const char *skip_scalar(const char *p, const char *end)
{
	while (p < end && *p != ',' && *p != ']' && *p != '}' && !jscan_is_space(*p))
		p++;
	return p;
}

const char *jskip_value(const char *p, const char *end)
{
	if (p == end)
		return p;
	switch (*p) {
	case '"':
		return skip_text(p, end);
	case '{':
	case '[':
		return end - p > JSPAN_PROBE ? skip_long_container(p, end) : skip_container(p, end);
	default:
		return skip_scalar(p, end);
	}
}
