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

#endif
