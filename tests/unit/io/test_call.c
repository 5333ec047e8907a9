/* call: answers collected whole, over a cap, cancelled. */
#include "fetch_rig.h"

#include "io/call.h"

struct outcome {
	int done;
	enum fetch_outcome outcome;
	int status;
	char body[64], header[64], message[128];
};

static void on_call_done(void *arg, const struct call_result *r)
{
	struct outcome *o = arg;
	struct sv plan = call_header(r, SV("x-CODEX-plan"));

	o->done++;
	o->outcome = r->outcome;
	o->status = r->status;
	snprintf(o->body, sizeof(o->body), "%.*s", SV_ARG(r->body));
	snprintf(o->header, sizeof(o->header), "%.*s", SV_ARG(plan));
	snprintf(o->message, sizeof(o->message), "%s", r->message);
}

static struct call *start(struct outcome *o, struct call_request r)
{
	char url[128];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/oauth/token", server.port);
	r.url = url;
	if (!r.method)
		r.method = "POST";
	return call_start(loop, pool, &r, on_call_done, o);
}

static void run_out(void)
{
	loop_run(loop);
	pool_close();
	server_stop();
}

static void test_whole_answer_arrives_once(void **state)
{
	struct outcome o = {0};
	char body[] = "{\"a\":1}";

	(void)state;
	server_start(serve_plain);
	pool_open((struct fetch_options){0});
	start(&o, (struct call_request){.body = sv_cstr(body)});
	memset(body, 'x', sizeof(body) - 1); /* the caller's bytes are not needed any more */
	run_out();
	assert_int_equal(o.done, 1);
	assert_int_equal(o.outcome, FETCH_OK);
	assert_int_equal(o.status, 200);
	assert_string_equal(o.body, "hello");
	assert_string_equal(o.header, "pro");
}

static void test_answer_over_its_cap_is_a_failure(void **state)
{
	struct outcome o = {0};

	(void)state;
	server_start(serve_plain);
	pool_open((struct fetch_options){0});
	start(&o, (struct call_request){.method = "GET", .body_cap = 4});
	run_out();
	assert_int_equal(o.done, 1);
	assert_int_equal(o.outcome, FETCH_PROTOCOL);
	assert_string_equal(o.body, "");
	assert_string_equal(o.message, "the answer is too large");
}

static void serve_and_drop(struct connection *c)
{
	if (!read_request(c))
		return;
	send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	/* The kept connection dies under the next request. */
	if (c->number == 0 && read_request(c))
		make_reset(c);
}

static void test_request_on_a_fresh_connection_goes_out_once(void **state)
{
	struct outcome first = {0}, second = {0};

	(void)state;
	server_start(serve_and_drop);
	pool_open((struct fetch_options){0});
	start(&first, (struct call_request){.fresh_connection = true});
	loop_run(loop);
	start(&second, (struct call_request){.fresh_connection = true});
	run_out();
	assert_int_equal(first.outcome, FETCH_OK);
	assert_int_equal(second.outcome, FETCH_OK);
	assert_int_equal(atomic_load(&server.accepted), 2);
	assert_int_equal(atomic_load(&server.requests), 2);
}

static void serve_never(struct connection *c)
{
	if (read_request(c))
		wait_for_end(c);
}

static void test_silence_ends_with_the_time(void **state)
{
	struct outcome o = {0};

	(void)state;
	server_start(serve_never);
	pool_open((struct fetch_options){0});
	start(&o, (struct call_request){.total_timeout_ms = 50});
	run_out();
	assert_int_equal(o.done, 1);
	assert_int_equal(o.outcome, FETCH_TIMEOUT);
}

static void test_nothing_is_called_after_cancel(void **state)
{
	struct outcome o = {0};

	(void)state;
	server_start(serve_plain);
	pool_open((struct fetch_options){0});
	call_cancel(start(&o, (struct call_request){.body = SV("{}")}));
	run_out();
	assert_int_equal(o.done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_answer_arrives_once),
		cmocka_unit_test(test_answer_over_its_cap_is_a_failure),
		cmocka_unit_test(test_request_on_a_fresh_connection_goes_out_once),
		cmocka_unit_test(test_silence_ends_with_the_time),
		cmocka_unit_test(test_nothing_is_called_after_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
