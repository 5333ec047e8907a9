/*
 * Files that survive a crash: whole-file reads with a cap, atomic replacement (temporary file in
 * the same directory, fsync, rename, fsync of the directory), advisory locks between processes.
 * All calls block; the daemon calls them from start-up code or a pool thread, never on the loop.
 * Paths are absolute or relative to the working directory. Errors are negative errno.
 */
#ifndef BASE_DURABLE_H
#define BASE_DURABLE_H

#include "base/buf.h"

#include <sys/types.h>

/* Appends the whole file; -EFBIG when it holds more than out's cap allows. */
int durable_read(const char *path, struct buf *out) MUST_CHECK;
/* Replaces path with data and this mode; the old content stays whole on any failure. */
int durable_write(const char *path, struct sv data, mode_t mode) MUST_CHECK;
/* mkdir -p with this mode for the directories that it makes. */
int durable_mkdirs(const char *path, mode_t mode) MUST_CHECK;
/* rm -r, links not followed: 0 (also when there is none) or the first error. */
int durable_remove_tree(const char *path) MUST_CHECK;
/* Exclusive lock on path (made 0600 if absent), waiting at most timeout_ms: *ret_fd to hand to
 * durable_unlock(), or -ETIMEDOUT. */
int durable_lock(const char *path, int timeout_ms, int *ret_fd) MUST_CHECK;
void durable_unlock(int fd);

#endif
