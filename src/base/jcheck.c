#include "base/jcheck.h"

#include "base/jscan.h"
#include "base/jtext.h"

#include <assert.h>
#include <errno.h>

/*
 * One validation. Every scan_*() takes where it stands and returns where it stopped, or NULL after
 * fail().
 */
struct scan {
	const char *end;
	unsigned depth;
	unsigned max_depth;
	const char *starts[JCHECK_DEPTH_LIMIT]; /* of the containers that are open */
	struct jspan_index *spans;
	size_t span_min; /* bytes of a value that is noted in spans */
	struct jv_outline *outline;
	struct sv key; /* the last one of the outermost object, and where its value starts */
	const char *value;
	bool escaped_key; /* one of its keys may have an escape */
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

static inline bool is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

/* What may stand behind a backslash, besides u. */
static const bool is_escape[256] = {
	['"'] = true,
	['\\'] = true,
	['/'] = true,
	['b'] = true,
	['f'] = true,
	['n'] = true,
	['r'] = true,
	['t'] = true,
};

static const char *scan_escape(struct scan *s, const char *p)
{
	if (++p == s->end)
		return fail_at(s, p, NULL);
	if (*p != 'u') {
		if (!is_escape[(unsigned char)*p])
			return fail_at(s, p, "invalid escape in a string");
		return p + 1;
	}
	for (int i = 0; i < 4; i++) {
		if (++p == s->end || jscan_hex(*p) < 0)
			return fail_at(s, p, "\\u needs four hexadecimal digits");
	}
	return p + 1;
}

static const char *scan_wide(struct scan *s, const char *p)
{
	size_t n = jscan_utf8(p, s->end);

	if (n == 0)
		return fail(s, p, -EILSEQ, "invalid UTF-8 in a string");
	return p + n;
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
		if (*p == '\\') {
			p = scan_escape(s, p);
		} else if ((unsigned char)*p >= 0x80) {
			p = scan_wide(s, p);
		} else {
			return fail_at(s, p, "control character in a string");
		}
		if (p)
			p = jtext_skip(p, s->end);
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

static const char *scan_text(struct scan *s, const char *start)
{
	const char *behind = scan_string(s, start + 1);

	if (behind && (size_t)(behind - start) >= s->span_min)
		jspan_note(s->spans, start, behind);
	return behind;
}

static const char *scan_scalar(struct scan *s, const char *p)
{
	if (p == s->end)
		return fail_at(s, p, NULL);
	switch (*p) {
	case '"':
		return scan_text(s, p);
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
	const char *key, *quote;

	p = jscan_skip_space(p, s->end);
	if (p == s->end || *p != '"')
		return fail_at(s, p, "expected a key in quotes");
	key = p + 1;
	quote = jscan_plain_run(key, s->end);
	p = quote < s->end && *quote == '"' ? quote + 1 : scan_string(s, quote);
	if (!p)
		return NULL;
	if (s->depth == 1) {
		s->key = sv_make(key, (size_t)(p - 1 - key));
		s->escaped_key |= p - 1 != quote; /* or a letter that is not ASCII */
	}
	p = jscan_skip_space(p, s->end);
	if (p == s->end || *p != ':')
		return fail_at(s, p, "expected a colon");
	return p + 1;
}

static bool in_object(const struct scan *s)
{
	return *s->starts[s->depth - 1] == '{';
}

static bool push(struct scan *s, const char *start)
{
	if (s->depth >= s->max_depth)
		return false;
	s->starts[s->depth++] = start;
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

		p = jscan_skip_space(p, s->end);
		if (s->depth == 1)
			s->value = p;
		if (p == s->end || (*p != '{' && *p != '['))
			return scan_scalar(s, p);
		object = *p == '{';
		if (!push(s, p))
			return fail(s, p, -E2BIG, "nested too deeply");
		p = jscan_skip_space(p + 1, s->end);
		if (p < s->end && *p == (object ? '}' : ']')) {
			s->depth--;
			return p + 1;
		}
		if (object && !(p = scan_key(s, p)))
			return NULL;
	}
}

/* behind: the first byte behind the value of the key. */
static void note_member(struct scan *s, const char *behind)
{
	struct jv_outline *o = s->outline;

	if (o->count < JV_OUTLINE_MAX)
		o->member[o->count] =
			(struct jv_member){s->key, {s->value, (size_t)(behind - s->value)}};
	o->count++;
}

/* Behind a complete value: closing brackets up to the comma (and key) before the next value, or to
 * the end of the document (depth 0). */
static const char *scan_after_value(struct scan *s, const char *p)
{
	while (s->depth) {
		bool object = in_object(s);

		if (s->depth == 1 && object && s->outline)
			note_member(s, p);
		p = jscan_skip_space(p, s->end);
		if (p < s->end && *p == ',')
			return object ? scan_key(s, p + 1) : p + 1;
		if (p == s->end || *p != (object ? '}' : ']'))
			return fail_at(
				s, p, object ? "expected a comma or }" : "expected a comma or ]");
		p++;
		s->depth--;
		if ((size_t)(p - s->starts[s->depth]) >= s->span_min)
			jspan_note(s->spans, s->starts[s->depth], p);
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

int jcheck_document(struct sv text, unsigned max_depth, const struct jcheck_notes *notes,
	struct sv *ret, struct jv_error *err)
{
	struct scan s;
	const char *first;
	const char *last;
	const char *rest;

	assert(max_depth <= JCHECK_DEPTH_LIMIT);
	if (text.n == 0)
		text.p = "";
	s.end = text.p + text.n;
	s.depth = 0;
	s.max_depth = max_depth;
	s.spans = notes->spans;
	s.span_min = jspan_min_bytes(s.spans);
	s.outline = notes->outline;
	s.escaped_key = false;
	if (s.outline)
		s.outline->count = 0;
	first = jscan_skip_space(text.p, s.end);
	last = scan_document(&s, first);
	if (!last)
		return report(&s, text, err);
	rest = jscan_skip_space(last, s.end);
	if (rest != s.end) {
		fail_at(&s, rest, "unexpected text behind the value");
		return report(&s, text, err);
	}
	if (s.outline)
		s.outline->escaped = s.escaped_key;
	*ret = sv_make(first, (size_t)(last - first));
	return 0;
}
