/*
 * The finished items of an answer (response.output_item.done), kept as bytes in turn.fold, because
 * the terminal event's output is often empty (PROTOCOL 4). Owner: a dialect's state.
 */
#ifndef DIALECT_ITEM_LIST_H
#define DIALECT_ITEM_LIST_H

#include "dialect/dialect.h"

struct item;

struct item_list {
	struct item *items; /* in the turn's arena */
	size_t count, room;
};

/* From an output_item.done event. -EBADMSG without an item, -ENOMEM, -ENOBUFS. */
int item_list_add(struct item_list *l, struct turn *t, const struct event *ev) MUST_CHECK;
/* Appends all items in the order of output_index, comma-separated. */
void item_list_join(struct item_list *l, const struct turn *t, struct buf *out);

#endif
