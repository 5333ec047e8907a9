/*
 * Pieces of JSON that are kept once however many answers hold them: the items of conversations, and
 * large members of answer objects. Whoever puts a piece holds one reference to it. Each piece
 * belongs to one owner (a client token); nobody finds another's. Items have ids and are found by
 * them: their own, or one that is made up when somebody wants to see it. Pure memory.
 */
#ifndef RELAY_KEPT_ITEMS_H
#define RELAY_KEPT_ITEMS_H

#include "base/jv.h"

enum { KEPT_ID_MAX = 64 }; /* upstream takes no longer id */

/* A keyed hash of a client's token; the token itself is not kept. */
struct kept_owner {
	uint64_t a, b;
};

struct kept_items;
struct kept_item;

struct kept_items *kept_items_new(void);
/* All references must be back. */
void kept_items_free(struct kept_items *k);

/*
 * A reference to the piece with these bytes, which is shared when there is one. An object's own id
 * counts when it is a plain text of at most KEPT_ID_MAX bytes; an item's only, not another
 * piece's. NULL: out of memory.
 */
struct kept_item *kept_items_put(
	struct kept_items *k, struct kept_owner owner, struct jv json, bool is_item) MUST_CHECK;
void kept_items_drop(struct kept_items *k, struct kept_item *item);
/* The item of this owner with this id that was put last, or NULL. */
struct kept_item *kept_items_find(struct kept_items *k, struct kept_owner owner, struct sv id);
/* The item's id; one that begins with prefix is made up when it has none. */
struct sv kept_items_name(struct kept_items *k, struct kept_item *item, struct sv prefix);
/* Is the item's id, if it has one, none of its own? */
bool kept_item_is_nameless(const struct kept_item *item);
struct jv kept_item_json(const struct kept_item *item);
/* Memory that all pieces take, without the tables. */
size_t kept_items_bytes(const struct kept_items *k);

#endif
