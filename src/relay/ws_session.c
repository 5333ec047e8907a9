#include "relay/ws_session.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "codex/headers.h"
#include "relay/codex_auth.h"
#include "relay/relay.h"
#include "relay/reply.h"
#include "relay/router.h"
#include "relay/ws_turn.h"

#include <stdlib.h>

enum { ID_BYTES = 128 };

struct ws_session {
	struct ws_session *next, **prev; /* in relay.sockets */
	struct relay *relay;
	struct ws_conn *conn; /* NULL: it has ended */
	const struct route *route;
	char *peer;
	struct ws_head head;
	bool native;
	bool stopping; /* the relay does: no further turn */
	unsigned turns;

	struct ws_turn *turn;
	struct buf *queue; /* messages behind it, oldest first; NULL while there is none */
	size_t queued, queued_bytes;

	/* What the next turn may go on from. */
	char last_id[ID_BYTES];
	struct buf items;

	struct timer idle; /* without a turn */
	struct deferred work;
};

/* --- all sockets --- */

static void link_last(struct ws_session *s)
{
	struct ws_sessions *all = &s->relay->sockets;

	if (!all->last)
		all->last = &all->first;
	s->next = NULL;
	s->prev = all->last;
	*all->last = s;
	all->last = &s->next;
}

static void unlink_session(struct ws_session *s)
{
	struct ws_sessions *all = &s->relay->sockets;

	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	else
		all->last = s->prev;
}

static void forget(struct ws_session *s)
{
	s->relay->sockets.bytes -= s->items.size;
	buf_reset(&s->items, 0);
	s->last_id[0] = '\0';
}

/* Its conversation is the newest; the oldest ones go until there is room. */
static void remember(struct ws_session *s)
{
	struct ws_sessions *all = &s->relay->sockets;

	all->bytes += s->items.size;
	unlink_session(s);
	link_last(s);
	for (struct ws_session *old = all->first;
		old && old != s && all->bytes > LIMIT_WS_CONVERSATIONS_BYTES; old = old->next) {
		/* A running turn has its own copy. */
		forget(old);
	}
}

/* --- the end --- */

static void log_closed(const struct ws_session *s, int code, const char *why)
{
	log_begin(LOG_INFO, "socket.close");
	log_str("peer", sv_cstr(s->peer));
	log_i64("code", code);
	log_str("reason", sv_cstr(why));
	log_i64("turns", s->turns);
	log_end();
}

static void drop_queue(struct ws_session *s)
{
	for (size_t i = 0; i < s->queued; i++)
		buf_fini(&s->queue[i]);
	free(s->queue);
	s->queue = NULL;
	s->queued = s->queued_bytes = 0;
}

static void free_session(struct ws_session *s)
{
	struct relay *r = s->relay;

	forget(s);
	unlink_session(s);
	r->sockets.count--;
	loop_undefer(&s->work);
	timer_stop(&s->idle);
	drop_queue(s);
	ws_turn_free(s->turn);
	buf_fini(&s->items);
	ws_head_free(&s->head);
	free(s->peer);
	free(s);
}

/* The connection is no longer ours; a running turn ends, and then we. */
static void leave(struct ws_session *s, int code, const char *why)
{
	log_closed(s, code, why);
	s->conn = NULL;
	timer_stop(&s->idle);
	drop_queue(s);
	if (s->turn)
		ws_turn_gone(s->turn);
	loop_defer(s->relay->loop, &s->work);
}

static void close_with(struct ws_session *s, int code, const char *why)
{
	ws_conn_close(s->conn, code, why);
	leave(s, code, why);
}

/* --- turns --- */

/* A token may have been taken back since the handshake. */
static bool may_still_ask(struct ws_session *s, struct api_err *err)
{
	const struct http_request request = {0};
	struct http_request *r = mem_zalloc(sizeof(*r));
	bool ok;

	*r = request;
	r->header_count = s->head.count;
	memcpy(r->headers, s->head.headers, s->head.count * sizeof(*s->head.headers));
	ok = router_allows(s->relay, s->route, r, s->peer, err);
	free(r);
	return ok;
}

static void on_turn_over(void *owner)
{
	struct ws_session *s = owner;

	loop_defer(s->relay->loop, &s->work);
}

static const struct ws_turn_ops turn_ops = {on_turn_over};

static void start_turn(struct ws_session *s, struct buf *text)
{
	const struct ws_turn_options options = {
		.relay = s->relay,
		.conn = s->conn,
		.head = &s->head,
		.route = s->route,
		.peer = s->peer,
		.native = s->native,
		.last_id = s->last_id,
		.items = &s->items,
	};
	struct api_err err;

	timer_stop(&s->idle);
	if (!may_still_ask(s, &err)) {
		ws_send_error(s->conn, s->native, &err);
		buf_fini(text);
		loop_defer(s->relay->loop, &s->work);
		return;
	}
	s->turns++;
	s->turn = ws_turn_start(&options, text, &turn_ops, s);
}

static void take_result(struct ws_session *s)
{
	struct ws_turn *turn = s->turn;
	char id[ID_BYTES];
	struct buf items;

	s->turn = NULL;
	/* What a failed turn went on from stays: it may be tried again. */
	if (ws_turn_result(turn, id, sizeof(id), &items)) {
		forget(s);
		buf_fini(&s->items);
		buf_move(&items, &s->items);
		memcpy(s->last_id, id, sizeof(id));
		remember(s);
	}
	ws_turn_free(turn);
}

static void start_next(struct ws_session *s)
{
	struct buf text = s->queue[0];

	s->queued--;
	s->queued_bytes -= text.len;
	memmove(s->queue, s->queue + 1, s->queued * sizeof(*s->queue));
	if (!s->queued)
		drop_queue(s);
	start_turn(s, &text);
}

/* Outside of all callbacks: a turn is over, or the connection. */
static void on_work(struct deferred *d)
{
	struct ws_session *s = CONTAINER_OF(d, struct ws_session, work);

	if (s->turn && !ws_turn_is_over(s->turn))
		return;
	if (s->turn)
		take_result(s);
	if (!s->conn)
		free_session(s);
	else if (s->stopping)
		close_with(s, WS_CLOSE_GOING_AWAY, "the relay stops");
	else if (s->queued)
		start_next(s);
	else
		timer_start(&s->idle, s->relay->conf->websocket_idle_s * 1000);
}

/* --- the connection --- */

static void keep(struct ws_session *s, struct buf *text)
{
	if (s->queued == LIMIT_WS_QUEUE_COUNT ||
		s->queued_bytes + text->len > LIMIT_WS_MESSAGE_BYTES) {
		close_with(s, WS_CLOSE_POLICY, "too many messages while a turn runs");
		return;
	}
	if (!s->queue)
		s->queue = mem_zalloc(LIMIT_WS_QUEUE_COUNT * sizeof(*s->queue));
	s->queued_bytes += text->len;
	buf_move(text, &s->queue[s->queued++]);
}

static void on_message(void *user, struct buf *text)
{
	struct ws_session *s = user;

	/* Behind a turn whose end is not yet worked off, too. */
	if (s->turn || s->queued || s->stopping)
		keep(s, text);
	else
		start_turn(s, text);
}

static void on_drain(void *user)
{
	struct ws_session *s = user;

	if (s->turn)
		ws_turn_drained(s->turn);
}

static void on_stopping(void *user)
{
	struct ws_session *s = user;

	s->stopping = true;
	if (!s->turn)
		loop_defer(s->relay->loop, &s->work);
}

static void on_gone(void *user, int code, const char *why)
{
	leave(user, code, why);
}

static const struct ws_conn_ops conn_ops = {on_message, on_drain, on_stopping, on_gone};

static void on_idle(struct timer *t)
{
	struct ws_session *s = CONTAINER_OF(t, struct ws_session, idle);

	close_with(s, WS_CLOSE_GOING_AWAY, "no turn for a long time");
}

/* --- the handshake --- */

static void refuse(struct relay *r, struct http_stream *s, const struct http_fault *fault)
{
	struct http_header version = {SV("Sec-WebSocket-Version"), SV("13")};
	struct api_err err;

	api_err_set(&err, fault->status, "invalid_request_error", "bad_handshake", "%s",
		fault->message);
	reply_error(r, s, &err, fault->status == 426 ? &version : NULL);
}

static struct ws_session *session_new(struct relay *r, struct http_stream *stream)
{
	struct ws_session *s = mem_zalloc(sizeof(*s));

	s->relay = r;
	s->route = http_stream_tag(stream);
	s->peer = mem_strdup(http_stream_peer(stream));
	s->native = codex_client_is_native(http_stream_request(stream));
	s->work.fn = on_work;
	ws_head_copy(http_stream_request(stream), &s->head);
	buf_init(&s->items, LIMIT_WS_CONVERSATION_BYTES);
	timer_init(&s->idle, r->loop, on_idle);
	link_last(s);
	r->sockets.count++;
	return s;
}

static void log_opened(const struct ws_session *s)
{
	log_begin(LOG_INFO, "socket.open");
	log_str("peer", sv_cstr(s->peer));
	log_str("path", s->head.path);
	log_bool("native", s->native);
	log_end();
}

void ws_session_open(struct relay *r, struct http_stream *stream)
{
	struct ws_conn_options options = {
		.max_message_bytes = LIMIT_WS_MESSAGE_BYTES,
		.ping_ms = r->conf->websocket_ping_s * 1000,
	};
	char accept[WS_ACCEPT_SIZE];
	struct http_fault fault;
	struct ws_session *s;

	if (ws_check_request(http_stream_request(stream), accept, &fault)) {
		refuse(r, stream, &fault);
		return;
	}
	if (options.max_message_bytes > (size_t)r->conf->max_body_bytes)
		options.max_message_bytes = (size_t)r->conf->max_body_bytes;
	reply_count(r, stream, 101, NULL, NULL);
	s = session_new(r, stream);
	log_opened(s);
	s->conn = ws_conn_accept(stream, accept, &options, &conn_ops, s);
	timer_start(&s->idle, r->conf->websocket_idle_s * 1000);
	if (http_is_stopping(stream))
		on_stopping(s);
}
