#include "cli/cli.h"
#include "cli/cli_print.h"
#include "cli/cli_show.h"

#include "base/clock.h"
#include "cli/cli_warnings.h"
#include "slots/policy.h"
#include "slots/usage_text.h"
#include "version.h"

#include <stdio.h>

struct counts {
	size_t total, enabled, eligible;
};

static struct counts count(const struct cli_view *v)
{
	struct counts c = {.total = json_array_size(v->slots)};

	for (size_t i = 0; i < c.total; i++) {
		struct cli_slot s;

		cli_view_slot(v, i, &s);
		c.enabled += s.enabled;
		c.eligible += s.eligible;
	}
	return c;
}

static json_t *iso(int64_t wall_ms)
{
	char text[CLOCK_ISO_SIZE];

	clock_format_iso(wall_ms, text);
	return json_string(text);
}

static json_t *busy_json(const struct cli_view *v)
{
	json_t *busy = json_array();

	for (size_t i = 0; i < json_array_size(v->slots); i++) {
		struct cli_slot s;

		cli_view_slot(v, i, &s);
		if (s.inflight > 0)
			json_array_append_new(busy, json_string(s.id));
	}
	return busy;
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

/* The relay that answered, or what is known of why none did. */
static json_t *relay_json(const struct cli_live *live)
{
	static const char *const copied[] = {"inflight", "waiting", "draining"};
	json_t *relay = json_object();

	json_object_set_new(relay, "state", json_string(cli_live_name(live->state)));
	json_object_set_new(relay, "address", text_or_null(live->address));
	json_object_set_new(relay, "version", text_or_null(live->version));
	json_object_set_new(relay, "problem", text_or_null(live->problem));
	for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
		json_t *value = json_object_get(live->health, copied[i]);

		if (live->state == CLI_LIVE_UP && value)
			json_object_set(relay, copied[i], value);
	}
	return relay;
}

static json_t *recovery_json(const struct cli_view *v)
{
	struct cli_recovery r = cli_view_recovery(v);

	if (!r.id)
		return json_null();
	return json_pack("{s:s, s:s, s:o}", "slot", r.id, "reason", r.reason, "at", iso(r.at_ms));
}

static json_t *unknown_keys(const struct conf *conf)
{
	json_t *list = json_array();

	for (size_t i = 0; i < conf->unknown_count; i++)
		json_array_append_new(list, json_string(conf->unknown_keys[i]));
	return list;
}

static json_t *health_json(const struct cli_context *ctx, const struct cli_view *v)
{
	const struct conf *conf = v->conf;
	struct counts c = count(v);
	json_t *health = json_object();

	json_object_set_new(health, "ok", json_true());
	json_object_set_new(health, "time", iso(v->now_ms));
	json_object_set_new(health, "version", json_string(RELAY_VERSION));
	json_object_set_new(health, "runtimeRoot", json_string(ctx->root));
	json_object_set_new(health, "listen", json_string(conf->listen));
	json_object_set_new(health, "listeners", conf_names_json(&conf->listeners.all));
	json_object_set_new(health, "running", json_boolean(v->live.state != CLI_LIVE_DOWN));
	json_object_set_new(health, "relay", relay_json(&v->live));
	json_object_set_new(health, "source", json_string(v->is_live ? "relay" : "files"));
	json_object_set_new(health, "slots", json_integer((json_int_t)c.total));
	json_object_set_new(health, "busy", busy_json(v));
	json_object_set_new(health, "slotsDetail",
		json_pack("{s:I, s:I, s:I}", "total", (json_int_t)c.total, "enabled",
			(json_int_t)c.enabled, "eligible", (json_int_t)c.eligible));
	json_object_set_new(health, "nextRecovery", recovery_json(v));
	json_object_set_new(health, "selectionPolicy", json_string(conf_policy_name(conf->policy)));
	json_object_set_new(health, "backends",
		json_pack("{s:s, s:s, s:s}", "auth", conf_backend_name(conf->auth_backend), "usage",
			conf_backend_name(conf->usage_backend), "runner",
			conf_backend_name(conf->runner_backend)));
	json_object_set_new(health, "unknownKeys", unknown_keys(conf));
	json_object_set_new(health, "warnings", cli_warnings(v));
	return health;
}

/* "up, version 0.1.0, 2 requests running" */
static void relay_text(const struct cli_live *live, char *out, size_t size)
{
	json_int_t inflight = json_integer_value(json_object_get(live->health, "inflight"));
	json_int_t waiting = json_integer_value(json_object_get(live->health, "waiting"));
	bool draining = json_is_true(json_object_get(live->health, "draining"));

	if (live->state == CLI_LIVE_DOWN)
		snprintf(out, size, "not running");
	else if (live->state != CLI_LIVE_UP)
		snprintf(out, size, "running, but %s", live->problem);
	else
		snprintf(out, size, "running, version %s%s: %lld requests, %lld waiting",
			live->version, draining ? ", shutting down" : "", (long long)inflight,
			(long long)waiting);
}

static void print_warnings(const struct cli_context *ctx, const struct cli_view *v)
{
	json_t *warnings = cli_warnings(v);
	json_t *warning;
	size_t i;

	json_array_foreach(warnings, i, warning)
	{
		if (i == 0)
			putchar('\n');
		cli_print_part(ctx, CLI_YELLOW, "warning");
		putchar(' ');
		cli_print_folded(sizeof("warning"), json_string_value(warning));
	}
	json_decref(warnings);
}

static void print_recovery(const struct cli_context *ctx, const struct cli_view *v)
{
	struct cli_recovery r = cli_view_recovery(v);
	char text[256], span[USAGE_SPAN_SIZE];

	if (!r.id)
		return;
	usage_text_span(r.at_ms - v->now_ms, span);
	snprintf(text, sizeof(text), "%s in %s (%s)", r.id, span, r.reason);
	cli_print_line(ctx, "next recovery", text);
}

static void print_listeners(const struct cli_context *ctx, const struct conf *conf)
{
	const struct conf_names *all = &conf->listeners.all;
	struct buf text;

	buf_init(&text, KIB(64));
	for (size_t i = 0; i < all->count; i++)
		buf_addf(&text, "%s%s", i ? ", " : "", all->items[i]);
	cli_print_line(ctx, "listen", buf_cstr(&text));
	buf_fini(&text);
}

static void print_health(const struct cli_context *ctx, const struct cli_view *v)
{
	const struct conf *conf = v->conf;
	struct counts c = count(v);
	char text[640], state[320];

	relay_text(&v->live, state, sizeof(state));
	cli_print_line(ctx, "relay", state);
	print_listeners(ctx, conf);
	cli_print_line(ctx, "this program", RELAY_VERSION);
	cli_print_line(ctx, "runtime directory", ctx->root);
	snprintf(text, sizeof(text), "%s: %s", conf_policy_name(conf->policy),
		policy_get(conf->policy)->help);
	cli_print_line(ctx, "policy", text);
	snprintf(text, sizeof(text), "auth %s, usage %s, runner %s",
		conf_backend_name(conf->auth_backend), conf_backend_name(conf->usage_backend),
		conf_backend_name(conf->runner_backend));
	cli_print_line(ctx, "backends", text);
	snprintf(text, sizeof(text), "%zu, %zu enabled, %zu eligible%s", c.total, c.enabled,
		c.eligible, v->is_live ? "" : ", as the files tell");
	cli_print_line(ctx, "slots", text);
	print_recovery(ctx, v);
	if (c.total) {
		putchar('\n');
		cli_show_summary(ctx, v);
	}
	print_warnings(ctx, v);
}

int cli_health(const struct cli_context *ctx)
{
	struct cli_view v;
	int status = cli_view_load(ctx, &v);

	if (status)
		return status;
	if (ctx->json)
		cli_print_json(health_json(ctx, &v));
	else
		print_health(ctx, &v);
	cli_view_fini(&v);
	return CLI_OK;
}
