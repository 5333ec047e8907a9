#include "base/jv.h"

#include "base/jcheck.h"
#include "base/jnum.h"
#include "base/jscan.h"
#include "base/jskip.h"
#include "base/jspan.h"

#include <assert.h>
#include <errno.h>

static int parse(struct sv text, unsigned max_depth, const struct jcheck_notes *notes,
	struct jv *ret, struct jv_error *err)
{
	struct sv value;
	int failed = jcheck_document(text, max_depth, notes, &value, err);

	if (!failed)
		*ret = jv_trusted(value);
	return failed;
}

int jv_parse(struct sv text, unsigned max_depth, struct jv *ret, struct jv_error *err)
{
	static const struct jcheck_notes nothing = {NULL, NULL};

	return parse(text, max_depth, &nothing, ret, err);
}

int jv_parse_outlined(
	struct sv text, unsigned max_depth, struct jv *ret, struct jv_outline *outline)
{
	return parse(text, max_depth, &(struct jcheck_notes){.outline = outline}, ret, NULL);
}

int jv_parse_indexed(struct sv text, unsigned max_depth, struct jv *ret, struct jv_error *err,
	struct jspan_index **ret_index)
{
	struct jspan_index *index = jspan_new(text);
	int failed = parse(text, max_depth, &(struct jcheck_notes){.spans = index}, ret, err);

	if (failed) {
		jspan_free(index);
		return failed;
	}
	if (index)
		jspan_list(index);
	*ret_index = index;
	return 0;
}

void jv_index_free(struct jspan_index *index)
{
	jspan_free(index);
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
	while (p < end && (*p == c || jscan_is_space(*p)))
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
		const char *quote = jscan_quote_or_slash(p + 1, it->end);

		it->escaped = quote < it->end && *quote == '\\';
		if (it->escaped)
			quote = jskip_string(quote, it->end);
		it->key = sv_make(p + 1, (size_t)(quote - p - 1));
		p = skip_space_and(':', quote == it->end ? quote : quote + 1, it->end);
	}
	behind = jskip_value(p, it->end);
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
		value = value << 4 | ((unsigned)jscan_hex(p[i]) & 0xf);
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

	if (end - p < 6) { /* only behind a wrong jv_trusted() */
		*ret = '?';
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

/*
 * Decodes the escape at p into dst, its length to *ret_n; returns what is behind. What it writes is
 * never longer than the escape.
 */
static const char *read_escape(const char *p, const char *end, char *dst, size_t *ret_n)
{
	static const char values[128] = {['"'] = '"',
		['\\'] = '\\',
		['/'] = '/',
		['b'] = '\b',
		['f'] = '\f',
		['n'] = '\n',
		['r'] = '\r',
		['t'] = '\t'};
	uint32_t c;

	*ret_n = 1;
	if (end - p < 2) {
		dst[0] = '?';
		return end;
	}
	if (p[1] == 'u') {
		p = read_unicode(p, end, &c);
		*ret_n = put_utf8(c, dst);
		return p;
	}
	dst[0] = values[p[1] & 0x7f];
	return p + 2;
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

/* Decoded text is never longer than its escaped form: dst has room for raw.n bytes. */
static size_t decode_into(struct sv raw, char *dst)
{
	const char *p = raw.p;
	const char *end = p + raw.n;
	char *out = dst;

	while (p < end) {
		const char *slash = jscan_copy_to_slash(p, end, out);
		size_t n;

		out += slash - p;
		if (slash == end)
			break;
		p = read_escape(slash, end, out, &n);
		out += n;
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
		for (size_t i = 0; i < count; i++) {
			if (it.escaped ? escaped_eq(it.key, keys[i]) : sv_eq(it.key, keys[i]))
				out[i] = it.value;
		}
	}
}

struct jv jv_outline_get(const struct jv_outline *o, struct jv v, struct sv key)
{
	if (o->count == 0 || o->count > JV_OUTLINE_MAX || o->escaped)
		return jv_get(v, key);
	for (size_t i = o->count; i-- > 0;) {
		if (sv_eq(o->member[i].key, key))
			return o->member[i].value;
	}
	return JV_NONE;
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

int jv_i64(struct jv v, int64_t *ret)
{
	return jv_is(v, JV_NUMBER) ? jnum_i64(jv_raw(v), ret) : -EINVAL;
}

int jv_f64(struct jv v, double *ret)
{
	return jv_is(v, JV_NUMBER) ? jnum_f64(jv_raw(v), ret) : -EINVAL;
}
