#include "cli/cli_live.h"

#include "cli/cli_net.h"
#include "proto/url.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 2000, HOST_SIZE = 256, TOKEN_HEADER_BYTES = 4200 };

const char *cli_live_name(enum cli_live_state state)
{
	static const char *const names[] = {
		[CLI_LIVE_DOWN] = "down",
		[CLI_LIVE_SILENT] = "silent",
		[CLI_LIVE_FOREIGN] = "foreign",
		[CLI_LIVE_CLOSED] = "closed",
		[CLI_LIVE_OTHER] = "other",
		[CLI_LIVE_UP] = "up",
	};

	return names[state];
}

/* Who listens on all addresses is asked on the loopback one. */
static bool find_address(const struct conf *conf, struct cli_live *live)
{
	char host[HOST_SIZE];
	const char *target = host;
	uint16_t port;

	if (url_parse_listen(sv_cstr(conf->listen), host, sizeof(host), &port) != 0)
		return false;
	if (!host[0] || strcmp(host, "0.0.0.0") == 0)
		target = "127.0.0.1";
	else if (strcmp(host, "::") == 0)
		target = "::1";
	if (!port)
		return false; /* a free one, which nobody knows */
	snprintf(live->address, sizeof(live->address), strchr(target, ':') ? "[%s]:%u" : "%s:%u",
		target, (unsigned)port);
	return true;
}

static void ask(struct cli_net *net, const struct cli_live *live, const char *path,
	const struct secret *token, struct cli_answer *ret)
{
	char value[TOKEN_HEADER_BYTES] = "", url[HOST_SIZE + 128];
	struct http_header header = {.name = SV("Authorization")};
	struct call_request request = {
		.method = "GET",
		.url = url,
		.headers = &header,
		.connect_timeout_ms = PATIENCE_MS,
		.total_timeout_ms = PATIENCE_MS,
	};

	snprintf(url, sizeof(url), "http://%s%s", live->address, path);
	if (token) {
		snprintf(value, sizeof(value), "Bearer %.*s", SV_ARG(secret_expose(token)));
		header.value = sv_cstr(value);
		request.header_count = 1;
	}
	cli_net_call(net, &request, ret);
	secret_wipe(value, sizeof(value));
}

static json_t *object_of(const struct cli_answer *a)
{
	json_t *value = json_loadb(a->body, a->body_bytes, 0, NULL);

	if (json_is_object(value))
		return value;
	json_decref(value);
	return NULL;
}

/* GET /healthz, which takes no token. */
static void ask_health(struct cli_net *net, struct cli_live *live)
{
	struct cli_answer a;

	ask(net, live, "/healthz", NULL, &a);
	if (a.outcome == FETCH_CONNECT) {
		live->state = CLI_LIVE_DOWN;
	} else if (a.outcome == FETCH_TIMEOUT || a.outcome == FETCH_IDLE) {
		live->state = CLI_LIVE_SILENT;
		snprintf(live->problem, sizeof(live->problem), "it does not answer");
	} else if (a.outcome != FETCH_OK || !a.relay_version[0]) {
		live->state = CLI_LIVE_FOREIGN;
		snprintf(live->problem, sizeof(live->problem), "it is not a relay");
	} else {
		live->state = CLI_LIVE_CLOSED;
		memcpy(live->version, a.relay_version, sizeof(live->version));
		live->health = object_of(&a);
	}
	cli_answer_fini(&a);
}

/* A relay that was started in another directory serves other slots. Names that are not absolute
 * tell nothing. */
static bool is_other_root(const json_t *config, const char *root)
{
	const char *told = json_string_value(
		json_object_get(json_object_get(config, "config"), "runtimeRoot"));
	char theirs[PATH_MAX], ours[PATH_MAX];

	if (!told || *told != '/' || !realpath(root, ours))
		return false;
	return !realpath(told, theirs) || strcmp(ours, theirs) != 0;
}

static void ask_root(
	struct cli_net *net, const struct secret *token, const char *root, struct cli_live *live)
{
	struct cli_answer a;
	json_t *config;

	ask(net, live, "/admin/config", token, &a);
	config = a.status == 200 ? object_of(&a) : NULL;
	if (config && is_other_root(config, root)) {
		live->state = CLI_LIVE_OTHER;
		snprintf(live->problem, sizeof(live->problem),
			"it serves another runtime directory");
	}
	json_decref(config);
	cli_answer_fini(&a);
}

static void ask_slots(struct cli_net *net, const struct secret *token, struct cli_live *live)
{
	struct cli_answer a;
	json_t *doc;

	ask(net, live, "/admin/slots", token, &a);
	doc = a.status == 200 ? object_of(&a) : NULL;
	if (json_is_array(json_object_get(doc, "slots"))) {
		live->slots = json_incref(json_object_get(doc, "slots"));
		live->state = CLI_LIVE_UP;
	} else if (a.status == 401 || a.status == 403) {
		snprintf(live->problem, sizeof(live->problem),
			"it does not take this configuration's token");
	} else {
		snprintf(live->problem, sizeof(live->problem), "it does not tell its slots");
	}
	json_decref(doc);
	cli_answer_fini(&a);
}

void cli_live_ask(const struct conf *conf, const char *root, struct cli_live *ret)
{
	const struct secret *token =
		secret_is_empty(&conf->admin_token) ? &conf->auth_token : &conf->admin_token;
	struct cli_net *net;

	*ret = (struct cli_live){.state = CLI_LIVE_DOWN};
	if (!find_address(conf, ret))
		return;
	/* No proxy: it is our own address. */
	net = cli_net_open(&(struct fetch_options){.proxy = ""});
	ask_health(net, ret);
	if (ret->state == CLI_LIVE_CLOSED)
		ask_slots(net, token, ret);
	if (ret->state == CLI_LIVE_UP)
		ask_root(net, token, root, ret);
	if (ret->state != CLI_LIVE_UP) {
		json_decref(ret->slots);
		ret->slots = NULL;
	}
	cli_net_close(net);
}

void cli_live_fini(struct cli_live *live)
{
	json_decref(live->health);
	json_decref(live->slots);
	live->health = live->slots = NULL;
}
