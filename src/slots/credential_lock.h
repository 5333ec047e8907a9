/*
 * The lock around a slot's credential: run/credential-slot-N.lock. Whoever spends a slot's refresh
 * token or replaces its auth file holds it meanwhile, in whatever process, so that a grant is never
 * used twice and a newer one never overwritten. Taken before run/state.lock, never behind it.
 * Blocks: pool threads and commands only.
 */
#ifndef SLOTS_CREDENTIAL_LOCK_H
#define SLOTS_CREDENTIAL_LOCK_H

#include "base/mem.h"

/*
 * 0 and *ret_fd for durable_unlock(), -ETIMEDOUT when another one holds it for longer than
 * timeout_ms, -EINVAL for an id that is no file name, or what the system says.
 */
int credential_lock(const char *root, const char *slot_id, int timeout_ms, int *ret_fd) MUST_CHECK;

#endif
