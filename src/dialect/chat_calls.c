#include "dialect/chat_calls.h"

#include <errno.h>

int chat_calls_add(struct chat_calls *c, struct arena *arena, struct chat_stream_call call)
{
	if (c->count == CHAT_CALLS)
		return -EBADMSG;
	if (c->count == c->room) {
		size_t room = c->room ? c->room * 2 : 8;
		struct chat_stream_call *grown = arena_alloc(arena, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		if (c->count)
			memcpy(grown, c->list, c->count * sizeof(*grown));
		c->list = grown;
		c->room = room;
	}
	if (call.item_id.n) {
		call.item_id = arena_dup(arena, call.item_id);
		if (!call.item_id.p)
			return -ENOMEM;
	}
	call.index = c->count;
	c->last = c->count;
	c->list[c->count++] = call;
	return 0;
}

struct chat_stream_call *chat_calls_find(
	struct chat_calls *c, struct sv item_id, int64_t output_index)
{
	if (c->count && item_id.n && sv_eq(c->list[c->last].item_id, item_id))
		return &c->list[c->last];
	for (size_t i = 0; item_id.n && i < c->count; i++) {
		if (sv_eq(c->list[i].item_id, item_id)) {
			c->last = i;
			return &c->list[i];
		}
	}
	for (size_t i = 0; output_index >= 0 && i < c->count; i++) {
		if (c->list[i].output_index == output_index)
			return &c->list[i];
	}
	return NULL;
}
