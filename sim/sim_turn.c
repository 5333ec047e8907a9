#include "sim/sim_turn.h"

#include "base/limits.h"
#include "proto/ws_handshake.h"
#include "sim/sim_accounts.h"
#include "sim/sim_check.h"
#include "sim/sim_gate.h"
#include "sim/sim_script.h"
#include "sim/sim_socket.h"
#include "sim/sim_stream.h"

#define WS_BETA "responses_websockets=2026-02-06"

/* Without items: events of a script need none, and warm-ups have none. */
static const struct sim_plan NO_PLAN = {.pace_ms = -1};

static void use_cache(struct sim_txn *t)
{
	struct sim_request *q = t->request;
	struct sv key = jv_str_raw(q->param[SIM_P_CACHE_KEY]);
	struct sv input = jv_raw(q->param[SIM_P_INPUT]);
	struct sv parts[] = {jv_raw(q->param[SIM_P_TOOLS]), jv_raw(q->param[SIM_P_INSTRUCTIONS]),
		sv_make(input.p, input.n - 1)}; /* without the closing bracket */

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		q->prompt_bytes += parts[i].n;
	if (key.n)
		q->cached_bytes = sim_cache_use(t->account->cache, key, parts, ARRAY_LEN(parts));
}

static struct sim_plan *make_plan(struct sim_txn *t)
{
	const struct sim_script *s = t->script;
	struct sim_plan *plan = arena_alloc(&t->arena, sizeof(*plan));

	if (plan && sim_model_plan(t, s ? s->directive : NULL, s ? s->huge_event_bytes : 0, plan))
		return plan;
	sim_txn_detail(t, 500, "out of memory");
	return NULL;
}

static void answer_turn(struct sim_txn *t)
{
	struct sim_plan *plan;

	if (!t->script && !sim_gate_pass_limits(t))
		return;
	if (t->script && t->script->event_count) {
		sim_stream_start(t, &NO_PLAN);
		return;
	}
	if (!t->request) {
		sim_txn_detail(t, 500, "skip_checks needs a status or events");
		return;
	}
	if (t->request->minimal_effort) {
		sim_stream_hang(t);
		return;
	}
	use_cache(t);
	plan = make_plan(t);
	if (plan)
		sim_stream_start(t, plan);
}

static void answer_compact(struct sim_txn *t)
{
	struct sim_plan *plan;
	struct sim_gen *gen;
	struct buf out;

	if (!t->script && !sim_gate_pass_limits(t))
		return;
	use_cache(t);
	t->request->wants_compaction = true;
	plan = make_plan(t);
	if (!plan)
		return;
	gen = arena_alloc(&t->arena, sizeof(*gen));
	if (!gen || !sim_gen_init(gen, t, plan)) {
		sim_txn_detail(t, 500, "out of memory");
		return;
	}
	buf_init(&out, MIB(1));
	sim_gen_response(gen, &out);
	sim_txn_json(t, 200, buf_sv(&out));
	buf_fini(&out);
}

/* False: refused and answered. */
static bool check(struct sim_txn *t, bool compact)
{
	struct sim_refusal r;
	bool ok;

	sim_refusal_init(&r);
	ok = sim_check_head(t, !compact, &r) && sim_check_body(t, compact, &r);
	if (!ok) {
		t->sim->stats.refused++;
		sim_txn_json(t, r.status, buf_sv(&r.body));
	}
	sim_refusal_fini(&r);
	return ok;
}

static void handle(struct sim_txn *t, bool compact, void (*answer)(struct sim_txn *t))
{
	t->sim->stats.responses++;
	t->limits = true;
	if (!sim_gate_pass(t))
		return;
	t->script = sim_script_take(t->sim, t->account, t->head->path, sim_txn_body(t));
	if (!(t->script && t->script->skip_checks) && !check(t, compact))
		return;
	sim_txn_run_script(t, answer);
}

void sim_turn_handle(struct sim_txn *t)
{
	handle(t, false, answer_turn);
}

void sim_turn_compact(struct sim_txn *t)
{
	handle(t, true, answer_compact);
}

/* --- on a socket --- */

/* A warm-up: the beginning and the end of an answer. */
static void answer_warmup(struct sim_txn *t)
{
	if (!t->script && !sim_gate_pass_limits(t))
		return;
	use_cache(t);
	sim_stream_start(t, &NO_PLAN);
}

void sim_turn_message(struct sim_txn *t, bool warmup)
{
	t->sim->stats.responses++;
	if (!sim_gate_pass(t))
		return;
	t->script = sim_script_take(t->sim, t->account, t->head->path, sim_txn_body(t));
	if (!(t->script && t->script->skip_checks) && !check(t, false))
		return;
	sim_txn_run_script(t, warmup ? answer_warmup : answer_turn);
}

static void accept_upgrade(struct sim_txn *t)
{
	char accept[WS_ACCEPT_SIZE];
	struct http_fault fault;
	struct sim_refusal r;

	if (ws_check_request(t->head, accept, &fault)) {
		sim_txn_detail(t, fault.status, fault.message);
		return;
	}
	sim_refusal_init(&r);
	if (sv_find(sim_txn_header(t, SV("openai-beta")), SV(WS_BETA)) < 0)
		sim_refuse_detail(&r, 400, "Missing header openai-beta: " WS_BETA);
	else if (!sv_trim(sim_txn_header(t, SV("originator"))).n)
		sim_refuse_detail(&r, 400, "Missing originator header");
	if (r.status)
		sim_txn_json(t, r.status, buf_sv(&r.body));
	else
		sim_socket_open(t, accept);
	sim_refusal_fini(&r);
}

void sim_turn_upgrade(struct sim_txn *t)
{
	if (!ws_is_upgrade(t->head)) {
		sim_txn_respond_with(t, 405, SV("application/json"),
			SV("{\"detail\":\"Method Not Allowed\"}"),
			(struct http_header){SV("allow"), SV("POST")});
		return;
	}
	t->limits = true;
	if (!sim_gate_pass(t))
		return;
	if (!t->sim->settings.websockets) {
		sim_txn_respond_with(t, 426, SV("application/json"),
			SV("{\"detail\":\"Upgrade Required\"}"),
			(struct http_header){SV("upgrade"), SV("HTTP/1.1")});
		return;
	}
	t->script = sim_script_take_upgrade(t->sim, t->account, t->head->path);
	sim_txn_run_script(t, accept_upgrade);
}
