/*
 * Compares jv with jansson over one text, for the differential test and the fuzzer. The two agree
 * on what is JSON and on every value, except for the differences in `enum known_difference`, which
 * are found in the text itself, so that an unknown one cannot hide behind them. Returns NULL, or
 * static text saying what differs. Recursion is bounded by jv's depth limit.
 */
#ifndef TESTS_JANSSON_DIFF_H
#define TESTS_JANSSON_DIFF_H

#include "base/jv.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

enum { DIFF_DEPTH = 1024, DIFF_TEXT_CAP = 1 << 20 };

/* What jv accepts and jansson refuses. Duplicate keys: both keep the last. */
enum known_difference {
	DIFF_REAL_OVERFLOW = 1,	   /* 1e400 */
	DIFF_INTEGER_OVERFLOW = 2, /* 9223372036854775808 */
	DIFF_LONE_SURROGATE = 4,   /* "\ud800" */
	DIFF_NUL_IN_KEY = 8,	   /* {"\u0000":1} */
				   /*
				    * And the other way: depth from DIFF_DEPTH to jansson's 2048 (jv says -E2BIG); a NUL byte
				    * behind the value, which jansson (2.14) takes for the end of the text.
				    */
};

static inline unsigned diff_hex4(const char *p)
{
	char digits[5] = {p[0], p[1], p[2], p[3], '\0'};

	return (unsigned)strtoul(digits, NULL, 16);
}

/* Differences in the \u escapes of a raw string. */
static inline unsigned diff_of_string(struct sv raw, bool is_key)
{
	unsigned found = 0;
	unsigned before = 0; /* the code of a \uD8xx right before */

	for (size_t i = 0; i < raw.n;) {
		bool unicode = raw.p[i] == '\\' && raw.p[i + 1] == 'u';
		unsigned code = unicode ? diff_hex4(raw.p + i + 2) : 'x';
		bool low = code >= 0xdc00 && code < 0xe000;

		if ((before != 0) != low)
			found |= DIFF_LONE_SURROGATE;
		before = code >= 0xd800 && code < 0xdc00 ? code : 0;
		if (unicode && code == 0 && is_key)
			found |= DIFF_NUL_IN_KEY;
		i += unicode ? 6 : raw.p[i] == '\\' ? 2 : 1;
	}
	return before ? found | DIFF_LONE_SURROGATE : found;
}

static inline unsigned diff_of_number(struct jv v)
{
	bool real = false;
	int64_t whole;
	double value;

	for (size_t i = 0; i < v.n; i++)
		real |= v.p[i] == '.' || v.p[i] == 'e' || v.p[i] == 'E';
	if (real)
		return jv_f64(v, &value) == -ERANGE ? DIFF_REAL_OVERFLOW : 0;
	return jv_i64(v, &whole) == -ERANGE ? DIFF_INTEGER_OVERFLOW : 0;
}

/* Every known difference in a value, as bits. */
static inline unsigned diff_known(struct jv v)
{
	struct jv_iter it = jv_iter(v);
	unsigned found = 0;

	if (jv_is(v, JV_STRING))
		return diff_of_string(jv_str_raw(v), false);
	if (jv_is(v, JV_NUMBER))
		return diff_of_number(v);
	while (jv_next(&it)) {
		if (it.object)
			found |= diff_of_string(it.key, true);
		found |= diff_known(it.value);
	}
	return found;
}

static inline bool diff_same_text(struct jv v, const json_t *want)
{
	struct sv text = sv_make(json_string_value(want), json_string_length(want));
	struct buf decoded;
	bool same;

	buf_init(&decoded, DIFF_TEXT_CAP);
	jv_str_decode(v, &decoded);
	same = !buf_error(&decoded) && sv_eq(buf_sv(&decoded), text) && jv_str_eq(v, text);
	buf_fini(&decoded);
	return same;
}

static inline const char *diff_values(struct jv v, json_t *want);

static inline const char *diff_members(struct jv v, json_t *want)
{
	struct jv_iter it = jv_iter(v);
	const char *said = NULL;
	size_t winners = 0;

	while (!said && jv_next(&it)) {
		struct jv quoted = {it.key.p - 1, it.key.n + 2};
		struct jv last;
		struct buf key;

		buf_init(&key, DIFF_TEXT_CAP);
		jv_str_decode(quoted, &key);
		last = jv_get(v, buf_sv(&key));
		if (last.p == it.value.p) {
			winners++;
			said = diff_values(last, json_object_get(want, buf_cstr(&key)));
		} else if (last.p < it.value.p) {
			said = "jv_get() does not give the last of equal keys";
		}
		buf_fini(&key);
	}
	if (!said && winners != json_object_size(want))
		said = "number of different keys";
	return said;
}

static inline const char *diff_elements(struct jv v, json_t *want)
{
	struct jv_iter it = jv_iter(v);
	const char *said = NULL;
	size_t i = 0;

	if (jv_count(v) != json_array_size(want))
		return "length of an array";
	while (!said && jv_next(&it))
		said = diff_values(it.value, json_array_get(want, i++));
	return said;
}

static inline const char *diff_numbers(struct jv v, json_t *want)
{
	int64_t whole;
	double value;

	if (jv_f64(v, &value) || value != json_number_value(want))
		return "jv_f64()";
	if (json_is_integer(want))
		return jv_i64(v, &whole) || whole != json_integer_value(want) ? "jv_i64()" : NULL;
	if (jv_i64(v, &whole) == 0 && (double)whole != value)
		return "jv_i64() of a real";
	return NULL;
}

static inline const char *diff_values(struct jv v, json_t *want)
{
	if (!want)
		return "a member that jansson does not have";
	switch (jv_type(v)) {
	case JV_NULL:
		return json_is_null(want) ? NULL : "null";
	case JV_TRUE:
		return json_is_true(want) ? NULL : "true";
	case JV_FALSE:
		return json_is_false(want) ? NULL : "false";
	case JV_NUMBER:
		return json_is_number(want) ? diff_numbers(v, want) : "a number";
	case JV_STRING:
		return json_is_string(want) && diff_same_text(v, want) ? NULL : "a string";
	case JV_ARRAY:
		return json_is_array(want) ? diff_elements(v, want) : "an array";
	case JV_OBJECT:
		return json_is_object(want) ? diff_members(v, want) : "an object";
	default:
		return "a missing value";
	}
}

static inline const char *diff_of_valid(struct jv v, json_t *tree)
{
	unsigned known = diff_known(v);

	if (tree && known)
		return "jansson accepts a difference that was taken for known";
	if (!tree && !known)
		return "jv accepts what jansson refuses";
	return tree ? diff_values(v, tree) : NULL;
}

/* Is it only the NUL that jansson overlooks? */
static inline bool diff_is_lost_nul(struct sv text, const struct jv_error *err)
{
	if (err->offset == 0 || err->offset == text.n || text.p[err->offset] != '\0')
		return false;
	return isalnum((unsigned char)text.p[err->offset - 1]) &&
	       (sv_starts(sv_cstr(err->message), SV("expected a comma")) ||
		       sv_starts(sv_cstr(err->message), SV("unexpected text behind")));
}

static inline const char *diff_with_jansson(struct sv text)
{
	json_error_t error;
	json_t *tree =
		json_loadb(text.p ? text.p : "", text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	const char *said = NULL;
	struct jv_error where;
	struct jv v;
	int err = jv_parse(text, DIFF_DEPTH, &v, &where);

	if (!err)
		said = diff_of_valid(v, tree);
	else if (tree && err != -E2BIG && !diff_is_lost_nul(text, &where))
		said = "jv refuses what jansson accepts";
	json_decref(tree);
	return said;
}

#endif
