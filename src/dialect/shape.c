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
