/* What fetch says when a transfer fails, and when. */
#include "fetch_rig.h"

/* Failures. */

static void test_connect_refused(void **state)
{
	struct probe p = {0};

	(void)state;
	server_start(serve_plain);
	server_stop();
	pool_open((struct fetch_options){0});
	probe_start(&p, (struct fetch_request){.idle_timeout_ms = 5000, .total_timeout_ms = 5000});
	loop_run(loop);
	pool_close();
	assert_outcome(&p, FETCH_CONNECT, 0);
	assert_non_null(strstr(p.message, "refused"));
	assert_int_equal(p.result.first_byte_us, 0);
}

static void test_unknown_host_bad_url_and_scheme(void **state)
{
	static const char *const urls[] = {
		"http://invalid./?token=secret",
		"http://:99999999/",
		"ftp://127.0.0.1/",
		"",
	};

	(void)state;
	pool_open((struct fetch_options){0});
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct probe p = {0};

		probe_start_url(&p, (struct fetch_request){0}, urls[i]);
		loop_run(loop);
		assert_int_equal(p.done, 1);
		assert_outcome(&p, FETCH_CONNECT, 0);
		assert_null(strstr(p.message, "secret"));
	}
	pool_close();
}

static void test_cancel_while_resolving_does_not_block(void **state)
{
	struct probe p = {0};

	(void)state;
	pool_open((struct fetch_options){0});
	probe_start_url(&p, (struct fetch_request){0}, "http://invalid./");
	fetch_cancel(p.fetch);
	loop_run(loop);
	probe_start_url(&p, (struct fetch_request){0}, "http://invalid./");
	pool_close();
	assert_int_equal(p.done, 0);
}

static void serve_close_silently(struct connection *c)
{
	read_request(c);
}

static void serve_reset_silently(struct connection *c)
{
	read_request(c);
	make_reset(c);
}

static void serve_close_in_head(struct connection *c)
{
	read_request(c);
	send_text(c, "HTTP/1.1 200 OK\r\nContent-Le");
}

static void serve_short_length(struct connection *c)
{
	read_request(c);
	send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
}

static void serve_short_chunked(struct connection *c)
{
	read_request(c);
	send_text(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
}

/* A reset discards what the client has not read yet: waits for its word. */
static void serve_reset_in_body(struct connection *c)
{
	char byte;
	ssize_t got;

	read_request(c);
	send_text(c, "HTTP/1.1 200 OK\r\n\r\nabc");
	got = read(c->server->go[0], &byte, 1);
	assert(got == 1);
	make_reset(c);
}

static void test_reset_in_a_close_delimited_body(void **state)
{
	struct probe p = {.on_data = say_go};

	(void)state;
	server_start(serve_reset_in_body);
	pool_open((struct fetch_options){0});
	probe_start(&p, (struct fetch_request){0});
	loop_run(loop);
	pool_close();
	server_stop();
	assert_outcome(&p, FETCH_TRUNCATED, 200);
	assert_string_equal(p.body, "abc");
}

static void test_lost_after_the_request(void **state)
{
	static const struct {
		void (*script)(struct connection *c);
		int status;
		const char *body;
	} rows[] = {
		{serve_close_silently, 0, ""},
		{serve_reset_silently, 0, ""},
		{serve_close_in_head, 0, ""},
		{serve_short_length, 200, "abc"},
		{serve_short_chunked, 200, "abc"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int post = 0; post < 2; post++) {
			struct fetch_request r = {
				.method = post ? "POST" : "GET", .body = post ? SV("{}") : SV_NONE};
			struct probe p = fetch_once(rows[i].script, r);

			assert_outcome(&p, FETCH_TRUNCATED, rows[i].status);
			assert_string_equal(p.body, rows[i].body);
			assert_int_equal(atomic_load(&server.accepted), 1);
		}
	}
}

static void serve_reset_on_head(struct connection *c)
{
	read_request_part(c, false);
	make_reset(c);
}

static void test_lost_while_sending(void **state)
{
	struct probe p = fetch_once(serve_reset_on_head, (struct fetch_request){.method = "POST",
								 .body = sv_make(big_body, MIB(60)),
								 .idle_timeout_ms = 9000});

	(void)state;
	assert_outcome(&p, FETCH_SEND, 0);
	assert_int_equal(atomic_load(&server.accepted), 1);
}

static void serve_early_answer(struct connection *c)
{
	read_request_part(c, false);
	send_text(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
	shutdown(c->fd, SHUT_WR);
	wait_for_end(c);
}

static void test_answer_before_the_body_was_sent(void **state)
{
	struct probe p = fetch_once(serve_early_answer,
		(struct fetch_request){.method = "POST", .body = sv_make(big_body, MIB(60))});

	(void)state;
	assert_outcome(&p, FETCH_OK, 413);
	assert_string_equal(p.body, "big");
}

static void serve_not_http(struct connection *c)
{
	read_request(c);
	send_text(c, "SSH-2.0-OpenSSH_9.2\r\nand more of it\r\n\r\n");
}

static void serve_upgrade(struct connection *c)
{
	read_request(c);
	send_text(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nraw");
}

static void serve_many_headers(struct connection *c)
{
	read_request(c);
	send_text(c, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i <= LIMIT_RESPONSE_HEADERS_COUNT; i++)
		send_text(c, "A: b\r\n");
	send_text(c, "\r\n");
	wait_for_end(c);
}

static void serve_huge_head(struct connection *c)
{
	read_request(c);
	send_text(c, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 80; i++) {
		char line[1025];

		memset(line, 'x', sizeof(line) - 1);
		line[1] = ':';
		line[1022] = '\r';
		line[1023] = '\n';
		line[1024] = '\0';
		send_text(c, line);
	}
	send_text(c, "\r\n");
	wait_for_end(c);
}

static void serve_huge_line(struct connection *c)
{
	read_request(c);
	send_text(c, "HTTP/1.1 200 OK\r\nX: ");
	for (int i = 0; i < 4000; i++)
		send_text(c, "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopq");
	wait_for_end(c);
}

static void serve_endless_interim(struct connection *c)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN};

	read_request(c);
	while (poll(&pfd, 1, 0) == 0)
		send_text(c, "HTTP/1.1 103 Early Hints\r\nLink: xxxxxxxxxxxxxxxxxxxxx\r\n\r\n");
	wait_for_end(c);
}

static void test_answers_that_are_not_http_or_over_limits(void **state)
{
	static void (*const scripts[])(struct connection * c) = {serve_not_http, serve_upgrade,
		serve_many_headers, serve_huge_head, serve_huge_line, serve_endless_interim};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		struct probe p = fetch_once(scripts[i], (struct fetch_request){0});

		assert_outcome(&p, FETCH_PROTOCOL, 0);
		assert_int_equal(p.heads, 0);
		assert_int_equal(p.body_bytes, 0);
	}
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect_refused),
		cmocka_unit_test(test_unknown_host_bad_url_and_scheme),
		cmocka_unit_test(test_cancel_while_resolving_does_not_block),
		cmocka_unit_test(test_lost_after_the_request),
		cmocka_unit_test(test_reset_in_a_close_delimited_body),
		cmocka_unit_test(test_lost_while_sending),
		cmocka_unit_test(test_answer_before_the_body_was_sent),
		cmocka_unit_test(test_answers_that_are_not_http_or_over_limits),
	};
	int failed;

	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	alarm(300);
	big_body = calloc(1, MIB(60));
	failed = RUN_WITH_BOTH_ENGINES(tests);
	free(big_body);
	return failed;
}
