/*
 * Small allocations that cannot sensibly fail: they abort the process when memory is out.
 * Sizes that come from the wire never go through here; they pass a limit from limits.h and
 * then buf_reserve() or mem_try_alloc(), which report failure.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Zeroed memory; aborts on OOM. Free with free(). */
void *mem_zalloc(size_t size);
/* Grows or shrinks; aborts on OOM. */
void *mem_realloc(void *p, size_t size);
/* Copy of a NUL-terminated string; aborts on OOM. NULL gives NULL. */
char *mem_strdup(const char *s);
/* Copy of n bytes plus a terminating NUL. */
char *mem_strndup(const char *s, size_t n);
/* Uninitialised memory or NULL. For sizes that the wire chose, after their limit was checked. */
void *mem_try_alloc(size_t size) MUST_CHECK;

/*
 * At the start of a server: up to 16 MiB of freed memory stay for the next requests, instead of
 * going back to the system and coming again as page faults, which cost a large body several times
 * what is done with it. Who knows that a quiet time begins gives them back (malloc_trim()). All
 * threads share one heap.
 */
void mem_keep_free(void);
/*
 * Once, when a server has started: the pages of the program and of its libraries that hold code and
 * constants leave the process. Those that it needs from now on come back when they are touched,
 * from the system's cache of files; most were needed only to load libraries and to set them up.
 */
void mem_drop_start_code(void);

#endif
