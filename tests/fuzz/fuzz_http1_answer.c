/*
 * An HTTP/1.1 response, as an upgrade is answered. The first byte chooses how the rest is cut, and
 * whether the connection ends behind it; whatever the cut, the parser must say the same as for the
 * whole, and stay inside its limits.
 */
#include "proto/http1_answer.h"
#include "proto/ws_handshake.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { CAP = 64 };

/* Everything that was said about the bytes of a connection. */
struct verdict {
	int rc; /* 1 complete, 0 more must come, or an error */
	int status;
	bool is_upgrade;
	uint64_t hash; /* of headers and body */
	size_t body_bytes;
	size_t used;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(struct verdict *v, struct sv s)
{
	v->hash = sv_hash(s, sv_hash(SV("|"), v->hash));
}

static void look(struct verdict *v, const struct http1_answer *a)
{
	size_t count, bytes = 0;
	const struct http_header *headers = http1_answer_headers(a, &count);

	v->status = http1_answer_status(a);
	v->body_bytes = http1_answer_body(a).n;
	v->is_upgrade = ws_check_answer(v->status, headers, count, "dGhlIHNhbXBsZSBub25jZQ==");
	assert(v->status == 101 || (v->status >= 200 && v->status <= 999));
	assert(v->status == 101 || !v->is_upgrade);
	assert(v->status != 101 || v->body_bytes == 0);
	assert(v->body_bytes <= CAP);
	assert(count <= LIMIT_RESPONSE_HEADERS_COUNT);
	for (size_t i = 0; i < count; i++) {
		assert(http_is_token(headers[i].name));
		assert(http_is_field_value(headers[i].value));
		note(v, headers[i].name);
		note(v, headers[i].value);
		bytes += headers[i].name.n + headers[i].value.n;
	}
	assert(bytes <= LIMIT_RESPONSE_HEAD_BYTES);
	note(v, http1_answer_body(a));
}

/* Each piece is memory of its own that is gone afterwards. */
static int feed(struct http1_answer *a, struct sv piece, size_t *ret_used)
{
	char *copy = malloc(piece.n);
	int rc;

	assert(copy);
	memcpy(copy, piece.p, piece.n);
	rc = http1_answer_feed(a, sv_make(copy, piece.n), ret_used);
	free(copy);
	return rc;
}

static struct verdict read_answer(struct sv text, size_t step, bool ends)
{
	struct http1_answer *a = http1_answer_new(CAP);
	struct verdict v = {.hash = SV_HASH_SEED};

	while (v.rc == 0 && v.used < text.n) {
		struct sv piece = sv_from(text, v.used);
		size_t used = 0;

		if (piece.n > step)
			piece.n = step;
		v.rc = feed(a, piece, &used);
		assert(v.rc < 0 || (v.rc > 0 ? used <= piece.n : used == piece.n));
		v.used += used;
	}
	if (v.rc == 0 && ends) {
		v.rc = http1_answer_end(a);
		assert(v.rc != 0);
	}
	assert(v.rc == 0 || v.rc == 1 || v.rc == -EBADMSG);
	if (v.rc > 0)
		look(&v, a);
	http1_answer_free(a);
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verdict whole, cut;
	struct sv text;
	bool ends;

	if (size < 1)
		return 0;
	ends = data[0] & 1;
	text = sv_make((const char *)data + 1, size - 1);
	whole = read_answer(text, text.n, ends);
	cut = read_answer(text, (size_t)data[0] / 2 + 1, ends);
	assert(whole.rc == cut.rc);
	if (whole.rc <= 0)
		return 0;
	assert(whole.status == cut.status && whole.is_upgrade == cut.is_upgrade);
	assert(whole.hash == cut.hash && whole.body_bytes == cut.body_bytes);
	/* What is behind a full body is not looked at. */
	if (whole.body_bytes < CAP)
		assert(whole.used == cut.used);
	return 0;
}
