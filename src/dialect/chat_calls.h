/*
 * Tool calls of a chat history and which message answers each (TRANSLATION 1, role tool). Built in
 * one pass before the history is written, so that unanswered calls and orphan answers are known.
 * Costs O(n log n) whatever the client sends. Lives in the turn's arena.
 */
#ifndef DIALECT_CHAT_CALLS_H
#define DIALECT_CHAT_CALLS_H

#include "base/arena.h"
#include "base/jv.h"

struct chat_past_call {
	struct sv id;	/* raw JSON text */
	size_t message; /* index of the assistant's message */
	size_t answer;	/* index of the answering message, SIZE_MAX: none */
	bool custom;
};

struct chat_calls {
	struct chat_past_call *calls;	/* in the order of the history */
	struct chat_past_call **sorted; /* by id, then order */
	size_t count;
};

/* -ENOMEM when the arena is full. */
int chat_calls_build(struct chat_calls *c, struct jv messages, struct arena *arena) MUST_CHECK;
/* The call that message `index` answers; NULL: an orphan, or answered already. */
const struct chat_past_call *chat_calls_answered_by(
	const struct chat_calls *c, struct sv id, size_t index);

#endif
