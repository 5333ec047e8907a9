#include "dialect/shape.h"

#include <assert.h>

static unsigned kind_of(struct jv v)
{
	switch (jv_type(v)) {
	case JV_STRING:
		return SHAPE_STRING;
	case JV_TRUE:
	case JV_FALSE:
		return SHAPE_BOOL;
	case JV_ARRAY:
		return SHAPE_ARRAY;
	case JV_OBJECT:
		return SHAPE_OBJECT;
	case JV_NUMBER:
		return SHAPE_NUMBER;
	default:
		return 0;
	}
}

int shape_pick(struct jv object, const struct shape_rule *rules, size_t count, struct jv *out,
	struct api_err *err)
{
	struct sv keys[SHAPE_RULES_MAX];

	assert(count > 0 && count <= SHAPE_RULES_MAX);
	for (size_t i = 0; i < count; i++)
		keys[i] = rules[i].key;
	jv_pick(object, keys, count, out);
	for (size_t i = 0; i < count; i++) {
		if (!rules[i].kinds || jv_is_nil(out[i]) || (kind_of(out[i]) & rules[i].kinds))
			continue;
		return api_err_param(
			err, rules[i].key.p, "'%s' must be %s.", rules[i].key.p, rules[i].expected);
	}
	return 0;
}

enum { UNKNOWN_LISTED = 16, UNKNOWN_NAME_BYTES = 64 };

void shape_list_add(struct buf *list, struct sv name)
{
	if (list->len)
		buf_add_lit(list, ", ");
	buf_add_sv(list, name);
}

void shape_list_given(struct buf *list, const struct shape_rule *rules, size_t first, size_t count,
	const struct jv *member)
{
	for (size_t i = first; i < count; i++) {
		if (!jv_is_nil(member[i]))
			shape_list_add(list, rules[i].key);
	}
}

static bool is_word(struct sv name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '_' || c == '-' || c == '.'))
			return false;
	}
	return name.n > 0 && name.n <= UNKNOWN_NAME_BYTES;
}

static bool has_rule(struct sv key, const struct shape_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (jv_key_eq(key, rules[i].key))
			return true;
	}
	return false;
}

void shape_list_unknown(
	struct buf *list, struct jv object, const struct shape_rule *rules, size_t count)
{
	struct jv_iter it = jv_iter(object);
	size_t listed = 0;

	while (listed < UNKNOWN_LISTED && jv_next(&it)) {
		if (jv_is_nil(it.value) || !is_word(it.key) || has_rule(it.key, rules, count))
			continue;
		shape_list_add(list, it.key);
		listed++;
	}
}
