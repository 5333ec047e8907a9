/*
 * ws_client against a scripted server on the same loop: what it asks for, what it makes of answers,
 * and what the connection does once it is a WebSocket.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "io/ws_client.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000, LOG_BYTES = 4096 };

static struct loop *loop;
static struct listener *listener;
static struct dialer *dialer;

/* The server: answer is written when a head has come, '@' in it being the right accept value. */
static struct {
	const char *answer;
	size_t filler; /* so many bytes of body behind it */
	bool closes;   /* FIN behind the answer */
	const char *frames[8];
	struct buf head;
	struct ws *ws;
	struct conn *conn;
	struct buf log; /* of the frames that came */
	int closed;
} server;

/* The client. */
static struct {
	struct ws_open *open;
	struct ws_conn *conn;
	struct timer timer;
	void (*on_message)(void);
	void (*on_opened)(void);
	enum fetch_outcome outcome;
	int done, status, gone, gone_code;
	int64_t connect_us;
	char message[128];
	struct buf body, log;
	bool saw_header;
	bool paused;
} client;

#define UPGRADED                                                                                 \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-A: " \
	"b\r\n"
#define ACCEPTED UPGRADED "Sec-WebSocket-Accept: @\r\n\r\n"

static void put_accept(struct sv head, struct buf *out)
{
	char accept[WS_ACCEPT_SIZE];
	ptrdiff_t at = sv_find(head, SV("Sec-WebSocket-Key: "));

	assert_true(at > 0);
	ws_accept_of(sv_make(head.p + at + 19, WS_KEY_SIZE - 1), accept);
	buf_add_cstr(out, accept);
}

static void server_send(const char *text)
{
	ws_write_text(server.ws, sv_cstr(text), conn_write_begin(server.conn));
	conn_write_commit(server.conn);
}

static void server_answer(struct conn *c)
{
	struct buf out;

	buf_init(&out, MIB(2));
	for (const char *p = server.answer; *p; p++) {
		if (*p == '@')
			put_accept(buf_sv(&server.head), &out);
		else
			buf_add_char(&out, *p);
	}
	for (size_t i = 0; i < server.filler; i++)
		buf_add_char(&out, 'x');
	conn_write_buf(c, &out);
	buf_fini(&out);
	server.ws = ws_new(WS_SERVER, KIB(64));
	for (size_t i = 0; server.frames[i]; i++)
		server_send(server.frames[i]);
	if (server.closes)
		conn_shutdown_after_write(c);
}

static void on_server_frames(struct sv bytes)
{
	struct ws_frame f;
	int rc;

	ws_feed(server.ws, bytes);
	while ((rc = ws_next(server.ws, &f)) == 1) {
		buf_addf(&server.log, "%d(%.*s)", f.kind == WS_CLOSED ? f.code : (int)f.kind,
			SV_ARG(f.payload));
		if (f.kind == WS_TEXT && sv_eq(f.payload, SV("end")))
			ws_write_close(server.ws, 1001, SV("bye"), conn_write_begin(server.conn));
		else if (f.kind == WS_TEXT)
			ws_write_ping(server.ws, SV("p"), conn_write_begin(server.conn));
		if (f.kind == WS_TEXT)
			conn_write_commit(server.conn);
		if (f.kind == WS_PONG)
			server_send("after the pong");
	}
	assert_int_equal(rc, 0);
}

static void on_server_read(struct conn *c, struct sv bytes)
{
	if (server.ws) {
		on_server_frames(bytes);
		return;
	}
	buf_add_sv(&server.head, bytes);
	if (server.answer && sv_ends(buf_sv(&server.head), SV("\r\n\r\n")))
		server_answer(c);
}

static void on_server_closed(struct conn *c, enum conn_end why)
{
	(void)c;
	(void)why;
	server.closed++;
	server.conn = NULL;
	ws_free(server.ws);
	server.ws = NULL;
}

static void on_accept(void *arg, struct conn *c)
{
	static const struct conn_ops ops = {
		.on_read = on_server_read, .on_closed = on_server_closed};

	(void)arg;
	server.conn = c;
	conn_set_owner(c, &ops, NULL);
	conn_read_start(c);
}

/* --- the client --- */

static void end_all(void)
{
	timer_stop(&client.timer);
	dialer_free(dialer);
	dialer = NULL;
	listener_free(listener);
	listener = NULL;
}

static void on_end_time(struct timer *t)
{
	(void)t;
	end_all();
}

static void end_soon(void)
{
	client.timer.fn = on_end_time;
	timer_start(&client.timer, 0);
}

static void on_message(void *user, struct buf *text)
{
	assert_ptr_equal(user, &client);
	assert_false(client.paused);
	buf_addf(&client.log, "%s;", buf_cstr(text));
	if (client.on_message)
		client.on_message();
}

static void on_drain(void *user)
{
	(void)user;
}

static void on_gone(void *user, int code, const char *why)
{
	(void)user;
	client.gone++;
	client.gone_code = code;
	client.conn = NULL;
	snprintf(client.message, sizeof(client.message), "%s", why);
	end_soon();
}

static const struct ws_conn_ops user_ops = {
	.on_message = on_message, .on_drain = on_drain, .on_gone = on_gone};

static void on_done(void *arg, const struct ws_open_result *r)
{
	assert_ptr_equal(arg, &client);
	client.done++;
	client.open = NULL;
	client.outcome = r->outcome;
	client.status = r->status;
	client.conn = r->conn;
	client.connect_us = r->connect_us;
	snprintf(client.message, sizeof(client.message), "%s", r->message);
	buf_add_sv(&client.body, r->body);
	for (size_t i = 0; i < r->header_count; i++)
		client.saw_header |=
			sv_eq(r->headers[i].name, SV("X-A")) && sv_eq(r->headers[i].value, SV("b"));
	if (!r->conn) {
		end_soon();
		return;
	}
	ws_conn_set_user(r->conn, &user_ops, &client);
	if (client.on_opened)
		client.on_opened();
}

static void start(const char *answer, int64_t timeout_ms, const struct http_header *header)
{
	struct listener_options options = {.address = "127.0.0.1:0"};
	struct dialer_options dialing = {.proxy = ""};
	struct ws_open_request r = {.headers = header,
		.header_count = header != NULL,
		.timeout_ms = timeout_ms,
		.max_message_bytes = KIB(64),
		.ping_ms = PATIENCE_MS};
	char url[128];

	server.answer = answer;
	loop = loop_new();
	options.group = accept_group_new(64);
	assert_int_equal(listener_new(loop, &options, on_accept, NULL, &listener), 0);
	accept_group_unref(options.group);
	dialer = dialer_new(loop, &dialing);
	timer_init(&client.timer, loop, on_end_time);
	snprintf(url, sizeof(url), "http://%s/a/b?c=d", listener_address(listener));
	r.url = url;
	client.open = ws_open_start(dialer, &r, on_done, &client);
	assert_int_equal(client.done, 0);
}

static void run(void)
{
	loop_run(loop);
	loop_free(loop);
}

static int set_up(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	memset(&client, 0, sizeof(client));
	buf_init(&server.head, MIB(1));
	buf_init(&server.log, LOG_BYTES);
	buf_init(&client.body, MIB(1));
	buf_init(&client.log, LOG_BYTES);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&server.head);
	buf_fini(&server.log);
	buf_fini(&client.body);
	buf_fini(&client.log);
	return 0;
}

static void renew(void)
{
	tear_down(NULL);
	set_up(NULL);
}

/* --- the tests --- */

static void send_hello(void)
{
	ws_conn_send(client.conn, SV("hello"));
}

static void close_behind_the_pong(void)
{
	if (!strstr(buf_cstr(&client.log), "after the pong"))
		return;
	ws_conn_close(client.conn, WS_CLOSE_NORMAL, "done");
	end_soon();
}

static void test_frames_go_both_ways(void **state)
{
	static const struct http_header header = {{"X-Mine", 6}, {"1 2", 3}};
	struct sv head;

	(void)state;
	/* The first frame comes with the 101. */
	server.frames[0] = "first";
	client.on_opened = send_hello;
	client.on_message = close_behind_the_pong;
	start("HTTP/1.1 100 Continue\r\n\r\n" ACCEPTED, PATIENCE_MS, &header);
	run();
	assert_string_equal(client.message, "");
	assert_int_equal(client.outcome, FETCH_OK);
	assert_int_equal(client.status, 101);
	assert_true(client.connect_us > 0);
	assert_true(client.saw_header);
	assert_int_equal(client.done, 1);
	assert_int_equal(client.gone, 0);
	assert_string_equal(buf_cstr(&client.log), "first;after the pong;");
	/* 0 text, 2 pong, the close */
	assert_string_equal(buf_cstr(&server.log), "0(hello)2(p)1000(done)");
	assert_int_equal(server.closed, 1);
	head = buf_sv(&server.head);
	assert_true(sv_starts(head, SV("GET /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:")));
	assert_true(sv_find(head, SV("\r\nX-Mine: 1 2\r\n")) > 0);
	assert_true(sv_find(head, SV("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
				     "Sec-WebSocket-Version: 13\r\n")) > 0);
}

static void send_end(void)
{
	ws_conn_send(client.conn, SV("end"));
}

static void test_close_of_the_server(void **state)
{
	(void)state;
	client.on_opened = send_end;
	start(ACCEPTED, PATIENCE_MS, NULL);
	run();
	assert_int_equal(client.gone, 1);
	assert_int_equal(client.gone_code, 1001);
	assert_string_equal(client.message, "bye");
	assert_string_equal(buf_cstr(&server.log), "0(end)1001()");
}

static void test_vanished_server(void **state)
{
	(void)state;
	server.closes = true;
	server.frames[0] = "last";
	start(ACCEPTED, PATIENCE_MS, NULL);
	run();
	assert_string_equal(buf_cstr(&client.log), "last;");
	assert_int_equal(client.gone, 1);
	assert_int_equal(client.gone_code, WS_CLOSE_NO_CODE);
}

static void test_refusals_come_with_their_body(void **state)
{
	static const struct {
		const char *answer;
		bool closes;
		size_t filler;
		int status;
		const char *body; /* NULL: LIMIT_ERROR_BODY_BYTES of 'x' */
	} rows[] = {
		{"HTTP/1.1 401 No\r\nX-A: b\r\nContent-Length: 2\r\n\r\nno", false, 0, 401, "no"},
		{"HTTP/1.1 426 No\r\nX-A: b\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
			false, 0, 426, "no"},
		{"HTTP/1.1 503 No\r\nX-A: b\r\n\r\nno", true, 0, 503, "no"},
		{"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 0\r\n\r\n", false, 0, 200, ""},
		{"HTTP/1.1 500 No\r\nX-A: b\r\n\r\n", false, LIMIT_ERROR_BODY_BYTES + 7, 500, NULL},
		{"HTTP/1.1 500 No\r\nX-A: b\r\nContent-Length: 1000000\r\n\r\n", false,
			LIMIT_ERROR_BODY_BYTES + 7, 500, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		renew();
		server.closes = rows[i].closes;
		server.filler = rows[i].filler;
		start(rows[i].answer, PATIENCE_MS, NULL);
		run();
		assert_int_equal(client.outcome, FETCH_OK);
		assert_string_equal(client.message, "");
		assert_int_equal(client.done, 1);
		assert_null(client.conn);
		assert_int_equal(client.status, rows[i].status);
		assert_true(client.saw_header);
		if (rows[i].body)
			assert_string_equal(buf_cstr(&client.body), rows[i].body);
		else
			assert_int_equal(client.body.len, LIMIT_ERROR_BODY_BYTES);
	}
}

static void test_failures(void **state)
{
	static const struct {
		const char *answer;
		bool closes;
		enum fetch_outcome outcome;
	} rows[] = {
		{UPGRADED "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", false,
			FETCH_PROTOCOL},
		{UPGRADED "\r\n", false, FETCH_PROTOCOL},
		{UPGRADED "Sec-WebSocket-Accept: @\r\nSec-WebSocket-Extensions: x\r\n\r\n", false,
			FETCH_PROTOCOL},
		{"SSH-2.0\r\n", false, FETCH_PROTOCOL},
		{"", true, FETCH_TRUNCATED},
		{UPGRADED, true, FETCH_TRUNCATED},
		{"HTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\nno", true, FETCH_TRUNCATED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		renew();
		server.closes = rows[i].closes;
		start(rows[i].answer, PATIENCE_MS, NULL);
		run();
		if (client.outcome != rows[i].outcome)
			fail_msg("row %zu: %d, %s", i, (int)client.outcome, client.message);
		assert_string_not_equal(client.message, "");
		assert_int_equal(client.done, 1);
		assert_null(client.conn);
		assert_int_equal(server.closed, 1);
	}
}

static void test_silent_servers_time_out(void **state)
{
	static const char *const answers[] = {
		NULL, UPGRADED, "HTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\nno"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		renew();
		start(answers[i], 50, NULL);
		run();
		assert_int_equal(client.outcome, FETCH_TIMEOUT);
		assert_int_equal(client.done, 1);
		assert_null(client.conn);
	}
}

static void test_bad_requests_are_not_sent(void **state)
{
	static const struct http_header headers[] = {
		{{"A b", 3}, {"c", 1}}, {{"A", 1}, {"b\r\nC: d", 7}}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		renew();
		start(ACCEPTED, PATIENCE_MS, &headers[i]);
		run();
		assert_int_equal(client.outcome, FETCH_CONNECT);
		assert_string_equal(client.message, "malformed header");
		assert_int_equal(server.head.len, 0);
	}
}

static void cancel(void)
{
	if (client.open)
		ws_open_cancel(client.open);
	client.open = NULL;
	end_all();
}

static void on_cancel_time(struct timer *t)
{
	(void)t;
	cancel();
}

/* At once; and while the server is silent behind half an answer. */
static void test_cancelled_opens_say_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		renew();
		start(i == 3 ? UPGRADED : NULL, PATIENCE_MS, NULL);
		client.timer.fn = on_cancel_time;
		if (i == 0)
			cancel();
		else
			timer_start(&client.timer, (i - 1) * 10);
		run();
		assert_int_equal(client.done, 0);
	}
}

/* --- back-pressure --- */

static void on_resume_time(struct timer *t)
{
	(void)t;
	client.paused = false;
	ws_conn_resume(client.conn);
}

static void pause_each(void)
{
	if (strstr(buf_cstr(&client.log), "four")) {
		ws_conn_cut(client.conn);
		end_soon();
		return;
	}
	ws_conn_pause(client.conn);
	client.paused = true;
	client.timer.fn = on_resume_time;
	timer_start(&client.timer, 10);
}

static void test_pauses_hold_messages_back(void **state)
{
	(void)state;
	server.frames[0] = "one";
	server.frames[1] = "two";
	server.frames[2] = "three";
	server.frames[3] = "four";
	client.on_message = pause_each;
	client.on_opened = pause_each; /* before the frames that came with the 101 */
	start(ACCEPTED, PATIENCE_MS, NULL);
	run();
	assert_string_equal(buf_cstr(&client.log), "one;two;three;four;");
	assert_int_equal(client.gone, 0);
	assert_int_equal(server.closed, 1);
}

static void on_close_time(struct timer *t)
{
	(void)t;
	ws_conn_close(client.conn, WS_CLOSE_NORMAL, "");
	end_soon();
}

static void pause_then_close(void)
{
	ws_conn_pause(client.conn);
	client.paused = true;
	client.timer.fn = on_close_time;
	timer_start(&client.timer, 0);
}

static void test_closed_while_paused(void **state)
{
	(void)state;
	server.frames[0] = "one";
	server.frames[1] = "two";
	client.on_message = pause_then_close;
	start(ACCEPTED, PATIENCE_MS, NULL);
	run();
	assert_string_equal(buf_cstr(&client.log), "one;");
	assert_string_equal(buf_cstr(&server.log), "1000()");
	assert_int_equal(server.closed, 1);
}

static void on_resume_and_close_time(struct timer *t)
{
	ws_conn_resume(client.conn);
	on_close_time(t);
}

static void pause_then_resume_and_close(void)
{
	pause_then_close();
	client.timer.fn = on_resume_and_close_time;
}

/* Or the server's end would not be seen, and the connection would wait for it in vain. */
static void test_closed_before_what_was_held_is_read(void **state)
{
	int64_t began_ms = clock_mono_ms();

	(void)state;
	server.frames[0] = "one";
	server.frames[1] = "two";
	client.on_message = pause_then_resume_and_close;
	start(ACCEPTED, PATIENCE_MS, NULL);
	run();
	assert_string_equal(buf_cstr(&client.log), "one;");
	assert_string_equal(buf_cstr(&server.log), "1000()");
	assert_true(clock_mono_ms() - began_ms < LIMIT_LINGER_IDLE_MS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_frames_go_both_ways),
		TEST(test_close_of_the_server),
		TEST(test_vanished_server),
		TEST(test_refusals_come_with_their_body),
		TEST(test_failures),
		TEST(test_silent_servers_time_out),
		TEST(test_bad_requests_are_not_sent),
		TEST(test_cancelled_opens_say_nothing),
		TEST(test_pauses_hold_messages_back),
		TEST(test_closed_while_paused),
		TEST(test_closed_before_what_was_held_is_read),
	};
#undef TEST

	signal(SIGPIPE, SIG_IGN);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
