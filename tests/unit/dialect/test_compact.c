/* POST /v1/responses/compact: what is asked for, and what is answered. */
#include "dialect/dialect.h"

#include "base/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct asked {
	struct arena arena;
	struct turn turn;
	struct buf out;
};

static struct jv parse(const char *text)
{
	struct jv v;

	assert_int_equal(jv_parse(sv_cstr(text), LIMIT_JSON_DEPTH, &v, NULL), 0);
	return v;
}

static void start(struct asked *a, bool native)
{
	arena_init(&a->arena, MIB(1));
	turn_init(&a->turn, &dialect_compact, &a->arena);
	buf_init(&a->out, MIB(1));
	a->turn.native = native;
	a->turn.now_s = 1700000000;
	a->turn.id = "req-1";
}

static void stop(struct asked *a)
{
	buf_fini(&a->out);
	turn_fini(&a->turn);
	arena_fini(&a->arena);
}

static int ask(struct asked *a, const char *body, struct api_err *err)
{
	a->turn.request = parse(body);
	return dialect_compact.parse(&a->turn, err);
}

static int hand_out(struct asked *a, const char *document)
{
	struct event ev = {
		.type = EVENT_COMPLETED, .name = SV("response.completed"), .json = parse(document)};

	assert_int_equal(dialect_compact.begin(&a->turn), 0);
	return dialect_compact.on_event(&a->turn, &ev, &a->out);
}

struct answer_case {
	bool native;
	const char *document;
	const char *expected; /* NULL: makes no sense */
};

#define NO_USAGE                                                                               \
	"{\"input_tokens\":0,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\"" \
	":0,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":0}"

static const struct answer_case answer_cases[] = {
	{false, "{\"output\":[{\"type\":\"compaction\"}]}",
		"{\"id\":\"resp_req-1\",\"object\":\"response.compaction\",\"created_at\":"
		"1700000000,"
		"\"output\":[{\"type\":\"compaction\"}],\"usage\":" NO_USAGE "}"},
	{false,
		"{\"id\":\"resp_a\",\"object\":\"response\",\"created_at\":5,\"status\":"
		"\"completed\","
		"\"output\":[],\"usage\":{\"input_tokens\":2,\"output_tokens\":3}}",
		"{\"id\":\"resp_a\",\"object\":\"response.compaction\",\"created_at\":5,\"output\":"
		"[],"
		"\"usage\":{\"input_tokens\":2,\"input_tokens_details\":{\"cached_tokens\":0},"
		"\"output_tokens\":3,\"output_tokens_details\":{\"reasoning_tokens\":0},"
		"\"total_tokens\":5}}"},
	{false, "{\"id\":7,\"created_at\":\"x\",\"output\":[],\"usage\":null}",
		"{\"id\":\"resp_req-1\",\"object\":\"response.compaction\",\"created_at\":"
		"1700000000,"
		"\"output\":[],\"usage\":" NO_USAGE "}"},
	{false, "{\"output\":{}}", NULL},
	{false, "{}", NULL},
	{true, "{ \"output\" : [ {\"new\":1} ] }", "{ \"output\" : [ {\"new\":1} ] }"},
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answer_cases); i++) {
		const struct answer_case *c = &answer_cases[i];
		struct asked a;
		int rc;

		start(&a, c->native);
		rc = hand_out(&a, c->document);
		assert_int_equal(rc, c->expected ? 0 : -EBADMSG);
		if (c->expected) {
			assert_int_equal(dialect_compact.finish(&a.turn, &a.out), 0);
			assert_string_equal(buf_cstr(&a.out), c->expected);
		}
		stop(&a);
	}
}

static void test_tokens_are_counted(void **state)
{
	struct asked a;

	(void)state;
	start(&a, false);
	assert_int_equal(
		hand_out(&a, "{\"output\":[],\"usage\":{\"input_tokens\":2,\"output_tokens\":3}}"),
		0);
	assert_true(a.turn.usage.known);
	assert_int_equal(a.turn.usage.total_tokens, 5);
	stop(&a);
}

static void test_no_answer_is_no_success(void **state)
{
	struct event created = {.type = EVENT_CREATED, .name = SV("response.created")};
	struct asked a;

	(void)state;
	start(&a, false);
	assert_int_equal(dialect_compact.begin(&a.turn), 0);
	assert_int_equal(dialect_compact.finish(&a.turn, &a.out), -EBADMSG);
	assert_int_equal(dialect_compact.on_event(&a.turn, &created, &a.out), -EBADMSG);
	stop(&a);
}

static void test_it_is_never_a_stream(void **state)
{
	struct api_err err;
	struct asked a;

	(void)state;
	start(&a, false);
	assert_int_equal(ask(&a, "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}", &err), 0);
	assert_false(a.turn.stream);
	assert_true(sv_eq(a.turn.model, SV("m")));
	stop(&a);
}

static void test_there_must_be_something_to_compact(void **state)
{
	struct api_err err;
	struct asked a;

	(void)state;
	start(&a, false);
	assert_int_equal(ask(&a, "{\"model\":\"m\"}", &err), -EINVAL);
	assert_string_equal(err.param, "input");
	assert_int_equal(ask(&a, "{\"input\":[]}", &err), -EINVAL);
	assert_string_equal(err.param, "model");
	assert_int_equal(ask(&a, "{\"model\":\"m\",\"previous_response_id\":\"r\"}", &err), 0);
	stop(&a);
}

static void test_errors_are_in_the_shape_of_the_api(void **state)
{
	struct api_err err;
	struct asked a;

	(void)state;
	start(&a, false);
	api_err_set(&err, 429, "rate_limit_error", "rate_limit_exceeded", "no");
	dialect_compact.error(&a.turn, &err, false, &a.out);
	assert_true(jv_exists(jv_get(parse(buf_cstr(&a.out)), SV("error"))));
	buf_reset(&a.out, 0);
	a.turn.native = true;
	err.body = SV("{\"detail\":\"theirs\"}");
	dialect_compact.error(&a.turn, &err, false, &a.out);
	assert_string_equal(buf_cstr(&a.out), "{\"detail\":\"theirs\"}");
	stop(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_tokens_are_counted),
		cmocka_unit_test(test_no_answer_is_no_success),
		cmocka_unit_test(test_it_is_never_a_stream),
		cmocka_unit_test(test_there_must_be_something_to_compact),
		cmocka_unit_test(test_errors_are_in_the_shape_of_the_api),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
