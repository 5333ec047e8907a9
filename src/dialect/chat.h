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

/* The words in which the two APIs of this family give a text. All are pieces of JSON. */
struct chat_form {
	struct sv id_prefix;
	struct sv whole, chunk;		   /* `object` of an answer and of its chunks */
	struct sv before_delta;		   /* of a chunk's choice */
	struct sv before_text, after_text; /* a delta that is a piece of the text */
	struct sv nothing;		   /* the delta of the chunk with the finish_reason */
	bool plain; /* has no role, refusal, reasoning, calls nor annotations: text only */
};

extern const struct chat_form chat_form_chat;
extern const struct chat_form chat_form_completions;

struct chat {
	const struct chat_form *form;
	struct chat_names names;
	struct sv stops[CHAT_STOPS]; /* decoded, none empty */
	size_t stop_count;
	bool include_usage;
	bool legacy;	/* the client knows functions but no tools: function_call in the answer */
	struct sv echo; /* raw JSON text that the answer begins with (completions) */
	struct chat_answer *answer;
};

/* The parse of the vtables. */
int chat_request_parse(struct turn *t, struct api_err *err);
int completions_request_parse(struct turn *t, struct api_err *err);

/* What the two parsers share; value is the client's `stop` (a string or an array, or nil). -EINVAL.
 */
int chat_stops_read(struct turn *t, struct jv value, struct api_err *err) MUST_CHECK;

#endif
