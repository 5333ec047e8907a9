#include "io/call.h"

#include "base/limits.h"
#include "base/secret.h"

#include <stdlib.h>

struct call {
	struct loop *loop;
	struct fetch *fetch; /* NULL once it has ended */
	struct deferred give_up;
	struct buf request_body, body;
	void (*on_done)(void *arg, const struct call_result *result);
	void *arg;
};

static void fini_wiped(struct buf *b)
{
	secret_wipe(b->data, b->len);
	buf_fini(b);
}

static void destroy(struct call *c)
{
	loop_undefer(&c->give_up);
	fini_wiped(&c->request_body);
	fini_wiped(&c->body);
	free(c);
}

static void finish(struct call *c, const struct call_result *result)
{
	c->on_done(c->arg, result);
	destroy(c);
}

static void on_fetch_head(struct fetch *f, void *arg)
{
	(void)f;
	(void)arg;
}

static void on_fetch_data(struct fetch *f, void *arg, struct sv bytes)
{
	struct call *c = arg;

	(void)f;
	buf_add_sv(&c->body, bytes);
	if (!buf_error(&c->body))
		return;
	fetch_cancel(c->fetch);
	c->fetch = NULL;
	loop_defer(c->loop, &c->give_up);
}

static void on_fetch_done(struct fetch *f, void *arg, const struct fetch_result *result)
{
	struct call *c = arg;
	struct call_result told = {
		.outcome = result->outcome,
		.status = result->status,
		.body = buf_sv(&c->body),
		.message = result->message,
	};

	told.headers = fetch_headers(f, &told.header_count);
	c->fetch = NULL;
	finish(c, &told);
}

static const struct fetch_ops fetch_ops = {
	.on_head = on_fetch_head,
	.on_data = on_fetch_data,
	.on_done = on_fetch_done,
};

/* The answer was over its cap, and libcurl is off the stack. */
static void on_give_up(struct deferred *d)
{
	struct call *c = CONTAINER_OF(d, struct call, give_up);
	struct call_result told = {
		.outcome = FETCH_PROTOCOL,
		.message = "the answer is too large",
	};

	finish(c, &told);
}

struct call *call_start(struct loop *loop, struct fetch_pool *pool, const struct call_request *r,
	void (*on_done)(void *arg, const struct call_result *result), void *arg)
{
	struct call *c = mem_zalloc(sizeof(*c));
	struct fetch_request request = {
		.method = r->method,
		.url = r->url,
		.headers = r->headers,
		.header_count = r->header_count,
		.connect_timeout_ms = r->connect_timeout_ms,
		.total_timeout_ms = r->total_timeout_ms,
		.fresh_connection = r->fresh_connection,
	};

	c->loop = loop;
	c->on_done = on_done;
	c->arg = arg;
	c->give_up.fn = on_give_up;
	buf_init(&c->request_body, r->body.n ? r->body.n : 1);
	buf_add_sv(&c->request_body, r->body);
	buf_init(&c->body, r->body_cap ? r->body_cap : LIMIT_CALL_BODY_BYTES);
	request.body = buf_sv(&c->request_body);
	c->fetch = fetch_start(pool, &request, &fetch_ops, c);
	return c;
}

void call_cancel(struct call *c)
{
	if (c->fetch)
		fetch_cancel(c->fetch);
	destroy(c);
}

struct sv call_header(const struct call_result *result, struct sv name)
{
	for (size_t i = 0; i < result->header_count; i++) {
		if (sv_ieq(result->headers[i].name, name))
			return result->headers[i].value;
	}
	return SV_NONE;
}
