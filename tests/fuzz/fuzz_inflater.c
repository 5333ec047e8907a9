/*
 * The inflater gives the same answer however the body is cut, and never more than the cap. (A body
 * that is too long and damaged may be refused for the one or the other: brotli keeps back what it
 * decoded before the damage.) The first byte chooses the codings, the second the cuts and the cap.
 */
#include "proto/inflater.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sv headers[] = {{"gzip", 4}, {"deflate", 7}, {"br", 2}, {"zstd", 4},
	{"gzip, zstd", 10}, {"zstd, gzip", 10}, {"br, deflate", 11}, {"deflate, br", 11}};

static size_t piece_length(unsigned *random, size_t left)
{
	size_t n;

	if (*random == 0)
		return left;
	if (*random == 1)
		return 1;
	*random = *random * 1103515245 + 12345;
	n = *random >> 16 & 31;
	return n < left ? n : left;
}

static int decode(struct sv header, struct sv body, unsigned random, struct buf *out)
{
	struct inflater *f;
	int err = inflater_new(header, &f);

	assert(err == 0 && f);
	while (body.n && !err) {
		size_t length = piece_length(&random, body.n);
		char *copy = malloc(length ? length : 1);

		assert(copy);
		memcpy(copy, body.p, length);
		err = inflater_feed(f, sv_make(copy, length), out);
		free(copy);
		body = sv_from(body, length);
	}
	err = inflater_finish(f, out);
	assert(out->len <= out->cap);
	inflater_free(f);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv header;
	struct sv body;
	struct buf whole;
	size_t cap;
	int err;

	if (size < 2)
		return 0;
	header = headers[data[0] % ARRAY_LEN(headers)];
	cap = data[1] < 64 ? (size_t)data[1] + 1 : KIB(64);
	body = sv_make((const char *)data + 2, size - 2);
	buf_init(&whole, cap);
	err = decode(header, body, 0, &whole);
	assert(err == 0 || err == -EBADMSG || err == -ENOBUFS);
	assert((err == -ENOBUFS) >= (buf_error(&whole) != 0));
	for (unsigned random = 1; random < 3; random++) {
		struct buf pieces;
		int cut_err;

		buf_init(&pieces, cap);
		cut_err = decode(header, body, random == 1 ? 1 : 2 + data[1], &pieces);
		assert(cut_err == 0 || cut_err == -EBADMSG || cut_err == -ENOBUFS);
		assert((cut_err == 0) == (err == 0));
		assert(err || sv_eq(buf_sv(&pieces), buf_sv(&whole)));
		buf_fini(&pieces);
	}
	buf_fini(&whole);
	return 0;
}
