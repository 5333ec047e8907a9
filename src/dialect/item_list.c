#include "dialect/item_list.h"

#include <errno.h>
#include <stdlib.h>

struct item {
	int64_t output_index;
	size_t offset, length; /* in turn.fold */
};

static int grow(struct item_list *l, struct turn *t)
{
	size_t room = l->room ? l->room * 2 : 16;
	struct item *grown = arena_alloc(t->arena, room * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	if (l->count)
		memcpy(grown, l->items, l->count * sizeof(*grown));
	l->items = grown;
	l->room = room;
	return 0;
}

int item_list_add(struct item_list *l, struct turn *t, const struct event *ev)
{
	struct jv item = event_get(ev, SV("item"));
	struct item *entry;

	if (!jv_is(item, JV_OBJECT))
		return -EBADMSG;
	if (l->count == l->room && grow(l, t))
		return -ENOMEM;
	entry = &l->items[l->count];
	if (jv_i64(event_get(ev, SV("output_index")), &entry->output_index))
		entry->output_index = (int64_t)l->count;
	entry->offset = t->fold.len;
	entry->length = item.n;
	l->count++;
	buf_add_sv(&t->fold, jv_raw(item));
	return buf_error(&t->fold);
}

static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->output_index != y->output_index)
		return x->output_index < y->output_index ? -1 : 1;
	return x->offset < y->offset ? -1 : 1;
}

void item_list_join(struct item_list *l, const struct turn *t, struct buf *out)
{
	if (l->count)
		qsort(l->items, l->count, sizeof(*l->items), compare);
	for (size_t i = 0; i < l->count; i++) {
		if (i)
			buf_add_char(out, ',');
		buf_add(out, t->fold.data + l->items[i].offset, l->items[i].length);
	}
}
