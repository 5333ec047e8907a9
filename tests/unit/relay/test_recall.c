/* What a request refers to is put back into it; what is kept of its answer. */
#include "relay/recall.h"

#include "base/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX_BYTES = 64 << 20 };

struct asked {
	struct continuation *c;
	struct arena arena;
	struct turn turn;
	struct recall recall;
	struct api_err err;
};

static struct jv parse(struct sv text)
{
	struct jv v;

	assert_int_equal(jv_parse(text, LIMIT_JSON_DEPTH, &v, NULL), 0);
	return v;
}

static void configure(struct asked *a, bool enabled, size_t max_bytes)
{
	struct continuation_limits limits = {enabled, 1000, max_bytes, INT64_MAX};

	continuation_configure(a->c, &limits);
}

static int set_up(void **state)
{
	struct asked *a = mem_zalloc(sizeof(*a));

	a->c = continuation_new();
	configure(a, true, MAX_BYTES);
	arena_init(&a->arena, MIB(1));
	turn_init(&a->turn, &dialect_responses, &a->arena);
	*state = a;
	return 0;
}

static int tear_down(void **state)
{
	struct asked *a = *state;

	turn_fini(&a->turn);
	arena_fini(&a->arena);
	continuation_free(a->c);
	free(a);
	return 0;
}

static void begin(struct asked *a, const struct dialect *dialect)
{
	turn_fini(&a->turn);
	arena_reset(&a->arena);
	turn_init(&a->turn, dialect, &a->arena);
}

/* A request as dialect.parse leaves it. */
static int ask(struct asked *a, const char *body)
{
	a->turn.request = a->turn.upstream = parse(sv_cstr(body));
	return recall_expand(&a->recall, a->c, SV("token"), &a->turn, &a->err);
}

static void answer(struct asked *a, const char *object)
{
	buf_add_cstr(&a->turn.stored, object);
	recall_keep(&a->recall, &a->turn, SV("session"), false);
}

static struct sv upstream(struct asked *a)
{
	return jv_raw(a->turn.upstream);
}

static void assert_upstream(struct asked *a, const char *want)
{
	if (!sv_eq(upstream(a), sv_cstr(want)))
		fail_msg("is   %.*s\nwant %s", SV_ARG(upstream(a)), want);
}

/* resp_1: a said to u. */
static void say(struct asked *a)
{
	begin(a, &dialect_responses);
	assert_int_equal(ask(a, "{\"model\":\"m\",\"input\":[{\"u\": 1}]}"), 0);
	answer(a, "{\"id\":\"resp_1\",\"output\":[{\"id\":\"msg_1\",\"a\": 1}]}");
	begin(a, &dialect_responses);
}

static void test_what_refers_to_nothing_keeps_its_bytes(void **state)
{
	struct asked *a = *state;
	static const char body[] = "{ \"model\":\"m\", \"input\":[ {\"role\":\"user\"} ],"
				   "\"previous_response_id\":null }";

	assert_int_equal(ask(a, body), 0);
	assert_ptr_equal(a->turn.upstream.p, a->turn.request.p);
	assert_true(a->turn.store);
	assert_int_equal(a->recall.session.n, 0);
}

static void test_former_items_come_before_the_new_ones(void **state)
{
	struct asked *a = *state;

	say(a);
	assert_int_equal(
		ask(a, "{\"model\":\"m\",\"tools\":[ {} ],\"previous_response_id\":\"resp_1\","
		       "\"input\":[{\"v\":2}],\"x\": 1}"),
		0);
	assert_upstream(a, "{\"model\":\"m\",\"tools\":[ {} ],\"previous_response_id\":\"resp_1\","
			   "\"x\":1,\"input\":[{\"u\": 1},{\"id\":\"msg_1\",\"a\": 1},{\"v\":2}]}");
	assert_true(sv_eq(a->recall.session, SV("session")));
}

static void test_a_chain_has_all_items_in_their_order(void **state)
{
	struct asked *a = *state;

	say(a);
	assert_int_equal(ask(a, "{\"previous_response_id\":\"resp_1\",\"input\":\"more\"}"), 0);
	answer(a, "{\"id\":\"resp_2\",\"output\":[{\"id\":\"msg_2\"}]}");
	begin(a, &dialect_responses);
	assert_int_equal(ask(a, "{\"previous_response_id\":\"resp_2\"}"), 0);
	assert_upstream(a, "{\"previous_response_id\":\"resp_2\",\"input\":[{\"u\": 1},"
			   "{\"id\":\"msg_1\",\"a\": 1},{\"type\":\"message\",\"role\":\"user\","
			   "\"content\":[{\"type\":\"input_text\",\"text\":\"more\"}]},"
			   "{\"id\":\"msg_2\"}]}");
}

static void test_reasoning_that_was_refused_is_left_out_from_then_on(void **state)
{
	struct asked *a = *state;

	assert_int_equal(
		ask(a, "{\"input\":[{\"u\":1},{\"type\":\"reasoning\",\"id\":\"rs_1\"}]}"), 0);
	buf_add_cstr(&a->turn.stored,
		"{\"id\":\"resp_1\",\"output\":[{\"type\":\"reasoning\",\"id\":\"rs_2\"}]}");
	recall_keep(&a->recall, &a->turn, SV("session"), true);
	begin(a, &dialect_responses);
	assert_int_equal(
		ask(a, "{\"previous_response_id\":\"resp_1\",\"input\":[{\"id\":\"rs_1\"}]}"), 0);
	/* Who names it gets it. */
	assert_upstream(a, "{\"previous_response_id\":\"resp_1\",\"input\":[{\"u\":1},"
			   "{\"type\":\"reasoning\",\"id\":\"rs_2\"},"
			   "{\"type\":\"reasoning\",\"id\":\"rs_1\"}]}");
}

static void test_a_text_is_kept_as_the_message_that_upstream_got(void **state)
{
	struct asked *a = *state;

	assert_int_equal(ask(a, "{\"input\":\"\\u00e4\"}"), 0);
	answer(a, "{\"id\":\"resp_1\",\"output\":[]}");
	begin(a, &dialect_responses);
	assert_int_equal(ask(a, "{\"previous_response_id\":\"resp_1\",\"input\":[]}"), 0);
	assert_upstream(a, "{\"previous_response_id\":\"resp_1\",\"input\":[{\"type\":\"message\","
			   "\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
			   "\"\\u00e4\"}]}]}");
}

static void test_references_become_items(void **state)
{
	struct asked *a = *state;

	say(a);
	assert_int_equal(ask(a, "{\"input\":[{\"v\":1},{\"type\":\"item_reference\",\"id\":"
				"\"msg_1\"},{\"id\":\"msg_1\"},{\"role\":\"user\",\"id\":\"x\"}]}"),
		0);
	assert_upstream(a, "{\"input\":[{\"v\":1},{\"id\":\"msg_1\",\"a\": 1},{\"id\":\"msg_1\","
			   "\"a\": 1},{\"role\":\"user\",\"id\":\"x\"}]}");
}

static void test_unknown_things_are_refused(void **state)
{
	struct asked *a = *state;

	say(a);
	assert_int_equal(ask(a, "{\"previous_response_id\":\"resp_9\",\"input\":\"x\"}"), -EINVAL);
	assert_int_equal(a->err.status, 400);
	assert_string_equal(a->err.code, "previous_response_not_found");
	assert_string_equal(a->err.param, "previous_response_id");
	assert_int_equal(ask(a, "{\"previous_response_id\":7,\"input\":\"x\"}"), -EINVAL);
	assert_string_equal(a->err.param, "previous_response_id");
	assert_int_equal(ask(a, "{\"input\":[{\"role\":\"user\"},{\"id\":\"msg_9\"}]}"), -EINVAL);
	assert_int_equal(a->err.status, 400);
	assert_string_equal(a->err.param, "input[1].id");
	assert_int_equal(ask(a, "{\"input\":[{\"type\":\"item_reference\"}]}"), 0);
}

static void test_the_answer_of_another_token_is_unknown(void **state)
{
	struct asked *a = *state;

	say(a);
	a->turn.request = a->turn.upstream =
		parse(SV("{\"previous_response_id\":\"resp_1\",\"input\":\"x\"}"));
	assert_int_equal(recall_expand(&a->recall, a->c, SV("other"), &a->turn, &a->err), -EINVAL);
	assert_string_equal(a->err.code, "previous_response_not_found");
}

static void test_when_it_is_off_references_are_refused_and_nothing_is_kept(void **state)
{
	struct asked *a = *state;

	say(a);
	configure(a, false, MAX_BYTES);
	assert_int_equal(ask(a, "{\"previous_response_id\":\"resp_1\",\"input\":\"x\"}"), -EINVAL);
	assert_int_equal(ask(a, "{\"input\":[{\"id\":\"msg_1\"}]}"), -EINVAL);
	assert_int_equal(ask(a, "{\"input\":\"x\"}"), 0);
	assert_false(a->turn.store);
}

static void test_a_native_body_stays_as_it_is(void **state)
{
	struct asked *a = *state;

	a->turn.native = true;
	assert_int_equal(
		ask(a, "{\"previous_response_id\":\"resp_9\",\"input\":[{\"id\":\"x\"}]}"), 0);
	assert_ptr_equal(a->turn.upstream.p, a->turn.request.p);
	assert_false(a->turn.store);
}

static void test_who_says_store_false_is_not_kept(void **state)
{
	struct asked *a = *state;

	assert_int_equal(ask(a, "{\"input\":\"x\",\"store\":false}"), 0);
	assert_false(a->turn.store);
	answer(a, "{\"id\":\"resp_1\",\"output\":[]}");
	assert_int_equal(continuation_count(a->c), 0);
}

static void test_other_apis_may_refer_but_are_not_kept(void **state)
{
	static const struct dialect *const others[] = {&dialect_chat, &dialect_compact};
	struct asked *a = *state;

	say(a);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		begin(a, others[i]);
		assert_int_equal(ask(a, "{\"previous_response_id\":\"resp_1\",\"input\":[]}"), 0);
		assert_false(a->turn.store);
		assert_true(sv_find(upstream(a), SV("msg_1")) > 0);
	}
}

static void test_a_request_that_is_too_large_to_keep_is_not_called_kept(void **state)
{
	struct asked *a = *state;

	configure(a, true, 100);
	assert_int_equal(ask(a, "{\"input\":\"0123456789012345678901234567890123456789\"}"), 0);
	assert_false(a->turn.store);
	begin(a, &dialect_responses);
	assert_int_equal(ask(a, "{\"input\":\"0\"}"), 0);
	assert_true(a->turn.store);
	answer(a, "{\"id\":\"resp_1\",\"output\":[\"01234567890123456789\"]}");
	assert_int_equal(continuation_count(a->c), 0);
}

/* A short request must not become one that fills the memory. */
static void test_references_cannot_multiply_without_end(void **state)
{
	struct asked *a = *state;
	struct buf body;

	begin(a, &dialect_responses);
	buf_init(&body, MIB(8));
	buf_add_lit(&body, "{\"input\":[{\"id\":\"msg_1\",\"role\":\"user\",\"t\":\"");
	for (size_t i = 0; i < MIB(4); i += 16)
		buf_add_lit(&body, "0123456789abcdef");
	buf_add_lit(&body, "\"}]}");
	assert_int_equal(ask(a, buf_cstr(&body)), 0);
	answer(a, "{\"id\":\"resp_1\",\"output\":[]}");
	begin(a, &dialect_responses);
	buf_reset(&body, 0);
	buf_add_lit(&body, "{\"input\":[{\"id\":\"msg_1\"}");
	for (size_t i = 0; i < 1000; i++)
		buf_add_lit(&body, ",{\"id\":\"msg_1\"}");
	buf_add_lit(&body, "]}");
	assert_int_equal(ask(a, buf_cstr(&body)), -EINVAL);
	assert_int_equal(a->err.status, 413);
	buf_fini(&body);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_what_refers_to_nothing_keeps_its_bytes),
		CASE(test_former_items_come_before_the_new_ones),
		CASE(test_a_chain_has_all_items_in_their_order),
		CASE(test_reasoning_that_was_refused_is_left_out_from_then_on),
		CASE(test_a_text_is_kept_as_the_message_that_upstream_got),
		CASE(test_references_become_items),
		CASE(test_unknown_things_are_refused),
		CASE(test_the_answer_of_another_token_is_unknown),
		CASE(test_when_it_is_off_references_are_refused_and_nothing_is_kept),
		CASE(test_a_native_body_stays_as_it_is),
		CASE(test_who_says_store_false_is_not_kept),
		CASE(test_other_apis_may_refer_but_are_not_kept),
		CASE(test_a_request_that_is_too_large_to_keep_is_not_called_kept),
		CASE(test_references_cannot_multiply_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
