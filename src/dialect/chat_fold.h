/* The answer as one chat.completion object, made from the finished items. */
#ifndef DIALECT_CHAT_FOLD_H
#define DIALECT_CHAT_FOLD_H

#include "dialect/dialect.h"

/* Appends the body; a failure is out's error. */
void chat_fold_write(struct turn *t, const struct event *terminal, struct buf *out);

#endif
