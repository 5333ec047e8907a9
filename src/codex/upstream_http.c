#include "codex/upstream_kind.h"

#include "base/clock.h"
#include "proto/sse.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	GRACE_MS = 1000,	/* for a response to end after its terminal event */
	BODY_WAIT_MS = 5000,	/* for an error body behind its head */
	REST_KEEP_BYTES = 4096, /* storage kept while nothing waits */
};

enum mode { MODE_HEAD, MODE_STREAM, MODE_BODY, MODE_ENDED };

struct upstream_http {
	struct upstream base;
	struct loop *loop;
	struct fetch *fetch; /* NULL when it has ended */
	const struct upstream_ops *ops;
	void *arg;
	enum mode mode;
	bool document; /* the answer is one */
	bool paused;
	bool dead;     /* cancelled or ended: freed when busy is 0 */
	unsigned busy; /* our functions on the stack that will touch us again */
	int status;

	struct sse_decoder sse;
	struct buf rest; /* bytes that wait for upstream_resume(), not seen by the decoder */
	struct deferred pump;

	struct buf body; /* of an answer that is no event stream */
	struct timer body_wait;

	bool has_end; /* the transfer ended while bytes waited; what it means: */
	struct failure end;

	bool has_meters;
	struct meters meters;
};

static const struct meters *meters_of(const struct upstream_http *u)
{
	return u->has_meters ? &u->meters : NULL;
}

static const struct http_header *get_headers(const struct upstream *base, size_t *ret_count)
{
	const struct upstream_http *u = CONTAINER_OF(base, struct upstream_http, base);

	*ret_count = 0;
	return u->fetch ? fetch_headers(u->fetch, ret_count) : NULL;
}

static void destroy(struct upstream_http *u)
{
	loop_undefer(&u->pump);
	timer_stop(&u->body_wait);
	sse_decoder_fini(&u->sse);
	buf_fini(&u->rest);
	buf_fini(&u->body);
	free(u);
}

static void enter(struct upstream_http *u)
{
	u->busy++;
}

static void leave(struct upstream_http *u)
{
	assert(u->busy > 0);
	if (--u->busy == 0 && u->dead)
		destroy(u);
}

/* The one end. What is left of the transfer goes on alone, or is cut. */
static void end(struct upstream_http *u, const struct failure *failure, bool cut)
{
	assert(u->mode != MODE_ENDED && !u->dead && u->busy);
	u->mode = MODE_ENDED;
	if (u->fetch && cut)
		fetch_cancel(u->fetch);
	else if (u->fetch)
		fetch_release(u->fetch, GRACE_MS);
	u->ops->on_end(&u->base, u->arg, failure);
	u->fetch = NULL;
	u->dead = true;
}

static void end_protocol(struct upstream_http *u, const char *detail)
{
	struct failure failure = {
		.class = FAILURE_PROTOCOL, .err = *failure_default(FAILURE_PROTOCOL)};

	snprintf(failure.detail, sizeof(failure.detail), "%s", detail);
	end(u, &failure, true);
}

static void learn(struct upstream_http *u, const struct meters *news)
{
	meters_merge(&u->meters, news);
	u->has_meters = true;
}

static void learn_from_event(struct upstream_http *u, const struct event *ev)
{
	struct meters news;

	if (ev->type == EVENT_RATE_LIMITS &&
		meters_from_event(ev->json, clock_wall_ms() / 1000, &news))
		learn(u, &news);
}

static void take_terminal(struct upstream_http *u, const struct event *ev)
{
	struct failure failure = {.class = FAILURE_NONE};

	if (!failure_from_event(ev, meters_of(u), clock_wall_ms(), &failure))
		u->ops->on_event(&u->base, u->arg, ev);
	if (!u->dead)
		end(u, &failure, false);
}

static void take_event(struct upstream_http *u, const struct sse_event *sse)
{
	struct event ev;

	/* Some servers in front of the API end a stream like chat's; an empty event keeps alive. */
	if (!sse->data.n || sv_eq(sse->data, SV("[DONE]")))
		return;
	if (event_parse(sse->data, sse->raw, &ev) < 0) {
		end_protocol(u, "an event is not valid JSON");
		return;
	}
	learn_from_event(u, &ev);
	if (event_is_terminal(ev.type))
		take_terminal(u, &ev);
	else
		u->ops->on_event(&u->base, u->arg, &ev);
}

/* Hands out events until the chunk is used up or somebody stops it. */
static void decode(struct upstream_http *u)
{
	while (!u->dead && !u->paused) {
		struct sse_event sse;
		int r = sse_next(&u->sse, &sse);

		if (r == 0)
			return;
		if (r > 0)
			take_event(u, &sse);
		else
			end_protocol(u, "an event is too large");
	}
}

/* More bytes that wait; they are bounded by what the transfer reads at once. */
static void keep(struct upstream_http *u, struct sv bytes)
{
	buf_add_sv(&u->rest, bytes);
	if (buf_error(&u->rest))
		end_protocol(u, "too many bytes wait");
}

/* A 2xx answer where a document is expected. */
static bool is_document(const struct upstream_http *u)
{
	return u->document && u->status >= 200 && u->status < 300;
}

static void collect_document(struct upstream_http *u, struct sv bytes)
{
	buf_add_sv(&u->body, bytes);
	if (buf_error(&u->body))
		end_protocol(u, "the document is too large");
}

/* What an error body has beyond the cap does not matter. */
static void collect(struct upstream_http *u, struct sv bytes)
{
	size_t room = LIMIT_ERROR_BODY_BYTES - u->body.len;

	buf_add(&u->body, bytes.p, bytes.n < room ? bytes.n : room);
}

static void end_with_body(struct upstream_http *u)
{
	size_t count;
	const struct http_header *headers = get_headers(&u->base, &count);
	struct failure failure;

	failure_from_http(u->status, headers, count, buf_sv(&u->body), meters_of(u),
		clock_wall_ms(), &failure);
	end(u, &failure, true);
}

/* Its HTTP framing says whether it is whole. */
static void end_with_document(struct upstream_http *u, const struct fetch_result *result)
{
	static const struct failure none = {.class = FAILURE_NONE};
	struct event ev = {.type = EVENT_COMPLETED, .name = SV("response.completed")};
	struct failure failure;

	if (result->outcome != FETCH_OK) {
		failure_from_fetch(result, &failure);
		end(u, &failure, true);
		return;
	}
	if (jv_parse(buf_sv(&u->body), LIMIT_JSON_DEPTH, &ev.json, NULL) ||
		!jv_is(ev.json, JV_OBJECT)) {
		end_protocol(u, "the document is not a JSON object");
		return;
	}
	if (jv_is(jv_get(ev.json, SV("error")), JV_OBJECT)) {
		end_with_body(u);
		return;
	}
	u->ops->on_event(&u->base, u->arg, &ev);
	if (!u->dead)
		end(u, &none, true);
}

static void on_body_wait(struct timer *t)
{
	struct upstream_http *u = CONTAINER_OF(t, struct upstream_http, body_wait);

	enter(u);
	end_with_body(u);
	leave(u);
}

/* A stream without a type is believed: its bytes will tell. */
static bool is_event_stream(const struct upstream_http *u)
{
	struct sv type = fetch_header(u->fetch, SV("content-type"));

	return !u->document && u->status >= 200 && u->status < 300 &&
	       (!type.n || sv_istarts(type, SV("text/event-stream")));
}

static void on_fetch_head(struct fetch *f, void *arg)
{
	struct upstream_http *u = arg;
	size_t count;
	const struct http_header *headers = fetch_headers(f, &count);
	struct meters news;

	enter(u);
	u->status = fetch_status(f);
	if (meters_from_headers(headers, count, clock_wall_ms() / 1000, &news))
		learn(u, &news);
	if (is_event_stream(u)) {
		u->mode = MODE_STREAM;
		u->ops->on_head(&u->base, u->arg, u->status);
	} else if (is_document(u)) {
		u->mode = MODE_BODY;
		buf_fini(&u->body);
		buf_init(&u->body, LIMIT_EVENT_BYTES);
		u->ops->on_head(&u->base, u->arg, u->status);
	} else {
		u->mode = MODE_BODY;
		timer_start(&u->body_wait, BODY_WAIT_MS);
	}
	leave(u);
}

static void on_fetch_data(struct fetch *f, void *arg, struct sv bytes)
{
	struct upstream_http *u = arg;

	(void)f;
	enter(u);
	if (u->mode == MODE_BODY && is_document(u)) {
		collect_document(u, bytes);
	} else if (u->mode == MODE_BODY) {
		collect(u, bytes);
		if (u->body.len == LIMIT_ERROR_BODY_BYTES)
			end_with_body(u);
	} else if (u->paused || u->rest.len) {
		keep(u, bytes);
	} else {
		sse_feed(&u->sse, bytes);
		decode(u);
		if (!u->dead)
			keep(u, sse_take_rest(&u->sse));
	}
	leave(u);
}

static void on_fetch_done(struct fetch *f, void *arg, const struct fetch_result *result)
{
	struct upstream_http *u = arg;
	struct failure failure;

	(void)f;
	enter(u);
	failure_from_fetch(result, &failure);
	if (u->mode == MODE_BODY && is_document(u)) {
		end_with_document(u, result);
	} else if (u->mode == MODE_BODY) {
		end_with_body(u);
	} else if (u->rest.len) {
		/* Events wait, the end waits behind them. The headers go with the fetch. */
		u->fetch = NULL;
		u->end = failure;
		u->has_end = true;
	} else {
		end(u, &failure, true);
	}
	leave(u);
}

static const struct fetch_ops fetch_ops = {on_fetch_head, on_fetch_data, on_fetch_done};

/* After a resume: first what waited, then the transfer goes on or its end is told. */
static void on_pump(struct deferred *d)
{
	struct upstream_http *u = CONTAINER_OF(d, struct upstream_http, pump);

	if (u->paused)
		return;
	enter(u);
	sse_feed(&u->sse, buf_sv(&u->rest));
	decode(u);
	if (!u->dead) {
		size_t left = sse_take_rest(&u->sse).n;

		buf_consume(&u->rest, u->rest.len - left);
		if (!left)
			buf_reset(&u->rest, REST_KEEP_BYTES);
	}
	if (!u->dead && !u->paused && u->has_end)
		end(u, &u->end, true);
	else if (!u->dead && !u->paused)
		fetch_resume(u->fetch);
	leave(u);
}

static void cancel(struct upstream *base)
{
	struct upstream_http *u = CONTAINER_OF(base, struct upstream_http, base);

	if (u->dead)
		return;
	if (u->mode != MODE_ENDED && u->fetch)
		fetch_cancel(u->fetch);
	u->mode = MODE_ENDED;
	u->dead = true;
	enter(u);
	leave(u);
}

static void pause_transfer(struct upstream *base)
{
	struct upstream_http *u = CONTAINER_OF(base, struct upstream_http, base);

	u->paused = true;
	if (u->mode != MODE_ENDED && u->fetch)
		fetch_pause(u->fetch);
}

static void resume_transfer(struct upstream *base)
{
	struct upstream_http *u = CONTAINER_OF(base, struct upstream_http, base);

	if (!u->paused)
		return;
	u->paused = false;
	if (u->mode == MODE_ENDED)
		return;
	if (u->rest.len || u->has_end)
		loop_defer(u->loop, &u->pump);
	else if (u->fetch)
		fetch_resume(u->fetch);
}

static const struct meters *get_meters(const struct upstream *base)
{
	return meters_of(CONTAINER_OF(base, struct upstream_http, base));
}

static const struct upstream_kind http_kind = {
	.transport = "http",
	.cancel = cancel,
	.pause = pause_transfer,
	.resume = resume_transfer,
	.headers = get_headers,
	.meters = get_meters,
};

struct upstream *upstream_http_start(struct loop *loop, struct fetch_pool *pool,
	const struct upstream_request *r, const struct upstream_ops *ops, void *arg)
{
	struct upstream_http *u = mem_zalloc(sizeof(*u));
	struct fetch_request request = {
		.method = "POST",
		.url = r->url,
		.headers = r->headers,
		.header_count = r->header_count,
		.body = r->body,
		.connect_timeout_ms = r->connect_timeout_ms,
		.idle_timeout_ms = r->idle_timeout_ms,
		.total_timeout_ms = r->total_timeout_ms,
	};

	u->base.kind = &http_kind;
	u->loop = loop;
	u->document = r->document;
	u->ops = ops;
	u->arg = arg;
	u->pump.fn = on_pump;
	timer_init(&u->body_wait, loop, on_body_wait);
	sse_decoder_init(&u->sse, LIMIT_EVENT_BYTES);
	buf_init(&u->rest, LIMIT_EVENT_BYTES);
	buf_init(&u->body, LIMIT_ERROR_BODY_BYTES);
	u->fetch = fetch_start(pool, &request, &fetch_ops, u);
	return &u->base;
}
