#include "codex/event_headers.h"
#include "codex/headers.h"
#include "codex/upstream_kind.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Sockets that one attempt may use up before it goes by HTTP. */
enum { TRIES_MAX = 2, HEAD_MAX = 64, URL_BYTES = 1024 };

#define BETA "responses_websockets=2026-02-06"

/*
 *	DIALING -> SENT -> EVENTS -> ended
 *	   \         \----> SENT again, on the same or another socket
 *	    \---------\---> HTTP: all goes on there
 */
struct upstream_ws {
	struct upstream base;
	struct loop *loop;
	struct fetch_pool *pool;
	const struct upstream_ops *ops;
	void *arg;
	struct ws_socket *socket; /* NULL: none (any more) */
	struct upstream *http;	  /* NULL: not by HTTP */
	bool reused;		  /* the socket has served another turn */
	bool incremental;
	bool head_told; /* the answer has begun, events are handed out: no other try inside */
	bool paused;
	bool dead;     /* freed when busy is 0 */
	unsigned busy; /* our functions on the stack that will touch us again */
	unsigned tries;
	struct timer idle;
	int64_t active_ms; /* when something was last said, by either side */

	/* What other tries are made from; dropped, and the token wiped, with the first event. */
	struct upstream_request request;
	char url[URL_BYTES];
	struct arena arena;
	struct http_header *headers;

	struct ws_frame_memory said; /* this turn */

	/* As the head of an HTTP answer would tell it. */
	struct arena head_arena;
	struct http_header head[HEAD_MAX];
	size_t head_count;
	struct sv limits; /* the last codex.rate_limits that came before it; in head_arena */

	bool has_meters;
	struct meters meters;
};

static const struct ws_socket_ops socket_ops;
static const struct upstream_ops http_ops;

static struct upstream_ws *of(const struct upstream *base)
{
	return CONTAINER_OF(base, struct upstream_ws, base);
}

static void drop_request(struct upstream_ws *u)
{
	codex_headers_wipe(u->headers, u->request.header_count);
	u->request.header_count = 0;
	u->headers = NULL;
	arena_fini(&u->arena);
	arena_init(&u->arena, LIMIT_ARENA_BYTES);
}

static void destroy(struct upstream_ws *u)
{
	drop_request(u);
	timer_stop(&u->idle);
	arena_fini(&u->arena);
	arena_fini(&u->head_arena);
	free(u);
}

static void enter(struct upstream_ws *u)
{
	u->busy++;
}

static void leave(struct upstream_ws *u)
{
	assert(u->busy > 0);
	if (--u->busy == 0 && u->dead)
		destroy(u);
}

static void discard_socket(struct upstream_ws *u)
{
	if (u->socket)
		ws_socket_discard(u->socket);
	u->socket = NULL;
}

static void blame_socket(struct upstream_ws *u)
{
	if (u->socket)
		ws_socket_blame(u->socket);
	u->socket = NULL;
}

/* --- the end --- */

static void end(struct upstream_ws *u, const struct failure *failure)
{
	assert(!u->dead && u->busy);
	discard_socket(u);
	timer_stop(&u->idle);
	u->ops->on_end(&u->base, u->arg, failure);
	u->dead = true;
}

/* The socket is at fault. */
static void end_with(struct upstream_ws *u, enum failure_class class, const char *detail)
{
	struct failure failure = {
		.class = class, .err = *failure_default(class), .of_socket = true};

	blame_socket(u);
	snprintf(failure.detail, sizeof(failure.detail), "%s", detail);
	end(u, &failure);
}

/* --- tries --- */

/* Nothing of the answer has come: HTTP does the whole turn. */
static void fall_back(struct upstream_ws *u)
{
	assert(!u->head_told && !u->http);
	discard_socket(u);
	timer_stop(&u->idle);
	u->incremental = false;
	u->request.headers = u->headers;
	u->http = upstream_http_start(u->loop, u->pool, &u->request, &http_ops, u);
	drop_request(u);
	if (u->paused)
		upstream_pause(u->http);
}

static void touch(struct upstream_ws *u)
{
	u->active_ms = loop_now_ms(u->loop);
}

/* False: it is too large for a frame. */
static bool send_frame(struct upstream_ws *u)
{
	struct ws_frame_memory *memory = ws_socket_memory(u->socket);
	const struct ws_frame_options options = {
		.headers = u->headers,
		.header_count = u->request.header_count,
		.before = memory->id[0] ? memory : NULL,
	};
	struct buf frame;
	bool fits;

	buf_init(&frame, LIMIT_WS_MESSAGE_BYTES);
	ws_frame_build(
		jv_trusted(sv_trim(u->request.body)), &options, &frame, &u->said, &u->incremental);
	fits = !buf_error(&frame);
	if (fits) {
		memory->id[0] = '\0';
		ws_socket_send(u->socket, buf_sv(&frame));
		touch(u);
		timer_start(&u->idle, u->request.idle_timeout_ms);
	}
	buf_fini(&frame);
	return fits;
}

static bool is_of_handshake(struct sv name)
{
	static const struct sv others[] = {
		SV("content-type"), SV("accept"), SV("openai-beta"), SV("x-codex-turn-state")};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (sv_ieq(name, others[i]))
			return false;
	}
	/* Frames say it (ws_frame.h): one turn may want it, another not. */
	return !sv_istarts(name, SV("x-openai-internal-"));
}

static bool dial(struct upstream_ws *u)
{
	struct http_header headers[CODEX_HEADERS_MAX + 1];
	size_t count = 0;

	for (size_t i = 0; i < u->request.header_count && i < CODEX_HEADERS_MAX; i++) {
		if (is_of_handshake(u->headers[i].name))
			headers[count++] = u->headers[i];
	}
	headers[count++] = (struct http_header){SV("openai-beta"), SV(BETA)};
	u->reused = false;
	u->head_count = 0;
	u->limits = SV_NONE;
	u->socket = socket_pool_dial(u->request.sockets, &u->request.socket, headers, count,
		u->request.upgrade_timeout_ms, &socket_ops, u);
	return u->socket != NULL;
}

/* Another socket, or HTTP. */
static void try_again(struct upstream_ws *u)
{
	discard_socket(u);
	timer_stop(&u->idle);
	if (++u->tries >= TRIES_MAX || !dial(u))
		fall_back(u);
}

/* --- the head --- */

static void learn(struct upstream_ws *u, const struct meters *news)
{
	meters_merge(&u->meters, news);
	u->has_meters = true;
}

static void add_head(struct upstream_ws *u, struct sv name, struct sv value)
{
	struct http_header h = {arena_dup(&u->head_arena, name), arena_dup(&u->head_arena, value)};
	size_t at = 0;

	/* What is told of this turn counts more than what was of the handshake. */
	while (at < u->head_count && !sv_ieq(u->head[at].name, name))
		at++;
	if (at == HEAD_MAX || !h.name.p || !h.value.p)
		return;
	u->head[at] = h;
	u->head_count += at == u->head_count;
}

static void take_metadata(struct upstream_ws *u, const struct event *ev)
{
	struct http_header found[HEAD_MAX];
	size_t count = event_headers_read(ev, &u->head_arena, found, HEAD_MAX);

	for (size_t i = 0; i < count; i++)
		add_head(u, found[i].name, found[i].value);
}

/* With what has to be behind it. */
static void tell_head(struct upstream_ws *u)
{
	struct event ev;

	u->head_told = true;
	drop_request(u);
	u->ops->on_head(&u->base, u->arg, 200);
	if (!u->dead && u->limits.p && !event_parse(u->limits, SV_NONE, &ev))
		u->ops->on_event(&u->base, u->arg, &ev);
}

/* It may be of the turn before: it says nothing of how this one goes. */
static void take_aside(struct upstream_ws *u, const struct event *ev)
{
	if (event_headers_are_of_head(ev))
		take_metadata(u, ev);
	else if (ev->type == EVENT_RATE_LIMITS)
		u->limits = arena_dup(&u->head_arena, jv_raw(ev->json));
}

/* --- events --- */

static int64_t status_of(struct jv json)
{
	int64_t status;

	if (jv_i64(jv_get(json, SV("status")), &status) &&
		jv_i64(jv_get(json, SV("status_code")), &status))
		return 0;
	return status >= 100 && status <= 999 ? status : 0;
}

static struct jv error_of(struct jv json)
{
	struct jv error = jv_get(json, SV("error"));

	return jv_exists(error) ? error : jv_get(jv_get(json, SV("body")), SV("error"));
}

/* As the HTTP answer with this status, these headers and this error. */
static void end_with_status(struct upstream_ws *u, const struct event *ev, int status)
{
	struct http_header headers[HEAD_MAX];
	size_t count = event_headers_read(ev, &u->head_arena, headers, HEAD_MAX);
	struct jv error = error_of(ev->json);
	struct meters news;
	struct failure failure;
	struct buf body;

	if (meters_from_headers(headers, count, clock_wall_ms() / 1000, &news))
		learn(u, &news);
	ws_socket_answered(u->socket);
	buf_init(&body, LIMIT_ERROR_BODY_BYTES);
	buf_add_lit(&body, "{\"error\":");
	buf_add_sv(&body, jv_exists(error) ? jv_raw(error) : SV("{}"));
	buf_add_char(&body, '}');
	failure_from_http(status, headers, count, buf_sv(&body), upstream_meters(&u->base),
		clock_wall_ms(), &failure);
	end(u, &failure);
	buf_fini(&body);
}

static void take_error(struct upstream_ws *u, const struct event *ev)
{
	struct jv code = jv_get(error_of(ev->json), SV("code"));
	bool too_old = jv_str_eq(code, SV("websocket_connection_limit_reached"));
	bool forgotten = jv_str_eq(code, SV("previous_response_not_found")) && u->incremental;
	int status = (int)status_of(ev->json);
	struct failure failure;

	if (forgotten && !u->head_told) {
		if (!send_frame(u))
			fall_back(u);
	} else if (too_old && !u->head_told) {
		/* One that is new; and a turn counts once. */
		if (!u->reused && !u->tries)
			blame_socket(u);
		try_again(u);
	} else if (too_old || forgotten) {
		end_with(u, FAILURE_TRUNCATED, "upstream ended the WebSocket's life");
	} else if (status) {
		end_with_status(u, ev, status);
	} else if (failure_from_event(ev, upstream_meters(&u->base), clock_wall_ms(), &failure)) {
		ws_socket_answered(u->socket);
		end(u, &failure);
	}
}

/* The socket may be another turn's before the event is handed out. */
static void take_terminal(struct upstream_ws *u, const struct event *ev)
{
	struct ws_frame_memory *memory = ws_socket_memory(u->socket);
	struct failure failure = {.class = FAILURE_NONE};

	ws_socket_answered(u->socket);
	if (failure_from_event(ev, upstream_meters(&u->base), clock_wall_ms(), &failure)) {
		end(u, &failure);
		return;
	}
	if (ev->type == EVENT_COMPLETED) {
		*memory = u->said;
		if (!jv_str_copy(jv_get(event_get(ev, SV("response")), SV("id")), memory->id,
			    sizeof(memory->id)))
			memory->id[0] = '\0';
	}
	timer_stop(&u->idle);
	ws_socket_give_back(u->socket);
	u->socket = NULL;
	u->ops->on_event(&u->base, u->arg, ev);
	if (!u->dead)
		end(u, &failure);
}

static void take_event(struct upstream_ws *u, const struct event *ev)
{
	if (!u->head_told)
		tell_head(u);
	if (u->dead)
		return;
	if (ev->type == EVENT_ITEM_DONE)
		ws_frame_add_item(&u->said, event_get(ev, SV("item")));
	if (event_is_terminal(ev->type))
		take_terminal(u, ev);
	else
		u->ops->on_event(&u->base, u->arg, ev);
}

/* Of a turn, as the first event. Hosts need not say it; but on a socket that had another turn what
 * comes without it may be that one's. */
static bool is_beginning(const struct event *ev)
{
	return ev->type == EVENT_CREATED || ev->type == EVENT_QUEUED || ev->type == EVENT_FAILED;
}

static void take(struct upstream_ws *u, const struct event *ev)
{
	struct meters news;

	if (ev->type == EVENT_RATE_LIMITS &&
		meters_from_event(ev->json, clock_wall_ms() / 1000, &news))
		learn(u, &news);
	if (ev->type == EVENT_ERROR)
		take_error(u, ev);
	else if (!u->head_told && event_is_aside(ev))
		take_aside(u, ev);
	else if (!u->head_told && u->reused && !is_beginning(ev))
		try_again(u);
	else
		take_event(u, ev);
}

static void on_message(void *user, struct buf *text)
{
	struct upstream_ws *u = user;
	struct event ev;
	struct buf kept = {.data = NULL};

	enter(u);
	touch(u);
	if (event_parse(buf_sv(text), SV_NONE, &ev) < 0) {
		end_with(u, FAILURE_PROTOCOL, "an event is not valid JSON");
	} else {
		/* Views of it outlive the socket. */
		if (event_is_terminal(ev.type))
			buf_move(text, &kept);
		take(u, &ev);
	}
	buf_fini(&kept);
	leave(u);
}

/* --- the socket --- */

static void refuse(struct upstream_ws *u, const struct ws_open_result *r)
{
	struct failure failure;

	if (!socket_pool_is_of_account(r)) {
		fall_back(u);
		return;
	}
	failure_from_http(r->status, r->headers, r->header_count, r->body,
		upstream_meters(&u->base), clock_wall_ms(), &failure);
	end(u, &failure);
}

static void on_open(void *user, const struct ws_open_result *r)
{
	struct upstream_ws *u = user;
	struct meters news;

	enter(u);
	if (meters_from_headers(r->headers, r->header_count, clock_wall_ms() / 1000, &news))
		learn(u, &news);
	if (!r->conn) {
		u->socket = NULL;
		refuse(u, r);
	} else {
		for (size_t i = 0; i < r->header_count; i++)
			add_head(u, r->headers[i].name, r->headers[i].value);
		if (!send_frame(u))
			fall_back(u);
	}
	leave(u);
}

static void on_gone(void *user, int code, const char *why)
{
	struct upstream_ws *u = user;
	char detail[128];

	enter(u);
	u->socket = NULL;
	snprintf(detail, sizeof(detail), "the WebSocket was closed (%d) %.80s", code, why);
	if (u->head_told)
		end_with(u, FAILURE_TRUNCATED, detail);
	else if (u->reused && code != WS_CLOSE_TOO_BIG)
		try_again(u);
	else
		fall_back(u);
	leave(u);
}

static const struct ws_socket_ops socket_ops = {on_open, on_message, on_gone};

static void on_idle(struct timer *t)
{
	struct upstream_ws *u = CONTAINER_OF(t, struct upstream_ws, idle);
	int64_t left_ms;

	/* Silence of ours. */
	if (u->paused)
		touch(u);
	/* Messages only note the time: the timer is not moved for each of them. */
	left_ms = u->active_ms + u->request.idle_timeout_ms - loop_now_ms(u->loop);
	if (left_ms > 0) {
		timer_start(t, left_ms);
		return;
	}
	enter(u);
	end_with(u, FAILURE_IDLE, "no event came on the WebSocket");
	leave(u);
}

/* --- HTTP after all --- */

static void on_http_head(struct upstream *http, void *arg, int status)
{
	struct upstream_ws *u = arg;

	(void)http;
	u->ops->on_head(&u->base, u->arg, status);
}

static void on_http_event(struct upstream *http, void *arg, const struct event *ev)
{
	struct upstream_ws *u = arg;

	(void)http;
	u->ops->on_event(&u->base, u->arg, ev);
}

static void on_http_end(struct upstream *http, void *arg, const struct failure *failure)
{
	struct upstream_ws *u = arg;

	(void)http;
	enter(u);
	u->ops->on_end(&u->base, u->arg, failure);
	u->dead = true;
	leave(u);
}

static const struct upstream_ops http_ops = {on_http_head, on_http_event, on_http_end};

/* --- struct upstream --- */

static void cancel(struct upstream *base)
{
	struct upstream_ws *u = of(base);

	if (u->dead)
		return;
	discard_socket(u);
	timer_stop(&u->idle);
	if (u->http)
		upstream_cancel(u->http);
	u->dead = true;
	enter(u);
	leave(u);
}

static void pause_events(struct upstream *base)
{
	struct upstream_ws *u = of(base);

	u->paused = true;
	if (u->http)
		upstream_pause(u->http);
	else if (u->socket)
		ws_socket_pause(u->socket);
}

static void resume_events(struct upstream *base)
{
	struct upstream_ws *u = of(base);

	if (!u->paused)
		return;
	u->paused = false;
	touch(u);
	if (u->http)
		upstream_resume(u->http);
	else if (u->socket)
		ws_socket_resume(u->socket);
}

static const struct http_header *get_headers(const struct upstream *base, size_t *ret_count)
{
	const struct upstream_ws *u = of(base);

	if (u->http)
		return upstream_headers(u->http, ret_count);
	*ret_count = u->head_count;
	return u->head;
}

static const struct meters *get_meters(const struct upstream *base)
{
	const struct upstream_ws *u = of(base);
	const struct meters *http = u->http ? upstream_meters(u->http) : NULL;

	if (http)
		return http;
	return u->has_meters ? &u->meters : NULL;
}

static void trace(const struct upstream *base, struct upstream_trace *ret)
{
	const struct upstream_ws *u = of(base);

	if (u->http)
		ret->transport = "http";
	ret->incremental = u->incremental;
}

static const struct upstream_kind ws_kind = {
	.transport = "websocket",
	.cancel = cancel,
	.pause = pause_events,
	.resume = resume_events,
	.headers = get_headers,
	.meters = get_meters,
	.trace = trace,
};

/* The strings of the request are another's. */
static bool copy_request(struct upstream_ws *u, const struct upstream_request *r)
{
	u->request = *r;
	u->request.header_count = 0;
	snprintf(u->url, sizeof(u->url), "%s", r->url);
	u->request.url = u->request.socket.url = u->url;
	u->request.socket.slot = arena_dup(&u->arena, r->socket.slot);
	u->request.socket.grant = arena_dup(&u->arena, r->socket.grant);
	u->request.socket.session = arena_dup(&u->arena, r->socket.session);
	u->headers = arena_alloc(&u->arena, (r->header_count + 1) * sizeof(*u->headers));
	if (!u->headers || !u->request.socket.session.p || !u->request.socket.slot.p ||
		!u->request.socket.grant.p || strlen(r->url) >= sizeof(u->url))
		return false;
	for (size_t i = 0; i < r->header_count; i++) {
		struct http_header *h = &u->headers[i];

		h->name = arena_dup(&u->arena, r->headers[i].name);
		h->value = arena_dup(&u->arena, r->headers[i].value);
		u->request.header_count++;
		if (!h->name.p || !h->value.p)
			return false;
	}
	u->request.headers = u->headers;
	return true;
}

/* False: nothing can be sent on a socket. */
static bool begin(struct upstream_ws *u)
{
	u->socket = socket_pool_take(u->request.sockets, &u->request.socket, &socket_ops, u);
	u->reused = u->socket != NULL;
	if (!u->socket)
		return u->request.body.n < LIMIT_WS_MESSAGE_BYTES && dial(u);
	if (send_frame(u))
		return true;
	discard_socket(u);
	return false;
}

struct upstream *upstream_ws_start(struct loop *loop, struct fetch_pool *pool,
	const struct upstream_request *r, const struct upstream_ops *ops, void *arg)
{
	struct upstream_ws *u = mem_zalloc(sizeof(*u));

	u->base.kind = &ws_kind;
	u->loop = loop;
	u->pool = pool;
	u->ops = ops;
	u->arg = arg;
	timer_init(&u->idle, loop, on_idle);
	arena_init(&u->arena, LIMIT_ARENA_BYTES);
	arena_init(&u->head_arena, LIMIT_RESPONSE_HEAD_BYTES);
	if (copy_request(u, r) && begin(u))
		return &u->base;
	destroy(u);
	return upstream_http_start(loop, pool, r, ops, arg);
}
