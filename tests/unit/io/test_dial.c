/*
 * dial against a listener of ours on the same loop: plain and TLS connections that carry bytes
 * both ways, certificates that are refused, nobody listening, time over, and cancelling.
 */
#include "cert_rig.h"
#include "io/dial.h"
#include "io/tls_server.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>

#include <cmocka.h>

static struct loop *loop;
static struct listener *listener;
static struct tls_server *tls;
static char ca_file[] = "/tmp/test_dial_ca_XXXXXX";
static char key_file[] = "/tmp/test_dial_key_XXXXXX";
static int echoed, server_closed;

struct probe {
	struct dialer *dialer;
	struct dial *dial;
	struct conn *conn;
	struct timer timer;
	enum fetch_outcome outcome;
	char message[256];
	char read[64];
	size_t read_bytes;
	int done, closed;
};

/* --- the server: echoes --- */

static void on_server_read(struct conn *c, struct sv bytes)
{
	echoed++;
	conn_write(c, bytes);
}

static void on_server_closed(struct conn *c, enum conn_end why)
{
	(void)c;
	(void)why;
	server_closed++;
}

static void on_accept(void *arg, struct conn *c)
{
	static const struct conn_ops ops = {
		.on_read = on_server_read, .on_closed = on_server_closed};

	(void)arg;
	conn_set_owner(c, &ops, NULL);
	conn_read_start(c);
}

static void write_pem(const char *names, long seconds)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = make_certificate(key, names, seconds);
	FILE *file = fdopen(mkstemp(ca_file), "w");

	PEM_write_X509(file, x);
	fclose(file);
	file = fdopen(mkstemp(key_file), "w");
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void server_open(const char *address)
{
	struct listener_options options = {.address = address, .group = accept_group_new(64)};

	options.tls = tls;
	echoed = server_closed = 0;
	loop = loop_new();
	assert_int_equal(listener_new(loop, &options, on_accept, NULL, &listener), 0);
	accept_group_unref(options.group);
}

static void tls_open(const char *names, long seconds)
{
	struct tls_options options = {0};
	struct tls_problem problem;
	struct tls_pair *pair;

	write_pem(names, seconds);
	assert_int_equal(tls_pair_load(ca_file, key_file, &pair, &problem), 0);
	tls = tls_server_new(&options);
	assert_int_equal(tls_server_use(tls, pair, false, &problem), 0);
	tls_pair_free(pair);
}

static void tls_close(void)
{
	tls_server_free(tls);
	tls = NULL;
	unlink(ca_file);
	unlink(key_file);
	memcpy(ca_file + sizeof(ca_file) - 7, "XXXXXX", 6);
	memcpy(key_file + sizeof(key_file) - 7, "XXXXXX", 6);
}

static int port_of_listener(void)
{
	return (int)strtol(strrchr(listener_address(listener), ':') + 1, NULL, 10);
}

/* --- the client --- */

static void end_all(struct probe *p)
{
	timer_stop(&p->timer);
	dialer_free(p->dialer);
	p->dialer = NULL;
	if (listener)
		listener_free(listener);
	listener = NULL;
}

static void on_end_time(struct timer *t)
{
	end_all(CONTAINER_OF(t, struct probe, timer));
}

static void on_client_read(struct conn *c, struct sv bytes)
{
	struct probe *p = conn_owner(c);

	assert_true(bytes.n <= sizeof(p->read) - p->read_bytes);
	memcpy(p->read + p->read_bytes, bytes.p, bytes.n);
	p->read_bytes += bytes.n;
	if (p->read_bytes == 5)
		conn_close_after_write(c, CONN_END_LOCAL);
}

static void on_client_closed(struct conn *c, enum conn_end why)
{
	struct probe *p = conn_owner(c);

	(void)why;
	p->closed++;
	timer_start(&p->timer, 0);
}

static void on_done(void *arg, const struct dial_result *r)
{
	static const struct conn_ops ops = {
		.on_read = on_client_read, .on_closed = on_client_closed};
	struct probe *p = arg;

	p->done++;
	p->dial = NULL;
	p->outcome = r->outcome;
	p->conn = r->conn;
	snprintf(p->message, sizeof(p->message), "%s", r->message);
	assert_true(r->connect_us > 0);
	if (!r->conn) {
		timer_start(&p->timer, 0);
		return;
	}
	conn_set_owner(r->conn, &ops, p);
	conn_read_start(r->conn);
	conn_write(r->conn, SV("hello"));
}

static const char *proxy_url = "";

static void probe_start(struct probe *p, const char *url, const char *ca, int64_t timeout_ms)
{
	struct dialer_options options = {.ca_file = ca, .proxy = proxy_url};

	*p = (struct probe){0};
	timer_init(&p->timer, loop, on_end_time);
	p->dialer = dialer_new(loop, &options);
	p->dial = dial_start(p->dialer, url, timeout_ms, on_done, p);
	assert_int_equal(p->done, 0);
}

static struct probe dial_once(const char *scheme, const char *host, const char *ca)
{
	struct probe p;
	char url[128];

	snprintf(url, sizeof(url), "%s://%s:%d/x", scheme, host, port_of_listener());
	probe_start(&p, url, ca, 20000);
	loop_run(loop);
	loop_free(loop);
	assert_int_equal(p.done, 1);
	return p;
}

static void assert_echoed(const struct probe *p)
{
	assert_string_equal(p->message, "");
	assert_int_equal(p->outcome, FETCH_OK);
	assert_int_equal(p->read_bytes, 5);
	assert_memory_equal(p->read, "hello", 5);
	assert_int_equal(p->closed, 1);
}

static void test_plain_connection_carries_bytes(void **state)
{
	static const struct {
		const char *listen, *host;
	} rows[] = {
		{"127.0.0.1:0", "127.0.0.1"}, {"127.0.0.1:0", "localhost"}, {"[::1]:0", "[::1]"}};
	struct probe p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		server_open(rows[i].listen);
		p = dial_once(i ? "ws" : "http", rows[i].host, NULL);
		assert_echoed(&p);
	}
}

static void test_tls_connection_carries_bytes(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost"};
	struct probe p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		tls_open("IP:127.0.0.1,DNS:localhost", 3600);
		server_open("tls://127.0.0.1:0");
		p = dial_once(i ? "wss" : "https", hosts[i], ca_file);
		assert_echoed(&p);
		tls_close();
	}
}

static void test_bad_certificates_are_refused(void **state)
{
	static const struct {
		const char *host, *names;
		long seconds;
		bool trusted;
		const char *told;
	} rows[] = {
		{"127.0.0.1", "DNS:other.example", 3600, true, "IP address mismatch"},
		{"localhost", "DNS:local*,DNS:*.localhost,IP:127.0.0.1", 3600, true,
			"hostname mismatch"},
		{"127.0.0.1", "IP:127.0.0.1", -3600, true, "expired"},
		{"127.0.0.1", "IP:127.0.0.1", 3600, false, "self-signed"},
	};
	struct probe p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		tls_open(rows[i].names, rows[i].seconds);
		server_open("tls://127.0.0.1:0");
		p = dial_once("https", rows[i].host, rows[i].trusted ? ca_file : NULL);
		tls_close();
		assert_null(p.conn);
		assert_int_equal(p.outcome, FETCH_CONNECT);
		if (!strstr(p.message, rows[i].told))
			fail_msg("told: %s", p.message);
		assert_int_equal(echoed, 0);
	}
}

static void test_failures_are_told(void **state)
{
	struct probe p;

	(void)state;
	server_open("127.0.0.1:0");
	probe_start(&p, "ftp://x/", NULL, 20000);
	loop_run(loop);
	loop_free(loop);
	assert_int_equal(p.outcome, FETCH_CONNECT);
	assert_string_equal(p.message, "bad URL");
	/* The server speaks no TLS. */
	server_open("127.0.0.1:0");
	p = dial_once("https", "127.0.0.1", NULL);
	assert_int_equal(p.outcome, FETCH_CONNECT);
	assert_non_null(strstr(p.message, "TLS"));
}

static int listen_silently(struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(*address);

	*address = (struct sockaddr_in){.sin_family = AF_INET};
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)address, n), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &n), 0);
	return fd;
}

static struct probe dial_silent(bool refused, int64_t timeout_ms)
{
	struct sockaddr_in address;
	int fd = listen_silently(&address);
	struct probe p;
	char url[64];

	if (refused)
		close(fd);
	loop = loop_new();
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", ntohs(address.sin_port));
	probe_start(&p, url, NULL, timeout_ms);
	loop_run(loop);
	loop_free(loop);
	if (!refused)
		close(fd);
	assert_int_equal(p.done, 1);
	assert_null(p.conn);
	return p;
}

static void test_refused_and_silent_servers(void **state)
{
	struct probe p = dial_silent(true, 20000);

	(void)state;
	assert_int_equal(p.outcome, FETCH_CONNECT);
	assert_non_null(strstr(p.message, "refused"));
	p = dial_silent(false, 50);
	assert_int_equal(p.outcome, FETCH_TIMEOUT);
	assert_non_null(strstr(p.message, "timed out"));
}

/* Wherever the dial is after so many milliseconds: waiting, connecting, shaking hands. */
static void test_cancelled_at_any_stage(void **state)
{
	struct sockaddr_in address;
	int fd = listen_silently(&address);
	char url[64];

	(void)state;
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", ntohs(address.sin_port));
	for (int64_t after_ms = -1; after_ms < 3; after_ms++) {
		struct probe p;

		loop = loop_new();
		probe_start(&p, url, NULL, 20000);
		if (after_ms < 0)
			end_all(&p);
		else
			timer_start(&p.timer, after_ms * 10);
		loop_run(loop);
		loop_free(loop);
		assert_int_equal(p.done, 0);
	}
	close(fd);
}

/* --- proxies: one connection each --- */

enum proxy_kind { PROXY_CONNECT, PROXY_REFUSES, PROXY_SOCKS };

static struct {
	enum proxy_kind kind;
	struct listener *listener;
	struct dialer *dialer;
	struct conn *near, *far; /* the client's side, and the server's */
	struct buf asked;
	int replies;
	char url[64];
} proxy;

static void on_proxy_read(struct conn *c, struct sv bytes)
{
	if (c == proxy.far)
		conn_write(proxy.near, bytes);
	else
		conn_write(proxy.far, bytes);
}

static void on_proxy_closed(struct conn *c, enum conn_end why)
{
	struct conn *other = c == proxy.near ? proxy.far : proxy.near;

	if (c == proxy.near)
		proxy.near = NULL;
	else
		proxy.far = NULL;
	if (other)
		conn_close_now(other, why);
	if (proxy.listener)
		listener_free(proxy.listener);
	proxy.listener = NULL;
}

static const struct conn_ops piped_ops = {.on_read = on_proxy_read, .on_closed = on_proxy_closed};

static void on_far(void *arg, const struct dial_result *r)
{
	(void)arg;
	assert_non_null(r->conn);
	proxy.far = r->conn;
	conn_set_owner(proxy.far, &piped_ops, NULL);
	conn_set_owner(proxy.near, &piped_ops, NULL);
	conn_read_start(proxy.far);
	conn_write(proxy.near, proxy.kind == PROXY_SOCKS ? SV("\5\0\0\1\0\0\0\0\0\0")
							 : SV("HTTP/1.1 200 Go\r\n\r\n"));
}

static void dial_far(void)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port_of_listener());
	dial_start(proxy.dialer, url, 20000, on_far, NULL);
}

/* What the client wants of the proxy. */
static void on_asked(struct conn *c, struct sv bytes)
{
	buf_add_sv(&proxy.asked, bytes);
	if (proxy.kind == PROXY_SOCKS) {
		if (proxy.replies++)
			dial_far();
		else
			conn_write(c, SV("\5\0"));
	} else if (sv_ends(buf_sv(&proxy.asked), SV("\r\n\r\n"))) {
		if (proxy.kind == PROXY_CONNECT)
			dial_far();
		else
			conn_write(c, SV("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"));
	}
}

static void on_proxy_accept(void *arg, struct conn *c)
{
	static const struct conn_ops ops = {.on_read = on_asked, .on_closed = on_proxy_closed};

	(void)arg;
	proxy.near = c;
	conn_set_owner(c, &ops, NULL);
	conn_read_start(c);
}

static void proxy_open(enum proxy_kind kind)
{
	struct dialer_options options = {.proxy = ""};
	struct listener_options listening = {
		.address = "127.0.0.1:0", .group = accept_group_new(64)};

	memset(&proxy, 0, sizeof(proxy));
	proxy.kind = kind;
	buf_init(&proxy.asked, KIB(4));
	assert_int_equal(listener_new(loop, &listening, on_proxy_accept, NULL, &proxy.listener), 0);
	accept_group_unref(listening.group);
	proxy.dialer = dialer_new(loop, &options);
	snprintf(proxy.url, sizeof(proxy.url), "%s%s",
		kind == PROXY_SOCKS ? "socks5://" : "http://", listener_address(proxy.listener));
	proxy_url = proxy.url;
}

/* As dial_once(); the proxy's dialer must live as long as the loop has work. */
static struct probe dial_by_proxy(const char *scheme, const char *ca)
{
	struct probe p;
	char url[128];

	snprintf(url, sizeof(url), "%s://127.0.0.1:%d/x", scheme, port_of_listener());
	probe_start(&p, url, ca, 20000);
	loop_run(loop);
	dialer_free(proxy.dialer);
	loop_run(loop);
	loop_free(loop);
	proxy_url = "";
	assert_int_equal(p.done, 1);
	return p;
}

static void test_connect_of_an_http_proxy(void **state)
{
	struct probe p;

	(void)state;
	for (int refuses = 0; refuses < 2; refuses++) {
		tls_open("IP:127.0.0.1", 3600);
		server_open("tls://127.0.0.1:0");
		proxy_open(refuses ? PROXY_REFUSES : PROXY_CONNECT);
		p = dial_by_proxy("https", ca_file);
		tls_close();
		assert_true(sv_starts(buf_sv(&proxy.asked), SV("CONNECT 127.0.0.1:")));
		buf_fini(&proxy.asked);
		if (!refuses) {
			assert_echoed(&p);
			continue;
		}
		assert_null(p.conn);
		assert_int_equal(p.outcome, FETCH_CONNECT);
		assert_string_equal(p.message, "the proxy refused with HTTP 407");
		assert_int_equal(echoed, 0);
	}
}

static void test_socks_proxy(void **state)
{
	struct probe p;

	(void)state;
	server_open("127.0.0.1:0");
	proxy_open(PROXY_SOCKS);
	p = dial_by_proxy("http", NULL);
	buf_fini(&proxy.asked);
	assert_echoed(&p);
	assert_int_equal(proxy.replies, 2);
}

static void test_what_a_dialer_reaches(void **state)
{
	static const struct {
		const char *proxy, *url;
		bool reaches;
	} rows[] = {
		{"", "https://a/", true},
		{"", "ws://a/", true},
		{"http://p:1", "wss://a/", true},
		{"http://p:1", "ws://a/", false},
		{"p:1", "http://a/", false},
		{"socks5h://p:1", "ws://a/", true},
		{"https://p:1", "wss://a/", false},
		{"", "ftp://a/", false},
	};

	(void)state;
	loop = loop_new();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dialer_options options = {.proxy = rows[i].proxy};
		struct dialer *d = dialer_new(loop, &options);

		if (dialer_reaches(d, rows[i].url) != rows[i].reaches)
			fail_msg("%s by %s", rows[i].url, rows[i].proxy);
		dialer_free(d);
	}
	loop_run(loop);
	loop_free(loop);
}

/* The proxy is HTTP's, which no plain connection goes through. */
static void test_a_spared_host_needs_no_proxy(void **state)
{
	struct dialer_options options = {.proxy = NULL};
	struct dialer *d;
	struct probe p;

	(void)state;
	server_open("127.0.0.1:0");
	proxy_url = "http://127.0.0.1:1";
	setenv("no_proxy", "other.example,127.0.0.0/8", 1);
	p = dial_once("http", "127.0.0.1", NULL);
	proxy_url = "";
	assert_echoed(&p);
	loop = loop_new();
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	d = dialer_new(loop, &options);
	assert_true(dialer_reaches(d, "ws://127.0.0.2/"));
	assert_true(dialer_reaches(d, "ws://a.other.example/"));
	assert_false(dialer_reaches(d, "ws://another.example/"));
	setenv("no_proxy", "", 1);
	setenv("NO_PROXY", "another.example", 1);
	assert_false(dialer_reaches(d, "ws://127.0.0.2/"));
	assert_true(dialer_reaches(d, "ws://another.example/"));
	dialer_free(d);
	loop_run(loop);
	loop_free(loop);
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
	unsetenv("http_proxy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_connection_carries_bytes),
		cmocka_unit_test(test_tls_connection_carries_bytes),
		cmocka_unit_test(test_bad_certificates_are_refused),
		cmocka_unit_test(test_failures_are_told),
		cmocka_unit_test(test_refused_and_silent_servers),
		cmocka_unit_test(test_cancelled_at_any_stage),
		cmocka_unit_test(test_connect_of_an_http_proxy),
		cmocka_unit_test(test_socks_proxy),
		cmocka_unit_test(test_what_a_dialer_reaches),
		cmocka_unit_test(test_a_spared_host_needs_no_proxy),
	};

	signal(SIGPIPE, SIG_IGN);
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
