#include "proto/http1_response.h"

#include <errno.h>
#include <llhttp.h>
#include <stdlib.h>

/* What on_headers_complete() answers when no body follows, whatever the head says. */
enum { SKIP_BODY = 1 };

enum { FIRST_HEADERS = 16, KEEP_HEADERS = 64, KEEP_TEXT_BYTES = 8 * 1024 };

/* Of a header, in the text of the head. */
struct span {
	uint32_t at, name_bytes, value_bytes;
};

struct http1_response {
	llhttp_t llhttp;
	const struct http1_response_ops *ops;
	void *ctx;
	size_t head_bytes; /* read while there was no final head, 1xx included */
	size_t trailer_bytes;
	struct buf text; /* names and values */
	struct span *spans;
	struct http_header *headers; /* when there is a head */
	size_t count;
	size_t size; /* of spans and headers */
	bool to_head;
	bool in_value;
	bool has_head; /* the final one */
	bool is_complete;
	bool is_stopped;
	bool keeps_alive;
};

static struct http1_response *response_of(llhttp_t *llhttp)
{
	return CONTAINER_OF(llhttp, struct http1_response, llhttp);
}

/* llhttp's callbacks; a span may come in pieces. */

static void drop_head(struct http1_response *r)
{
	r->count = 0;
	r->in_value = false;
	buf_reset(&r->text, KEEP_TEXT_BYTES);
}

static int on_message_begin(llhttp_t *llhttp)
{
	drop_head(response_of(llhttp));
	return 0;
}

static int add_text(struct http1_response *r, const char *at, size_t n)
{
	buf_add(&r->text, at, n);
	return buf_error(&r->text) ? HPE_USER : 0;
}

static int count_trailer(struct http1_response *r, size_t n)
{
	r->trailer_bytes += n;
	return r->trailer_bytes > LIMIT_RESPONSE_HEAD_BYTES ? HPE_USER : 0;
}

static void resize(struct http1_response *r, size_t size)
{
	r->size = size;
	r->spans = mem_realloc(r->spans, size * sizeof(*r->spans));
	r->headers = mem_realloc(r->headers, size * sizeof(*r->headers));
}

static int begin_header(struct http1_response *r)
{
	if (r->count == LIMIT_RESPONSE_HEADERS_COUNT)
		return HPE_USER;
	if (r->count == r->size)
		resize(r, r->size ? 2 * r->size : FIRST_HEADERS);
	r->spans[r->count++] = (struct span){.at = (uint32_t)r->text.len};
	r->in_value = false;
	return 0;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t n)
{
	struct http1_response *r = response_of(llhttp);

	if (r->has_head)
		return count_trailer(r, n);
	if ((r->count == 0 || r->in_value) && begin_header(r))
		return HPE_USER;
	r->spans[r->count - 1].name_bytes += (uint32_t)n;
	return add_text(r, at, n);
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t n)
{
	struct http1_response *r = response_of(llhttp);

	if (r->has_head)
		return count_trailer(r, n);
	r->spans[r->count - 1].value_bytes += (uint32_t)n;
	return add_text(r, at, n);
}

static int on_header_value_complete(llhttp_t *llhttp)
{
	response_of(llhttp)->in_value = true;
	return 0;
}

static bool make_headers(struct http1_response *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct span *s = &r->spans[i];
		const char *name = r->text.data; /* NULL when no text has come */
		struct http_header *h = &r->headers[i];

		if (!s->name_bytes)
			return false;
		name += s->at;
		h->name = sv_make(name, s->name_bytes);
		h->value = sv_trim(sv_make(name + s->name_bytes, s->value_bytes));
		if (!http_is_token(h->name) || !http_is_field_value(h->value))
			return false;
	}
	return true;
}

static int on_headers_complete(llhttp_t *llhttp)
{
	struct http1_response *r = response_of(llhttp);

	if (llhttp->status_code < 100 || llhttp->status_code > 999)
		return HPE_USER;
	if (llhttp->status_code < 200 && llhttp->status_code != 101)
		return SKIP_BODY;
	if (!make_headers(r))
		return HPE_USER;
	r->has_head = true;
	r->is_stopped = false;
	r->ops->on_head(r->ctx);
	if (llhttp->status_code == 101) {
		r->is_complete = true;
		return HPE_PAUSED;
	}
	if (r->to_head || llhttp->status_code == 204 || llhttp->status_code == 304)
		return SKIP_BODY;
	return r->is_stopped ? HPE_PAUSED : 0;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t n)
{
	struct http1_response *r = response_of(llhttp);

	if (n == 0)
		return 0;
	r->is_stopped = false;
	r->ops->on_body(r->ctx, sv_make(at, n));
	return r->is_stopped ? HPE_PAUSED : 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
	struct http1_response *r = response_of(llhttp);

	if (!r->has_head)
		return 0;
	r->is_complete = true;
	r->keeps_alive = llhttp_should_keep_alive(llhttp);
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_message_begin = on_message_begin,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_header_value_complete = on_header_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

struct http1_response *http1_response_new(const struct http1_response_ops *ops, void *ctx)
{
	struct http1_response *r = mem_zalloc(sizeof(*r));

	llhttp_init(&r->llhttp, HTTP_RESPONSE, &settings);
	r->ops = ops;
	r->ctx = ctx;
	buf_init(&r->text, LIMIT_RESPONSE_HEAD_BYTES);
	return r;
}

void http1_response_free(struct http1_response *r)
{
	if (!r)
		return;
	buf_fini(&r->text);
	free(r->spans);
	free(r->headers);
	free(r);
}

void http1_response_reset(struct http1_response *r, bool to_head)
{
	llhttp_init(&r->llhttp, HTTP_RESPONSE, &settings);
	drop_head(r);
	if (r->size > KEEP_HEADERS)
		resize(r, KEEP_HEADERS);
	r->head_bytes = 0;
	r->trailer_bytes = 0;
	r->to_head = to_head;
	r->has_head = false;
	r->is_complete = false;
	r->is_stopped = false;
	r->keeps_alive = false;
}

static int execute(struct http1_response *r, struct sv piece, size_t *ret_used)
{
	llhttp_errno_t code;

	if (llhttp_get_errno(&r->llhttp) == HPE_PAUSED)
		llhttp_resume(&r->llhttp);
	code = llhttp_execute(&r->llhttp, piece.p, piece.n);
	*ret_used = piece.n;
	if (code == HPE_PAUSED)
		*ret_used = (size_t)(llhttp_get_error_pos(&r->llhttp) - piece.p);
	if (r->is_complete)
		return 1;
	return code == HPE_OK || code == HPE_PAUSED ? 0 : -EBADMSG;
}

int http1_response_feed(struct http1_response *r, struct sv chunk, size_t *ret_used)
{
	size_t room = LIMIT_RESPONSE_HEAD_BYTES - r->head_bytes, used = 0;
	struct sv piece = chunk;
	int rc;

	/* llhttp takes NULL for "outside of a body". */
	if (chunk.n == 0)
		piece.p = "";
	/* So far a head may go, however the bytes are cut. */
	if (!r->has_head && piece.n > room)
		piece.n = room;
	rc = execute(r, piece, &used);
	if (rc == 0 && !r->has_head) {
		r->head_bytes += used;
		if (r->head_bytes == LIMIT_RESPONSE_HEAD_BYTES)
			return -EBADMSG;
	}
	*ret_used = used;
	if (rc || used < piece.n || used == chunk.n)
		return rc;
	rc = execute(r, sv_from(chunk, used), &used);
	*ret_used += used;
	return rc;
}

void http1_response_stop(struct http1_response *r)
{
	r->is_stopped = true;
}

int http1_response_end(struct http1_response *r)
{
	llhttp_errno_t code;

	if (llhttp_get_errno(&r->llhttp) == HPE_PAUSED)
		llhttp_resume(&r->llhttp);
	code = llhttp_finish(&r->llhttp);
	(void)code;
	return r->is_complete ? 1 : -EBADMSG;
}

int http1_response_status(const struct http1_response *r)
{
	return r->has_head ? r->llhttp.status_code : 0;
}

const struct http_header *http1_response_headers(const struct http1_response *r, size_t *ret_count)
{
	*ret_count = r->has_head ? r->count : 0;
	return r->headers;
}

bool http1_response_keeps_alive(const struct http1_response *r)
{
	return r->keeps_alive;
}
