/*
 * upstream against a raw HTTP server: one thread that serves connection after connection, each with
 * the next script of the test. Nothing sleeps to wait for an event: the loop runs until the attempt
 * has ended, the server until its client is gone.
 */
#include "base/clock.h"
#include "codex/upstream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define STREAM_HEAD                                                             \
	"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n" \
	"x-codex-primary-used-percent: 12\r\nx-codex-primary-window-minutes: 300\r\n"
#define CHUNKED STREAM_HEAD "transfer-encoding: chunked\r\n\r\n"
#define UNTIL_CLOSE STREAM_HEAD "connection: close\r\n\r\n"
#define EVENT(json) "data: " json "\n\n"
#define CREATED EVENT("{\"type\":\"response.created\"}")
#define DELTA EVENT("{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}")
#define COMPLETED EVENT("{\"type\":\"response.completed\",\"response\":{\"id\":\"r\"}}")
#define LIMITS                                                                                    \
	EVENT("{\"type\":\"codex.rate_limits\",\"rate_limits\":{\"secondary\":{\"used_percent\":" \
	      "40,\"window_minutes\":10080}}}")

#define JSON_HEAD "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
#define DOCUMENT "{\"output\":[]}"

/* What the server does behind its answer. */
enum after {
	AFTER_CLOSE,
	AFTER_WAIT,	  /* until the client goes or sends another request */
	AFTER_READ_RESET, /* once the client has read the terminal event: a reset discards the rest
			   */
	AFTER_LAST_CHUNK, /* the end of a chunked body, once the client has read the rest */
};

struct script {
	const char *answer;
	size_t chunk_bytes; /* the answer's body as one chunk of this many, 0: as it is */
	enum after after;
	bool skip_body;	      /* answers before it has read the request's body */
	size_t padding_bytes; /* of 'x' behind the answer */
};

struct server {
	int fd;
	int port;
	pthread_t thread;
	const struct script *scripts; /* one a request */
	size_t script_count;
	atomic_int connections;
	atomic_int requests;
	atomic_int gone; /* connections that have ended */
	int go[2];	 /* pipe: the test lets AFTER_LAST_CHUNK go on */
};

static bool send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* Reads a head and the body that its length tells. False when the client has gone. */
static bool read_request(int fd, bool skip_body)
{
	static _Thread_local char head[16384];
	size_t n = 0, body;
	const char *end, *length;

	for (;;) {
		ssize_t got = recv(fd, head + n, 1, 0);

		if (got <= 0)
			return false;
		head[++n] = '\0';
		end = strstr(head, "\r\n\r\n");
		if (end)
			break;
		assert(n < sizeof(head) - 1);
	}
	length = strcasestr(head, "content-length:");
	body = length ? strtoul(length + 15, NULL, 10) : 0;
	while (!skip_body && body > 0) {
		char rest[4096];
		ssize_t got = recv(fd, rest, body < sizeof(rest) ? body : sizeof(rest), 0);

		if (got <= 0)
			return false;
		body -= (size_t)got;
	}
	return true;
}

static void send_padding(int fd, size_t n)
{
	static char block[65536];

	memset(block, 'x', sizeof(block));
	while (n > 0 && send_all(fd, block, n < sizeof(block) ? n : sizeof(block)))
		n -= n < sizeof(block) ? n : sizeof(block);
}

static void send_answer(int fd, const struct script *s)
{
	const char *body;
	char size[32];

	if (!s->answer)
		return;
	body = strstr(s->answer, "\r\n\r\n") + 4;
	if (!strstr(s->answer, "chunked")) {
		send_all(fd, s->answer, strlen(s->answer));
		send_padding(fd, s->padding_bytes);
		return;
	}
	send_all(fd, s->answer, (size_t)(body - s->answer));
	snprintf(size, sizeof(size), "%zx\r\n", strlen(body));
	send_all(fd, size, strlen(size));
	send_all(fd, body, strlen(body));
	send_all(fd, "\r\n", 2);
}

static void reset_at_close(int fd)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void serve(struct server *s, int fd)
{
	char token;

	for (;;) {
		const struct script *script = &s->scripts[atomic_load(&s->requests)];

		if (!read_request(fd, script->skip_body))
			return;
		atomic_fetch_add(&s->requests, 1);
		send_answer(fd, script);
		if (script->after == AFTER_READ_RESET && read(s->go[0], &token, 1) != 1)
			return;
		if (script->after == AFTER_READ_RESET)
			reset_at_close(fd);
		if (script->after == AFTER_CLOSE || script->after == AFTER_READ_RESET)
			return;
		if (script->after == AFTER_LAST_CHUNK) {
			if (read(s->go[0], &token, 1) != 1)
				return;
			send_all(fd, "0\r\n\r\n", 5);
		}
		if (atomic_load(&s->requests) == (int)s->script_count) {
			while (recv(fd, &token, 1, 0) > 0)
				;
			return;
		}
	}
}

static void *server_main(void *arg)
{
	struct server *s = arg;

	while (atomic_load(&s->requests) < (int)s->script_count) {
		int fd = accept(s->fd, NULL, NULL);

		if (fd < 0)
			break;
		atomic_fetch_add(&s->connections, 1);
		serve(s, fd);
		close(fd);
		atomic_fetch_add(&s->gone, 1);
	}
	return NULL;
}

static void server_start(struct server *s, const struct script *scripts, size_t count)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t n = sizeof(address);

	*s = (struct server){.scripts = scripts, .script_count = count};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &n), 0);
	assert_int_equal(pipe(s->go), 0);
	s->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	close(s->go[1]);
	pthread_join(s->thread, NULL);
	close(s->go[0]);
	close(s->fd);
}

/* What the user of an attempt does and sees. */
struct probe {
	struct loop *loop;
	struct fetch_pool *pool;
	struct server server;
	struct upstream *upstream;
	struct timer resume;
	char *body; /* freed at the end of the attempt */

	bool document; /* asked for */
	bool cancel_in_head, cancel_in_event, cancel_in_end;
	bool pause_in_events; /* every one; resumed by a timer */
	int64_t end_ms;
	int heads, events, ends, while_paused;
	bool paused;
	char types[512];
	struct failure failure;
	char error_body[1024];
	struct meters meters;
	size_t header_count;
};

static void gone(struct probe *p)
{
	p->upstream = NULL;
	free(p->body);
	p->body = NULL;
	loop_stop(p->loop);
}

static void on_head(struct upstream *u, void *arg, int status)
{
	struct probe *p = arg;

	assert_int_equal(status, 200);
	p->heads++;
	upstream_headers(u, &p->header_count);
	if (!p->cancel_in_head)
		return;
	upstream_cancel(u);
	gone(p);
}

static void on_resume(struct timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, resume);

	p->paused = false;
	upstream_resume(p->upstream);
}

static void on_event(struct upstream *u, void *arg, const struct event *ev)
{
	struct probe *p = arg;
	size_t used = strlen(p->types);

	if (p->document)
		assert_true(sv_eq(jv_raw(ev->json), SV(DOCUMENT)));
	if (event_is_terminal(ev->type) && p->server.scripts[0].after == AFTER_READ_RESET)
		assert_int_equal(write(p->server.go[1], "x", 1), 1);
	p->events++;
	p->while_paused += p->paused;
	snprintf(p->types + used, sizeof(p->types) - used, "%.*s ", SV_ARG(ev->name));
	if (p->cancel_in_event) {
		upstream_cancel(u);
		gone(p);
	} else if (p->pause_in_events && !event_is_terminal(ev->type)) {
		upstream_pause(u);
		p->paused = true;
		timer_start(&p->resume, 1);
	}
}

static void on_end(struct upstream *u, void *arg, const struct failure *failure)
{
	struct probe *p = arg;

	p->ends++;
	p->failure = *failure;
	p->end_ms = clock_mono_ms();
	snprintf(p->error_body, sizeof(p->error_body), "%.*s", SV_ARG(failure->err.body));
	if (upstream_meters(u))
		p->meters = *upstream_meters(u);
	if (p->cancel_in_end)
		upstream_cancel(u);
	gone(p);
}

static const struct upstream_ops ops = {on_head, on_event, on_end};

static void probe_start(struct probe *p, const struct script *scripts, size_t count)
{
	struct fetch_options options = {0};

	memset(p, 0, sizeof(*p));
	p->loop = loop_new();
	p->pool = fetch_pool_new(p->loop, &options);
	timer_init(&p->resume, p->loop, on_resume);
	server_start(&p->server, scripts, count);
}

static void probe_request(struct probe *p, size_t body_bytes)
{
	static const struct http_header headers[] = {{SV("content-type"), SV("application/json")}};
	struct upstream_request request = {
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
		.idle_timeout_ms = 20000,
		.document = p->document,
	};
	char url[64];

	p->body = mem_zalloc(body_bytes + 1);
	memset(p->body, 'b', body_bytes);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/codex/responses", p->server.port);
	request.url = url;
	request.body = sv_make(p->body, body_bytes);
	p->upstream = upstream_start(p->loop, p->pool, &request, &ops, p);
	loop_run(p->loop);
	timer_stop(&p->resume);
}

static void probe_stop(struct probe *p)
{
	fetch_pool_free(p->pool);
	server_stop(&p->server);
	loop_run(p->loop);
	loop_free(p->loop);
}

struct attempt_case {
	const char *name;
	struct script script;
	enum failure_class class;
	const char *types;
	int heads;
};

#define THREE "response.created response.output_text.delta response.completed "

static const struct attempt_case attempt_cases[] = {
	{"chunked and kept open", {.answer = CHUNKED CREATED DELTA COMPLETED, .after = AFTER_WAIT},
		FAILURE_NONE, THREE, 1},
	{"ends by close", {.answer = UNTIL_CLOSE CREATED DELTA COMPLETED}, FAILURE_NONE, THREE, 1},
	{"reset behind the terminal event",
		{.answer = CHUNKED CREATED DELTA COMPLETED, .after = AFTER_READ_RESET},
		FAILURE_NONE, THREE, 1},
	{"incomplete is no failure",
		{.answer = UNTIL_CLOSE EVENT("{\"type\":\"response.incomplete\"}"),
			.after = AFTER_WAIT},
		FAILURE_NONE, "response.incomplete ", 1},
	{"events behind the terminal one", {.answer = UNTIL_CLOSE COMPLETED DELTA}, FAILURE_NONE,
		"response.completed ", 1},
	{"[DONE] and comments and empty events",
		{.answer = UNTIL_CLOSE ": hi\n\ndata:\n\ndata: [DONE]\n\n" COMPLETED}, FAILURE_NONE,
		"response.completed ", 1},
	{"failed",
		{.answer = CHUNKED CREATED EVENT(
			 "{\"type\":\"response.failed\",\"response\":{\"error\":"
			 "{\"code\":\"server_is_overloaded\"}}}")},
		FAILURE_TRANSIENT, "response.created ", 1},
	{"error",
		{.answer = CHUNKED EVENT("{\"type\":\"error\",\"code\":\"usage_limit_reached\"}"),
			.after = AFTER_WAIT},
		FAILURE_RATE_LIMIT, "", 1},
	{"clean end without a terminal event", {.answer = UNTIL_CLOSE CREATED DELTA},
		FAILURE_TRUNCATED, "response.created response.output_text.delta ", 1},
	{"cut inside the terminal event",
		{.answer = UNTIL_CLOSE "data: {\"type\":\"response.completed\"}\n"},
		FAILURE_TRUNCATED, "", 1},
	{"cut inside the body", {.answer = CHUNKED CREATED}, FAILURE_TRUNCATED, "response.created ",
		1},
	{"no answer", {.answer = NULL}, FAILURE_TRUNCATED, "", 0},
	{"no HTTP", {.answer = "nonsense\r\n\r\n"}, FAILURE_PROTOCOL, "", 0},
	{"bad JSON", {.answer = CHUNKED CREATED EVENT("{\"type\":") DELTA, .after = AFTER_WAIT},
		FAILURE_PROTOCOL, "response.created ", 1},
	{"an event that is too large",
		{.answer = UNTIL_CLOSE CREATED "data: ", .padding_bytes = LIMIT_EVENT_BYTES + 1},
		FAILURE_PROTOCOL, "response.created ", 1},
	{"no content type", {.answer = "HTTP/1.1 200 OK\r\n\r\n" COMPLETED}, FAILURE_NONE,
		"response.completed ", 1},
	{"JSON with 200",
		{.answer = "HTTP/1.1 200 OK\r\ncontent-type: "
			   "application/json\r\n\r\n{\"id\":\"r\"}"},
		FAILURE_PROTOCOL, "", 0},
	{"an error in JSON with 200",
		{.answer = "HTTP/1.1 200 OK\r\ncontent-type: "
			   "application/json\r\n\r\n{\"error\":{\"code\":"
			   "\"insufficient_quota\"}}"},
		FAILURE_QUOTA, "", 0},
	{"401", {.answer = "HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", .after = AFTER_WAIT},
		FAILURE_AUTH, "", 0},
	{"an error body that is cut", {.answer = "HTTP/1.1 429 No\r\ncontent-length: 50\r\n\r\n{"},
		FAILURE_RATE_LIMIT, "", 0},
	{"an error body without end",
		{.answer = "HTTP/1.1 500 No\r\n\r\n", .padding_bytes = MIB(8), .after = AFTER_WAIT},
		FAILURE_TRANSIENT, "", 0},
};

static void test_attempts(void **state)
{
	struct probe p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(attempt_cases); i++) {
		const struct attempt_case *c = &attempt_cases[i];

		probe_start(&p, &c->script, 1);
		probe_request(&p, 100);
		probe_stop(&p);
		if (p.ends != 1 || p.failure.class != c->class || p.heads != c->heads ||
			strcmp(p.types, c->types) != 0)
			fail_msg("%s: %d ends, %s, %d heads, %s", c->name, p.ends,
				failure_class_name(p.failure.class), p.heads, p.types);
	}
}

static const struct attempt_case document_cases[] = {
	{"a document",
		{.answer = JSON_HEAD "content-length: 13\r\n\r\n" DOCUMENT, .after = AFTER_WAIT},
		FAILURE_NONE, "response.completed ", 1},
	{"until close", {.answer = JSON_HEAD "\r\n" DOCUMENT}, FAILURE_NONE, "response.completed ",
		1},
	{"that is cut", {.answer = JSON_HEAD "content-length: 50\r\n\r\n" DOCUMENT},
		FAILURE_TRUNCATED, "", 1},
	{"that is no JSON", {.answer = JSON_HEAD "\r\n{\"output\":["}, FAILURE_PROTOCOL, "", 1},
	{"that is no object", {.answer = JSON_HEAD "\r\n[]"}, FAILURE_PROTOCOL, "", 1},
	{"that is empty", {.answer = JSON_HEAD "content-length: 0\r\n\r\n"}, FAILURE_PROTOCOL, "",
		1},
	{"that is too large",
		{.answer = JSON_HEAD "\r\n{\"a\":\"", .padding_bytes = LIMIT_EVENT_BYTES + 1},
		FAILURE_PROTOCOL, "", 1},
	{"that tells an error",
		{.answer = JSON_HEAD "\r\n{\"error\":{\"code\":\"insufficient_quota\"}}"},
		FAILURE_QUOTA, "", 1},
	{"an error instead of it",
		{.answer = "HTTP/1.1 429 No\r\ncontent-length: 2\r\n\r\n{}", .after = AFTER_WAIT},
		FAILURE_RATE_LIMIT, "", 0},
	{"no answer", {.answer = NULL}, FAILURE_TRUNCATED, "", 0},
};

static void test_documents(void **state)
{
	struct probe p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(document_cases); i++) {
		const struct attempt_case *c = &document_cases[i];

		probe_start(&p, &c->script, 1);
		p.document = true;
		probe_request(&p, 100);
		probe_stop(&p);
		if (p.ends != 1 || p.failure.class != c->class || p.heads != c->heads ||
			strcmp(p.types, c->types) != 0)
			fail_msg("a document %s: %d ends, %s, %d heads, %s", c->name, p.ends,
				failure_class_name(p.failure.class), p.heads, p.types);
	}
}

static void test_a_document_can_be_given_up_inside_callbacks(void **state)
{
	static const struct script script = {
		.answer = JSON_HEAD "content-length: 13\r\n\r\n" DOCUMENT, .after = AFTER_WAIT};
	struct probe p;

	(void)state;
	for (int where = 0; where < 3; where++) {
		probe_start(&p, &script, 1);
		p.document = true;
		p.cancel_in_head = where == 0;
		p.cancel_in_event = where == 1;
		p.cancel_in_end = where == 2;
		probe_request(&p, 100);
		probe_stop(&p);
		assert_int_equal(p.ends, where == 2);
	}
}

static void test_body_of_a_client_error_is_kept(void **state)
{
	static const struct script script = {
		.answer = "HTTP/1.1 400 No\r\nconnection: close\r\n\r\n{\"detail\":\"no\"}"};
	struct probe p;

	(void)state;
	probe_start(&p, &script, 1);
	probe_request(&p, 100);
	probe_stop(&p);
	assert_int_equal(p.failure.class, FAILURE_CLIENT);
	assert_string_equal(p.error_body, "{\"detail\":\"no\"}");
}

static void test_meters_of_head_and_events(void **state)
{
	static const struct script script = {.answer = UNTIL_CLOSE LIMITS COMPLETED};
	struct probe p;

	(void)state;
	probe_start(&p, &script, 1);
	probe_request(&p, 100);
	probe_stop(&p);
	assert_true(p.meters.window[METER_5H].used_percent == 12);
	assert_true(p.meters.window[METER_WEEK].used_percent == 40);
	assert_string_equal(p.types, "codex.rate_limits response.completed ");
	assert_int_equal(p.header_count, 4);
}

static void test_connection_refused(void **state)
{
	struct probe p;

	(void)state;
	probe_start(&p, NULL, 0);
	close(p.server.fd);
	p.server.fd = -1;
	probe_request(&p, 100);
	probe_stop(&p);
	assert_int_equal(p.failure.class, FAILURE_NETWORK);
	assert_true(p.failure.detail[0]);
}

/* All events come in one piece; each waits for its own resume, and so does the end. */
static void test_pause_in_events(void **state)
{
	static const struct script scripts[] = {
		{.answer = UNTIL_CLOSE CREATED DELTA DELTA DELTA COMPLETED},
		{.answer = CHUNKED CREATED DELTA DELTA DELTA COMPLETED, .after = AFTER_WAIT},
		{.answer = UNTIL_CLOSE CREATED DELTA DELTA DELTA DELTA},
	};
	struct probe p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		probe_start(&p, &scripts[i], 1);
		p.pause_in_events = true;
		probe_request(&p, 100);
		probe_stop(&p);
		assert_int_equal(p.events, 5);
		assert_int_equal(p.while_paused, 0);
		assert_int_equal(p.ends, 1);
		assert_int_equal(p.failure.class, i == 2 ? FAILURE_TRUNCATED : FAILURE_NONE);
	}
}

static void test_cancel_inside_callbacks(void **state)
{
	static const struct script script = {
		.answer = CHUNKED CREATED DELTA COMPLETED, .after = AFTER_WAIT};
	struct probe p;

	(void)state;
	for (int where = 0; where < 3; where++) {
		probe_start(&p, &script, 1);
		p.cancel_in_head = where == 0;
		p.cancel_in_event = where == 1;
		p.cancel_in_end = where == 2;
		probe_request(&p, 100);
		assert_int_equal(p.heads, 1);
		assert_int_equal(p.events, where == 2 ? 3 : where);
		assert_int_equal(p.ends, where == 2);
		probe_stop(&p);
	}
}

static void test_cancel_while_events_wait(void **state)
{
	static const struct script script = {.answer = UNTIL_CLOSE CREATED DELTA COMPLETED};
	struct probe p;

	(void)state;
	probe_start(&p, &script, 1);
	p.pause_in_events = true;
	probe_request(&p, 100);
	probe_stop(&p);
	assert_int_equal(p.events, 3);
}

static void on_late_end(struct timer *t)
{
	loop_stop(CONTAINER_OF(t, struct probe, resume)->loop);
}

/* The end is told at the terminal event; the response may end a little later, and its connection
 * serves the next request. */
static void test_connection_is_kept(void **state)
{
	static const struct script scripts[] = {
		{.answer = CHUNKED CREATED COMPLETED, .after = AFTER_LAST_CHUNK},
		{.answer = CHUNKED CREATED COMPLETED, .after = AFTER_WAIT},
	};
	struct probe p;

	(void)state;
	probe_start(&p, scripts, ARRAY_LEN(scripts));
	probe_request(&p, 100);
	assert_int_equal(p.ends, 1);
	assert_int_equal(write(p.server.go[1], "x", 1), 1);
	timer_init(&p.resume, p.loop, on_late_end);
	timer_start(&p.resume, 200);
	loop_run(p.loop);
	probe_request(&p, 100);
	assert_int_equal(p.ends, 2);
	assert_int_equal(p.server.connections, 1);
	assert_int_equal(p.server.requests, 2);
	probe_stop(&p);
}

static void on_look_whether_gone(struct timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, resume);

	if (atomic_load(&p->server.gone))
		loop_stop(p->loop);
	else
		timer_start(t, 10);
}

/* A response that does not end is cut, and only after a moment. */
static void test_connection_is_closed_after_a_moment(void **state)
{
	static const struct script script = {.answer = CHUNKED COMPLETED, .after = AFTER_WAIT};
	struct probe p;

	(void)state;
	probe_start(&p, &script, 1);
	probe_request(&p, 100);
	assert_int_equal(p.server.gone, 0);
	timer_init(&p.resume, p.loop, on_look_whether_gone);
	timer_start(&p.resume, 10);
	loop_run(p.loop);
	assert_in_range(clock_mono_ms() - p.end_ms, 900, 10000);
	probe_stop(&p);
}

/* An answer that comes before the request was read: its body may be freed at the end, and is. */
static void test_early_answer(void **state)
{
	static const struct script script = {
		.answer = CHUNKED COMPLETED, .after = AFTER_WAIT, .skip_body = true};
	struct probe p;

	(void)state;
	probe_start(&p, &script, 1);
	probe_request(&p, MIB(32));
	assert_int_equal(p.failure.class, FAILURE_NONE);
	timer_init(&p.resume, p.loop, on_late_end);
	timer_start(&p.resume, 50);
	loop_run(p.loop);
	probe_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_a_document_can_be_given_up_inside_callbacks),
		cmocka_unit_test(test_body_of_a_client_error_is_kept),
		cmocka_unit_test(test_meters_of_head_and_events),
		cmocka_unit_test(test_connection_refused),
		cmocka_unit_test(test_pause_in_events),
		cmocka_unit_test(test_cancel_inside_callbacks),
		cmocka_unit_test(test_cancel_while_events_wait),
		cmocka_unit_test(test_connection_is_kept),
		cmocka_unit_test(test_connection_is_closed_after_a_moment),
		cmocka_unit_test(test_early_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
