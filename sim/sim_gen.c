#include "sim/sim_gen.h"

#include "base/jw.h"
#include "base/limits.h"
#include "sim/sim_accounts.h"
#include "sim/sim_gen_items.h"
#include "sim/sim_models.h"
#include "sim/sim_script.h"

enum { BYTES_PER_TOKEN = 4 };

/* Echoing tools and instructions back, as upstream does, ends here: three events carry them. */
#define ECHO_BYTES KIB(64)

static void add_echo(struct buf *b, const char *key, struct jv v, const char *otherwise)
{
	size_t from;

	buf_addf(b, ",\"%s\":", key);
	from = b->len;
	if (jv_exists(v) && v.n <= ECHO_BYTES)
		buf_add_sv(b, jv_raw(v));
	else
		buf_add_cstr(b, otherwise);
	/* Line ends between tokens would end the event's data line. */
	for (; from < b->len; from++) {
		if (b->data[from] == '\n' || b->data[from] == '\r')
			b->data[from] = ' ';
	}
}

static bool keep(struct sim_gen *g, struct buf *b, struct sv *ret)
{
	*ret = arena_dup(&g->t->arena, buf_sv(b));
	return ret->p && !buf_error(b);
}

static bool make_response_parts(struct sim_gen *g)
{
	const struct jv *p = g->t->request->param;
	struct buf b;
	bool ok;

	buf_init(&b, KIB(512));
	add_echo(&b, "instructions", p[SIM_P_INSTRUCTIONS], "null");
	buf_add_lit(&b, ",\"max_output_tokens\":null,\"max_tool_calls\":null,\"model\":");
	buf_add_sv(&b, jv_raw(p[SIM_P_MODEL]));
	ok = keep(g, &b, &g->middle);
	buf_reset(&b, KIB(512));
	add_echo(&b, "parallel_tool_calls", p[SIM_P_PARALLEL], "true");
	buf_add_lit(&b, ",\"previous_response_id\":null");
	add_echo(&b, "prompt_cache_key", p[SIM_P_CACHE_KEY], "null");
	add_echo(&b, "reasoning", p[SIM_P_REASONING], "{\"effort\":\"medium\",\"summary\":null}");
	buf_add_lit(&b, ",\"safety_identifier\":null");
	add_echo(&b, "service_tier", p[SIM_P_SERVICE_TIER], "\"default\"");
	buf_add_lit(&b, ",\"store\":false,\"temperature\":1.0");
	add_echo(&b, "text", p[SIM_P_TEXT],
		"{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"}");
	add_echo(&b, "tool_choice", p[SIM_P_TOOL_CHOICE], "\"auto\"");
	add_echo(&b, "tools", p[SIM_P_TOOLS], "[]");
	buf_add_lit(&b, ",\"top_logprobs\":0,\"top_p\":1.0,\"truncation\":\"disabled\",\"usage\":");
	ok = ok && keep(g, &b, &g->tail);
	buf_fini(&b);
	return ok;
}

static int64_t tokens(size_t bytes)
{
	return (int64_t)(bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
}

static bool make_usage(struct sim_gen *g)
{
	const struct sim_request *q = g->t->request;
	int64_t input = tokens(q->prompt_bytes);
	int64_t cached = (int64_t)q->cached_bytes / BYTES_PER_TOKEN;
	int64_t reasoning = tokens(g->plan->reasoning_bytes);
	int64_t output = tokens(g->plan->output_bytes);
	struct buf b;
	bool ok;

	if (g->script && g->script->usage.len) {
		g->usage = buf_sv(&g->script->usage);
		return true;
	}
	buf_init(&b, KIB(1));
	buf_add_lit(&b, "{\"input_tokens\":");
	buf_add_i64(&b, input);
	buf_add_lit(&b, ",\"input_tokens_details\":{\"cached_tokens\":");
	buf_add_i64(&b, cached);
	buf_add_lit(&b, "},\"output_tokens\":");
	buf_add_i64(&b, output);
	buf_add_lit(&b, ",\"output_tokens_details\":{\"reasoning_tokens\":");
	buf_add_i64(&b, reasoning);
	buf_add_lit(&b, "},\"total_tokens\":");
	buf_add_i64(&b, input + output);
	buf_add_char(&b, '}');
	ok = keep(g, &b, &g->usage);
	buf_fini(&b);
	sim_account_drain(g->t->account, input + output);
	return ok;
}

static bool make_failure(struct sim_gen *g)
{
	struct buf b;
	bool ok;

	g->fail_at = -1;
	if (g->script && g->script->fail_after_events >= 0) {
		g->fail_at = g->script->fail_after_events;
		g->failure = buf_sv(&g->script->failure);
	}
	if (!g->plan->failure.n)
		return true;
	g->fail_at = 2;
	buf_init(&b, KIB(4));
	buf_addf(&b, "{\"code\":\"%.*s\",\"message\":\"The simulator was told to fail.\"}",
		SV_ARG(g->plan->failure));
	ok = keep(g, &b, &g->failure);
	buf_fini(&b);
	return ok;
}

bool sim_gen_init(struct sim_gen *g, struct sim_txn *t, const struct sim_plan *plan)
{
	memset(g, 0, sizeof(*g));
	g->t = t;
	g->plan = plan;
	g->script = t->script;
	if (g->script && g->script->event_count)
		return true;
	g->created_s = sim_now_s(t->sim);
	g->output_in_terminal = t->sim->settings.output_in_terminal;
	if (g->script && g->script->output_in_terminal >= 0)
		g->output_in_terminal = g->script->output_in_terminal;
	g->private_events = t->socket || (g->script && g->script->private_events);
	sim_ids_make(t->sim, "resp_", g->response_id);
	return make_response_parts(g) && make_usage(g) && make_failure(g);
}

static void add_outputs(struct sim_gen *g, bool all, struct buf *out)
{
	buf_add_lit(out, ",\"output\":[");
	for (size_t i = 0; all && i < g->plan->item_count; i++) {
		if (i)
			buf_add_char(out, ',');
		sim_gen_item(&g->plan->items[i], true, out);
	}
	buf_add_char(out, ']');
}

/* The response object; error and incomplete are JSON, output says whether items go in. */
static void add_response(struct sim_gen *g, struct sv status, struct sv error, bool output,
	struct sv usage, struct buf *out)
{
	buf_add_lit(out, "{\"id\":\"");
	buf_add_cstr(out, g->response_id);
	buf_add_lit(out, "\",\"object\":\"response\",\"created_at\":");
	buf_add_i64(out, g->created_s);
	buf_add_lit(out, ",\"status\":\"");
	buf_add_sv(out, status);
	buf_add_lit(out, "\",\"background\":false,\"error\":");
	buf_add_sv(out, error);
	buf_add_lit(out, ",\"incomplete_details\":");
	if (sv_eq(status, SV("incomplete")))
		buf_add_lit(out, "{\"reason\":\"max_output_tokens\"}");
	else
		buf_add_lit(out, "null");
	buf_add_sv(out, g->middle);
	add_outputs(g, output, out);
	buf_add_sv(out, g->tail);
	buf_add_sv(out, usage);
	buf_add_lit(out, ",\"user\":null,\"metadata\":{}}");
}

void sim_gen_response(struct sim_gen *g, struct buf *out)
{
	add_response(g, SV("completed"), SV("null"), true, g->usage, out);
}

static void add_head(struct sim_gen *g, const char *type, struct buf *out)
{
	buf_add_lit(out, "event: ");
	buf_add_cstr(out, type);
	buf_add_lit(out, "\ndata: {\"type\":\"");
	buf_add_cstr(out, type);
	buf_add_lit(out, "\",\"sequence_number\":");
	buf_add_u64(out, g->sequence++);
}

static void add_response_event(
	struct sim_gen *g, const char *type, struct sv status, struct sv error, struct buf *out)
{
	bool ends = g->phase == SIM_GEN_DONE;

	add_head(g, type, out);
	buf_add_lit(out, ",\"response\":");
	add_response(
		g, status, error, ends && g->output_in_terminal, ends ? g->usage : SV("null"), out);
	buf_add_lit(out, "}\n\n");
}

static void add_failure(struct sim_gen *g, struct buf *out)
{
	enum sim_failure_form form = g->script ? g->script->failure_form : SIM_FORM_FAILED;
	struct sv inside = sv_make(g->failure.p + 1, g->failure.n - 2);

	g->phase = SIM_GEN_DONE;
	if (form == SIM_FORM_FAILED) {
		g->output_in_terminal = false;
		g->usage = SV("null");
		add_response_event(g, "response.failed", SV("failed"), g->failure, out);
		return;
	}
	add_head(g, "error", out);
	if (form == SIM_FORM_ERROR) {
		buf_add_lit(out, ",\"error\":");
		buf_add_sv(out, g->failure);
	} else {
		buf_add_char(out, ',');
		buf_add_sv(out, inside);
	}
	buf_add_lit(out, "}\n\n");
}

static void add_metadata(const struct sim_account *a, struct buf *out)
{
	char etag[SIM_MODELS_ETAG_SIZE];
	struct jw w;

	sim_models_etag(a, etag);
	buf_add_lit(out, "event: codex.response.metadata\ndata: ");
	w = jw_begin(out);
	jw_obj(&w);
	jw_klit(&w, "type", "codex.response.metadata");
	jw_kobj(&w, "headers");
	jw_kstr(&w, "x-models-etag", sv_cstr(etag));
	jw_end(&w);
	jw_end(&w);
	buf_add_lit(out, "\n\n");
}

/* Events that only native clients may see. They carry no sequence number. */
static void add_private(struct sim_gen *g, struct buf *out)
{
	const struct sim_account *a = g->t->account;

	if (g->private_due == 1) {
		buf_addf(out,
			"event: codex.rate_limits\ndata: "
			"{\"type\":\"codex.rate_limits\",\"plan_type\":"
			"\"%s\",\"rate_limits\":{\"allowed\":true,\"limit_reached\":false,"
			"\"primary\":{"
			"\"used_percent\":%.2f,\"window_minutes\":%lld,\"reset_at\":%lld}",
			a->plan, a->primary.used_percent, (long long)a->primary.length_s / 60,
			(long long)a->primary.reset_at_s);
		if (a->secondary.present)
			buf_addf(out,
				",\"secondary\":{\"used_percent\":%.2f,\"window_minutes\":%lld,"
				"\"reset_at\":%lld}",
				a->secondary.used_percent, (long long)a->secondary.length_s / 60,
				(long long)a->secondary.reset_at_s);
		buf_addf(out,
			"},\"credits\":{\"has_credits\":%s,\"unlimited\":%s,\"balance\":null}}\n\n",
			a->credits ? "true" : "false", a->credits_unlimited ? "true" : "false");
	} else if (g->private_due == 2) {
		add_metadata(a, out);
	} else {
		buf_add_lit(out, "event: keepalive\ndata: {\"type\":\"keepalive\"}\n\n");
	}
	g->private_due = 0;
}

static void add_terminal(struct sim_gen *g, struct buf *out)
{
	g->phase = SIM_GEN_DONE;
	if (g->plan->incomplete)
		add_response_event(g, "response.incomplete", SV("incomplete"), SV("null"), out);
	else
		add_response_event(g, "response.completed", SV("completed"), SV("null"), out);
}

static bool next_planned(struct sim_gen *g, struct buf *out)
{
	switch (g->phase) {
	case SIM_GEN_CREATED:
		add_response_event(g, "response.created", SV("in_progress"), SV("null"), out);
		g->private_due = 1;
		g->phase = SIM_GEN_PROGRESS;
		return true;
	case SIM_GEN_PROGRESS:
		add_response_event(g, "response.in_progress", SV("in_progress"), SV("null"), out);
		g->private_due = 2;
		g->phase = SIM_GEN_ITEMS;
		return true;
	case SIM_GEN_ITEMS:
		if (g->item < g->plan->item_count) {
			sim_gen_item_event(g, out);
			return true;
		}
		if (g->script && g->script->no_terminal)
			return false;
		add_terminal(g, out);
		return true;
	case SIM_GEN_DONE:
		break;
	}
	return false;
}

bool sim_gen_next(struct sim_gen *g, struct buf *out)
{
	if (g->script && g->script->event_count) {
		if (g->events >= g->script->event_count)
			return false;
		buf_add_sv(out, buf_sv(&g->script->events[g->events++]));
		return true;
	}
	if (g->phase == SIM_GEN_DONE)
		return false;
	if (g->private_events && g->private_due) {
		add_private(g, out);
	} else if (g->fail_at >= 0 && g->events == (size_t)g->fail_at) {
		add_failure(g, out);
	} else if (!next_planned(g, out)) {
		/* A failure was asked for behind the last event: it comes now. */
		return false;
	}
	g->events++;
	return true;
}
