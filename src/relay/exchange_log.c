#include "relay/exchange_log.h"

#include "base/clock.h"
#include "base/jw.h"
#include "base/log.h"

enum { CANDIDATES_LOGGED_MAX = 64 };

void exchange_log_start(const char *id, const struct http_request *request, const struct turn *turn,
	size_t body_bytes, const char *peer)
{
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

/* What the policy compared, null when it knew nothing. */
static void log_score(float score)
{
	struct buf text;
	struct jw w;

	buf_init(&text, 64);
	w = jw_begin(&text);
	jw_f64(&w, pick_score_shown(score));
	log_raw("score", buf_sv(&text));
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

void exchange_log_selection(const char *id, struct slot_table *slots,
	const struct lease_report *report, unsigned attempt, int64_t queued_us)
{
	int chosen = report->pick.chosen;

	log_begin(LOG_INFO, "slot.selection");
	log_str("request_id", sv_cstr(id));
	if (chosen >= 0)
		log_str("slot_id", sv_cstr(slot_table_at(slots, (size_t)chosen)->id));
	log_str("reason", sv_cstr(choice_reason(report)));
	log_str("policy", sv_cstr(conf_policy_name(report->policy)));
	if (chosen >= 0)
		log_score(report->scores[chosen]);
	log_i64("attempt", attempt);
	log_ms("queue_ms", queued_us);
	log_losers(slots, report);
	log_end();
}

static void log_failure(const char *event, const char *id, const char *slot_id,
	const struct failure *f, enum retry_action action)
{
	log_begin(LOG_WARN, event);
	log_str("request_id", sv_cstr(id));
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

void exchange_log_attempt(
	const char *id, const char *slot_id, const struct failure *f, enum retry_action action)
{
	log_failure("attempt.failed", id, slot_id, f, action);
}

void exchange_log_token(
	const char *id, const char *slot_id, const struct failure *f, enum retry_action action)
{
	log_failure("token.failed", id, slot_id, f, action);
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

void exchange_log_finish(const struct exchange_summary *s)
{
	log_begin(LOG_INFO, "request.finish");
	log_str("request_id", sv_cstr(s->id));
	log_i64("status", s->status);
	if (s->slot_id[0])
		log_str("slot_id", sv_cstr(s->slot_id));
	log_i64("attempts", s->attempts);
	if (s->err) {
		log_str("error", sv_cstr(s->err->code));
		log_str("reason", sv_cstr(s->err->message));
	}
	log_ms("queue_ms", s->times->queued_us);
	if (s->first_byte_us)
		log_ms("first_byte_ms", s->first_byte_us - s->times->started_us);
	log_ms("total_ms", clock_mono_us() - s->times->started_us);
	log_usage(s->usage);
	log_end();
}
