/*
 * JSON read in place. jv_parse() validates a whole document once (RFC 8259 grammar, valid UTF-8, a
 * depth limit, nothing but white space behind the value); after that every view is cheap and cannot
 * fail on syntax. A view borrows the document's bytes: it lives as long as they do, nothing is
 * allocated and nothing freed. No recursion: hostile nesting costs depth counters, not stack.
 * Duplicate keys: the last one wins, everywhere.
 */
#ifndef BASE_JV_H
#define BASE_JV_H

#include "base/arena.h"
#include "base/buf.h"

enum jv_type {
	JV_MISSING, /* no such member, or not a container at all */
	JV_NULL,
	JV_FALSE,
	JV_TRUE,
	JV_NUMBER,
	JV_STRING,
	JV_ARRAY,
	JV_OBJECT,
};

/* One value inside a validated document: exactly its bytes, no white space around. Zeroed =
 * missing. */
struct jv {
	const char *p;
	size_t n;
};

#define JV_NONE ((struct jv){NULL, 0})

struct jv_error {
	size_t offset;	     /* byte at which the document went wrong */
	const char *message; /* static, for people: "unexpected end of input" */
};

/*
 * 0 and *ret, or -EBADMSG (grammar), -EILSEQ (bytes or escapes that are not Unicode: bad UTF-8; a
 * lone \uD8xx surrogate escape is accepted, as JSON's grammar does, and decodes to U+FFFD), -E2BIG
 * (nested deeper than max_depth, which is at most 1024; a scalar has depth 0). err may be NULL.
 */
int jv_parse(struct sv text, unsigned max_depth, struct jv *ret, struct jv_error *err) MUST_CHECK;
/*
 * jv_parse(), for a large document that is looked at more than once: where its long values end is
 * noted on the way, and until jv_index_free() views of it step over them at once, on this thread.
 * The text must neither change nor go before that. *ret_index is NULL when that is not worth it.
 */
struct jspan_index;
int jv_parse_indexed(struct sv text, unsigned max_depth, struct jv *ret, struct jv_error *err,
	struct jspan_index **ret_index) MUST_CHECK;
/* NULL is accepted. */
void jv_index_free(struct jspan_index *index);

enum { JV_OUTLINE_MAX = 16 };

struct jv_member {
	struct sv key; /* raw, as in struct jv_iter */
	struct jv value;
};

/* The members of an object in their order. When it has more than fit, count tells it and the list
 * is not used. Zeroed = not known. */
struct jv_outline {
	size_t count;
	bool escaped; /* a key may have an escape: the list is not used either */
	struct jv_member member[JV_OUTLINE_MAX];
};

/* jv_parse(), which notes the members of the object on the way: small documents of which several
 * members are wanted are read once. */
int jv_parse_outlined(
	struct sv text, unsigned max_depth, struct jv *ret, struct jv_outline *outline) MUST_CHECK;
/* jv_get(v, key), where o is the outline of v or not known. */
struct jv jv_outline_get(const struct jv_outline *o, struct jv v, struct sv key);

/*
 * View of a value whose text is already known to be valid JSON with no white space around it (for
 * example a span that this program wrote). Nothing is checked: with other text the views say
 * anything, but they stay inside of it.
 */
struct jv jv_trusted(struct sv text);

enum jv_type jv_type(struct jv v);

static inline bool jv_exists(struct jv v)
{
	return v.n != 0;
}

static inline struct sv jv_raw(struct jv v)
{
	return sv_make(v.p, v.n);
}

static inline bool jv_is(struct jv v, enum jv_type type)
{
	return jv_type(v) == type;
}

/* Missing or null. */
bool jv_is_nil(struct jv v);

/* Member of an object by its (unescaped) key; JV_NONE when absent or v is no object. */
struct jv jv_get(struct jv v, struct sv key);
/*
 * Several members in one pass over the object: out[i] is the member keys[i] or JV_NONE. Use it for
 * big objects: each jv_get() scans the object to its end.
 */
void jv_pick(struct jv v, const struct sv *keys, size_t count, struct jv *out);

/*
 * Iteration over the members of an object or the elements of an array:
 *	struct jv_iter it = jv_iter(v);
 *	while (jv_next(&it)) use(it.key, it.value);
 * key is the raw text between the quotes (escapes in place; compare with jv_key_eq()), empty for
 * arrays. A v of another type has no elements.
 */
struct jv_iter {
	struct sv key;
	struct jv value;
	const char *at; /* private: next byte to look at */
	const char *end;
	bool object;
	bool escaped; /* key has an escape */
};
struct jv_iter jv_iter(struct jv v);
bool jv_next(struct jv_iter *it);
/* Does the raw key say text, escapes resolved? */
bool jv_key_eq(struct sv raw_key, struct sv text);
/* Number of elements or members; 0 for other types. */
size_t jv_count(struct jv v);

/* Is v the string text (escapes resolved)? */
bool jv_str_eq(struct jv v, struct sv text);
/* Raw text between the quotes of a string, escapes in place; SV_NONE for other types. */
struct sv jv_str_raw(struct jv v);
/* True when a string holds no escape, so that its raw text is its value. */
bool jv_str_is_plain(struct jv v);
/* Appends a string's decoded UTF-8 to out; nothing for other types. Errors as buf's. */
void jv_str_decode(struct jv v, struct buf *out);
/*
 * A string's decoded UTF-8: a view of the document when it holds no escape, else a copy in the
 * arena. -EINVAL when v is no string, -ENOMEM when the arena is full.
 */
int jv_str(struct jv v, struct arena *arena, struct sv *ret) MUST_CHECK;
/* Decodes into a caller's array; result NUL-terminated, cut at a character border to fit. False,
 * and "" in dst, if no string. */
bool jv_str_copy(struct jv v, char *dst, size_t size);

/* Whole numbers: 0, -EINVAL (no number, or a fraction that is not zero), -ERANGE. "5.0" and "5e0"
 * are 5. */
int jv_i64(struct jv v, int64_t *ret) MUST_CHECK;
/* Correctly rounded: 0, -EINVAL (no number) or -ERANGE (beyond the largest double). */
int jv_f64(struct jv v, double *ret) MUST_CHECK;

static inline bool jv_is_bool(struct jv v)
{
	return jv_type(v) == JV_TRUE || jv_type(v) == JV_FALSE;
}

static inline bool jv_is_true(struct jv v)
{
	return jv_type(v) == JV_TRUE;
}

#endif
