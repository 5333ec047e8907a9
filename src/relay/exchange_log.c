#include "relay/exchange_log.h"

#include "base/clock.h"
#include "base/jw.h"
#include "base/log.h"
#include "relay/journal.h"
#include "relay/relay.h"
#include "relay/router.h"
#include "relay/stats.h"

enum { CANDIDATES_LOGGED_MAX = 64 };

void exchange_log_start(struct exchange_log *log, struct relay *relay, const char *id,
	const struct client *client, const struct turn *turn, size_t body_bytes)
{
	const struct http_request *request = client->request;
	const char *peer = client->peer;

	log->relay = relay;
	log->id = id;
	log->route = client->route;
	sv_cut(request->method, log->method, sizeof(log->method));
	log->entry = journal_begin(relay->journal, &(struct journal_request){
							   .id = id,
							   .method = request->method,
							   .path = request->path,
							   .turn = turn,
							   .body_bytes = body_bytes,
							   .peer = peer,
							   .now_ms = clock_wall_ms(),
						   });
	log_begin(LOG_INFO, "request.start");
	log_str("request_id", sv_cstr(id));
	log_str("method", request->method);
	log_str("path", request->path);
	log_str("dialect", sv_cstr(turn->dialect->name));
	log_str("model", turn->model);
	log_bool("stream", turn->stream);
	log_bool("native", turn->native);
	log_i64("body_bytes", (int64_t)body_bytes);
	log_str("peer", sv_cstr(peer));
	log_end();
}

void exchange_log_session(struct exchange_log *log, struct sv session)
{
	journal_session(log->relay->journal, log->entry, session);
}

/* {"slot-1":"lower_rank","slot-3":"cooldown"}: why every other slot was not taken. */
static void log_losers(struct slot_table *slots, const struct lease_report *report)
{
	struct buf text;
	struct jw w;

	buf_init(&text, KIB(16));
	w = jw_begin(&text);
	jw_obj(&w);
	for (size_t i = 0; i < report->count && i < CANDIDATES_LOGGED_MAX; i++) {
		if ((int)i == report->pick.chosen)
			continue;
		jw_key(&w, sv_cstr(slot_table_at(slots, i)->id));
		jw_str(&w, sv_cstr(pick_reason_name(report->reasons[i])));
	}
	jw_end(&w);
	if (!buf_error(&text))
		log_raw("others", buf_sv(&text));
	buf_fini(&text);
}

static const char *choice_reason(const struct lease_report *report)
{
	if (report->pick.chosen < 0)
		return "none_eligible";
	if (report->pick.pinned_hit)
		return "session";
	return report->moved ? "session_moved" : "policy";
}

void exchange_log_selection(struct exchange_log *log, const struct lease_report *report,
	unsigned attempt, int64_t queued_us)
{
	struct slot_table *slots = log->relay->slots;
	int chosen = report->pick.chosen;

	journal_select(log->relay->journal, log->entry, slots, report, choice_reason(report),
		queued_us, clock_wall_ms());
	log_begin(LOG_INFO, "slot.selection");
	log_str("request_id", sv_cstr(log->id));
	if (chosen >= 0)
		log_str("slot_id", sv_cstr(slot_table_at(slots, (size_t)chosen)->id));
	log_str("reason", sv_cstr(choice_reason(report)));
	log_str("policy", sv_cstr(conf_policy_name(report->policy)));
	/* What the policy compared, null when it knew nothing. */
	if (chosen >= 0)
		log_f64("score", pick_score_shown(report->scores[chosen]));
	log_i64("attempt", attempt);
	log_ms("queue_ms", queued_us);
	log_losers(slots, report);
	log_end();
}

static void log_failure(struct exchange_log *log, const char *event, const char *slot_id,
	const struct failure *f, enum retry_action action)
{
	journal_fail(log->relay->journal, log->entry, f, action, clock_wall_ms());
	log_begin(LOG_WARN, event);
	log_str("request_id", sv_cstr(log->id));
	log_str("slot_id", sv_cstr(slot_id));
	log_str("class", sv_cstr(failure_class_name(f->class)));
	log_i64("status", f->err.status);
	log_str("code", sv_cstr(f->err.code));
	log_str("message", sv_cstr(f->err.message));
	if (f->detail[0])
		log_str("detail", sv_cstr(f->detail));
	log_str("next", sv_cstr(retry_action_name(action)));
	log_end();
}

void exchange_log_attempt(struct exchange_log *log, const char *slot_id, const struct failure *f,
	enum retry_action action)
{
	log_failure(log, "attempt.failed", slot_id, f, action);
}

void exchange_log_token(struct exchange_log *log, const char *slot_id, const struct failure *f,
	enum retry_action action)
{
	log_failure(log, "token.failed", slot_id, f, action);
}

static void log_usage(const struct usage *u)
{
	if (!u->known)
		return;
	log_i64("input_tokens", u->input_tokens);
	log_i64("cached_tokens", u->cached_tokens);
	log_i64("output_tokens", u->output_tokens);
	log_i64("reasoning_tokens", u->reasoning_tokens);
	log_i64("total_tokens", u->total_tokens);
}

static void count(
	const struct exchange_log *log, const struct exchange_summary *s, int64_t total_us)
{
	stats_count(log->relay->stats,
		&(struct request_end){
			.id = log->id,
			.method = sv_cstr(log->method),
			.path = sv_cstr(log->route->path),
			.route = log->route,
			.status = s->status,
			.duration_us = total_us,
			.slot_id = s->slot_id,
			.code = s->err ? s->err->code : NULL,
			.error = s->err ? s->err->message : NULL,
		},
		clock_wall_ms());
}

static int64_t first_byte_after_us(const struct exchange_summary *s)
{
	return s->first_byte_us ? s->first_byte_us - s->times->started_us : 0;
}

static void write_line(
	const struct exchange_log *log, const struct exchange_summary *s, int64_t total_us)
{
	log_begin(LOG_INFO, "request.finish");
	log_str("request_id", sv_cstr(log->id));
	log_i64("status", s->status);
	if (s->slot_id[0])
		log_str("slot_id", sv_cstr(s->slot_id));
	log_i64("attempts", s->attempts);
	if (s->trace->transport) {
		log_str("transport", sv_cstr(s->trace->transport));
		log_bool("incremental", s->trace->incremental);
	}
	if (s->err) {
		log_str("error", sv_cstr(s->err->code));
		log_str("reason", sv_cstr(s->err->message));
	}
	log_ms("queue_ms", s->times->queued_us);
	if (s->first_byte_us)
		log_ms("first_byte_ms", first_byte_after_us(s));
	log_ms("total_ms", total_us);
	log_usage(s->usage);
	log_end();
}

void exchange_log_finish(struct exchange_log *log, const struct exchange_summary *s)
{
	int64_t total_us = clock_mono_us() - s->times->started_us;

	journal_end(log->relay->journal, log->entry,
		&(struct journal_end){
			.status = s->status,
			.slot_id = s->slot_id,
			.err = s->err,
			.total_us = total_us,
			.queued_us = s->times->queued_us,
			.first_byte_us = first_byte_after_us(s),
			.usage = s->usage,
		},
		clock_wall_ms());
	write_line(log, s, total_us);
	count(log, s, total_us);
}
