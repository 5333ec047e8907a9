/*
 * fetch against a raw TCP server in threads of this process: one thread a connection, running the
 * script of the test. Nothing sleeps: a script blocks on its socket, the loop ends when all is
 * done.
 */
#include "fetch_rig.h"

/* Whole answers. */

static void check_headers(struct probe *p)
{
	size_t count = 0;
	const struct http_header *headers = fetch_headers(p->fetch, &count);

	assert_int_equal(fetch_status(p->fetch), 200);
	assert_int_equal(count, 4);
	assert_true(sv_eq(headers[0].name, SV("Content-Length")));
	assert_true(sv_eq(fetch_header(p->fetch, SV("x-CODEX-plan")), SV("pro")));
	assert_true(sv_eq(headers[2].value, SV("second")));
	assert_non_null(fetch_header(p->fetch, SV("x-empty")).p);
	assert_int_equal(fetch_header(p->fetch, SV("x-empty")).n, 0);
	assert_null(fetch_header(p->fetch, SV("x-none")).p);
}

static void test_plain_answer_and_header_lookup(void **state)
{
	struct probe p = {.on_head = check_headers, .on_done = check_headers};

	(void)state;
	server_start(serve_plain);
	pool_open((struct fetch_options){0});
	probe_start(&p, (struct fetch_request){0});
	loop_run(loop);
	pool_close();
	server_stop();
	assert_outcome(&p, FETCH_OK, 200);
	assert_int_equal(p.heads, 1);
	assert_string_equal(p.body, "hello");
	assert_true(p.result.connect_us > 0);
	assert_true(p.result.first_byte_us > 0);
}

static void test_request_carries_only_the_callers_headers(void **state)
{
	struct http_header headers[] = {
		{SV("Authorization"), SV("Bearer secret")},
		{SV("X-Nothing"), SV("")},
		{SV("Content-Length"), SV("77")},
	};
	struct probe p = fetch_once(serve_plain,
		(struct fetch_request){
			.method = "POST", .headers = headers, .header_count = 3, .body = SV("{}")});
	char expected[256];

	(void)state;
	assert_outcome(&p, FETCH_OK, 200);
	snprintf(expected, sizeof(expected),
		"POST /path?token=secret HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
		"Authorization: Bearer secret\r\nX-Nothing:\r\nContent-Length: 2\r\n\r\n",
		server.port);
	assert_string_equal(server.request, expected);
}

static void test_methods(void **state)
{
	static const struct {
		const char *method, *body, *line, *length;
	} rows[] = {
		{"GET", "", "GET /", NULL},
		{"POST", "", "POST /", "Content-Length: 0\r\n"},
		{"PUT", "abc", "PUT /", "Content-Length: 3\r\n"},
		{"PATCH", "", "PATCH /", "Content-Length: 0\r\n"},
		{"DELETE", "", "DELETE /", NULL},
		{"DELETE", "x", "DELETE /", "Content-Length: 1\r\n"},
		{"HEAD", "", "HEAD /", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct probe p =
			fetch_once(serve_plain, (struct fetch_request){.method = rows[i].method,
							.body = sv_cstr(rows[i].body)});

		assert_outcome(&p, FETCH_OK, 200);
		assert_ptr_equal(strstr(server.request, rows[i].line), server.request);
		if (rows[i].length)
			assert_non_null(strstr(server.request, rows[i].length));
		else
			assert_null(strstr(server.request, "Content-Length"));
		assert_null(strstr(server.request, "Content-Type"));
	}
}

static void test_header_with_line_break_is_refused(void **state)
{
	struct http_header header = {SV("X-Evil"), SV("a\r\nX-Other: b")};
	struct probe p = fetch_once(
		serve_plain, (struct fetch_request){.headers = &header, .header_count = 1});

	(void)state;
	assert_outcome(&p, FETCH_CONNECT, 0);
	assert_int_equal(atomic_load(&server.accepted), 0);
}

static void serve_chunked(struct connection *c)
{
	if (read_request(c))
		send_text(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			     "4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\nX-Trailer: t\r\n\r\n");
	wait_for_end(c);
}

static void test_chunked_body_with_trailer(void **state)
{
	struct probe p = fetch_once(serve_chunked, (struct fetch_request){0});

	(void)state;
	assert_outcome(&p, FETCH_OK, 200);
	assert_string_equal(p.body, "abcdefg");
	assert_int_equal(p.heads, 1);
}

static void serve_until_close(struct connection *c)
{
	if (read_request(c))
		send_text(c, "HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n");
}

static void test_close_delimited_body_is_complete(void **state)
{
	struct probe p = fetch_once(serve_until_close, (struct fetch_request){0});

	(void)state;
	assert_outcome(&p, FETCH_OK, 200);
	assert_string_equal(p.body, "data: 1\n\n");
}

static void serve_interim(struct connection *c)
{
	if (read_request(c))
		send_text(c,
			"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
			"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nX-Folded: a\r\n b\r\n"
			"Content-Length: 0\r\n\r\n");
	wait_for_end(c);
}

static void check_interim(struct probe *p)
{
	assert_null(fetch_header(p->fetch, SV("link")).p);
	assert_true(sv_eq(fetch_header(p->fetch, SV("retry-after")), SV("7")));
	assert_true(sv_eq(fetch_header(p->fetch, SV("x-folded")), SV("a b")));
}

static void test_interim_heads_are_passed_over(void **state)
{
	struct probe p = {.on_head = check_interim};

	(void)state;
	server_start(serve_interim);
	pool_open((struct fetch_options){0});
	probe_start(&p, (struct fetch_request){0});
	loop_run(loop);
	pool_close();
	server_stop();
	assert_outcome(&p, FETCH_OK, 429);
	assert_int_equal(p.heads, 1);
}

enum { BIG_BYTES = 100 * 1000 * 1000 };

/* Notes when the client takes nothing for a while. */
static void send_big_body(struct connection *c)
{
	static char piece[251 * 256];
	size_t left = BIG_BYTES;

	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = pattern(i);
	while (left > 0) {
		size_t offset = (BIG_BYTES - left) % sizeof(piece);
		size_t n = sizeof(piece) - offset;
		struct pollfd pfd = {.fd = c->fd, .events = POLLOUT};
		ssize_t sent;

		if (n > left)
			n = left;
		sent = send(c->fd, piece + offset, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent > 0) {
			left -= (size_t)sent;
			continue;
		}
		if (errno != EAGAIN)
			return;
		if (poll(&pfd, 1, 250) == 0) {
			atomic_store(&c->server->stalled, true);
			poll(&pfd, 1, PATIENCE_MS);
		}
	}
}

static void serve_big(struct connection *c)
{
	if (read_request(c)) {
		send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
		send_big_body(c);
	}
	wait_for_end(c);
}

static void test_big_body(void **state)
{
	struct probe p = fetch_once(serve_big, (struct fetch_request){0});

	(void)state;
	assert_outcome(&p, FETCH_OK, 200);
	assert_int_equal(p.body_bytes, BIG_BYTES);
	assert_true(p.body_is_right);
}

/* Connections. */

static int repeats_left;

static void start_again(struct probe *p)
{
	assert_int_equal(p->result.outcome, FETCH_OK);
	assert_string_equal(p->message, "");
	if (--repeats_left > 0) {
		p->done = 0;
		probe_start(p, (struct fetch_request){0});
	} else {
		assert_int_equal(p->result.connect_us, 0);
	}
}

static void test_connection_is_reused(void **state)
{
	struct probe p = {.on_done = start_again};

	(void)state;
	repeats_left = 20;
	server_start(serve_plain);
	pool_open((struct fetch_options){0});
	probe_start(&p, (struct fetch_request){0});
	loop_run(loop);
	pool_close();
	server_stop();
	assert_int_equal(repeats_left, 0);
	assert_int_equal(atomic_load(&server.accepted), 1);
	assert_int_equal(atomic_load(&server.requests), 20);
}

static void test_hundred_in_parallel(void **state)
{
	static struct probe probes[100];

	(void)state;
	memset(probes, 0, sizeof(probes));
	server_start(serve_plain);
	pool_open((struct fetch_options){.idle_connections = 10});
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
			probes[i] = (struct probe){0};
			probe_start(&probes[i],
				(struct fetch_request){.method = "POST", .body = SV("{\"a\":1}")});
		}
		loop_run(loop);
		for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
			assert_outcome(&probes[i], FETCH_OK, 200);
			assert_string_equal(probes[i].body, "hello");
		}
	}
	pool_close();
	server_stop();
	assert_int_equal(atomic_load(&server.requests), 200);
	assert_in_range(atomic_load(&server.accepted), 1, 190);
}

static void test_connections_per_host_are_limited(void **state)
{
	struct probe probes[10] = {0};

	(void)state;
	server_start(serve_plain);
	pool_open((struct fetch_options){.max_connections_per_host = 3});
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		probe_start(&probes[i], (struct fetch_request){0});
	loop_run(loop);
	pool_close();
	server_stop();
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		assert_outcome(&probes[i], FETCH_OK, 200);
	assert_in_range(atomic_load(&server.accepted), 1, 3);
}

/* The first connection answers once and then does as the test says; others answer. */
static void serve_then_close(struct connection *c)
{
	if (c->number > 0) {
		serve_plain(c);
		return;
	}
	read_request(c);
	send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void serve_then_close_on_request(struct connection *c)
{
	serve_then_close(c);
	if (c->number == 0)
		read_request(c);
}

static void serve_then_reset_on_request(struct connection *c)
{
	serve_then_close_on_request(c);
	make_reset(c);
}

/* A reset because the body stays unread. */
static void serve_then_close_on_head(struct connection *c)
{
	serve_then_close(c);
	if (c->number == 0)
		read_request_part(c, false);
}

static void wait_until_closed(int connections)
{
	struct pollfd none = {.fd = -1};

	for (int i = 0; i < PATIENCE_MS && atomic_load(&server.closed) < connections; i++)
		poll(&none, 1, 1);
	assert_int_equal(atomic_load(&server.closed), connections);
}

static void check_stale(void (*script)(struct connection *c), struct sv body, bool closed_before)
{
	struct probe first = {0};
	struct probe second = {0};

	server_start(script);
	pool_open((struct fetch_options){0});
	probe_start(&first, (struct fetch_request){0});
	loop_run(loop);
	assert_outcome(&first, FETCH_OK, 200);
	if (closed_before)
		wait_until_closed(1);
	probe_start(&second, (struct fetch_request){.method = "POST", .body = body});
	loop_run(loop);
	pool_close();
	server_stop();
	assert_outcome(&second, FETCH_OK, 200);
	assert_string_equal(second.body, "hello");
	assert_int_equal(second.heads, 1);
	assert_int_equal(atomic_load(&server.accepted), 2);
}

static void test_stale_connection_is_replaced(void **state)
{
	struct sv big = sv_make(big_body, MIB(10));

	(void)state;
	check_stale(serve_then_close, SV("{}"), true);
	check_stale(serve_then_close, big, true);
	check_stale(serve_then_close_on_request, SV("{}"), false);
	check_stale(serve_then_close_on_request, big, false);
	check_stale(serve_then_reset_on_request, SV("{}"), false);
	/* Whether the break shows at writing or at reading is a race; both must end well. */
	for (int i = 0; i < 10; i++)
		check_stale(serve_then_close_on_head, big, false);
}
/* Timers. */

static void serve_nothing(struct connection *c)
{
	read_request(c);
	wait_for_end(c);
}

static void serve_head_only(struct connection *c)
{
	read_request(c);
	send_text(c, "HTTP/1.1 200 OK\r\n\r\nabc");
	wait_for_end(c);
}

/* The client's body gets stuck until the test says go. */
static void serve_unread(struct connection *c)
{
	char byte;
	ssize_t got = read(c->server->go[0], &byte, 1);

	assert(got == 1);
	wait_for_end(c);
}

static void test_idle_timeout(void **state)
{
	struct probe p = fetch_once(serve_nothing, (struct fetch_request){.idle_timeout_ms = 200});

	(void)state;
	assert_outcome(&p, FETCH_IDLE, 0);
	p = fetch_once(serve_head_only, (struct fetch_request){.idle_timeout_ms = 1000});
	assert_outcome(&p, FETCH_IDLE, 200);
	assert_string_equal(p.body, "abc");
}

static void test_idle_timeout_while_sending(void **state)
{
	struct probe p = {.on_done = say_go};

	(void)state;
	server_start(serve_unread);
	pool_open((struct fetch_options){0});
	probe_start(&p, (struct fetch_request){.method = "POST",
				.body = sv_make(big_body, MIB(60)),
				.idle_timeout_ms = 200});
	loop_run(loop);
	pool_close();
	server_stop();
	assert_outcome(&p, FETCH_IDLE, 0);
}

/* Every wait is far shorter than the idle timeout, all of them are longer. */
static void serve_slow_reader(struct connection *c)
{
	struct pollfd none = {.fd = -1};
	size_t left = MIB(60);

	read_request_part(c, false);
	while (left > 0) {
		static char waste[MIB(2)];
		size_t want = left < sizeof(waste) ? left : sizeof(waste);
		ssize_t got = recv(c->fd, waste, want, MSG_WAITALL);

		if (got <= 0)
			return;
		left -= (size_t)got;
		poll(&none, 1, 20);
	}
	send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	wait_for_end(c);
}

static void test_slow_upload_is_not_idle(void **state)
{
	struct probe p = fetch_once(serve_slow_reader, (struct fetch_request){.method = "POST",
							       .body = sv_make(big_body, MIB(60)),
							       .idle_timeout_ms = 300});

	(void)state;
	assert_outcome(&p, FETCH_OK, 200);
}

static void test_total_timeout(void **state)
{
	struct probe p = fetch_once(serve_head_only,
		(struct fetch_request){.idle_timeout_ms = 30000, .total_timeout_ms = 1000});

	(void)state;
	assert_outcome(&p, FETCH_TIMEOUT, 200);
}

/* A listener whose queue is full answers no SYN. */
static void test_connect_timeout(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t n = sizeof(address);
	struct probe p = {0};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int clients[8];
	char url[64];

	(void)state;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &n), 0);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(clients[i], (struct sockaddr *)&address, n);
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
	pool_open((struct fetch_options){0});
	probe_start_url(&p, (struct fetch_request){.connect_timeout_ms = 60}, url);
	loop_run(loop);
	pool_close();
	assert_outcome(&p, FETCH_CONNECT, 0);
	assert_string_equal(p.message, "connect timed out");
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	close(listener);
}

/* Pause and resume. */

static size_t rss_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	char line[128] = "";
	char *at;

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	strtoul(line, &at, 10);
	return strtoul(at, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t rss_before;

static void on_resume_time(struct timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, timer);

	if (p->data_calls == 1 && !atomic_load(&server.stalled)) {
		timer_start(t, 20);
		return;
	}
	if (p->data_calls == 1)
		assert_in_range(rss_bytes(), 0, rss_before + MIB(8));
	p->paused = false;
	fetch_resume(p->fetch);
	/* Changing one's mind is free. */
	fetch_pause(p->fetch);
	fetch_resume(p->fetch);
}

static void pause_now_and_then(struct probe *p)
{
	if (p->data_calls % 500 != 1)
		return;
	p->paused = true;
	fetch_pause(p->fetch);
	timer_start(&p->timer, 0);
}

static void test_paused_fetch_has_bounded_memory(void **state)
{
	struct probe p = {.on_data = pause_now_and_then};

	(void)state;
	server_start(serve_big);
	pool_open((struct fetch_options){0});
	timer_init(&p.timer, loop, on_resume_time);
	rss_before = rss_bytes();
	/* Shorter than the stall: paused time does not count. */
	probe_start(&p, (struct fetch_request){.idle_timeout_ms = 2000});
	loop_run(loop);
	pool_close();
	server_stop();
	assert_outcome(&p, FETCH_OK, 200);
	assert_int_equal(p.body_bytes, BIG_BYTES);
	assert_true(p.body_is_right);
	assert_true(atomic_load(&server.stalled));
}

static void pause_at_once(struct probe *p)
{
	p->paused = true;
	fetch_pause(p->fetch);
	timer_start(&p->timer, 900);
}

static void resume_twice(struct timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, timer);

	assert_int_equal(p->data_calls, 0);
	p->paused = false;
	fetch_resume(p->fetch);
	fetch_resume(p->fetch);
}

static void test_pause_in_on_head(void **state)
{
	struct probe p = {.on_head = pause_at_once};

	(void)state;
	server_start(serve_plain);
	pool_open((struct fetch_options){0});
	timer_init(&p.timer, loop, resume_twice);
	probe_start(&p, (struct fetch_request){.idle_timeout_ms = 600});
	loop_run(loop);
	pool_close();
	server_stop();
	assert_outcome(&p, FETCH_OK, 200);
	assert_string_equal(p.body, "hello");
}

/* Cancel. */

static void cancel_now(struct probe *p)
{
	p->cancelled_us = clock_mono_us();
	fetch_cancel(p->fetch);
	fetch_cancel(p->fetch);
}

static void cancel_and_start_another(struct probe *p)
{
	static struct probe other;

	cancel_now(p);
	other = (struct probe){0};
	probe_start(&other, (struct fetch_request){0});
	other.cancelled_us = 1;
	fetch_cancel(other.fetch);
}

static void resume_then_cancel(struct timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, timer);

	fetch_resume(p->fetch);
	cancel_now(p);
}

static void check_cancel(struct probe *p, void (*timer_fn)(struct timer *t), int64_t delay_ms)
{
	server_start(serve_head_only);
	pool_open((struct fetch_options){0});
	probe_start(p, (struct fetch_request){.idle_timeout_ms = 9000, .total_timeout_ms = 9000});
	timer_init(&p->timer, loop, timer_fn);
	if (timer_fn)
		timer_start(&p->timer, delay_ms);
	loop_run(loop);
	/* The pool stands: the socket must have been closed by the cancel. */
	wait_until_closed(atomic_load(&server.accepted));
	assert_int_equal(p->done, 0);
	assert_true(p->cancelled_us != 0);
	assert_in_range(atomic_load(&server.saw_end_us) - p->cancelled_us, 0, 100000);
	pool_close();
	server_stop();
}

static void test_cancel_in_every_callback(void **state)
{
	struct probe in_head = {.on_head = cancel_now};
	struct probe in_data = {.on_data = cancel_now};
	struct probe with_start = {.on_data = cancel_and_start_another};
	struct probe while_paused = {.on_head = pause_at_once};

	(void)state;
	check_cancel(&in_head, NULL, 0);
	assert_int_equal(in_head.data_calls, 0);
	check_cancel(&in_data, NULL, 0);
	assert_int_equal(in_data.data_calls, 1);
	check_cancel(&with_start, NULL, 0);
	check_cancel(&while_paused, resume_then_cancel, 9000);
}

static void cancel_in_done(struct probe *p)
{
	fetch_cancel(p->fetch);
	fetch_pause(p->fetch);
	fetch_resume(p->fetch);
}

static void test_cancel_in_on_done_is_harmless(void **state)
{
	struct probe p = {.on_done = cancel_in_done};

	(void)state;
	server_start(serve_plain);
	pool_open((struct fetch_options){0});
	probe_start(&p, (struct fetch_request){0});
	loop_run(loop);
	p.done = 0;
	p.on_done = NULL;
	probe_start(&p, (struct fetch_request){0});
	loop_run(loop);
	assert_int_equal(p.done, 1);
	pool_close();
	server_stop();
	assert_outcome(&p, FETCH_OK, 200);
}

static void free_nothing(struct timer *t)
{
	loop_stop(t->loop);
}

static void test_pool_free_cancels_what_runs(void **state)
{
	struct probe probes[5] = {0};
	struct timer stop;

	(void)state;
	server_start(serve_nothing);
	pool_open((struct fetch_options){0});
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		probe_start(&probes[i], (struct fetch_request){.total_timeout_ms = 9000});
	timer_init(&stop, loop, free_nothing);
	timer_start(&stop, 30);
	loop_run(loop);
	probe_start(&probes[0], (struct fetch_request){.total_timeout_ms = 9000});
	pool_close();
	server_stop();
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		assert_int_equal(probes[i].done, 0);
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_answer_and_header_lookup),
		cmocka_unit_test(test_request_carries_only_the_callers_headers),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_header_with_line_break_is_refused),
		cmocka_unit_test(test_chunked_body_with_trailer),
		cmocka_unit_test(test_close_delimited_body_is_complete),
		cmocka_unit_test(test_interim_heads_are_passed_over),
		cmocka_unit_test(test_big_body),
		cmocka_unit_test(test_connection_is_reused),
		cmocka_unit_test(test_hundred_in_parallel),
		cmocka_unit_test(test_connections_per_host_are_limited),
		cmocka_unit_test(test_stale_connection_is_replaced),
		cmocka_unit_test(test_idle_timeout),
		cmocka_unit_test(test_idle_timeout_while_sending),
		cmocka_unit_test(test_slow_upload_is_not_idle),
		cmocka_unit_test(test_total_timeout),
		cmocka_unit_test(test_connect_timeout),
		cmocka_unit_test(test_paused_fetch_has_bounded_memory),
		cmocka_unit_test(test_pause_in_on_head),
		cmocka_unit_test(test_cancel_in_every_callback),
		cmocka_unit_test(test_cancel_in_on_done_is_harmless),
		cmocka_unit_test(test_pool_free_cancels_what_runs),
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
