#include "base/jv.h"

#include "base/jscan.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_LIMIT = 1024 };

/*
 * One validation. Every scan_*() takes where it stands and returns where it stopped, or NULL after
 * fail(). The bit of a level in objects tells what the bracket that closes it must be.
 */
struct scan {
	const char *end;
	unsigned depth;
	unsigned max_depth;
	uint64_t objects[DEPTH_LIMIT / 64];
	int err;
	const char *err_at;
	const char *err_message;
};

static const char *fail(struct scan *s, const char *at, int err, const char *message)
{
	s->err = err;
	s->err_at = at;
	s->err_message = message;
	return NULL;
}

static const char *fail_at(struct scan *s, const char *at, const char *message)
{
	if (at >= s->end)
		return fail(s, s->end, -EBADMSG, "unexpected end of input");
	return fail(s, at, -EBADMSG, message);
}

static inline bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *skip_space(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p;
}

static inline bool is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *scan_escape(struct scan *s, const char *p)
{
	if (++p == s->end)
		return fail_at(s, p, NULL);
	if (*p != 'u') {
		if (*p == '\0' || !strchr("\"\\/bfnrt", *p))
			return fail_at(s, p, "invalid escape in a string");
		return p + 1;
	}
	for (int i = 0; i < 4; i++) {
		if (++p == s->end || hex_value(*p) < 0)
			return fail_at(s, p, "\\u needs four hexadecimal digits");
	}
	return p + 1;
}

static const char *scan_wide(struct scan *s, const char *p)
{
	while (p < s->end && (unsigned char)*p >= 0x80) {
		size_t n = jscan_utf8(p, s->end);

		if (n == 0)
			return fail(s, p, -EILSEQ, "invalid UTF-8 in a string");
		p += n;
	}
	return p;
}

/* From behind the opening quote to behind the closing one. */
static const char *scan_string(struct scan *s, const char *p)
{
	while (p) {
		p = jscan_plain_run(p, s->end);
		if (p == s->end)
			return fail_at(s, p, NULL);
		if (*p == '"')
			return p + 1;
		if (*p == '\\')
			p = scan_escape(s, p);
		else if ((unsigned char)*p >= 0x80)
			p = scan_wide(s, p);
		else
			return fail_at(s, p, "control character in a string");
	}
	return NULL;
}

static const char *scan_digits(struct scan *s, const char *p)
{
	if (!is_digit(p, s->end))
		return fail_at(s, p, "expected a digit");
	while (is_digit(p, s->end))
		p++;
	return p;
}

static const char *scan_number(struct scan *s, const char *p)
{
	if (*p == '-')
		p++;
	if (p < s->end && *p == '0')
		p++;
	else
		p = scan_digits(s, p);
	if (p && p < s->end && *p == '.')
		p = scan_digits(s, p + 1);
	if (p && p < s->end && (*p | 0x20) == 'e') {
		p++;
		if (p < s->end && (*p == '+' || *p == '-'))
			p++;
		p = scan_digits(s, p);
	}
	return p;
}

static const char *scan_word(struct scan *s, const char *p, const char *word)
{
	for (; *word; word++, p++) {
		if (p == s->end || *p != *word)
			return fail_at(s, p, "expected a value");
	}
	return p;
}

static const char *scan_scalar(struct scan *s, const char *p)
{
	if (p == s->end)
		return fail_at(s, p, NULL);
	switch (*p) {
	case '"':
		return scan_string(s, p + 1);
	case 't':
		return scan_word(s, p, "true");
	case 'f':
		return scan_word(s, p, "false");
	case 'n':
		return scan_word(s, p, "null");
	default:
		if (*p == '-' || is_digit(p, s->end))
			return scan_number(s, p);
		return fail_at(s, p, "expected a value");
	}
}

/* A member's key and colon, white space around included. */
static const char *scan_key(struct scan *s, const char *p)
{
	p = skip_space(p, s->end);
	if (p == s->end || *p != '"')
		return fail_at(s, p, "expected a key in quotes");
	p = scan_string(s, p + 1);
	if (!p)
		return NULL;
	p = skip_space(p, s->end);
	if (p == s->end || *p != ':')
		return fail_at(s, p, "expected a colon");
	return p + 1;
}

static bool in_object(const struct scan *s)
{
	unsigned level = s->depth - 1;

	return s->objects[level / 64] >> level % 64 & 1;
}

static bool push(struct scan *s, bool object)
{
	unsigned level = s->depth;
	uint64_t bit = UINT64_C(1) << level % 64;

	if (level >= s->max_depth)
		return false;
	s->objects[level / 64] = (s->objects[level / 64] & ~bit) | (object ? bit : 0);
	s->depth++;
	return true;
}

/*
 * Any number of opening brackets, then a scalar or an empty container: stops behind the first value
 * that is complete.
 */
static const char *scan_value(struct scan *s, const char *p)
{
	for (;;) {
		bool object;

		p = skip_space(p, s->end);
		if (p == s->end || (*p != '{' && *p != '['))
			return scan_scalar(s, p);
		object = *p == '{';
		if (!push(s, object))
			return fail(s, p, -E2BIG, "nested too deeply");
		p = skip_space(p + 1, s->end);
		if (p < s->end && *p == (object ? '}' : ']')) {
			s->depth--;
			return p + 1;
		}
		if (object && !(p = scan_key(s, p)))
			return NULL;
	}
}

/* Behind a complete value: closing brackets up to the comma (and key) before the next value, or to
 * the end of the document (depth 0). */
static const char *scan_after_value(struct scan *s, const char *p)
{
	while (s->depth) {
		bool object = in_object(s);

		p = skip_space(p, s->end);
		if (p < s->end && *p == ',')
			return object ? scan_key(s, p + 1) : p + 1;
		if (p == s->end || *p != (object ? '}' : ']'))
			return fail_at(
				s, p, object ? "expected a comma or }" : "expected a comma or ]");
		p++;
		s->depth--;
	}
	return p;
}

static const char *scan_document(struct scan *s, const char *p)
{
	do {
		p = scan_value(s, p);
		if (p)
			p = scan_after_value(s, p);
	} while (p && s->depth);
	return p;
}

static int report(const struct scan *s, struct sv text, struct jv_error *err)
{
	if (err) {
		err->offset = (size_t)(s->err_at - text.p);
		err->message = s->err_message;
	}
	return s->err;
}

int jv_parse(struct sv text, unsigned max_depth, struct jv *ret, struct jv_error *err)
{
	struct scan s;
	const char *first;
	const char *last;
	const char *rest;

	assert(max_depth <= DEPTH_LIMIT);
	if (text.n == 0)
		text.p = "";
	s.end = text.p + text.n;
	s.depth = 0;
	s.max_depth = max_depth;
	first = skip_space(text.p, s.end);
	last = scan_document(&s, first);
	if (!last)
		return report(&s, text, err);
	rest = skip_space(last, s.end);
	if (rest != s.end) {
		fail_at(&s, rest, "unexpected text behind the value");
		return report(&s, text, err);
	}
	*ret = (struct jv){first, (size_t)(last - first)};
	return 0;
}

struct jv jv_trusted(struct sv text)
{
	return (struct jv){text.p, text.n};
}

enum jv_type jv_type(struct jv v)
{
	if (v.n == 0)
		return JV_MISSING;
	switch (v.p[0]) {
	case 'n':
		return JV_NULL;
	case 'f':
		return JV_FALSE;
	case 't':
		return JV_TRUE;
	case '"':
		return JV_STRING;
	case '[':
		return JV_ARRAY;
	case '{':
		return JV_OBJECT;
	default:
		return JV_NUMBER;
	}
}

bool jv_is_nil(struct jv v)
{
	return v.n == 0 || v.p[0] == 'n';
}

/*
 * Skipping in validated text. Behind a wrong jv_trusted() the results are wrong too, but nothing
 * is read outside of [p, end).
 */

/* From behind the opening quote to the closing one. */
static const char *skip_string(const char *p, const char *end)
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
	p = skip_string(p + 1, end);
	return p == end ? end : p + 1;
}

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

static const char *skip_scalar(const char *p, const char *end)
{
	while (p < end && *p != ',' && *p != ']' && *p != '}' && !is_space(*p))
		p++;
	return p;
}

static const char *skip_value(const char *p, const char *end)
{
	if (p == end)
		return p;
	switch (*p) {
	case '"':
		return behind_string(p, end);
	case '{':
	case '[':
		return skip_container(p, end);
	default:
		return skip_scalar(p, end);
	}
}

struct jv_iter jv_iter(struct jv v)
{
	enum jv_type type = jv_type(v);
	struct jv_iter it = {.object = type == JV_OBJECT};

	if ((type == JV_OBJECT || type == JV_ARRAY) && v.n >= 2) {
		it.at = v.p + 1;
		it.end = v.p + v.n - 1;
	}
	return it;
}

static const char *skip_space_and(char c, const char *p, const char *end)
{
	while (p < end && (*p == c || is_space(*p)))
		p++;
	return p;
}

bool jv_next(struct jv_iter *it)
{
	const char *p = skip_space_and(',', it->at, it->end);
	const char *behind;

	if (p == it->end) {
		it->at = p;
		return false;
	}
	if (it->object) {
		const char *quote = skip_string(p + 1, it->end);

		it->key = sv_make(p + 1, (size_t)(quote - p - 1));
		p = skip_space_and(':', quote == it->end ? quote : quote + 1, it->end);
	}
	behind = skip_value(p, it->end);
	if (behind == p) { /* only behind a wrong jv_trusted() */
		it->at = it->end;
		return false;
	}
	it->value = (struct jv){p, (size_t)(behind - p)};
	it->at = behind;
	return true;
}

size_t jv_count(struct jv v)
{
	struct jv_iter it = jv_iter(v);
	size_t count = 0;

	while (jv_next(&it))
		count++;
	return count;
}

static bool has_escape(struct sv raw)
{
	return raw.n && memchr(raw.p, '\\', raw.n) != NULL;
}

static unsigned hex4(const char *p)
{
	unsigned value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 4 | ((unsigned)hex_value(p[i]) & 0xf);
	return value;
}

static size_t put_utf8(uint32_t c, char *dst)
{
	if (c < 0x80) {
		dst[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		dst[0] = (char)(0xc0 | c >> 6);
		dst[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		dst[0] = (char)(0xe0 | c >> 12);
		dst[1] = (char)(0x80 | (c >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | c >> 18);
	dst[1] = (char)(0x80 | (c >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (c >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* \uXXXX, or two of them that make a pair; a surrogate without its other half is U+FFFD. */
static const char *read_unicode(const char *p, const char *end, uint32_t *ret)
{
	uint32_t c;

	if (end - p < 6) {
		*ret = 0xfffd;
		return end;
	}
	c = hex4(p + 2);
	p += 6;
	if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
		uint32_t low = hex4(p + 2);

		if (low >= 0xdc00 && low < 0xe000) {
			*ret = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			return p + 6;
		}
	}
	*ret = c >= 0xd800 && c < 0xe000 ? 0xfffd : c;
	return p;
}

/* Decodes the escape at p into dst (room for 4), its length to *ret_n; returns what is behind. */
static const char *read_escape(const char *p, const char *end, char *dst, size_t *ret_n)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	const char *hit;
	uint32_t c;

	if (end - p >= 2 && p[1] == 'u') {
		p = read_unicode(p, end, &c);
		*ret_n = put_utf8(c, dst);
		return p;
	}
	hit = end - p >= 2 ? strchr(letters, p[1]) : NULL;
	dst[0] = hit && *hit ? values[hit - letters] : '?';
	*ret_n = 1;
	return end - p >= 2 ? p + 2 : end;
}

/* Decodes a string in pieces: a run of the document's bytes or one character in small. */
struct pieces {
	const char *at;
	const char *end;
	char small[4];
	struct sv piece;
};

static struct pieces pieces_of(struct sv raw)
{
	return (struct pieces){.at = raw.p, .end = raw.n ? raw.p + raw.n : raw.p};
}

static bool next_piece(struct pieces *d)
{
	const char *slash;
	size_t n;

	if (d->at == d->end)
		return false;
	if (*d->at == '\\') {
		d->at = read_escape(d->at, d->end, d->small, &n);
		d->piece = sv_make(d->small, n);
		return true;
	}
	slash = memchr(d->at, '\\', (size_t)(d->end - d->at));
	if (!slash)
		slash = d->end;
	d->piece = sv_make(d->at, (size_t)(slash - d->at));
	d->at = slash;
	return true;
}

/* Decoded text is never longer than its escaped form. */
static size_t decode_into(struct sv raw, char *dst)
{
	struct pieces d = pieces_of(raw);
	char *out = dst;

	while (next_piece(&d)) {
		memcpy(out, d.piece.p, d.piece.n);
		out += d.piece.n;
	}
	return (size_t)(out - dst);
}

static bool escaped_eq(struct sv raw, struct sv text)
{
	struct pieces d = pieces_of(raw);

	while (next_piece(&d)) {
		if (!sv_starts(text, d.piece))
			return false;
		text = sv_from(text, d.piece.n);
	}
	return text.n == 0;
}

bool jv_key_eq(struct sv raw_key, struct sv text)
{
	if (raw_key.n == text.n) /* an escape would have made it shorter */
		return sv_eq(raw_key, text) && !has_escape(raw_key);
	return raw_key.n > text.n && has_escape(raw_key) && escaped_eq(raw_key, text);
}

void jv_pick(struct jv v, const struct sv *keys, size_t count, struct jv *out)
{
	struct jv_iter it = jv_iter(v);

	for (size_t i = 0; i < count; i++)
		out[i] = JV_NONE;
	if (!it.object)
		return;
	while (jv_next(&it)) {
		bool escaped = has_escape(it.key);

		for (size_t i = 0; i < count; i++) {
			if (escaped ? escaped_eq(it.key, keys[i]) : sv_eq(it.key, keys[i]))
				out[i] = it.value;
		}
	}
}

struct jv jv_get(struct jv v, struct sv key)
{
	struct jv found;

	jv_pick(v, &key, 1, &found);
	return found;
}

struct sv jv_str_raw(struct jv v)
{
	if (jv_type(v) != JV_STRING || v.n < 2)
		return SV_NONE;
	return sv_make(v.p + 1, v.n - 2);
}

bool jv_str_is_plain(struct jv v)
{
	return jv_type(v) == JV_STRING && !has_escape(jv_str_raw(v));
}

bool jv_str_eq(struct jv v, struct sv text)
{
	return jv_type(v) == JV_STRING && jv_key_eq(jv_str_raw(v), text);
}

void jv_str_decode(struct jv v, struct buf *out)
{
	struct sv raw = jv_str_raw(v);
	struct pieces d;

	if (raw.n <= out->cap - out->len) {
		if (raw.n && !buf_reserve(out, raw.n))
			out->len += decode_into(raw, out->data + out->len);
		return;
	}
	d = pieces_of(raw);
	while (next_piece(&d))
		buf_add_sv(out, d.piece);
}

int jv_str(struct jv v, struct arena *arena, struct sv *ret)
{
	struct sv raw = jv_str_raw(v);
	char *copy;

	if (jv_type(v) != JV_STRING)
		return -EINVAL;
	if (!has_escape(raw)) {
		*ret = raw;
		return 0;
	}
	copy = arena_alloc(arena, raw.n);
	if (!copy)
		return -ENOMEM;
	*ret = sv_make(copy, decode_into(raw, copy));
	return 0;
}

bool jv_str_copy(struct jv v, char *dst, size_t size)
{
	struct pieces d = pieces_of(jv_str_raw(v));
	size_t left;

	assert(size > 0);
	left = size - 1;
	while (next_piece(&d)) {
		size_t n = d.piece.n;

		if (n > left) {
			n = left;
			while (n && jscan_is_tail((unsigned char)d.piece.p[n]))
				n--;
		}
		memcpy(dst, d.piece.p, n);
		dst += n;
		left -= n;
		if (n < d.piece.n)
			break;
	}
	*dst = '\0';
	return jv_type(v) == JV_STRING;
}

/* A number taken apart: digits of the whole and fractional parts, and the exponent. */
struct decimal {
	struct sv whole;
	struct sv fraction;
	bool negative;
	int64_t exponent; /* saturated far beyond any text's length */
};

static struct sv take_digits(struct sv *s)
{
	struct sv digits = {s->p, 0};

	while (digits.n < s->n && s->p[digits.n] >= '0' && s->p[digits.n] <= '9')
		digits.n++;
	*s = sv_from(*s, digits.n);
	return digits;
}

static int64_t read_exponent(struct sv s)
{
	const int64_t most = INT64_C(1) << 60;
	bool negative = s.n && s.p[0] == '-';
	int64_t value = 0;

	if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
		s = sv_from(s, 1);
	for (size_t i = 0; i < s.n; i++) {
		if (value < most / 16)
			value = value * 10 + (s.p[i] - '0');
		else
			value = most;
	}
	return negative ? -value : value;
}

static struct decimal decimal_of(struct jv v)
{
	struct sv s = jv_raw(v);
	struct decimal d = {.negative = s.n && s.p[0] == '-'};

	if (d.negative)
		s = sv_from(s, 1);
	d.whole = take_digits(&s);
	if (s.n && s.p[0] == '.') {
		s = sv_from(s, 1);
		d.fraction = take_digits(&s);
	}
	if (s.n && (s.p[0] | 0x20) == 'e')
		d.exponent = read_exponent(sv_from(s, 1));
	return d;
}

/* Digit i of whole and fraction written behind each other. */
static unsigned digit_at(const struct decimal *d, size_t i)
{
	char c = i < d->whole.n ? d->whole.p[i] : d->fraction.p[i - d->whole.n];

	return (unsigned)(c - '0') & 0xf;
}

static int decimal_i64(const struct decimal *d, int64_t *ret)
{
	size_t first = 0;
	size_t last = d->whole.n + d->fraction.n;
	int64_t digits; /* before the decimal point, counted from first */
	uint64_t value = 0;

	while (first < last && digit_at(d, first) == 0)
		first++;
	while (last > first && digit_at(d, last - 1) == 0)
		last--;
	if (first == last) {
		*ret = 0;
		return 0;
	}
	digits = d->exponent + (int64_t)d->whole.n - (int64_t)first;
	if (digits < (int64_t)(last - first))
		return -EINVAL;
	if (digits > 19)
		return -ERANGE;
	for (int64_t i = 0; i < digits; i++) {
		size_t at = first + (size_t)i;

		value = value * 10 + (at < last ? digit_at(d, at) : 0);
	}
	if (value > (uint64_t)INT64_MAX + d->negative)
		return -ERANGE;
	*ret = d->negative ? (int64_t)(0 - value) : (int64_t)value;
	return 0;
}

int jv_i64(struct jv v, int64_t *ret)
{
	struct decimal d;

	if (jv_type(v) != JV_NUMBER)
		return -EINVAL;
	d = decimal_of(v);
	return decimal_i64(&d, ret);
}

enum { DOUBLE_DIGITS = 800 }; /* no double needs more than 768, and one to round by */

/* The same value with few enough digits for a small array: those behind only count as "more". */
static double decimal_f64(const struct decimal *d)
{
	char text[DOUBLE_DIGITS + 40];
	size_t total = d->whole.n + d->fraction.n;
	size_t first = 0;
	size_t n = 0;
	bool more = false;
	double value;

	while (first < total && digit_at(d, first) == 0)
		first++;
	if (first == total)
		return d->negative ? -0.0 : 0.0;
	for (size_t i = first; i < total && !more; i++) {
		if (i - first < DOUBLE_DIGITS)
			text[n++] = (char)('0' + digit_at(d, i));
		else
			more = digit_at(d, i) != 0;
	}
	if (more)
		text[n++] = '1';
	snprintf(text + n, sizeof(text) - n, "e%lld",
		(long long)(d->exponent + (int64_t)d->whole.n - (int64_t)first - (int64_t)n));
	value = strtod(text, NULL);
	return d->negative ? -value : value;
}

int jv_f64(struct jv v, double *ret)
{
	char text[40];
	double value;

	if (jv_type(v) != JV_NUMBER)
		return -EINVAL;
	if (v.n < sizeof(text)) {
		memcpy(text, v.p, v.n);
		text[v.n] = '\0';
		value = strtod(text, NULL);
	} else {
		struct decimal d = decimal_of(v);

		value = decimal_f64(&d);
	}
	if (!isfinite(value))
		return -ERANGE;
	*ret = value;
	return 0;
}
