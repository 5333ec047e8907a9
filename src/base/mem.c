#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>
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

#ifdef __GLIBC__

/* Then its code has been written to, and is not what the file has. */
static bool is_relocated(const ElfW(Dyn) * entry)
{
	for (; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_TEXTREL ||
			(entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
			return true;
	}
	return false;
}

static int drop_code(struct dl_phdr_info *object, size_t size, void *arg)
{
	uintptr_t page_mask = ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);

	(void)size;
	(void)arg;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &object->dlpi_phdr[i];

		if (h->p_type == PT_DYNAMIC &&
			is_relocated((const ElfW(Dyn) *)(object->dlpi_addr + h->p_vaddr)))
			return 0;
	}
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &object->dlpi_phdr[i];
		uintptr_t from = (object->dlpi_addr + h->p_vaddr) & page_mask;
		uintptr_t end = object->dlpi_addr + h->p_vaddr + h->p_memsz;

		/* A failure changes nothing. */
		if (h->p_type == PT_LOAD && !(h->p_flags & PF_W))
			(void)madvise((void *)from, end - from, MADV_DONTNEED);
	}
	return 0;
}

#endif

void mem_drop_start_code(void)
{
#ifdef __GLIBC__
	dl_iterate_phdr(drop_code, NULL);
#endif
}
