/*
 * JSON writer: straight into a buf, commas and nesting kept by the writer. Unchanged values are
 * spliced in verbatim with jw_raw(). The caller checks buf_error() once at the end. Calls out of
 * order (a value without a key in an object, a level too many) are programmer errors and assert.
 *	struct jw w = jw_begin(&out);
 *	jw_obj(&w); jw_key(&w, SV("id")); jw_str(&w, id); jw_end(&w);
 */
#ifndef BASE_JW_H
#define BASE_JW_H

#include "base/buf.h"
#include "base/jv.h"

enum { JW_MAX_DEPTH = 64 };

struct jw {
	struct buf *out;
	uint64_t object_bits; /* bit d: level d is an object */
	uint64_t filled_bits; /* bit d: level d has an element already */
	unsigned depth;
	bool after_key;
};

struct jw jw_begin(struct buf *out);
void jw_obj(struct jw *w);
void jw_arr(struct jw *w);
/* Closes the innermost object or array. */
void jw_end(struct jw *w);
/* Key of the next value; text is plain UTF-8 and gets escaped. */
void jw_key(struct jw *w, struct sv text);
/* A string value from UTF-8 bytes; escapes what JSON demands; invalid UTF-8 becomes U+FFFD. */
void jw_str(struct jw *w, struct sv text);
/* A string value from text that stands between quotes in valid JSON already (jv_str_raw()). */
void jw_str_raw(struct jw *w, struct sv escaped);
/* A string value in pieces: begin, then any of the two appenders, then end. Each piece of text
 * holds whole characters. */
void jw_str_begin(struct jw *w);
void jw_str_add(struct jw *w, struct sv text);
void jw_str_add_raw(struct jw *w, struct sv escaped);
void jw_str_end(struct jw *w);
void jw_i64(struct jw *w, int64_t value);
void jw_u64(struct jw *w, uint64_t value);
/* Shortest form that reads back the same; not-finite writes null. */
void jw_f64(struct jw *w, double value);
void jw_bool(struct jw *w, bool value);
void jw_null(struct jw *w);
/* Any valid JSON value, verbatim. A missing value writes null. */
void jw_raw(struct jw *w, struct sv json);
static inline void jw_jv(struct jw *w, struct jv v)
{
	jw_raw(w, jv_raw(v));
}

/* Members in one call; key is a string literal that needs no escape. */
#define jw_kstr(w, key, text) (jw_key_lit((w), SV(key)), jw_str((w), (text)))
#define jw_klit(w, key, lit) (jw_key_lit((w), SV(key)), jw_str_raw((w), SV(lit)))
#define jw_ki64(w, key, value) (jw_key_lit((w), SV(key)), jw_i64((w), (value)))
#define jw_kbool(w, key, value) (jw_key_lit((w), SV(key)), jw_bool((w), (value)))
#define jw_knull(w, key) (jw_key_lit((w), SV(key)), jw_null(w))
#define jw_kraw(w, key, json) (jw_key_lit((w), SV(key)), jw_raw((w), (json)))
#define jw_kobj(w, key) (jw_key_lit((w), SV(key)), jw_obj(w))
#define jw_karr(w, key) (jw_key_lit((w), SV(key)), jw_arr(w))
/* Key whose text needs no escape; written as it is (also for a raw key of jv_iter). */
void jw_key_lit(struct jw *w, struct sv text);

/* Appends text as the inside of a JSON string (no quotes) to any buffer. */
void jw_escape(struct buf *out, struct sv text);

#endif
