#include "cli/cli_doctor.h"
#include "cli/cli_live.h"
#include "cli/cli_net.h"

#include "base/clock.h"
#include "io/fetch_conf.h"
#include "proto/no_proxy.h"
#include "proto/url.h"
#include "slots/usage_text.h"
#include "version.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 10 * 1000,
	SKEW_WARN_MS = 60 * 1000,
	SKEW_FAIL_MS = 300 * 1000,
};

/* --- our own address --- */

/* 0, or why nobody could listen there: -errno. */
static int try_bind(const struct listen_address *at)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	char service[8];
	int fd, on = 1, err = 0;

	snprintf(service, sizeof(service), "%u", (unsigned)at->port);
	if (getaddrinfo(at->host[0] ? at->host : NULL, service, &hints, &found) != 0)
		return -EADDRNOTAVAIL;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	freeaddrinfo(found);
	return err;
}

/* The same for a socket's file, which the relay replaces when it is a dead one. */
static int try_path(const char *path)
{
	char *dir = mem_strdup(path);
	struct stat st;
	int err = 0;

	*(strrchr(dir, '/') + 1) = '\0';
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		err = -EEXIST;
	else if (access(dir, W_OK | X_OK) != 0)
		err = -errno;
	free(dir);
	return err;
}

static const char *advice_for_listener(const struct listen_address *at, int err)
{
	if (at->kind == LISTEN_UNIX)
		return err == -EEXIST ? "move that file away, or config set listen"
				      : "make its directory, or config set listen";
	return err == -EACCES ? "take a port of 1024 or higher: config set listen"
			      : "end the other program, or config set listen";
}

static bool check_listener(struct doctor *d, const char *address)
{
	struct listen_address at;
	int err = url_parse_listener(sv_cstr(address), &at);

	if (!err)
		err = at.kind == LISTEN_UNIX ? try_path(at.path) : try_bind(&at);
	if (!err)
		return true;
	cli_doctor_tell(d, DOCTOR_FAIL, "port", advice_for_listener(&at, err),
		"no relay answers, and nobody can listen at %s: %s", address, strerror(-err));
	return false;
}

/* No relay runs: could one listen everywhere? */
static void check_free(struct doctor *d)
{
	bool all = true;
	size_t i = 0;
	char *address;

	for (; (address = conf_listen_address(&d->conf->listeners, i, d->ctx->root)); i++) {
		all = check_listener(d, address) && all;
		free(address);
	}
	if (all && i == 1)
		cli_doctor_tell(d, DOCTOR_OK, "port", NULL, "%s is free; the relay is not running",
			d->conf->listen);
	else if (all)
		cli_doctor_tell(d, DOCTOR_OK, "port", NULL,
			"all %zu addresses are free; the relay is not running", i);
}

static void check_socket_host(struct doctor *d, const json_t *host)
{
	const char *name = json_string_value(json_object_get(host, "host"));
	const char *until = json_string_value(json_object_get(host, "httpUntil"));
	int64_t until_ms = 0;
	char span[USAGE_SPAN_SIZE];

	if (!name || !until || clock_parse_iso(sv_cstr(until), &until_ms) != 0)
		return;
	usage_text_span(until_ms - d->now_ms, span);
	cli_doctor_tell(d, DOCTOR_WARN, "sockets",
		"the log says why (upstream.websocket): a proxy that takes none? config set "
		"upstream.transport http ends the attempts",
		"%.300s takes no WebSockets; turns go there over HTTP for another %s", name, span);
}

/* Of a relay that runs and may open WebSockets to upstream. */
static void check_sockets(struct doctor *d)
{
	size_t before = d->warnings;
	json_t *stats, *sockets, *host;
	size_t i;

	if (d->conf->upstream_transport == TRANSPORT_HTTP)
		return;
	stats = cli_live_get(d->conf, d->ctx->root, "/admin/stats");
	sockets = json_object_get(stats, "upstreamSockets");
	json_array_foreach(json_object_get(sockets, "hosts"), i, host)
	{
		check_socket_host(d, host);
	}
	if (sockets && d->warnings == before)
		cli_doctor_tell(d, DOCTOR_OK, "sockets", NULL,
			"WebSockets to upstream: %lld with a turn, %lld between turns",
			(long long)json_integer_value(json_object_get(sockets, "busy")),
			(long long)json_integer_value(json_object_get(sockets, "idle")));
	json_decref(stats);
}

static void tell_live(struct doctor *d, const struct cli_live *live)
{
	if (strcmp(live->version, RELAY_VERSION) != 0)
		cli_doctor_tell(d, DOCTOR_WARN, "port", "restart serve",
			"the running relay is version %s, this program %s", live->version,
			RELAY_VERSION);
	else
		cli_doctor_tell(d, DOCTOR_OK, "port", NULL, "the relay runs at %s, version %s",
			live->address, live->version);
	check_sockets(d);
}

void cli_doctor_port(struct doctor *d)
{
	struct cli_live live;

	if (!d->conf)
		return;
	cli_live_ask(d->conf, d->ctx->root, &live);
	if (live.state == CLI_LIVE_DOWN)
		check_free(d);
	else if (live.state == CLI_LIVE_FOREIGN || live.state == CLI_LIVE_SILENT)
		cli_doctor_tell(d, DOCTOR_FAIL, "port",
			"end the other program, or config set listen",
			"something else listens at %s: %s", live.address, live.problem);
	else if (live.state != CLI_LIVE_UP)
		cli_doctor_tell(d, DOCTOR_WARN, "port",
			"is it the relay of another directory, or an old configuration of this "
			"one?",
			"a relay runs at %s, but %s", live.address, live.problem);
	else
		tell_live(d, &live);
	cli_live_fini(&live);
}

/* --- proxies --- */

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* Does no_proxy name this machine? */
static bool spares_loopback(void)
{
	const char *told = environment("no_proxy");

	if (!told)
		told = environment("NO_PROXY");
	return told && no_proxy_names(sv_cstr(told), SV("127.0.0.1"));
}

static void check_proxies(struct doctor *d)
{
	/* HTTP_PROXY in capitals is read by some clients, not by libcurl. */
	static const char *const names[] = {
		"https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", "HTTP_PROXY"};
	const char *first = NULL;

	for (size_t i = 0; i < ARRAY_LEN(names) && !first; i++)
		first = environment(names[i]) ? names[i] : NULL;
	if (!first) {
		cli_doctor_tell(d, DOCTOR_OK, "proxy", NULL, "no proxy in the environment");
		return;
	}
	if (d->conf && !d->conf->upstream_proxy[0])
		cli_doctor_tell(d, DOCTOR_OK, "proxy", NULL,
			"the environment names a proxy (%s), which requests to upstream use; "
			"upstream.proxy goes before it",
			first);
	if (spares_loopback())
		cli_doctor_tell(d, DOCTOR_OK, "proxy", NULL, "clients reach the relay without it");
	else
		cli_doctor_tell(d, DOCTOR_WARN, "proxy",
			"export NO_PROXY=127.0.0.1,localhost where the clients run",
			"clients with this environment (%s) ask the proxy for the relay's address",
			first);
}

/* --- upstream --- */

static void check_clock(struct doctor *d, const char *date)
{
	struct tm tm = {0};
	const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S", &tm);
	int64_t skew_ms, size_ms;

	if (!end)
		return;
	skew_ms = clock_wall_ms() - (int64_t)timegm(&tm) * 1000;
	size_ms = skew_ms < 0 ? -skew_ms : skew_ms;
	if (size_ms < SKEW_WARN_MS)
		cli_doctor_tell(d, DOCTOR_OK, "clock", NULL, "it agrees with upstream's");
	else
		cli_doctor_tell(d, size_ms < SKEW_FAIL_MS ? DOCTOR_WARN : DOCTOR_FAIL, "clock",
			"set it: timedatectl set-ntp true",
			"it is %lld seconds %s upstream's: tokens and limits end at wrong times",
			(long long)(size_ms / 1000), skew_ms > 0 ? "ahead of" : "behind");
}

static const char *advice_for(const struct cli_answer *a)
{
	if (a->outcome == FETCH_CONNECT && strstr(a->message, "ertificate"))
		return "a proxy that opens TLS? Its certificate goes into upstream.caFile";
	if (a->outcome == FETCH_CONNECT)
		return "check name resolution, firewall, upstream.proxy and the environment's "
		       "proxy";
	return "check the address and the proxy";
}

static bool is_cleartext(const char *text)
{
	struct url url;

	if (url_parse(sv_cstr(text), &url) != 0 || sv_eq(url.scheme, SV("https")))
		return false;
	return !sv_starts(url.host, SV("127.")) && !sv_eq(url.host, SV("localhost")) &&
	       !sv_eq(url.host, SV("::1"));
}

/* Any answer will do: the address was reached, and its certificate is good. No token is sent. */
static void check_url(
	struct doctor *d, struct cli_net *net, const char *what, const char *url, bool *clock_known)
{
	struct call_request request = {
		.method = "GET",
		.url = url,
		.connect_timeout_ms = d->conf->upstream_connect_timeout_s * 1000,
		.total_timeout_ms = PATIENCE_MS,
	};
	int64_t began_ms = clock_mono_ms();
	struct cli_answer a;

	cli_net_call(net, &request, &a);
	if (a.status) {
		cli_doctor_tell(d, DOCTOR_OK, what, NULL, "%.300s answers after %lld ms", url,
			(long long)(clock_mono_ms() - began_ms));
		if (a.date[0] && !*clock_known) {
			check_clock(d, a.date);
			*clock_known = true;
		}
	} else {
		cli_doctor_tell(d, DOCTOR_FAIL, what, advice_for(&a),
			"%.300s cannot be reached: %s", url, a.message);
	}
	if (is_cleartext(url))
		cli_doctor_tell(d, DOCTOR_WARN, what, "use https",
			"%.300s is not encrypted: tokens can be read on the way", url);
	cli_answer_fini(&a);
}

/* Slots may have backends of their own; each is asked once. */
static void check_slot_urls(struct doctor *d, struct cli_net *net, bool *clock_known)
{
	for (size_t i = 0; d->slots && i < slot_table_count(d->slots); i++) {
		const char *url = slot_table_at(d->slots, i)->base_url;
		bool known = !url || strcmp(url, d->conf->upstream_base_url) == 0;

		for (size_t k = 0; k < i && !known; k++) {
			const char *other = slot_table_at(d->slots, k)->base_url;

			known = other && strcmp(other, url) == 0;
		}
		if (!known)
			check_url(d, net, slot_table_at(d->slots, i)->id, url, clock_known);
	}
}

void cli_doctor_network(struct doctor *d, bool offline)
{
	struct fetch_options options;
	bool clock_known = false;
	struct cli_net *net;

	check_proxies(d);
	if (offline || !d->conf)
		return;
	options = fetch_conf_options(d->conf);
	net = cli_net_open(&options);
	check_url(d, net, "upstream", d->conf->upstream_base_url, &clock_known);
	check_url(d, net, "issuer", d->conf->auth_issuer, &clock_known);
	check_slot_urls(d, net, &clock_known);
	cli_net_close(net);
}
