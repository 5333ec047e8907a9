/* Tools, tool_choice and their legacy forms (TRANSLATION 1). */
#ifndef DIALECT_CHAT_TOOLS_H
#define DIALECT_CHAT_TOOLS_H

#include "base/jw.h"
#include "dialect/api_err.h"
#include "dialect/chat_names.h"

struct chat_tools {
	struct jv tools, functions;	      /* arrays, or nil */
	struct jv tool_choice, function_call; /* strings or objects, or nil */
	struct jv web_search;		      /* web_search_options: an object, or nil */
	struct chat_names *names;
	struct arena *arena;
	struct api_err *err;
};

/* Writes the members `tools` and `tool_choice` if the client sent something. -EINVAL. */
int chat_tools_write(const struct chat_tools *t, struct jw *w) MUST_CHECK;

#endif
