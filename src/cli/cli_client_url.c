#include "cli/cli_client_url.h"

#include "conf/runtime_dir.h"
#include "proto/url.h"

#include <stdlib.h>

enum { URL_SIZE = 1024 };

static int take_url(const struct cli_context *ctx, const char *given, bool tls, char **ret)
{
	struct sv text = sv_cstr(given);
	struct url url;

	while (sv_ends(text, SV("/")))
		text.n--;
	if (url_parse(text, &url) || text.n > URL_SIZE)
		return cli_fail(ctx, CLI_USAGE, "--url takes the relay's URL, as in %s",
			tls ? "https://127.0.0.1:8443" : "http://127.0.0.1:8787");
	if (url.path.n)
		return cli_fail(ctx, CLI_USAGE,
			"--url takes the relay's URL without a path: /v1 and the like are added");
	if (tls && !sv_eq(url.scheme, SV("https")))
		return cli_fail(ctx, CLI_USAGE, "this mode needs an https URL");
	*ret = mem_strndup(text.p, text.n);
	return CLI_OK;
}

/* A relay that listens everywhere is here too. */
static const char *reachable(const char *host)
{
	if (!*host || strcmp(host, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(host, "::") == 0 ? "::1" : host;
}

/* The first listener of a kind, at a port that is known. */
static bool find_listener(
	const struct conf_listen *listen, enum listen_kind kind, struct listen_address *ret)
{
	for (size_t i = 0; i < listen->all.count; i++) {
		if (url_parse_listener(sv_cstr(listen->all.items[i]), ret) == 0 &&
			ret->kind == kind && ret->port)
			return true;
	}
	return false;
}

static int url_of_conf(const struct cli_context *ctx, const struct conf *conf, bool tls, char **ret)
{
	struct listen_address at;
	const char *shown;
	struct buf url;

	if ((tls || !find_listener(&conf->listeners, LISTEN_TCP, &at)) &&
		!find_listener(&conf->listeners, LISTEN_TLS, &at))
		return cli_fail(ctx, CLI_FAILED,
			"`listen` of the configuration does not say where clients reach the "
			"relay%s: "
			"use --url",
			tls ? " by https" : "");
	shown = reachable(at.host);
	buf_init(&url, URL_SIZE);
	buf_addf(&url, strchr(shown, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
		at.kind == LISTEN_TLS ? "https" : "http", shown, at.port);
	*ret = mem_strdup(buf_cstr(&url));
	buf_fini(&url);
	return CLI_OK;
}

int cli_client_url(const struct cli_context *ctx, bool tls, char **ret)
{
	const char *given = cli_value(ctx, "--url");
	struct conf *conf;
	int status;

	if (given)
		return take_url(ctx, given, tls, ret);
	status = cli_load_conf(ctx, &conf);
	if (status)
		return status;
	status = url_of_conf(ctx, conf, tls, ret);
	conf_unref(conf);
	return status;
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

char *cli_client_codex_home(const struct cli_context *ctx)
{
	const char *home = cli_value(ctx, "--codex-home");

	if (!home)
		home = environment("CODEX_HOME");
	if (home)
		return mem_strdup(home);
	home = environment("HOME");
	return home ? runtime_path(home, ".codex") : NULL;
}
