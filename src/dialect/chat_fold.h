/* The answer as one chat.completion object, made from the finished items. */
#ifndef DIALECT_CHAT_FOLD_H
#define DIALECT_CHAT_FOLD_H

#include "dialect/dialect.h"

/*
 * Keeps the finished items. With stop strings the text is searched as it comes, so that upstream
 * need not go on behind a match (turn.satisfied).
 */
int chat_fold_event(struct turn *t, const struct event *ev) MUST_CHECK;
/* Appends the body; a failure is out's error. terminal: EVENT_OTHER when a stop string ended it. */
void chat_fold_write(struct turn *t, const struct event *terminal, struct buf *out);

#endif
