#include "relay/ws_turn.h"

#include "base/clock.h"
#include "base/ident.h"
#include "base/jw.h"
#include "base/limits.h"
#include "dialect/response_object.h"
#include "proto/sse.h"
#include "relay/exchange.h"
#include "relay/recall.h"
#include "relay/relay.h"
#include "relay/router.h"

#include <errno.h>
#include <stdlib.h>

enum { ID_BYTES = 128 };

struct ws_turn {
	struct client client;
	struct http_request request;
	struct arena arena;
	struct ws_conn *conn; /* NULL: gone */
	struct route_user *user;
	const struct ws_turn_ops *ops;
	void *owner;
	bool native;
	bool over;
	bool tracked;	/* items will be the whole conversation */
	struct sv lane; /* stream_id of the turn, as JSON; empty: none; in the arena */
	struct sse_decoder events;
	struct buf items;  /* of the conversation, with those of this turn */
	char id[ID_BYTES]; /* of the completed answer; "" before */
};

static struct ws_turn *turn_of(const struct client *c)
{
	return CONTAINER_OF(c, struct ws_turn, client);
}

static void end(struct ws_turn *t)
{
	if (t->over)
		return;
	t->over = true;
	t->ops->on_over(t->owner);
}

/* An event, a JSON object, with what tells its lane. */
static void send_text(struct ws_turn *t, struct sv text)
{
	struct buf marked;

	if (!t->conn)
		return;
	if (!t->lane.n) {
		ws_conn_send(t->conn, text);
		return;
	}
	text = sv_trim(text);
	buf_init(&marked, text.n + t->lane.n + 32);
	buf_add(&marked, text.p, text.n - 1);
	buf_add_lit(&marked, ",\"stream_id\":");
	buf_add_sv(&marked, t->lane);
	buf_add_char(&marked, '}');
	ws_conn_send(t->conn, buf_sv(&marked));
	buf_fini(&marked);
}

static void send_json(struct ws_turn *t, struct buf *json)
{
	if (!buf_error(json))
		send_text(t, buf_sv(json));
	buf_fini(json);
}

/* --- error frames --- */

/* body: {"error":{…}}, or upstream's {"detail":…}, as the HTTP answer would have it. */
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

static void write_headers(struct jw *w, const struct http_header *headers, size_t count)
{
	jw_kobj(w, "headers");
	for (size_t i = 0; i < count; i++) {
		char name[64];

		/* Names are looked up in lower case. */
		sv_cut(headers[i].name, name, sizeof(name));
		for (char *p = name; *p; p++)
			*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
		jw_key(w, sv_cstr(name));
		jw_str(w, headers[i].value);
	}
	jw_end(w);
}

static void write_member(struct jw *w, const char *key, struct jv v)
{
	jw_key_lit(w, sv_cstr(key));
	if (jv_exists(v))
		jw_jv(w, v);
	else
		jw_null(w);
}

/* SDKs know an error event that has the members of the error beside its type. */
static void write_flat(struct jw *w, struct sv body)
{
	struct jv json, error;

	if (jv_parse(body, LIMIT_JSON_DEPTH, &json, NULL))
		json = JV_NONE;
	error = jv_get(json, SV("error"));
	write_member(w, "code", jv_get(error, SV("code")));
	write_member(w, "message", jv_get(error, SV("message")));
	write_member(w, "param", jv_get(error, SV("param")));
	jw_ki64(w, "sequence_number", 0);
}

/* response: its status and headers count. */
static void write_error_frame(
	struct buf *json, bool native, const struct http_response *response, struct sv body)
{
	struct jw w = jw_begin(json);

	jw_obj(&w);
	jw_klit(&w, "type", "error");
	jw_ki64(&w, "status", response->status);
	write_error(&w, body);
	if (!native)
		write_flat(&w, body);
	write_headers(&w, response->headers, response->header_count);
	jw_end(&w);
}

static void make_error(bool native, const struct api_err *err, struct buf *json)
{
	const struct http_response response = {.status = err->status};
	struct buf body;

	buf_init(&body, KIB(16));
	buf_init(json, KIB(64));
	api_err_write(err, clock_wall_ms() / 1000, &body);
	write_error_frame(json, native, &response, buf_sv(&body));
	buf_fini(&body);
}

void ws_send_error(struct ws_conn *conn, bool native, const struct api_err *err)
{
	struct buf json;

	make_error(native, err, &json);
	ws_conn_send(conn, buf_sv(&json));
	buf_fini(&json);
}

/* --- the client's side of the exchange --- */

static void set_user(struct client *c, struct route_user *user)
{
	turn_of(c)->user = user;
}

static void respond(struct client *c, const struct http_response *response, struct sv body)
{
	struct ws_turn *t = turn_of(c);
	struct buf json;

	buf_init(&json, LIMIT_FOLD_BYTES);
	write_error_frame(&json, t->native, response, body);
	send_json(t, &json);
	end(t);
}

static struct sv find(const struct http_response *r, struct sv name)
{
	for (size_t i = 0; i < r->header_count; i++) {
		if (sv_ieq(r->headers[i].name, name))
			return r->headers[i].value;
	}
	return SV_NONE;
}

/* Headers of an HTTP answer that a Codex client looks for in events of a socket. */
static void send_headers_event(struct ws_turn *t, const struct http_response *r, const char *type,
	const struct sv *names, size_t count)
{
	struct http_header found[8];
	size_t found_count = 0;
	struct buf json;
	struct jw w;

	for (size_t i = 0; i < count && i < ARRAY_LEN(found); i++) {
		struct sv value = find(r, names[i]);

		if (value.n)
			found[found_count++] = (struct http_header){names[i], value};
	}
	if (!found_count)
		return;
	buf_init(&json, LIMIT_RESPONSE_HEAD_BYTES);
	w = jw_begin(&json);
	jw_obj(&w);
	jw_kstr(&w, "type", sv_cstr(type));
	write_headers(&w, found, found_count);
	jw_end(&w);
	send_json(t, &json);
}

static void write_window(struct jw *w, const char *key, const struct http_response *r,
	struct sv used, const struct sv names[2])
{
	double percent;
	int64_t minutes, reset_at;

	if (sv_f64(find(r, used), &percent))
		return;
	jw_key_lit(w, sv_cstr(key));
	jw_obj(w);
	jw_key_lit(w, SV("used_percent"));
	jw_f64(w, percent);
	if (!sv_i64(find(r, names[0]), &minutes))
		jw_ki64(w, "window_minutes", minutes);
	if (!sv_i64(find(r, names[1]), &reset_at))
		jw_ki64(w, "reset_at", reset_at);
	jw_end(w);
}

static void write_credits(struct jw *w, const struct http_response *r)
{
	struct sv has = find(r, SV("x-codex-credits-has-credits"));
	struct sv unlimited = find(r, SV("x-codex-credits-unlimited"));
	struct sv balance = find(r, SV("x-codex-credits-balance"));

	if (!has.n || !unlimited.n)
		return;
	jw_kobj(w, "credits");
	jw_kbool(w, "has_credits", sv_ieq(has, SV("true")) || sv_eq(has, SV("1")));
	jw_kbool(w, "unlimited", sv_ieq(unlimited, SV("true")) || sv_eq(unlimited, SV("1")));
	jw_key_lit(w, SV("balance"));
	if (balance.n)
		jw_str(w, balance);
	else
		jw_null(w);
	jw_end(w);
}

/* x-codex-* headers as the event that upstream sends on sockets (PROTOCOL 5). */
static void send_limits(struct ws_turn *t, const struct http_response *r)
{
	static const struct sv primary[2] = {
		SV("x-codex-primary-window-minutes"), SV("x-codex-primary-reset-at")};
	static const struct sv secondary[2] = {
		SV("x-codex-secondary-window-minutes"), SV("x-codex-secondary-reset-at")};
	struct sv plan_type = find(r, SV("x-codex-plan-type"));
	struct buf json;
	struct jw w;

	if (!find(r, SV("x-codex-primary-used-percent")).n)
		return;
	buf_init(&json, KIB(16));
	w = jw_begin(&json);
	jw_obj(&w);
	jw_klit(&w, "type", "codex.rate_limits");
	if (plan_type.n)
		jw_kstr(&w, "plan_type", plan_type);
	jw_kobj(&w, "rate_limits");
	jw_kbool(&w, "allowed", true);
	jw_kbool(&w, "limit_reached", false);
	write_window(&w, "primary", r, SV("x-codex-primary-used-percent"), primary);
	write_window(&w, "secondary", r, SV("x-codex-secondary-used-percent"), secondary);
	jw_end(&w);
	write_credits(&w, r);
	jw_end(&w);
	send_json(t, &json);
}

static void begin(struct client *c, const struct http_response *response)
{
	static const struct sv of_turn[] = {SV("x-codex-turn-state")};
	static const struct sv of_response[] = {
		SV("x-models-etag"), SV("x-reasoning-included"), SV("openai-model")};
	struct ws_turn *t = turn_of(c);

	if (!t->native)
		return;
	send_headers_event(t, response, "response.metadata", of_turn, ARRAY_LEN(of_turn));
	send_headers_event(
		t, response, "codex.response.metadata", of_response, ARRAY_LEN(of_response));
	send_limits(t, response);
}

static void note_event(struct ws_turn *t, struct sv data)
{
	/* Our dialect wrote or checked it; what it forwards may have blanks around. */
	struct jv json = jv_trusted(sv_trim(data));
	struct jv type = jv_get(json, SV("type"));

	if (jv_str_eq(type, SV("response.output_item.done"))) {
		struct jv item = jv_get(json, SV("item"));

		if (t->items.len && jv_exists(item))
			buf_add_char(&t->items, ',');
		buf_add_sv(&t->items, jv_raw(item));
	} else if (jv_str_eq(type, SV("response.completed")) ||
		   jv_str_eq(type, SV("response.done"))) {
		jv_str_copy(jv_get(jv_get(json, SV("response")), SV("id")), t->id, sizeof(t->id));
	}
}

static void send_event(struct ws_turn *t, struct sv data)
{
	if (sv_eq(data, SV("[DONE]")))
		return;
	if (t->tracked)
		note_event(t, data);
	send_text(t, data);
}

static void send(struct client *c, struct buf *bytes)
{
	struct ws_turn *t = turn_of(c);
	struct sse_event e;

	sse_feed(&t->events, buf_sv(bytes));
	while (sse_next(&t->events, &e) == 1)
		send_event(t, e.data);
	buf_reset(bytes, LIMIT_WRITE_LOW_BYTES);
}

static void finish(struct client *c)
{
	end(turn_of(c));
}

static void abort_turn(struct client *c)
{
	struct ws_turn *t = turn_of(c);

	t->id[0] = '\0';
	end(t);
}

static bool is_congested(const struct client *c)
{
	const struct ws_turn *t = turn_of(c);

	return t->conn && ws_conn_is_congested(t->conn);
}

static const struct client_ops client_ops = {
	.set_user = set_user,
	.respond = respond,
	.begin = begin,
	.send = send,
	.finish = finish,
	.abort = abort_turn,
	.is_congested = is_congested,
};

/* --- warm-ups --- */

static void write_response(struct ws_turn *t, const struct ws_message *m, bool done, struct jw *w)
{
	struct jv model = jv_get(m->json, SV("model"));
	int64_t now_s = clock_wall_ms() / 1000;
	struct response_echo echo;
	struct response_object object = {
		.echo = &echo,
		.id = sv_cstr(t->id),
		.status = done ? "completed" : "in_progress",
		.created_at = now_s,
		.now_s = now_s,
	};

	response_echo_pick(&echo, m->json);
	if (jv_str(model, &t->arena, &object.model))
		object.model = SV_NONE;
	if (!t->native) {
		response_object_write(&object, w);
		return;
	}
	/* What a Codex client looks at: its tools need not come back twice. */
	jw_obj(w);
	jw_kstr(w, "id", object.id);
	jw_klit(w, "object", "response");
	jw_ki64(w, "created_at", now_s);
	jw_kstr(w, "status", sv_cstr(object.status));
	jw_key_lit(w, SV("model"));
	jw_jv(w, model);
	jw_kraw(w, "output", SV("[]"));
	jw_end(w);
}

static void send_response(
	struct ws_turn *t, const struct ws_message *m, const char *type, bool done, int sequence)
{
	struct buf json;
	struct jw w;

	buf_init(&json, LIMIT_FOLD_BYTES);
	w = jw_begin(&json);
	jw_obj(&w);
	jw_kstr(&w, "type", sv_cstr(type));
	jw_key_lit(&w, SV("response"));
	write_response(t, m, done, &w);
	jw_ki64(&w, "sequence_number", sequence);
	jw_end(&w);
	send_json(t, &json);
}

/*
 * Nothing is generated, so nothing is asked of a slot: the items stay here, and the turn that goes
 * on from them takes them along.
 */
static void warm_up(struct ws_turn *t, const struct ws_message *m)
{
	char uuid[IDENT_UUID_SIZE];

	ident_uuid7(uuid);
	memcpy(t->id, "resp_", 5);
	memcpy(t->id + 5, uuid, sizeof(uuid));
	send_response(t, m, "response.created", false, 0);
	send_response(t, m, "response.completed", true, 1);
	end(t);
}

/* --- the beginning --- */

static int refuse_model(const struct ws_message *m, struct api_err *err)
{
	struct jv model = jv_get(m->json, SV("model"));

	if (m->warm_up && !jv_is_nil(model) && !jv_str_raw(model).n)
		return api_err_param(err, "model", "'model' must be a string.");
	return 0;
}

/*
 * Puts the conversation back together. A client that has a memory of answers beside its sockets
 * (all but Codex) may go on from one of those, of which this socket knows nothing.
 */
static int gather(struct ws_turn *t, const struct ws_turn_options *options,
	const struct ws_message *m, struct api_err *err)
{
	bool goes_on = jv_exists(m->previous);
	bool known =
		goes_on && options->last_id[0] && sv_eq(m->previous_id, sv_cstr(options->last_id));

	t->tracked = !goes_on || known;
	if (!t->tracked && (t->native || m->warm_up))
		return recall_refuse_previous(m->previous_id, err);
	if (known)
		buf_add_sv(&t->items, buf_sv(options->items));
	if (t->tracked)
		ws_message_add_input(m, &t->items);
	if (buf_error(&t->items))
		return api_err_set(err, 400, "invalid_request_error", "payload_too_large",
			"The conversation is larger than %zu bytes.", t->items.cap);
	return refuse_model(m, err);
}

/* Is input something that items can be made of? What is wrong with it, the dialect says. */
static bool is_plain(const struct ws_message *m)
{
	return jv_is(m->input, JV_ARRAY) || jv_is(m->input, JV_STRING) || !jv_exists(m->input);
}

static void run(
	struct ws_turn *t, const struct ws_turn_options *options, const struct ws_message *m)
{
	bool whole = t->tracked && is_plain(m);
	struct buf body;

	buf_init(&body, LIMIT_UPSTREAM_BODY_BYTES);
	ws_message_write_body(m, whole ? &t->items : NULL, &body);
	exchange_start_for(options->relay, &t->client, &body, &dialect_responses);
	buf_fini(&body);
}

static void begin_turn(struct ws_turn *t, const struct ws_turn_options *options, struct sv text)
{
	struct ws_message m;
	struct api_err err;
	struct buf json;
	int rc = ws_message_read(text, &t->arena, &m, &err);

	if (!rc && jv_exists(m.lane))
		t->lane = arena_dup(&t->arena, jv_raw(m.lane));
	if (!rc)
		rc = gather(t, options, &m, &err);
	if (!rc && ws_message_request(&m, options->head, &t->arena, &t->request))
		rc = api_err_set(&err, 400, "invalid_request_error", "payload_too_large",
			"The message's client_metadata is too large.");
	if (rc) {
		make_error(t->native, &err, &json);
		send_json(t, &json);
		end(t);
	} else if (m.warm_up) {
		warm_up(t, &m);
	} else {
		run(t, options, &m);
	}
}

struct ws_turn *ws_turn_start(const struct ws_turn_options *options, struct buf *text,
	const struct ws_turn_ops *ops, void *owner)
{
	struct ws_turn *t = mem_zalloc(sizeof(*t));

	t->ops = ops;
	t->owner = owner;
	t->conn = options->conn;
	t->native = options->native;
	t->client = (struct client){
		.ops = &client_ops,
		.request = &t->request,
		.route = options->route,
		.peer = options->peer,
		.started_us = clock_mono_us(),
		.on_socket = true,
	};
	arena_init(&t->arena, MIB(1));
	buf_init(&t->items, LIMIT_WS_CONVERSATION_BYTES);
	/* The last event repeats the whole answer; the dialect bounds it. */
	sse_decoder_init(&t->events, LIMIT_FOLD_BYTES + KIB(1));
	begin_turn(t, options, buf_sv(text));
	/* The exchange has a body of its own. */
	buf_fini(text);
	return t;
}

void ws_turn_free(struct ws_turn *t)
{
	if (!t)
		return;
	sse_decoder_fini(&t->events);
	buf_fini(&t->items);
	arena_fini(&t->arena);
	free(t);
}

bool ws_turn_is_over(const struct ws_turn *t)
{
	return t->over;
}

void ws_turn_drained(struct ws_turn *t)
{
	if (!t->over && t->user && t->user->ops->on_drain)
		t->user->ops->on_drain(t->user);
}

void ws_turn_gone(struct ws_turn *t)
{
	t->conn = NULL;
	if (t->over)
		return;
	t->id[0] = '\0';
	if (t->user && t->user->ops->on_gone)
		t->user->ops->on_gone(t->user, CONN_END_PEER);
	end(t);
}

bool ws_turn_result(struct ws_turn *t, char *id, size_t id_size, struct buf *items)
{
	if (!t->id[0] || !t->tracked || buf_error(&t->items) || strlen(t->id) >= id_size)
		return false;
	memcpy(id, t->id, strlen(t->id) + 1);
	buf_move(&t->items, items);
	return true;
}
