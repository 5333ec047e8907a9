#include "relay/journal.h"

#include "base/ident.h"
#include "slots/policy.h"
#include "slots/show.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MODEL_SIZE = 96,
	PATH_SIZE = 64,
	METHOD_SIZE = 16,
	PEER_SIZE = 64,
	MESSAGE_SIZE = 256,
	SESSION_SIZE = 17,
	KEEP_BYTES = 1024, /* of candidates' storage, for the next request in its place */
};

enum outcome { RUNNING, SUCCEEDED, FAILED, CANCELLED, NOT_STARTED };

static const char *const outcome_names[] = {
	[RUNNING] = "running",
	[SUCCEEDED] = "success",
	[FAILED] = "failed",
	[CANCELLED] = "cancelled",
	[NOT_STARTED] = "none_eligible",
};

/* One selection, and the attempt that followed it. */
struct attempt {
	char slot_id[LIMIT_SLOT_ID_BYTES]; /* "" none was eligible */
	const char *choice;
	enum conf_policy policy;
	int64_t began_ms, ended_ms, queued_us;
	enum outcome outcome;
	enum failure_class class;
	enum retry_action action;
	int status, upstream_status;
	char code[64], message[MESSAGE_SIZE];
	size_t candidates_at, candidates_end; /* in the entry's bytes */
	size_t candidates_left_out;
};

struct entry {
	uint64_t serial; /* 0: never used */
	bool done;
	char id[IDENT_UUID_SIZE];
	char method[METHOD_SIZE], path[PATH_SIZE], peer[PEER_SIZE], model[MODEL_SIZE];
	char session[SESSION_SIZE];
	const char *dialect;
	bool stream, native;
	size_t body_bytes;
	int64_t began_ms;
	int status;
	char slot_id[LIMIT_SLOT_ID_BYTES];
	char code[64], message[MESSAGE_SIZE];
	int64_t total_us, queued_us, first_byte_us;
	struct usage usage;
	struct attempt *attempts;
	size_t attempt_count, attempt_room;
	size_t attempts_seen;  /* the first ones are kept */
	struct buf candidates; /* packed, see pack() */
};

struct journal {
	struct entry entries[LIMIT_JOURNAL_COUNT];
	uint64_t serial;
	uint64_t seed; /* sessions are hashed: not so that anybody could compare */
};

struct journal *journal_new(void)
{
	struct journal *j = mem_zalloc(sizeof(*j));

	ident_random(&j->seed, sizeof(j->seed));
	for (size_t i = 0; i < LIMIT_JOURNAL_COUNT; i++)
		buf_init(&j->entries[i].candidates, LIMIT_JOURNAL_CANDIDATES_BYTES);
	return j;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < LIMIT_JOURNAL_COUNT; i++) {
		buf_fini(&j->entries[i].candidates);
		free(j->entries[i].attempts);
	}
	free(j);
}

static struct entry *entry_of(struct journal *j, uint64_t serial)
{
	struct entry *e = &j->entries[serial % LIMIT_JOURNAL_COUNT];

	return serial && e->serial == serial ? e : NULL;
}

/* Back to nothing, but for the storage. */
static void clear(struct entry *e)
{
	struct attempt *attempts = e->attempts;
	size_t room = e->attempt_room;
	struct buf candidates = e->candidates;

	buf_reset(&candidates, KEEP_BYTES);
	*e = (struct entry){
		.attempts = attempts,
		.attempt_room = room,
		.candidates = candidates,
	};
}

uint64_t journal_begin(struct journal *j, const struct journal_request *r)
{
	struct entry *e = &j->entries[++j->serial % LIMIT_JOURNAL_COUNT];

	clear(e);
	e->serial = j->serial;
	e->began_ms = r->now_ms;
	e->dialect = r->turn->dialect->name;
	e->stream = r->turn->stream;
	e->native = r->turn->native;
	e->body_bytes = r->body_bytes;
	sv_cut(sv_cstr(r->id), e->id, sizeof(e->id));
	sv_cut(r->method, e->method, sizeof(e->method));
	sv_cut(r->path, e->path, sizeof(e->path));
	sv_cut(r->turn->model, e->model, sizeof(e->model));
	sv_cut(sv_cstr(r->peer), e->peer, sizeof(e->peer));
	return e->serial;
}

void journal_session(struct journal *j, uint64_t serial, struct sv key)
{
	struct entry *e = entry_of(j, serial);

	if (e && key.n)
		snprintf(e->session, sizeof(e->session), "%016llx",
			(unsigned long long)sv_hash(key, j->seed));
}

/* --- candidates: reason, length of the id, score, id --- */

static void pack(
	struct entry *e, struct attempt *a, const char *id, enum pick_reason reason, float score)
{
	size_t n = strlen(id);
	unsigned char head[2] = {(unsigned char)reason, (unsigned char)n};

	if (a->candidates_left_out ||
		e->candidates.len + sizeof(head) + sizeof(score) + n > e->candidates.cap) {
		a->candidates_left_out++;
		return;
	}
	buf_add(&e->candidates, head, sizeof(head));
	buf_add(&e->candidates, &score, sizeof(score));
	buf_add(&e->candidates, id, n);
}

static json_t *score_json(float score)
{
	return isfinite(score) ? json_real(pick_score_shown(score)) : json_null();
}

static json_t *unpack(const struct entry *e, const struct attempt *a)
{
	json_t *list = json_array();
	const char *at = e->candidates.data + a->candidates_at;
	const char *end = e->candidates.data + a->candidates_end;

	while (a->candidates_end > a->candidates_at && at < end) {
		enum pick_reason reason = (enum pick_reason)(unsigned char)at[0];
		size_t n = (unsigned char)at[1];
		float score;

		memcpy(&score, at + 2, sizeof(score));
		at += 2 + sizeof(score);
		json_array_append_new(
			list, json_pack("{s:s%, s:s, s:o}", "id", at, n, "reason",
				      pick_reason_name(reason), "score", score_json(score)));
		at += n;
	}
	return list;
}

/* --- attempts --- */

static struct attempt *new_attempt(struct entry *e)
{
	e->attempts_seen++;
	if (e->attempt_count == LIMIT_JOURNAL_ATTEMPTS_COUNT)
		return NULL;
	if (e->attempt_count == e->attempt_room) {
		e->attempt_room = e->attempt_room ? e->attempt_room * 2 : 1;
		e->attempts = mem_realloc(e->attempts, e->attempt_room * sizeof(struct attempt));
	}
	e->attempts[e->attempt_count] = (struct attempt){.outcome = RUNNING};
	return &e->attempts[e->attempt_count++];
}

/* The one that runs; NULL when it was left out or none does. */
static struct attempt *running(struct entry *e)
{
	struct attempt *last = e->attempt_count ? &e->attempts[e->attempt_count - 1] : NULL;

	return last && last->outcome == RUNNING && e->attempts_seen == e->attempt_count ? last
											: NULL;
}

void journal_select(struct journal *j, uint64_t serial, struct slot_table *slots,
	const struct lease_report *report, const char *choice, int64_t queued_us, int64_t now_ms)
{
	struct entry *e = entry_of(j, serial);
	struct attempt *a = e ? new_attempt(e) : NULL;
	int chosen = report->pick.chosen;

	if (!a)
		return;
	a->choice = choice;
	a->policy = report->policy;
	a->began_ms = now_ms;
	a->queued_us = queued_us;
	if (chosen >= 0)
		sv_cut(sv_cstr(slot_table_at(slots, (size_t)chosen)->id), a->slot_id,
			sizeof(a->slot_id));
	else
		a->outcome = NOT_STARTED;
	a->candidates_at = e->candidates.len;
	for (size_t i = 0; i < report->count; i++)
		pack(e, a, slot_table_at(slots, i)->id, report->reasons[i], report->scores[i]);
	a->candidates_end = e->candidates.len;
}

/* The same slot again, without another selection. */
static void go_on(struct entry *e, int64_t now_ms)
{
	struct attempt former = e->attempts[e->attempt_count - 1];
	struct attempt *a = new_attempt(e);

	if (!a)
		return;
	memcpy(a->slot_id, former.slot_id, sizeof(a->slot_id));
	a->choice = "same_slot";
	a->policy = former.policy;
	a->began_ms = now_ms;
	a->candidates_at = a->candidates_end = e->candidates.len;
}

void journal_fail(struct journal *j, uint64_t serial, const struct failure *f,
	enum retry_action action, int64_t now_ms)
{
	struct entry *e = entry_of(j, serial);
	struct attempt *a = e ? running(e) : NULL;

	if (!a)
		return;
	a->outcome = FAILED;
	a->ended_ms = now_ms;
	a->class = f->class;
	a->action = action;
	a->status = f->err.status;
	a->upstream_status = f->upstream_status;
	sv_cut(sv_cstr(f->err.code), a->code, sizeof(a->code));
	sv_cut(sv_cstr(f->detail[0] ? f->detail : f->err.message), a->message, sizeof(a->message));
	if (action == RETRY_SAME_REFRESHED)
		go_on(e, now_ms);
}

void journal_end(struct journal *j, uint64_t serial, const struct journal_end *end, int64_t now_ms)
{
	struct entry *e = entry_of(j, serial);
	struct attempt *a;

	if (!e)
		return;
	e->done = true;
	e->status = end->status;
	e->total_us = end->total_us;
	e->queued_us = end->queued_us;
	e->first_byte_us = end->first_byte_us;
	e->usage = *end->usage;
	sv_cut(sv_cstr(end->slot_id), e->slot_id, sizeof(e->slot_id));
	if (end->err) {
		sv_cut(sv_cstr(end->err->code), e->code, sizeof(e->code));
		sv_cut(sv_cstr(end->err->message), e->message, sizeof(e->message));
	}
	a = running(e);
	if (!a)
		return;
	a->ended_ms = now_ms;
	a->outcome = end->status < 400 ? SUCCEEDED : CANCELLED;
}

/* --- shown --- */

static json_t *error_json(const char *code, const char *message)
{
	if (!*code && !*message)
		return json_null();
	return json_pack("{s:o, s:o}", "code", show_text(code), "message", show_text(message));
}

static json_t *tokens_json(const struct usage *u)
{
	if (!u->known)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "input", (json_int_t)u->input_tokens,
		"cached", (json_int_t)u->cached_tokens, "output", (json_int_t)u->output_tokens,
		"reasoning", (json_int_t)u->reasoning_tokens, "total", (json_int_t)u->total_tokens);
}

static json_t *selection_json(const struct entry *e, const struct attempt *a)
{
	return json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:I}", "slotId", show_text(a->slot_id),
		"choice", a->choice, "policy", conf_policy_name(a->policy), "scoreUnit",
		policy_get(a->policy)->unit, "queueMs", show_ms(a->queued_us), "candidates",
		unpack(e, a), "candidatesLeftOut", (json_int_t)a->candidates_left_out);
}

static json_t *attempt_json(const struct entry *e, size_t index)
{
	const struct attempt *a = &e->attempts[index];
	bool failed = a->outcome == FAILED;
	json_t *shown = json_object();

	json_object_set_new(shown, "number", json_integer((json_int_t)index + 1));
	json_object_set_new(shown, "time", show_time(a->began_ms));
	json_object_set_new(shown, "selection", selection_json(e, a));
	json_object_set_new(shown, "outcome", json_string(outcome_names[a->outcome]));
	json_object_set_new(shown, "durationMs",
		a->ended_ms ? json_integer(a->ended_ms - a->began_ms) : json_null());
	json_object_set_new(
		shown, "class", failed ? json_string(failure_class_name(a->class)) : json_null());
	json_object_set_new(shown, "status", failed ? json_integer(a->status) : json_null());
	json_object_set_new(shown, "upstreamStatus",
		a->upstream_status ? json_integer(a->upstream_status) : json_null());
	json_object_set_new(shown, "error", error_json(a->code, a->message));
	json_object_set_new(shown, "retryAction",
		failed ? json_string(retry_action_name(a->action)) : json_null());
	return shown;
}

static json_t *entry_json(const struct entry *e)
{
	json_t *shown = json_object();

	json_object_set_new(shown, "requestId", show_text(e->id));
	json_object_set_new(shown, "time", show_time(e->began_ms));
	json_object_set_new(shown, "state", json_string(e->done ? "done" : "running"));
	json_object_set_new(shown, "method", show_text(e->method));
	json_object_set_new(shown, "path", show_text(e->path));
	json_object_set_new(shown, "dialect", json_string(e->dialect));
	json_object_set_new(shown, "model", show_text(e->model));
	json_object_set_new(shown, "stream", json_boolean(e->stream));
	json_object_set_new(shown, "native", json_boolean(e->native));
	json_object_set_new(shown, "sessionHash", show_text(e->session));
	json_object_set_new(shown, "peer", show_text(e->peer));
	json_object_set_new(shown, "bodyBytes", json_integer((json_int_t)e->body_bytes));
	json_object_set_new(shown, "status", e->done ? json_integer(e->status) : json_null());
	json_object_set_new(shown, "slotId", show_text(e->slot_id));
	json_object_set_new(shown, "error", error_json(e->code, e->message));
	json_object_set_new(shown, "durationMs", e->done ? show_ms(e->total_us) : json_null());
	json_object_set_new(
		shown, "firstByteMs", e->first_byte_us ? show_ms(e->first_byte_us) : json_null());
	json_object_set_new(shown, "queueMs", show_ms(e->queued_us));
	json_object_set_new(shown, "tokens", tokens_json(&e->usage));
	json_object_set_new(shown, "attemptCount", json_integer((json_int_t)e->attempts_seen));
	return shown;
}

json_t *journal_show(const struct journal *j, struct sv id)
{
	for (size_t i = 0; i < LIMIT_JOURNAL_COUNT; i++) {
		const struct entry *e = &j->entries[i];
		json_t *shown, *attempts;

		if (!e->serial || !sv_eq(id, sv_cstr(e->id)))
			continue;
		shown = entry_json(e);
		attempts = json_array();
		for (size_t k = 0; k < e->attempt_count; k++)
			json_array_append_new(attempts, attempt_json(e, k));
		json_object_set_new(shown, "attempts", attempts);
		return shown;
	}
	return NULL;
}

json_t *journal_list(const struct journal *j)
{
	json_t *list = json_array();

	for (uint64_t back = 0; back < LIMIT_JOURNAL_COUNT && back < j->serial; back++)
		json_array_append_new(
			list, entry_json(&j->entries[(j->serial - back) % LIMIT_JOURNAL_COUNT]));
	return list;
}
