/*
 * An attempt's answer (TRANSLATION 2). chat_answer.c picks up what every answer needs and leads
 * each event to chat_stream.c (chunks as events come) or chat_fold.c (one object at the end).
 */
#ifndef DIALECT_CHAT_ANSWER_H
#define DIALECT_CHAT_ANSWER_H

#include "dialect/chat.h"
#include "dialect/item_list.h"

enum { CHAT_ID_BYTES = 128 };

struct chat_stream;

struct chat_answer {
	char id[CHAT_ID_BYTES]; /* what follows the form's prefix, needs no escape */
	bool described;		/* id, created and model are upstream's */
	bool ended;		/* the terminal event came */
	int64_t created;
	struct sv model; /* raw JSON text, in the arena; empty: the client's */
	struct item_list items;
	struct chat_stream *stream; /* NULL in a folded answer */

	/* A folded answer with stop strings: the text of the message that is coming. */
	size_t watched_bytes;  /* decoded, at the end of turn.fold */
	int64_t watched_index; /* its output_index */
	bool unwatched;	       /* messages came mixed: searched at the end only */
};

int chat_answer_begin(struct turn *t);
int chat_answer_event(struct turn *t, const struct event *ev, struct buf *out);
int chat_answer_finish(struct turn *t, struct buf *out);

static inline struct chat *chat_of(const struct turn *t)
{
	return t->state;
}

/* Writes "id", "object", "created", "model". */
void chat_answer_head(const struct turn *t, struct sv object, struct jw *w);
/* The value of `usage`. */
void chat_answer_usage(const struct usage *usage, struct jw *w);
/* Raw text. calls: did the answer have tool calls? */
struct sv chat_answer_reason(const struct chat *c, const struct event *terminal, bool calls);
/* A url_citation as an element of `annotations`; false, and nothing written, for others. */
bool chat_answer_annotation(struct jv annotation, struct jw *w);
/* A call's identity: call_id, else the item's id; raw text. */
struct sv chat_answer_call_id(struct jv item);
/* Offset of the first of the client's stop strings in text, or -1. */
ptrdiff_t chat_answer_find_stop(const struct chat *c, struct sv text);

#endif
