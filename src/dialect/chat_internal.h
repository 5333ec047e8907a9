/* Private to the chat dialect: what its request and its answer halves share. */
#ifndef DIALECT_CHAT_INTERNAL_H
#define DIALECT_CHAT_INTERNAL_H

#include "base/jw.h"
#include "base/limits.h"
#include "dialect/dialect.h"
#include "dialect/item_list.h"

/* A tool name that upstream does not take, and what stands for it (TRANSLATION 1). */
struct chat_name {
	struct sv original; /* raw JSON text of the client's name */
	struct sv short_name;
};

struct chat_names {
	struct chat_name *list; /* in the turn's arena */
	size_t count, room;
};

/* What the request says about the answer; turn.state begins with it. */
struct chat_options {
	bool include_usage;
	struct chat_names names;
};

struct chat_call {
	struct sv item_id; /* in the arena */
	int64_t output_index;
	int index; /* the client's tool_calls index */
	bool custom;
	bool has_arguments; /* a delta came: .done is not used */
};

struct chat_state {
	struct chat_options options;
	char id[160]; /* "chatcmpl-…" */
	int64_t created_s;
	struct sv prefix; /* of every chunk, up to the delta; in the arena */
	struct sv suffix; /* behind the delta */
	bool begun;	  /* the first chunk, with the role, went out */
	bool ended;
	bool summary_open; /* reasoning_content was sent: the next part begins with a blank line */
	bool summary_break;
	const char *finish_reason;
	struct chat_call *calls; /* in the arena */
	size_t call_count, call_room;
	struct item_list items;
};

/* chat_request.c */
int chat_parse(struct turn *t, struct api_err *err);
/* chat_names.c: the name that upstream gets for a raw client name; same in, same out. SV_NONE: no
 * memory. */
struct sv chat_names_shorten(struct chat_names *names, struct arena *arena, struct sv raw_name);
/* The client's raw name for upstream's. */
struct sv chat_names_restore(const struct chat_names *names, struct sv raw_name);
/* chat_stream.c */
int chat_stream_event(struct turn *t, const struct event *ev, struct buf *out);
/* chat_fold.c: the whole chat.completion object, at the terminal event. */
int chat_fold_write(struct turn *t, const struct event *ev, struct buf *out);
/* "stop", "tool_calls", "length", "content_filter" for a terminal event. */
const char *chat_finish_reason(const struct event *ev, bool has_calls);
/* Chat's form of a url citation. */
void chat_annotation_write(struct jv note, struct jw *w);
void chat_usage_write(const struct usage *u, struct jw *w);

#endif
