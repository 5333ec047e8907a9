#include "relay/router.h"

#include "base/clock.h"
#include "base/log.h"
#include "codex/headers.h"
#include "proto/url.h"
#include "relay/codex_auth.h"
#include "relay/codex_pages.h"
#include "relay/exchange.h"
#include "relay/model_list.h"
#include "relay/relay.h"
#include "relay/reply.h"
#include "relay/response_pages.h"
#include "relay/status_pages.h"
#include "relay/upgrade.h"
#include "version.h"

#include <string.h>

static void serve_chat(struct relay *r, struct http_stream *s)
{
	exchange_start(r, s, &dialect_chat);
}

static void serve_completions(struct relay *r, struct http_stream *s)
{
	exchange_start(r, s, &dialect_completions);
}

static void serve_responses(struct relay *r, struct http_stream *s)
{
	exchange_start(r, s, &dialect_responses);
}

static void serve_compact(struct relay *r, struct http_stream *s)
{
	exchange_start(r, s, &dialect_compact);
}

static const struct route routes[] = {
	{"/v1/responses", "POST", ROLE_CLIENT, serve_responses, "Responses API, stream and not"},
	{"/v1/chat/completions", "POST", ROLE_CLIENT, serve_chat,
		"Chat Completions, stream and not"},
	{"/v1/completions", "POST", ROLE_CLIENT, serve_completions,
		"legacy Completions, stream and not"},
	{"/v1/models", "GET, HEAD", ROLE_CLIENT, model_list_serve, "models that can be asked for"},
	{"/v1/models/{id}", "GET, HEAD", ROLE_CLIENT, model_list_serve_one, "one of them"},
	{"/v1/responses", "GET, HEAD", ROLE_CLIENT, upgrade_serve, "turns over a WebSocket"},
	{"/backend-api/codex/responses", "POST", ROLE_CODEX, serve_responses,
		"a turn of a Codex client in ChatGPT mode"},
	{"/backend-api/codex/responses", "GET, HEAD", ROLE_CODEX, upgrade_serve,
		"the same over a WebSocket"},
	{"/backend-api/codex/responses/compact", "POST", ROLE_CODEX, serve_compact,
		"a conversation made short by upstream"},
	{"/backend-api/codex/models", "GET, HEAD", ROLE_CODEX, codex_models,
		"the slots' models, as upstream tells them"},
	{"/backend-api/wham/accounts/check", "GET, HEAD", ROLE_CODEX, codex_accounts_check,
		"the client's account is good"},
	{"/api/codex/accounts/check", "GET, HEAD", ROLE_CODEX, codex_accounts_check, "the same"},
	{"/backend-api/wham/usage", "GET, HEAD", ROLE_CODEX, codex_usage,
		"the limits of all slots together"},
	{"/api/codex/usage", "GET, HEAD", ROLE_CODEX, codex_usage, "the same"},
	{"/backend-api/wham/settings/user", "GET, HEAD", ROLE_CODEX, codex_settings,
		"settings of a Codex user"},
	{"/backend-api/codex/analytics-events/*", "POST", ROLE_CODEX, codex_side_call,
		"telemetry: not taken"},
	{"/backend-api/ps/*", "GET, HEAD", ROLE_CODEX, codex_side_call, "plugins: none"},
	{"/backend-api/ps/*", "POST", ROLE_CODEX, codex_side_call, "plugins: none"},
	{"/v1/responses/compact", "POST", ROLE_CLIENT, serve_compact,
		"a conversation made short by upstream"},
	{"/v1/responses/input_tokens", "POST", ROLE_CLIENT, response_count_tokens,
		"how many tokens a request has, estimated"},
	{"/v1/responses/{id}", "GET, HEAD", ROLE_CLIENT, response_get, "an answer that is kept"},
	{"/v1/responses/{id}", "DELETE", ROLE_CLIENT, response_delete, "forgets one"},
	{"/v1/responses/{id}/input_items", "GET, HEAD", ROLE_CLIENT, response_input_items,
		"the items that it answers"},
	{"/v1/responses/{id}/cancel", "POST", ROLE_CLIENT, response_cancel,
		"refused: no answer runs in the background"},
	{"/healthz", "GET, HEAD", ROLE_NONE, status_health,
		"is the relay up, and its slots in short"},
	{"/readyz", "GET, HEAD", ROLE_NONE, status_ready, "200 when a slot can serve, else 503"},
};

const struct route *router_routes(size_t index)
{
	return index < ARRAY_LEN(routes) ? &routes[index] : NULL;
}

bool router_match(const char *pattern, struct sv path, struct sv *ret_param)
{
	const char *open = strchr(pattern, '{');
	struct sv before, behind, param;

	*ret_param = SV_NONE;
	if (sv_ends(sv_cstr(pattern), SV("/*")))
		return path.n >= strlen(pattern) &&
		       sv_starts(path, sv_make(pattern, strlen(pattern) - 1));
	if (!open)
		return sv_eq(path, sv_cstr(pattern));
	before = sv_make(pattern, (size_t)(open - pattern));
	behind = sv_cstr(strchr(open, '}') + 1);
	if (path.n <= before.n + behind.n || !sv_starts(path, before) || !sv_ends(path, behind))
		return false;
	param = sv_make(path.p + before.n, path.n - before.n - behind.n);
	if (memchr(param.p, '/', param.n))
		return false;
	*ret_param = param;
	return true;
}

static bool allows(const struct route *route, struct sv method)
{
	struct sv rest = sv_cstr(route->methods);

	while (rest.n) {
		if (sv_eq(sv_trim(sv_split(&rest, ',')), method))
			return true;
	}
	return false;
}

/* A request's way through the tables. */
struct finding {
	const struct route *route; /* path and method fit */
	const struct route *same_path;
	struct buf allow; /* the methods of the path, when none fits */
};

static bool look_at(
	struct finding *f, const struct route *route, const struct http_request *request)
{
	struct sv param;

	if (!router_match(route->path, request->path, &param))
		return false;
	f->same_path = route;
	if (allows(route, request->method)) {
		f->route = route;
		return true;
	}
	buf_addf(&f->allow, "%s%s", f->allow.len ? ", " : "", route->methods);
	return false;
}

/* The relay's own rows first, and of these the ones that are asked for most. */
static void find_route(const struct relay *r, const struct http_request *request, struct finding *f)
{
	const struct route *further = r->extension ? r->extension->routes : NULL;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (look_at(f, &routes[i], request))
			return;
	}
	for (; further && further->path; further++) {
		if (look_at(f, further, request))
			return;
	}
}

/* SPEC 2 */
struct sv router_client_token(const struct http_request *request)
{
	struct sv value = http_request_header(request, SV("authorization"));

	if (sv_istarts(value, SV("bearer ")))
		return sv_trim(sv_from(value, 7));
	value = http_request_header(request, SV("x-api-key"));
	return value.n ? value : http_request_header(request, SV("api-key"));
}

/* --- answers that no exchange gives --- */

static void begin_answer(struct relay *r)
{
	r->answer_id[0] = '\0';
}

/* Made when it is needed: most requests become an exchange, which has an id of its own. */
const char *router_request_id(struct relay *r, const struct http_stream *s)
{
	const struct route_user *user = http_stream_user(s);

	if (user)
		return user->id;
	if (!r->answer_id[0])
		ident_uuid7(r->answer_id);
	return r->answer_id;
}

static void refuse_path(struct relay *r, struct http_stream *s, const struct http_request *request)
{
	struct api_err err;

	api_err_set(&err, 404, "invalid_request_error", "not_found", "Unknown path: %.*s",
		request->path.n > 256 ? 256 : (int)request->path.n, request->path.p);
	reply_error(r, s, &err, NULL);
}

static void refuse_method(struct relay *r, struct http_stream *s, struct finding *f)
{
	struct http_header allow = {SV("Allow"), sv_cstr(buf_cstr(&f->allow))};
	struct api_err err;

	api_err_set(&err, 405, "invalid_request_error", "method_not_allowed",
		"This path takes %s only.", buf_cstr(&f->allow));
	reply_error(r, s, &err, &allow);
}

static void refuse_client(struct relay *r, struct http_stream *s, const struct api_err *err)
{
	struct http_header challenge = {SV("WWW-Authenticate"), SV("Bearer")};

	reply_error(r, s, err, err->status == 401 ? &challenge : NULL);
}

/* A native client that hears 413 sends the body five more times (PROTOCOL 3). */
static bool is_too_large_for_native(const struct relay *r, const struct http_request *request)
{
	return request->content_length != UINT64_MAX &&
	       request->content_length > (uint64_t)r->conf->max_body_bytes &&
	       codex_client_is_native(request);
}

static void refuse_size(struct relay *r, struct http_stream *s)
{
	struct api_err err;

	api_err_set(&err, 400, "invalid_request_error", "payload_too_large",
		"The request body is larger than %lld bytes.", (long long)r->conf->max_body_bytes);
	reply_error(r, s, &err, NULL);
}

/* --- the HTTP server's callbacks --- */

/* A client of the relay hears that its token is right, but not for this. */
static bool refuse_token(
	const struct relay *r, const struct route *route, struct sv token, struct api_err *err)
{
	if (route->role == ROLE_ADMIN && conf_token_ok(r->conf, token))
		api_err_set(err, 403, "permission_error", "admin_token_required",
			"The admin API takes the relay's adminToken only.");
	else
		api_err_set(err, 401, "authentication_error", "invalid_api_key",
			"The relay's token is missing or wrong: send it as Authorization: Bearer.");
	return false;
}

bool router_allows(const struct relay *r, const struct route *route,
	const struct http_request *request, const char *peer, struct api_err *err)
{
	struct sv token = router_client_token(request);

	switch (route->role) {
	case ROLE_NONE:
		return true;
	case ROLE_CLIENT:
		return conf_token_ok(r->conf, token) || refuse_token(r, route, token, err);
	case ROLE_CODEX:
		return codex_auth_allows(r->conf, request, peer, clock_wall_ms(), err);
	case ROLE_ADMIN:
		return conf_admin_token_ok(r->conf, token) || refuse_token(r, route, token, err);
	}
	return false;
}

static size_t body_cap(const struct relay *r, const struct route *route)
{
	size_t cap = (size_t)r->conf->max_body_bytes;

	if (route->role == ROLE_ADMIN && cap > LIMIT_ADMIN_BODY_BYTES)
		return LIMIT_ADMIN_BODY_BYTES;
	return cap;
}

static void on_found(struct relay *r, struct http_stream *s, const struct http_request *request,
	struct finding *f)
{
	struct api_err err;

	http_stream_set_tag(s, f->route ? f->route : f->same_path);
	if (!f->same_path)
		refuse_path(r, s, request);
	else if (!f->route)
		refuse_method(r, s, f);
	else if (!router_allows(r, f->route, request, http_stream_peer(s), &err))
		refuse_client(r, s, &err);
	else if (is_too_large_for_native(r, request))
		refuse_size(r, s);
	else
		http_set_body_cap(s, body_cap(r, f->route));
}

/* Everything that can be refused is refused before the body is read. */
static void on_head(struct http_stream *s, void *arg)
{
	struct relay *r = arg;
	const struct http_request *request = http_stream_request(s);
	struct finding f = {0};

	buf_init(&f.allow, KIB(1));
	begin_answer(r);
	find_route(r, request, &f);
	on_found(r, s, request, &f);
	buf_fini(&f.allow);
}

/* False when it is no text: a bad escape, or something that no name has. */
static bool decode_param(struct relay *r, const struct route *route, struct sv path)
{
	struct sv raw;

	buf_reset(&r->param, LIMIT_PARAM_BYTES);
	if (!router_match(route->path, path, &raw))
		return false;
	/* A '+' is itself in a path; url_unescape() knows queries. */
	while (raw.n) {
		ptrdiff_t plus = sv_find(raw, SV("+"));
		struct sv part = plus < 0 ? raw : sv_make(raw.p, (size_t)plus);

		if (url_unescape(part, &r->param))
			return false;
		if (plus >= 0)
			buf_add_char(&r->param, '+');
		raw = sv_from(raw, part.n + (plus >= 0));
	}
	return !buf_error(&r->param) && http_is_field_value(buf_sv(&r->param));
}

struct sv router_param(const struct relay *r)
{
	return buf_sv(&r->param);
}

static void on_request(struct http_stream *s, void *arg)
{
	struct relay *r = arg;
	const struct route *route = http_stream_tag(s);
	const struct http_request *request = http_stream_request(s);

	begin_answer(r);
	if (strchr(route->path, '{') && !decode_param(r, route, request->path))
		refuse_path(r, s, request);
	else
		route->serve(r, s);
}

static void on_drain(struct http_stream *s, void *arg)
{
	struct route_user *user = http_stream_user(s);

	(void)arg;
	if (user && user->ops->on_drain)
		user->ops->on_drain(user);
}

static void on_gone(struct http_stream *s, void *arg, enum conn_end why)
{
	struct route_user *user = http_stream_user(s);

	(void)arg;
	if (user && user->ops->on_gone)
		user->ops->on_gone(user, why);
}

static const char *fault_code(const struct http_fault *fault)
{
	return fault->status == 413 ? "payload_too_large" : "bad_request";
}

/* See refuse_size(); here the size was not known before, or is that of the decoded body. */
static int fault_status(
	const struct http_request *request, const struct http_fault *fault, void *arg)
{
	(void)arg;
	return fault->status == 413 && request && codex_client_is_native(request) ? 400
										  : fault->status;
}

static void render_fault(const struct http_request *request, const struct http_fault *fault,
	struct buf *out, void *arg)
{
	struct api_err err;

	(void)request;
	begin_answer(arg);
	api_err_set(&err, fault->status, "invalid_request_error", fault_code(fault), "%s",
		fault->message);
	api_err_write(&err, clock_wall_ms() / 1000, out);
}

/* SDKs show x-request-id with their errors; upstream's own goes before ours where it passes. */
static void add_headers(struct http_stream *s, struct buf *out, void *arg)
{
	const struct route_user *user = http_stream_user(s);
	const char *id = router_request_id(arg, s);

	buf_add_lit(out, "X-Relay-Version: " RELAY_VERSION "\r\nX-Relay-Request-Id: ");
	buf_add_cstr(out, id);
	if (!user || !user->has_request_id) {
		buf_add_lit(out, "\r\nX-Request-Id: ");
		buf_add_cstr(out, id);
	}
	buf_add_lit(out, "\r\n");
}

static void on_fault(struct http_stream *s, const struct http_fault *fault, void *arg)
{
	int status = fault_status(http_stream_request(s), fault, arg);

	reply_count(arg, s, status, fault_code(fault), fault->message);
	log_begin(LOG_WARN, "request.refused");
	log_str("peer", sv_cstr(http_stream_peer(s)));
	log_i64("status", status);
	log_str("reason", sv_cstr(fault->message));
	log_end();
}

const struct http_handler router_http_handler = {
	.on_head = on_head,
	.on_request = on_request,
	.on_drain = on_drain,
	.on_gone = on_gone,
	.render_fault = render_fault,
	.fault_status = fault_status,
	.add_headers = add_headers,
	.on_fault = on_fault,
};
