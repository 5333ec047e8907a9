/*
 * HTTP/1.1 requests. The first byte chooses how the rest is cut; whatever the cut, the parser must
 * say the same as for the whole, and stay inside its limits.
 */
#include "proto/http1.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

enum { REQUESTS = 16 };

/* Everything a parser said about a connection's bytes. */
struct verdict {
	struct http1_parser *parser;
	uint64_t hash;
	unsigned heads, completes;
	size_t used;
	int status;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(struct verdict *v, struct sv s)
{
	v->hash = sv_hash(s, v->hash);
}

static int on_head(void *ctx, const struct http_request *r)
{
	struct verdict *v = ctx;

	v->heads++;
	note(v, r->method);
	note(v, r->target);
	note(v, r->path);
	note(v, r->query);
	assert(r->path.n > 0);
	assert(http_is_token(r->method));
	assert(r->target.n <= LIMIT_TARGET_BYTES);
	assert(r->header_count <= LIMIT_HEADERS_COUNT);
	for (size_t i = 0; i < r->header_count; i++) {
		assert(http_is_token(r->headers[i].name));
		assert(http_is_field_value(r->headers[i].value));
		note(v, r->headers[i].name);
		note(v, r->headers[i].value);
	}
	assert(!(r->chunked && r->content_length != UINT64_MAX));
	return 0;
}

static int on_body(void *ctx, struct sv bytes)
{
	struct verdict *v = ctx;

	assert(bytes.n > 0);
	note(v, bytes);
	return 0;
}

static void on_complete(void *ctx)
{
	((struct verdict *)ctx)->completes++;
}

static void read_all(struct verdict *v, struct sv text, size_t step)
{
	static const struct http1_ops ops = {on_head, on_body, on_complete};
	struct http_fault fault = {0, NULL};
	unsigned before = 0;

	*v = (struct verdict){.hash = SV_HASH_SEED};
	v->parser = http1_parser_new(&ops, v);
	while (v->used < text.n && before < REQUESTS) {
		struct sv piece = sv_from(text, v->used);
		size_t used = 0;

		if (piece.n > step)
			piece.n = step;
		if (http1_feed(v->parser, piece, &used, &fault)) {
			assert(fault.status >= 400 && fault.message);
			v->status = fault.status;
			break;
		}
		assert(used <= piece.n);
		v->used += used;
		if (v->completes > before) {
			before = v->completes;
			http1_parser_reset(v->parser);
		} else {
			assert(used == piece.n);
		}
	}
	http1_parser_free(v->parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verdict whole, cut;
	struct sv text;

	if (size < 1)
		return 0;
	text = sv_make((const char *)data + 1, size - 1);
	read_all(&whole, text, text.n ? text.n : 1);
	read_all(&cut, text, (size_t)data[0] + 1);
	assert(whole.status == cut.status);
	assert(whole.heads == cut.heads);
	assert(whole.completes == cut.completes);
	/* A fault loses the bytes of its own feed that came before it. */
	if (!whole.status) {
		assert(whole.hash == cut.hash);
		assert(whole.used == cut.used);
	}
	return 0;
}
