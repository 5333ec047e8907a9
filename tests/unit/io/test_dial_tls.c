/*
 * dial's TLS against OpenSSL in a thread, with a certificate made for the run: sessions are resumed
 * at the same host and port only, old versions are refused, ALPN asks for HTTP/1.1.
 */
#include "cert_rig.h"
#include "io/dial.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { DIALS_MAX = 3 };

static char ca_file[] = "/tmp/test_dial_tls_XXXXXX";

/* Echoes once to so many connections, one after another. */
static struct {
	SSL_CTX *context;
	pthread_t thread;
	int listener, connections;
	bool cuts; /* it ends them itself, and without a close_notify */
	uint16_t port;
	/* What it saw; read after the thread's end. */
	int accepted, resumed, echoed;
	char alpn[32];
} server;

struct probe {
	struct loop *loop;
	struct dialer *dialer;
	struct timer end;
	const char *const *hosts; /* dialed one after another, up to NULL */
	enum fetch_outcome outcome;
	char message[256];
	int echoed, failed;
};

/* --- the server --- */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
	unsigned in_bytes, void *arg)
{
	(void)ssl;
	(void)arg;
	snprintf(server.alpn, sizeof(server.alpn), "%.*s", (int)in_bytes - 1, (const char *)in + 1);
	*out = in + 1;
	*n = in[0];
	return SSL_TLSEXT_ERR_OK;
}

static int make_context(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = make_certificate(key, "IP:127.0.0.1,DNS:localhost", 3600);
	FILE *file = fdopen(mkstemp(ca_file), "w");

	(void)state;
	PEM_write_X509(file, x);
	fclose(file);
	server.context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(server.context, x);
	SSL_CTX_use_PrivateKey(server.context, key);
	SSL_CTX_set_session_id_context(server.context, (const unsigned char *)"t", 1);
	SSL_CTX_set_alpn_select_cb(server.context, on_alpn, NULL);
	/* Or it would have no version before 1.2 to offer. */
	SSL_CTX_set_security_level(server.context, 0);
	X509_free(x);
	EVP_PKEY_free(key);
	return 0;
}

static int free_context(void **state)
{
	(void)state;
	SSL_CTX_free(server.context);
	unlink(ca_file);
	return 0;
}

static void serve(int fd)
{
	SSL *ssl = SSL_new(server.context);
	char bytes[16];
	int n;

	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1) {
		server.accepted++;
		server.resumed += SSL_session_reused(ssl);
		n = SSL_read(ssl, bytes, sizeof(bytes));
		if (n > 0)
			server.echoed += SSL_write(ssl, bytes, n) == n;
		/* Until the client goes. */
		while (n > 0 && !server.cuts)
			n = SSL_read(ssl, bytes, sizeof(bytes));
	}
	SSL_free(ssl);
	close(fd);
}

static void *run_server(void *arg)
{
	(void)arg;
	for (int i = 0; i < server.connections; i++)
		serve(accept(server.listener, NULL, NULL));
	return NULL;
}

static void server_start(int connections, int least_version, int most_version)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t n = sizeof(address);

	SSL_CTX_set_min_proto_version(server.context, least_version);
	SSL_CTX_set_max_proto_version(server.context, most_version);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(server.listener, 8), 0);
	assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &n), 0);
	server.port = ntohs(address.sin_port);
	server.connections = connections;
	server.accepted = server.resumed = server.echoed = 0;
	server.alpn[0] = '\0';
	assert_int_equal(pthread_create(&server.thread, NULL, run_server, NULL), 0);
}

static void server_join(void)
{
	pthread_join(server.thread, NULL);
	close(server.listener);
}

/* --- the client --- */

static void dial_next(struct probe *p);

static void on_end(struct timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, end);

	if (*p->hosts) {
		dial_next(p);
		return;
	}
	dialer_free(p->dialer);
	p->dialer = NULL;
}

static void on_client_read(struct conn *c, struct sv bytes)
{
	struct probe *p = conn_owner(c);

	p->echoed += sv_eq(bytes, SV("hello"));
	if (!server.cuts)
		conn_close_now(c, CONN_END_LOCAL);
}

static void on_client_closed(struct conn *c, enum conn_end why)
{
	struct probe *p = conn_owner(c);

	(void)why;
	timer_start(&p->end, 0);
}

static void on_done(void *arg, const struct dial_result *r)
{
	static const struct conn_ops ops = {
		.on_read = on_client_read, .on_closed = on_client_closed};
	struct probe *p = arg;

	p->outcome = r->outcome;
	snprintf(p->message, sizeof(p->message), "%s", r->message);
	if (!r->conn) {
		p->failed++;
		timer_start(&p->end, 0);
		return;
	}
	conn_set_owner(r->conn, &ops, p);
	conn_read_start(r->conn);
	conn_write(r->conn, SV("hello"));
}

static void dial_next(struct probe *p)
{
	char url[128];

	snprintf(url, sizeof(url), "https://%s:%d/", *p->hosts++, server.port);
	dial_start(p->dialer, url, 20000, on_done, p);
}

static struct probe dial_all(const char *const *hosts)
{
	struct dialer_options options = {.ca_file = ca_file, .proxy = ""};
	struct probe p = {.hosts = hosts};

	p.loop = loop_new();
	timer_init(&p.end, p.loop, on_end);
	p.dialer = dialer_new(p.loop, &options);
	dial_next(&p);
	loop_run(p.loop);
	loop_free(p.loop);
	server_join();
	return p;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* However the connection before it ended. */
static void test_a_session_is_resumed(void **state)
{
	static const char *const hosts[DIALS_MAX + 1] = {"127.0.0.1", "127.0.0.1", "127.0.0.1"};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(versions); i++) {
		int version = versions[i / 2];
		struct probe p;

		server.cuts = i % 2;
		server_start(DIALS_MAX, version, version);
		p = dial_all(hosts);
		server.cuts = false;
		assert_string_equal(p.message, "");
		assert_int_equal(p.echoed, DIALS_MAX);
		assert_int_equal(server.accepted, DIALS_MAX);
		assert_int_equal(server.resumed, DIALS_MAX - 1);
	}
}

static void test_a_session_is_of_one_host(void **state)
{
	static const char *const hosts[DIALS_MAX + 1] = {"127.0.0.1", "localhost", "localhost"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct probe p;

		server_start(DIALS_MAX, versions[i], versions[i]);
		p = dial_all(hosts);
		assert_int_equal(p.echoed, DIALS_MAX);
		assert_int_equal(server.resumed, 1);
	}
}

static void test_old_versions_are_refused(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", NULL};
	struct probe p;

	(void)state;
	server_start(1, TLS1_VERSION, TLS1_1_VERSION);
	p = dial_all(hosts);
	assert_int_equal(p.failed, 1);
	assert_int_equal(p.outcome, FETCH_CONNECT);
	if (!strstr(p.message, "protocol"))
		fail_msg("told: %s", p.message);
	assert_int_equal(server.accepted, 0);
}

static void test_http_1_is_asked_for(void **state)
{
	static const char *const hosts[] = {"localhost", NULL};
	struct probe p;

	(void)state;
	server_start(1, TLS1_2_VERSION, 0);
	p = dial_all(hosts);
	assert_int_equal(p.echoed, 1);
	assert_string_equal(server.alpn, "http/1.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_session_is_resumed),
		cmocka_unit_test(test_a_session_is_of_one_host),
		cmocka_unit_test(test_old_versions_are_refused),
		cmocka_unit_test(test_http_1_is_asked_for),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(120);
	return cmocka_run_group_tests(tests, make_context, free_context);
}
