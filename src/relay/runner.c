#include "relay/runner.h"

#include "base/jw.h"
#include "openclaw/openclaw_body.h"

#include <stdio.h>

/* --- codex-direct --- */

static bool direct_open(struct runner_place *place, const struct slot *s)
{
	(void)place;
	(void)s;
	return true;
}

static int direct_body(const struct conf *conf, struct jv request,
	const struct codex_body_options *options, struct buf *out, struct api_err *err)
{
	(void)conf;
	if (codex_body_is_request(options))
		return 0;
	return codex_body_build(request, options, out, err);
}

static int direct_headers(struct runner_place *place, const struct runner_head *head,
	struct http_header out[CODEX_HEADERS_MAX], size_t *ret_count)
{
	(void)place;
	return codex_headers_build(head->cred, head->options, head->arena, out, ret_count);
}

static void direct_url(const struct runner_place *place, const struct codex_cred *cred,
	bool compact, char *out, size_t size)
{
	(void)place;
	snprintf(out, size, "%.*s/codex/responses%s", SV_ARG(cred->base_url),
		compact ? "/compact" : "");
}

static struct fetch_pool *direct_pool(const struct runner_place *place)
{
	return place->pool;
}

static const struct runner direct = {
	.name = "codex-direct",
	.open = direct_open,
	.body = direct_body,
	.headers = direct_headers,
	.url = direct_url,
	.pool = direct_pool,
	.has_sockets = true,
	.compacts = true,
};

/* --- openclaw --- */

static void on_gateway(struct openclaw_use *use, const char *problem)
{
	struct runner_place *place = CONTAINER_OF(use, struct runner_place, gateway);

	place->on_open(place, problem);
}

static bool openclaw_open(struct runner_place *place, const struct slot *s)
{
	place->gateway.on_ready = on_gateway;
	openclaw_gateways_ask(place->gateways, s, &place->gateway);
	return false;
}

static int openclaw_body(const struct conf *conf, struct jv request,
	const struct codex_body_options *options, struct buf *out, struct api_err *err)
{
	(void)options;
	return openclaw_body_build(request, conf->runner_agent_id, out, err);
}

/* The gateway's `model` names an agent; the model behind it is told by a header. */
static struct sv model_header(struct sv model, struct arena *arena)
{
	static const struct sv provider = SV("openai-codex/");
	char *text;

	if (!model.n || sv_istarts(model, SV("openclaw")))
		return SV_NONE;
	if (memchr(model.p, '/', model.n))
		return model;
	text = arena_alloc(arena, provider.n + model.n);
	if (!text)
		return SV_NONE;
	memcpy(text, provider.p, provider.n);
	memcpy(text + provider.n, model.p, model.n);
	return sv_make(text, provider.n + model.n);
}

static int openclaw_headers(struct runner_place *place, const struct runner_head *head,
	struct http_header out[CODEX_HEADERS_MAX], size_t *ret_count)
{
	/* Its own token, and nothing that is the slot's or meant for the backend. */
	const struct codex_cred local = {.access = openclaw_gateway_token(&place->gateway)};
	const struct codex_header_options plain = {
		.user_agent = head->options->user_agent,
		.request_id = head->options->request_id,
		.accept = head->options->accept,
		.content_type = head->options->content_type,
	};
	struct sv named = model_header(head->model, head->arena);
	int err = codex_headers_build(&local, &plain, head->arena, out, ret_count);

	if (!err && named.n && http_is_field_value(named))
		out[(*ret_count)++] = (struct http_header){SV("x-openclaw-model"), named};
	return err;
}

static void openclaw_url(const struct runner_place *place, const struct codex_cred *cred,
	bool compact, char *out, size_t size)
{
	(void)cred;
	(void)compact;
	snprintf(out, size, "%s/v1/responses", openclaw_gateway_url(&place->gateway));
}

static struct fetch_pool *openclaw_pool(const struct runner_place *place)
{
	return openclaw_gateway_pool(&place->gateway);
}

static const struct runner openclaw = {
	.name = "openclaw",
	.open = openclaw_open,
	.body = openclaw_body,
	.headers = openclaw_headers,
	.url = openclaw_url,
	.pool = openclaw_pool,
	.renames_model = true,
};

/* --- all --- */

const struct runner *runner_of(const struct conf *conf)
{
	return conf->runner_backend == BACKEND_OPENCLAW ? &openclaw : &direct;
}

static void write_response(struct jw *w, struct jv response, struct sv model)
{
	struct jv_iter it = jv_iter(response);

	jw_obj(w);
	while (jv_next(&it)) {
		jw_key_lit(w, it.key);
		if (jv_key_eq(it.key, SV("model")))
			jw_str(w, model);
		else
			jw_jv(w, it.value);
	}
	jw_end(w);
}

static void write_event(struct buf *out, struct jv event, struct sv model)
{
	struct jv_iter it = jv_iter(event);
	struct jw w = jw_begin(out);

	jw_obj(&w);
	while (jv_next(&it)) {
		jw_key_lit(&w, it.key);
		if (jv_key_eq(it.key, SV("response")) && jv_is(it.value, JV_OBJECT))
			write_response(&w, it.value, model);
		else
			jw_jv(&w, it.value);
	}
	jw_end(&w);
}

/* The client reads the name of the model that it asked for, not that of an agent. */
int runner_event(
	const struct runner *runner, struct answer *answer, struct sv model, const struct event *ev)
{
	struct event renamed;
	struct buf text;
	int err;

	if (!runner->renames_model || !jv_exists(event_get(ev, SV("response"))))
		return answer_event(answer, ev);
	buf_init(&text, LIMIT_EVENT_BYTES);
	write_event(&text, ev->json, model);
	err = buf_error(&text);
	if (!err)
		err = event_parse(buf_sv(&text), SV_NONE, &renamed);
	if (!err)
		err = answer_event(answer, &renamed);
	buf_fini(&text);
	return err;
}

void runner_leave(struct runner_place *place)
{
	openclaw_gateways_leave(&place->gateway);
}

void runner_failure(const char *problem, struct failure *ret)
{
	*ret = (struct failure){.class = FAILURE_TRANSIENT};
	api_err_set(&ret->err, 502, "server_error", "openclaw_gateway",
		"The OpenClaw gateway of the slot could not be used.");
	snprintf(ret->detail, sizeof(ret->detail), "%s", problem);
}
