/* Type checks of a request's top-level members: one const table a dialect. */
#ifndef DIALECT_SHAPE_H
#define DIALECT_SHAPE_H

#include "base/jv.h"
#include "dialect/api_err.h"

enum shape_kind {
	SHAPE_STRING = 1,
	SHAPE_BOOL = 2,
	SHAPE_ARRAY = 4,
	SHAPE_OBJECT = 8,
	SHAPE_NUMBER = 16,
};

struct shape_rule {
	struct sv key;
	unsigned kinds;	      /* allowed besides null; 0: any */
	const char *expected; /* "a string": for the error */
};

#define SHAPE_RULE(text, kinds, expected)                 \
	{                                                 \
		{text, sizeof(text) - 1}, kinds, expected \
	}
enum { SHAPE_RULES_MAX = 64 };

/* Picks all members in one pass into out[count] and checks them: 0 or -EINVAL with *err. */
int shape_pick(struct jv object, const struct shape_rule *rules, size_t count, struct jv *out,
	struct api_err *err) MUST_CHECK;

/*
 * Lists of names for a header, ", " between: one; the members from rules[first] on that were given;
 * and those that no rule knows, as far as they are plain words (a few: the list is for people).
 */
void shape_list_add(struct buf *list, struct sv name);
void shape_list_given(struct buf *list, const struct shape_rule *rules, size_t first, size_t count,
	const struct jv *member);
void shape_list_unknown(
	struct buf *list, struct jv object, const struct shape_rule *rules, size_t count);

#endif
