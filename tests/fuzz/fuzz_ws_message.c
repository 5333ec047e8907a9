/*
 * A frame that asks for a turn: whatever it says, what is made of it is a JSON object with a list
 * as input, and a head whose values can stand in a head.
 */
#include "relay/ws_message.h"

#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_body(const struct ws_message *m)
{
	struct buf items, out;
	struct jv body;

	buf_init(&items, MIB(4));
	buf_init(&out, MIB(8));
	buf_add_lit(&items, "{\"type\":\"message\"}");
	ws_message_add_input(m, &items);
	ws_message_write_body(m, &items, &out);
	assert(!buf_error(&out) && !buf_error(&items));
	assert(jv_parse(buf_sv(&out), LIMIT_JSON_DEPTH, &body, NULL) == 0);
	assert(jv_is(jv_get(body, SV("input")), JV_ARRAY));
	assert(jv_count(jv_get(body, SV("input"))) >= 1);
	assert(jv_is_true(jv_get(body, SV("stream"))));
	assert(!jv_exists(jv_get(body, SV("previous_response_id"))));
	buf_reset(&out, 0);
	ws_message_write_body(m, NULL, &out);
	assert(jv_parse(buf_sv(&out), LIMIT_JSON_DEPTH, &body, NULL) == 0);
	buf_fini(&items);
	buf_fini(&out);
}

static void check_head(const struct ws_message *m, struct arena *arena)
{
	static struct http_request handshake, r;
	struct ws_head head;

	handshake.path = SV("/v1/responses");
	handshake.header_count = 1;
	handshake.headers[0] = (struct http_header){SV("authorization"), SV("Bearer t")};
	ws_head_copy(&handshake, &head);
	if (!ws_message_request(m, &head, arena, &r)) {
		for (size_t i = 0; i < r.header_count; i++) {
			assert(http_is_token(r.headers[i].name));
			assert(http_is_field_value(r.headers[i].value));
		}
		assert(sv_eq(http_request_header(&r, SV("authorization")), SV("Bearer t")));
	}
	ws_head_free(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_message m;
	struct arena arena;
	struct api_err err;

	arena_init(&arena, MIB(1));
	if (!ws_message_read(sv_make((const char *)data, size), &arena, &m, &err)) {
		check_body(&m);
		check_head(&m, &arena);
	}
	arena_fini(&arena);
	return 0;
}
