/*
 * Which tool message answers which call of a chat history. Found before anything is written,
 * because a call without an answer gets one made up right behind it (TRANSLATION 1). O(n log n).
 */
#ifndef DIALECT_CHAT_PAIRS_H
#define DIALECT_CHAT_PAIRS_H

#include "base/jv.h"

enum chat_role {
	CHAT_ROLE_NONE, /* missing or unknown */
	CHAT_ROLE_SYSTEM,
	CHAT_ROLE_DEVELOPER,
	CHAT_ROLE_USER,
	CHAT_ROLE_ASSISTANT,
	CHAT_ROLE_TOOL,
	CHAT_ROLE_FUNCTION,
};

/* The members of a message, read in one pass. */
struct chat_message {
	enum chat_role role;
	struct jv content, tool_calls, function_call, tool_call_id, name, refusal;
};

struct chat_message chat_message_read(struct jv message);

/* All calls and answers in the order of the document, one for each element that has the shape. */
struct chat_call {
	struct sv id;	/* decoded; the function's name for a legacy call */
	size_t message; /* index of its message */
	size_t order;	/* among all calls */
	/* Private: stack of the open calls with this id; its top is kept in the group's first. */
	struct chat_call *top, *below;
	bool legacy;
	bool custom;
	bool answered;
};

struct chat_reply {
	struct sv id;
	size_t message;
	bool legacy;
	const struct chat_call *call; /* NULL: nothing to answer, to be dropped */
};

struct chat_pairs {
	struct chat_call *calls; /* in the arena, as all */
	struct chat_reply *replies;
	size_t call_count, call_room;
	size_t reply_count, reply_room;
};

/* messages is an array. -ENOMEM: more than the arena holds. */
int chat_pairs_find(struct chat_pairs *p, struct jv messages, struct arena *arena) MUST_CHECK;

#endif
