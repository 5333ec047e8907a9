#include "relay/exchange.h"

#include "base/clock.h"
#include "base/log.h"
#include "codex/body.h"
#include "codex/headers.h"
#include "codex/upstream.h"
#include "relay/answer.h"
#include "relay/client_http.h"
#include "relay/exchange_log.h"
#include "relay/exhausted.h"
#include "relay/head_notes.h"
#include "relay/model_choice.h"
#include "relay/model_list.h"
#include "relay/native_head.h"
#include "relay/offline.h"
#include "relay/recall.h"
#include "relay/relay.h"
#include "relay/retry.h"
#include "relay/router.h"
#include "relay/runner.h"
#include "relay/session_key.h"
#include "relay/transport.h"
#include "slots/refresher.h"
#include "slots/upkeep.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum state { ADAPT, WAIT_SLOT, WAIT_TOKEN, BACKOFF, CONNECT, HEAD, STREAM, DONE, STATES };
/* Longest wait for a slot's token; then another slot is tried. */
enum { TOKEN_WAIT_MS = 30 * 1000 };

#define BIT(s) (1u << (s))

static const unsigned legal_moves[STATES] = {
	[ADAPT] = BIT(WAIT_SLOT) | BIT(DONE),
	[WAIT_SLOT] = BIT(WAIT_TOKEN) | BIT(CONNECT) | BIT(DONE),
	[WAIT_TOKEN] = BIT(WAIT_SLOT) | BIT(CONNECT) | BIT(DONE),
	[BACKOFF] = BIT(WAIT_SLOT) | BIT(DONE),
	[CONNECT] = BIT(HEAD) | BIT(WAIT_TOKEN) | BIT(WAIT_SLOT) | BIT(BACKOFF) | BIT(DONE),
	[HEAD] = BIT(STREAM) | BIT(WAIT_TOKEN) | BIT(WAIT_SLOT) | BIT(BACKOFF) | BIT(DONE),
	[STREAM] = BIT(WAIT_TOKEN) | BIT(WAIT_SLOT) | BIT(BACKOFF) | BIT(DONE),
};

struct exchange {
	struct exchange *next, **prev; /* in relay.exchanges */
	struct route_user user;
	struct relay *relay;
	struct conf *conf;
	enum state state;
	char id[IDENT_UUID_SIZE];

	struct client *client;	 /* NULL once answered or gone */
	struct client_http http; /* of an HTTP request */
	struct arena arena;
	struct buf body;	   /* the client's */
	struct jspan_index *index; /* of the body, or NULL */
	struct buf upstream_body;  /* empty until built, and when the turn's own text is sent */
	struct turn turn;
	struct answer answer;
	struct recall recall;
	struct sv session;    /* affinity key and upstream session id; in the arena */
	struct sv turn_state; /* the client's x-codex-turn-state, or empty */
	uint64_t model_hash;
	struct model_choice model;

	struct waiter waiter;
	struct lease lease;
	const struct slot **tried; /* in the arena, room for max_attempts */
	size_t tried_count;
	struct retry_state retry;
	struct timer backoff;
	struct refresh_wait token;
	struct timer token_wait;
	char sent_token[IDENT_HEX_SIZE]; /* fingerprint of what the running attempt sent */

	const struct runner *runner;
	struct runner_place place; /* of the attempt */
	struct upstream *upstream;
	struct deferred reap;	     /* frees us outside of all callbacks */
	struct upstream_trace trace; /* of the last attempt that had an answer */
	struct exchange_times times;
	struct exchange_log log;
	int64_t first_attempt_us; /* monotonic; the retry budget counts from here */
};

static void set_state(struct exchange *ex, enum state next)
{
	assert(legal_moves[ex->state] & BIT(next));
	ex->state = next;
}

/* --- the end --- */

static void on_reap(struct deferred *d)
{
	struct exchange *ex = CONTAINER_OF(d, struct exchange, reap);

	assert(ex->state == DONE && !ex->upstream && !ex->lease.slot);
	answer_fini(&ex->answer);
	turn_fini(&ex->turn);
	jv_index_free(ex->index);
	buf_fini(&ex->body);
	buf_fini(&ex->upstream_body);
	arena_fini(&ex->arena);
	conf_unref(ex->conf);
	free(ex);
}

/* What the attempt had for itself. */
static void leave_place(struct exchange *ex)
{
	runner_leave(&ex->place);
}

static void leave_token(struct exchange *ex)
{
	refresher_leave(&ex->token);
	timer_stop(&ex->token_wait);
}

static void done(struct exchange *ex)
{
	struct relay *relay = ex->relay;

	set_state(ex, DONE);
	waitq_remove(&ex->waiter);
	timer_stop(&ex->backoff);
	leave_token(ex);
	ex->client = NULL;
	*ex->prev = ex->next;
	if (ex->next)
		ex->next->prev = ex->prev;
	relay->exchange_count--;
	trimmer_note(&relay->trimmer, relay->exchange_count);
	trimmer_note_body(&relay->trimmer, ex->body.len);
	loop_defer(relay->loop, &ex->reap);
}

static void log_end_of(struct exchange *ex, int status, const struct api_err *err)
{
	struct exchange_summary summary = {
		.status = status,
		.slot_id = ex->answer.slot_id,
		.attempts = ex->retry.attempts,
		.first_byte_us = ex->answer.first_byte_us,
		.times = &ex->times,
		.usage = &ex->turn.usage,
		.trace = &ex->trace,
		.err = err,
	};

	exchange_log_finish(&ex->log, &summary);
}

/* Codex repeats a 413 five times and stops at a 400 (PROTOCOL 3). */
static struct api_err fit_for_native(const struct api_err *err)
{
	struct api_err fit = *err;

	if (err->status == 413) {
		fit.status = 400;
		snprintf(fit.code, sizeof(fit.code), "payload_too_large");
	}
	return fit;
}

/* Answers with an error, in whatever way is still possible, and ends. */
static void fail(struct exchange *ex, const struct api_err *err)
{
	struct api_err fit;

	if (ex->turn.native) {
		fit = fit_for_native(err);
		err = &fit;
	}
	answer_fail(&ex->answer, err);
	log_end_of(ex, err->status, err);
	done(ex);
}

static void fail_out_of_memory(struct exchange *ex)
{
	struct api_err err;

	api_err_set(&err, 502, "server_error", "out_of_memory",
		"The relay could not hold this request or its answer.");
	fail(ex, &err);
}

static void cancel_attempt(struct exchange *ex)
{
	struct slot_verdict nobody = {.kind = VERDICT_CANCELLED};

	leave_place(ex);
	if (ex->upstream) {
		nobody.meters = upstream_meters(ex->upstream);
		lease_release(&ex->lease, &nobody, clock_wall_ms());
		upstream_cancel(ex->upstream);
		ex->upstream = NULL;
	}
	lease_release(&ex->lease, &nobody, clock_wall_ms());
}

/* --- one attempt --- */

static void seek_slot(struct exchange *ex);
static void use_lease(struct exchange *ex);

static struct lease_request lease_request_of(const struct exchange *ex)
{
	return (struct lease_request){
		.session = ex->session,
		.model = ex->turn.model,
		.any_catalogue = ex->model.any_catalogue,
		.tried = ex->tried,
		.tried_count = ex->tried_count,
		.now_ms = clock_wall_ms(),
	};
}

/* Limits count from when they are told, not from when a long answer has ended. */
static void note_meters(struct exchange *ex, struct upstream *u)
{
	if (!upstream_meters(u))
		return;
	lease_meters(&ex->lease, upstream_meters(u), clock_wall_ms());
	upkeep_note_limits(ex->relay->upkeep, ex->lease.slot);
}

static void on_upstream_head(struct upstream *u, void *arg, int status)
{
	struct exchange *ex = arg;
	size_t count;
	const struct http_header *headers = upstream_headers(u, &count);
	struct http_header without[LIMIT_RESPONSE_HEADERS_COUNT];
	struct native_head fit;

	(void)status;
	set_state(ex, HEAD);
	upstream_trace(u, &ex->trace);
	note_meters(ex, u);
	head_notes_take(ex->relay, ex->lease.slot, headers, count);
	if (ex->model.aliased && count <= ARRAY_LEN(without)) {
		count = model_choice_drop_name(headers, count, without);
		headers = without;
	}
	if (ex->turn.native && count <= ARRAY_LEN(without)) {
		native_head_make(&fit, ex->conf, ex->relay->slots, headers, count, clock_wall_ms());
		headers = fit.headers;
		count = fit.count;
	}
	answer_upstream_head(&ex->answer, headers, count);
	ex->user.has_request_id = answer_passes_header(&ex->answer, SV("x-request-id"));
}

static void end_attempt(struct exchange *ex, const struct slot_verdict *verdict)
{
	ex->upstream = NULL;
	leave_place(ex);
	lease_release(&ex->lease, verdict, clock_wall_ms());
}

/* The answer cannot be made from what upstream sent: our cap, or events without sense. */
static void on_answer_error(struct exchange *ex, int err)
{
	struct api_err told;

	cancel_attempt(ex);
	if (err == -ENOBUFS)
		api_err_set(&told, 502, "server_error", "answer_too_large",
			"The upstream answer is larger than the relay may hold.");
	else
		api_err_set(&told, 502, "server_error", "bad_upstream_event",
			"The upstream sent an event that makes no sense.");
	fail(ex, &told);
}

/* For clients that refer to it later. */
static void keep_answer(struct exchange *ex)
{
	recall_keep(&ex->recall, &ex->turn, ex->session, ex->retry.stripped);
	relay_forget_later(ex->relay);
}

static void finish(struct exchange *ex)
{
	int err = answer_finish(&ex->answer);

	if (err) {
		on_answer_error(ex, err);
		return;
	}
	keep_answer(ex);
	log_end_of(ex, 200, NULL);
	done(ex);
}

/* The client has all that it asked for (a stop sequence): upstream need not go on. */
static void finish_early(struct exchange *ex)
{
	struct slot_verdict verdict = {
		.kind = VERDICT_SUCCESS,
		.meters = upstream_meters(ex->upstream),
		.model_hash = ex->model_hash,
	};
	struct upstream *upstream = ex->upstream;

	end_attempt(ex, &verdict);
	upstream_cancel(upstream);
	finish(ex);
}

static void on_upstream_event(struct upstream *u, void *arg, const struct event *ev)
{
	struct exchange *ex = arg;
	int err;

	if (ex->state == HEAD)
		set_state(ex, STREAM);
	if (ev->type == EVENT_RATE_LIMITS)
		note_meters(ex, u);
	else if (ev->type == EVENT_PRIVATE)
		head_notes_event(ex->relay, ex->lease.slot, ev, &ex->answer);
	err = runner_event(ex->runner, &ex->answer, ex->turn.model, ev);
	if (err)
		on_answer_error(ex, err);
	else if (ex->turn.satisfied && !event_is_terminal(ev->type))
		finish_early(ex);
	else if (answer_is_congested(&ex->answer))
		upstream_pause(u);
}

static void note_tried(struct exchange *ex, const struct slot *slot)
{
	size_t room = (size_t)ex->conf->max_attempts;

	if (!ex->tried)
		ex->tried = arena_alloc(&ex->arena, room * sizeof(*ex->tried));
	if (ex->tried && ex->tried_count < room)
		ex->tried[ex->tried_count++] = slot;
}

static void count_retry(struct exchange *ex, const struct failure *f, enum retry_action action)
{
	switch (f->class) {
	case FAILURE_TRUNCATED:
	case FAILURE_IDLE:
	case FAILURE_PROTOCOL:
		ex->retry.replays++;
		break;
	case FAILURE_ENTITLEMENT:
		ex->retry.entitlements++;
		break;
	default:
		break;
	}
	if (action == RETRY_SAME_BACKOFF)
		ex->retry.backoffs++;
	ex->retry.refreshed = action == RETRY_SAME_REFRESHED;
	if (action == RETRY_SAME_STRIPPED) {
		ex->retry.stripped = true;
		buf_reset(&ex->upstream_body, 0);
	}
}

static void wait_for_token(struct exchange *ex, const char *refused)
{
	set_state(ex, WAIT_TOKEN);
	if (!ex->first_attempt_us)
		ex->first_attempt_us = clock_mono_us();
	timer_start(&ex->token_wait, TOKEN_WAIT_MS);
	refresher_ask(ex->relay->env.refresher, ex->lease.slot, refused, &ex->token);
}

/* No slot is left. What the client is told: the limits of all slots, or what went wrong last. */
static void fail_with(struct exchange *ex, const struct failure *f)
{
	int64_t now_ms = clock_wall_ms();
	int64_t recovers_ms = slot_table_recovers_ms(ex->relay->slots, now_ms);
	bool about_limits = f->class == FAILURE_RATE_LIMIT || f->class == FAILURE_QUOTA ||
			    (f->class == FAILURE_AUTH && recovers_ms && !f->err.retry_after_s);
	struct api_err err;

	if (!about_limits || ex->answer.committed) {
		fail(ex, &f->err);
		return;
	}
	exhausted_describe(ex->turn.native, slot_table_count(ex->relay->slots), recovers_ms,
		f->err.plan_type, now_ms, &err);
	fail(ex, &err);
}

static enum retry_action decide(struct exchange *ex, const struct failure *f)
{
	struct lease_request without;

	note_tried(ex, ex->lease.slot);
	without = lease_request_of(ex);
	ex->retry.can_refresh = slot_can_refresh(ex->lease.slot);
	ex->retry.committed = ex->answer.committed;
	ex->retry.of_socket = f->of_socket;
	ex->retry.elapsed_ms = (clock_mono_us() - ex->first_attempt_us) / 1000;
	ex->retry.other_slot = slot_table_could_lease(ex->relay->slots, &without);
	return retry_decide(f->class, &ex->retry);
}

static void forget_tried(struct exchange *ex)
{
	ex->tried_count -= ex->tried_count > 0; /* note_tried() may have had no room */
}

/* The attempt is over and its slot knows the verdict; the lease goes on for the same slot alone. */
static void retry_or_fail(struct exchange *ex, const struct failure *f)
{
	static const struct slot_verdict nothing_more = {.kind = VERDICT_CANCELLED};
	enum retry_action action = decide(ex, f);

	if (ex->state == WAIT_TOKEN)
		exchange_log_token(&ex->log, ex->lease.slot->id, f, action);
	else
		exchange_log_attempt(&ex->log, ex->lease.slot->id, f, action);
	count_retry(ex, f, action);
	if (action == RETRY_SAME_REFRESHED) {
		forget_tried(ex);
		wait_for_token(ex, ex->sent_token);
		return;
	}
	if (action == RETRY_SAME_HTTP) {
		forget_tried(ex);
		set_state(ex, WAIT_SLOT);
		use_lease(ex);
		return;
	}
	lease_release(&ex->lease, &nothing_more, clock_wall_ms());
	switch (action) {
	case RETRY_GIVE_UP:
		fail_with(ex, f);
		return;
	case RETRY_SAME_STRIPPED:
		forget_tried(ex);
		break;
	case RETRY_SAME_BACKOFF:
		ex->tried_count = 0;
		set_state(ex, BACKOFF);
		timer_start(&ex->backoff, retry_backoff_ms(ex->retry.backoffs - 1));
		return;
	default:
		break;
	}
	set_state(ex, WAIT_SLOT);
	seek_slot(ex);
}

/* Upstream's words go to logs and clients: not if they repeat the slot's token. */
static void on_upstream_end(struct upstream *u, void *arg, const struct failure *told)
{
	struct exchange *ex = arg;
	struct failure copy;
	const struct failure *failure =
		failure_without(told, secret_expose(&ex->lease.slot->access), &copy);
	struct slot_verdict verdict = {
		.kind = failure->class == FAILURE_NONE ? VERDICT_SUCCESS : VERDICT_FAILURE,
		.failure = failure,
		.meters = upstream_meters(u),
		.model_hash = ex->model_hash,
		.token = ex->sent_token,
		.refreshed = ex->retry.refreshed,
	};

	if (failure->class == FAILURE_NONE) {
		end_attempt(ex, &verdict);
		finish(ex);
		return;
	}
	ex->upstream = NULL;
	leave_place(ex);
	lease_note(&ex->lease, &verdict, clock_wall_ms());
	retry_or_fail(ex, failure);
}

static const struct upstream_ops upstream_ops = {
	.on_head = on_upstream_head,
	.on_event = on_upstream_event,
	.on_end = on_upstream_end,
};

/* The request body for upstream; made once, and again when blobs must go. */
static int build_body(struct exchange *ex, struct api_err *err)
{
	struct codex_body_options options = {
		.compact = ex->turn.dialect->compacts,
		.native = ex->turn.native,
		.model = ex->model.aliased ? ex->model.name : SV_NONE,
		.prompt_cache_key = ex->session,
		.drop_reasoning = ex->retry.stripped,
	};

	if (ex->upstream_body.len)
		return 0;
	return ex->runner->body(ex->conf, ex->turn.upstream, &options, &ex->upstream_body, err);
}

/* Of a request for upstream. They are needed only until it is started: a stream that lasts holds
 * neither them nor the token. */
struct attempt_headers {
	struct arena arena;
	size_t count;
	struct http_header list[CODEX_HEADERS_MAX];
};

static void drop_headers(struct attempt_headers *h)
{
	codex_headers_wipe(h->list, h->count);
	arena_fini(&h->arena);
}

static int build_headers(
	struct exchange *ex, const struct codex_cred *cred, struct attempt_headers *h)
{
	struct codex_header_options options = {
		.client = ex->client->request,
		.native = ex->turn.native,
		.same_slot =
			ex->turn_state.n && slot_table_came_from(ex->relay->slots, ex->turn_state,
						    ex->lease.slot, clock_wall_ms()),
		.originator = sv_cstr(ex->conf->upstream_originator),
		.user_agent = sv_cstr(ex->conf->upstream_user_agent),
		.session = ex->session,
		.request_id = sv_cstr(ex->id),
		.accept = ex->turn.dialect->compacts ? SV("application/json")
						     : SV("text/event-stream"),
		.content_type = SV("application/json"),
	};
	const struct runner_head head = {
		.cred = cred,
		.options = &options,
		.model = ex->turn.model,
		.arena = &h->arena,
	};

	arena_init(&h->arena, LIMIT_ARENA_BYTES);
	h->count = 0;
	return ex->runner->headers(&ex->place, &head, h->list, &h->count);
}

static void start_upstream(
	struct exchange *ex, const struct codex_cred *cred, const struct attempt_headers *headers)
{
	char url[1024];
	struct upstream_request request = {
		.url = url,
		.headers = headers->list,
		.header_count = headers->count,
		.body = ex->upstream_body.len ? buf_sv(&ex->upstream_body)
					      : jv_raw(ex->turn.upstream),
		.document = ex->turn.dialect->compacts,
		.connect_timeout_ms = ex->conf->upstream_connect_timeout_s * 1000,
		.idle_timeout_ms = ex->conf->request_timeout_s * 1000,
	};

	ex->runner->url(&ex->place, cred, ex->turn.dialect->compacts, url, sizeof(url));
	ex->retry.attempts++;
	/* What broke a transport shall not break the replay. */
	if (ex->runner->has_sockets && !ex->retry.replays)
		transport_choose(ex->relay, ex->conf, ex->client, &ex->turn, &request);
	request.socket.slot = sv_cstr(ex->lease.slot->id);
	request.socket.grant = sv_cstr(ex->sent_token);
	request.socket.session = ex->session;
	ex->upstream = upstream_start(
		ex->relay->loop, ex->runner->pool(&ex->place), &request, &upstream_ops, ex);
}

/* The slot's file holds a token that cannot be sent: the slot is out until it brings another. */
static void refuse_token(struct exchange *ex)
{
	struct failure f = {.class = FAILURE_AUTH};
	struct slot_verdict verdict = {
		.kind = VERDICT_FAILURE,
		.failure = &f,
		.token = ex->sent_token,
		.refreshed = ex->retry.refreshed,
	};

	api_err_set(&f.err, 502, "server_error", "bad_slot_credential",
		"The slot's access token is not usable.");
	leave_place(ex);
	lease_note(&ex->lease, &verdict, clock_wall_ms());
	retry_or_fail(ex, &f);
}

/* With the body that is built. */
static void send_request(struct exchange *ex)
{
	struct codex_cred cred = slot_cred(ex->lease.slot);
	struct attempt_headers headers;
	int rc = build_headers(ex, &cred, &headers);

	if (!rc)
		rc = answer_reset(&ex->answer, ex->lease.slot->id);
	if (!rc)
		start_upstream(ex, &cred, &headers);
	drop_headers(&headers);
	if (rc == -EINVAL) {
		refuse_token(ex);
	} else if (rc) {
		cancel_attempt(ex);
		fail_out_of_memory(ex);
	}
}

static void start_request(struct exchange *ex)
{
	struct api_err err;
	int rc = build_body(ex, &err);

	memcpy(ex->sent_token, ex->lease.slot->token_fingerprint, sizeof(ex->sent_token));
	if (rc == -EINVAL) {
		cancel_attempt(ex);
		fail(ex, &err);
		return;
	}
	if (rc) {
		cancel_attempt(ex);
		fail_out_of_memory(ex);
		return;
	}
	send_request(ex);
}

/* The place where the attempt would run did not come up. */
static void give_place_up(struct exchange *ex, const char *problem)
{
	struct failure f;
	struct slot_verdict verdict = {.kind = VERDICT_FAILURE, .failure = &f};

	runner_failure(problem, &f);
	ex->retry.attempts++;
	lease_note(&ex->lease, &verdict, clock_wall_ms());
	retry_or_fail(ex, &f);
}

static void on_place_open(struct runner_place *place, const char *problem)
{
	struct exchange *ex = CONTAINER_OF(place, struct exchange, place);

	if (problem)
		give_place_up(ex, problem);
	else
		start_request(ex);
}

static void start_attempt(struct exchange *ex)
{
	set_state(ex, CONNECT);
	if (!ex->first_attempt_us)
		ex->first_attempt_us = clock_mono_us();
	if (ex->runner->open(&ex->place, ex->lease.slot))
		start_request(ex);
}

/* --- waiting for the slot's token --- */

/* Its slot has none that may be sent, for now or for good: another slot may do. */
static void go_without_token(struct exchange *ex, enum refresh_result result)
{
	struct failure f = {.class = FAILURE_AUTH};

	f.err = *failure_default(FAILURE_AUTH);
	if (result != REFRESH_REAUTH) {
		int64_t now_ms = clock_wall_ms();

		exhausted_describe_token(ex->lease.slot->refresh_after_ms, now_ms, &f.err);
	}
	ex->retry.refreshed = true;
	retry_or_fail(ex, &f);
}

static void on_token(struct refresh_wait *w, enum refresh_result result)
{
	struct exchange *ex = CONTAINER_OF(w, struct exchange, token);

	timer_stop(&ex->token_wait);
	if (result == REFRESH_READY)
		start_attempt(ex);
	else
		go_without_token(ex, result);
}

static void on_token_timeout(struct timer *t)
{
	struct exchange *ex = CONTAINER_OF(t, struct exchange, token_wait);

	refresher_leave(&ex->token);
	go_without_token(ex, REFRESH_FAILED);
}

/* A token that ends soon is good for one more request; the refresh runs beside it. */
static void use_lease(struct exchange *ex)
{
	struct slot *slot = ex->lease.slot;
	int64_t now_ms = clock_wall_ms();

	if (refresher_must_wait(slot, now_ms)) {
		wait_for_token(ex, NULL);
		return;
	}
	if (refresher_is_due(slot, now_ms))
		refresher_ask(ex->relay->env.refresher, slot, NULL, NULL);
	start_attempt(ex);
}

/* --- waiting for a slot --- */

/* In a cooldown for what upstream did, not for what the account has used. */
static bool rests_after_trouble(const struct slot *s)
{
	return strcmp(s->cooldown_reason, failure_class_name(FAILURE_TRANSIENT)) == 0 ||
	       strcmp(s->cooldown_reason, failure_class_name(FAILURE_BLOCKED)) == 0;
}

static void fail_exhausted(struct exchange *ex, const struct lease_report *report)
{
	const struct pick_result *picked = &report->pick;
	const struct slot *back_first = NULL;
	struct api_err err;

	if (model_choice_is_refused(report)) {
		model_choice_describe_refusal(&ex->model, ex->turn.native, &ex->arena, &err);
		fail(ex, &err);
		return;
	}
	if (exhausted_needs_operator(ex->turn.native, report->reasons, report->count, &err)) {
		fail(ex, &err);
		return;
	}
	if (picked->recovers_ms && report->reasons[picked->recovers_index] == PICK_EXPIRED) {
		exhausted_describe_token(picked->recovers_ms, clock_wall_ms(), &err);
		fail(ex, &err);
		return;
	}
	if (picked->recovers_ms)
		back_first = slot_table_at(ex->relay->slots, picked->recovers_index);
	if (ex->turn.native && back_first &&
		report->reasons[picked->recovers_index] == PICK_COOLDOWN &&
		rests_after_trouble(back_first))
		exhausted_describe_trouble(report->count, picked->recovers_ms, &err);
	else
		exhausted_describe(ex->turn.native, report->count, picked->recovers_ms,
			back_first ? back_first->meters.plan_type : "", clock_wall_ms(), &err);
	fail(ex, &err);
}

static void note_queued(struct exchange *ex)
{
	ex->times.queued_us += clock_mono_us() - ex->times.wait_since_us;
}

/* True: the exchange went on, to an attempt or to its end. False: all slots are busy. */
static bool try_lease(struct exchange *ex)
{
	struct lease_request request = lease_request_of(ex);
	struct lease_report report;
	int err = slot_table_lease(ex->relay->slots, &request, &ex->lease, &report);

	if (err == -EAGAIN)
		return false;
	waitq_remove(&ex->waiter);
	note_queued(ex);
	exchange_log_selection(&ex->log, &report, ex->retry.attempts + 1, ex->times.queued_us);
	if (err)
		fail_exhausted(ex, &report);
	else
		use_lease(ex);
	return true;
}

static void seek_slot(struct exchange *ex)
{
	struct api_err err;
	bool first_try = ex->retry.attempts == 0;

	ex->times.wait_since_us = clock_mono_us();
	/* New requests queue up behind those that wait; a request on its way to another slot does
	 * not. */
	if (!(first_try && waitq_count(ex->relay->waitq)) && try_lease(ex))
		return;
	if (waitq_add(ex->relay->waitq, &ex->waiter, ex->conf->queue_timeout_s * 1000)) {
		exhausted_describe_busy(0, &err);
		fail(ex, &err);
		return;
	}
	waitq_kick(ex->relay->waitq);
}

static bool on_capacity(struct waiter *w)
{
	return try_lease(CONTAINER_OF(w, struct exchange, waiter));
}

static void on_wait_timeout(struct waiter *w)
{
	struct exchange *ex = CONTAINER_OF(w, struct exchange, waiter);
	struct api_err err;

	note_queued(ex);
	exhausted_describe_busy(ex->conf->queue_timeout_s, &err);
	fail(ex, &err);
}

static void on_backoff_over(struct timer *t)
{
	struct exchange *ex = CONTAINER_OF(t, struct exchange, backoff);

	set_state(ex, WAIT_SLOT);
	seek_slot(ex);
}

/* --- the beginning --- */

static int read_body(struct exchange *ex, struct api_err *err)
{
	struct jv_error where;
	int rc = jv_parse_indexed(
		buf_sv(&ex->body), LIMIT_JSON_DEPTH, &ex->turn.request, &where, &ex->index);

	if (rc)
		return api_err_set(err, 400, "invalid_request_error", "invalid_json",
			"The request body is not valid JSON: %s at byte %zu.", where.message,
			where.offset);
	if (!jv_is(ex->turn.request, JV_OBJECT))
		return api_err_set(err, 400, "invalid_request_error", "invalid_json",
			"The request body must be a JSON object.");
	if (ex->turn.dialect->compacts && !ex->runner->compacts)
		return api_err_set(err, 400, "invalid_request_error", "unsupported",
			"The runner '%s' cannot compact a conversation.", ex->runner->name);
	return ex->turn.dialect->parse(&ex->turn, err);
}

static void on_client_drain(struct route_user *user)
{
	struct exchange *ex = CONTAINER_OF(user, struct exchange, user);

	if (ex->upstream)
		upstream_resume(ex->upstream);
}

static void on_client_gone(struct route_user *user, enum conn_end why)
{
	struct exchange *ex = CONTAINER_OF(user, struct exchange, user);

	(void)why;
	if (ex->waiter.queue)
		note_queued(ex);
	answer_drop(&ex->answer);
	cancel_attempt(ex);
	log_end_of(ex, 499, NULL);
	done(ex);
}

static const struct route_user_ops user_ops = {
	.on_drain = on_client_drain,
	.on_gone = on_client_gone,
};

static bool knows_model(void *arg, struct sv name)
{
	struct exchange *ex = arg;

	return model_choice_knows(ex->conf, ex->relay->slots, name);
}

static void exchange_init(struct exchange *ex, struct relay *relay, struct client *client,
	struct buf *body, const struct dialect *dialect)
{
	ex->relay = relay;
	ex->conf = conf_ref(relay->conf);
	ex->runner = runner_of(ex->conf);
	ex->place = (struct runner_place){
		.pool = relay->pool,
		.gateways = relay->gateways,
		.on_open = on_place_open,
	};
	ex->client = client;
	ident_uuid7(ex->id);
	ex->times.started_us = client->started_us;
	arena_init(&ex->arena, LIMIT_ARENA_BYTES);
	buf_move(body, &ex->body);
	buf_init(&ex->upstream_body, LIMIT_UPSTREAM_BODY_BYTES);
	turn_init(&ex->turn, dialect, &ex->arena);
	ex->turn.now_s = clock_wall_ms() / 1000;
	ex->turn.id = ex->id;
	ex->turn.native = codex_client_is_native(client->request);
	ex->turn.models = (struct model_catalogue){
		.default_model = sv_cstr(ex->conf->default_model), .knows = knows_model, .arg = ex};
	answer_init(&ex->answer, relay->loop, client, &ex->turn, ex->conf);
	ex->retry.max_attempts = (unsigned)ex->conf->max_attempts;
	ex->retry.budget_ms = ex->conf->retry_budget_s * 1000;
	ex->waiter.try_now = on_capacity;
	ex->waiter.on_timeout = on_wait_timeout;
	ex->reap.fn = on_reap;
	timer_init(&ex->backoff, relay->loop, on_backoff_over);
	timer_init(&ex->token_wait, relay->loop, on_token_timeout);
	ex->token.on_done = on_token;
	ex->next = relay->exchanges;
	ex->prev = &relay->exchanges;
	if (ex->next)
		ex->next->prev = &ex->next;
	relay->exchanges = ex;
	relay->exchange_count++;
	trimmer_note(&relay->trimmer, relay->exchange_count);
	ex->user = (struct route_user){.ops = &user_ops, .id = ex->id};
	client->ops->set_user(client, &ex->user);
}

static void say_offline(struct exchange *ex, struct sv text)
{
	if (answer_say(&ex->answer, text)) {
		fail_out_of_memory(ex);
		return;
	}
	keep_answer(ex);
	log_end_of(ex, 200, NULL);
	done(ex);
}

static void run(struct exchange *ex)
{
	struct relay *relay = ex->relay;
	const struct http_request *request = ex->client->request;
	struct api_err err;
	struct sv text;
	int rc = read_body(ex, &err);

	if (!rc)
		rc = recall_expand(&ex->recall, relay->continuation, router_client_token(request),
			&ex->turn, &err);
	exchange_log_start(&ex->log, relay, ex->id, ex->client, &ex->turn, ex->body.len);
	if (rc) {
		fail(ex, &err);
		return;
	}
	ex->model = model_choice_of(ex->conf, ex->turn.model);
	ex->turn.model = ex->model.name;
	if (offline_answer(&ex->turn, &text)) {
		say_offline(ex, text);
		return;
	}
	if (!model_choice_is_possible(
		    &ex->model, ex->conf, relay->slots, ex->turn.native, clock_wall_ms())) {
		model_list_not_found(ex->turn.model, &err);
		fail(ex, &err);
		return;
	}
	ex->model_hash = sv_hash(ex->turn.model, SV_HASH_SEED);
	ex->session = session_key_of(&ex->turn, request, ex->recall.session);
	exchange_log_session(&ex->log, ex->session);
	ex->turn_state = http_request_header(request, SV("x-codex-turn-state"));
	answer_wait(&ex->answer);
	set_state(ex, WAIT_SLOT);
	seek_slot(ex);
}

void exchange_start(struct relay *relay, struct http_stream *stream, const struct dialect *dialect)
{
	struct exchange *ex = mem_zalloc(sizeof(*ex));

	client_http_init(&ex->http, stream);
	exchange_init(ex, relay, &ex->http.client, http_body(stream), dialect);
	run(ex);
}

void exchange_start_for(
	struct relay *relay, struct client *client, struct buf *body, const struct dialect *dialect)
{
	struct exchange *ex = mem_zalloc(sizeof(*ex));

	exchange_init(ex, relay, client, body, dialect);
	run(ex);
}

void exchange_abort_all(struct relay *relay)
{
	struct api_err err;

	api_err_set(&err, 503, "server_error", "relay_stopping", "The relay is shutting down.");
	while (relay->exchanges) {
		struct exchange *ex = relay->exchanges;

		cancel_attempt(ex);
		fail(ex, &err);
	}
}
