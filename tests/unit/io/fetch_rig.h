/*
 * What the tests of fetch share: a TCP server whose connections run scripts on threads, and a probe
 * that records what came of one fetch.
 */
#ifndef FETCH_RIG_H
#define FETCH_RIG_H

#include "base/clock.h"
#include "base/limits.h"
#include "io/fetch.h"
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum { MAX_CONNECTIONS = 256, PATIENCE_MS = 30000 };

struct server;

struct connection {
	struct server *server;
	int fd;
	int number; /* 0 is the first that was accepted */
	pthread_t thread;
};

struct server {
	int fd;
	int port;
	pthread_t thread;
	void (*script)(struct connection *c);
	struct connection connections[MAX_CONNECTIONS];
	atomic_int accepted;
	atomic_int requests;
	atomic_int closed;	    /* connections whose script has ended */
	atomic_bool stalled;	    /* a script could not write any more */
	_Atomic int64_t saw_end_us; /* when a script saw the client go */
	int go[2];		    /* pipe: the test tells a script to go on */
	char request[8192];	    /* the last one's head */
};

/* What came of one fetch. */
struct probe {
	struct fetch *fetch;
	struct fetch_result result;
	char message[256];
	int heads;
	int done;
	bool paused;
	size_t body_bytes;
	bool body_is_right; /* pattern() from its beginning */
	char body[256];	    /* its beginning */
	int64_t cancelled_us;
	int data_calls;
	void (*on_head)(struct probe *p);
	void (*on_data)(struct probe *p);
	void (*on_done)(struct probe *p);
	struct timer timer;
};

static struct loop *loop;
static struct fetch_pool *pool;
static struct server server;

/* The server. */

static char pattern(size_t i)
{
	return (char)(i % 251);
}

static void send_all(struct connection *c, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		p += sent;
		n -= (size_t)sent;
	}
}

static void send_text(struct connection *c, const char *text)
{
	send_all(c, text, strlen(text));
}

/* Reads one request, body included; false when the client has gone. */
static bool read_request_part(struct connection *c, bool with_body)
{
	char *head = calloc(1, sizeof(c->server->request));
	char *end = NULL;
	const char *length;
	size_t n = 0;
	size_t missing;

	while (!end) {
		ssize_t got = recv(c->fd, head + n, 1, 0);

		if (got <= 0 || ++n == sizeof(c->server->request) - 1) {
			free(head);
			return false;
		}
		end = strstr(head, "\r\n\r\n");
	}
	length = strcasestr(head, "\r\nContent-Length:");
	missing = length && with_body ? strtoul(length + 17, NULL, 10) : 0;
	memcpy(c->server->request, head, sizeof(c->server->request));
	free(head);
	while (missing > 0) {
		char waste[65536];
		size_t want = missing < sizeof(waste) ? missing : sizeof(waste);
		ssize_t got = recv(c->fd, waste, want, 0);

		if (got <= 0)
			return false;
		missing -= (size_t)got;
	}
	atomic_fetch_add(&c->server->requests, 1);
	return true;
}

static bool read_request(struct connection *c)
{
	return read_request_part(c, true);
}

/* Blocks until the client closes or resets. */
__attribute__((unused)) static void wait_for_end(struct connection *c)
{
	char waste[4096];

	while (recv(c->fd, waste, sizeof(waste), 0) > 0)
		;
	atomic_store(&c->server->saw_end_us, clock_mono_us());
}

/* close() sends a reset instead of a FIN. */
__attribute__((unused)) static void make_reset(struct connection *c)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void *run_connection(void *arg)
{
	struct connection *c = arg;

	c->server->script(c);
	close(c->fd);
	atomic_fetch_add(&c->server->closed, 1);
	return NULL;
}

static void *run_server(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		int number = atomic_load(&s->accepted);
		struct connection *c = &s->connections[number];

		assert(number < MAX_CONNECTIONS);
		*c = (struct connection){.server = s, .fd = fd, .number = number};
		pthread_create(&c->thread, NULL, run_connection, c);
		atomic_fetch_add(&s->accepted, 1);
	}
	return NULL;
}

static void server_start(void (*script)(struct connection *c))
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t n = sizeof(address);

	memset(&server, 0, sizeof(server));
	server.script = script;
	assert_int_equal(pipe(server.go), 0);
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(server.fd, 512), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&address, &n), 0);
	server.port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server.thread, NULL, run_server, &server), 0);
}

/* The client must have closed its connections, or the scripts must end by themselves. */
static void server_stop(void)
{
	if (!server.script)
		return;
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.fd);
	close(server.go[0]);
	close(server.go[1]);
	for (int i = 0; i < atomic_load(&server.accepted); i++)
		pthread_join(server.connections[i].thread, NULL);
	server.script = NULL;
}

/* The client. */

static void on_head(struct fetch *f, void *arg)
{
	struct probe *p = arg;

	assert_ptr_equal(f, p->fetch);
	p->heads++;
	if (p->on_head)
		p->on_head(p);
}

static void on_data(struct fetch *f, void *arg, struct sv bytes)
{
	struct probe *p = arg;

	assert_ptr_equal(f, p->fetch);
	assert_int_equal(p->done, 0);
	assert_false(p->paused);
	assert_int_equal(p->cancelled_us, 0);
	for (size_t i = 0; i < bytes.n; i++) {
		if (bytes.p[i] != pattern(p->body_bytes + i))
			p->body_is_right = false;
		if (p->body_bytes + i < sizeof(p->body) - 1)
			p->body[p->body_bytes + i] = bytes.p[i];
	}
	p->body_bytes += bytes.n;
	p->data_calls++;
	if (p->on_data)
		p->on_data(p);
}

static void on_done(struct fetch *f, void *arg, const struct fetch_result *result)
{
	struct probe *p = arg;

	assert_ptr_equal(f, p->fetch);
	assert_int_equal(p->cancelled_us, 0);
	p->done++;
	p->result = *result;
	snprintf(p->message, sizeof(p->message), "%s", result->message);
	p->result.message = p->message;
	if (p->on_done)
		p->on_done(p);
}

static const struct fetch_ops ops = {on_head, on_data, on_done};

static void probe_start_url(struct probe *p, struct fetch_request r, const char *url)
{
	p->body_is_right = true;
	r.url = url;
	if (!r.method)
		r.method = "GET";
	p->fetch = fetch_start(pool, &r, &ops, p);
}

static void probe_start(struct probe *p, struct fetch_request r)
{
	char url[128];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/path?token=secret", server.port);
	probe_start_url(p, r, url);
}

/* Whoever is connected elsewhere than a URL says is so by libcurl. */
static bool by_curl;

static void pool_open(struct fetch_options options)
{
	if (by_curl)
		options.connect_to = "nowhere.invalid:1:nowhere.invalid:1";
	loop = loop_new();
	pool = fetch_pool_new(loop, &options);
}

/* loop_free() asserts that no handle is left. */
static void pool_close(void)
{
	fetch_pool_free(pool);
	loop_run(loop);
	loop_free(loop);
	pool = NULL;
	loop = NULL;
}

/* One GET against a script, all the way. */
__attribute__((unused)) static struct probe fetch_once(
	void (*script)(struct connection *c), struct fetch_request r)
{
	struct probe p = {0};

	server_start(script);
	pool_open((struct fetch_options){0});
	probe_start(&p, r);
	loop_run(loop);
	pool_close();
	server_stop();
	assert_int_equal(p.done, 1);
	assert_null(strstr(p.message, "secret"));
	return p;
}

__attribute__((unused)) static void assert_outcome(
	const struct probe *p, enum fetch_outcome outcome, int status)
{
	if (p->result.outcome != outcome)
		fail_msg("outcome %d: %s", (int)p->result.outcome, p->message);
	assert_int_equal(p->result.status, status);
	if (outcome == FETCH_OK)
		assert_string_equal(p->message, "");
	else
		assert_string_not_equal(p->message, "");
}

__attribute__((unused)) static char *big_body;

/* The contract of fetch.h is the same for both engines. Gives the number of failed tests. */
#define RUN_WITH_BOTH_ENGINES(tests) run_with_both_engines(tests, ARRAY_LEN(tests))

__attribute__((unused)) static int run_with_both_engines(
	const struct CMUnitTest *tests, size_t count)
{
	int failed;

	by_curl = false;
	failed = _cmocka_run_group_tests("our HTTP/1.1", tests, count, NULL, NULL);
	by_curl = true;
	return failed + _cmocka_run_group_tests("libcurl's", tests, count, NULL, NULL);
}

__attribute__((unused)) static void serve_plain(struct connection *c)
{
	while (read_request(c))
		send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Codex-Plan:  pro \r\n"
			     "x-codex-plan: second\r\nX-Empty:\r\n\r\nhello");
}

__attribute__((unused)) static void say_go(struct probe *p)
{
	(void)p;
	assert_int_equal(write(server.go[1], "g", 1), 1);
}

#endif
