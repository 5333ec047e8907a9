#include "cli/cli_live.h"

#include "cli/cli_net.h"
#include "conf/runtime_dir.h"
#include "io/tls_cert.h"
#include "proto/url.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 2000, NAME_SIZE = 256, URL_SIZE = 512, TOKEN_HEADER_BYTES = 4200 };

/* How the relay is asked. */
struct target {
	struct cli_net *net;
	char base[URL_SIZE]; /* "http://127.0.0.1:8787" */
};

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

/* --- which listener --- */

/* Can be asked: of a free port nobody knows which one it is. */
static bool is_known(const struct listen_address *at)
{
	return at->kind == LISTEN_UNIX || at->port;
}

/* The first one without TLS, else the first one. */
static bool find_listener(const struct conf *conf, const char *root, struct listen_address *ret)
{
	bool found = false;
	char *text;

	for (size_t i = 0; (text = conf_listen_address(&conf->listeners, i, root)); i++) {
		struct listen_address at;
		bool good = url_parse_listener(sv_cstr(text), &at) == 0 && is_known(&at);

		free(text);
		if (good && (!found || (ret->kind == LISTEN_TLS && at.kind != LISTEN_TLS)))
			*ret = at;
		found = found || good;
	}
	return found;
}

/* Who listens on all addresses is asked on the loopback one. */
static const char *host_to_ask(const struct listen_address *at)
{
	if (!at->host[0] || strcmp(at->host, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(at->host, "::") == 0 ? "::1" : at->host;
}

static void format_host(const char *host, uint16_t port, char *out, size_t size)
{
	snprintf(out, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
}

/* --- TLS --- */

/* A name that the certificate is good for: the host itself if it is, else the first. */
static void choose_name(const struct tls_pair *pair, const char *host, char out[NAME_SIZE])
{
	char name[NAME_SIZE];

	snprintf(out, NAME_SIZE, "%s", host);
	for (size_t i = 0; tls_pair_name(pair, i, name, sizeof(name)); i++) {
		if (i == 0)
			snprintf(out, NAME_SIZE, "%s%s", name[0] == '*' ? "relay" : "",
				name + (name[0] == '*'));
		if (strcmp(name, host) == 0)
			snprintf(out, NAME_SIZE, "%s", name);
	}
}

/* The configured certificate is the only one that is trusted, and under its own name: it need not
 * name the address that we reach it at. */
static void open_tls(const struct conf *conf, const char *root, const struct listen_address *at,
	struct target *ret)
{
	char *cert = runtime_resolve(root, conf->tls_cert);
	char *key = runtime_resolve(root, conf->tls_key);
	char name[NAME_SIZE], shown[URL_SIZE], reached[URL_SIZE], connect_to[2 * URL_SIZE + 2];
	struct fetch_options options = {.proxy = "", .ca_file = cert, .connect_to = connect_to};
	struct tls_problem problem;
	struct tls_pair *pair;

	snprintf(name, sizeof(name), "%s", host_to_ask(at));
	if (tls_pair_load(cert, key, &pair, &problem) == 0) {
		choose_name(pair, host_to_ask(at), name);
		tls_pair_free(pair);
	}
	format_host(name, at->port, shown, sizeof(shown));
	format_host(host_to_ask(at), at->port, reached, sizeof(reached));
	snprintf(connect_to, sizeof(connect_to), "%s:%s", shown, reached);
	snprintf(ret->base, sizeof(ret->base), "https://%.500s", shown);
	ret->net = cli_net_open(&options);
	free(cert);
	free(key);
}

/* --- asking --- */

static bool open_target(
	const struct conf *conf, const char *root, struct cli_live *live, struct target *ret)
{
	/* No proxy: it is our own address. */
	struct fetch_options options = {.proxy = ""};
	struct listen_address at;
	char host[URL_SIZE];

	if (!find_listener(conf, root, &at))
		return false;
	format_host(host_to_ask(&at), at.port, host, sizeof(host));
	if (at.kind == LISTEN_UNIX) {
		snprintf(live->address, sizeof(live->address), "unix:%s", at.path);
		snprintf(ret->base, sizeof(ret->base), "http://relay");
		options.unix_socket = at.path;
	} else {
		snprintf(live->address, sizeof(live->address), "%s%.280s",
			at.kind == LISTEN_TLS ? "tls://" : "", host);
		snprintf(ret->base, sizeof(ret->base), "http://%.500s", host);
	}
	if (at.kind == LISTEN_TLS)
		open_tls(conf, root, &at, ret);
	else
		ret->net = cli_net_open(&options);
	return true;
}

static void ask(const struct target *t, const char *path, const struct secret *token,
	struct cli_answer *ret)
{
	char value[TOKEN_HEADER_BYTES] = "", url[URL_SIZE + 128];
	struct http_header header = {.name = SV("Authorization")};
	struct call_request request = {
		.method = "GET",
		.url = url,
		.headers = &header,
		.connect_timeout_ms = PATIENCE_MS,
		.total_timeout_ms = PATIENCE_MS,
	};

	snprintf(url, sizeof(url), "%s%s", t->base, path);
	if (token) {
		snprintf(value, sizeof(value), "Bearer %.*s", SV_ARG(secret_expose(token)));
		header.value = sv_cstr(value);
		request.header_count = 1;
	}
	cli_net_call(t->net, &request, ret);
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
static void ask_health(const struct target *t, struct cli_live *live)
{
	struct cli_answer a;

	ask(t, "/healthz", NULL, &a);
	if (a.outcome == FETCH_CONNECT && strstr(a.message, "ertificate")) {
		live->state = CLI_LIVE_FOREIGN;
		snprintf(live->problem, sizeof(live->problem),
			"its certificate is not the one of tls.cert");
	} else if (a.outcome == FETCH_CONNECT) {
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
	const struct target *t, const struct secret *token, const char *root, struct cli_live *live)
{
	struct cli_answer a;
	json_t *config;

	ask(t, "/admin/config", token, &a);
	config = a.status == 200 ? object_of(&a) : NULL;
	if (config && is_other_root(config, root)) {
		live->state = CLI_LIVE_OTHER;
		snprintf(live->problem, sizeof(live->problem),
			"it serves another runtime directory");
	}
	json_decref(config);
	cli_answer_fini(&a);
}

static void ask_slots(const struct target *t, const struct secret *token, struct cli_live *live)
{
	struct cli_answer a;
	json_t *doc;

	ask(t, "/admin/slots", token, &a);
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

static const struct secret *token_of(const struct conf *conf)
{
	return secret_is_empty(&conf->admin_token) ? &conf->auth_token : &conf->admin_token;
}

json_t *cli_live_get(const struct conf *conf, const char *root, const char *path)
{
	json_t *object = NULL;
	struct cli_live live = {.state = CLI_LIVE_DOWN};
	struct cli_answer a;
	struct target t;

	if (!open_target(conf, root, &live, &t))
		return NULL;
	ask(&t, path, token_of(conf), &a);
	if (a.status == 200)
		object = object_of(&a);
	cli_answer_fini(&a);
	cli_net_close(t.net);
	return object;
}

void cli_live_ask(const struct conf *conf, const char *root, struct cli_live *ret)
{
	const struct secret *token = token_of(conf);
	struct target t;

	*ret = (struct cli_live){.state = CLI_LIVE_DOWN};
	if (!open_target(conf, root, ret, &t))
		return;
	ask_health(&t, ret);
	if (ret->state == CLI_LIVE_CLOSED)
		ask_slots(&t, token, ret);
	if (ret->state == CLI_LIVE_UP)
		ask_root(&t, token, root, ret);
	if (ret->state != CLI_LIVE_UP) {
		json_decref(ret->slots);
		ret->slots = NULL;
	}
	cli_net_close(t.net);
}

void cli_live_fini(struct cli_live *live)
{
	json_decref(live->health);
	json_decref(live->slots);
	live->health = live->slots = NULL;
}
