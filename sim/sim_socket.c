#include "sim/sim_socket.h"

#include "base/jw.h"
#include "base/limits.h"
#include "io/ws_conn.h"
#include "proto/sse.h"
#include "sim/sim_accounts.h"
#include "sim/sim_script.h"
#include "sim/sim_turn.h"
#include "sim/sim_wait.h"

#include <errno.h>
#include <stdlib.h>

enum { PING_MS = 30000, LIFE_MS = 60 * 60 * 1000, ID_BYTES = 128 };

#define CONVERSATION_BYTES MIB(64)
#define ERROR_BYTES KIB(64)

struct sim_socket {
	struct sim *sim;
	struct ws_conn *ws;	     /* NULL: it has ended */
	struct http_request request; /* of the handshake; views into the arena */
	struct arena arena;
	int64_t opened_ms; /* simulated */
	struct sim_txn *turn;
	bool stopping;

	/* What a turn may go on from. */
	char last_id[ID_BYTES];
	struct buf items; /* all of the conversation, comma-separated */

	/* The running turn. */
	struct buf body;  /* as the HTTP endpoint would get it */
	struct buf input; /* items of the conversation with those of the turn, and its output */
	char id[ID_BYTES];
	struct sse_decoder events;
	struct deferred over; /* outside of the turn's own calls */
};

static void free_socket(struct sim_socket *s)
{
	loop_undefer(&s->over);
	sse_decoder_fini(&s->events);
	buf_fini(&s->items);
	buf_fini(&s->body);
	buf_fini(&s->input);
	arena_fini(&s->arena);
	free(s);
}

static void forget_turn(struct sim_socket *s)
{
	sse_decoder_reset(&s->events);
	buf_reset(&s->body, 0);
	buf_reset(&s->input, 0);
	s->id[0] = '\0';
}

/* The connection is no longer the socket's. */
static struct ws_conn *let_go(struct sim_socket *s)
{
	struct ws_conn *ws = s->ws;

	s->ws = NULL;
	if (ws) {
		s->sim->stats.sockets--;
		sim_wait_poke(s->sim);
	}
	return ws;
}

/* --- out --- */

static void send_json(struct sim_socket *s, struct buf *json)
{
	if (s->ws)
		ws_conn_send(s->ws, buf_sv(json));
	buf_fini(json);
}

static void write_limits(struct sim_socket *s, const struct sim_script *script, struct jw *w)
{
	struct sv lines =
		s->turn && s->turn->account ? sim_account_headers(s->turn->account) : SV_NONE;

	jw_kobj(w, "headers");
	for (size_t i = 0; script && i < script->header_count; i++) {
		jw_key(w, script->headers[i].name);
		jw_str(w, script->headers[i].value);
	}
	while (lines.n && !(script && script->own_limits)) {
		struct sv value = sv_split(&lines, '\n');
		struct sv name = sv_split(&value, ':');

		jw_key(w, name);
		jw_str(w, sv_trim(value));
	}
	jw_end(w);
}

/* The members of the body, or its text as the message of an error. */
static void write_error(struct jw *w, struct sv body)
{
	struct jv json, error;

	if (jv_parse(body, LIMIT_JSON_DEPTH, &json, NULL))
		json = JV_NONE;
	error = jv_get(json, SV("error"));
	jw_key_lit(w, SV("error"));
	if (jv_is(error, JV_OBJECT)) {
		jw_jv(w, error);
		return;
	}
	jw_obj(w);
	jw_klit(w, "type", "invalid_request_error");
	jw_key_lit(w, SV("message"));
	if (jv_is(jv_get(json, SV("detail")), JV_STRING))
		jw_jv(w, jv_get(json, SV("detail")));
	else
		jw_str(w, body);
	jw_end(w);
}

void sim_socket_refuse(
	struct sim_socket *s, int status, struct sv body, const struct sim_script *script)
{
	struct buf json;
	struct jw w;

	buf_init(&json, CONVERSATION_BYTES);
	w = jw_begin(&json);
	jw_obj(&w);
	jw_klit(&w, "type", "error");
	jw_ki64(&w, "status", status);
	write_error(&w, body);
	write_limits(s, script, &w);
	jw_end(&w);
	send_json(s, &json);
}

static void note_event(struct sim_socket *s, struct sv data)
{
	struct jv json, type, item;

	if (jv_parse(data, LIMIT_JSON_DEPTH, &json, NULL))
		return;
	type = jv_get(json, SV("type"));
	item = jv_get(json, SV("item"));
	if (jv_str_eq(type, SV("response.output_item.done")) && jv_exists(item)) {
		if (s->input.len)
			buf_add_char(&s->input, ',');
		buf_add_sv(&s->input, jv_raw(item));
	} else if (jv_str_eq(type, SV("response.completed"))) {
		jv_str_copy(jv_get(jv_get(json, SV("response")), SV("id")), s->id, sizeof(s->id));
	}
}

void sim_socket_send(struct sim_socket *s, struct sv bytes)
{
	struct sse_event e;

	sse_feed(&s->events, bytes);
	while (sse_next(&s->events, &e) == 1) {
		note_event(s, e.data);
		if (s->ws)
			ws_conn_send(s->ws, e.data);
	}
}

void sim_socket_say(struct sim_socket *s, struct sv text)
{
	if (s->ws)
		ws_conn_send(s->ws, text);
}

bool sim_socket_is_congested(const struct sim_socket *s)
{
	return s->ws && ws_conn_is_congested(s->ws);
}

struct sv sim_socket_body(const struct sim_socket *s)
{
	return buf_sv(&s->body);
}

/* --- the ends of a turn and of the socket --- */

static void on_over(struct deferred *d)
{
	struct sim_socket *s = CONTAINER_OF(d, struct sim_socket, over);

	if (!s->ws)
		free_socket(s);
	else if (s->stopping && !s->turn) {
		ws_conn_close(let_go(s), WS_CLOSE_GOING_AWAY, "the simulator stops");
		free_socket(s);
	}
}

/* What a failed turn referred to is forgotten, as upstream does. */
void sim_socket_turn_over(struct sim_socket *s)
{
	bool completed = s->id[0] && !buf_error(&s->input);

	s->turn = NULL;
	memcpy(s->last_id, s->id, sizeof(s->last_id));
	buf_fini(&s->items);
	if (completed) {
		buf_move(&s->input, &s->items);
	} else {
		s->last_id[0] = '\0';
		buf_fini(&s->input);
		buf_init(&s->items, CONVERSATION_BYTES);
	}
	buf_init(&s->input, CONVERSATION_BYTES);
	forget_turn(s);
	loop_defer(s->sim->loop, &s->over);
}

void sim_socket_cut(struct sim_socket *s, int close_code)
{
	struct ws_conn *ws = let_go(s);

	if (ws && close_code)
		ws_conn_close(ws, close_code, "scripted");
	else if (ws)
		ws_conn_cut(ws);
	sim_socket_turn_over(s);
}

void sim_socket_reset(struct sim_socket *s)
{
	struct ws_conn *ws = let_go(s);

	if (ws)
		ws_conn_reset(ws);
	sim_socket_turn_over(s);
}

/* --- in --- */

/* An error frame for what is no turn yet. */
static void refuse_message(
	struct sim_socket *s, const char *code, const char *param, const char *message)
{
	struct buf body;
	struct jw w;

	buf_init(&body, ERROR_BYTES);
	w = jw_begin(&body);
	jw_obj(&w);
	jw_kobj(&w, "error");
	jw_klit(&w, "type", "invalid_request_error");
	jw_kstr(&w, "code", sv_cstr(code));
	jw_kstr(&w, "message", sv_cstr(message));
	if (param)
		jw_kstr(&w, "param", sv_cstr(param));
	jw_end(&w);
	jw_end(&w);
	sim_socket_refuse(s, 400, buf_sv(&body), NULL);
	buf_fini(&body);
}

static bool is_ours(struct sv key)
{
	static const char *const names[] = {
		"type", "previous_response_id", "generate", "input", "stream"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (jv_key_eq(key, sv_cstr(names[i])))
			return true;
	}
	return false;
}

static struct sv inside_of(struct jv array)
{
	return sv_trim(sv_make(array.p + 1, array.n - 2));
}

/* The body that says the same over HTTP: all items, and none of the socket's own members. */
static void write_body(struct sim_socket *s, struct jv message, bool goes_on)
{
	struct jv_iter it = jv_iter(message);
	struct jv input = jv_get(message, SV("input"));
	struct jw w = jw_begin(&s->body);

	jw_obj(&w);
	while (jv_next(&it)) {
		if (is_ours(it.key))
			continue;
		jw_key_lit(&w, it.key);
		jw_jv(&w, it.value);
	}
	jw_kbool(&w, "stream", true);
	jw_key_lit(&w, SV("input"));
	if (jv_is(input, JV_ARRAY)) {
		struct sv more = inside_of(input);

		if (goes_on)
			buf_add_sv(&s->input, buf_sv(&s->items));
		if (s->input.len && more.n)
			buf_add_char(&s->input, ',');
		buf_add_sv(&s->input, more);
		buf_add_char(&s->body, '[');
		buf_add_sv(&s->body, buf_sv(&s->input));
		buf_add_lit(&s->body, "]}");
	} else {
		jw_jv(&w, input); /* refused by the checks */
		jw_end(&w);
	}
}

/* True: the turn may run. */
static bool read_message(struct sim_socket *s, struct jv message, bool *ret_goes_on)
{
	struct jv previous = jv_get(message, SV("previous_response_id"));
	struct jv stream = jv_get(message, SV("stream"));
	char id[ID_BYTES];

	*ret_goes_on = !jv_is_nil(previous);
	if (!jv_is(message, JV_OBJECT) ||
		!jv_str_eq(jv_get(message, SV("type")), SV("response.create"))) {
		refuse_message(s, "invalid_request_error", "type",
			"A message must be a JSON object of the type 'response.create'.");
		return false;
	}
	if (jv_exists(stream) && !jv_is_true(stream)) {
		refuse_message(s, "invalid_value", "stream", "Stream must be set to true");
		return false;
	}
	if (sim_now_ms(s->sim) - s->opened_ms >= LIFE_MS) {
		refuse_message(s, "websocket_connection_limit_reached", NULL,
			"Responses websocket connection limit reached (60 minutes). Create a new "
			"websocket connection to continue.");
		return false;
	}
	jv_str_copy(previous, id, sizeof(id));
	if (*ret_goes_on && (!id[0] || strcmp(id, s->last_id) != 0)) {
		refuse_message(s, "previous_response_not_found", "previous_response_id",
			"Previous response with this id was not found on this connection.");
		s->last_id[0] = '\0';
		return false;
	}
	return true;
}

static void on_message(void *user, struct buf *text)
{
	struct sim_socket *s = user;
	struct jv message;
	bool goes_on;

	if (s->turn) {
		struct sim_txn *turn = s->turn;

		ws_conn_close(let_go(s), WS_CLOSE_POLICY, "one turn at a time");
		sim_txn_gone(turn);
		return;
	}
	if (jv_parse(buf_sv(text), LIMIT_JSON_DEPTH, &message, NULL))
		message = JV_NONE;
	if (!read_message(s, message, &goes_on))
		return;
	write_body(s, message, goes_on);
	s->turn = sim_txn_new_turn(s->sim, s, &s->request, buf_sv(text));
	sim_turn_message(s->turn, jv_is(jv_get(message, SV("generate")), JV_FALSE));
}

static void on_drain(void *user)
{
	struct sim_socket *s = user;

	if (s->turn)
		sim_txn_drained(s->turn);
}

static void on_stopping(void *user)
{
	struct sim_socket *s = user;

	s->stopping = true;
	loop_defer(s->sim->loop, &s->over);
}

static void on_gone(void *user, int code, const char *why)
{
	struct sim_socket *s = user;

	(void)code;
	(void)why;
	let_go(s);
	if (s->turn)
		sim_txn_gone(s->turn);
	else
		loop_defer(s->sim->loop, &s->over);
}

static const struct ws_conn_ops socket_ops = {on_message, on_drain, on_stopping, on_gone};

/* The head must outlive its stream. "WS" stands for the method in the log. */
static bool copy_head(struct sim_socket *s, const struct http_request *r)
{
	s->request = *r;
	s->request.method = SV("WS");
	s->request.path = arena_dup(&s->arena, r->path);
	s->request.query = arena_dup(&s->arena, r->query);
	s->request.target = arena_dup(&s->arena, r->target);
	for (size_t i = 0; i < r->header_count; i++) {
		struct http_header *h = &s->request.headers[i];

		h->name = arena_dup(&s->arena, h->name);
		h->value = arena_dup(&s->arena, h->value);
		if (!h->name.p || !h->value.p)
			return false;
	}
	return s->request.path.p && s->request.query.p && s->request.target.p;
}

void sim_socket_open(struct sim_txn *t, const char *accept)
{
	struct ws_conn_options options = {.max_message_bytes = SIM_BODY_BYTES, .ping_ms = PING_MS};
	struct sim_socket *s = mem_zalloc(sizeof(*s));
	struct sim_script *script = t->script;
	struct http_stream *stream;

	s->sim = t->sim;
	s->opened_ms = sim_now_ms(s->sim);
	s->over.fn = on_over;
	arena_init(&s->arena, MIB(1));
	buf_init(&s->items, CONVERSATION_BYTES);
	buf_init(&s->body, CONVERSATION_BYTES);
	buf_init(&s->input, CONVERSATION_BYTES);
	sse_decoder_init(&s->events, CONVERSATION_BYTES + KIB(64));
	if (!copy_head(s, t->head)) {
		free_socket(s);
		sim_txn_detail(t, 500, "out of memory");
		return;
	}
	if (script) {
		script->refs++;
		options.headers = script->headers;
		options.header_count = script->header_count < WS_ANSWER_HEADERS_MAX
					       ? script->header_count
					       : WS_ANSWER_HEADERS_MAX;
	}
	stream = sim_txn_take_stream(t, 101);
	s->ws = ws_conn_accept(stream, accept, &options, &socket_ops, s);
	sim_script_unref(script);
	s->sim->stats.sockets++;
	sim_wait_poke(s->sim);
}
