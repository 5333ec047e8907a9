#include "base/jskip.h"

#include "base/jblock.h"
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

/* Where a block starts: its first byte may be escaped, or inside of a string. */
struct carry {
	uint64_t escaped; /* 0 or 1 */
	uint64_t inside;  /* all bits or none */
};

/* From each quote to before the next: the parity of the quotes up to each bit. */
static uint64_t inside_strings(uint64_t quotes, struct carry *carry)
{
	for (unsigned shift = 1; shift < 64; shift *= 2)
		quotes ^= quotes << shift;
	quotes ^= carry->inside;
	carry->inside = 0 - (quotes >> 63);
	return quotes;
}

/* Number of bits below the close that brings *depth to 0; else -1, and *depth behind the block. */
static int find_close(uint64_t opens, uint64_t closes, size_t *depth)
{
	for (; closes; closes &= closes - 1) {
		uint64_t below = (closes & -closes) - 1;

		for (; opens & below; opens &= opens - 1)
			++*depth;
		if (--*depth == 0)
			return __builtin_ctzll(closes);
	}
	for (; opens; opens &= opens - 1)
		++*depth;
	return -1;
}

/* Brackets outside of strings in the block at p. */
static void read_brackets(const char *p, struct carry *carry, uint64_t *opens, uint64_t *closes)
{
	struct jblock b = jblock_load(p);
	struct jblock folded = jblock_or(b, jblock_all(0x20));
	uint64_t quotes = jblock_bits(jblock_equal(b, '"'));
	uint64_t slashes = jblock_bits(jblock_equal(b, '\\'));
	uint64_t outside;

	quotes &= ~jblock_escaped(slashes, &carry->escaped);
	outside = ~inside_strings(quotes, carry);
	/* Bit 0x20 is all that '[' and '{', ']' and '}' differ in. */
	*opens = jblock_bits(jblock_equal(folded, '{')) & outside;
	*closes = jblock_bits(jblock_equal(folded, '}')) & outside;
}

static const char *skip_container(const char *p, const char *end)
{
	struct carry carry = {0, 0};
	size_t depth = 0;

	for (;; p += JBLOCK_BYTES) {
		char tail[JBLOCK_BYTES];
		const char *block = p;
		uint64_t opens, closes;

		if (end - p < JBLOCK_BYTES) {
			memset(tail, ' ', JBLOCK_BYTES);
			memcpy(tail, p, (size_t)(end - p));
			block = tail;
		}
		read_brackets(block, &carry, &opens, &closes);
		if (opens | closes) {
			int at = find_close(opens, closes, &depth);

			if (at >= 0)
				return p + at + 1;
		}
		if (end - p <= JBLOCK_BYTES)
			return end;
	}
}

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
		if (end - p > 1 && p[1] == *p + 2) /* the bracket that closes it */
			return p + 2;
		return end - p > JSPAN_PROBE ? skip_long_container(p, end) : skip_container(p, end);
	case 't':
	case 'n':
		return end - p > 4 ? p + 4 : end;
	case 'f':
		return end - p > 5 ? p + 5 : end;
	default:
		return skip_scalar(p, end);
	}
}
