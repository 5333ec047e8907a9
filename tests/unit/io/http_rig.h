/*
 * The rig of test_http_server.c: a server on a thread of its own whose handler answers by path and
 * counts what it saw, and raw clients with blocking sockets. Only for that test.
 */
#ifndef TEST_HTTP_RIG_H
#define TEST_HTTP_RIG_H
#include "base/limits.h"
#include "io/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	BIG_BYTES = 100 * 1024 * 1024,
	BLOB_BYTES = 64 * 1024,
	PATIENCE_SECONDS = 20,
};

/* Server side: the handler. */

struct counters {
	unsigned requests;
	unsigned gone;
	unsigned faults;
	int last_fault;
	int last_gone;
	unsigned waiting; /* streams without an answer */
	unsigned idle;
	unsigned worst_burst; /* bytes sent beyond congestion in one go */
	size_t produced;
};

struct fixture {
	struct loop *loop;
	struct http_server *server;
	struct counters seen;
	char address[64];
	pthread_t thread;
	bool running;
};

/* An answer in progress. */
struct job {
	struct fixture *fixture;
	struct http_stream *stream;
	struct timer timer;
	size_t left;
	bool waits;
};

static struct job *job_new(struct fixture *f, struct http_stream *s, void (*fn)(struct timer *t))
{
	struct job *job = mem_zalloc(sizeof(*job));

	job->fixture = f;
	job->stream = s;
	timer_init(&job->timer, f->loop, fn);
	http_stream_set_user(s, job);
	return job;
}

static void job_free(struct job *job)
{
	if (job->waits)
		job->fixture->seen.waiting--;
	timer_stop(&job->timer);
	free(job);
}

static void answer(struct http_stream *s, int status, struct sv body)
{
	struct http_response response = {.status = status, .content_type = SV("text/plain")};

	http_respond(s, &response, body);
}

static void on_later(struct timer *t)
{
	struct job *job = CONTAINER_OF(t, struct job, timer);
	struct http_stream *s = job->stream;

	job_free(job);
	answer(s, 200, SV("later"));
}

static void on_never(struct timer *t)
{
	(void)t;
}

static void produce(struct job *job)
{
	static const char block[16384];
	struct http_stream *s = job->stream;
	size_t beyond = 0;

	while (job->left && !http_is_congested(s)) {
		size_t n = job->left < sizeof(block) ? job->left : sizeof(block);

		http_send(s, sv_make(block, n));
		job->left -= n;
		job->fixture->seen.produced += n;
		beyond += n;
	}
	if (beyond > job->fixture->seen.worst_burst)
		job->fixture->seen.worst_burst = (unsigned)beyond;
	if (job->left == 0) {
		job_free(job);
		http_finish(s);
	}
}

static void do_hello(struct fixture *f, struct http_stream *s)
{
	(void)f;
	answer(s, 200, SV("hello"));
}

static void do_echo(struct fixture *f, struct http_stream *s)
{
	struct buf body;
	struct http_response response = {.status = 200};

	(void)f;
	buf_move(http_body(s), &body);
	response.content_length = (int64_t)body.len;
	http_respond_head(s, &response);
	http_send_buf(s, &body);
	http_finish(s);
}

static void do_later(struct fixture *f, struct http_stream *s)
{
	timer_start(&job_new(f, s, on_later)->timer, 0);
}

/* Answers after a while, so that a drain comes first. */
static void do_slow(struct fixture *f, struct http_stream *s)
{
	struct job *job = job_new(f, s, on_later);

	job->waits = true;
	f->seen.waiting++;
	timer_start(&job->timer, 300);
}

static void do_stuck(struct fixture *f, struct http_stream *s)
{
	job_new(f, s, on_never)->waits = true;
	f->seen.waiting++;
}

static void do_big(struct fixture *f, struct http_stream *s)
{
	struct http_response response = {.status = 200, .content_length = BIG_BYTES};
	struct job *job = job_new(f, s, on_never);

	job->left = BIG_BYTES;
	http_respond_head(s, &response);
	produce(job);
}

static void do_blob(struct fixture *f, struct http_stream *s)
{
	static const char blob[BLOB_BYTES];

	(void)f;
	answer(s, 200, sv_make(blob, sizeof(blob)));
}

static void begin_chunks(struct http_stream *s)
{
	static const struct http_header extra = {SV("X-Extra"), SV("yes")};
	struct http_response response = {
		.status = 200,
		.content_length = -1,
		.headers = &extra,
		.header_count = 1,
	};

	http_respond_head(s, &response);
	http_send(s, SV("one"));
	http_send(s, SV(""));
	http_send(s, SV("two and a long one"));
}

static void do_chunks(struct fixture *f, struct http_stream *s)
{
	struct buf b;

	(void)f;
	begin_chunks(s);
	buf_init(&b, MIB(1));
	for (int i = 0; i < 20000; i++)
		buf_add_lit(&b, "moved");
	http_send_buf(s, &b);
	http_finish(s);
}

static void do_abort(struct fixture *f, struct http_stream *s)
{
	(void)f;
	begin_chunks(s);
	http_abort(s);
}

static void do_short(struct fixture *f, struct http_stream *s)
{
	struct http_response response = {.status = 200, .content_length = 10};

	(void)f;
	http_respond_head(s, &response);
	http_send(s, SV("four"));
	http_finish(s);
}

static void do_reset(struct fixture *f, struct http_stream *s)
{
	(void)f;
	begin_chunks(s);
	http_reset(s);
}

static void do_nothing(struct fixture *f, struct http_stream *s)
{
	struct http_response response = {.status = 204};

	(void)f;
	http_respond(s, &response, SV_NONE);
}

static void do_state(struct fixture *f, struct http_stream *s)
{
	struct http_response response = {.status = 200};
	const struct counters *seen = &f->seen;
	struct buf b;

	buf_init(&b, KIB(4));
	buf_addf(&b, "requests=%u gone=%u faults=%u fault=%d why=%d waiting=%u produced=%zu ",
		seen->requests, seen->gone, seen->faults, seen->last_fault, seen->last_gone,
		seen->waiting, seen->produced);
	buf_addf(&b, "connections=%zu burst=%u ", http_server_connections(f->server),
		seen->worst_burst);
	http_respond(s, &response, buf_sv(&b));
	buf_fini(&b);
}

static const struct {
	struct sv path;
	void (*fn)(struct fixture *f, struct http_stream *s);
} routes[] = {
	{SV("/hello"), do_hello},
	{SV("/echo"), do_echo},
	{SV("/cap"), do_echo},
	{SV("/later"), do_later},
	{SV("/slow"), do_slow},
	{SV("/stuck"), do_stuck},
	{SV("/big"), do_big},
	{SV("/blob"), do_blob},
	{SV("/chunks"), do_chunks},
	{SV("/abort"), do_abort},
	{SV("/short"), do_short},
	{SV("/reset"), do_reset},
	{SV("/nothing"), do_nothing},
	{SV("/state"), do_state},
};

static void on_head(struct http_stream *s, void *arg)
{
	struct sv path = http_stream_request(s)->path;

	(void)arg;
	if (sv_eq(path, SV("/early")))
		answer(s, 404, SV("early"));
	else if (sv_eq(path, SV("/cap")))
		http_set_body_cap(s, 10);
}

static void on_request(struct http_stream *s, void *arg)
{
	struct fixture *f = arg;
	struct sv path = http_stream_request(s)->path;

	if (!sv_eq(path, SV("/state")))
		f->seen.requests++;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (sv_eq(path, routes[i].path)) {
			routes[i].fn(f, s);
			return;
		}
	}
	answer(s, 404, SV("nowhere"));
}

static void on_drain(struct http_stream *s, void *arg)
{
	(void)arg;
	produce(http_stream_user(s));
}

static void on_gone(struct http_stream *s, void *arg, enum conn_end why)
{
	struct fixture *f = arg;

	f->seen.gone++;
	f->seen.last_gone = (int)why;
	job_free(http_stream_user(s));
}

static void add_headers(struct http_stream *s, struct buf *out, void *arg)
{
	(void)s;
	(void)arg;
	buf_add_lit(out, "X-Always: here\r\n");
}

static void on_fault(struct http_stream *s, const struct http_fault *fault, void *arg)
{
	struct fixture *f = arg;

	(void)s;
	f->seen.faults++;
	f->seen.last_fault = fault->status;
}

static const struct http_handler handler = {
	.on_head = on_head,
	.on_request = on_request,
	.on_drain = on_drain,
	.on_gone = on_gone,
	.add_headers = add_headers,
	.on_fault = on_fault,
};

/* The server's thread: SIGUSR1 drains, SIGUSR2 ends. */

static void on_idle(void *arg)
{
	struct fixture *f = arg;

	f->seen.idle++;
	http_server_free(f->server);
	f->server = NULL;
	loop_close_signals(f->loop);
}

static void on_signal(void *arg, int signo)
{
	struct fixture *f = arg;

	if (signo == SIGUSR1) {
		http_server_on_idle(f->server, on_idle, f);
		http_server_drain(f->server);
		return;
	}
	http_server_free(f->server);
	f->server = NULL;
	loop_close_signals(f->loop);
}

static void *run(void *arg)
{
	struct fixture *f = arg;

	loop_run(f->loop);
	return NULL;
}

static void start(struct fixture *f, struct http_options options)
{
	options.address = "127.0.0.1:0";
	*f = (struct fixture){.loop = loop_new()};
	loop_on_signal(f->loop, SIGUSR1, on_signal, f);
	loop_on_signal(f->loop, SIGUSR2, on_signal, f);
	assert_int_equal(http_server_new(f->loop, &options, &handler, f, &f->server), 0);
	snprintf(f->address, sizeof(f->address), "%s", http_server_address(f->server));
	assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
	f->running = true;
}

static void join(struct fixture *f)
{
	pthread_join(f->thread, NULL);
	f->running = false;
	loop_free(f->loop);
	f->loop = NULL;
}

static void stop(struct fixture *f)
{
	kill(getpid(), SIGUSR2);
	join(f);
}

static struct fixture fixture;

static int setup(void **state)
{
	*state = &fixture;
	start(&fixture, (struct http_options){0});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (fixture.running)
		stop(&fixture);
	return 0;
}

static void restart(struct fixture *f, struct http_options options)
{
	stop(f);
	start(f, options);
}

/* Client side. */

struct client {
	int fd;
	struct buf in; /* received and not used yet */
	bool eof;
	int error;
};

/* One response. */
struct reply {
	int status;
	struct buf head;
	struct buf body;
	bool whole; /* ended as its framing says */
};

static void dial(const struct fixture *f, struct client *c)
{
	struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
	struct sockaddr_in to = {.sin_family = AF_INET};
	const char *colon = strrchr(f->address, ':');

	*c = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0)};
	assert_true(c->fd >= 0);
	buf_init(&c->in, MIB(256));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

static void hang_up(struct client *c)
{
	close(c->fd);
	buf_fini(&c->in);
}

/* False when the server closed meanwhile. */
static bool put(struct client *c, struct sv bytes)
{
	while (bytes.n) {
		ssize_t n = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes = sv_from(bytes, (size_t)n);
	}
	return true;
}

static void put_cstr(struct client *c, const char *text)
{
	assert_true(put(c, sv_cstr(text)));
}

static void put_fill(struct client *c, char fill, size_t n)
{
	char block[4096];

	memset(block, fill, sizeof(block));
	while (n) {
		size_t part = n < sizeof(block) ? n : sizeof(block);

		if (!put(c, sv_make(block, part)))
			return;
		n -= part;
	}
}

/* Reads something more; false at the end. A silent server fails the test. */
static bool more(struct client *c)
{
	ssize_t n;

	if (c->eof)
		return false;
	assert_int_equal(buf_reserve(&c->in, 65536), 0);
	n = recv(c->fd, c->in.data + c->in.len, 65536, 0);
	if (n < 0) {
		assert_int_not_equal(errno, EAGAIN);
		c->error = errno;
	}
	if (n <= 0) {
		c->eof = true;
		return false;
	}
	c->in.len += (size_t)n;
	return true;
}

static bool take_until(struct client *c, struct sv mark, struct buf *out)
{
	ptrdiff_t at;

	while ((at = sv_find(buf_sv(&c->in), mark)) < 0) {
		if (!more(c))
			return false;
	}
	buf_add(out, c->in.data, (size_t)at + mark.n);
	buf_consume(&c->in, (size_t)at + mark.n);
	return true;
}

static bool take(struct client *c, size_t n, struct buf *out)
{
	while (c->in.len < n) {
		if (!more(c))
			break;
	}
	if (n > c->in.len) {
		buf_add_sv(out, buf_sv(&c->in));
		buf_reset(&c->in, 0);
		return false;
	}
	buf_add(out, c->in.data, n);
	buf_consume(&c->in, n);
	return true;
}

static bool take_chunks(struct client *c, struct buf *out)
{
	for (;;) {
		struct buf line;
		struct buf end;
		size_t n;
		bool ok;

		buf_init(&line, KIB(4));
		buf_init(&end, KIB(4));
		ok = take_until(c, SV("\r\n"), &line);
		n = ok ? strtoul(buf_cstr(&line), NULL, 16) : 0;
		ok = ok && take(c, n, out) && take(c, 2, &end) && sv_eq(buf_sv(&end), SV("\r\n"));
		buf_fini(&line);
		buf_fini(&end);
		if (!ok || n == 0)
			return ok;
	}
}

static void reply_init(struct reply *r)
{
	*r = (struct reply){0};
	buf_init(&r->head, MIB(1));
	buf_init(&r->body, MIB(256));
}

static void reply_fini(struct reply *r)
{
	buf_fini(&r->head);
	buf_fini(&r->body);
}

static bool head_says(const struct reply *r, const char *text)
{
	return sv_ifind(buf_sv(&r->head), sv_cstr(text)) >= 0;
}

/* Reads one response; status 0 when the connection ended before its head. */
static void get_reply(struct client *c, bool to_head, struct reply *r)
{
	struct sv length;
	ptrdiff_t at;

	reply_fini(r);
	reply_init(r);
	if (!take_until(c, SV("\r\n\r\n"), &r->head))
		return;
	assert_true(sv_starts(buf_sv(&r->head), SV("HTTP/1.1 ")));
	r->status = (int)strtol(buf_cstr(&r->head) + 9, NULL, 10);
	at = sv_ifind(buf_sv(&r->head), SV("content-length: "));
	if (to_head || r->status < 200 || r->status == 204) {
		r->whole = true;
	} else if (head_says(r, "transfer-encoding: chunked")) {
		r->whole = take_chunks(c, &r->body);
	} else if (at >= 0) {
		length = sv_from(buf_sv(&r->head), (size_t)at + 16);
		r->whole = take(c, strtoul(length.p, NULL, 10), &r->body);
	} else {
		while (more(c)) {
		}
		r->whole = !c->error;
		buf_add_sv(&r->body, buf_sv(&c->in));
		buf_reset(&c->in, 0);
	}
}

static void expect_reply(struct client *c, int status, const char *body)
{
	struct reply r;

	reply_init(&r);
	get_reply(c, false, &r);
	assert_int_equal(r.status, status);
	assert_true(r.whole);
	assert_true(status < 200 || head_says(&r, "\r\nDate: "));
	assert_true(status < 200 || head_says(&r, "\r\nX-Always: here\r\n"));
	if (body)
		assert_string_equal(buf_cstr(&r.body), body);
	reply_fini(&r);
}

static void expect_eof(struct client *c)
{
	while (more(c)) {
	}
	assert_int_equal(c->in.len, 0);
	assert_int_equal(c->error, 0);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST(path, length) "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Length: " length "\r\n\r\n"

/* A number from /state, over a connection of its own. */
static size_t state_of(const struct fixture *f, const char *name)
{
	struct client c;
	struct reply r;
	char key[32];
	ptrdiff_t at;
	size_t value;

	dial(f, &c);
	reply_init(&r);
	put_cstr(&c, GET("/state"));
	get_reply(&c, false, &r);
	snprintf(key, sizeof(key), "%s=", name);
	at = sv_find(buf_sv(&r.body), sv_cstr(key));
	assert_true(at >= 0);
	value = strtoul(buf_cstr(&r.body) + at + strlen(key), NULL, 10);
	reply_fini(&r);
	hang_up(&c);
	return value;
}

/* Asks until it is so; a test that never gets there is ended by its runner. */
static void await_state(const struct fixture *f, const char *name, size_t value)
{
	while (state_of(f, name) != value) {
	}
}

/* Until the number has not changed for a while. */
static size_t settled(const struct fixture *f, const char *name)
{
	size_t value = state_of(f, name);

	for (int same = 0; same < 50; same++) {
		size_t now = state_of(f, name);

		if (now != value)
			same = 0;
		value = now;
	}
	return value;
}

#endif
