/*
 * Writes slot state to disk, debounced: after a second without changes, at the latest a minute
 * after the first one, never while a request waits for it. The write runs on a pool thread.
 */
#ifndef RELAY_SAVER_H
#define RELAY_SAVER_H

#include "io/loop.h"
#include "slots/slot_table.h"

struct saver;

/* Registers itself as the table's on_dirty. Borrows all arguments. */
struct saver *saver_new(struct loop *loop, const char *root, struct slot_table *slots);
/* A save is running on its pool thread right now. */
bool saver_is_writing(const struct saver *s);
/* No timer of its own is left: the loop may end. */
void saver_stop(struct saver *s);
/* Writes what is left, blocking: at shutdown, after the loop ended. Frees. Accepts NULL. */
void saver_free(struct saver *s);

#endif
