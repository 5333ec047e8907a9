#include "sim/sim_txn.h"

#include "base/clock.h"
#include "base/jw.h"
#include "base/limits.h"
#include "proto/ws.h"
#include "sim/sim_accounts.h"
#include "sim/sim_script.h"
#include "sim/sim_socket.h"
#include "sim/sim_stream.h"
#include "sim/sim_wait.h"

#include <stdlib.h>

enum { TXN_HEADERS = 72, ERROR_BYTES = 65536 };

static void on_timer(struct timer *timer)
{
	struct sim_txn *t = CONTAINER_OF(timer, struct sim_txn, timer);

	t->on_timer(t);
}

static struct sim_txn *txn_new(struct sim *sim, const struct http_request *head)
{
	struct sim_txn *t = mem_zalloc(sizeof(*t));

	t->sim = sim;
	t->head = head;
	sim_ids_uuid(&sim->random, t->request_id);
	timer_init(&t->timer, sim->loop, on_timer);
	arena_init(&t->arena, SIM_ARENA_BYTES);
	sim->stats.requests++;
	sim->stats.active++;
	return t;
}

struct sim_txn *sim_txn_new(struct sim *sim, struct http_stream *stream)
{
	struct sim_txn *t = txn_new(sim, http_stream_request(stream));

	t->stream = stream;
	http_stream_set_user(stream, t);
	if (sim->log)
		t->entry = sim_log_begin(
			sim, t->head, buf_sv(http_body(stream)), http_stream_started_us(stream));
	sim_wait_poke(sim);
	return t;
}

struct sim_txn *sim_txn_new_turn(struct sim *sim, struct sim_socket *socket,
	const struct http_request *head, struct sv message)
{
	struct sim_txn *t = txn_new(sim, head);

	t->socket = socket;
	if (sim->log)
		t->entry = sim_log_begin(sim, head, message, clock_mono_us());
	sim_wait_poke(sim);
	return t;
}

/* Before the stream is handed back: what follows must not touch it. */
static void txn_end(struct sim_txn *t, enum sim_end end)
{
	struct sim *sim = t->sim;

	timer_stop(&t->timer);
	if (t->stream)
		http_stream_set_user(t->stream, NULL);
	sim->stats.active--;
	if (end == SIM_END_GONE)
		sim->stats.gone++;
	else
		sim->stats.finished++;
	if (t->account)
		t->account->active--;
	if (t->entry)
		sim_log_end(sim->log, t->entry, end);
	sim_stream_fini(t->out);
	sim_script_unref(t->script);
	arena_fini(&t->arena);
	free(t);
	sim_wait_poke(sim);
}

struct sv sim_txn_body(struct sim_txn *t)
{
	return t->socket ? sim_socket_body(t->socket) : buf_sv(http_body(t->stream));
}

struct sv sim_txn_header(const struct sim_txn *t, struct sv name)
{
	return http_request_header(t->head, name);
}

void sim_txn_set_account(struct sim_txn *t, struct sim_account *a)
{
	t->account = a;
	a->active++;
	a->requests++;
	if (t->entry)
		t->entry->account = a;
}

void sim_txn_later(struct sim_txn *t, int64_t delay_ms, void (*fn)(struct sim_txn *t))
{
	t->on_timer = fn;
	timer_start(&t->timer, delay_ms);
}

static bool has_header(const struct sim_script *s, struct sv name)
{
	for (size_t i = 0; i < s->header_count; i++) {
		if (sv_ieq(s->headers[i].name, name))
			return true;
	}
	return false;
}

/* Fills a response with the script's headers; a content type among them wins. */
static void prepare(struct sim_txn *t, struct http_response *r, struct http_header *list)
{
	const struct sim_script *s = t->script;

	if (t->entry)
		t->entry->status = r->status;
	if (!s)
		return;
	if (s->own_limits)
		t->limits = false;
	if (has_header(s, SV("content-type")))
		r->content_type = SV_NONE;
	if (!s->header_count)
		return;
	if (r->header_count)
		memcpy(list, r->headers, r->header_count * sizeof(*list));
	memcpy(list + r->header_count, s->headers, s->header_count * sizeof(*list));
	r->headers = list;
	r->header_count += s->header_count;
}

static void respond(struct sim_txn *t, struct http_response *r, struct sv body)
{
	struct http_header list[TXN_HEADERS];
	struct sim_socket *socket = t->socket;

	prepare(t, r, list);
	if (t->entry)
		t->entry->sent_bytes = body.n;
	if (socket) {
		sim_socket_refuse(socket, r->status, body, t->script);
		txn_end(t, SIM_END_FINISHED);
		sim_socket_turn_over(socket);
		return;
	}
	http_respond(t->stream, r, body);
	txn_end(t, SIM_END_FINISHED);
}

void sim_txn_respond(struct sim_txn *t, int status, struct sv content_type, struct sv body)
{
	struct http_response r = {.status = status, .content_type = content_type};

	respond(t, &r, body);
}

void sim_txn_respond_with(struct sim_txn *t, int status, struct sv content_type, struct sv body,
	struct http_header extra)
{
	struct http_response r = {.status = status,
		.content_type = content_type,
		.headers = &extra,
		.header_count = 1};

	respond(t, &r, body);
}

void sim_txn_json(struct sim_txn *t, int status, struct sv body)
{
	sim_txn_respond(t, status, SV("application/json"), body);
}

void sim_txn_detail(struct sim_txn *t, int status, const char *text)
{
	struct buf out;
	struct jw w;

	buf_init(&out, ERROR_BYTES);
	w = jw_begin(&out);
	jw_obj(&w);
	jw_kstr(&w, "detail", sv_cstr(text));
	jw_end(&w);
	sim_txn_json(t, status, buf_sv(&out));
	buf_fini(&out);
}

void sim_txn_error(struct sim_txn *t, int status, const char *code, const char *message)
{
	struct buf out;
	struct jw w;

	buf_init(&out, ERROR_BYTES);
	w = jw_begin(&out);
	jw_obj(&w);
	jw_kobj(&w, "error");
	jw_kstr(&w, "message", sv_cstr(message));
	jw_klit(&w, "type", "invalid_request_error");
	jw_knull(&w, "param");
	jw_kstr(&w, "code", sv_cstr(code));
	jw_end(&w);
	jw_ki64(&w, "status", status);
	jw_end(&w);
	sim_txn_json(t, status, buf_sv(&out));
	buf_fini(&out);
}

void sim_txn_head(struct sim_txn *t, int status, struct sv content_type)
{
	struct http_header list[TXN_HEADERS];
	struct http_response r = {
		.status = status, .content_type = content_type, .content_length = -1};

	prepare(t, &r, list);
	if (t->stream)
		http_respond_head(t->stream, &r);
}

void sim_txn_send(struct sim_txn *t, struct sv bytes)
{
	if (t->entry)
		t->entry->sent_bytes += bytes.n;
	if (t->socket)
		sim_socket_send(t->socket, bytes);
	else
		http_send(t->stream, bytes);
}

void sim_txn_finish(struct sim_txn *t)
{
	struct http_stream *stream = t->stream;
	struct sim_socket *socket = t->socket;
	bool cut = t->script && (t->script->no_terminal || t->script->cut_after_events >= 0);

	txn_end(t, SIM_END_FINISHED);
	if (stream)
		http_finish(stream);
	else if (cut)
		sim_socket_cut(socket, WS_CLOSE_NORMAL);
	else
		sim_socket_turn_over(socket);
}

void sim_txn_abort(struct sim_txn *t)
{
	struct http_stream *stream = t->stream;
	struct sim_socket *socket = t->socket;
	int close_code = t->script ? t->script->close_code : 0;

	txn_end(t, SIM_END_ABORTED);
	if (stream)
		http_abort(stream);
	else
		sim_socket_cut(socket, close_code);
}

void sim_txn_reset(struct sim_txn *t)
{
	struct http_stream *stream = t->stream;
	struct sim_socket *socket = t->socket;

	txn_end(t, SIM_END_RESET);
	if (stream)
		http_reset(stream);
	else
		sim_socket_reset(socket);
}

void sim_txn_gone(struct sim_txn *t)
{
	struct sim_socket *socket = t->socket;

	txn_end(t, SIM_END_GONE);
	if (socket)
		sim_socket_turn_over(socket);
}

struct http_stream *sim_txn_take_stream(struct sim_txn *t, int status)
{
	struct http_stream *stream = t->stream;

	if (t->entry)
		t->entry->status = status;
	txn_end(t, SIM_END_FINISHED);
	return stream;
}

bool sim_txn_is_congested(const struct sim_txn *t)
{
	return t->socket ? sim_socket_is_congested(t->socket) : http_is_congested(t->stream);
}

void sim_txn_drained(struct sim_txn *t)
{
	sim_stream_on_drain(t);
}

/* Until the client gives up. */
static void stall(struct sim_txn *t)
{
	if (t->script->stall == SIM_STALL_AFTER_HEAD)
		sim_txn_head(t, t->script->status ? t->script->status : 200,
			SV("text/event-stream; charset=utf-8"));
	sim_wait_poke(t->sim);
}

static void play(struct sim_txn *t)
{
	const struct sim_script *s = t->script;
	struct sv type = s->body_is_json ? SV("application/json") : SV("text/plain; charset=utf-8");

	if (s->reset)
		sim_txn_reset(t);
	else if (s->stall)
		stall(t);
	else
		sim_txn_respond(t, s->status, type, buf_sv(&s->body));
}

void sim_txn_run_script(struct sim_txn *t, void (*normal)(struct sim_txn *t))
{
	const struct sim_script *s = t->script;
	bool whole = s && (s->reset || s->stall || (s->status && !s->event_count));
	void (*next)(struct sim_txn *) = whole ? play : normal;

	if (t->entry && s)
		t->entry->script = s->id;
	if (s && s->delay_ms > 0)
		sim_txn_later(t, s->delay_ms, next);
	else
		next(t);
}
