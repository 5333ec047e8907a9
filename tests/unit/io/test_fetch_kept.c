/* What becomes of a fetch's connection when it is over, and of a user who takes his time. */
#include "fetch_rig.h"

static void fetch_next(struct fetch_request r, enum fetch_outcome outcome)
{
	struct probe p = {0};

	probe_start(&p, r);
	loop_run(loop);
	assert_int_equal(p.done, 1);
	assert_outcome(&p, outcome, outcome == FETCH_OK ? 200 : p.result.status);
}

/* The loop turns until as many scripts have ended. */
struct wait {
	struct timer timer;
	int connections;
};

static void on_look(struct timer *t)
{
	struct wait *w = CONTAINER_OF(t, struct wait, timer);

	if (atomic_load(&server.closed) < w->connections)
		timer_start(t, 1);
}

static void turn_until_closed(int connections)
{
	struct wait w = {.connections = connections};

	timer_init(&w.timer, loop, on_look);
	timer_start(&w.timer, 0);
	loop_run(loop);
	assert_int_equal(atomic_load(&server.closed), connections);
}

/* Bytes that nobody asked for. */

static void serve_more_than_asked(struct connection *c)
{
	if (read_request(c))
		send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
			     "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged");
	wait_for_end(c);
}

static void test_bytes_behind_a_response_end_its_connection(void **state)
{
	(void)state;
	server_start(serve_more_than_asked);
	pool_open((struct fetch_options){0});
	for (int i = 0; i < 3; i++) {
		struct probe p = {0};

		probe_start(&p, (struct fetch_request){0});
		loop_run(loop);
		assert_outcome(&p, FETCH_OK, 200);
		assert_string_equal(p.body, "first");
		/* libcurl looks at its connection only when it needs it again. */
		if (!by_curl)
			turn_until_closed(i + 1);
	}
	pool_close();
	server_stop();
	assert_int_equal(atomic_load(&server.accepted), 3);
}

static void serve_then_speak(struct connection *c)
{
	char byte;
	ssize_t got;

	if (!read_request(c))
		return;
	send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
	got = read(c->server->go[0], &byte, 1);
	assert(got == 1);
	send_text(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
	wait_for_end(c);
}

static void test_idle_connection_that_speaks_is_closed(void **state)
{
	(void)state;
	server_start(serve_then_speak);
	pool_open((struct fetch_options){0});
	fetch_next((struct fetch_request){0}, FETCH_OK);
	say_go(NULL);
	turn_until_closed(1);
	fetch_next((struct fetch_request){0}, FETCH_OK);
	say_go(NULL);
	turn_until_closed(2);
	pool_close();
	server_stop();
}

static void serve_once(struct connection *c)
{
	if (read_request(c))
		send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
}

static void serve_and_watch(struct connection *c)
{
	serve_once(c);
	wait_for_end(c);
}

static void test_only_as_many_are_kept_as_may_be(void **state)
{
	struct probe probes[4] = {0};

	(void)state;
	server_start(serve_and_watch);
	pool_open((struct fetch_options){.idle_connections = 1});
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		probe_start(&probes[i], (struct fetch_request){0});
	turn_until_closed(3);
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		assert_outcome(&probes[i], FETCH_OK, 200);
	assert_int_equal(atomic_load(&server.accepted), 4);
	pool_close();
	server_stop();
}

/* Requests that go out once more, and those that must not. */

static void serve_first_only(struct connection *c)
{
	serve_once(c);
	read_request(c);
}

static void test_request_goes_out_once_more_and_no_more(void **state)
{
	(void)state;
	server_start(serve_first_only);
	pool_open((struct fetch_options){0});
	for (int i = 0; i < 3; i++) {
		/* Each finds the connection of the one before, whose server says no more. */
		fetch_next((struct fetch_request){.method = "POST", .body = SV("{}")}, FETCH_OK);
	}
	pool_close();
	server_stop();
	assert_int_equal(atomic_load(&server.accepted), 3);
	assert_int_equal(atomic_load(&server.requests), 5);
}

/* libcurl does not count a line that is cut. */
static void serve_a_line(struct connection *c)
{
	if (c->number > 0 || !read_request(c))
		return;
	send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
	if (read_request(c))
		send_text(c, "HTTP/1.1 200 OK\r\n");
}

static void test_request_that_was_answered_is_not_sent_again(void **state)
{
	(void)state;
	server_start(serve_a_line);
	pool_open((struct fetch_options){0});
	fetch_next((struct fetch_request){0}, FETCH_OK);
	fetch_next((struct fetch_request){.method = "POST", .body = SV("{}")}, FETCH_TRUNCATED);
	pool_close();
	server_stop();
	assert_int_equal(atomic_load(&server.accepted), 1);
	assert_int_equal(atomic_load(&server.requests), 2);
}

/* Every connection answers the first request only, but for the second connection: none. */
static void serve_but_not_second(struct connection *c)
{
	if (c->number == 1)
		read_request(c);
	else
		serve_first_only(c);
}

static void test_request_on_a_fresh_connection_goes_out_once(void **state)
{
	(void)state;
	server_start(serve_but_not_second);
	pool_open((struct fetch_options){0});
	fetch_next((struct fetch_request){0}, FETCH_OK);
	fetch_next(
		(struct fetch_request){
			.method = "POST", .body = SV("{}"), .fresh_connection = true},
		FETCH_TRUNCATED);
	pool_close();
	server_stop();
	assert_int_equal(atomic_load(&server.accepted), 2);
	assert_int_equal(atomic_load(&server.requests), 2);
}

/* The next two go to the same port by another name. */
static void test_connection_is_kept_for_its_origin(void **state)
{
	char url[64];

	(void)state;
	server_start(serve_plain);
	pool_open((struct fetch_options){0});
	snprintf(url, sizeof(url), "http://127.1:%d/", server.port);
	for (int i = 0; i < 4; i++) {
		struct probe p = {0};

		if (i % 2)
			probe_start(&p, (struct fetch_request){0});
		else
			probe_start_url(&p, (struct fetch_request){0}, url);
		loop_run(loop);
		assert_outcome(&p, FETCH_OK, 200);
		assert_non_null(strstr(server.request, i % 2 ? "Host: 127.0.0.1:" : "Host: 127."));
	}
	pool_close();
	server_stop();
	assert_in_range(atomic_load(&server.accepted), by_curl ? 1 : 2, 2);
}

static void cancel_it(struct timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, timer);

	p->cancelled_us = clock_mono_us();
	fetch_cancel(p->fetch);
}

/* serve_until_told: the first connection waits before it answers. */
static void serve_until_told(struct connection *c)
{
	char byte;
	ssize_t got = read(c->server->go[0], &byte, 1);

	assert(got == 1);
	serve_plain(c);
}

static void cancel_then_say_go(struct timer *t)
{
	cancel_it(t);
	say_go(NULL);
}

static void test_who_waits_for_a_connection_may_be_cancelled(void **state)
{
	struct probe probes[3] = {0};

	(void)state;
	server_start(serve_until_told);
	pool_open((struct fetch_options){.max_connections_per_host = 1});
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		probe_start(&probes[i], (struct fetch_request){0});
	timer_init(&probes[1].timer, loop, cancel_then_say_go);
	timer_start(&probes[1].timer, 1);
	loop_run(loop);
	pool_close();
	server_stop();
	assert_outcome(&probes[0], FETCH_OK, 200);
	assert_int_equal(probes[1].done, 0);
	assert_outcome(&probes[2], FETCH_OK, 200);
	assert_int_equal(atomic_load(&server.accepted), 1);
}

/* A user who pauses wherever he can. */

/* In one piece. */
static void send_chunks(struct connection *c)
{
	struct buf text;

	buf_init(&text, KIB(8));
	buf_add_lit(&text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 100; i++)
		buf_add_lit(&text, "3\r\nabc\r\n");
	buf_add_lit(&text, "0\r\nT: 1\r\n\r\n");
	send_all(c, text.data, text.len);
	buf_fini(&text);
}

static void serve_chunks(struct connection *c)
{
	while (read_request(c))
		send_chunks(c);
}

static void serve_chunks_once(struct connection *c)
{
	if (read_request(c))
		send_chunks(c);
}

static void serve_lines_until_close(struct connection *c)
{
	if (!read_request(c))
		return;
	send_text(c, "HTTP/1.0 200 OK\r\n\r\n");
	for (int i = 0; i < 300; i++)
		send_text(c, "a");
}

static void resume_it(struct timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, timer);

	p->paused = false;
	fetch_resume(p->fetch);
}

static void pause_it(struct probe *p)
{
	p->paused = true;
	fetch_pause(p->fetch);
	timer_start(&p->timer, 0);
}

static void stop_timer(struct probe *p)
{
	timer_stop(&p->timer);
}

static void check_pausing(void (*script)(struct connection *c), int connections)
{
	server_start(script);
	pool_open((struct fetch_options){0});
	for (int i = 0; i < 2; i++) {
		struct probe p = {.on_head = pause_it, .on_data = pause_it, .on_done = stop_timer};

		timer_init(&p.timer, loop, resume_it);
		probe_start(&p, (struct fetch_request){.idle_timeout_ms = 20000});
		loop_run(loop);
		assert_outcome(&p, FETCH_OK, 200);
		assert_int_equal(p.body_bytes, 300);
	}
	pool_close();
	server_stop();
	assert_int_equal(atomic_load(&server.accepted), connections);
}

static void test_pausing_loses_nothing(void **state)
{
	(void)state;
	check_pausing(serve_chunks, 1);
	/* The connection ends while its last bytes are held. */
	check_pausing(serve_chunks_once, 2);
	check_pausing(serve_lines_until_close, 2);
}

static void pause_and_resume(struct probe *p)
{
	fetch_pause(p->fetch);
	fetch_resume(p->fetch);
}

static void test_pausing_for_no_time_is_none(void **state)
{
	struct probe p = {.on_head = pause_and_resume, .on_data = pause_and_resume};

	(void)state;
	server_start(serve_chunks);
	pool_open((struct fetch_options){0});
	probe_start(&p, (struct fetch_request){0});
	loop_run(loop);
	pool_close();
	server_stop();
	assert_outcome(&p, FETCH_OK, 200);
	assert_int_equal(p.body_bytes, 300);
}

/* A user who has all that he wants. */

static void release_it(struct probe *p)
{
	p->cancelled_us = clock_mono_us();
	fetch_release(p->fetch, 20000);
}

static void pause_and_release(struct probe *p)
{
	fetch_pause(p->fetch);
	release_it(p);
}

static void test_connection_of_a_released_fetch_is_used_again(void **state)
{
	struct probe now = {.on_data = release_it};
	struct probe in_head = {.on_head = release_it};
	struct probe paused = {.on_data = pause_and_release};

	(void)state;
	server_start(serve_chunks);
	pool_open((struct fetch_options){0});
	probe_start(&now, (struct fetch_request){0});
	loop_run(loop);
	probe_start(&in_head, (struct fetch_request){0});
	loop_run(loop);
	probe_start(&paused, (struct fetch_request){0});
	loop_run(loop);
	fetch_next((struct fetch_request){0}, FETCH_OK);
	pool_close();
	server_stop();
	assert_int_equal(now.done + in_head.done + paused.done, 0);
	assert_int_equal(now.data_calls, 1);
	assert_int_equal(in_head.data_calls, 0);
	assert_int_equal(atomic_load(&server.requests), 4);
	assert_int_equal(atomic_load(&server.accepted), 1);
}

static void serve_part(struct connection *c)
{
	if (read_request(c))
		send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
	wait_for_end(c);
}

static void release_for_a_moment(struct probe *p)
{
	p->cancelled_us = clock_mono_us();
	fetch_release(p->fetch, 20);
}

static void test_released_fetch_that_goes_on_is_cut(void **state)
{
	struct probe p = {.on_data = release_for_a_moment};

	(void)state;
	server_start(serve_part);
	pool_open((struct fetch_options){0});
	probe_start(&p, (struct fetch_request){0});
	turn_until_closed(1);
	pool_close();
	server_stop();
	assert_int_equal(p.done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_behind_a_response_end_its_connection),
		cmocka_unit_test(test_request_goes_out_once_more_and_no_more),
		cmocka_unit_test(test_request_that_was_answered_is_not_sent_again),
		cmocka_unit_test(test_request_on_a_fresh_connection_goes_out_once),
		cmocka_unit_test(test_connection_is_kept_for_its_origin),
		cmocka_unit_test(test_who_waits_for_a_connection_may_be_cancelled),
		cmocka_unit_test(test_pausing_loses_nothing),
		cmocka_unit_test(test_pausing_for_no_time_is_none),
		cmocka_unit_test(test_connection_of_a_released_fetch_is_used_again),
		cmocka_unit_test(test_released_fetch_that_goes_on_is_cut),
	};
	/* libcurl looks at an idle connection only when it needs it again, or many are idle. */
	const struct CMUnitTest watched[] = {
		cmocka_unit_test(test_idle_connection_that_speaks_is_closed),
		cmocka_unit_test(test_only_as_many_are_kept_as_may_be),
	};
	int failed;

	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	alarm(120);
	failed = RUN_WITH_BOTH_ENGINES(tests);
	by_curl = false;
	return failed + cmocka_run_group_tests(watched, NULL, NULL);
}
