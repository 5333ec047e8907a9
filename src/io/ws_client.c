#include "io/ws_client.h"

#include "base/clock.h"
#include "io/ws_conn_internal.h"
#include "proto/http1_answer.h"

#include <stdlib.h>

/* DIAL -> UPGRADE -> the end. A request that cannot be sent ends in DIAL. */
struct ws_open {
	struct loop *loop;
	struct dial *dial; /* while it runs */
	struct conn *conn; /* behind it, until handed out or dropped */
	struct http1_answer *answer;
	struct buf request; /* the upgrade's head */
	const char *fault;  /* what is wrong with it, or NULL */
	char key[WS_KEY_SIZE];
	struct ws_conn_options options;
	int64_t start_us, timeout_ms;
	struct deferred refuse;
	struct timer timer;
	void (*on_done)(void *arg, const struct ws_open_result *result);
	void *arg;
};

/* The end. */

static void drop_conn(struct ws_open *o)
{
	if (!o->conn)
		return;
	conn_disown(o->conn);
	conn_close_now(o->conn, CONN_END_LOCAL);
	o->conn = NULL;
}

static void ws_open_free(struct ws_open *o)
{
	timer_stop(&o->timer);
	loop_undefer(&o->refuse);
	drop_conn(o);
	http1_answer_free(o->answer);
	buf_fini(&o->request);
	free(o);
}

static void fail(struct ws_open *o, enum fetch_outcome outcome, const char *message)
{
	const struct ws_open_result result = {.outcome = outcome,
		.message = message,
		.connect_us = clock_mono_us() - o->start_us};

	drop_conn(o);
	o->on_done(o->arg, &result);
	ws_open_free(o);
}

/* rest: frames that came with the 101. */
static void hand_out(struct ws_open *o, struct ws_open_result *result, struct sv rest)
{
	struct ws_conn *c = ws_conn_of_dialed(o->conn, &o->options);

	o->conn = NULL;
	result->conn = c;
	o->on_done(o->arg, result);
	ws_open_free(o);
	if (rest.n)
		ws_conn_take(c, rest);
}

/* An answer is complete; the timer is stopped before its end is told. */
static void conclude(struct ws_open *o, struct sv rest)
{
	struct ws_open_result result = {
		.outcome = FETCH_OK,
		.status = http1_answer_status(o->answer),
		.body = http1_answer_body(o->answer),
		.message = "",
		.connect_us = clock_mono_us() - o->start_us,
	};

	timer_stop(&o->timer);
	result.headers = http1_answer_headers(o->answer, &result.header_count);
	if (ws_check_answer(result.status, result.headers, result.header_count, o->key)) {
		hand_out(o, &result, rest);
	} else if (result.status == 101) {
		fail(o, FETCH_PROTOCOL, "the server's handshake is not a WebSocket's");
	} else {
		drop_conn(o);
		o->on_done(o->arg, &result);
		ws_open_free(o);
	}
}

/* The answer. */

static void on_read(struct conn *c, struct sv bytes)
{
	struct ws_open *o = conn_owner(c);
	size_t used = 0;
	int rc = http1_answer_feed(o->answer, bytes, &used);

	if (rc > 0)
		conclude(o, sv_from(bytes, used));
	else if (rc < 0)
		fail(o, FETCH_PROTOCOL, "the server's answer is not HTTP, or too large");
}

static void end_answer(struct ws_open *o)
{
	if (http1_answer_end(o->answer) > 0)
		conclude(o, SV_NONE);
	else
		fail(o, FETCH_TRUNCATED, "the connection ended inside the handshake");
}

static void on_eof(struct conn *c)
{
	end_answer(conn_owner(c));
}

static void on_closed(struct conn *c, enum conn_end why)
{
	struct ws_open *o = conn_owner(c);

	(void)why;
	o->conn = NULL;
	fail(o, FETCH_TRUNCATED, "the connection ended inside the handshake");
}

static void on_timer(struct timer *t)
{
	struct ws_open *o = CONTAINER_OF(t, struct ws_open, timer);

	fail(o, FETCH_TIMEOUT, "the WebSocket's handshake timed out");
}

static void on_dialed(void *arg, const struct dial_result *r)
{
	static const struct conn_ops ops = {
		.on_read = on_read, .on_eof = on_eof, .on_closed = on_closed};
	struct ws_open *o = arg;
	int64_t left_ms = o->timeout_ms - (clock_mono_us() - o->start_us) / 1000;

	o->dial = NULL;
	if (!r->conn) {
		fail(o, r->outcome, r->message);
		return;
	}
	o->conn = r->conn;
	conn_set_owner(o->conn, &ops, o);
	conn_read_start(o->conn);
	conn_write_buf(o->conn, &o->request);
	timer_start(&o->timer, left_ms > 0 ? left_ms : 0);
}

/* The request. */

/* The authority, and from the path on what is to be asked for. */
static struct sv split_url(const char *url, struct sv *ret_target)
{
	struct sv rest = sv_cstr(url);
	ptrdiff_t scheme = sv_find(rest, SV("://"));
	size_t n = 0;

	rest = sv_from(rest, scheme < 0 ? rest.n : (size_t)scheme + 3);
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	*ret_target = sv_from(rest, n);
	return sv_make(rest.p, n);
}

static bool is_sendable(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 127)
			return false;
	}
	return true;
}

static const char *add_headers(struct buf *out, const struct ws_open_request *r)
{
	for (size_t i = 0; i < r->header_count; i++) {
		const struct http_header *h = &r->headers[i];

		if (!http_is_token(h->name) || !http_is_field_value(h->value))
			return "malformed header";
		buf_add_sv(out, h->name);
		buf_add_lit(out, ": ");
		buf_add_sv(out, h->value);
		buf_add_lit(out, "\r\n");
	}
	return NULL;
}

static const char *write_request(struct ws_open *o, const struct ws_open_request *r)
{
	struct buf *out = &o->request;
	struct sv target, authority = split_url(r->url, &target);
	const char *fault;

	if (authority.n == 0 || !is_sendable(authority) || !is_sendable(target))
		return "bad URL";
	buf_add_lit(out, "GET ");
	if (target.n == 0 || target.p[0] != '/')
		buf_add_char(out, '/');
	buf_add_sv(out, target);
	buf_add_lit(out, " HTTP/1.1\r\nHost: ");
	buf_add_sv(out, authority);
	buf_add_lit(out, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
			 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
	buf_add_cstr(out, o->key);
	buf_add_lit(out, "\r\n");
	fault = add_headers(out, r);
	buf_add_lit(out, "\r\n");
	if (!fault && buf_error(out))
		fault = "the request's head is too large";
	return fault;
}

static void on_refuse(struct deferred *d)
{
	struct ws_open *o = CONTAINER_OF(d, struct ws_open, refuse);

	fail(o, FETCH_CONNECT, o->fault);
}

struct ws_open *ws_open_start(struct dialer *d, const struct ws_open_request *r,
	void (*on_done)(void *arg, const struct ws_open_result *result), void *arg)
{
	struct ws_open *o = mem_zalloc(sizeof(*o));

	o->loop = dialer_loop(d);
	o->on_done = on_done;
	o->arg = arg;
	o->start_us = clock_mono_us();
	o->timeout_ms = r->timeout_ms;
	o->options = (struct ws_conn_options){
		.max_message_bytes = r->max_message_bytes, .ping_ms = r->ping_ms};
	o->refuse.fn = on_refuse;
	timer_init(&o->timer, o->loop, on_timer);
	buf_init(&o->request, LIMIT_REQUEST_HEAD_BYTES);
	o->answer = http1_answer_new(LIMIT_ERROR_BODY_BYTES);
	ws_make_key(o->key);
	o->fault = write_request(o, r);
	if (o->fault)
		loop_defer(o->loop, &o->refuse);
	else
		o->dial = dial_start(d, r->url, r->timeout_ms, on_dialed, o);
	return o;
}

void ws_open_cancel(struct ws_open *o)
{
	if (o->dial)
		dial_cancel(o->dial);
	ws_open_free(o);
}
