/* The tool calls of a streamed answer: which chunk index belongs to which item. */
#ifndef DIALECT_CHAT_CALLS_H
#define DIALECT_CHAT_CALLS_H

#include "base/jv.h"

enum { CHAT_CALLS = 4096 };

struct chat_stream_call {
	struct sv item_id; /* raw text, in the arena; may be empty */
	int64_t output_index;
	size_t index; /* of the chunk's tool_calls element */
	bool custom;
	bool has_text; /* arguments or input went out */
};

struct chat_calls {
	struct chat_stream_call *list;
	size_t count, room;
	size_t last; /* found last: deltas come in runs */
};

/* -EBADMSG over CHAT_CALLS, -ENOMEM. */
int chat_calls_add(
	struct chat_calls *c, struct arena *arena, struct chat_stream_call call) MUST_CHECK;
/* By item id, else by output_index (negative: not told); NULL when unknown. */
struct chat_stream_call *chat_calls_find(
	struct chat_calls *c, struct sv item_id, int64_t output_index);

#endif
