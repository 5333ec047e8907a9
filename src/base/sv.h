/*
 * A string view: borrowed bytes with a length, not NUL-terminated, never freed through the view.
 * The owner of the bytes is named wherever a view is stored.
 */
#ifndef BASE_SV_H
#define BASE_SV_H

#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sv {
	const char *p;
	size_t n;
};

/* View of a string literal. */
#define SV(lit) ((struct sv){"" lit, sizeof(lit) - 1})
#define SV_NONE ((struct sv){NULL, 0})
/* For printf("%.*s", SV_ARG(v)). */
#define SV_ARG(v) (int)(v).n, (v).p

static inline struct sv sv_make(const char *p, size_t n)
{
	return (struct sv){p, n};
}

/* View of a NUL-terminated string; NULL gives the empty view. */
static inline struct sv sv_cstr(const char *s)
{
	return (struct sv){s, s ? strlen(s) : 0};
}

static inline bool sv_eq(struct sv a, struct sv b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII case-insensitive equality of n bytes. */
bool sv_ieq_bytes(const char *a, const char *b, size_t n);

/* ASCII case-insensitive equality. */
static inline bool sv_ieq(struct sv a, struct sv b)
{
	return a.n == b.n && sv_ieq_bytes(a.p, b.p, a.n);
}

bool sv_starts(struct sv s, struct sv prefix);
bool sv_istarts(struct sv s, struct sv prefix);
bool sv_ends(struct sv s, struct sv suffix);
/* Offset of the first occurrence of needle, or -1. */
ptrdiff_t sv_find(struct sv hay, struct sv needle);
/* The same, ASCII case-insensitive. */
ptrdiff_t sv_ifind(struct sv hay, struct sv needle);
/* Without leading and trailing spaces, tabs, CR and LF. */
struct sv sv_trim(struct sv s);
struct sv sv_from(struct sv s, size_t offset);
/* Splits at the first sep: returns what is before it and moves *rest behind it. */
struct sv sv_split(struct sv *rest, char sep);
/* Copies as much of s as fits into out[size], size > 0, and ends it with a NUL. */
void sv_cut(struct sv s, char *out, size_t size);
/* Whole view as an unsigned decimal number: 0, -EINVAL (not a number) or -ERANGE. */
int sv_u64(struct sv s, uint64_t *ret) MUST_CHECK;
/* Whole view as a signed decimal number. */
int sv_i64(struct sv s, int64_t *ret) MUST_CHECK;
/* Whole view as a finite decimal number ("12", "12.5", "1e3"). */
int sv_f64(struct sv s, double *ret) MUST_CHECK;
/* 64-bit FNV-1a; seed with SV_HASH_SEED or a former result. Not for hostile keys' hash tables. */
#define SV_HASH_SEED UINT64_C(14695981039346656037)
uint64_t sv_hash(struct sv s, uint64_t seed);
/* For long texts, eight times as fast; not against who looks for two with the same hash. Differs
 * between machines of other byte order. */
uint64_t sv_hash_long(struct sv s);

#endif
