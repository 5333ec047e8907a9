#include "relay/ws_message.h"

#include "base/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int read_text(struct sv text, struct arena *arena, struct ws_message *m, struct api_err *err)
{
	memset(err, 0, sizeof(*err));
	return ws_message_read(text, arena, m, err);
}

/* --- reading --- */

static void test_messages_that_are_turns(void **state)
{
	struct ws_message m;
	struct arena arena;
	struct api_err err;

	(void)state;
	arena_init(&arena, KIB(64));
	assert_int_equal(read_text(SV("{\"type\":\"response.create\"}"), &arena, &m, &err), 0);
	assert_false(m.warm_up);
	assert_false(jv_exists(m.previous) || jv_exists(m.input));
	assert_int_equal(read_text(SV("{\"generate\":false,\"type\":\"response.create\","
				      "\"previous_response_id\":\"r\\u0065sp\",\"input\":[]}"),
				 &arena, &m, &err),
		0);
	assert_true(m.warm_up && jv_is(m.input, JV_ARRAY));
	assert_true(sv_eq(m.previous_id, SV("resp")));
	assert_int_equal(read_text(SV("{\"type\":\"response.create\",\"generate\":true,"
				      "\"previous_response_id\":null,\"input\":null}"),
				 &arena, &m, &err),
		0);
	assert_false(m.warm_up || jv_exists(m.previous) || jv_exists(m.input));
	arena_fini(&arena);
}

static void test_messages_that_are_none(void **state)
{
	static const struct sv texts[] = {SV(""), SV("{"), SV("[]"), SV("null"), SV("{}"),
		SV("{\"type\":5}"), SV("{\"type\":\"response.cancel\"}"),
		SV("{\"type\":\"response.create\",\"previous_response_id\":5}")};
	struct ws_message m;
	struct arena arena;
	struct api_err err;

	(void)state;
	arena_init(&arena, KIB(64));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(read_text(texts[i], &arena, &m, &err), -EINVAL);
		assert_int_equal(err.status, 400);
		assert_true(err.message[0] != '\0');
	}
	arena_fini(&arena);
}

/* --- bodies --- */

static const struct {
	struct sv message;
	struct sv before; /* items */
	struct sv expected;
} bodies[] = {
	/* Members keep their bytes and their order. */
	{SV("{\"type\":\"response.create\", \"model\":\"m\", \"tools\":[ {\"a\" :1} ],"
	    "\"input\":[ {\"x\": 1} , 2 ],\"store\":false}"),
		SV(""),
		SV("{\"model\":\"m\",\"tools\":[ {\"a\" :1} ],\"input\":[{\"x\": 1} , 2],"
		   "\"store\":false,\"stream\":true}")},
	{SV("{\"type\":\"response.create\",\"input\":[3],\"previous_response_id\":\"r\","
	    "\"generate\":true,\"stream\":false,\"background\":true}"),
		SV("1, 2"), SV("{\"input\":[1, 2,3],\"stream\":true}")},
	{SV("{\"type\":\"response.create\",\"input\":[]}"), SV("1"),
		SV("{\"input\":[1],\"stream\":true}")},
	{SV("{\"type\":\"response.create\",\"input\":[ ]}"), SV(""),
		SV("{\"input\":[],\"stream\":true}")},
	{SV("{\"type\":\"response.create\"}"), SV("1"), SV("{\"input\":[1],\"stream\":true}")},
	{SV("{\"type\":\"response.create\"}"), SV(""), SV("{\"stream\":true}")},
	/* A member that is there twice counts once. */
	{SV("{\"type\":\"response.create\",\"input\":[1],\"input\":[1]}"), SV(""),
		SV("{\"input\":[1],\"stream\":true}")},
};

static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct ws_message m;
		struct arena arena;
		struct api_err err;
		struct buf items, out;

		arena_init(&arena, KIB(64));
		buf_init(&items, KIB(64));
		buf_init(&out, KIB(64));
		buf_add_sv(&items, bodies[i].before);
		assert_int_equal(read_text(bodies[i].message, &arena, &m, &err), 0);
		ws_message_add_input(&m, &items);
		ws_message_write_body(&m, &items, &out);
		assert_int_equal(out.len, bodies[i].expected.n);
		assert_memory_equal(out.data, bodies[i].expected.p, out.len);
		buf_fini(&items);
		buf_fini(&out);
		arena_fini(&arena);
	}
}

static void test_a_text_is_the_message_that_it_is_short_for(void **state)
{
	struct ws_message m;
	struct arena arena;
	struct api_err err;
	struct buf items;
	struct jv item;

	(void)state;
	arena_init(&arena, KIB(64));
	buf_init(&items, KIB(64));
	assert_int_equal(read_text(SV("{\"type\":\"response.create\",\"input\":\"h\\u0069\"}"),
				 &arena, &m, &err),
		0);
	ws_message_add_input(&m, &items);
	assert_int_equal(jv_parse(buf_sv(&items), 16, &item, NULL), 0);
	assert_true(jv_str_eq(jv_get(item, SV("role")), SV("user")));
	buf_fini(&items);
	arena_fini(&arena);
}

static void test_who_knows_other_answers_gets_the_message_as_it_is(void **state)
{
	struct ws_message m;
	struct arena arena;
	struct api_err err;
	struct buf out;

	(void)state;
	arena_init(&arena, KIB(64));
	buf_init(&out, KIB(64));
	assert_int_equal(read_text(SV("{\"type\":\"response.create\",\"input\":[ 1 ],"
				      "\"previous_response_id\":\"r\"}"),
				 &arena, &m, &err),
		0);
	ws_message_write_body(&m, NULL, &out);
	assert_string_equal(
		buf_cstr(&out), "{\"input\":[ 1 ],\"previous_response_id\":\"r\",\"stream\":true}");
	buf_fini(&out);
	arena_fini(&arena);
}

static void test_conversations_are_bounded(void **state)
{
	struct ws_message m;
	struct arena arena;
	struct api_err err;
	struct buf items;

	(void)state;
	arena_init(&arena, KIB(64));
	buf_init(&items, 8);
	assert_int_equal(read_text(SV("{\"type\":\"response.create\",\"input\":[1,2,3,4,5,6]}"),
				 &arena, &m, &err),
		0);
	ws_message_add_input(&m, &items);
	assert_int_equal(buf_error(&items), -ENOBUFS);
	buf_fini(&items);
	arena_fini(&arena);
}

/* --- heads --- */

static struct sv header(const struct http_request *r, const char *name)
{
	return http_request_header(r, sv_cstr(name));
}

static void test_heads_of_turns(void **state)
{
	static const struct http_header sent[] = {{SV("Host"), SV("h")},
		{SV("Connection"), SV("Upgrade")}, {SV("Upgrade"), SV("websocket")},
		{SV("Sec-WebSocket-Key"), SV("k")},
		{SV("OpenAI-Beta"), SV("responses_websockets=2026-02-06")},
		{SV("authorization"), SV("Bearer t")}, {SV("session-id"), SV("s")},
		{SV("X-Codex-Turn-Metadata"), SV("old")}, {SV("x-codex-turn-state"), SV("old")}};
	struct http_request *handshake = mem_zalloc(sizeof(*handshake));
	struct http_request *r = mem_zalloc(sizeof(*r));
	struct ws_message m;
	struct ws_head head;
	struct arena arena;
	struct api_err err;

	(void)state;
	handshake->path = SV("/v1/responses");
	handshake->header_count = ARRAY_LEN(sent);
	memcpy(handshake->headers, sent, sizeof(sent));
	ws_head_copy(handshake, &head);
	free(handshake);
	arena_init(&arena, KIB(64));
	assert_int_equal(
		read_text(
			SV("{\"type\":\"response.create\",\"client_metadata\":{"
			   "\"x-codex-turn-metadata\":\"n\\u0065w\",\"session_id\":\"other\","
			   "\"x-codex-window-id\":\"two\\r\\nlines\",\"x-codex-other\":\"x\","
			   "\"ws_request_header_x_openai_internal_codex_responses_lite\":\"true\","
			   "\"ws_request_header_authorization\":\"Bearer x\","
			   "\"ws_request_header_\":\"x\",\"x-codex-turn-state\":5}}"),
			&arena, &m, &err),
		0);
	assert_int_equal(ws_message_request(&m, &head, &arena, r), 0);
	assert_true(sv_eq(r->method, SV("POST")) && sv_eq(r->path, SV("/v1/responses")));
	assert_true(sv_eq(header(r, "authorization"), SV("Bearer t")));
	assert_true(sv_eq(header(r, "session-id"), SV("s")));
	assert_true(sv_eq(header(r, "x-codex-turn-metadata"), SV("new")));
	assert_true(sv_eq(header(r, "x-openai-internal-codex-responses-lite"), SV("true")));
	/* Four of the handshake's and one of the message's. */
	assert_int_equal(r->header_count, 4);
	ws_head_free(&head);
	arena_fini(&arena);
	free(r);
}

/* An exchange looks at them again for each attempt; the frame is gone by then. */
static void test_the_head_of_a_turn_outlives_its_frame(void **state)
{
	char text[] = "{\"type\":\"response.create\",\"client_metadata\":{"
		      "\"x-codex-window-id\":\"w:1\","
		      "\"ws_request_header_x_openai_internal_a\":\"b\"}}";
	struct http_request *r = mem_zalloc(sizeof(*r));
	struct ws_head head = {.headers = NULL};
	struct ws_message m;
	struct arena arena;
	struct api_err err;

	(void)state;
	arena_init(&arena, KIB(64));
	assert_int_equal(read_text(sv_cstr(text), &arena, &m, &err), 0);
	assert_int_equal(ws_message_request(&m, &head, &arena, r), 0);
	memset(text, 'z', sizeof(text) - 1);
	assert_true(sv_eq(header(r, "x-codex-window-id"), SV("w:1")));
	assert_true(sv_eq(header(r, "x-openai-internal-a"), SV("b")));
	arena_fini(&arena);
	free(r);
}

static void test_a_full_head_takes_no_more(void **state)
{
	struct http_request *handshake = mem_zalloc(sizeof(*handshake));
	struct http_request *r = mem_zalloc(sizeof(*r));
	struct ws_message m;
	struct ws_head head;
	struct arena arena;
	struct api_err err;

	(void)state;
	handshake->path = SV("/");
	for (size_t i = 0; i < ARRAY_LEN(handshake->headers); i++)
		handshake->headers[handshake->header_count++] =
			(struct http_header){SV("x-a"), SV("1")};
	ws_head_copy(handshake, &head);
	arena_init(&arena, KIB(64));
	assert_int_equal(read_text(SV("{\"type\":\"response.create\",\"client_metadata\":{"
				      "\"x-codex-window-id\":\"w\"}}"),
				 &arena, &m, &err),
		0);
	assert_int_equal(ws_message_request(&m, &head, &arena, r), 0);
	assert_int_equal(r->header_count, ARRAY_LEN(r->headers));
	ws_head_free(&head);
	arena_fini(&arena);
	free(handshake);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_that_are_turns),
		cmocka_unit_test(test_messages_that_are_none),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_a_text_is_the_message_that_it_is_short_for),
		cmocka_unit_test(test_who_knows_other_answers_gets_the_message_as_it_is),
		cmocka_unit_test(test_conversations_are_bounded),
		cmocka_unit_test(test_heads_of_turns),
		cmocka_unit_test(test_the_head_of_a_turn_outlives_its_frame),
		cmocka_unit_test(test_a_full_head_takes_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
