/*
 * The simulated prompt cache of one account: for each prompt_cache_key the prompt of the last
 * request. What a new prompt shares with it counts as cached, so that a request sent to another
 * account, or with a changed prefix, shows as lost cache in usage. Bounded, least recently used
 * out.
 */
#ifndef SIM_CACHE_H
#define SIM_CACHE_H

#include "base/buf.h"

struct sim_cache;

struct sim_cache *sim_cache_new(void);
void sim_cache_free(struct sim_cache *c);
void sim_cache_clear(struct sim_cache *c);
/* Bytes that the parts, put together, share with the last prompt of key; remembers the new one. */
size_t sim_cache_use(struct sim_cache *c, struct sv key, const struct sv *parts, size_t count);

#endif
