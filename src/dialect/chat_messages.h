/* The messages of a chat body as `instructions` and `input` (TRANSLATION 1). */
#ifndef DIALECT_CHAT_MESSAGES_H
#define DIALECT_CHAT_MESSAGES_H

#include "base/jw.h"
#include "dialect/api_err.h"
#include "dialect/chat_pairs.h"

enum { CHAT_DROPPED_NAMED = 16 };

struct chat_messages {
	struct jv list;	     /* an array */
	bool keep_system;    /* leading system messages stay in the input as well */
	struct api_err *err; /* filled when a function returns -EINVAL */
	struct jw *w;
	struct chat_pairs pairs;
	size_t next_call, next_reply;
	size_t index;			       /* of the message that is being written */
	size_t leading;			       /* how many leading system messages there are */
	size_t dropped;			       /* replies without a call */
	size_t dropped_at[CHAT_DROPPED_NAMED]; /* indexes of the first ones' messages */
	bool has_content; /* something that is not empty was written to input */
};

/* Reads what has to be known before writing. -EINVAL. */
int chat_messages_begin(struct chat_messages *m, struct arena *arena) MUST_CHECK;
/* Writes the member `instructions` if there is something to say. -EINVAL. */
int chat_messages_instructions(struct chat_messages *m) MUST_CHECK;
/* Writes the value of `input`. -EINVAL. */
int chat_messages_input(struct chat_messages *m) MUST_CHECK;

#endif
