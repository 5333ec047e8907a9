/*
 * The members of `input`: what the Codex backend refuses in an item, and how it is put right
 * (PROTOCOL 3). Pure.
 */
#ifndef CODEX_ITEMS_H
#define CODEX_ITEMS_H

#include "base/jw.h"
#include "dialect/api_err.h"

struct items_options {
	bool native;	     /* items are not looked into, except for drop_reasoning */
	bool drop_reasoning; /* leave out reasoning items that carry a blob */
};

/* Types whose ids must start with a prefix. */
struct items_id_rule {
	struct sv type;
	struct sv prefix;
};

/* Content part types: what a role's part is renamed to. */
struct items_part_rule {
	bool assistant; /* rule of the assistant role; else of all others */
	struct sv from;
	struct sv to;
};

/*
 * Writes input as the array that upstream accepts: verbatim when no item needs a change. -EINVAL
 * and *err when an item cannot be served (param names it).
 */
int items_write(struct jw *w, struct jv input, const struct items_options *options,
	struct api_err *err) MUST_CHECK;
/* Would items_write() change anything (or refuse)? */
bool items_need_change(struct jv input, const struct items_options *options);
/* Writes the message that a string as input is short for. */
void items_write_text(struct jw *w, struct jv text);
/* The id of an item that is a reference to another one; JV_NONE when it is none. */
struct jv items_reference(struct jv item);
/* The first item of the role user, or else the first item; JV_NONE when there is none. */
struct jv items_first_user(struct jv input);

/* The tables, for tests. */
const struct items_id_rule *items_id_rules(size_t *ret_count);
const struct items_part_rule *items_part_rules(size_t *ret_count);

#endif
