/*
 * fetch over TLS, against OpenSSL in a thread with a certificate made for the run: trust, resumed
 * sessions, and pausing, where bytes wait inside OpenSSL and the socket stays silent.
 */
#include "cert_rig.h"
#include "io/fetch.h"

#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { BODY_BYTES = 3000000 };

struct probe {
	struct fetch *fetch;
	struct timer timer;
	enum fetch_outcome outcome;
	char message[256];
	size_t body_bytes;
	bool body_is_right;
	bool paused;
	int heads;
	int pauses;
	int done;
};

static SSL_CTX *server_ctx;
static char ca_file[32];
static int listener;
static int port;
static pthread_t thread;
static const char *proxy_answer; /* the server plays a proxy first and says this to CONNECT */
static bool cut_off;		 /* the server drops TCP without a close_notify, no length given */
static bool keep_open;		 /* the server takes one request after the other */
static atomic_int accepted;
static atomic_int resumed;
/* Not NULL: libcurl's HTTP is used, for whoever is connected elsewhere than a URL says. */
static const char *connect_to;

static char pattern(size_t i)
{
	return (char)(i % 251);
}

/* Certificate and server. */

static int make_server_ctx(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = make_certificate(key, "IP:127.0.0.1", 3600);
	FILE *file;

	(void)state;
	snprintf(ca_file, sizeof(ca_file), "/tmp/test_fetch_tls_XXXXXX");
	file = fdopen(mkstemp(ca_file), "w");
	PEM_write_X509(file, x);
	fclose(file);
	server_ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(server_ctx, x);
	SSL_CTX_use_PrivateKey(server_ctx, key);
	SSL_CTX_set_session_id_context(server_ctx, (const unsigned char *)"t", 1);
	X509_free(x);
	EVP_PKEY_free(key);
	return 0;
}

static int free_server_ctx(void **state)
{
	(void)state;
	SSL_CTX_free(server_ctx);
	unlink(ca_file);
	return 0;
}

/* False when the connection ends with it. */
static bool answer_as_proxy(int fd)
{
	char request[4096] = "";

	for (size_t n = 0; n < sizeof(request) - 1 && !strstr(request, "\r\n\r\n"); n++) {
		if (recv(fd, request + n, 1, 0) != 1)
			return false;
	}
	send(fd, proxy_answer, strlen(proxy_answer), MSG_NOSIGNAL);
	return strstr(proxy_answer, " 200 ") != NULL;
}

/* False when the connection ends with it. */
static bool answer(SSL *ssl)
{
	static char piece[251 * 100];
	char request[4096] = "";
	size_t n = 0;

	while (n < sizeof(request) - 1 && !strstr(request, "\r\n\r\n")) {
		if (SSL_read(ssl, request + n, 1) != 1)
			return false;
		n++;
	}
	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = pattern(i);
	n = (size_t)snprintf(request, sizeof(request), "HTTP/1.1 200 OK\r\n%s\r\n",
		cut_off	    ? ""
		: keep_open ? "Content-Length: 3000000\r\n"
			    : "Content-Length: 3000000\r\nConnection: close\r\n");
	SSL_write(ssl, request, (int)n);
	for (size_t sent = 0; sent < BODY_BYTES;) {
		size_t offset = sent % sizeof(piece);
		size_t left = BODY_BYTES - sent;

		n = sizeof(piece) - offset < left ? sizeof(piece) - offset : left;
		if (SSL_write(ssl, piece + offset, (int)n) <= 0)
			return false;
		sent += n;
	}
	if (!cut_off && !keep_open)
		SSL_shutdown(ssl);
	return keep_open;
}

static void *run_server(void *arg)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		SSL *ssl = SSL_new(server_ctx);

		SSL_set_fd(ssl, fd);
		atomic_fetch_add(&accepted, 1);
		if ((!proxy_answer || answer_as_proxy(fd)) && SSL_accept(ssl) == 1) {
			if (SSL_session_reused(ssl))
				atomic_fetch_add(&resumed, 1);
			while (answer(ssl))
				;
		}
		SSL_free(ssl);
		close(fd);
	}
	return arg;
}

static void server_start(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t n = sizeof(address);

	cut_off = false;
	keep_open = false;
	proxy_answer = NULL;
	atomic_store(&accepted, 0);
	atomic_store(&resumed, 0);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(listener, 16), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &n), 0);
	port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&thread, NULL, run_server, NULL), 0);
}

static void server_stop(void)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
}

/* The client. */

static void on_head(struct fetch *f, void *arg)
{
	struct probe *p = arg;

	assert_int_equal(fetch_status(f), 200);
	assert_null(fetch_header(f, SV("x-proxy")).p);
	p->heads++;
}

static void on_resume_time(struct timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, timer);

	p->paused = false;
	fetch_resume(p->fetch);
}

static void on_data(struct fetch *f, void *arg, struct sv bytes)
{
	struct probe *p = arg;

	assert_false(p->paused);
	for (size_t i = 0; i < bytes.n; i++) {
		if (bytes.p[i] != pattern(p->body_bytes + i))
			p->body_is_right = false;
	}
	p->body_bytes += bytes.n;
	p->paused = true;
	p->pauses++;
	fetch_pause(f);
	timer_start(&p->timer, 0);
}

static void on_done(struct fetch *f, void *arg, const struct fetch_result *result)
{
	struct probe *p = arg;

	(void)f;
	timer_stop(&p->timer);
	p->done++;
	p->outcome = result->outcome;
	snprintf(p->message, sizeof(p->message), "%s", result->message);
}

static const struct fetch_ops ops = {on_head, on_data, on_done};

static void probe_start(struct probe *p, struct loop *loop, struct fetch_pool *pool)
{
	struct fetch_request r = {.method = "GET", .idle_timeout_ms = 20000};
	char url[64];

	*p = (struct probe){.body_is_right = true};
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", port);
	r.url = url;
	timer_init(&p->timer, loop, on_resume_time);
	p->fetch = fetch_start(pool, &r, &ops, p);
}

static struct probe fetch_one(struct loop *loop, struct fetch_pool *pool)
{
	struct probe p;

	probe_start(&p, loop, pool);
	loop_run(loop);
	assert_int_equal(p.done, 1);
	return p;
}

static void test_paused_at_every_piece_and_session_resumed(void **state)
{
	struct probe probes[2];
	struct probe idler;
	struct fetch_options options = {.ca_file = ca_file, .connect_to = connect_to};
	struct loop *loop = loop_new();
	struct fetch_pool *pool = fetch_pool_new(loop, &options);

	(void)state;
	server_start();
	probes[0] = fetch_one(loop, pool);
	/* Takes the first one's easy handle away: the last one's never spoke to the server. */
	probe_start(&idler, loop, pool);
	fetch_cancel(idler.fetch);
	probes[1] = fetch_one(loop, pool);
	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		assert_string_equal(probes[i].message, "");
		assert_int_equal(probes[i].done, 1);
		assert_int_equal(probes[i].outcome, FETCH_OK);
		assert_int_equal(probes[i].body_bytes, BODY_BYTES);
		assert_true(probes[i].body_is_right);
		assert_true(probes[i].pauses > 100);
	}
	fetch_pool_free(pool);
	loop_run(loop);
	loop_free(loop);
	server_stop();
	assert_int_equal(atomic_load(&accepted), 2);
	assert_int_equal(atomic_load(&resumed), 1);
}

static void test_connection_is_reused(void **state)
{
	struct fetch_options options = {.ca_file = ca_file, .connect_to = connect_to};
	struct loop *loop = loop_new();
	struct fetch_pool *pool = fetch_pool_new(loop, &options);

	(void)state;
	server_start();
	keep_open = true;
	for (int i = 0; i < 3; i++) {
		struct probe p = fetch_one(loop, pool);

		assert_int_equal(p.outcome, FETCH_OK);
		assert_int_equal(p.body_bytes, BODY_BYTES);
		assert_true(p.body_is_right);
	}
	fetch_pool_free(pool);
	loop_run(loop);
	loop_free(loop);
	server_stop();
	assert_int_equal(atomic_load(&accepted), 1);
}

/* libcurl asks OpenSSL to take it for an end: whether the stream was whole is for its reader to
 * tell. */
static void test_end_without_close_notify_is_an_end(void **state)
{
	struct fetch_options options = {.ca_file = ca_file, .connect_to = connect_to};
	struct loop *loop = loop_new();
	struct fetch_pool *pool = fetch_pool_new(loop, &options);
	struct probe p;

	(void)state;
	server_start();
	cut_off = true;
	p = fetch_one(loop, pool);
	fetch_pool_free(pool);
	loop_run(loop);
	loop_free(loop);
	server_stop();
	assert_int_equal(p.outcome, FETCH_OK);
	assert_int_equal(p.body_bytes, BODY_BYTES);
}

static void test_untrusted_certificate_is_a_connect_failure(void **state)
{
	struct fetch_options options = {.connect_to = connect_to};
	struct loop *loop = loop_new();
	struct fetch_pool *pool = fetch_pool_new(loop, &options);
	struct probe p;

	(void)state;
	server_start();
	p = fetch_one(loop, pool);
	fetch_pool_free(pool);
	loop_run(loop);
	loop_free(loop);
	server_stop();
	assert_int_equal(p.outcome, FETCH_CONNECT);
	assert_non_null(strstr(p.message, "certificate"));
}

static struct probe fetch_through_proxy(const char *answer_to_connect)
{
	char proxy[64];
	struct fetch_options options = {
		.ca_file = ca_file, .proxy = proxy, .connect_to = connect_to};
	struct loop *loop = loop_new();
	struct fetch_pool *pool;
	struct probe p;

	server_start();
	proxy_answer = answer_to_connect;
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", port);
	pool = fetch_pool_new(loop, &options);
	p = fetch_one(loop, pool);
	fetch_pool_free(pool);
	loop_run(loop);
	loop_free(loop);
	server_stop();
	return p;
}

static void test_head_of_a_proxy_is_passed_over(void **state)
{
	struct probe p = fetch_through_proxy("HTTP/1.1 200 Established\r\nX-Proxy: 1\r\n\r\n");

	(void)state;
	assert_string_equal(p.message, "");
	assert_int_equal(p.outcome, FETCH_OK);
	assert_int_equal(p.heads, 1);
	assert_int_equal(p.body_bytes, BODY_BYTES);
	p = fetch_through_proxy("HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(p.outcome, FETCH_CONNECT);
	assert_int_equal(p.heads, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paused_at_every_piece_and_session_resumed),
		cmocka_unit_test(test_connection_is_reused),
		cmocka_unit_test(test_end_without_close_notify_is_an_end),
		cmocka_unit_test(test_untrusted_certificate_is_a_connect_failure),
		cmocka_unit_test(test_head_of_a_proxy_is_passed_over),
	};
	int failed;

	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	signal(SIGPIPE, SIG_IGN);
	alarm(120);
	failed = cmocka_run_group_tests_name(
		"our HTTP/1.1", tests, make_server_ctx, free_server_ctx);
	connect_to = "nowhere.invalid:1:nowhere.invalid:1";
	failed += cmocka_run_group_tests_name("libcurl's", tests, make_server_ctx, free_server_ctx);
	return failed;
}
