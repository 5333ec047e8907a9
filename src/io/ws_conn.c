#include "io/ws_conn_internal.h"

#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>

enum state { OPEN, CLOSING, ENDED };

struct ws_conn {
	struct loop *loop;
	struct conn *conn;
	struct ws *ws;
	const struct ws_conn_ops *ops; /* NULL: the user has forgotten us */
	void *user;
	enum state state;
	int64_t ping_ms;
	int64_t last_read_ms;
	int64_t last_congested_ms; /* a ping would have waited behind what the peer does not read */
	struct timer tick;	   /* OPEN: pings; CLOSING: patience */
	int64_t linger_until_ms;
	size_t lingered_bytes;
	int64_t controls_since_ms;
	unsigned controls; /* frames since then */
	bool paused;
	bool held; /* part of a read waits in ws for resume */
	struct deferred more;
};

static void set_state(struct ws_conn *c, enum state state)
{
	assert(state > c->state);
	c->state = state;
	timer_stop(&c->tick);
	loop_undefer(&c->more);
}

/* The user is told once, as soon as it is known. */
static void tell_gone(struct ws_conn *c, int code, const char *why)
{
	const struct ws_conn_ops *ops = c->ops;

	c->ops = NULL;
	if (ops)
		ops->on_gone(c->user, code, why);
}

static void end_now(struct ws_conn *c, enum conn_end why)
{
	if (c->state == ENDED)
		return;
	set_state(c, ENDED);
	conn_close_now(c->conn, why);
}

/* Close frame and FIN; a peer that still sends must see them, so it is read from for a while. */
static void begin_closing(struct ws_conn *c, int code, struct sv reason)
{
	set_state(c, CLOSING);
	ws_write_close(c->ws, code, reason, conn_write_begin(c->conn));
	conn_write_commit(c->conn);
	conn_shutdown_after_write(c->conn);
	if (c->paused || c->held)
		conn_read_start(c->conn);
	c->linger_until_ms = loop_now_ms(c->loop) + LIMIT_LINGER_MS;
	timer_start(&c->tick, LIMIT_LINGER_IDLE_MS);
}

/* The peer is at fault. */
static void refuse(struct ws_conn *c, int code, struct sv reason)
{
	char why[WS_CONTROL_BYTES + 1];

	sv_cut(reason, why, sizeof(why));
	begin_closing(c, code, reason);
	tell_gone(c, code, why);
}

static void linger(struct ws_conn *c, size_t bytes)
{
	c->lingered_bytes += bytes;
	if (c->lingered_bytes > LIMIT_LINGER_BYTES || loop_now_ms(c->loop) >= c->linger_until_ms)
		end_now(c, CONN_END_LIMIT);
	else
		timer_start(&c->tick, LIMIT_LINGER_IDLE_MS);
}

/* --- reading --- */

static void answer_close(struct ws_conn *c, const struct ws_frame *f)
{
	char why[WS_CONTROL_BYTES + 1];
	int code = f->code;

	sv_cut(f->payload, why, sizeof(why));
	set_state(c, ENDED);
	ws_write_close(c->ws, code, SV_NONE, conn_write_begin(c->conn));
	conn_write_commit(c->conn);
	conn_close_after_write(c->conn, CONN_END_PEER);
	tell_gone(c, code, why);
}

/* False when there are too many. */
static bool count_control(struct ws_conn *c)
{
	int64_t now_ms = loop_now_ms(c->loop);

	if (now_ms - c->controls_since_ms >= 1000) {
		c->controls_since_ms = now_ms;
		c->controls = 0;
	}
	return ++c->controls <= LIMIT_WS_CONTROLS_PER_SECOND;
}

static void on_control(struct ws_conn *c, const struct ws_frame *f)
{
	if (!count_control(c)) {
		refuse(c, WS_CLOSE_POLICY, SV("too many control frames"));
		return;
	}
	/* Who does not read pongs needs none. */
	if (f->kind == WS_PONG || conn_is_congested(c->conn))
		return;
	ws_write_pong(c->ws, f->payload, conn_write_begin(c->conn));
	conn_write_commit(c->conn);
}

static void on_text(struct ws_conn *c)
{
	struct buf text;

	ws_take_text(c->ws, &text);
	c->ops->on_message(c->user, &text);
	buf_fini(&text);
}

static void next_frames(struct ws_conn *c)
{
	struct ws_frame f;
	int rc = 0;

	while (c->state == OPEN && !c->paused && (rc = ws_next(c->ws, &f)) == 1) {
		if (f.kind == WS_TEXT)
			on_text(c);
		else if (f.kind == WS_CLOSED)
			answer_close(c, &f);
		else
			on_control(c, &f);
	}
	if (rc < 0)
		refuse(c, f.code, f.payload);
	c->held = c->state == OPEN && c->paused;
	if (c->held)
		ws_keep_chunk(c->ws);
}

void ws_conn_take(struct ws_conn *c, struct sv bytes)
{
	if (c->state != OPEN)
		return;
	ws_feed(c->ws, bytes);
	next_frames(c);
}

static void on_more(struct deferred *d)
{
	struct ws_conn *c = CONTAINER_OF(d, struct ws_conn, more);

	next_frames(c);
	if (c->state == OPEN && !c->paused)
		conn_read_start(c->conn);
}

static void on_read(void *user, struct sv bytes)
{
	struct ws_conn *c = user;

	c->last_read_ms = loop_now_ms(c->loop);
	if (c->state == CLOSING)
		linger(c, bytes.n);
	else
		ws_conn_take(c, bytes);
}

static void on_eof(void *user)
{
	struct ws_conn *c = user;

	if (c->state == ENDED)
		return;
	if (c->state == CLOSING) {
		set_state(c, ENDED);
		conn_close_after_write(c->conn, CONN_END_LOCAL);
		return;
	}
	end_now(c, CONN_END_PEER);
	tell_gone(c, WS_CLOSE_NO_CODE, "the peer ended the connection");
}

static void on_drain(void *user)
{
	struct ws_conn *c = user;

	if (c->state == OPEN && c->ops)
		c->ops->on_drain(c->user);
}

static void on_stopping(void *user)
{
	struct ws_conn *c = user;

	if (c->state == OPEN && c->ops)
		c->ops->on_stopping(c->user);
}

static void on_closed(void *user, enum conn_end why)
{
	struct ws_conn *c = user;

	timer_stop(&c->tick);
	loop_undefer(&c->more);
	tell_gone(c, WS_CLOSE_NO_CODE,
		why == CONN_END_TIMEOUT ? "the peer reads nothing" : "the connection ended");
	ws_free(c->ws);
	free(c);
}

static const struct http_upgrade_ops upgrade_ops = {
	.on_read = on_read,
	.on_eof = on_eof,
	.on_drain = on_drain,
	.on_stopping = on_stopping,
	.on_closed = on_closed,
};

/* --- time --- */

static int64_t pong_wait_ms(const struct ws_conn *c)
{
	return c->ping_ms < LIMIT_WS_PONG_MS ? c->ping_ms : LIMIT_WS_PONG_MS;
}

/* For so long it could have answered a ping. Who reads too slowly ends by the connection's own
 * timer of stalled writes. */
static int64_t unanswered_ms(const struct ws_conn *c)
{
	int64_t since_ms =
		c->last_read_ms > c->last_congested_ms ? c->last_read_ms : c->last_congested_ms;

	return loop_now_ms(c->loop) - since_ms;
}

static void look_at_peer(struct ws_conn *c)
{
	int64_t now_ms = loop_now_ms(c->loop);
	int64_t silent_ms;

	if (conn_is_congested(c->conn))
		c->last_congested_ms = now_ms;
	if (now_ms - c->last_read_ms >= LIMIT_BODY_IDLE_TIMEOUT_MS &&
		!ws_is_between_messages(c->ws)) {
		refuse(c, WS_CLOSE_POLICY, SV("the message stopped arriving"));
		return;
	}
	silent_ms = unanswered_ms(c);
	if (silent_ms >= 2 * c->ping_ms + pong_wait_ms(c)) {
		end_now(c, CONN_END_TIMEOUT);
		tell_gone(c, WS_CLOSE_NO_CODE, "the peer answers no pings");
		return;
	}
	if (silent_ms >= c->ping_ms) {
		ws_write_ping(c->ws, SV_NONE, conn_write_begin(c->conn));
		conn_write_commit(c->conn);
	}
	timer_start(&c->tick, silent_ms >= c->ping_ms ? c->ping_ms : c->ping_ms - silent_ms);
}

static void on_tick(struct timer *t)
{
	struct ws_conn *c = CONTAINER_OF(t, struct ws_conn, tick);

	if (c->state == OPEN && c->paused)
		timer_start(t, c->ping_ms); /* its silence is ours */
	else if (c->state == OPEN)
		look_at_peer(c);
	else
		end_now(c, CONN_END_TIMEOUT);
}

/* --- the user's side --- */

static struct ws_conn *ws_conn_new(enum ws_role role, const struct ws_conn_options *options)
{
	struct ws_conn *c = mem_zalloc(sizeof(*c));

	c->ws = ws_new(role, options->max_message_bytes);
	c->ping_ms = options->ping_ms;
	c->more.fn = on_more;
	return c;
}

static void begin(struct ws_conn *c, struct conn *conn)
{
	c->conn = conn;
	c->loop = conn_loop(conn);
	c->last_read_ms = loop_now_ms(c->loop);
	timer_init(&c->tick, c->loop, on_tick);
	timer_start(&c->tick, c->ping_ms);
}

struct ws_conn *ws_conn_accept(struct http_stream *s, const char *accept,
	const struct ws_conn_options *options, const struct ws_conn_ops *ops, void *user)
{
	struct http_header headers[3 + WS_ANSWER_HEADERS_MAX] = {{SV("Upgrade"), SV("websocket")},
		{SV("Connection"), SV("Upgrade")}, {SV("Sec-WebSocket-Accept"), sv_cstr(accept)}};
	struct ws_conn *c = ws_conn_new(WS_SERVER, options);
	size_t count = 3;

	assert(options->header_count <= WS_ANSWER_HEADERS_MAX);
	for (size_t i = 0; i < options->header_count; i++)
		headers[count++] = options->headers[i];
	c->ops = ops;
	c->user = user;
	begin(c, http_upgrade(s, headers, count, &upgrade_ops, c));
	return c;
}

/* --- the client's role --- */

static void on_conn_read(struct conn *conn, struct sv bytes)
{
	on_read(conn_owner(conn), bytes);
}

static void on_conn_eof(struct conn *conn)
{
	on_eof(conn_owner(conn));
}

static void on_conn_drain(struct conn *conn)
{
	on_drain(conn_owner(conn));
}

static void on_conn_closed(struct conn *conn, enum conn_end why)
{
	on_closed(conn_owner(conn), why);
}

struct ws_conn *ws_conn_of_dialed(struct conn *conn, const struct ws_conn_options *options)
{
	static const struct conn_ops ops = {
		.on_read = on_conn_read,
		.on_eof = on_conn_eof,
		.on_drain = on_conn_drain,
		.on_closed = on_conn_closed,
	};
	struct ws_conn *c = ws_conn_new(WS_CLIENT, options);

	conn_set_owner(conn, &ops, c);
	begin(c, conn);
	return c;
}

void ws_conn_set_user(struct ws_conn *c, const struct ws_conn_ops *ops, void *user)
{
	if (c->state != OPEN)
		return;
	c->ops = ops;
	c->user = user;
}

void ws_conn_pause(struct ws_conn *c)
{
	if (c->state != OPEN || c->paused)
		return;
	c->paused = true;
	loop_undefer(&c->more);
	conn_read_stop(c->conn);
}

void ws_conn_resume(struct ws_conn *c)
{
	if (c->state != OPEN || !c->paused)
		return;
	c->paused = false;
	c->last_read_ms = loop_now_ms(c->loop);
	if (c->held)
		loop_defer(c->loop, &c->more);
	else
		conn_read_start(c->conn);
}

void ws_conn_send(struct ws_conn *c, struct sv text)
{
	if (c->state != OPEN)
		return;
	ws_write_text(c->ws, text, conn_write_begin(c->conn));
	conn_write_commit(c->conn);
}

bool ws_conn_is_congested(const struct ws_conn *c)
{
	return conn_is_congested(c->conn);
}

void ws_conn_close(struct ws_conn *c, int code, const char *reason)
{
	c->ops = NULL;
	if (c->state == OPEN)
		begin_closing(c, code, sv_cstr(reason));
}

void ws_conn_cut(struct ws_conn *c)
{
	c->ops = NULL;
	if (c->state != OPEN)
		return;
	set_state(c, ENDED);
	conn_close_after_write(c->conn, CONN_END_LOCAL);
}

void ws_conn_reset(struct ws_conn *c)
{
	c->ops = NULL;
	if (c->state != OPEN)
		return;
	set_state(c, ENDED);
	conn_reset(c->conn, CONN_END_LOCAL);
}
