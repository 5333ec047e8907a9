#include "proto/http1_answer.h"

#include <errno.h>
#include <llhttp.h>
#include <stdlib.h>

/* Of a header, in the text of the head. */
struct span {
	size_t at, name_bytes, value_bytes;
};

struct http1_answer {
	llhttp_t llhttp;
	size_t head_bytes; /* read while there was no final head, 1xx included */
	struct buf text;   /* names and values */
	struct span spans[LIMIT_RESPONSE_HEADERS_COUNT];
	struct http_header headers[LIMIT_RESPONSE_HEADERS_COUNT]; /* when there is a head */
	size_t count;
	bool in_value;
	bool has_head; /* the final one */
	bool is_complete;
	size_t trailer_bytes;
	size_t body_cap;
	struct buf body;
};

static struct http1_answer *answer_of(llhttp_t *llhttp)
{
	return CONTAINER_OF(llhttp, struct http1_answer, llhttp);
}

/* llhttp's callbacks; a span may come in pieces. */

static int on_message_begin(llhttp_t *llhttp)
{
	struct http1_answer *a = answer_of(llhttp);

	a->count = 0;
	a->in_value = false;
	buf_reset(&a->text, SIZE_MAX);
	return 0;
}

static int add_text(struct http1_answer *a, const char *at, size_t n)
{
	buf_add(&a->text, at, n);
	return buf_error(&a->text) ? HPE_USER : 0;
}

static int count_trailer(struct http1_answer *a, size_t n)
{
	a->trailer_bytes += n;
	return a->trailer_bytes > LIMIT_RESPONSE_HEAD_BYTES ? HPE_USER : 0;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t n)
{
	struct http1_answer *a = answer_of(llhttp);

	if (a->has_head)
		return count_trailer(a, n);
	if (a->count == 0 || a->in_value) {
		if (a->count == LIMIT_RESPONSE_HEADERS_COUNT)
			return HPE_USER;
		a->spans[a->count++] = (struct span){.at = a->text.len};
		a->in_value = false;
	}
	a->spans[a->count - 1].name_bytes += n;
	return add_text(a, at, n);
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t n)
{
	struct http1_answer *a = answer_of(llhttp);

	if (a->has_head)
		return count_trailer(a, n);
	a->spans[a->count - 1].value_bytes += n;
	return add_text(a, at, n);
}

static int on_header_value_complete(llhttp_t *llhttp)
{
	answer_of(llhttp)->in_value = true;
	return 0;
}

static int take_headers(struct http1_answer *a)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct span *s = &a->spans[i];
		const char *name = a->text.data + s->at;
		struct http_header *h = &a->headers[i];

		h->name = sv_make(name, s->name_bytes);
		h->value = sv_trim(sv_make(name + s->name_bytes, s->value_bytes));
		if (!http_is_token(h->name) || !http_is_field_value(h->value))
			return HPE_USER;
	}
	return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
	struct http1_answer *a = answer_of(llhttp);

	if (llhttp->status_code < 100)
		return HPE_USER;
	if (llhttp->status_code < 200 && llhttp->status_code != 101)
		return 0;
	if (take_headers(a))
		return HPE_USER;
	a->has_head = true;
	if (llhttp->status_code != 101)
		return 0;
	a->is_complete = true;
	return HPE_PAUSED;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t n)
{
	struct http1_answer *a = answer_of(llhttp);
	size_t room = a->body_cap - a->body.len;

	/* Interim answers have none. */
	if (!a->has_head)
		return HPE_USER;
	buf_add(&a->body, at, n < room ? n : room);
	if (a->body.len < a->body_cap)
		return 0;
	a->is_complete = true;
	return HPE_USER;
}

static int on_message_complete(llhttp_t *llhttp)
{
	struct http1_answer *a = answer_of(llhttp);

	if (!a->has_head)
		return 0;
	a->is_complete = true;
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

struct http1_answer *http1_answer_new(size_t body_cap)
{
	struct http1_answer *a = mem_zalloc(sizeof(*a));

	llhttp_init(&a->llhttp, HTTP_RESPONSE, &settings);
	a->body_cap = body_cap;
	buf_init(&a->text, LIMIT_RESPONSE_HEAD_BYTES);
	buf_init(&a->body, body_cap);
	return a;
}

void http1_answer_free(struct http1_answer *a)
{
	if (!a)
		return;
	buf_fini(&a->text);
	buf_fini(&a->body);
	free(a);
}

static int execute(struct http1_answer *a, struct sv piece, size_t *ret_used)
{
	llhttp_errno_t code = llhttp_execute(&a->llhttp, piece.p, piece.n);

	*ret_used = piece.n;
	if (a->is_complete) {
		if (code == HPE_PAUSED)
			*ret_used = (size_t)(llhttp_get_error_pos(&a->llhttp) - piece.p);
		return 1;
	}
	return code == HPE_OK ? 0 : -EBADMSG;
}

int http1_answer_feed(struct http1_answer *a, struct sv chunk, size_t *ret_used)
{
	size_t room = LIMIT_RESPONSE_HEAD_BYTES - a->head_bytes, used = 0;
	struct sv piece = chunk;
	int rc;

	/* So far a head may go, however the bytes are cut. */
	if (!a->has_head && piece.n > room)
		piece.n = room;
	rc = execute(a, piece, &used);
	if (rc == 0 && !a->has_head) {
		a->head_bytes += used;
		if (a->head_bytes == LIMIT_RESPONSE_HEAD_BYTES)
			return -EBADMSG;
	}
	*ret_used = used;
	if (rc || used == chunk.n)
		return rc;
	rc = execute(a, sv_from(chunk, used), &used);
	*ret_used += used;
	return rc;
}

int http1_answer_end(struct http1_answer *a)
{
	(void)llhttp_finish(&a->llhttp); /* calls on_message_complete() if that ends the body */
	return a->is_complete ? 1 : -EBADMSG;
}

int http1_answer_status(const struct http1_answer *a)
{
	return a->llhttp.status_code;
}

const struct http_header *http1_answer_headers(const struct http1_answer *a, size_t *ret_count)
{
	*ret_count = a->count;
	return a->headers;
}

struct sv http1_answer_body(const struct http1_answer *a)
{
	return buf_sv(&a->body);
}
