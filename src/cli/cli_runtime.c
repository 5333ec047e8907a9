#include "cli/cli.h"
#include "cli/cli_print.h"

#include "base/clock.h"
#include "conf/conf_table.h"
#include "conf/runtime_dir.h"
#include "proto/url.h"
#include "slots/policy.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOST_SIZE = 256, DIAL_TIMEOUT_MS = 500 };

int cli_runtime_init(const struct cli_context *ctx)
{
	bool force = cli_value(ctx, "--force") != NULL;
	struct conf *conf;
	char *path;
	int status, err = runtime_create(ctx->root, ctx->profile, force);

	if (err)
		return cli_fail(ctx, CLI_FAILED, "%s: %s", ctx->root, strerror(-err));
	/* A file that was there before may still be wrong. */
	status = cli_load_conf(ctx, &conf);
	if (status)
		return status;
	path = realpath(ctx->root, NULL);
	if (ctx->json) {
		cli_print_json(json_pack("{s:b, s:s, s:s, s:s}", "ok", 1, "runtimeRoot",
			path ? path : ctx->root, "profile", conf->profile, "listen", conf->listen));
	} else {
		cli_print_line(ctx, "runtime directory", path ? path : ctx->root);
		cli_print_line(ctx, "listen", conf->listen);
		cli_print_line(ctx, "next",
			"codex-slot-relay slot-auth-import-file --slot 1 --auth-file FILE");
	}
	free(path);
	conf_unref(conf);
	return CLI_OK;
}

static bool dial(const struct addrinfo *a)
{
	struct pollfd p = {.events = POLLOUT};
	socklen_t n = sizeof(int);
	int error = 1;

	p.fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
	if (p.fd < 0)
		return false;
	if (connect(p.fd, a->ai_addr, a->ai_addrlen) == 0)
		error = 0;
	else if (errno == EINPROGRESS && poll(&p, 1, DIAL_TIMEOUT_MS) == 1)
		getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &n);
	close(p.fd);
	return error == 0;
}

/* Does something take connections at the listen address? */
static bool is_running(const char *listen_address)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char host[HOST_SIZE], service[8];
	bool running = false;
	uint16_t port;

	if (url_parse_listen(sv_cstr(listen_address), host, sizeof(host), &port) != 0 || !port)
		return false;
	snprintf(service, sizeof(service), "%u", (unsigned)port);
	if (getaddrinfo(host[0] ? host : NULL, service, &hints, &found) != 0)
		return false;
	for (const struct addrinfo *a = found; a && !running; a = a->ai_next)
		running = dial(a);
	freeaddrinfo(found);
	return running;
}

static json_t *unknown_keys(const struct conf *conf)
{
	json_t *list = json_array();

	for (size_t i = 0; i < conf->unknown_count; i++)
		json_array_append_new(list, json_string(conf->unknown_keys[i]));
	return list;
}

static size_t count_enabled(struct slot_table *slots)
{
	size_t enabled = 0;

	for (size_t i = 0; i < slot_table_count(slots); i++)
		enabled += slot_table_at(slots, i)->enabled;
	return enabled;
}

static json_t *health_json(const struct cli_context *ctx, const struct conf *conf,
	struct slot_table *slots, int64_t now_ms)
{
	json_t *health = json_object();
	char time[CLOCK_ISO_SIZE];

	clock_format_iso(now_ms, time);
	json_object_set_new(health, "ok", json_true());
	json_object_set_new(health, "time", json_string(time));
	json_object_set_new(health, "version", json_string(RELAY_VERSION));
	json_object_set_new(health, "runtimeRoot", json_string(ctx->root));
	json_object_set_new(health, "listen", json_string(conf->listen));
	json_object_set_new(health, "running", json_boolean(is_running(conf->listen)));
	json_object_set_new(health, "slots", json_integer((json_int_t)slot_table_count(slots)));
	json_object_set_new(health, "busy", json_array());
	json_object_set_new(health, "slotsDetail",
		json_pack("{s:I, s:I, s:I}", "total", (json_int_t)slot_table_count(slots),
			"enabled", (json_int_t)count_enabled(slots), "eligible",
			(json_int_t)slot_table_eligible(slots, now_ms)));
	json_object_set_new(health, "selectionPolicy", json_string(conf_policy_name(conf->policy)));
	json_object_set_new(health, "backends",
		json_pack("{s:s, s:s, s:s}", "auth", conf_backend_name(conf->auth_backend), "usage",
			conf_backend_name(conf->usage_backend), "runner",
			conf_backend_name(conf->runner_backend)));
	json_object_set_new(health, "unknownKeys", unknown_keys(conf));
	return health;
}

static void print_health(const struct cli_context *ctx, const struct conf *conf,
	struct slot_table *slots, int64_t now_ms)
{
	char text[128];

	cli_print_line(ctx, "runtime directory", ctx->root);
	snprintf(text, sizeof(text), "%.100s (%s)", conf->listen,
		is_running(conf->listen) ? "running" : "not running");
	cli_print_line(ctx, "listen", text);
	snprintf(text, sizeof(text), "%zu, %zu enabled, %zu eligible", slot_table_count(slots),
		count_enabled(slots), slot_table_eligible(slots, now_ms));
	cli_print_line(ctx, "slots", text);
	snprintf(text, sizeof(text), "%s: %s", conf_policy_name(conf->policy),
		policy_get(conf->policy)->help);
	cli_print_line(ctx, "policy", text);
	snprintf(text, sizeof(text), "auth %s, usage %s, runner %s",
		conf_backend_name(conf->auth_backend), conf_backend_name(conf->usage_backend),
		conf_backend_name(conf->runner_backend));
	cli_print_line(ctx, "backends", text);
	for (size_t i = 0; i < conf->unknown_count; i++)
		cli_print_line(ctx, "unknown key", conf->unknown_keys[i]);
}

int cli_runtime_health(const struct cli_context *ctx)
{
	int64_t now_ms = clock_wall_ms();
	struct slot_table *slots;
	struct conf *conf;
	int status = cli_load_slots(ctx, &conf, &slots);

	if (status)
		return status;
	if (ctx->json)
		cli_print_json(health_json(ctx, conf, slots, now_ms));
	else
		print_health(ctx, conf, slots, now_ms);
	slot_table_free(slots);
	conf_unref(conf);
	return CLI_OK;
}

int cli_runtime_config_doc(const struct cli_context *ctx)
{
	struct buf doc;

	(void)ctx;
	buf_init(&doc, MIB(1));
	conf_table_doc(&doc);
	fwrite(doc.data, 1, doc.len, stdout);
	buf_fini(&doc);
	return CLI_OK;
}
