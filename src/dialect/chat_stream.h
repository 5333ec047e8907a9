/* The answer as chat.completion.chunk events. Nothing is allocated per event. */
#ifndef DIALECT_CHAT_STREAM_H
#define DIALECT_CHAT_STREAM_H

#include "dialect/dialect.h"

int chat_stream_begin(struct turn *t);
int chat_stream_event(struct turn *t, const struct event *ev, struct buf *out);

#endif
