/* test-runner: one stateless prompt through one slot, whatever the slot's state is. */
#include "cli/cli.h"
#include "cli/cli_env.h"
#include "cli/cli_print.h"
#include "cli/cli_text.h"

#include "base/clock.h"
#include "base/ident.h"
#include "codex/upstream.h"
#include "relay/runner.h"
#include "slots/refresher.h"
#include "slots/slot_record.h"
#include "slots/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { URL_MAX_BYTES = 4096 };

struct run {
	const struct cli_context *ctx;
	struct cli_env env;
	char id[LIMIT_SLOT_ID_BYTES];
	char session[IDENT_UUID_SIZE];
	char *model;
	struct arena arena;
	struct buf body;
	struct refresh_wait wait;
	bool refreshed; /* after a 401; not again */
	char sent[IDENT_HEX_SIZE];
	const struct runner *runner;
	struct runner_place place; /* of the attempt that runs */
	struct deferred over;	   /* outside of all callbacks: the gateway goes */
	struct upstream *upstream;
	struct buf deltas, items; /* the text, as pieces and as whole items */
	struct meters meters;
	bool has_meters, incomplete, done;
	char problem[512]; /* why there is no text; "" none */
};

static struct slot *slot_of(struct run *r)
{
	return slot_table_find(r->env.slots.table, r->id);
}

/* Nothing is asked any more; the loop ends when a gateway is gone. */
static void on_over(struct deferred *d)
{
	struct run *r = CONTAINER_OF(d, struct run, over);

	openclaw_gateways_stop(r->place.gateways);
}

static void finish(struct run *r)
{
	runner_leave(&r->place);
	loop_defer(r->env.slots.loop, &r->over);
}

static void fail_with(struct run *r, const char *text)
{
	snprintf(r->problem, sizeof(r->problem), "%s", text);
	finish(r);
}

static void on_stop(void *arg)
{
	struct run *r = arg;

	if (r->upstream)
		upstream_cancel(r->upstream);
	r->upstream = NULL;
	finish(r);
}

/* --- the answer --- */

/* Texts of a finished message, refusals too. */
static void take_item(struct run *r, struct jv item)
{
	struct jv_iter it = jv_iter(jv_get(item, SV("content")));

	if (!jv_str_eq(jv_get(item, SV("type")), SV("message")))
		return;
	while (jv_next(&it)) {
		jv_str_decode(jv_get(it.value, SV("text")), &r->items);
		jv_str_decode(jv_get(it.value, SV("refusal")), &r->items);
	}
}

static void on_upstream_head(struct upstream *u, void *arg, int status)
{
	(void)u;
	(void)arg;
	(void)status;
}

static void on_upstream_event(struct upstream *u, void *arg, const struct event *ev)
{
	struct run *r = arg;

	(void)u;
	if (ev->type == EVENT_TEXT_DELTA)
		jv_str_decode(event_get(ev, SV("delta")), &r->deltas);
	else if (ev->type == EVENT_ITEM_DONE)
		take_item(r, event_get(ev, SV("item")));
	else if (ev->type == EVENT_INCOMPLETE)
		r->incomplete = true;
}

static void start(struct run *r);

static void on_upstream_end(struct upstream *u, void *arg, const struct failure *f)
{
	struct run *r = arg;
	struct slot *s = slot_of(r);

	if (upstream_meters(u)) {
		r->meters = *upstream_meters(u);
		r->has_meters = true;
	}
	r->upstream = NULL;
	runner_leave(&r->place);
	if (f->class == FAILURE_AUTH && !r->refreshed) {
		r->refreshed = true;
		refresher_ask(r->env.slots.refresher, s, r->sent, &r->wait);
		return;
	}
	r->done = f->class == FAILURE_NONE;
	if (r->done) {
		finish(r);
		return;
	}
	/* Cut to a line, and never with the token in it. The slot is not saved. */
	slot_set_error(s, failure_class_name(f->class),
		sv_cstr(f->detail[0] ? f->detail : f->err.message));
	fail_with(r, s->last_error);
}

static const struct upstream_ops upstream_ops = {
	.on_head = on_upstream_head,
	.on_event = on_upstream_event,
	.on_end = on_upstream_end,
};

/* --- the request --- */

static int build_headers(
	struct run *r, const struct slot *s, struct http_header *out, size_t *ret_count)
{
	const struct conf *conf = r->env.slots.conf;
	struct codex_cred cred = slot_cred(s);
	char id[IDENT_UUID_SIZE];
	struct codex_header_options options = {
		.originator = sv_cstr(conf->upstream_originator),
		.user_agent = sv_cstr(conf->upstream_user_agent),
		.session = sv_cstr(r->session),
		.accept = SV("text/event-stream"),
		.content_type = SV("application/json"),
	};

	const struct runner_head head = {
		.cred = &cred,
		.options = &options,
		.model = sv_cstr(r->model),
		.arena = &r->arena,
	};

	ident_uuid7(id);
	options.request_id = arena_dup(&r->arena, sv_cstr(id));
	return r->runner->headers(&r->place, &head, out, ret_count);
}

static void ask(struct run *r)
{
	const struct conf *conf = r->env.slots.conf;
	const struct slot *s = slot_of(r);
	const struct codex_cred cred = slot_cred(s);
	struct http_header headers[CODEX_HEADERS_MAX];
	char url[URL_MAX_BYTES];
	struct upstream_request request = {
		.url = url,
		.headers = headers,
		.body = buf_sv(&r->body),
		.connect_timeout_ms = conf->upstream_connect_timeout_s * 1000,
		.idle_timeout_ms = conf->request_timeout_s * 1000,
	};

	r->runner->url(&r->place, &cred, false, url, sizeof(url));
	ident_fingerprint(secret_expose(&s->access), r->sent);
	if (build_headers(r, s, headers, &request.header_count) != 0) {
		fail_with(r, "the slot's access token is not usable");
		return;
	}
	r->upstream = upstream_start(
		r->env.slots.loop, r->runner->pool(&r->place), &request, &upstream_ops, r);
	codex_headers_wipe(headers, request.header_count);
}

static void on_place_open(struct runner_place *place, const char *problem)
{
	struct run *r = CONTAINER_OF(place, struct run, place);

	if (problem)
		fail_with(r, problem);
	else
		ask(r);
}

static void start(struct run *r)
{
	if (r->runner->open(&r->place, slot_of(r)))
		ask(r);
}

static void fail_unrefreshed(struct run *r, const struct slot *s)
{
	char text[sizeof(r->problem)];

	snprintf(text, sizeof(text), "auth: the slot's token could not be refreshed%s%s",
		s->last_error[0] ? ": " : "", s->last_error);
	fail_with(r, text);
}

static void on_token(struct refresh_wait *w, enum refresh_result result)
{
	struct run *r = CONTAINER_OF(w, struct run, wait);
	struct slot *s = slot_of(r);

	if (result == REFRESH_READY)
		start(r);
	else if (result == REFRESH_REAUTH)
		fail_with(r, "auth: the slot's login is not valid any more: slot-login");
	else
		fail_unrefreshed(r, s);
}

/* {"model","input":[…]} in the internal form, made into what the runner takes. */
static int build_body(struct run *r, const char *prompt)
{
	struct codex_body_options options = {.prompt_cache_key = sv_cstr(r->session)};
	json_t *doc = json_pack("{s:s, s:[{s:s, s:s, s:[{s:s, s:s}]}]}", "model", r->model, "input",
		"type", "message", "role", "user", "content", "type", "input_text", "text", prompt);
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	struct jv request;
	struct api_err err;
	int result = -EILSEQ;

	json_decref(doc);
	if (text)
		result = jv_parse(sv_cstr(text), LIMIT_JSON_DEPTH, &request, NULL);
	if (!result)
		result = r->runner->body(r->env.slots.conf, request, &options, &r->body, &err);
	free(text);
	return result;
}

/* --- the result --- */

/* Into the record as it is by now: what another program learnt of the slot meanwhile stays. */
static int put_meters(json_t *slots, void *arg)
{
	struct run *r = arg;
	json_t *record = store_find(slots, r->id);
	struct slot *s =
		record ? store_slot_new(r->env.slots.root, record, r->env.slots.conf) : NULL;

	if (!s)
		return -ENOENT;
	meters_merge(&s->meters, &r->meters);
	s->checked_at_ms = clock_wall_ms();
	slot_record_merge(record, slot_record_usage(s), NULL, slot_record_relay(s));
	store_slot_free(s);
	return 0;
}

static void save_meters(struct run *r)
{
	struct conf_error err = {""};

	if (!r->has_meters)
		return;
	if (store_edit(r->env.slots.root, put_meters, r, &err) != 0 && err.message[0])
		cli_warn(r->ctx, "usage is not stored: %s", err.message);
}

/* Upstream's text on a terminal: lines stay lines. */
static void print_text(const char *text)
{
	char *copy = mem_strdup(text);
	char *line = copy, *end;

	do {
		char *clean;

		end = strchr(line, '\n');
		if (end)
			*end = '\0';
		clean = cli_text_clean(line);
		printf("%s\n", clean);
		free(clean);
		line = end ? end + 1 : line;
	} while (end);
	free(copy);
}

static int show(struct run *r)
{
	struct buf *text = r->items.len ? &r->items : &r->deltas;

	if (!r->done)
		return cli_fail(r->ctx, CLI_FAILED, "%s: %s", r->id,
			r->problem[0] ? r->problem : "no answer");
	if (buf_error(text))
		return cli_fail(r->ctx, CLI_FAILED, "%s: the answer is too large", r->id);
	if (r->incomplete)
		cli_warn(r->ctx, "upstream cut the answer off");
	if (r->ctx->json)
		cli_print_json(json_pack("{s:s, s:s, s:s#, s:s}", "slot", r->id, "sessionId",
			r->session, "text", buf_cstr(text), (int)text->len, "model", r->model));
	else
		print_text(buf_cstr(text));
	return CLI_OK;
}

static void choose_model(struct run *r, const struct slot *s)
{
	const char *asked = cli_value(r->ctx, "--model");
	const char *own = json_string_value(json_object_get(s->record, "modelDefault"));

	if (!asked)
		asked = own && *own ? own : r->env.slots.conf->default_model;
	r->model = mem_strdup(asked);
}

static int prepare(struct run *r)
{
	struct slot *s = slot_of(r);

	if (!s)
		return cli_fail(r->ctx, CLI_NOT_FOUND, "there is no %s; see slot-list", r->id);
	if (secret_is_empty(&s->access) || !s->base_url)
		return cli_fail(r->ctx, CLI_FAILED, "%s: %s", r->id,
			s->last_error[0] ? s->last_error : "no credential");
	if (s->reauth_required)
		return cli_fail(r->ctx, CLI_FAILED,
			"%s: auth: its login is not valid any more: slot-login --slot %s", r->id,
			r->id);
	choose_model(r, s);
	if (build_body(r, cli_value(r->ctx, "--prompt")) != 0)
		return cli_fail(r->ctx, CLI_USAGE, "the prompt or the model is no UTF-8 text");
	return CLI_OK;
}

static void choose_runner(struct run *r)
{
	r->runner = runner_of(r->env.slots.conf);
	r->place = (struct runner_place){.pool = r->env.slots.pool, .on_open = on_place_open};
	/* A gateway of its own, which goes with the command. */
	if (r->env.slots.conf->runner_backend == BACKEND_OPENCLAW)
		r->place.gateways = openclaw_gateways_new(&r->env.slots);
	r->env.on_stop = on_stop;
	r->env.arg = r;
}

static int run_prompt(struct run *r)
{
	int status = prepare(r);

	if (status)
		return status;
	if (refresher_must_wait(slot_of(r), clock_wall_ms()))
		refresher_ask(r->env.slots.refresher, slot_of(r), NULL, &r->wait);
	else
		start(r);
	cli_env_run(&r->env);
	save_meters(r);
	return show(r);
}

int cli_test_runner(const struct cli_context *ctx)
{
	struct run r = {.ctx = ctx, .wait.on_done = on_token, .over.fn = on_over};
	int closed, status = cli_slot_id(ctx, r.id);

	if (!status)
		status = cli_env_open(ctx, &r.env);
	if (status)
		return status;
	arena_init(&r.arena, LIMIT_ARENA_BYTES);
	buf_init(&r.body, LIMIT_UPSTREAM_BODY_BYTES);
	buf_init(&r.deltas, LIMIT_FOLD_BYTES);
	buf_init(&r.items, LIMIT_FOLD_BYTES);
	ident_uuid7(r.session);
	choose_runner(&r);
	status = run_prompt(&r);
	refresher_leave(&r.wait);
	openclaw_gateways_stop(r.place.gateways);
	openclaw_gateways_free(r.place.gateways);
	closed = cli_env_close(&r.env);
	buf_fini(&r.items);
	buf_fini(&r.deltas);
	buf_fini(&r.body);
	arena_fini(&r.arena);
	free(r.model);
	return status ? status : closed;
}
