#include "base/sv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Not strncasecmp(): that stops at a NUL and asks the locale. */
bool sv_ieq_bytes(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

bool sv_starts(struct sv s, struct sv prefix)
{
	return s.n >= prefix.n && sv_eq(sv_make(s.p, prefix.n), prefix);
}

bool sv_istarts(struct sv s, struct sv prefix)
{
	return s.n >= prefix.n && sv_ieq(sv_make(s.p, prefix.n), prefix);
}

bool sv_ends(struct sv s, struct sv suffix)
{
	return s.n >= suffix.n && sv_eq(sv_from(s, s.n - suffix.n), suffix);
}

ptrdiff_t sv_find(struct sv hay, struct sv needle)
{
	const char *hit;

	if (needle.n == 0)
		return 0;
	if (hay.n < needle.n)
		return -1;
	hit = memmem(hay.p, hay.n, needle.p, needle.n);
	return hit ? hit - hay.p : -1;
}

ptrdiff_t sv_ifind(struct sv hay, struct sv needle)
{
	for (size_t i = 0; i + needle.n <= hay.n; i++) {
		if (sv_ieq(sv_make(hay.p + i, needle.n), needle))
			return (ptrdiff_t)i;
	}
	return -1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct sv sv_trim(struct sv s)
{
	while (s.n && is_space(s.p[0]))
		s = sv_from(s, 1);
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct sv sv_from(struct sv s, size_t offset)
{
	if (offset > s.n)
		offset = s.n;
	if (offset == 0) /* p may be NULL */
		return s;
	return sv_make(s.p + offset, s.n - offset);
}

struct sv sv_split(struct sv *rest, char sep)
{
	const char *hit = rest->n ? memchr(rest->p, sep, rest->n) : NULL;
	struct sv head = *rest;

	if (!hit) {
		*rest = SV_NONE;
		return head;
	}
	head.n = (size_t)(hit - rest->p);
	*rest = sv_from(*rest, head.n + 1);
	return head;
}

void sv_cut(struct sv s, char *out, size_t size)
{
	size_t n = s.n < size ? s.n : size - 1;

	if (n)
		memcpy(out, s.p, n);
	out[n] = '\0';
}

int sv_u64(struct sv s, uint64_t *ret)
{
	uint64_t value = 0;

	if (s.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		if (digit > 9)
			return -EINVAL;
		if (value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}
	*ret = value;
	return 0;
}

int sv_i64(struct sv s, int64_t *ret)
{
	bool negative = s.n && s.p[0] == '-';
	uint64_t magnitude;
	int err = sv_u64(negative ? sv_from(s, 1) : s, &magnitude);

	if (err)
		return err;
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*ret = (int64_t)(negative ? -magnitude : magnitude);
	return 0;
}

int sv_f64(struct sv s, double *ret)
{
	char text[64];
	char *end;
	double value;
	uint64_t whole;

	if (s.n < 16 && !sv_u64(s, &whole)) { /* most are, and strtod() is slow */
		*ret = (double)whole;
		return 0;
	}
	if (s.n == 0 || s.n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	/* strtod() would take white space, hexadecimal digits, "inf" and "nan" too. */
	if (strspn(text, "0123456789.eE+-") != s.n)
		return -EINVAL;
	value = strtod(text, &end);
	if (*end || end == text)
		return -EINVAL;
	if (!isfinite(value))
		return -ERANGE;
	*ret = value;
	return 0;
}

uint64_t sv_hash(struct sv s, uint64_t seed)
{
	for (size_t i = 0; i < s.n; i++)
		seed = (seed ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
	return seed;
}

uint64_t sv_hash_long(struct sv s)
{
	enum { LANES = 4 }; /* independent of each other, so that the processor does them at once */
	uint64_t lanes[LANES] = {1, 2, 3, 4};

	for (; s.n >= sizeof(lanes); s = sv_from(s, sizeof(lanes))) {
		uint64_t words[LANES];

		memcpy(words, s.p, sizeof(words));
		for (int i = 0; i < LANES; i++) {
			lanes[i] = (lanes[i] ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
			lanes[i] ^= lanes[i] >> 32;
		}
	}
	return sv_hash(sv_make((const char *)lanes, sizeof(lanes)), sv_hash(s, SV_HASH_SEED));
}
