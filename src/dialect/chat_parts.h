/* Content of a chat message: a string or parts (TRANSLATION 1). */
#ifndef DIALECT_CHAT_PARTS_H
#define DIALECT_CHAT_PARTS_H

#include "base/jw.h"
#include "dialect/api_err.h"

struct chat_parts {
	struct jv content;
	size_t message; /* index, for the param of an error */
	struct api_err *err;
};

/* Is there anything in it, be it wrong? A part that is no text counts. */
bool chat_parts_have_content(struct jv content);
/* Has it a part that is no text? */
bool chat_parts_have_media(struct jv content);
/* Checks content that may only be text: a string or text parts. -EINVAL. */
int chat_parts_check_text(const struct chat_parts *p) MUST_CHECK;
/* Appends the text into the string that is being written; parts that are no text are left out. */
void chat_parts_add_text(struct jv content, struct jw *w);
/* Writes the elements of a content array, texts as text_type. -EINVAL. */
int chat_parts_write(const struct chat_parts *p, struct sv text_type, struct jw *w) MUST_CHECK;

/*
 * An assistant's content: what it said (texts, refusals; chat_parts_write() as output_text writes
 * no others), pictures and files, which the internal form has no place for in its messages, and
 * reasoning that clients send back, which is ignored.
 */
int chat_parts_check_assistant(const struct chat_parts *p) MUST_CHECK;
bool chat_parts_have_said(struct jv content);
bool chat_parts_have_pictures(struct jv content);
int chat_parts_write_pictures(const struct chat_parts *p, struct jw *w) MUST_CHECK;

#endif
