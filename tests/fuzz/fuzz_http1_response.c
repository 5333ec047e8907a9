/*
 * HTTP/1.1 responses. The first byte chooses how the rest is cut, and whether the reader stops at
 * every callback; whatever it is, the reader must say the same as for the whole, and stay inside
 * its limits.
 */
#include "proto/http1_response.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

/* Everything a reader said about a connection's bytes. */
struct verdict {
	struct http1_response *response;
	bool stops;
	uint64_t hash;
	size_t body_bytes;
	size_t used;
	int rc;
	bool keeps_alive;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_head(void *ctx)
{
	struct verdict *v = ctx;
	size_t count;
	const struct http_header *headers = http1_response_headers(v->response, &count);
	int status = http1_response_status(v->response);

	assert(status == 101 || status >= 200);
	assert(count <= LIMIT_RESPONSE_HEADERS_COUNT);
	v->hash = sv_hash(sv_make((const char *)&status, sizeof(status)), v->hash);
	for (size_t i = 0; i < count; i++) {
		assert(headers[i].name.n);
		v->hash = sv_hash(headers[i].name, v->hash);
		v->hash = sv_hash(headers[i].value, v->hash);
	}
	if (v->stops)
		http1_response_stop(v->response);
}

static void on_body(void *ctx, struct sv bytes)
{
	struct verdict *v = ctx;

	assert(bytes.n > 0 && http1_response_status(v->response));
	v->body_bytes += bytes.n;
	v->hash = sv_hash(bytes, v->hash);
	if (v->stops)
		http1_response_stop(v->response);
}

/* Cut pieces lie in memory of their own, so that what is read behind them is found out. */
static void feed_piece(struct verdict *v, struct sv piece)
{
	char *copy = malloc(piece.n);
	struct sv rest = sv_make(copy, piece.n);
	size_t used, turns = 2 * piece.n + 3;

	memcpy(copy, piece.p, piece.n);
	do {
		v->rc = http1_response_feed(v->response, rest, &used);
		assert(used <= rest.n && turns-- > 0);
		assert(v->rc || v->stops || used == rest.n);
		rest = sv_from(rest, used);
		v->used += used;
	} while (v->rc == 0 && rest.n);
	free(copy);
}

static void read_all(struct verdict *v, struct sv text, size_t step, bool stops)
{
	static const struct http1_response_ops ops = {on_head, on_body};
	size_t used;

	*v = (struct verdict){.hash = SV_HASH_SEED, .stops = stops};
	v->response = http1_response_new(&ops, v);
	while (v->rc == 0 && v->used < text.n) {
		struct sv piece = sv_from(text, v->used);

		if (piece.n > step)
			piece.n = step;
		feed_piece(v, piece);
	}
	/* A stop may have come before what needs no more bytes. */
	if (v->rc == 0)
		v->rc = http1_response_feed(v->response, SV_NONE, &used);
	if (v->rc == 0)
		v->rc = http1_response_end(v->response) > 0 ? 2 : -1;
	v->keeps_alive = v->rc == 1 && http1_response_keeps_alive(v->response);
	http1_response_free(v->response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verdict whole, cut;
	struct sv text;

	if (size < 1)
		return 0;
	text = sv_make((const char *)data + 1, size - 1);
	read_all(&whole, text, text.n ? text.n : 1, false);
	read_all(&cut, text, 1 + (data[0] & 63), data[0] & 64);
	assert((whole.rc < 0) == (cut.rc < 0));
	if (whole.rc < 0)
		return 0;
	assert(whole.rc == cut.rc && whole.used == cut.used);
	assert(whole.hash == cut.hash && whole.body_bytes == cut.body_bytes);
	assert(whole.keeps_alive == cut.keeps_alive);
	return 0;
}
