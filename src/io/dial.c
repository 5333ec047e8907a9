#include "io/dial.h"

#include "base/clock.h"
#include "io/conn_internal.h"
#include "io/curl_uv.h"
#include "io/fetch_outcome.h"
#include "io/tls_client.h"
#include "proto/no_proxy.h"
#include "proto/url.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HOST_BYTES = 256, URL_BYTES = HOST_BYTES + 32 };

/* START -> CONNECT -> (TLS ->) the end. Whose proxy or URL is wrong ends in START. */
enum dial_state {
	DIAL_START,   /* waits for the end of the loop turn */
	DIAL_CONNECT, /* libcurl has it */
	DIAL_TLS,     /* conn shakes hands */
};

struct dial {
	struct dialer *dialer;
	struct dial *next, **prev;
	enum dial_state state;
	bool tls;
	char host[HOST_BYTES]; /* without brackets */
	uint16_t port;
	const char *fault; /* NULL: none yet */
	CURL *easy;
	bool in_curl;
	struct conn *conn; /* in DIAL_TLS */
	int64_t start_us;
	struct deferred begin;
	struct timer timer;
	void (*on_done)(void *arg, const struct dial_result *result);
	void *arg;
	char curl_error[CURL_ERROR_SIZE];
};

struct dialer {
	struct loop *loop;
	struct curl_uv *curl;
	struct tls_client *tls;
	char *proxy; /* NULL: the environment's */
	struct dial *dials;
	long count;
};

/* URLs. */

/* Sockets are dialed as the HTTP that they begin with (RFC 6455 3). Views of url, but for the
 * scheme; storage is the caller's. */
static int read_url(const char *url, struct buf *storage, struct url *ret)
{
	struct sv text = sv_cstr(url);

	if (sv_istarts(text, SV("ws://")) || sv_istarts(text, SV("wss://"))) {
		buf_add_lit(storage, "http");
		text = sv_from(text, 2);
	}
	buf_add_sv(storage, text);
	if (buf_error(storage))
		return -EINVAL;
	return url_parse(buf_sv(storage), ret);
}

static bool is_tls(const struct url *url)
{
	return sv_eq(url->scheme, SV("https"));
}

/* Proxies. */

static const char *first_of_environment(const char *const *names)
{
	for (; *names; names++) {
		const char *value = getenv(*names);

		if (value && value[0])
			return value;
	}
	return "";
}

/* As libcurl chooses for such a URL; HTTP_PROXY is no name of it, since CGI lets clients set it. */
static const char *proxy_of_environment(bool tls)
{
	static const char *const of_tls[] = {
		"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL};
	static const char *const of_plain[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};

	return first_of_environment(tls ? of_tls : of_plain);
}

/* "": none. As in libcurl, the environment spares hosts from a configured proxy, too. */
static const char *proxy_for(const struct dialer *d, bool tls, struct sv host)
{
	static const char *const of_spared[] = {"no_proxy", "NO_PROXY", NULL};

	if (no_proxy_names(sv_cstr(first_of_environment(of_spared)), host))
		return "";
	return d->proxy ? d->proxy : proxy_of_environment(tls);
}

static bool passes(struct sv proxy, bool tls)
{
	if (sv_istarts(proxy, SV("https:")))
		return false;
	return tls || proxy.n == 0 || sv_istarts(proxy, SV("socks"));
}

bool dialer_reaches(const struct dialer *d, const char *url)
{
	struct buf storage;
	struct url parts;
	bool can;

	buf_init(&storage, KIB(8));
	can = read_url(url, &storage, &parts) == 0;
	if (can)
		can = passes(sv_cstr(proxy_for(d, is_tls(&parts), parts.host)), is_tls(&parts));
	buf_fini(&storage);
	return can;
}

/* The end of a dial. */

static void detach(struct dial *d)
{
	timer_stop(&d->timer);
	loop_undefer(&d->begin);
	if (d->in_curl)
		curl_uv_remove(d->dialer->curl, d->easy);
	d->in_curl = false;
	*d->prev = d->next;
	if (d->next)
		d->next->prev = d->prev;
	d->dialer->count--;
}

static void dial_free(struct dial *d)
{
	curl_easy_cleanup(d->easy);
	free(d);
}

static void finish(struct dial *d, struct dial_result result)
{
	result.connect_us = clock_mono_us() - d->start_us;
	d->on_done(d->arg, &result);
	dial_free(d);
}

/* Messages may lie in d. */
static void fail(struct dial *d, enum fetch_outcome outcome, const char *message)
{
	detach(d);
	finish(d, (struct dial_result){.outcome = outcome, .message = message});
}

static void succeed(struct dial *d, struct conn *c)
{
	detach(d);
	finish(d, (struct dial_result){.conn = c, .outcome = FETCH_OK, .message = ""});
}

/* Its end is nobody's any more. */
static void drop_conn(struct dial *d)
{
	if (!d->conn)
		return;
	conn_disown(d->conn);
	conn_close_now(d->conn, CONN_END_LOCAL);
	d->conn = NULL;
}

static void on_timer(struct timer *t)
{
	struct dial *d = CONTAINER_OF(t, struct dial, timer);

	drop_conn(d);
	fail(d, FETCH_TIMEOUT,
		d->state == DIAL_TLS ? "the TLS handshake timed out" : "connect timed out");
}

/* TLS. */

static void on_handshake(void *arg, const char *error)
{
	struct dial *d = arg;
	struct conn *c = d->conn;
	char message[256];

	if (error) {
		snprintf(message, sizeof(message), "TLS: %s", error);
		drop_conn(d);
		fail(d, FETCH_CONNECT, message);
		return;
	}
	conn_read_stop(c);
	conn_disown(c);
	d->conn = NULL;
	succeed(d, c);
}

static void on_conn_closed(struct conn *c, enum conn_end why)
{
	struct dial *d = conn_owner(c);

	(void)why;
	d->conn = NULL;
	fail(d, FETCH_CONNECT, "TLS: the connection was closed inside the handshake");
}

static void begin_tls(struct dial *d, struct conn *c)
{
	static const struct conn_ops ops = {.on_closed = on_conn_closed};
	const char *error = NULL;
	struct ssl_st *ssl = tls_client_ssl(d->dialer->tls, d->host, d->port, &error);

	d->state = DIAL_TLS;
	d->conn = c;
	if (!ssl) {
		drop_conn(d);
		fail(d, FETCH_CONNECT, error);
		return;
	}
	conn_set_owner(c, &ops, d);
	conn_tls_connect(c, ssl, on_handshake, d);
}

/* libcurl's part. */

/* A descriptor of our own of the socket that libcurl has connected; libcurl closes its own. */
static int take_socket(struct dial *d)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	int ours = -1;

	curl_easy_getinfo(d->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd != CURL_SOCKET_BAD)
		ours = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	curl_uv_remove(d->dialer->curl, d->easy);
	d->in_curl = false;
	return ours;
}

static void connected(struct dial *d)
{
	struct conn *c = NULL;
	int fd = take_socket(d);

	if (fd < 0) {
		fail(d, FETCH_CONNECT, "the connection was lost at once");
	} else if (conn_adopt(d->dialer->loop, fd, &c)) {
		close(fd);
		fail(d, FETCH_CONNECT, "the connection cannot be watched");
	} else if (d->tls) {
		begin_tls(d, c);
	} else {
		succeed(d, c);
	}
}

/* Text for people, static or in storage. */
static const char *why_failed(struct dial *d, CURLcode code, char storage[FETCH_MESSAGE_BYTES])
{
	static const struct fetch_head no_head;
	const struct fetch_ending ending = {
		.easy = d->easy, .code = code, .head = &no_head, .curl_error = d->curl_error};
	long status = 0;

	curl_easy_getinfo(d->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	if (status < 300)
		return fetch_outcome_message(&ending, storage);
	snprintf(storage, FETCH_MESSAGE_BYTES, "the proxy refused with HTTP %ld", status);
	return storage;
}

static void on_curl_done(void *arg, CURL *easy, CURLcode code)
{
	char storage[FETCH_MESSAGE_BYTES];
	struct dial *d = NULL;

	(void)arg;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&d);
	assert(d && d->in_curl);
	if (code == CURLE_OK)
		connected(d);
	else
		fail(d, FETCH_CONNECT, why_failed(d, code, storage));
}

static void set_options(struct dial *d)
{
	const char *proxy = proxy_for(d->dialer, d->tls, sv_cstr(d->host));
	CURL *easy = d->easy;
	char url[URL_BYTES];

	snprintf(url, sizeof(url), strchr(d->host, ':') ? "http://[%s]:%u" : "http://%s:%u",
		d->host, (unsigned)d->port);
	curl_uv_prepare(d->dialer->curl, easy);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, d);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, d->curl_error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Or removing a handle would wait for its resolver thread. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	/* The dial's own timer counts. */
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 3600L * 1000);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
	curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

static void on_begin(struct deferred *deferred)
{
	struct dial *d = CONTAINER_OF(deferred, struct dial, begin);

	if (d->fault) {
		fail(d, FETCH_CONNECT, d->fault);
		return;
	}
	set_options(d);
	/* libcurl keeps each until it is taken from it. */
	curl_uv_limit(d->dialer->curl, 0, d->dialer->count + 1);
	d->state = DIAL_CONNECT;
	d->in_curl = curl_uv_add(d->dialer->curl, d->easy) == CURLM_OK;
	if (!d->in_curl)
		fail(d, FETCH_CONNECT, "libcurl refused the connection");
}

/* Life. */

static const char *note_target(struct dial *d, const char *url)
{
	const char *fault = NULL;
	struct buf storage;
	struct url parts;

	buf_init(&storage, KIB(8));
	if (read_url(url, &storage, &parts) || parts.host.n == 0 || parts.host.n >= HOST_BYTES) {
		fault = "bad URL";
	} else {
		d->tls = is_tls(&parts);
		d->port = parts.port;
		memcpy(d->host, parts.host.p, parts.host.n);
	}
	buf_fini(&storage);
	return fault;
}

struct dial *dial_start(struct dialer *dialer, const char *url, int64_t timeout_ms,
	void (*on_done)(void *arg, const struct dial_result *result), void *arg)
{
	struct dial *d = mem_zalloc(sizeof(*d));

	d->dialer = dialer;
	d->on_done = on_done;
	d->arg = arg;
	d->start_us = clock_mono_us();
	d->easy = curl_easy_init();
	assert(d->easy);
	d->fault = note_target(d, url);
	if (!d->fault && !dialer_reaches(dialer, url))
		d->fault = "no way through this proxy";
	d->begin.fn = on_begin;
	loop_defer(dialer->loop, &d->begin);
	timer_init(&d->timer, dialer->loop, on_timer);
	timer_start(&d->timer, timeout_ms);
	d->next = dialer->dials;
	d->prev = &dialer->dials;
	if (d->next)
		d->next->prev = &d->next;
	dialer->dials = d;
	dialer->count++;
	return d;
}

void dial_cancel(struct dial *d)
{
	drop_conn(d);
	detach(d);
	dial_free(d);
}

struct dialer *dialer_new(struct loop *loop, const struct dialer_options *options)
{
	struct dialer *d = mem_zalloc(sizeof(*d));
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);

	assert(code == CURLE_OK);
	(void)code;
	d->loop = loop;
	d->curl = curl_uv_new(loop, on_curl_done, d);
	d->tls = tls_client_new(options->ca_file);
	d->proxy = mem_strdup(options->proxy);
	return d;
}

struct loop *dialer_loop(const struct dialer *d)
{
	return d->loop;
}

void dialer_free(struct dialer *d)
{
	if (!d)
		return;
	while (d->dials)
		dial_cancel(d->dials);
	curl_uv_free(d->curl);
	tls_client_free(d->tls);
	curl_global_cleanup();
	free(d->proxy);
	free(d);
}
