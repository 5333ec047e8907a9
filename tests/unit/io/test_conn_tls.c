/*
 * TLS connections and Unix sockets: a listener on a thread of its own whose owner echoes, or sends
 * without end; and clients with blocking sockets whose OpenSSL reads and writes memory, so that the
 * test decides what goes over the wire and in which pieces.
 */
#include "base/limits.h"
#include "io/conn.h"
#include "io/tls_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cmocka.h>

enum {
	PATIENCE_SECONDS = 20,
	FLOOD_BYTES = 48 * 1024 * 1024,
	ECHO_BYTES = 8 * 1024 * 1024,
	GREETING = 'S', /* as the first byte: send a flood */
};

/* --- the server --- */

static struct {
	struct loop *loop;
	struct listener *listener;
	struct accept_group *group;
	struct tls_server *tls;
	pthread_t thread;
	char address[256];
	/* What the owners saw. */
	atomic_int accepted, ended, closed, last_why, refused;
	atomic_size_t produced, peak, read;
	atomic_bool stutter; /* stop reading in every callback */
	char refusal[256];
} server;

struct owner {
	struct timer timer;
	size_t left; /* of the flood */
	bool begun;
};

static char flood_byte(size_t at)
{
	return (char)(at % 251);
}

static void flood(struct conn *c, struct owner *o)
{
	char block[10000];

	while (o->left && !conn_is_congested(c)) {
		size_t at = FLOOD_BYTES - o->left;
		size_t n = o->left < sizeof(block) ? o->left : sizeof(block);

		for (size_t i = 0; i < n; i++)
			block[i] = flood_byte(at + i);
		conn_write(c, sv_make(block, n));
		o->left -= n;
		server.produced += n;
		if (conn_queued_bytes(c) > server.peak)
			server.peak = conn_queued_bytes(c);
	}
	if (!o->left)
		conn_close_after_write(c, CONN_END_LOCAL);
}

static void on_timer(struct timer *t)
{
	struct conn *c = *(struct conn **)(void *)(CONTAINER_OF(t, struct owner, timer) + 1);

	conn_read_start(c);
}

static void on_read(struct conn *c, struct sv bytes)
{
	struct owner *o = conn_owner(c);

	server.read += bytes.n;
	if (!o->begun && bytes.p[0] == GREETING) {
		o->left = FLOOD_BYTES;
		o->begun = true;
		flood(c, o);
		return;
	}
	o->begun = true;
	conn_write(c, bytes);
	if (conn_is_congested(c) || server.stutter)
		conn_read_stop(c);
	if (server.stutter)
		timer_start(&o->timer, 0);
}

static void on_eof(struct conn *c)
{
	server.ended++;
	conn_close_after_write(c, CONN_END_PEER);
}

static void on_drain(struct conn *c)
{
	struct owner *o = conn_owner(c);

	if (o->left)
		flood(c, o);
	else
		conn_read_start(c);
}

static void on_closed(struct conn *c, enum conn_end why)
{
	struct owner *o = conn_owner(c);

	timer_stop(&o->timer);
	free(o);
	server.last_why = (int)why;
	server.closed++;
}

static const struct conn_ops ops = {on_read, on_eof, on_drain, on_closed};

static void on_accept(void *arg, struct conn *c)
{
	struct owner *o = mem_zalloc(sizeof(*o) + sizeof(c));

	(void)arg;
	memcpy(o + 1, &c, sizeof(c));
	timer_init(&o->timer, server.loop, on_timer);
	conn_set_owner(c, &ops, o);
	conn_read_start(c);
	server.accepted++;
}

static void on_refused(void *arg, const char *peer, const char *reason)
{
	(void)arg;
	(void)peer;
	snprintf(server.refusal, sizeof(server.refusal), "%s", reason);
	server.refused++;
}

static void on_stop(void *arg, int signo)
{
	(void)arg;
	(void)signo;
	listener_free(server.listener);
	server.listener = NULL;
	loop_close_signals(server.loop);
}

static void *run(void *arg)
{
	(void)arg;
	loop_run(server.loop);
	return NULL;
}

static struct tls_pair *new_pair(void)
{
	static const char *const names[] = {"relay.test"};
	struct tls_problem problem;
	struct tls_made made;
	struct tls_pair *pair;

	assert_int_equal(tls_make(names, 1, 3, &made, &problem), 0);
	assert_int_equal(tls_pair_parse(buf_sv(&made.cert), buf_sv(&made.key), &pair, &problem), 0);
	tls_made_fini(&made);
	return pair;
}

static void use_new_pair(bool only_tls13)
{
	struct tls_problem problem;
	struct tls_pair *pair = new_pair();

	assert_int_equal(tls_server_use(server.tls, pair, only_tls13, &problem), 0);
	tls_pair_free(pair);
}

static void start_at(const char *address, int64_t timeout_ms, bool only_tls13)
{
	struct tls_options options = {.handshake_timeout_ms = timeout_ms, .on_refused = on_refused};
	struct listener_options listen = {.address = address};

	memset(&server, 0, sizeof(server));
	server.loop = loop_new();
	server.tls = tls_server_new(&options);
	use_new_pair(only_tls13);
	server.group = accept_group_new(100);
	listen.group = server.group;
	listen.tls = server.tls;
	loop_on_signal(server.loop, SIGUSR2, on_stop, NULL);
	assert_int_equal(listener_new(server.loop, &listen, on_accept, NULL, &server.listener), 0);
	snprintf(server.address, sizeof(server.address), "%s", listener_address(server.listener));
	assert_int_equal(pthread_create(&server.thread, NULL, run, NULL), 0);
}

static void start(bool only_tls13)
{
	start_at("tls://127.0.0.1:0", 0, only_tls13);
}

/* The clients are gone: the loop ends when the last connection has noticed. */
static void stop(void)
{
	kill(getpid(), SIGUSR2);
	pthread_join(server.thread, NULL);
	loop_free(server.loop);
	accept_group_unref(server.group);
	tls_server_free(server.tls);
	assert_int_equal(server.accepted, server.closed);
}

/* --- clients --- */

struct client {
	int fd;
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out; /* owned by ssl */
	size_t step;   /* bytes in one send() */
	bool eof;      /* the server's FIN came */
};

static int dial(void)
{
	struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)strtol(strrchr(server.address, ':') + 1, NULL, 10));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void client_open(struct client *c, int most_version, size_t step)
{
	*c = (struct client){.fd = dial(), .step = step};
	c->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(c->context, most_version);
	c->ssl = SSL_new(c->context);
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(c->in, -1);
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_connect_state(c->ssl);
	SSL_set_tlsext_host_name(c->ssl, "relay.test");
}

static void client_close(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->context);
	ERR_clear_error();
	close(c->fd);
}

/* What the client's OpenSSL has to say. */
static void put_out(struct client *c)
{
	char bytes[65536];
	int n = 0;

	while (BIO_pending(c->out) &&
		(n = BIO_read(c->out, bytes,
			 (int)(c->step < sizeof(bytes) ? c->step : sizeof(bytes)))) > 0) {
		for (ssize_t sent = 0; sent < n;) {
			ssize_t more = send(c->fd, bytes + sent, (size_t)(n - sent), MSG_NOSIGNAL);

			if (more <= 0)
				return;
			sent += more;
		}
	}
}

/* Waits for bytes of the server; false at its end. */
static bool take_in(struct client *c)
{
	char bytes[65536];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

	assert_true(n >= 0 || errno != EAGAIN);
	if (n <= 0) {
		c->eof = true;
		return false;
	}
	BIO_write(c->in, bytes, (int)n);
	return true;
}

static bool shake_hands(struct client *c)
{
	int result;

	while ((result = SSL_do_handshake(c->ssl)) != 1) {
		put_out(c);
		if (SSL_get_error(c->ssl, result) != SSL_ERROR_WANT_READ || !take_in(c))
			return false;
	}
	put_out(c);
	return true;
}

static void say(struct client *c, const char *bytes, size_t n)
{
	assert_int_equal(SSL_write(c->ssl, bytes, (int)n), (int)n);
	put_out(c);
}

/* Bytes of the server: how many, 0 at close_notify, -1 when the connection ended without. */
static int hear(struct client *c, char *out, size_t size)
{
	for (;;) {
		int n = SSL_read(c->ssl, out, (int)size);
		int why = SSL_get_error(c->ssl, n);

		if (n > 0)
			return n;
		if (why == SSL_ERROR_ZERO_RETURN)
			return 0;
		if (why != SSL_ERROR_WANT_READ || !take_in(c))
			return -1;
	}
}

static void expect(struct client *c, const char *bytes, size_t n)
{
	char heard[4096];
	size_t got = 0;

	while (got < n) {
		int more = hear(c, heard + got, sizeof(heard) - got);

		assert_true(more > 0);
		got += (size_t)more;
	}
	assert_int_equal(got, n);
	assert_memory_equal(heard, bytes, n);
}

static void wait_for(atomic_int *counter, int value)
{
	for (int i = 0; *counter < value; i++) {
		assert_true(i < PATIENCE_SECONDS * 1000);
		poll(NULL, 0, 1);
	}
}

static int alert_of_last_error(void)
{
	int reason = ERR_GET_REASON(ERR_peek_last_error());

	return reason - SSL_AD_REASON_OFFSET;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* --- tests --- */

static void bytes_may_come_one_by_one(void **state)
{
	(void)state;
	start(false);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct client c;

		client_open(&c, versions[i], 1);
		assert_true(shake_hands(&c));
		assert_int_equal(SSL_version(c.ssl), versions[i]);
		say(&c, "hello", 5);
		expect(&c, "hello", 5);
		say(&c, "again", 5);
		expect(&c, "again", 5);
		client_close(&c);
	}
	stop();
}

/* Sends and receives at the same time; every byte comes back in order. */
static void echo_much(struct client *c, size_t total)
{
	static char sent[50000], heard[65536];
	size_t said = 0, got = 0;

	while (got < total) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		int n;

		if (said < total && BIO_pending(c->out) == 0) {
			size_t part = total - said < sizeof(sent) ? total - said : sizeof(sent);

			for (size_t i = 0; i < part; i++)
				sent[i] = flood_byte(said + i) ^ 1;
			assert_int_equal(SSL_write(c->ssl, sent, (int)part), (int)part);
			said += part;
		}
		if (BIO_pending(c->out))
			p.events |= POLLOUT;
		assert_int_equal(poll(&p, 1, PATIENCE_SECONDS * 1000), 1);
		if (p.revents & POLLOUT) {
			char bytes[8192];
			int k = BIO_read(c->out, bytes, sizeof(bytes));

			assert_int_equal(send(c->fd, bytes, (size_t)k, MSG_NOSIGNAL), k);
		}
		if (p.revents & POLLIN)
			assert_true(take_in(c));
		while ((n = SSL_read(c->ssl, heard, sizeof(heard))) > 0) {
			for (int i = 0; i < n; i++)
				assert_int_equal(heard[i], (char)(flood_byte(got + (size_t)i) ^ 1));
			got += (size_t)n;
		}
	}
}

static void big_bodies_pass_both_ways(void **state)
{
	(void)state;
	start(false);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct client c;

		client_open(&c, versions[i], 65536);
		assert_true(shake_hands(&c));
		echo_much(&c, ECHO_BYTES);
		client_close(&c);
	}
	stop();
}

static void what_came_while_reading_was_stopped_is_kept(void **state)
{
	struct client c;

	(void)state;
	start(false);
	server.stutter = true;
	client_open(&c, TLS1_3_VERSION, 65536);
	assert_true(shake_hands(&c));
	echo_much(&c, 1024 * 1024);
	client_close(&c);
	stop();
}

static size_t settled(atomic_size_t *number)
{
	size_t before, quiet = 0;

	do {
		before = *number;
		poll(NULL, 0, 10);
		quiet = *number == before ? quiet + 1 : 0;
	} while (quiet < 20);
	return before;
}

static void slow_reader_holds_back_the_source(void **state)
{
	static char heard[65536];
	struct client c;
	size_t got = 0;
	int n;

	(void)state;
	start(false);
	client_open(&c, TLS1_3_VERSION, 65536);
	assert_true(shake_hands(&c));
	say(&c, "S", 1);
	/* The kernel's buffers and the connection's queue are full. */
	assert_true(settled(&server.produced) < FLOOD_BYTES / 2);
	assert_true(server.peak > LIMIT_WRITE_HIGH_BYTES);
	assert_true(server.peak < LIMIT_WRITE_HIGH_BYTES + KIB(100));
	while ((n = hear(&c, heard, sizeof(heard))) > 0) {
		for (int i = 0; i < n; i++)
			assert_int_equal(heard[i], flood_byte(got + (size_t)i));
		got += (size_t)n;
	}
	assert_int_equal(n, 0); /* close_notify behind the last byte */
	assert_int_equal(got, FLOOD_BYTES);
	assert_true(server.peak < LIMIT_WRITE_HIGH_BYTES + KIB(100));
	client_close(&c);
	stop();
}

/* Many small writes of one turn become few records. */
static void writes_are_sealed_together(void **state)
{
	struct client c;
	uint64_t records;

	(void)state;
	start(false);
	client_open(&c, TLS1_3_VERSION, 65536);
	assert_true(shake_hands(&c));
	say(&c, "S", 1);
	for (size_t got = 0; got < FLOOD_BYTES;) {
		static char heard[65536];
		int n = hear(&c, heard, sizeof(heard));

		assert_true(n > 0);
		got += (size_t)n;
	}
	/* 22 bytes around each record: what the wire carried tells how many there were. */
	records = (BIO_number_read(c.in) - FLOOD_BYTES) / 22;
	assert_true(records < FLOOD_BYTES / 16384 + FLOOD_BYTES / 16384 / 4);
	client_close(&c);
	stop();
}

static void close_notify_is_answered(void **state)
{
	(void)state;
	start(false);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct client c;
		char heard[16];

		client_open(&c, versions[i], 65536);
		assert_true(shake_hands(&c));
		say(&c, "last", 4);
		assert_int_equal(SSL_shutdown(c.ssl), 0);
		put_out(&c);
		expect(&c, "last", 4);
		assert_int_equal(hear(&c, heard, sizeof(heard)), 0);
		assert_false(take_in(&c));
		wait_for(&server.ended, (int)i + 1);
		client_close(&c);
	}
	stop();
	assert_int_equal(server.ended, 2);
	assert_int_equal(server.last_why, CONN_END_PEER);
}

static void fin_without_close_notify_is_no_proper_end(void **state)
{
	struct client c;
	char heard[16];

	(void)state;
	start(false);
	client_open(&c, TLS1_3_VERSION, 65536);
	assert_true(shake_hands(&c));
	say(&c, "x", 1);
	expect(&c, "x", 1);
	shutdown(c.fd, SHUT_WR);
	assert_int_equal(hear(&c, heard, sizeof(heard)), -1);
	client_close(&c);
	stop();
	assert_int_equal(server.ended, 0);
	assert_int_equal(server.last_why, CONN_END_PEER);
}

static void handshake_may_be_cut_anywhere(void **state)
{
	char hello[4096];
	struct client c;
	int n;

	(void)state;
	start(false);
	client_open(&c, TLS1_3_VERSION, 1);
	SSL_do_handshake(c.ssl);
	n = BIO_read(c.out, hello, sizeof(hello));
	for (int i = 0; i < n; i += 7) {
		int fd = dial();

		assert_int_equal(send(fd, hello, (size_t)i, MSG_NOSIGNAL), i);
		close(fd);
	}
	client_close(&c);
	stop();
	assert_int_equal(server.read, 0);
}

static void garbage_gets_an_alert_and_an_end(void **state)
{
	static const struct sv garbage[] = {
		SV("\x80\x2e\x01\x03\x01zzzzz"),
		SV("\x17\x03\x03zzzzzzz"),
		SV("\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff"),
	};
	char answer[64];

	(void)state;
	start(false);
	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		int fd = dial();
		ssize_t n;

		assert_true(send(fd, garbage[i].p, garbage[i].n, MSG_NOSIGNAL) > 0);
		shutdown(fd, SHUT_WR);
		n = recv(fd, answer, sizeof(answer), 0);
		assert_true(n == 0 || (n == 7 && answer[0] == 0x15)); /* an alert */
		if (n)
			assert_int_equal(recv(fd, answer, sizeof(answer), 0), 0);
		close(fd);
	}
	stop();
	assert_int_equal(server.read, 0);
	assert_true(server.refused >= 1);
}

static void record_that_was_tampered_with_ends_the_connection(void **state)
{
	struct client c;
	char record[256], heard[16];
	int n;

	(void)state;
	start(false);
	client_open(&c, TLS1_3_VERSION, 65536);
	assert_true(shake_hands(&c));
	say(&c, "x", 1);
	expect(&c, "x", 1);
	SSL_write(c.ssl, "hello", 5);
	n = BIO_read(c.out, record, sizeof(record));
	record[n - 1] ^= 1;
	assert_int_equal(send(c.fd, record, (size_t)n, MSG_NOSIGNAL), n);
	ERR_clear_error();
	assert_int_equal(hear(&c, heard, sizeof(heard)), -1);
	assert_int_equal(alert_of_last_error(), SSL_AD_BAD_RECORD_MAC);
	client_close(&c);
	stop();
	assert_int_equal(server.read, 1);
	assert_int_equal(server.last_why, CONN_END_ERROR);
}

static void plain_http_is_told_so(void **state)
{
	static const char request[] = "POST /v1/responses HTTP/1.1\r\nHost: x\r\n\r\n";
	char answer[1024];
	size_t got = 0;
	ssize_t n;
	int fd;

	(void)state;
	start(false);
	fd = dial();
	assert_true(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0);
	while ((n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0)
		got += (size_t)n;
	assert_int_equal(n, 0); /* FIN, and no RST */
	answer[got] = '\0';
	assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
	assert_non_null(strstr(answer, "This port speaks TLS"));
	close(fd);
	stop();
	assert_string_equal(server.refusal, "plain HTTP");
}

static void client_of_another_protocol_gets_the_alert(void **state)
{
	struct client c;

	(void)state;
	start(false);
	client_open(&c, TLS1_3_VERSION, 65536);
	SSL_set_alpn_protos(c.ssl, (const unsigned char *)"\x02h2", 3);
	ERR_clear_error();
	assert_false(shake_hands(&c));
	assert_int_equal(alert_of_last_error(), SSL_AD_NO_APPLICATION_PROTOCOL);
	client_close(&c);
	client_open(&c, TLS1_3_VERSION, 65536);
	SSL_set_alpn_protos(c.ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
	assert_true(shake_hands(&c));
	say(&c, "x", 1);
	expect(&c, "x", 1);
	client_close(&c);
	stop();
	assert_string_equal(server.refusal, "no application protocol");
}

static void old_version_is_refused_when_the_newer_one_is_demanded(void **state)
{
	struct client c;

	(void)state;
	start(true);
	client_open(&c, TLS1_2_VERSION, 65536);
	ERR_clear_error();
	assert_false(shake_hands(&c));
	assert_int_equal(alert_of_last_error(), SSL_AD_PROTOCOL_VERSION);
	client_close(&c);
	stop();
}

static void renegotiation_is_refused(void **state)
{
	struct client c;
	char heard[16];

	(void)state;
	start(false);
	client_open(&c, TLS1_2_VERSION, 65536);
	assert_true(shake_hands(&c));
	say(&c, "x", 1);
	expect(&c, "x", 1);
	SSL_renegotiate(c.ssl);
	SSL_do_handshake(c.ssl);
	put_out(&c);
	assert_int_equal(hear(&c, heard, sizeof(heard)), -1);
	client_close(&c);
	stop();
	assert_int_equal(server.read, 1);
}

static void keys_may_change_at_any_time(void **state)
{
	struct client c;

	(void)state;
	start(false);
	client_open(&c, TLS1_3_VERSION, 65536);
	assert_true(shake_hands(&c));
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(c.ssl), 1);
		put_out(&c);
		if (i % 500 == 0) {
			say(&c, "x", 1);
			expect(&c, "x", 1);
		}
	}
	say(&c, "y", 1);
	expect(&c, "y", 1);
	client_close(&c);
	stop();
}

static void handshake_that_takes_too_long_is_cut(void **state)
{
	char byte;
	int fd;

	(void)state;
	start_at("tls://127.0.0.1:0", 50, false);
	fd = dial();
	assert_int_equal(send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
	stop();
	assert_int_equal(server.last_why, CONN_END_TIMEOUT);
	assert_string_equal(server.refusal, "the handshake did not end in time");
}

static void session_is_resumed_with_a_ticket(void **state)
{
	(void)state;
	start(false);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct client first, second;
		SSL_SESSION *session;

		client_open(&first, versions[i], 65536);
		assert_true(shake_hands(&first));
		say(&first, "x", 1);
		expect(&first, "x", 1); /* the tickets came before */
		session = SSL_get1_session(first.ssl);
		client_open(&second, versions[i], 65536);
		SSL_set_session(second.ssl, session);
		assert_true(shake_hands(&second));
		assert_true(SSL_session_reused(second.ssl));
		SSL_SESSION_free(session);
		client_close(&second);
		client_close(&first);
	}
	stop();
}

static void serial_of(struct client *c, char out[64])
{
	X509 *cert = SSL_get1_peer_certificate(c->ssl);
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *text = BN_bn2hex(number);

	snprintf(out, 64, "%s", text);
	OPENSSL_free(text);
	BN_free(number);
	X509_free(cert);
}

static void new_certificate_is_for_new_connections(void **state)
{
	struct client before, after;
	char old[64], fresh[64];

	(void)state;
	start(false);
	client_open(&before, TLS1_3_VERSION, 65536);
	assert_true(shake_hands(&before));
	say(&before, "x", 1);
	expect(&before, "x", 1); /* the server's thread waits for us now */
	use_new_pair(false);
	client_open(&after, TLS1_3_VERSION, 65536);
	assert_true(shake_hands(&after));
	serial_of(&before, old);
	serial_of(&after, fresh);
	assert_string_not_equal(old, fresh);
	say(&before, "y", 1);
	expect(&before, "y", 1);
	client_close(&before);
	client_close(&after);
	stop();
}

/* --- Unix sockets --- */

static char directory[] = "/tmp/test-conn-XXXXXX";
static char path[64], address[80];

static int listen_once(struct loop *loop, struct accept_group *group, struct listener **ret)
{
	struct listener_options options = {.address = address, .group = group};

	return listener_new(loop, &options, on_accept, NULL, ret);
}

static void unix_socket_is_private_and_goes_with_its_listener(void **state)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct stat st;
	char heard[8];
	int fd;

	(void)state;
	start_at(address, 0, false);
	assert_string_equal(server.address, address);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
	assert_int_equal(recv(fd, heard, sizeof(heard), 0), 5);
	assert_memory_equal(heard, "hello", 5);
	close(fd);
	stop();
	assert_int_equal(lstat(path, &st), -1);
}

/* A socket that nobody listens at any more. */
static void leave_stale(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
}

static void unix_socket_replaces_a_dead_one_only(void **state)
{
	struct loop *loop = loop_new();
	struct accept_group *group = accept_group_new(10);
	struct listener *first, *second;
	struct stat st;

	(void)state;
	leave_stale();
	assert_int_equal(listen_once(loop, group, &first), 0);
	assert_int_equal(listen_once(loop, group, &second), -EADDRINUSE);
	/* Somebody put another one there meanwhile: that one stays. */
	assert_int_equal(unlink(path), 0);
	leave_stale();
	listener_free(first);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(unlink(path), 0);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(listen_once(loop, group, &first), -EEXIST);
	assert_int_equal(unlink(path), 0);
	loop_run(loop);
	loop_free(loop);
	accept_group_unref(group);
}

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", directory);
	snprintf(address, sizeof(address), "unix:%s", path);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_may_come_one_by_one),
		cmocka_unit_test(big_bodies_pass_both_ways),
		cmocka_unit_test(what_came_while_reading_was_stopped_is_kept),
		cmocka_unit_test(slow_reader_holds_back_the_source),
		cmocka_unit_test(writes_are_sealed_together),
		cmocka_unit_test(close_notify_is_answered),
		cmocka_unit_test(fin_without_close_notify_is_no_proper_end),
		cmocka_unit_test(handshake_may_be_cut_anywhere),
		cmocka_unit_test(garbage_gets_an_alert_and_an_end),
		cmocka_unit_test(record_that_was_tampered_with_ends_the_connection),
		cmocka_unit_test(plain_http_is_told_so),
		cmocka_unit_test(client_of_another_protocol_gets_the_alert),
		cmocka_unit_test(old_version_is_refused_when_the_newer_one_is_demanded),
		cmocka_unit_test(renegotiation_is_refused),
		cmocka_unit_test(keys_may_change_at_any_time),
		cmocka_unit_test(handshake_that_takes_too_long_is_cut),
		cmocka_unit_test(session_is_resumed_with_a_ticket),
		cmocka_unit_test(new_certificate_is_for_new_connections),
		cmocka_unit_test(unix_socket_is_private_and_goes_with_its_listener),
		cmocka_unit_test(unix_socket_replaces_a_dead_one_only),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
