#include "base/arena.h"

#include <stdlib.h>

enum { FIRST_BYTES = 1024 - 64, BLOCK_BYTES = 4096 - 64, ALIGN = 16 };

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t used;
	_Alignas(ALIGN) char data[];
};

void arena_init(struct arena *a, size_t cap)
{
	*a = (struct arena){.cap = cap};
}

static void free_blocks(struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
}

void arena_fini(struct arena *a)
{
	if (!a)
		return;
	free_blocks(a->head);
	a->head = NULL;
	a->used = 0;
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = a->head;

	a->used = 0;
	if (!keep)
		return;
	free_blocks(keep->next);
	keep->next = NULL;
	keep->used = 0;
	if (keep->size > BLOCK_BYTES)
		arena_fini(a);
}

/* least: the first block is small, for many requests need little. */
static struct arena_block *block_new(size_t need, size_t least)
{
	size_t size = need > least ? need : least;
	struct arena_block *block = malloc(sizeof(*block) + size);

	if (!block)
		return NULL;
	block->next = NULL;
	block->size = size;
	block->used = 0;
	return block;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *block = a->head;
	void *piece;

	if (n > SIZE_MAX - sizeof(*block) - ALIGN)
		return NULL;
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (n > a->cap - a->used)
		return NULL;
	if (!block || block->size - block->used < n) {
		block = block_new(n, block ? BLOCK_BYTES : FIRST_BYTES);
		if (!block)
			return NULL;
		block->next = a->head;
		a->head = block;
	}
	piece = block->data + block->used;
	block->used += n;
	a->used += n;
	return piece;
}

struct sv arena_dup(struct arena *a, struct sv s)
{
	char *copy = arena_alloc(a, s.n + 1);

	if (!copy)
		return SV_NONE;
	if (s.n)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return sv_make(copy, s.n);
}
