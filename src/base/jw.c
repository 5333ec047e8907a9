#include "base/jw.h"

#include "base/jscan.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct jw jw_begin(struct buf *out)
{
	return (struct jw){.out = out};
}

static uint64_t level_bit(const struct jw *w)
{
	return UINT64_C(1) << (w->depth - 1);
}

/* The comma before a key or an element when one is needed. */
static void separate(struct jw *w)
{
	if (w->filled_bits & level_bit(w))
		buf_add_char(w->out, ',');
	w->filled_bits |= level_bit(w);
}

/* Every value starts here. */
static void before_value(struct jw *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->depth == 0)
		return;
	assert(!(w->object_bits & level_bit(w)));
	separate(w);
}

static void open_level(struct jw *w, bool object)
{
	before_value(w);
	assert(w->depth < JW_MAX_DEPTH);
	w->depth++;
	w->filled_bits &= ~level_bit(w);
	if (object)
		w->object_bits |= level_bit(w);
	else
		w->object_bits &= ~level_bit(w);
	buf_add_char(w->out, object ? '{' : '[');
}

void jw_obj(struct jw *w)
{
	open_level(w, true);
}

void jw_arr(struct jw *w)
{
	open_level(w, false);
}

void jw_end(struct jw *w)
{
	assert(w->depth > 0 && !w->after_key);
	buf_add_char(w->out, w->object_bits & level_bit(w) ? '}' : ']');
	w->depth--;
}

static void before_key(struct jw *w)
{
	assert(w->depth > 0 && w->object_bits & level_bit(w) && !w->after_key);
	separate(w);
	w->after_key = true;
}

void jw_key(struct jw *w, struct sv text)
{
	before_key(w);
	buf_add_char(w->out, '"');
	jw_escape(w->out, text);
	buf_add_lit(w->out, "\":");
}

void jw_key_lit(struct jw *w, struct sv text)
{
	struct buf *out = w->out;
	char *at;

	before_key(w);
	if (buf_reserve(out, text.n + 3))
		return;
	at = out->data + out->len;
	*at++ = '"';
	if (text.n)
		memcpy(at, text.p, text.n);
	memcpy(at + text.n, "\":", 2);
	out->len += text.n + 3;
}

void jw_str(struct jw *w, struct sv text)
{
	jw_str_begin(w);
	jw_escape(w->out, text);
	jw_str_end(w);
}

void jw_str_raw(struct jw *w, struct sv escaped)
{
	jw_str_begin(w);
	buf_add_sv(w->out, escaped);
	jw_str_end(w);
}

void jw_str_begin(struct jw *w)
{
	before_value(w);
	buf_add_char(w->out, '"');
}

void jw_str_add(struct jw *w, struct sv text)
{
	jw_escape(w->out, text);
}

void jw_str_add_raw(struct jw *w, struct sv escaped)
{
	buf_add_sv(w->out, escaped);
}

void jw_str_end(struct jw *w)
{
	buf_add_char(w->out, '"');
}

void jw_i64(struct jw *w, int64_t value)
{
	before_value(w);
	buf_add_i64(w->out, value);
}

void jw_u64(struct jw *w, uint64_t value)
{
	before_value(w);
	buf_add_u64(w->out, value);
}

void jw_f64(struct jw *w, double value)
{
	char text[32];

	before_value(w);
	if (!isfinite(value)) {
		buf_add_lit(w->out, "null");
		return;
	}
	/* Most are whole, and printf is slow. */
	if (fabs(value) < 1e15 && value == (double)(int64_t)value && !signbit(value)) {
		buf_add_i64(w->out, (int64_t)value);
		return;
	}
	/* 15 digits are always kept, so fewer are no gain (%g drops zeros); not so below DBL_MIN.
	 */
	for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buf_add_cstr(w->out, text);
}

void jw_bool(struct jw *w, bool value)
{
	before_value(w);
	buf_add_sv(w->out, value ? SV("true") : SV("false"));
}

void jw_null(struct jw *w)
{
	before_value(w);
	buf_add_lit(w->out, "null");
}

void jw_raw(struct jw *w, struct sv json)
{
	before_value(w);
	buf_add_sv(w->out, json.n ? json : SV("null"));
}

enum { ESCAPE_BYTES = 6 }; /* the longest */

/* Writes the escape of an ASCII character and returns its length. */
static size_t put_escape(unsigned char c, char dst[ESCAPE_BYTES])
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[0x20] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
	char letter = c < 0x20 ? letters[c] : (char)c;

	dst[0] = '\\';
	if (letter) {
		dst[1] = letter;
		return 2;
	}
	dst[1] = 'u';
	dst[2] = '0';
	dst[3] = '0';
	dst[4] = hex[c >> 4];
	dst[5] = hex[c & 0xf];
	return 6;
}

/* Adds a run that needs no escape, then the escape of c. */
static void add_run_and_escape(struct buf *out, struct sv run, unsigned char c)
{
	char escape[ESCAPE_BYTES];

	if (out->error == 0 && run.n < out->size - out->len &&
		out->size - out->len - run.n >= ESCAPE_BYTES) {
		memcpy(out->data + out->len, run.p, run.n);
		out->len += run.n;
		out->len += put_escape(c, out->data + out->len);
		return;
	}
	buf_add_sv(out, run);
	buf_add(out, escape, put_escape(c, escape));
}

/*
 * How many of the bytes at p, which are not UTF-8, one U+FFFD stands for: the longest start of a
 * character, at least one byte (Unicode 15, section 3.9, "maximal subparts").
 */
static size_t broken_length(const char *p, const char *end)
{
	for (size_t keep = 3; keep > 1; keep--) {
		char whole[4] = "\x80\x80\x80\x80"; /* p's start, made complete */

		if ((size_t)(end - p) < keep)
			continue;
		memcpy(whole, p, keep);
		if (jscan_utf8(whole, whole + 4) > keep)
			return keep;
	}
	return 1;
}

/* Behind the characters of more than one byte at p; stops at an ASCII character or broken UTF-8. */
static const char *skip_wide(const char *p, const char *end)
{
	size_t n;

	while (p < end && (unsigned char)*p >= 0x80 && (n = jscan_utf8(p, end)) > 0)
		p += n;
	return p;
}

void jw_escape(struct buf *out, struct sv text)
{
	const char *p = text.p;
	const char *end = text.n ? text.p + text.n : text.p;
	const char *from = p; /* not copied yet */

	while ((p = jscan_plain_run(p, end)) != end) {
		const char *special = p;

		if ((unsigned char)*p < 0x80) {
			add_run_and_escape(
				out, sv_make(from, (size_t)(p - from)), (unsigned char)*p);
			from = ++p;
			continue;
		}
		p = skip_wide(p, end);
		if (p == special) {
			buf_add(out, from, (size_t)(p - from));
			buf_add_lit(out, "\xef\xbf\xbd");
			p += broken_length(p, end);
			from = p;
		}
	}
	buf_add(out, from, (size_t)(end - from));
}
