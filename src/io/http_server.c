#include "base/clock.h"
#include "io/http_internal.h"
#include "proto/url.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	SPARE_STREAMS = 64,	 /* kept for the next requests */
	KEEP_BODY_BYTES = 16384, /* of storage, in a spare stream */
	PIPELINE_SIZE = LIMIT_PIPELINE_BYTES + LIMIT_READ_CHUNK_BYTES,
};

static void process(struct http_connection *hc, struct sv bytes);

/* States and timers. */

static void set_state(struct http_connection *hc, enum http_state state)
{
	const struct http_options *options = &hc->server->options;

	assert(hc->state != HTTP_CLOSING);
	hc->state = state;
	switch (state) {
	case HTTP_IDLE:
		timer_start(&hc->timer, options->keepalive_idle_ms);
		break;
	case HTTP_HEAD:
		timer_start(&hc->timer, options->header_timeout_ms);
		break;
	case HTTP_BODY:
		timer_start(&hc->timer, options->body_idle_timeout_ms);
		break;
	case HTTP_LINGER:
		timer_start(&hc->timer, LIMIT_LINGER_IDLE_MS);
		break;
	case HTTP_SERVE:
	case HTTP_UPGRADED:
	case HTTP_CLOSING:
		timer_stop(&hc->timer);
		break;
	}
}

/* Does a handler wait for its chance to answer? */
static bool is_served(const struct http_connection *hc)
{
	const struct http_stream *s = hc->stream;

	return s && ((s->handed && s->answer == ANSWER_NONE) || s->answer == ANSWER_HEAD);
}

static void tell_gone(struct http_connection *hc, enum conn_end why)
{
	struct http_stream *s = hc->stream;

	if (!is_served(hc))
		return;
	s->answer = ANSWER_FINISHED;
	hc->server->handler.on_gone(s, hc->server->arg, why);
}

static void close_now(struct http_connection *hc, enum conn_end why)
{
	if (hc->state == HTTP_CLOSING)
		return;
	set_state(hc, HTTP_CLOSING);
	tell_gone(hc, why);
	conn_close_now(hc->conn, why);
}

static void close_after_write(struct http_connection *hc, enum conn_end why)
{
	if (hc->state == HTTP_CLOSING)
		return;
	set_state(hc, HTTP_CLOSING);
	conn_close_after_write(hc->conn, why);
}

void http_connection_end(struct http_connection *hc, enum conn_end why)
{
	bool sending = hc->pipeline.len || (hc->stream && !hc->stream->complete);

	if (hc->state == HTTP_CLOSING || hc->state == HTTP_LINGER)
		return;
	if (!sending) {
		close_after_write(hc, why);
		return;
	}
	/* Closing with unread bytes makes the kernel send RST, which can destroy the answer on its
	 * way to the client. */
	hc->linger_until_ms = loop_now_ms(hc->server->loop) + LIMIT_LINGER_MS;
	set_state(hc, HTTP_LINGER);
	conn_shutdown_after_write(hc->conn);
	if (hc->read_stopped)
		conn_read_start(hc->conn);
	hc->read_stopped = false;
	buf_fini(&hc->pipeline);
}

static void linger(struct http_connection *hc, size_t bytes)
{
	hc->lingered_bytes += bytes;
	if (hc->lingered_bytes > LIMIT_LINGER_BYTES ||
		loop_now_ms(hc->server->loop) >= hc->linger_until_ms)
		close_now(hc, CONN_END_LIMIT);
	else
		timer_start(&hc->timer, LIMIT_LINGER_IDLE_MS);
}

/* Streams. */

static int on_parser_head(void *ctx, const struct http_request *r);
static int on_parser_body(void *ctx, struct sv bytes);
static void on_parser_complete(void *ctx);

static const struct http1_ops parser_ops = {on_parser_head, on_parser_body, on_parser_complete};

static struct http_stream *take_stream(struct http_connection *hc)
{
	struct http_server *server = hc->server;
	struct http_stream *s = server->spare;

	if (s) {
		server->spare = s->next_spare;
		server->spare_count--;
	} else {
		s = mem_zalloc(sizeof(*s));
		s->parser = http1_parser_new(&parser_ops, s);
		buf_init(&s->body, server->options.max_body_bytes);
	}
	s->connection = hc;
	s->body_cap = server->options.max_body_bytes;
	s->started_us = clock_mono_us();
	hc->stream = s;
	return s;
}

static void free_stream(struct http_stream *s)
{
	http1_parser_free(s->parser);
	buf_fini(&s->body);
	free(s);
}

static void drop_stream(struct http_connection *hc)
{
	struct http_server *server = hc->server;
	struct http_stream *s = hc->stream;
	struct buf body;

	if (!s)
		return;
	hc->stream = NULL;
	inflater_free(s->inflater);
	if (server->spare_count >= SPARE_STREAMS) {
		free_stream(s);
		return;
	}
	http1_parser_reset(s->parser);
	buf_reset(&s->body, KEEP_BODY_BYTES);
	buf_move(&s->body, &body);
	*s = (struct http_stream){.parser = s->parser, .next_spare = server->spare};
	buf_move(&body, &s->body);
	server->spare = s;
	server->spare_count++;
}

/* Faults. */

static void render_plain(const struct http_fault *fault, struct buf *out)
{
	buf_add_lit(out, "{\"error\":{\"message\":\"");
	buf_add_cstr(out, fault->message); /* static texts without quotes */
	buf_add_lit(out, "\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}");
}

void http_answer_fault(struct http_stream *s, const struct http_fault *fault)
{
	struct http_server *server = s->connection->server;
	struct http_response response = {
		.status = fault->status,
		.content_type = SV("application/json"),
		.close = true,
	};
	struct buf body;

	/* The handler answered already and only the unwanted rest is bad. */
	if (s->answer != ANSWER_NONE) {
		if (s->answer == ANSWER_FINISHED)
			http_connection_end(s->connection, CONN_END_ERROR);
		else
			close_now(s->connection, CONN_END_ERROR);
		return;
	}
	if (server->handler.fault_status)
		response.status =
			server->handler.fault_status(http_stream_request(s), fault, server->arg);
	buf_init(&body, KIB(64));
	if (server->handler.render_fault)
		server->handler.render_fault(http_stream_request(s), fault, &body, server->arg);
	else
		render_plain(fault, &body);
	response.content_length = (int64_t)body.len;
	http_respond_head(s, &response);
	http_send_buf(s, &body);
	s->answer = ANSWER_FINISHED;
	if (server->handler.on_fault)
		server->handler.on_fault(s, fault, server->arg);
	http_connection_end(s->connection, CONN_END_ERROR);
}

static int set_fault(struct http_stream *s, int status, const char *message)
{
	if (!s->fault.status)
		s->fault = (struct http_fault){status, message};
	return -1;
}

static int set_decode_fault(struct http_stream *s, int err)
{
	if (err == -EBADMSG)
		return set_fault(
			s, 400, "request body does not decode as its Content-Encoding says");
	return set_fault(s, 413, "request body is too large");
}

/* What the parser finds. */

static int prepare_body(struct http_stream *s, const struct http_request *r)
{
	if (r->content_length != UINT64_MAX && r->content_length > s->body_cap)
		return set_fault(s, 413, "request body is too large");
	s->body.cap = s->body_cap ? s->body_cap : 1;
	if (!r->has_body)
		return 0;
	if (inflater_new(http_request_header(r, SV("content-encoding")), &s->inflater))
		return set_fault(s, 415, "content coding of the request body is not supported");
	if (r->expects_continue)
		conn_write(s->connection->conn, SV("HTTP/1.1 100 Continue\r\n\r\n"));
	return 0;
}

static int on_parser_head(void *ctx, const struct http_request *r)
{
	struct http_stream *s = ctx;
	struct http_server *server = s->connection->server;

	if (server->handler.on_head) {
		s->in_head = true;
		server->handler.on_head(s, server->arg);
		s->in_head = false;
	}
	if (s->answer != ANSWER_NONE)
		return s->close && r->has_body ? -1 : 0;
	return prepare_body(s, r);
}

/*
 * Room for n more bytes and, when the head told the length, for several times what has come: a
 * large body is moved seldom, and one that was only announced takes no memory.
 */
static void make_room(struct http_stream *s, size_t n)
{
	uint64_t length = http_stream_request(s)->content_length;
	size_t have = s->body.len + n;

	if (length == UINT64_MAX || have <= s->body.size || have > length)
		return;
	buf_reserve(&s->body, (have < length / 4 ? have * 4 : (size_t)length) - s->body.len);
}

static int add_body(struct http_stream *s, struct sv bytes)
{
	if (bytes.p == s->body.data + s->body.len) { /* see on_conn_room() */
		s->body.len += bytes.n;
	} else {
		make_room(s, bytes.n);
		buf_add_sv(&s->body, bytes);
	}
	return buf_error(&s->body);
}

static int on_parser_body(void *ctx, struct sv bytes)
{
	struct http_stream *s = ctx;
	int err;

	if (s->answer != ANSWER_NONE) {
		s->discarded += bytes.n;
		s->over = s->discarded > LIMIT_DISCARD_BYTES;
		return s->over ? -1 : 0;
	}
	if (s->inflater) {
		err = inflater_feed(s->inflater, bytes, &s->body);
	} else {
		err = add_body(s, bytes);
	}
	if (!err && s->body.len > s->body_cap)
		err = -ENOBUFS;
	return err ? set_decode_fault(s, err) : 0;
}

static void on_parser_complete(void *ctx)
{
	struct http_stream *s = ctx;
	int err;

	s->complete = true;
	if (!s->inflater || s->answer != ANSWER_NONE)
		return;
	err = inflater_finish(s->inflater, &s->body);
	if (!err && s->body.len > s->body_cap)
		err = -ENOBUFS;
	if (err)
		set_decode_fault(s, err);
}

/* Reading: bytes -> requests -> handler. */

static void hand_over(struct http_connection *hc)
{
	struct http_server *server = hc->server;
	struct http_stream *s = hc->stream;

	set_state(hc, HTTP_SERVE);
	if (s->answer != ANSWER_NONE)
		return;
	s->handed = true;
	server->handler.on_request(s, server->arg);
}

/* The state that the timers need while a request is incomplete. */
static void follow_request(struct http_connection *hc)
{
	struct http_stream *s = hc->stream;
	const struct http_request *r = http1_request(s->parser);

	if (r->has_body)
		set_state(hc, HTTP_BODY);
	else if (hc->state == HTTP_IDLE && !http1_is_idle(s->parser))
		set_state(hc, HTTP_HEAD);
}

/* Feeds the present request. Returns bytes used; the state tells what came of it. */
static size_t feed(struct http_connection *hc, struct sv bytes)
{
	struct http_stream *s = hc->stream ? hc->stream : take_stream(hc);
	struct http_fault fault;
	size_t used = bytes.n;

	if (http1_is_idle(s->parser))
		s->started_us = clock_mono_us();
	if (http1_feed(s->parser, bytes, &used, &fault)) {
		http_answer_fault(s, &fault);
		return bytes.n;
	}
	if (hc->state == HTTP_CLOSING || hc->state == HTTP_LINGER)
		return used;
	if (s->fault.status)
		http_answer_fault(s, &s->fault);
	else if (s->complete)
		hand_over(hc);
	else if (s->over || (s->answer == ANSWER_FINISHED && s->close))
		http_connection_end(hc, CONN_END_LIMIT);
	else
		follow_request(hc);
	return used;
}

/* Is there room for another request: none at work, and the client reads its answers? */
static bool is_ready(struct http_connection *hc)
{
	struct http_stream *s = hc->stream;

	if (hc->state >= HTTP_LINGER)
		return false;
	if (s && s->complete && s->answer == ANSWER_FINISHED) {
		if (s->close || hc->server->draining) {
			http_connection_end(hc, CONN_END_LOCAL);
			return false;
		}
		drop_stream(hc);
		set_state(hc, HTTP_IDLE);
		s = NULL;
	}
	if (!s)
		return !conn_is_congested(hc->conn);
	return !s->complete;
}

static void keep(struct http_connection *hc, struct sv bytes)
{
	buf_add_sv(&hc->pipeline, bytes);
	if (buf_error(&hc->pipeline)) {
		close_now(hc, CONN_END_LIMIT);
		return;
	}
	if (hc->pipeline.len < LIMIT_PIPELINE_BYTES || hc->read_stopped)
		return;
	hc->read_stopped = true;
	conn_read_stop(hc->conn);
}

static void process(struct http_connection *hc, struct sv bytes)
{
	hc->processing = true;
	while (is_ready(hc) && bytes.n)
		bytes = sv_from(bytes, feed(hc, bytes));
	hc->processing = false;
	if (hc->state == HTTP_LINGER)
		linger(hc, bytes.n);
	else if (hc->state != HTTP_CLOSING && bytes.n)
		keep(hc, bytes);
}

/* Goes on with the bytes that were kept. */
static void advance(struct http_connection *hc)
{
	struct buf kept;

	if (hc->state >= HTTP_LINGER || !is_ready(hc))
		return;
	buf_move(&hc->pipeline, &kept);
	process(hc, buf_sv(&kept));
	buf_fini(&kept);
	if (hc->state < HTTP_LINGER && hc->read_stopped &&
		hc->pipeline.len < LIMIT_PIPELINE_BYTES) {
		hc->read_stopped = false;
		conn_read_start(hc->conn);
	}
}

static void begin_upgraded(struct http_connection *hc)
{
	struct buf kept;

	drop_stream(hc);
	buf_move(&hc->pipeline, &kept);
	if (hc->read_stopped)
		conn_read_start(hc->conn);
	hc->read_stopped = false;
	if (kept.len)
		hc->upgrade->on_read(hc->upgrade_user, buf_sv(&kept));
	buf_fini(&kept);
}

static void on_advance(struct deferred *d)
{
	struct http_connection *hc = CONTAINER_OF(d, struct http_connection, advance);

	if (hc->state == HTTP_UPGRADED)
		begin_upgraded(hc);
	else
		advance(hc);
}

void http_connection_upgraded(
	struct http_connection *hc, const struct http_upgrade_ops *ops, void *user)
{
	hc->upgrade = ops;
	hc->upgrade_user = user;
	set_state(hc, HTTP_UPGRADED);
	/* The handler is on the stack and may still look at its stream. */
	loop_defer(hc->server->loop, &hc->advance);
}

void http_connection_answered(struct http_connection *hc)
{
	/* process() looks itself; else never work on a request from inside its handler. */
	if (!hc->processing)
		loop_defer(hc->server->loop, &hc->advance);
}

/* What the connection tells. */

static void on_conn_read(struct conn *c, struct sv bytes)
{
	struct http_connection *hc = conn_owner(c);

	if (hc->state == HTTP_LINGER)
		linger(hc, bytes.n);
	else if (hc->state == HTTP_UPGRADED && !hc->stream)
		hc->upgrade->on_read(hc->upgrade_user, bytes);
	else if (hc->pipeline.len)
		keep(hc, bytes);
	else
		process(hc, bytes);
}

static void on_conn_eof(struct conn *c)
{
	struct http_connection *hc = conn_owner(c);

	/* Answers to requests that came before the FIN still go out. */
	if (hc->state == HTTP_UPGRADED)
		hc->upgrade->on_eof(hc->upgrade_user);
	else if (is_served(hc))
		close_now(hc, CONN_END_PEER);
	else
		close_after_write(hc, CONN_END_PEER);
}

static void on_conn_drain(struct conn *c)
{
	struct http_connection *hc = conn_owner(c);
	struct http_server *server = hc->server;
	struct http_stream *s = hc->stream;

	if (hc->state == HTTP_UPGRADED)
		hc->upgrade->on_drain(hc->upgrade_user);
	else if (s && s->answer == ANSWER_HEAD && server->handler.on_drain)
		server->handler.on_drain(s, server->arg);
	else
		advance(hc);
}

static void free_server(struct http_server *server)
{
	while (server->spare) {
		struct http_stream *s = server->spare;

		server->spare = s->next_spare;
		free_stream(s);
	}
	loop_undefer(&server->idle);
	for (size_t i = 0; i < server->address_count; i++)
		free(server->addresses[i]);
	accept_group_unref(server->group);
	free(server);
}

static void on_idle(struct deferred *d)
{
	struct http_server *server = CONTAINER_OF(d, struct http_server, idle);
	void (*fn)(void *arg) = server->on_idle;

	server->on_idle = NULL;
	if (fn)
		fn(server->on_idle_arg);
}

static void check_idle(struct http_server *server)
{
	if (server->connection_count)
		return;
	if (server->dying)
		free_server(server);
	else if (server->draining && server->on_idle)
		loop_defer(server->loop, &server->idle);
}

static void on_conn_closed(struct conn *c, enum conn_end why)
{
	struct http_connection *hc = conn_owner(c);
	struct http_server *server = hc->server;

	if (hc->state != HTTP_CLOSING)
		set_state(hc, HTTP_CLOSING);
	tell_gone(hc, why);
	if (hc->upgrade)
		hc->upgrade->on_closed(hc->upgrade_user, why);
	drop_stream(hc);
	loop_undefer(&hc->advance);
	buf_fini(&hc->pipeline);
	*hc->prev = hc->next;
	if (hc->next)
		hc->next->prev = hc->prev;
	server->connection_count--;
	free(hc);
	check_idle(server);
}

/* A body that is kept as it comes is read to where it is kept. */
static char *on_conn_room(struct conn *c, size_t *ret_n)
{
	struct http_connection *hc = conn_owner(c);
	struct http_stream *s = hc->state == HTTP_BODY && !hc->pipeline.len ? hc->stream : NULL;
	uint64_t n = s && s->answer == ANSWER_NONE ? http1_body_left(s->parser) : 0;

	if (n == 0 || s->inflater)
		return NULL;
	if (n > LIMIT_READ_CHUNK_BYTES)
		n = LIMIT_READ_CHUNK_BYTES;
	make_room(s, (size_t)n);
	if (buf_reserve(&s->body, (size_t)n))
		return NULL;
	*ret_n = (size_t)n;
	return s->body.data + s->body.len;
}

static const struct conn_ops conn_ops = {
	on_conn_read, on_conn_eof, on_conn_drain, on_conn_closed, on_conn_room};

static void on_timeout(struct timer *t)
{
	struct http_connection *hc = CONTAINER_OF(t, struct http_connection, timer);
	static const struct http_fault late_head = {408, "request head did not arrive in time"};
	static const struct http_fault late_body = {408, "request body stopped arriving"};

	switch (hc->state) {
	case HTTP_IDLE:
		/* A client that reads its last answer slowly is conn's business. */
		close_after_write(hc, CONN_END_TIMEOUT);
		break;
	case HTTP_HEAD:
		http_answer_fault(hc->stream, &late_head);
		break;
	case HTTP_BODY:
		http_answer_fault(hc->stream, &late_body);
		break;
	default:
		close_now(hc, CONN_END_TIMEOUT);
	}
}

static void on_accept(void *arg, struct conn *c)
{
	struct http_server *server = arg;
	struct http_connection *hc = mem_zalloc(sizeof(*hc));

	hc->server = server;
	hc->conn = c;
	hc->advance.fn = on_advance;
	timer_init(&hc->timer, server->loop, on_timeout);
	buf_init(&hc->pipeline, PIPELINE_SIZE);
	hc->next = server->connections;
	hc->prev = &server->connections;
	if (hc->next)
		hc->next->prev = &hc->next;
	server->connections = hc;
	server->connection_count++;
	conn_set_owner(c, &conn_ops, hc);
	set_state(hc, HTTP_IDLE);
	conn_read_start(c);
}

/* The server. */

static void fill_defaults(struct http_options *o)
{
	if (!o->max_connections)
		o->max_connections = LIMIT_CONNECTIONS_COUNT;
	if (!o->max_body_bytes)
		o->max_body_bytes = LIMIT_BODY_BYTES;
	if (!o->header_timeout_ms)
		o->header_timeout_ms = LIMIT_HEADER_TIMEOUT_MS;
	if (!o->body_idle_timeout_ms)
		o->body_idle_timeout_ms = LIMIT_BODY_IDLE_TIMEOUT_MS;
	if (!o->keepalive_idle_ms)
		o->keepalive_idle_ms = LIMIT_KEEPALIVE_IDLE_MS;
}

int http_server_new(struct loop *loop, const struct http_options *options,
	const struct http_handler *handler, void *arg, struct http_server **ret)
{
	struct http_server *server = mem_zalloc(sizeof(*server));
	int err;

	server->loop = loop;
	server->options = *options;
	server->handler = *handler;
	server->arg = arg;
	server->idle.fn = on_idle;
	server->date_second = -1;
	fill_defaults(&server->options);
	server->group = accept_group_new(server->options.max_connections);
	server->options.address = NULL;
	err = http_server_listen(server, options->address);
	if (err) {
		free_server(server);
		return err;
	}
	*ret = server;
	return 0;
}

int http_server_listen(struct http_server *server, const char *address)
{
	struct listener_options options = {
		.address = address,
		.reuse_port = server->options.reuse_port,
		.group = server->group,
		.tls = server->options.tls,
	};
	struct listener **place = &server->listeners[server->listener_count];
	int err;

	if (server->listener_count == ARRAY_LEN(server->listeners))
		return -E2BIG;
	err = listener_new(server->loop, &options, on_accept, server, place);
	if (err)
		return err;
	server->listener_count++;
	server->addresses[server->address_count++] = mem_strdup(listener_address(*place));
	return 0;
}

static void stop_listening(struct http_server *server)
{
	while (server->listener_count)
		listener_free(server->listeners[--server->listener_count]);
}

void http_server_drain(struct http_server *server)
{
	if (server->draining)
		return;
	server->draining = true;
	stop_listening(server);
	for (struct http_connection *hc = server->connections; hc; hc = hc->next) {
		if (hc->state == HTTP_IDLE && !hc->pipeline.len)
			close_after_write(hc, CONN_END_LOCAL);
		else if (hc->state == HTTP_UPGRADED)
			hc->upgrade->on_stopping(hc->upgrade_user);
	}
	check_idle(server);
}

void http_server_on_idle(struct http_server *server, void (*fn)(void *arg), void *arg)
{
	server->on_idle = fn;
	server->on_idle_arg = arg;
	if (server->draining)
		check_idle(server);
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	stop_listening(server);
	server->draining = true;
	server->dying = true;
	for (struct http_connection *hc = server->connections; hc; hc = hc->next) {
		close_now(hc, CONN_END_LOCAL);
		/* One that was only waiting for its peer to read the last bytes waits no longer. */
		conn_close_now(hc->conn, CONN_END_LOCAL);
	}
	check_idle(server);
}

const char *http_server_address(const struct http_server *server)
{
	for (size_t i = 0; i < server->address_count; i++) {
		struct listen_address at;

		if (url_parse_listener(sv_cstr(server->addresses[i]), &at) == 0 &&
			at.kind == LISTEN_TCP)
			return server->addresses[i];
	}
	return server->addresses[0];
}

const char *http_server_address_at(const struct http_server *server, size_t index)
{
	return index < server->address_count ? server->addresses[index] : NULL;
}

size_t http_server_connections(const struct http_server *server)
{
	return server->connection_count;
}
