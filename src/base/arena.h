/*
 * A region allocator: many small pieces, freed together. One arena belongs to one exchange or one
 * parse; pieces live until arena_fini() or arena_reset(). The cap bounds what the wire can make us
 * keep: over it allocations return NULL.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/sv.h"

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t used; /* bytes handed out and rounded */
	size_t cap;
};

void arena_init(struct arena *a, size_t cap);
void arena_fini(struct arena *a);
/* Frees all pieces but keeps the first block for reuse. */
void arena_reset(struct arena *a);
/* 16-byte aligned, uninitialised; NULL over the cap or out of memory. */
void *arena_alloc(struct arena *a, size_t n) MUST_CHECK;
/* Copy with a NUL behind it; p is NULL on failure. */
struct sv arena_dup(struct arena *a, struct sv s) MUST_CHECK;

#endif
