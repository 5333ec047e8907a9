/*
 * What the files of the chat dialect share. A struct chat is made by parse in the turn's arena and
 * lives as long as the turn; begin() makes its answer part anew for each attempt.
 */
#ifndef DIALECT_CHAT_H
#define DIALECT_CHAT_H

#include "dialect/chat_names.h"
#include "dialect/dialect.h"

enum { CHAT_STOPS = 4, CHAT_STOP_BYTES = 512 };

struct chat_answer;

struct chat {
	struct chat_names names;
	struct sv stops[CHAT_STOPS]; /* decoded, none empty */
	size_t stop_count;
	bool include_usage;
	bool legacy; /* the client knows functions but no tools: function_call in the answer */
	struct chat_answer *answer;
};

/* The parse of the vtable. */
int chat_request_parse(struct turn *t, struct api_err *err);

#endif
