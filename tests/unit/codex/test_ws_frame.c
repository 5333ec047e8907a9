/* The frame of a turn: what it keeps, what it leaves out, and when it goes on. */
#include "codex/ws_frame.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct http_header no_headers[1];

struct made {
	struct buf text;
	struct ws_frame_memory said;
	bool incremental;
};

static void make(const char *body, const struct ws_frame_options *options, struct made *m)
{
	buf_init(&m->text, MIB(1));
	ws_frame_build(jv_trusted(sv_cstr(body)), options, &m->text, &m->said, &m->incremental);
	assert_int_equal(buf_error(&m->text), 0);
}

static void check(const char *body, const struct ws_frame_options *options, const char *expected)
{
	struct made m;

	make(body, options, &m);
	assert_string_equal(buf_cstr(&m.text), expected);
	buf_fini(&m.text);
}

static void test_members_keep_their_bytes(void **state)
{
	static const struct ws_frame_options plain = {.headers = no_headers};

	(void)state;
	check("{\"model\":\"m\",\"input\":[ {\"a\": 1.0} ],\"stream\":true,\"background\":false,"
	      "\"generate\":true,\"tools\":[{\"x\":\"\\u00e4\"} ]}",
		&plain,
		"{\"type\":\"response.create\",\"model\":\"m\",\"input\":[ {\"a\": 1.0} ],"
		"\"tools\":[{\"x\":\"\\u00e4\"} ]}");
	check("{\"type\":\"x\",\"previous_response_id\":\"r\",\"input\":\"hi\"}", &plain,
		"{\"type\":\"response.create\",\"input\":\"hi\"}");
}

static void test_headers_of_a_turn_become_metadata(void **state)
{
	static const struct http_header headers[] = {
		{SV("X-Codex-Turn-State"), SV("mine")},
		{SV("x-codex-window-id"), SV("w2")},
		{SV("x-openai-internal-codex-responses-lite"), SV("true")},
		{SV("authorization"), SV("Bearer secret")},
	};
	static const struct ws_frame_options options = {
		.headers = headers, .header_count = ARRAY_LEN(headers)};

	(void)state;
	check("{\"client_metadata\":{\"x-codex-window-id\":\"w1\",\"x-codex-turn-state\":\"old\"}}",
		&options,
		"{\"type\":\"response.create\",\"client_metadata\":{\"x-codex-window-id\":\"w1\","
		"\"x-codex-turn-state\":\"mine\","
		"\"ws_request_header_x_openai_internal_codex_responses_lite\":\"true\"}}");
	assert_false(ws_frame_is_of_turn(SV("authorization")));
}

/* A first turn and its answer as a socket remembers them. */
static struct ws_frame_memory remember(const char *body, const char *item)
{
	static const struct ws_frame_options plain = {.headers = no_headers};
	struct made m;

	make(body, &plain, &m);
	assert_false(m.incremental);
	buf_fini(&m.text);
	ws_frame_add_item(&m.said, jv_trusted(sv_cstr(item)));
	memcpy(m.said.id, "resp_1", 7);
	return m.said;
}

static bool goes_on(const struct ws_frame_memory *before, const char *body)
{
	const struct ws_frame_options options = {.headers = no_headers, .before = before};
	struct made m;

	make(body, &options, &m);
	buf_fini(&m.text);
	return m.incremental;
}

static void test_only_new_items_are_sent(void **state)
{
	struct ws_frame_memory before =
		remember("{\"model\":\"m\",\"input\":[{\"a\":1}]}", "{\"b\": 2}");
	const struct ws_frame_options options = {.headers = no_headers, .before = &before};

	(void)state;
	check("{\"model\":\"m\",\"input\":[{\"a\":1},{\"b\": 2}, {\"c\":3},{\"d\":4} ]}", &options,
		"{\"type\":\"response.create\",\"previous_response_id\":\"resp_1\",\"model\":\"m\","
		"\"input\":[{\"c\":3},{\"d\":4} ]}");
}

static void test_what_differs_is_sent_whole(void **state)
{
	struct ws_frame_memory before =
		remember("{\"model\":\"m\",\"input\":[{\"a\":1}]}", "{\"b\":2}");
	struct ws_frame_memory text = remember("{\"input\":\"a\"}", "{\"b\":2}");

	(void)state;
	assert_true(
		goes_on(&before, "{\"model\":\"m\",\"input\":[{\"a\":1},{\"b\":2},{\"c\":3}]}"));
	/* Of one turn only. */
	assert_true(goes_on(&before, "{\"model\":\"m\",\"client_metadata\":{\"turn_id\":\"2\"},"
				     "\"input\":[{\"a\":1},{\"b\":2},{\"c\":3}]}"));
	/* Nothing new, another item, another writing, another order, one missing, other members. */
	assert_false(goes_on(&before, "{\"model\":\"m\",\"input\":[{\"a\":1},{\"b\":2}]}"));
	assert_false(
		goes_on(&before, "{\"model\":\"m\",\"input\":[{\"a\":0},{\"b\":2},{\"c\":3}]}"));
	assert_false(
		goes_on(&before, "{\"model\":\"m\",\"input\":[{\"a\":1},{\"b\": 2},{\"c\":3}]}"));
	assert_false(
		goes_on(&before, "{\"model\":\"m\",\"input\":[{\"b\":2},{\"a\":1},{\"c\":3}]}"));
	assert_false(goes_on(&before, "{\"model\":\"m\",\"input\":[{\"b\":2},{\"c\":3}]}"));
	assert_false(
		goes_on(&before, "{\"model\":\"n\",\"input\":[{\"a\":1},{\"b\":2},{\"c\":3}]}"));
	/* The message that a text stands for is no item of the list. */
	assert_false(goes_on(&text, "{\"input\":[{\"b\":2},{\"c\":3}]}"));
	before.id[0] = '\0';
	assert_false(
		goes_on(&before, "{\"model\":\"m\",\"input\":[{\"a\":1},{\"b\":2},{\"c\":3}]}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members_keep_their_bytes),
		cmocka_unit_test(test_headers_of_a_turn_become_metadata),
		cmocka_unit_test(test_only_new_items_are_sent),
		cmocka_unit_test(test_what_differs_is_sent_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
