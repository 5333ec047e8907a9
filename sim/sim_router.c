#include "sim/sim_router.h"

#include "base/jw.h"
#include "sim/sim_accounts.h"
#include "sim/sim_auth.h"
#include "sim/sim_control.h"
#include "sim/sim_gate.h"
#include "sim/sim_models.h"
#include "sim/sim_script.h"
#include "sim/sim_stream.h"
#include "sim/sim_turn.h"
#include "sim/sim_usage.h"
#include "sim/sim_wait.h"

enum access { OPEN, ACCOUNT, OWN };

struct route {
	struct sv method;
	struct sv path;
	enum access
		access; /* OPEN: anybody; ACCOUNT: gate and scripts here; OWN: the handler does */
	bool limits;	/* codex endpoint: x-codex-* headers on every answer */
	void (*handle)(struct sim_txn *t);
};

#define ROUTE(method, path, access, limits, fn)                                            \
	{                                                                                  \
		{method, sizeof(method) - 1}, {path, sizeof(path) - 1}, access, limits, fn \
	}
static const struct route ROUTES[] = {
	ROUTE("POST", "/backend-api/codex/responses", OWN, true, sim_turn_handle),
	ROUTE("GET", "/backend-api/codex/responses", OWN, true, sim_turn_upgrade),
	ROUTE("POST", "/backend-api/codex/responses/compact", OWN, true, sim_turn_compact),
	ROUTE("GET", "/backend-api/codex/models", ACCOUNT, true, sim_models_handle),
	ROUTE("GET", "/backend-api/wham/usage", ACCOUNT, false, sim_usage_handle),
	ROUTE("GET", "/backend-api/wham/rate-limit-reset-credits", ACCOUNT, false,
		sim_usage_credits),
	ROUTE("POST", "/backend-api/wham/rate-limit-reset-credits/consume", ACCOUNT, false,
		sim_usage_consume_credit),
	ROUTE("GET", "/backend-api/wham/accounts/check", ACCOUNT, false, sim_usage_accounts_check),
	ROUTE("GET", "/backend-api/wham/settings/user", ACCOUNT, false, sim_usage_settings),
	ROUTE("POST", "/backend-api/codex/analytics-events/events", OPEN, false,
		sim_usage_analytics),
	ROUTE("GET", "/oauth/authorize", OPEN, false, sim_auth_authorize),
	ROUTE("POST", "/oauth/token", OPEN, false, sim_auth_token),
	ROUTE("POST", "/oauth/revoke", OPEN, false, sim_auth_revoke),
	ROUTE("POST", "/api/accounts/deviceauth/usercode", OPEN, false, sim_auth_usercode),
	ROUTE("POST", "/api/accounts/deviceauth/token", OPEN, false, sim_auth_device_token),
	ROUTE("GET", "/codex/device", OPEN, false, sim_auth_device_page),
};

static const struct route *find_route(const struct http_request *r, const char **ret_allow)
{
	*ret_allow = NULL;
	for (size_t i = 0; i < ARRAY_LEN(ROUTES); i++) {
		if (!sv_eq(ROUTES[i].path, r->path))
			continue;
		if (sv_eq(ROUTES[i].method, r->method))
			return &ROUTES[i];
		*ret_allow = ROUTES[i].method.p;
	}
	return NULL;
}

static void dispatch(struct sim_txn *t)
{
	const char *allow;
	const struct route *route = find_route(t->head, &allow);

	if (!route && allow) {
		sim_txn_respond_with(t, 405, SV("application/json"),
			SV("{\"detail\":\"Method Not Allowed\"}"),
			(struct http_header){SV("allow"), sv_cstr(allow)});
		return;
	}
	if (!route) {
		sim_txn_detail(t, 404, "Not Found");
		return;
	}
	t->limits = route->limits;
	if (route->access != ACCOUNT) {
		route->handle(t);
		return;
	}
	if (!sim_gate_pass(t))
		return;
	t->script = sim_script_take(t->sim, t->account, t->head->path, sim_txn_body(t));
	sim_txn_run_script(t, route->handle);
}

static bool is_control(const struct http_request *r)
{
	return sv_starts(r->path, SV("/_sim/")) || sv_eq(r->path, SV("/_sim"));
}

static void on_request(struct http_stream *stream, void *arg)
{
	struct sim *sim = arg;

	if (is_control(http_stream_request(stream)))
		sim_control_handle(sim, stream);
	else
		dispatch(sim_txn_new(sim, stream));
}

static void on_drain(struct http_stream *stream, void *arg)
{
	struct sim_txn *t = http_stream_user(stream);

	(void)arg;
	if (t)
		sim_stream_on_drain(t);
}

static void on_gone(struct http_stream *stream, void *arg, enum conn_end why)
{
	struct sim_txn *t = http_stream_user(stream);

	(void)why;
	if (t)
		sim_txn_gone(t);
	else
		sim_wait_gone(arg, stream);
}

static void render_fault(
	const struct http_request *r, const struct http_fault *fault, struct buf *out, void *arg)
{
	struct jw w = jw_begin(out);

	(void)r;
	(void)arg;
	jw_obj(&w);
	jw_kstr(&w, "detail", sv_cstr(fault->message));
	jw_end(&w);
}

/* On faults there is no transaction: the account is known by the head, if that came. */
static struct sim_account *account_of(struct sim *sim, struct http_stream *stream)
{
	const struct sim_txn *t = http_stream_user(stream);
	const struct http_request *r = http_stream_request(stream);

	if (t)
		return t->limits ? t->account : NULL;
	if (!r || !sv_starts(r->path, SV("/backend-api/codex/")))
		return NULL;
	return sim_gate_account(sim, r);
}

static void add_headers(struct http_stream *stream, struct buf *out, void *arg)
{
	const struct sim_txn *t = http_stream_user(stream);
	struct sim_account *a = account_of(arg, stream);

	if (t) {
		buf_add_lit(out, "x-request-id: ");
		buf_add_cstr(out, t->request_id);
		buf_add_lit(out, "\r\n");
	}
	if (a)
		buf_add_sv(out, sim_account_headers(a));
}

static void on_fault(struct http_stream *stream, const struct http_fault *fault, void *arg)
{
	struct sim *sim = arg;

	(void)stream;
	(void)fault;
	sim->stats.faults++;
}

static const struct http_handler HANDLER = {
	.on_request = on_request,
	.on_drain = on_drain,
	.on_gone = on_gone,
	.render_fault = render_fault,
	.add_headers = add_headers,
	.on_fault = on_fault,
};

const struct http_handler *sim_router_handler(void)
{
	return &HANDLER;
}
