#include "io/fetch_http1.h"

#include "io/fetch_engine.h"
#include "io/kept_conns.h"
#include "io/request_head.h"
#include "proto/http1_response.h"

#include <assert.h>
#include <stdlib.h>

enum {
	DEFAULT_CONNECT_MS = 10 * 1000,
	DEFAULT_IDLE_CONNECTIONS = 256,
	SPARE_FETCHES = 256,	    /* kept for reuse */
	KEEP_HEAD_BYTES = 8 * 1024, /* of a spare one's request head */
	URL_BYTES = 16 * 1024,
};

/*
 *	FAULTY ------------------------------> DONE -> SPARE
 *	[WAIT ->] [DIAL ->] RUN -------------> DONE -> SPARE
 *	any of the first four -> CANCELLED ----------> SPARE
 */
enum state {
	STATE_SPARE,
	STATE_FAULTY, /* cannot be sent, which is told at the end of the loop turn */
	STATE_WAIT,   /* for a connection: the origin has as many as it may */
	STATE_DIAL,
	STATE_RUN,	 /* on its connection; NULL when that was lost while bytes are held */
	STATE_DONE,	 /* in on_done */
	STATE_CANCELLED, /* until the end of the loop turn */
};

struct http1_fetch {
	struct fetch base;
	struct fetch_http1_pool *pool;
	struct http1_fetch *next, **prev; /* in pool->live or pool->spare */
	struct http1_fetch *wait_next;
	enum state state;
	const char *fault;
	struct origin *origin;
	struct dial *dial;
	struct conn *conn;
	bool counted;	  /* in origin_busy() */
	bool to_head;	  /* HEAD */
	bool fresh;	  /* on a connection of its own */
	bool reused;	  /* its connection has been */
	bool begun;	  /* bytes of the response have come */
	bool behind;	  /* the response was stopped inside of a read; held has the rest of it */
	bool lost;	  /* meanwhile the connection has ended */
	bool was_flushed; /* and the request had been sent */
	int64_t connect_timeout_ms;
	int64_t connect_us;
	struct buf head; /* the request's, for as long as it may have to be sent again */
	struct sv body;
	size_t queued_bytes; /* of the request, when last looked at */
	struct http1_response *response;
	struct buf held; /* bytes behind those that the user paused at */
	struct deferred later;
};

struct fetch_http1_pool {
	struct loop *loop;
	struct dialer *dialer;
	struct kept_conns *conns;
	bool takes_tls;
	size_t max_per_host; /* 0: no limit */
	struct http1_fetch *live;
	struct http1_fetch *spare;
	size_t spare_count;
	struct http1_fetch *waiting, **waiting_end;
};

static const struct fetch_engine engine;
static const struct conn_ops conn_ops;
static const struct http1_response_ops response_ops;

static void on_later(struct deferred *d);
static void connect_or_wait(struct http1_fetch *f);

static struct http1_fetch *of(struct fetch *f)
{
	return CONTAINER_OF(f, struct http1_fetch, base);
}

/* Storage. */

static void list_add(struct http1_fetch **list, struct http1_fetch *f)
{
	f->next = *list;
	f->prev = list;
	if (f->next)
		f->next->prev = &f->next;
	*list = f;
}

static void list_remove(struct http1_fetch *f)
{
	*f->prev = f->next;
	if (f->next)
		f->next->prev = f->prev;
}

static struct http1_fetch *fetch_new(struct fetch_http1_pool *p)
{
	struct http1_fetch *f = p->spare;

	if (f) {
		list_remove(f);
		p->spare_count--;
	} else {
		f = mem_zalloc(sizeof(*f));
		f->pool = p;
		f->later.fn = on_later;
		f->response = http1_response_new(&response_ops, f);
		buf_init(&f->head, LIMIT_REQUEST_HEAD_BYTES + URL_BYTES);
		buf_init(&f->held, LIMIT_READ_CHUNK_BYTES);
		fetch_init(&f->base, &engine, p->loop);
	}
	list_add(&p->live, f);
	return f;
}

static void fetch_destroy(struct http1_fetch *f)
{
	list_remove(f);
	loop_undefer(&f->later);
	http1_response_free(f->response);
	buf_fini(&f->head);
	buf_fini(&f->held);
	free(f);
}

/* The end of a fetch's life. */
static void fetch_recycle(struct http1_fetch *f)
{
	struct fetch_http1_pool *p = f->pool;

	if (p->spare_count >= SPARE_FETCHES) {
		fetch_destroy(f);
		return;
	}
	loop_undefer(&f->later);
	http1_response_reset(f->response, false);
	buf_reset(&f->head, KEEP_HEAD_BYTES);
	buf_fini(&f->held);
	f->body = SV_NONE;
	list_remove(f);
	list_add(&p->spare, f);
	p->spare_count++;
	f->state = STATE_SPARE;
}

/* The origin's limit. */

static bool is_full(const struct http1_fetch *f)
{
	size_t most = f->pool->max_per_host;

	return most && *origin_busy(f->origin) + origin_kept_count(f->origin) >= most;
}

static void count(struct http1_fetch *f)
{
	++*origin_busy(f->origin);
	f->counted = true;
}

static void wait(struct http1_fetch *f)
{
	struct fetch_http1_pool *p = f->pool;

	f->state = STATE_WAIT;
	f->wait_next = NULL;
	*p->waiting_end = f;
	p->waiting_end = &f->wait_next;
}

static void stop_waiting(struct http1_fetch *f)
{
	struct http1_fetch **at = &f->pool->waiting;

	while (*at != f)
		at = &(*at)->wait_next;
	*at = f->wait_next;
	if (!*at)
		f->pool->waiting_end = at;
}

/* A connection of its origin has become free, or is no more. */
static void uncount(struct http1_fetch *f)
{
	struct http1_fetch *next = f->pool->waiting;

	if (!f->counted)
		return;
	f->counted = false;
	--*origin_busy(f->origin);
	while (next && next->origin != f->origin)
		next = next->wait_next;
	if (next)
		loop_defer(next->pool->loop, &next->later);
}

/* The end. */

/* 101 would end HTTP on this connection, and nobody asked for it. */
static int status_of(const struct http1_fetch *f)
{
	int status = http1_response_status(f->response);

	return status == 101 ? 0 : status;
}

static void drop_conn(struct http1_fetch *f)
{
	if (f->conn)
		kept_conns_close(f->conn);
	f->conn = NULL;
}

/* From all that it waits for. */
static void detach(struct http1_fetch *f)
{
	fetch_stop_timers(&f->base);
	if (f->state == STATE_WAIT)
		stop_waiting(f);
	if (f->dial)
		dial_cancel(f->dial);
	f->dial = NULL;
	drop_conn(f);
	uncount(f);
	if (f->origin)
		origin_unref(f->origin);
	f->origin = NULL;
}

static void finish(struct http1_fetch *f, enum fetch_outcome outcome, const char *message)
{
	const struct fetch_result result = {
		.outcome = outcome,
		.status = status_of(f),
		.message = message,
		.connect_us = f->reused ? 0 : f->connect_us,
		.first_byte_us = f->base.first_byte_us,
	};

	detach(f);
	f->state = STATE_DONE;
	if (!f->base.released)
		f->base.ops->on_done(&f->base, f->base.arg, &result);
	fetch_recycle(f);
}

/* is_clean: nothing has come behind the response. */
static void complete(struct http1_fetch *f, bool is_clean)
{
	struct conn *c = f->conn;

	if (!status_of(f)) {
		finish(f, FETCH_PROTOCOL, "the response head is not HTTP");
		return;
	}
	if (c && is_clean && http1_response_keeps_alive(f->response) && !conn_queued_bytes(c)) {
		f->conn = NULL;
		origin_keep(f->origin, c);
	}
	finish(f, FETCH_OK, "");
}

/* Nothing was answered, on a connection that the server may have closed before. */
static bool repeat(struct http1_fetch *f)
{
	if (!f->reused || f->begun || f->base.released)
		return false;
	drop_conn(f);
	uncount(f);
	fetch_end_sending(&f->base);
	f->reused = false;
	f->fresh = true;
	connect_or_wait(f);
	return true;
}

static void end_lost(struct http1_fetch *f)
{
	if (status_of(f))
		finish(f, FETCH_TRUNCATED, "the connection closed inside the response body");
	else if (f->begun)
		finish(f, FETCH_TRUNCATED, "the connection closed inside the response head");
	else if (f->was_flushed)
		finish(f, FETCH_TRUNCATED, "the connection closed without a response");
	else
		finish(f, FETCH_SEND, "the connection was lost while the request was sent");
}

/* Not before the bytes that are held are handed out. */
static void lose(struct http1_fetch *f)
{
	f->lost = true;
	if (!f->behind && !repeat(f))
		end_lost(f);
}

/* The response. */

static void stop_if_told(struct http1_fetch *f)
{
	if (f->state == STATE_RUN && !f->base.paused)
		return;
	f->behind = true;
	http1_response_stop(f->response);
}

static void on_head(void *ctx)
{
	struct http1_fetch *f = ctx;

	if (!f->base.released && status_of(f))
		f->base.ops->on_head(&f->base, f->base.arg);
	stop_if_told(f);
}

static void on_body(void *ctx, struct sv bytes)
{
	struct http1_fetch *f = ctx;

	if (!f->base.released)
		f->base.ops->on_data(&f->base, f->base.arg, bytes);
	stop_if_told(f);
}

static void end_broken(struct http1_fetch *f)
{
	if (status_of(f))
		finish(f, FETCH_TRUNCATED, "the framing of the response body is broken");
	else
		finish(f, FETCH_PROTOCOL, "the response head is not HTTP, or too large");
}

static bool hold(struct http1_fetch *f, struct sv bytes)
{
	buf_add_sv(&f->held, bytes);
	if (!buf_error(&f->held))
		return true;
	finish(f, FETCH_TRUNCATED, "too many bytes wait");
	return false;
}

/* Hands out until the bytes are used up, or somebody stops it. False: f has come to an end. */
static bool take(struct http1_fetch *f, struct sv bytes)
{
	do {
		size_t used;
		int rc;

		f->behind = false;
		rc = http1_response_feed(f->response, bytes, &used);
		bytes = sv_from(bytes, used);
		if (f->state != STATE_RUN)
			return false;
		if (rc > 0)
			complete(f, bytes.n == 0);
		else if (rc < 0)
			end_broken(f);
		if (rc)
			return false;
		if (f->behind && f->base.paused)
			return hold(f, bytes);
	} while (bytes.n);
	return true;
}

/* Of the connection. */

/* Before anything of the request has gone out. */
static bool is_early(const struct http1_fetch *f)
{
	return f->reused && !f->begun && conn_queued_bytes(f->conn) >= f->head.len + f->body.n;
}

static void on_read(struct conn *c, struct sv bytes)
{
	struct http1_fetch *f = conn_owner(c);

	if (is_early(f) && repeat(f))
		return;
	f->begun = true;
	fetch_note_bytes(&f->base);
	if (f->behind)
		(void)hold(f, bytes);
	else
		(void)take(f, bytes);
}

static void end_input(struct http1_fetch *f)
{
	if (f->begun && http1_response_end(f->response) > 0)
		complete(f, false);
	else
		lose(f);
}

static void on_eof(struct conn *c)
{
	struct http1_fetch *f = conn_owner(c);

	f->was_flushed = conn_queued_bytes(c) == 0;
	drop_conn(f);
	end_input(f);
}

static void on_closed(struct conn *c, enum conn_end why)
{
	struct http1_fetch *f = conn_owner(c);

	f->was_flushed = conn_was_flushed(c);
	f->conn = NULL;
	if (why == CONN_END_CUT)
		end_input(f);
	else
		lose(f);
}

static const struct conn_ops conn_ops = {
	.on_read = on_read, .on_eof = on_eof, .on_closed = on_closed};
static const struct http1_response_ops response_ops = {.on_head = on_head, .on_body = on_body};

static void take_held(struct http1_fetch *f)
{
	struct buf held;
	bool goes_on;

	buf_move(&f->held, &held);
	goes_on = take(f, buf_sv(&held));
	buf_fini(&held);
	if (!goes_on || f->base.paused)
		return;
	if (f->lost)
		end_lost(f);
	else
		conn_read_start(f->conn);
}

/* The request. */

static void run_on(struct http1_fetch *f, struct conn *c, bool reused)
{
	f->state = STATE_RUN;
	f->conn = c;
	f->reused = reused;
	f->lost = false;
	conn_set_owner(c, &conn_ops, f);
	conn_write(c, buf_sv(&f->head));
	conn_write_borrowed(c, f->body);
	f->queued_bytes = conn_queued_bytes(c);
	if (!reused && !f->base.paused)
		conn_read_start(c);
	else if (f->base.paused)
		conn_read_stop(c);
	fetch_begin_sending(&f->base);
}

static void on_dialed(void *arg, const struct dial_result *r)
{
	struct http1_fetch *f = arg;

	f->dial = NULL;
	f->connect_us = r->connect_us;
	if (r->conn)
		run_on(f, r->conn, false);
	else
		finish(f, FETCH_CONNECT, r->message);
}

static void dial(struct http1_fetch *f)
{
	f->state = STATE_DIAL;
	f->dial = dial_start(
		f->pool->dialer, origin_url(f->origin), f->connect_timeout_ms, on_dialed, f);
}

static void connect_or_wait(struct http1_fetch *f)
{
	struct conn *c = f->fresh ? NULL : origin_take(f->origin);

	if (!c && is_full(f) && !origin_drop_oldest(f->origin)) {
		wait(f);
		return;
	}
	count(f);
	if (c)
		run_on(f, c, true);
	else
		dial(f);
}

static void on_later(struct deferred *d)
{
	struct http1_fetch *f = CONTAINER_OF(d, struct http1_fetch, later);

	switch (f->state) {
	case STATE_FAULTY:
		finish(f, FETCH_CONNECT, f->fault);
		break;
	case STATE_WAIT:
		stop_waiting(f);
		connect_or_wait(f);
		break;
	case STATE_RUN:
		if (!f->base.paused)
			take_held(f);
		break;
	case STATE_CANCELLED:
		fetch_recycle(f);
		break;
	case STATE_DIAL:
	case STATE_DONE:
	case STATE_SPARE:
		break;
	}
}

static void begin(struct http1_fetch *f, const struct fetch_request *r, struct sv target)
{
	f->fault = NULL;
	f->dial = NULL;
	f->conn = NULL;
	f->counted = false;
	f->to_head = strcmp(r->method, "HEAD") == 0;
	f->fresh = r->fresh_connection;
	f->reused = false;
	f->begun = false;
	f->behind = false;
	f->was_flushed = false;
	f->connect_timeout_ms = r->connect_timeout_ms ? r->connect_timeout_ms : DEFAULT_CONNECT_MS;
	f->connect_us = 0;
	f->body = r->body;
	http1_response_reset(f->response, f->to_head);
	if (request_head_write(&f->head, r, origin_authority(f->origin), target)) {
		f->fault = "a request header is malformed or too large";
		f->state = STATE_FAULTY;
		loop_defer(f->pool->loop, &f->later);
	} else {
		connect_or_wait(f);
	}
}

/* libcurl removes dot segments. */
static bool has_dot_segment(struct sv path)
{
	return sv_find(path, SV("/.")) >= 0;
}

static bool may_take(const struct fetch_http1_pool *p, const struct url *parts)
{
	return (p->takes_tls || sv_eq(parts->scheme, SV("http"))) && !has_dot_segment(parts->path);
}

struct fetch *fetch_http1_start(struct fetch_http1_pool *p, const struct fetch_request *r,
	const struct fetch_ops *ops, void *arg)
{
	struct sv url = sv_cstr(r->url);
	struct origin *origin;
	struct http1_fetch *f;
	struct url parts;

	if (url.n > URL_BYTES / 2 || url_parse(url, &parts) || !may_take(p, &parts))
		return NULL;
	origin = kept_conns_origin(p->conns, &parts);
	if (!origin_is_reached(origin)) {
		origin_unref(origin);
		return NULL;
	}
	f = fetch_new(p);
	fetch_begin(&f->base, r, ops, arg);
	f->origin = origin;
	begin(f, r, sv_from(url, (size_t)(parts.path.p - url.p)));
	return &f->base;
}

/* The engine. */

static void cancel(struct fetch *base)
{
	struct http1_fetch *f = of(base);

	if (f->state == STATE_CANCELLED || f->state == STATE_DONE || f->state == STATE_SPARE)
		return;
	detach(f);
	f->state = STATE_CANCELLED;
	f->body = SV_NONE;
	loop_defer(f->pool->loop, &f->later);
}

static bool is_sent(const struct http1_fetch *f)
{
	return f->conn ? !conn_queued_bytes(f->conn) : f->was_flushed;
}

static bool release(struct fetch *base)
{
	struct http1_fetch *f = of(base);

	return f->state == STATE_RUN && is_sent(f);
}

static void pause_transfer(struct fetch *base)
{
	struct http1_fetch *f = of(base);

	if (f->conn)
		conn_read_stop(f->conn);
}

static void resume_transfer(struct fetch *base)
{
	struct http1_fetch *f = of(base);

	if (f->state == STATE_RUN)
		loop_defer(f->pool->loop, &f->later);
}

static void fail(struct fetch *base, enum fetch_outcome outcome, const char *message)
{
	finish(of(base), outcome, message);
}

static bool has_moved(struct fetch *base)
{
	struct http1_fetch *f = of(base);
	size_t queued_bytes = f->conn ? conn_queued_bytes(f->conn) : 0;
	bool moved = queued_bytes != f->queued_bytes;

	f->queued_bytes = queued_bytes;
	return moved;
}

static const struct http_header *get_head(
	const struct fetch *base, int *ret_status, size_t *ret_count)
{
	const struct http1_fetch *f = CONTAINER_OF(base, const struct http1_fetch, base);

	*ret_status = status_of(f);
	return http1_response_headers(f->response, ret_count);
}

static const struct fetch_engine engine = {
	.cancel = cancel,
	.release = release,
	.pause = pause_transfer,
	.resume = resume_transfer,
	.fail = fail,
	.has_moved = has_moved,
	.head = get_head,
};

/* The pool. */

static bool reaches(void *dialer, const char *url)
{
	return dialer_reaches(dialer, url);
}

struct fetch_http1_pool *fetch_http1_pool_new(
	struct loop *loop, const struct fetch_options *options, struct dialer *dialer)
{
	size_t idle_connections = DEFAULT_IDLE_CONNECTIONS;
	struct fetch_http1_pool *p;

	if (options->unix_socket || options->connect_to)
		return NULL;
	p = mem_zalloc(sizeof(*p));
	p->loop = loop;
	p->dialer = dialer;
	p->takes_tls = !options->http2;
	if (options->idle_connections)
		idle_connections = (size_t)options->idle_connections;
	p->conns = kept_conns_new(loop, idle_connections, reaches, p->dialer);
	p->max_per_host = (size_t)options->max_connections_per_host;
	p->waiting_end = &p->waiting;
	return p;
}

void fetch_http1_pool_free(struct fetch_http1_pool *p)
{
	if (!p)
		return;
	while (p->live) {
		detach(p->live);
		fetch_destroy(p->live);
	}
	while (p->spare)
		fetch_destroy(p->spare);
	kept_conns_free(p->conns);
	free(p);
}
