/*
 * A growing byte buffer with a cap. The cap is a promise about memory: nothing can push a buffer
 * over it. Failure is sticky: once an append did not fit (or memory was out) every later append
 * is ignored and buf_error() tells why, so that a writer may append many pieces and check once.
 * Owner: whoever called buf_init() or received it by buf_move(); ends with buf_fini().
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/mem.h"
#include "base/sv.h"

struct buf {
	char *data;  /* NULL while empty */
	size_t len;  /* bytes in use */
	size_t size; /* bytes allocated, without the one kept for a NUL */
	size_t cap;  /* most bytes it may ever hold */
	int error;   /* 0, -ENOBUFS (over the cap) or -ENOMEM; sticky until buf_reset() */
};

/* Allocates nothing yet. cap is in bytes and must not be 0. */
void buf_init(struct buf *b, size_t cap);
/* Frees the storage; the buffer may be initialised again. Accepts an all-zero buffer and NULL. */
void buf_fini(struct buf *b);
/* Empties it and clears the error, keeping storage up to keep bytes and freeing a larger one. */
void buf_reset(struct buf *b, size_t keep);
/* Moves contents and cap to *to (not initialised before); *from is empty afterwards. */
void buf_move(struct buf *from, struct buf *to);
/* Room for n more bytes: 0 or the sticky error. */
int buf_reserve(struct buf *b, size_t n);
/* buf_add() of what does not fit without growing. */
void buf_add_slowly(struct buf *b, const void *p, size_t n);
void buf_add_cstr(struct buf *b, const char *s);
void buf_add_u64(struct buf *b, uint64_t value);
void buf_add_i64(struct buf *b, int64_t value);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Drops the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* Cuts to n bytes (n <= len). */
void buf_truncate(struct buf *b, size_t n);
/* Bytes as a NUL-terminated string, valid until the next change; "" on error. */
const char *buf_cstr(struct buf *b);

static inline int buf_error(const struct buf *b)
{
	return b->error;
}

static inline struct sv buf_sv(const struct buf *b)
{
	return sv_make(b->data, b->len);
}

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
	if (b->error || n > b->size - b->len) {
		buf_add_slowly(b, p, n);
	} else if (n) { /* else p may be NULL */
		memcpy(b->data + b->len, p, n);
		b->len += n;
	}
}

static inline void buf_add_sv(struct buf *b, struct sv s)
{
	buf_add(b, s.p, s.n);
}

static inline void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

#define buf_add_lit(b, lit) buf_add((b), "" lit, sizeof(lit) - 1)

#endif
