#include "proto/http1_answer.h"

#include "proto/http1_response.h"

#include <stdlib.h>

struct http1_answer {
	struct http1_response *response;
	size_t body_cap;
	bool is_cut; /* the body has reached its cap */
	struct buf body;
};

static void on_head(void *ctx)
{
	(void)ctx;
}

static void on_body(void *ctx, struct sv bytes)
{
	struct http1_answer *a = ctx;
	size_t room = a->body_cap - a->body.len;

	buf_add(&a->body, bytes.p, bytes.n < room ? bytes.n : room);
	if (a->body.len < a->body_cap)
		return;
	a->is_cut = true;
	http1_response_stop(a->response);
}

struct http1_answer *http1_answer_new(size_t body_cap)
{
	static const struct http1_response_ops ops = {.on_head = on_head, .on_body = on_body};
	struct http1_answer *a = mem_zalloc(sizeof(*a));

	a->response = http1_response_new(&ops, a);
	a->body_cap = body_cap;
	buf_init(&a->body, body_cap);
	return a;
}

void http1_answer_free(struct http1_answer *a)
{
	if (!a)
		return;
	http1_response_free(a->response);
	buf_fini(&a->body);
	free(a);
}

int http1_answer_feed(struct http1_answer *a, struct sv chunk, size_t *ret_used)
{
	int rc = http1_response_feed(a->response, chunk, ret_used);

	if (!a->is_cut)
		return rc;
	*ret_used = chunk.n;
	return 1;
}

int http1_answer_end(struct http1_answer *a)
{
	return http1_response_end(a->response);
}

int http1_answer_status(const struct http1_answer *a)
{
	return http1_response_status(a->response);
}

const struct http_header *http1_answer_headers(const struct http1_answer *a, size_t *ret_count)
{
	return http1_response_headers(a->response, ret_count);
}

struct sv http1_answer_body(const struct http1_answer *a)
{
	return buf_sv(&a->body);
}
