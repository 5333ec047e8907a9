#include "relay/router.h"

#include "base/clock.h"
#include "base/log.h"
#include "codex/headers.h"
#include "relay/exchange.h"
#include "relay/relay.h"
#include "relay/status_pages.h"
#include "version.h"

#include <stdio.h>

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

static const struct route routes[] = {
	{"/v1/responses", "POST", ROLE_CLIENT, serve_responses, "Responses API, stream and not"},
	{"/v1/chat/completions", "POST", ROLE_CLIENT, serve_chat,
		"Chat Completions, stream and not"},
	{"/v1/completions", "POST", ROLE_CLIENT, serve_completions,
		"legacy Completions, stream and not"},
	{"/v1/models", "GET, HEAD", ROLE_CLIENT, status_models, "models that can be asked for"},
	{"/healthz", "GET, HEAD", ROLE_NONE, status_health,
		"is the relay up, and its slots in short"},
	{"/readyz", "GET, HEAD", ROLE_NONE, status_ready, "200 when a slot can serve, else 503"},
};

const struct route *router_routes(size_t index)
{
	return index < ARRAY_LEN(routes) ? &routes[index] : NULL;
}

static const struct route *find_route(struct sv path)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (sv_eq(path, sv_cstr(routes[i].path)))
			return &routes[i];
	}
	return NULL;
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

/* Authorization: Bearer, else x-api-key, else api-key (SPEC 2). */
static struct sv client_token(const struct http_request *request)
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
	r->answering = true;
	r->answer_id[0] = '\0';
}

/* Made when it is needed: most requests become an exchange, which has an id of its own. */
static const char *answer_id(struct relay *r)
{
	if (!r->answer_id[0])
		ident_uuid7(r->answer_id);
	return r->answer_id;
}

static void log_simple(struct relay *r, struct http_stream *s, int status, const char *error)
{
	const struct http_request *request = http_stream_request(s);

	log_begin(LOG_INFO, "request.finish");
	log_str("request_id", sv_cstr(answer_id(r)));
	log_str("method", request->method);
	log_str("path", request->path);
	log_i64("status", status);
	if (error)
		log_str("error", sv_cstr(error));
	log_ms("total_ms", clock_mono_us() - http_stream_started_us(s));
	log_end();
}

static void refuse(struct relay *r, struct http_stream *s, const struct api_err *err,
	const struct http_header *header)
{
	struct buf body;

	buf_init(&body, KIB(8));
	api_err_write(err, clock_wall_ms() / 1000, &body);
	log_simple(r, s, err->status, err->code);
	http_respond(s,
		&(struct http_response){
			.status = err->status,
			.content_type = SV("application/json"),
			.headers = header,
			.header_count = header ? 1 : 0,
		},
		buf_sv(&body));
	buf_fini(&body);
}

static void refuse_path(struct relay *r, struct http_stream *s, const struct http_request *request)
{
	struct api_err err;

	api_err_set(&err, 404, "invalid_request_error", "not_found", "Unknown path: %.*s",
		request->path.n > 256 ? 256 : (int)request->path.n, request->path.p);
	refuse(r, s, &err, NULL);
}

static void refuse_method(struct relay *r, struct http_stream *s, const struct route *route)
{
	struct http_header allow = {SV("Allow"), sv_cstr(route->methods)};
	struct api_err err;

	api_err_set(&err, 405, "invalid_request_error", "method_not_allowed",
		"This path takes %s only.", route->methods);
	refuse(r, s, &err, &allow);
}

static void refuse_token(struct relay *r, struct http_stream *s)
{
	struct http_header challenge = {SV("WWW-Authenticate"), SV("Bearer")};
	struct api_err err;

	api_err_set(&err, 401, "authentication_error", "invalid_api_key",
		"The relay's token is missing or wrong: send it as Authorization: Bearer.");
	refuse(r, s, &err, &challenge);
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
	refuse(r, s, &err, NULL);
}

/* --- the HTTP server's callbacks --- */

/* Everything that can be refused is refused before the body is read. */
static void on_head(struct http_stream *s, void *arg)
{
	struct relay *r = arg;
	const struct http_request *request = http_stream_request(s);
	const struct route *route = find_route(request->path);

	begin_answer(r);
	if (!route)
		refuse_path(r, s, request);
	else if (!allows(route, request->method))
		refuse_method(r, s, route);
	else if (route->role == ROLE_CLIENT && !conf_token_ok(r->conf, client_token(request)))
		refuse_token(r, s);
	else if (is_too_large_for_native(r, request))
		refuse_size(r, s);
	else
		http_set_body_cap(s, (size_t)r->conf->max_body_bytes);
	r->answering = false;
}

static void on_request(struct http_stream *s, void *arg)
{
	struct relay *r = arg;
	const struct route *route = find_route(http_stream_request(s)->path);

	begin_answer(r);
	route->serve(r, s);
	r->answering = false;
}

static void on_drain(struct http_stream *s, void *arg)
{
	(void)arg;
	if (http_stream_user(s))
		exchange_on_drain(http_stream_user(s));
}

static void on_gone(struct http_stream *s, void *arg, enum conn_end why)
{
	(void)arg;
	if (http_stream_user(s))
		exchange_on_gone(http_stream_user(s), why);
}

static void render_fault(const struct http_request *request, const struct http_fault *fault,
	struct buf *out, void *arg)
{
	struct api_err err;

	(void)request;
	(void)arg;
	api_err_set(&err, fault->status, "invalid_request_error",
		fault->status == 413 ? "payload_too_large" : "bad_request", "%s", fault->message);
	api_err_write(&err, clock_wall_ms() / 1000, out);
}

/* SDKs show x-request-id with their errors; upstream's own goes before ours where it passes. */
static void add_headers(struct http_stream *s, struct buf *out, void *arg)
{
	struct relay *r = arg;
	const struct exchange *ex = http_stream_user(s);
	char made[IDENT_UUID_SIZE];
	const char *id = made;

	if (ex)
		id = exchange_id(ex);
	else if (r->answering)
		id = answer_id(r);
	else
		ident_uuid7(made);
	buf_add_lit(out, "X-Relay-Version: " RELAY_VERSION "\r\nX-Relay-Request-Id: ");
	buf_add_cstr(out, id);
	if (!ex || !exchange_passes_header(ex, SV("x-request-id"))) {
		buf_add_lit(out, "\r\nX-Request-Id: ");
		buf_add_cstr(out, id);
	}
	buf_add_lit(out, "\r\n");
}

static void on_fault(struct http_stream *s, const struct http_fault *fault, void *arg)
{
	(void)arg;
	log_begin(LOG_WARN, "request.refused");
	log_str("peer", sv_cstr(http_stream_peer(s)));
	log_i64("status", fault->status);
	log_str("reason", sv_cstr(fault->message));
	log_end();
}

const struct http_handler router_http_handler = {
	.on_head = on_head,
	.on_request = on_request,
	.on_drain = on_drain,
	.on_gone = on_gone,
	.render_fault = render_fault,
	.add_headers = add_headers,
	.on_fault = on_fault,
};
