/* Private to the chat dialect: the request document while it is written. */
#ifndef DIALECT_CHAT_WRITER_H
#define DIALECT_CHAT_WRITER_H

#include "dialect/chat_calls.h"
#include "dialect/chat_internal.h"

struct chat_writer {
	struct turn *turn;
	struct api_err *err;
	struct jw w; /* into turn.built */
	struct chat_calls calls;
	size_t next_call;      /* first of `calls` that was not written yet */
	size_t message;	       /* index of the present one */
	size_t leading;	       /* system and developer messages before the first other one */
	bool keep_leading;     /* in `input` too (json_object) */
	bool has_content;      /* anything at all was said */
	struct sv legacy_name; /* function_call that waits for its function message; raw */
	size_t legacy_count;
};

/* chat_messages.c: "instructions" and "input". 0 or -EINVAL with *err. */
int chat_write_instructions(struct chat_writer *cw, struct jv messages) MUST_CHECK;
int chat_write_input(struct chat_writer *cw, struct jv messages) MUST_CHECK;
/* chat_tools.c: "tools" and "tool_choice". */
int chat_write_tools(struct chat_writer *cw, struct jv tools, struct jv functions) MUST_CHECK;
int chat_write_tool_choice(
	struct chat_writer *cw, struct jv choice, struct jv function_call) MUST_CHECK;
/* Writes a name as upstream takes it. */
int chat_write_name(struct chat_writer *cw, struct jv name, const char *param) MUST_CHECK;

#endif
