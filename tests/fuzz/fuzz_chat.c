/*
 * Chat and completions requests: whatever JSON a client sends is refused with a param or becomes a
 * document that is valid JSON, has the members that upstream needs, and answers each call once.
 */
#include "base/limits.h"
#include "dialect/dialect.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_type(struct jv object, struct sv type)
{
	return jv_str_eq(jv_get(object, SV("type")), type);
}

/* As many outputs as calls, and none before its call. */
static void check_input(struct jv input)
{
	struct jv_iter it = jv_iter(input);
	size_t calls = 0, outputs = 0;

	assert(jv_is(input, JV_ARRAY));
	assert(jv_count(input) > 0);
	while (jv_next(&it)) {
		if (is_type(it.value, SV("function_call")) ||
			is_type(it.value, SV("custom_tool_call")))
			calls++;
		else if (is_type(it.value, SV("function_call_output")) ||
			 is_type(it.value, SV("custom_tool_call_output")))
			outputs++;
		else
			assert(is_type(it.value, SV("message")));
		assert(outputs <= calls);
	}
	assert(calls == outputs);
}

static void check_names(struct jv tools)
{
	struct jv_iter it = jv_iter(tools);

	while (jv_next(&it)) {
		if (is_type(it.value, SV("function")))
			assert(jv_str_raw(jv_get(it.value, SV("name"))).n <= 64);
	}
}

static void check_built(const struct turn *t)
{
	struct jv document;

	assert(jv_parse(jv_raw(t->upstream), LIMIT_JSON_DEPTH + 8, &document, NULL) == 0);
	if (jv_raw(t->upstream).p == jv_raw(t->request).p)
		return;
	assert(jv_is(jv_get(document, SV("model")), JV_STRING));
	if (t->dialect == &dialect_chat && jv_is_nil(jv_get(t->request, SV("messages"))))
		return; /* a Responses body under another model's name */
	assert(jv_is_true(jv_get(document, SV("stream"))));
	assert(jv_is(jv_get(document, SV("store")), JV_FALSE));
	check_input(jv_get(document, SV("input")));
	check_names(jv_get(document, SV("tools")));
}

static void parse(const struct dialect *dialect, struct sv text)
{
	struct api_err err = {.status = 0};
	struct arena arena;
	struct turn turn;

	arena_init(&arena, LIMIT_ARENA_BYTES);
	turn_init(&turn, dialect, &arena);
	turn.id = "fuzz";
	if (jv_parse(text, LIMIT_JSON_DEPTH, &turn.request, NULL) == 0) {
		if (turn.dialect->parse(&turn, &err)) {
			assert(err.status >= 400 && err.message[0] && err.type[0]);
		} else {
			assert(turn.model.n > 0);
			check_built(&turn);
		}
	}
	turn_fini(&turn);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse(&dialect_chat, sv_make((const char *)data, size));
	parse(&dialect_completions, sv_make((const char *)data, size));
	return 0;
}
