#include "relay/codex_pages.h"

#include "base/clock.h"
#include "base/jw.h"
#include "base/limits.h"
#include "proto/url.h"
#include "relay/codex_auth.h"
#include "relay/pool_models.h"
#include "relay/pool_usage.h"
#include "relay/relay.h"
#include "relay/reply.h"

/* What the account and its user are called for clients that have none. */
static const struct sv nobody = SV("codex-slot-relay");

/* --- models --- */

static void send_models(struct relay *r, struct http_stream *s, struct sv etag, struct buf *body)
{
	struct http_header header = {SV("ETag"), etag};
	struct sv known = http_request_header(http_stream_request(s), SV("if-none-match"));
	struct http_response response = {
		.status = 200,
		.content_type = SV("application/json"),
		.headers = &header,
		.header_count = 1,
	};

	if (sv_eq(known, etag)) {
		response.status = 304;
		response.content_type = SV_NONE;
		buf_reset(body, 0);
	}
	reply_count(r, s, response.status, NULL, NULL);
	http_respond(s, &response, buf_sv(body));
}

/*
 * A list that is not known is 404, after which the CLI uses its own; an empty list would hide all
 * models, and at 5xx the CLI would ask five times.
 */
void codex_models(struct relay *r, struct http_stream *s)
{
	struct sv version = url_query_get(http_stream_request(s)->query, SV("client_version"));
	char etag[POOL_MODELS_ETAG_SIZE];
	struct api_err err;
	struct buf body;

	pool_models_etag(r->conf, r->slots, etag);
	buf_init(&body, LIMIT_ADMIN_ANSWER_BYTES);
	if (etag[0])
		pool_models_write(r->conf, r->slots, version, &body);
	if (!etag[0]) {
		api_err_set(&err, 404, "invalid_request_error", "models_unknown",
			"The models of the relay's slots are not known (yet).");
		reply_error(r, s, &err, NULL);
	} else if (buf_error(&body)) {
		api_err_set(&err, 404, "invalid_request_error", "models_unknown",
			"The models of the relay's slots are too many.");
		reply_error(r, s, &err, NULL);
	} else {
		send_models(r, s, sv_cstr(etag), &body);
	}
	buf_fini(&body);
}

/* --- account --- */

static struct sv plan_of(const struct pool_usage *pool)
{
	return pool->plan_type[0] ? sv_cstr(pool->plan_type) : SV("plus");
}

/* The caller's own account, and nothing that would send its turns anywhere else. */
void codex_accounts_check(struct relay *r, struct http_stream *s)
{
	char id[CONF_NAME_BYTES_MAX + 1];
	struct pool_usage pool;
	struct sv account;
	struct buf body;
	struct jw w;

	pool_usage_of(r->slots, clock_wall_ms(), &pool);
	codex_auth_account(http_stream_request(s), id);
	account = id[0] ? sv_cstr(id) : nobody;
	buf_init(&body, KIB(4));
	w = jw_begin(&body);
	jw_obj(&w);
	jw_karr(&w, "accounts");
	jw_obj(&w);
	jw_kstr(&w, "id", account);
	jw_kstr(&w, "plan_type", plan_of(&pool));
	jw_klit(&w, "workspace_backend_origin", "NO_CONSTRAINT");
	jw_klit(&w, "account_routing_override", "NO_CONSTRAINT");
	jw_knull(&w, "name");
	jw_knull(&w, "profile_picture_url");
	jw_klit(&w, "structure", "personal");
	jw_end(&w);
	jw_end(&w);
	jw_karr(&w, "account_ordering");
	jw_str(&w, account);
	jw_end(&w);
	jw_kstr(&w, "default_account_id", account);
	jw_end(&w);
	reply_json(r, s, 200, &body);
}

void codex_settings(struct relay *r, struct http_stream *s)
{
	struct buf body;

	buf_init(&body, KIB(1));
	buf_add_lit(&body, "{\"commit_attribution_enabled\":false}");
	reply_json(r, s, 200, &body);
}

/* --- limits --- */

static void write_window(
	struct jw *w, const char *key, const struct pool_window *window, int64_t now_s)
{
	/* One that nobody knows the end of begins with the next request. */
	int64_t after_s =
		window->resets_at_s > now_s ? window->resets_at_s - now_s : window->length_s;

	jw_key_lit(w, sv_cstr(key));
	if (!window->known) {
		jw_null(w);
		return;
	}
	jw_obj(w);
	/* Whole numbers, and 100 only when nothing is left. */
	jw_ki64(w, "used_percent", (int64_t)window->used_percent);
	jw_ki64(w, "limit_window_seconds", window->length_s);
	jw_ki64(w, "reset_after_seconds", after_s);
	jw_ki64(w, "reset_at", now_s + after_s);
	jw_end(w);
}

static void write_limits(struct jw *w, const struct pool_usage *pool, int64_t now_s)
{
	jw_kobj(w, "rate_limit");
	jw_kbool(w, "allowed", pool->allowed);
	jw_kbool(w, "limit_reached", !pool->allowed);
	write_window(w, "primary_window", &pool->window[POOL_5H], now_s);
	write_window(w, "secondary_window", &pool->window[POOL_WEEK], now_s);
	jw_end(w);
	jw_knull(w, "additional_rate_limits");
	jw_kobj(w, "credits");
	jw_kbool(w, "has_credits", pool->has_credits);
	jw_kbool(w, "unlimited", pool->credits_unlimited);
	jw_knull(w, "balance");
	jw_end(w);
	jw_knull(w, "spend_control");
	if (pool->allowed)
		jw_knull(w, "rate_limit_reached_type");
	else
		jw_kraw(w, "rate_limit_reached_type", SV("{\"type\":\"rate_limit_reached\"}"));
	/* A slot's reset credits are its operator's to spend. */
	jw_knull(w, "rate_limit_reset_credits");
	jw_knull(w, "rate_limit_upsell");
}

void codex_usage(struct relay *r, struct http_stream *s)
{
	int64_t now_ms = clock_wall_ms();
	char id[CONF_NAME_BYTES_MAX + 1];
	struct pool_usage pool;
	struct buf body;
	struct jw w;

	pool_usage_of(r->slots, now_ms, &pool);
	codex_auth_account(http_stream_request(s), id);
	buf_init(&body, KIB(4));
	w = jw_begin(&body);
	jw_obj(&w);
	jw_kstr(&w, "user_id", nobody);
	jw_kstr(&w, "account_id", id[0] ? sv_cstr(id) : nobody);
	jw_klit(&w, "email", "");
	jw_kstr(&w, "plan_type", plan_of(&pool));
	write_limits(&w, &pool, now_ms / 1000);
	jw_end(&w);
	reply_json(r, s, 200, &body);
}

void codex_side_call(struct relay *r, struct http_stream *s)
{
	struct api_err err;
	struct buf body;

	if (r->conf->codex_side_calls == CODEX_SIDE_CALLS_NOT_FOUND) {
		api_err_set(&err, 404, "invalid_request_error", "not_found",
			"The relay has nothing to answer here.");
		reply_error(r, s, &err, NULL);
		return;
	}
	buf_init(&body, KIB(1));
	buf_add_lit(&body, "{}");
	reply_json(r, s, 200, &body);
}
