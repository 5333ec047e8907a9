#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { MIN_SIZE = 256, LARGE_SIZE = 64 * 1024 };

void buf_init(struct buf *b, size_t cap)
{
	assert(cap > 0);
	*b = (struct buf){.cap = cap};
}

void buf_fini(struct buf *b)
{
	if (!b)
		return;
	free(b->data);
	*b = (struct buf){.cap = b->cap};
}

void buf_reset(struct buf *b, size_t keep)
{
	b->len = 0;
	b->error = 0;
	if (b->size > keep) {
		free(b->data);
		b->data = NULL;
		b->size = 0;
	}
}

void buf_move(struct buf *from, struct buf *to)
{
	*to = *from;
	*from = (struct buf){.cap = to->cap};
}

/* Doubles while small; a large one grows by a quarter, so that little of it stays empty. */
static size_t grown_size(const struct buf *b, size_t need)
{
	size_t size = b->size < LARGE_SIZE ? b->size * 2 : b->size + b->size / 4;

	if (size < MIN_SIZE)
		size = MIN_SIZE;
	if (size < need)
		size = need;
	return size > b->cap ? b->cap : size;
}

int buf_reserve(struct buf *b, size_t n)
{
	size_t size;
	char *data;

	if (b->error)
		return b->error;
	if (n <= b->size - b->len)
		return 0;
	if (n > b->cap - b->len)
		return b->error = -ENOBUFS;
	size = grown_size(b, b->len + n);
	data = realloc(b->data, size < SIZE_MAX ? size + 1 : size); /* a byte for a NUL behind */
	if (!data)
		return b->error = -ENOMEM;
	b->data = data;
	b->size = size;
	return 0;
}

void buf_add_slowly(struct buf *b, const void *p, size_t n)
{
	if (buf_reserve(b, n))
		return;
	memcpy(b->data + b->len, p, n);
	b->len += n;
}

void buf_add_cstr(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_add_u64(struct buf *b, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_add_i64(struct buf *b, int64_t value)
{
	uint64_t magnitude = (uint64_t)value;

	if (value < 0) {
		buf_add_char(b, '-');
		magnitude = -magnitude;
	}
	buf_add_u64(b, magnitude);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	assert(n >= 0);
	if (n == 0 || buf_reserve(b, (size_t)n))
		return;
	va_start(args, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, args);
	va_end(args);
	b->len += (size_t)n;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len);
}

void buf_truncate(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->len = n;
}

const char *buf_cstr(struct buf *b)
{
	if (b->error || (!b->data && buf_reserve(b, 1)))
		return "";
	b->data[b->len] = '\0';
	return b->data;
}
