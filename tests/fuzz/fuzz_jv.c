/*
 * jv and jw over any bytes: jv agrees with jansson, a document that is read and written anew says
 * the same, any text survives being escaped, and views of garbage stay inside of it.
 */
#include "../unit/base/jansson_diff.h"
#include "base/jw.h"

#include <stdio.h>

enum { OUT_CAP = 1 << 24, SPLICE_DEPTH = JW_MAX_DEPTH - 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_jv: %s\n", what);
	abort();
}

static struct jv parse(struct sv text)
{
	struct jv v = JV_NONE;

	check(jv_parse(text, DIFF_DEPTH, &v, NULL) == 0, "does not parse");
	return v;
}

static void write_number(struct jw *w, struct jv v)
{
	int64_t whole;
	double value;

	if (jv_i64(v, &whole) == 0)
		jw_i64(w, whole);
	else if (jv_f64(v, &value) == 0)
		jw_f64(w, value);
	else
		jw_jv(w, v);
}

static void write_string(struct jw *w, struct jv v)
{
	struct arena arena;
	struct sv text;

	arena_init(&arena, OUT_CAP);
	check(jv_str(v, &arena, &text) == 0, "jv_str()");
	check(jv_str_eq(v, text), "jv_str_eq()");
	jw_str(w, text);
	arena_fini(&arena);
}

/* A raw key with the quotes around it. */
static struct jv quoted(struct sv raw)
{
	return (struct jv){raw.p - 1, raw.n + 2};
}

static void write_key(struct jw *w, struct sv raw)
{
	struct buf text;

	buf_init(&text, OUT_CAP);
	jv_str_decode(quoted(raw), &text);
	check(jv_key_eq(raw, buf_sv(&text)), "jv_key_eq()");
	jw_key(w, buf_sv(&text));
	buf_fini(&text);
}

/* Writes v anew from its decoded parts; what is too deep for the writer is spliced. */
static void write_value(struct jw *w, struct jv v)
{
	struct jv_iter it = jv_iter(v);

	switch (jv_type(v)) {
	case JV_NUMBER:
		write_number(w, v);
		return;
	case JV_STRING:
		write_string(w, v);
		return;
	case JV_ARRAY:
	case JV_OBJECT:
		break;
	default:
		jw_jv(w, v);
		return;
	}
	if (w->depth >= SPLICE_DEPTH) {
		jw_jv(w, v);
		return;
	}
	if (it.object)
		jw_obj(w);
	else
		jw_arr(w);
	while (jv_next(&it)) {
		if (it.object)
			write_key(w, it.key);
		write_value(w, it.value);
	}
	jw_end(w);
}

static bool is_same_text(struct jv a, struct jv b)
{
	struct buf text;
	bool same;

	buf_init(&text, OUT_CAP);
	jv_str_decode(a, &text);
	same = jv_str_eq(b, buf_sv(&text));
	buf_fini(&text);
	return same;
}

static bool is_same_number(struct jv a, struct jv b)
{
	double x;
	double y;

	if (jv_f64(a, &x))
		return sv_eq(jv_raw(a), jv_raw(b)) || jv_f64(b, &y) == -ERANGE;
	return jv_f64(b, &y) == 0 && x == y;
}

static bool is_same(struct jv a, struct jv b)
{
	struct jv_iter x = jv_iter(a);
	struct jv_iter y = jv_iter(b);

	if (jv_type(a) != jv_type(b) || jv_count(a) != jv_count(b))
		return false;
	if (jv_is(a, JV_STRING))
		return is_same_text(a, b);
	if (jv_is(a, JV_NUMBER))
		return is_same_number(a, b);
	while (jv_next(&x) && jv_next(&y)) {
		if (x.object && !is_same_text(quoted(x.key), quoted(y.key)))
			return false;
		if (!is_same(x.value, y.value))
			return false;
	}
	return true;
}

static void check_rewriting(struct jv v)
{
	struct buf out;
	struct jw w;

	buf_init(&out, OUT_CAP);
	w = jw_begin(&out);
	write_value(&w, v);
	check(buf_error(&out) == 0 && w.depth == 0, "writing failed");
	check(is_same(v, parse(buf_sv(&out))), "written anew it differs");
	buf_fini(&out);
}

/* The outline says of every member what a look at the whole object says. */
static void check_outline(struct sv text)
{
	struct jv_outline outline;
	struct jv v;
	struct jv_iter it;

	check(jv_parse_outlined(text, DIFF_DEPTH, &v, &outline) == 0,
		"an outline changes the grammar");
	it = jv_iter(v);
	for (size_t i = 0; jv_next(&it); i++) {
		if (!it.object || outline.count > JV_OUTLINE_MAX)
			continue;
		check(i < outline.count && outline.member[i].key.p == it.key.p &&
				outline.member[i].key.n == it.key.n &&
				outline.member[i].value.p == it.value.p &&
				outline.member[i].value.n == it.value.n,
			"the outline differs");
	}
}

/* Any bytes: escaped they are a string, and what it says is escaped to the same. */
static void check_escaping(struct sv text)
{
	struct buf once;
	struct buf decoded;
	struct buf twice;
	struct jw w;

	buf_init(&once, OUT_CAP);
	buf_init(&decoded, OUT_CAP);
	buf_init(&twice, OUT_CAP);
	w = jw_begin(&once);
	jw_str(&w, text);
	jv_str_decode(parse(buf_sv(&once)), &decoded);
	w = jw_begin(&twice);
	jw_str(&w, buf_sv(&decoded));
	check(sv_eq(buf_sv(&once), buf_sv(&twice)), "escaping is not stable");
	check(decoded.len >= text.n, "bytes were lost");
	buf_fini(&once);
	buf_fini(&decoded);
	buf_fini(&twice);
}

static void check_garbage(struct sv text)
{
	struct jv v = jv_trusted(text);
	struct jv_iter it = jv_iter(v);
	char small[8];
	struct buf out;

	buf_init(&out, OUT_CAP);
	while (jv_next(&it)) {
		check(it.value.p >= text.p && it.value.n <= text.n, "a view leaves the text");
		jv_str_decode(it.value, &out);
	}
	jv_str_decode(v, &out);
	jv_str_copy(v, small, sizeof(small));
	check(jv_get(v, SV("a")).n <= text.n, "a member leaves the text");
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_make((const char *)data, size);
	const char *said = diff_with_jansson(text);
	struct jv v;
	int err;

	check(!said, said);
	err = jv_parse(text, DIFF_DEPTH, &v, NULL);
	if (!err) {
		check_rewriting(v);
		check_outline(text);
		err = jv_parse(text, 3, &v, NULL);
		check(err == 0 || err == -E2BIG, "the depth limit changes the grammar");
	} else {
		check_garbage(text);
	}
	check_escaping(text);
	return 0;
}
