/*
 * The HTTP server with raw clients. The server's loop runs on a thread of its own; the tests talk
 * to it through blocking sockets and ask "/state" what its handler saw.
 */
#include "http_rig.h"

#include <zlib.h>

static void test_keep_alive(void **state)
{
	struct client c;

	dial(*state, &c);
	for (int i = 0; i < 5; i++) {
		put_cstr(&c, GET("/hello/"));
		expect_reply(&c, 200, "hello");
		put_cstr(&c, POST("/echo", "4") "body");
		expect_reply(&c, 200, "body");
		put_cstr(&c, GET("/later?x"));
		expect_reply(&c, 200, "later");
		put_cstr(&c, GET("/none"));
		expect_reply(&c, 404, "nowhere");
		put_cstr(&c, GET("/nothing"));
		expect_reply(&c, 204, "");
	}
	put_cstr(&c, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	expect_reply(&c, 200, "hello");
	expect_eof(&c);
	hang_up(&c);
	assert_int_equal(state_of(*state, "requests"), 26);
	assert_int_equal(state_of(*state, "gone"), 0);
}

static void test_request_byte_by_byte(void **state)
{
	static const char text[] =
		"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
	struct client c;

	dial(*state, &c);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		assert_true(put(&c, sv_make(text + i, 1)));
	expect_reply(&c, 200, "hello world");
	hang_up(&c);
}

static void test_pipelining_keeps_order(void **state)
{
	struct client c;
	struct buf all;

	buf_init(&all, MIB(4));
	for (int i = 0; i < 50; i++) {
		buf_add_lit(&all, GET("/later"));
		buf_addf(&all, POST("/echo", "2") "%02d", i);
		buf_add_lit(&all, GET("/hello"));
	}
	dial(*state, &c);
	assert_true(put(&c, buf_sv(&all)));
	for (int i = 0; i < 50; i++) {
		char digits[3];

		snprintf(digits, sizeof(digits), "%02d", i);
		expect_reply(&c, 200, "later");
		expect_reply(&c, 200, digits);
		expect_reply(&c, 200, "hello");
	}
	buf_fini(&all);
	hang_up(&c);
}

/* More than is kept: reading stops, and goes on later. */
static void test_pipelining_beyond_what_is_kept(void **state)
{
	enum { COUNT = 12000 };
	struct client c;
	struct buf all;

	buf_init(&all, MIB(4));
	for (int i = 0; i < COUNT; i++)
		buf_add_lit(&all, GET("/later"));
	assert_true(all.len > 4 * LIMIT_PIPELINE_BYTES);
	dial(*state, &c);
	assert_true(put(&c, buf_sv(&all)));
	for (int i = 0; i < COUNT; i++)
		expect_reply(&c, 200, "later");
	buf_fini(&all);
	hang_up(&c);
}

/* A client that asks and asks but reads nothing is not served on and on. */
static void test_pipelining_without_reading_is_bounded(void **state)
{
	enum { COUNT = 600 };
	struct client c;

	dial(*state, &c);
	for (int i = 0; i < COUNT; i++)
		put_cstr(&c, GET("/blob"));
	assert_true(settled(*state, "requests") < COUNT);
	for (int i = 0; i < COUNT; i++)
		expect_reply(&c, 200, NULL);
	assert_int_equal(state_of(*state, "requests"), COUNT);
	hang_up(&c);
}

static void test_fin_behind_requests_still_gets_answers(void **state)
{
	struct client c;

	dial(*state, &c);
	put_cstr(&c, GET("/hello") GET("/hello"));
	shutdown(c.fd, SHUT_WR);
	expect_reply(&c, 200, "hello");
	expect_reply(&c, 200, "hello");
	expect_eof(&c);
	hang_up(&c);
}

static void test_head_has_no_body(void **state)
{
	static const char *const paths[] = {"/hello", "/chunks", "/big", "/none"};
	struct client c;

	dial(*state, &c);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct reply r;
		char text[128];

		reply_init(&r);
		snprintf(text, sizeof(text), "HEAD %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
		put_cstr(&c, text);
		get_reply(&c, true, &r);
		assert_int_equal(r.status, i == 3 ? 404 : 200);
		if (i == 0)
			assert_true(head_says(&r, "Content-Length: 5\r\n"));
		reply_fini(&r);
		put_cstr(&c, GET("/hello"));
		expect_reply(&c, 200, "hello");
	}
	hang_up(&c);
}

static void test_chunked_answer(void **state)
{
	struct client c;
	struct reply r;

	reply_init(&r);
	dial(*state, &c);
	put_cstr(&c, GET("/chunks") GET("/hello"));
	get_reply(&c, false, &r);
	assert_true(r.whole);
	assert_true(head_says(&r, "X-Extra: yes\r\n"));
	assert_int_equal(r.body.len, 3 + 18 + 100000);
	assert_memory_equal(r.body.data, "onetwo and a long onemovedmoved", 31);
	expect_reply(&c, 200, "hello");
	reply_fini(&r);
	hang_up(&c);
}

static void test_http10(void **state)
{
	struct client c;
	struct reply r;

	reply_init(&r);
	dial(*state, &c);
	put_cstr(&c, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	get_reply(&c, false, &r);
	assert_true(head_says(&r, "Connection: keep-alive\r\n"));
	assert_string_equal(buf_cstr(&r.body), "hello");
	put_cstr(&c, "GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	get_reply(&c, false, &r);
	assert_true(head_says(&r, "Connection: close\r\n"));
	assert_false(head_says(&r, "chunked"));
	assert_int_equal(r.body.len, 3 + 18 + 100000);
	hang_up(&c);
	dial(*state, &c);
	put_cstr(&c, "GET /hello HTTP/1.0\r\n\r\n");
	expect_reply(&c, 200, "hello");
	expect_eof(&c);
	hang_up(&c);
	reply_fini(&r);
}

static void test_upgrade_to_h2c_is_ignored(void **state)
{
	struct client c;

	dial(*state, &c);
	put_cstr(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
		     "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 2\r\n\r\nhi");
	expect_reply(&c, 200, "hi");
	put_cstr(&c, GET("/hello"));
	expect_reply(&c, 200, "hello");
	hang_up(&c);
}

static void test_expect_continue(void **state)
{
	struct client c;

	dial(*state, &c);
	put_cstr(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		     "Content-Length: 2\r\n\r\n");
	expect_reply(&c, 100, "");
	put_cstr(&c, "hi");
	expect_reply(&c, 200, "hi");
	/* Not wanted: no interim answer. */
	put_cstr(&c, "POST /early HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		     "Content-Length: 2\r\n\r\n");
	expect_reply(&c, 404, "early");
	expect_eof(&c);
	hang_up(&c);
	dial(*state, &c);
	put_cstr(&c, "POST /cap HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		     "Content-Length: 11\r\n\r\n");
	expect_reply(&c, 413, NULL);
	expect_eof(&c);
	hang_up(&c);
}

static void test_big_bodies(void **state)
{
	enum { SIZE = 5000000 };
	struct client c;
	struct reply r;

	reply_init(&r);
	dial(*state, &c);
	put_cstr(&c, POST("/echo", "5000000"));
	put_fill(&c, 'x', SIZE);
	get_reply(&c, false, &r);
	assert_int_equal(r.body.len, SIZE);
	put_cstr(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < SIZE / 10000; i++) {
		put_cstr(&c, "2710\r\n");
		put_fill(&c, 'y', 10000);
		put_cstr(&c, "\r\n");
	}
	put_cstr(&c, "0\r\n\r\n");
	get_reply(&c, false, &r);
	assert_int_equal(r.body.len, SIZE);
	assert_int_equal(r.body.data[SIZE - 1], 'y');
	reply_fini(&r);
	hang_up(&c);
}

/* Bodies are read to where they are kept: the next request's bytes must not get there. */
static void test_request_behind_a_big_body(void **state)
{
	enum { SIZE = 300000 };
	struct client c;
	struct reply r;
	struct buf bytes;

	buf_init(&bytes, MIB(2));
	for (int i = 0; i < 3; i++) {
		buf_add_cstr(&bytes, POST("/echo", "300000"));
		for (int at = 0; at < SIZE; at++)
			buf_add_char(&bytes, (char)('a' + (at + i) % 26));
	}
	reply_init(&r);
	dial(*state, &c);
	assert_true(put(&c, buf_sv(&bytes)));
	for (int i = 0; i < 3; i++) {
		get_reply(&c, false, &r);
		assert_int_equal(r.body.len, SIZE);
		for (int at = 0; at < SIZE; at++)
			assert_int_equal(r.body.data[at], 'a' + (at + i) % 26);
	}
	buf_fini(&bytes);
	reply_fini(&r);
	hang_up(&c);
}

static void gzip(struct sv plain, struct buf *out)
{
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(buf_reserve(out, deflateBound(&z, plain.n)), 0);
	z.next_in = (unsigned char *)(uintptr_t)plain.p;
	z.avail_in = (unsigned)plain.n;
	z.next_out = (unsigned char *)out->data;
	z.avail_out = (unsigned)out->size;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len = z.total_out;
	deflateEnd(&z);
}

static void put_encoded(struct client *c, const char *coding, struct sv body)
{
	struct buf head;

	buf_init(&head, KIB(4));
	buf_addf(&head,
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: %s\r\n"
		"Content-Length: %zu\r\n\r\n",
		coding, body.n);
	assert_true(put(c, buf_sv(&head)));
	put(c, body);
	buf_fini(&head);
}

static void test_encoded_bodies(void **state)
{
	static const char zeros[4 * 1024 * 1024];
	struct client c;
	struct buf packed;

	restart(*state, (struct http_options){.max_body_bytes = MIB(1)});
	buf_init(&packed, MIB(8));
	gzip(SV("hello gzip"), &packed);
	dial(*state, &c);
	put_encoded(&c, "gzip", buf_sv(&packed));
	expect_reply(&c, 200, "hello gzip");
	put_encoded(&c, "identity", SV("plain"));
	expect_reply(&c, 200, "plain");
	put_encoded(&c, "GZip", sv_make(packed.data, packed.len - 4));
	expect_reply(&c, 400, NULL);
	hang_up(&c);

	dial(*state, &c);
	put_encoded(&c, "gzip", SV("this is no gzip"));
	expect_reply(&c, 400, NULL);
	hang_up(&c);

	dial(*state, &c);
	put_encoded(&c, "rot13", SV("uryyb"));
	expect_reply(&c, 415, NULL);
	hang_up(&c);

	buf_reset(&packed, 0);
	gzip(sv_make(zeros, sizeof(zeros)), &packed);
	assert_true(packed.len < KIB(16));
	dial(*state, &c);
	put_encoded(&c, "gzip", buf_sv(&packed));
	expect_reply(&c, 413, NULL);
	hang_up(&c);
	buf_fini(&packed);
	assert_int_equal(state_of(*state, "faults"), 4);
}

static const struct {
	int status;
	const char *text;
	char fill; /* repeated behind text */
	size_t count;
} limits[] = {
	{414, "GET /", 'a', MIB(1)},
	{431, "GET / HTTP/1.1\r\nHost: x\r\nX: ", 'a', MIB(1)},
	{400, "GET / HTTP/1.1\r\n\r\n", 0, 0},
	{400, "\x16\x03\x01", 0, 0},
	{400, "GET / HTTP/1.1\nHost: x\n\n", 0, 0},
	{400, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 0, 0},
	{417, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: magic\r\n\r\n", 0, 0},
	{501, "BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n", 0, 0},
	{501, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 0, 0},
	{505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, 0},
	{413, POST("/cap", "11"), 'x', 11},
	{413, POST("/echo", "99999999999999999999"), 'x', 100},
	{413, "POST /cap HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n", 'x',
		0x100000},
	/* Far more than fits into the socket buffers: the answer must not be lost in a reset. */
	{413, POST("/echo", "73400320"), 'x', 73400320},
};

static void test_limits_and_their_statuses(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct client c;
		struct reply r;

		reply_init(&r);
		dial(*state, &c);
		put_cstr(&c, limits[i].text);
		put_fill(&c, limits[i].fill, limits[i].count);
		get_reply(&c, false, &r);
		if (r.status != limits[i].status)
			fail_msg("%d instead of %d: %.60s", r.status, limits[i].status,
				limits[i].text);
		assert_true(head_says(&r, "Connection: close\r\n"));
		assert_true(sv_starts(buf_sv(&r.body), SV("{\"error\":{\"message\":\"")));
		expect_eof(&c);
		reply_fini(&r);
		hang_up(&c);
	}
	assert_int_equal(state_of(*state, "requests"), 0);
	assert_int_equal(state_of(*state, "faults"), ARRAY_LEN(limits));
	await_state(*state, "connections", 1);
}

static void test_fault_behind_good_requests(void **state)
{
	struct client c;

	dial(*state, &c);
	put_cstr(&c, GET("/hello") GET("/later") "nonsense\r\n\r\n");
	expect_reply(&c, 200, "hello");
	expect_reply(&c, 200, "later");
	expect_reply(&c, 400, NULL);
	expect_eof(&c);
	hang_up(&c);
}

/* A header again and again does not keep the connection. */
static void test_slow_head_times_out(void **state)
{
	struct client c;

	restart(*state, (struct http_options){.header_timeout_ms = 60});
	dial(*state, &c);
	put_cstr(&c, "GET /hello HTTP/1.1\r\nHost: x\r\n");
	for (;;) {
		struct pollfd p = {.fd = c.fd, .events = POLLIN};

		if (poll(&p, 1, 5) > 0)
			break;
		if (!put(&c, SV("X: y\r\n")))
			break;
	}
	expect_reply(&c, 408, NULL);
	hang_up(&c);
	assert_int_equal(state_of(*state, "fault"), 408);
}

static void test_stalled_body_times_out(void **state)
{
	struct client c;

	restart(*state, (struct http_options){.body_idle_timeout_ms = 30});
	dial(*state, &c);
	put_cstr(&c, POST("/echo", "10") "four");
	expect_reply(&c, 408, NULL);
	hang_up(&c);
	dial(*state, &c);
	put_cstr(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	expect_reply(&c, 408, NULL);
	hang_up(&c);
}

static void test_idle_connection_is_closed_silently(void **state)
{
	struct client c;

	restart(*state, (struct http_options){.keepalive_idle_ms = 200});
	dial(*state, &c);
	expect_eof(&c);
	hang_up(&c);
	dial(*state, &c);
	put_cstr(&c, GET("/hello"));
	expect_reply(&c, 200, "hello");
	expect_eof(&c);
	hang_up(&c);
	assert_int_equal(state_of(*state, "faults"), 0);
}

static void test_handler_at_work_has_no_timeout(void **state)
{
	struct client c;

	restart(*state, (struct http_options){.keepalive_idle_ms = 150,
				.header_timeout_ms = 150,
				.body_idle_timeout_ms = 150});
	dial(*state, &c);
	put_cstr(&c, GET("/slow"));
	expect_reply(&c, 200, "later");
	hang_up(&c);
}

static void test_disconnect_is_told_once(void **state)
{
	for (int reset = 0; reset < 2; reset++) {
		struct linger now = {1, 0};
		struct client c;

		dial(*state, &c);
		put_cstr(&c, GET("/stuck"));
		await_state(*state, "waiting", 1);
		/* With bytes of a next request kept. */
		put_cstr(&c, GET("/hello") "GET /he");
		if (reset)
			setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		hang_up(&c);
		await_state(*state, "gone", (size_t)reset + 1);
		await_state(*state, "connections", 1);
		assert_int_equal(state_of(*state, "gone"), reset + 1);
		assert_int_equal(state_of(*state, "why"), CONN_END_PEER);
		assert_int_equal(state_of(*state, "waiting"), 0);
	}
	assert_int_equal(state_of(*state, "requests"), 2);
}

static void test_disconnect_in_the_middle_of_a_request(void **state)
{
	static const char *const parts[] = {"", "GET /", POST("/echo", "10") "abc"};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct client c;

		dial(*state, &c);
		put_cstr(&c, parts[i]);
		await_state(*state, "connections", 2);
		hang_up(&c);
		await_state(*state, "connections", 1);
	}
	assert_int_equal(state_of(*state, "gone"), 0);
	assert_int_equal(state_of(*state, "requests"), 0);
}

static void test_unread_answer_is_produced_on_demand(void **state)
{
	struct client c;
	struct reply r;

	reply_init(&r);
	dial(*state, &c);
	put_cstr(&c, GET("/big"));
	/* What the kernel's socket buffers take, and what we queue. */
	assert_true(settled(*state, "produced") < MIB(16));
	assert_true(state_of(*state, "burst") <= LIMIT_WRITE_HIGH_BYTES + 2 * KIB(16));
	get_reply(&c, false, &r);
	assert_true(r.whole);
	assert_int_equal(r.body.len, BIG_BYTES);
	put_cstr(&c, GET("/hello"));
	expect_reply(&c, 200, "hello");
	reply_fini(&r);
	hang_up(&c);
	assert_int_equal(state_of(*state, "gone"), 0);
}

static void test_disconnect_while_congested(void **state)
{
	struct client c;

	dial(*state, &c);
	put_cstr(&c, GET("/big"));
	settled(*state, "produced");
	hang_up(&c);
	await_state(*state, "gone", 1);
	await_state(*state, "connections", 1);
	assert_int_equal(state_of(*state, "gone"), 1);
}

static void test_abort_truncates(void **state)
{
	static const char *const requests[] = {GET("/abort"), GET("/short")};
	static const char *const bodies[] = {"onetwo and a long one", "four"};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct client c;
		struct reply r;

		reply_init(&r);
		dial(*state, &c);
		put_cstr(&c, requests[i]);
		get_reply(&c, false, &r);
		assert_int_equal(r.status, 200);
		assert_false(r.whole);
		assert_string_equal(buf_cstr(&r.body), bodies[i]);
		expect_eof(&c);
		reply_fini(&r);
		hang_up(&c);
	}
	assert_int_equal(state_of(*state, "gone"), 0);
}

static void test_reset(void **state)
{
	struct client c;

	dial(*state, &c);
	put_cstr(&c, GET("/reset"));
	while (more(&c)) {
	}
	assert_int_equal(c.error, ECONNRESET);
	assert_int_equal(c.in.len, 0);
	hang_up(&c);
	assert_int_equal(state_of(*state, "gone"), 0);
}

static void test_early_answer_discards_the_body(void **state)
{
	struct client c;

	dial(*state, &c);
	/* A little of it: the connection goes on. */
	put_cstr(&c, POST("/early", "5") "12345" GET("/hello"));
	expect_reply(&c, 404, "early");
	expect_reply(&c, 200, "hello");
	put_cstr(&c, POST("/early", "100000"));
	expect_reply(&c, 404, "early");
	put_fill(&c, 'x', 100000);
	put_cstr(&c, GET("/hello"));
	expect_reply(&c, 200, "hello");
	/* A lot: it ends, and the answer arrives although all of it was sent. */
	put_cstr(&c, POST("/early", "20000000"));
	put_fill(&c, 'x', 20000000);
	expect_reply(&c, 404, "early");
	expect_eof(&c);
	hang_up(&c);
	/* A lot that was not announced. */
	dial(*state, &c);
	put_cstr(&c, "POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "1000000\r\n");
	put_fill(&c, 'x', 0x1000000);
	expect_reply(&c, 404, "early");
	expect_eof(&c);
	hang_up(&c);
}

static void test_connections_beyond_the_limit_wait(void **state)
{
	struct client a, b, third;
	struct pollfd p;

	restart(*state, (struct http_options){.max_connections = 2});
	dial(*state, &a);
	dial(*state, &b);
	put_cstr(&a, GET("/hello"));
	expect_reply(&a, 200, "hello");
	put_cstr(&b, GET("/hello"));
	expect_reply(&b, 200, "hello");
	dial(*state, &third);
	put_cstr(&third, GET("/hello"));
	p = (struct pollfd){.fd = third.fd, .events = POLLIN};
	for (int i = 0; i < 50; i++) {
		put_cstr(&a, GET("/hello"));
		expect_reply(&a, 200, "hello");
	}
	assert_int_equal(poll(&p, 1, 0), 0);
	hang_up(&a);
	expect_reply(&third, 200, "hello");
	hang_up(&b);
	hang_up(&third);
}

static void test_drain(void **state)
{
	struct fixture *f = *state;
	struct client idle, busy, late;
	struct reply r;

	reply_init(&r);
	dial(f, &idle);
	put_cstr(&idle, GET("/hello"));
	expect_reply(&idle, 200, "hello");
	dial(f, &late);
	put_cstr(&late, "GET /hello HTTP/1.1\r\n");
	dial(f, &busy);
	put_cstr(&busy, GET("/slow"));
	await_state(f, "waiting", 1);
	kill(getpid(), SIGUSR1);
	expect_eof(&idle);
	put_cstr(&late, "Host: x\r\n\r\n");
	get_reply(&late, false, &r);
	assert_int_equal(r.status, 200);
	assert_true(head_says(&r, "Connection: close\r\n"));
	expect_eof(&late);
	get_reply(&busy, false, &r);
	assert_string_equal(buf_cstr(&r.body), "later");
	assert_true(head_says(&r, "Connection: close\r\n"));
	expect_eof(&busy);
	join(f);
	assert_int_equal(f->seen.idle, 1);
	assert_int_equal(f->seen.gone, 0);
	assert_null(f->server);
	reply_fini(&r);
	hang_up(&idle);
	hang_up(&busy);
	hang_up(&late);
}

static void test_free_ends_running_requests(void **state)
{
	struct fixture *f = *state;
	struct client c;

	dial(f, &c);
	put_cstr(&c, GET("/stuck"));
	await_state(f, "waiting", 1);
	stop(f);
	assert_int_equal(f->seen.gone, 1);
	assert_int_equal(f->seen.last_gone, CONN_END_LOCAL);
	assert_int_equal(f->seen.waiting, 0);
	while (more(&c)) {
	}
	assert_int_equal(c.in.len, 0);
	hang_up(&c);
}

#define SERVER_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_keep_alive),
		SERVER_TEST(test_request_byte_by_byte),
		SERVER_TEST(test_pipelining_keeps_order),
		SERVER_TEST(test_pipelining_beyond_what_is_kept),
		SERVER_TEST(test_pipelining_without_reading_is_bounded),
		SERVER_TEST(test_fin_behind_requests_still_gets_answers),
		SERVER_TEST(test_head_has_no_body),
		SERVER_TEST(test_chunked_answer),
		SERVER_TEST(test_http10),
		SERVER_TEST(test_upgrade_to_h2c_is_ignored),
		SERVER_TEST(test_expect_continue),
		SERVER_TEST(test_big_bodies),
		SERVER_TEST(test_request_behind_a_big_body),
		SERVER_TEST(test_encoded_bodies),
		SERVER_TEST(test_limits_and_their_statuses),
		SERVER_TEST(test_fault_behind_good_requests),
		SERVER_TEST(test_slow_head_times_out),
		SERVER_TEST(test_stalled_body_times_out),
		SERVER_TEST(test_idle_connection_is_closed_silently),
		SERVER_TEST(test_handler_at_work_has_no_timeout),
		SERVER_TEST(test_disconnect_is_told_once),
		SERVER_TEST(test_disconnect_in_the_middle_of_a_request),
		SERVER_TEST(test_unread_answer_is_produced_on_demand),
		SERVER_TEST(test_disconnect_while_congested),
		SERVER_TEST(test_abort_truncates),
		SERVER_TEST(test_reset),
		SERVER_TEST(test_early_answer_discards_the_body),
		SERVER_TEST(test_connections_beyond_the_limit_wait),
		SERVER_TEST(test_drain),
		SERVER_TEST(test_free_ends_running_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
