/* The answer as chat.completion.chunk events. Nothing is allocated per event. */
#ifndef DIALECT_CHAT_STREAM_H
#define DIALECT_CHAT_STREAM_H

#include "dialect/dialect.h"

int chat_stream_begin(struct turn *t);
int chat_stream_event(struct turn *t, const struct event *ev, struct buf *out);
/* Usage, if the client wants it, and [DONE]: behind the chunk with the finish_reason. */
void chat_stream_end(struct turn *t, struct buf *out);

#endif
