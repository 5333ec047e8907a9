/*
 * Session affinity: key -> slot (any non-zero number that names it), so that a conversation stays
 * where its prompt cache is warm. Bounded (least recently used goes first), entries expire after 30
 * idle minutes. Keys are hashed (SipHash-like keyed hash: hostile keys cannot collide on purpose)
 * and not stored.
 */
#ifndef SLOTS_AFFINITY_H
#define SLOTS_AFFINITY_H

#include "base/sv.h"

struct affinity;
struct affinity *affinity_new(size_t max_entries, int64_t idle_ms);
void affinity_free(struct affinity *a);
/* What was put for the key, or 0. Refreshes the entry. */
uint64_t affinity_get(struct affinity *a, struct sv key, int64_t now_ms);
void affinity_put(struct affinity *a, struct sv key, uint64_t slot, int64_t now_ms);
size_t affinity_count(const struct affinity *a);

#endif
