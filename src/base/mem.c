#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static void *check(void *p)
{
	if (!p) {
		fputs("codex-slot-relay: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *mem_zalloc(size_t size)
{
	return check(calloc(1, size ? size : 1));
}

void *mem_realloc(void *p, size_t size)
{
	return check(realloc(p, size ? size : 1));
}

char *mem_strdup(const char *s)
{
	return s ? check(strdup(s)) : NULL;
}

char *mem_strndup(const char *s, size_t n)
{
	char *copy = check(malloc(n + 1));

	if (n)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

void *mem_try_alloc(size_t size)
{
	return malloc(size ? size : 1);
}

void mem_keep_free(void)
{
#ifdef __GLIBC__
	mallopt(M_TRIM_THRESHOLD, 16 << 20);
	mallopt(M_TOP_PAD, 128 << 10);
	/* Where the first two calls switch off that it adapts itself: bodies of usual size. */
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	/* Threads of the pool allocate little: they need no heaps of their own. */
	mallopt(M_ARENA_MAX, 1);
#endif
}
