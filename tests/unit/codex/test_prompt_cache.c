/*
 * Upstream's prompt cache works on the beginning of a request: over the turns of a conversation
 * what was sent before stays byte for byte, and so does the key.
 */
#include "base/limits.h"
#include "codex/body.h"
#include "dialect/dialect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX_MESSAGES = 16 };

struct conversation {
	const char *name;
	const char *head; /* members of the body behind the model */
	const char *messages[MAX_MESSAGES];
	bool turn_ends[MAX_MESSAGES]; /* behind this message the client asks */
};

#define LONG "mcp__server__tool_with_a_name_that_is_far_too_long_for_the_backend__x"
#define USER(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define CALL(id, name)                                                           \
	"{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"" id \
	"\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"{ }\"}}]}"
#define TOOL(id, text) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"" text "\"}"
#define TOOLS                                                                              \
	"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{ " \
	"\"type\":"                                                                        \
	"\"object\" }}},{\"type\":\"function\",\"function\":{\"name\":\"" LONG "\"}}],"
#define FUNCTIONS "\"functions\":[{\"name\":\"f\",\"parameters\":{ }}],"

static const struct conversation conversations[] = {
	{"text", "",
		{"{\"role\":\"system\",\"content\":\"Be.\"}", USER("one"),
			"{\"role\":\"assistant\",\"content\":\"1\"}", USER("two"),
			"{\"role\":\"system\",\"content\":\"Later.\"}", USER("three")},
		{false, true, false, true, false, true}},
	{"tools", TOOLS,
		{USER("one"), CALL("c1", LONG), TOOL("c1", "x"), CALL("c1", "f"), TOOL("c1", "y"),
			"{\"role\":\"assistant\",\"content\":\"done\"}", USER("two")},
		{true, false, true, false, true, false, true}},
	{"long ids", TOOLS,
		{USER("one more"), CALL(LONG LONG, "f"), TOOL(LONG LONG, "x"), CALL("d", "f"),
			TOOL("d", "y")},
		{true, false, true, false, true}},
	{"legacy", FUNCTIONS,
		{USER("one"),
			"{\"role\":\"assistant\",\"function_call\":{\"name\":\"f\",\"arguments\":"
			"\"{}\"}}",
			"{\"role\":\"function\",\"name\":\"f\",\"content\":\"x\"}",
			"{\"role\":\"assistant\",\"function_call\":{\"name\":\"f\",\"arguments\":"
			"\"{}\"}}",
			"{\"role\":\"function\",\"name\":\"f\",\"content\":\"y\"}"},
		{true, false, true, false, true}},
	{"orphans and calls without answers", TOOLS,
		{TOOL("none", "x"), USER("first"), CALL("c1", "f"), USER("two"), TOOL("c2", "late"),
			USER("three")},
		{false, true, false, true, false, true}},
	{"json", "\"response_format\":{\"type\":\"json_object\"},",
		{"{\"role\":\"system\",\"content\":\"JSON.\"}", USER("one"),
			"{\"role\":\"assistant\",\"content\":\"{}\"}", USER("two")},
		{false, true, false, true}},
};

/* What upstream gets for the first `count` messages, and the key of it. */
static void translate(const struct conversation *c, size_t count, struct buf *out, char key[37])
{
	struct buf request;
	struct arena arena;
	struct api_err err;
	struct turn turn;

	buf_init(&request, MIB(1));
	buf_addf(&request, "{\"model\":\"gpt-5.1\",%s\"messages\":[", c->head);
	for (size_t i = 0; i < count; i++)
		buf_addf(&request, "%s%s", i ? "," : "", c->messages[i]);
	buf_add_lit(&request, "]}");
	arena_init(&arena, LIMIT_ARENA_BYTES);
	turn_init(&turn, &dialect_chat, &arena);
	turn.id = "req";
	assert_int_equal(jv_parse(buf_sv(&request), LIMIT_JSON_DEPTH, &turn.request, NULL), 0);
	assert_int_equal(turn.dialect->parse(&turn, &err), 0);
	codex_body_derive_key(turn.upstream, key);
	{
		struct codex_body_options options = {.prompt_cache_key = sv_cstr(key)};

		assert_int_equal(codex_body_build(turn.upstream, &options, out, &err), 0);
	}
	turn_fini(&turn);
	arena_fini(&arena);
	buf_fini(&request);
}

static struct sv member(const struct buf *body, struct sv key)
{
	return jv_raw(jv_get(jv_trusted(buf_sv(body)), key));
}

static void check_turn(
	const struct conversation *c, const struct buf *before, const struct buf *now)
{
	static const struct sv same[] = {
		{"model", 5}, {"instructions", 12}, {"tools", 5}, {"prompt_cache_key", 16}};
	struct sv old = member(before, SV("input"));
	struct sv new = member(now, SV("input"));

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		if (!sv_eq(member(before, same[i]), member(now, same[i])))
			fail_msg("%s: %s changed", c->name, same[i].p);
	}
	/* All but the bracket at the end. */
	if (!sv_starts(new, sv_make(old.p, old.n - 1)))
		fail_msg(
			"%s:\n %.*s\n does not begin as\n %.*s", c->name, SV_ARG(new), SV_ARG(old));
	assert_true(new.n > old.n);
}

static void a_turn_begins_as_the_one_before(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(conversations); i++) {
		const struct conversation *c = &conversations[i];
		struct buf before, now;
		char key[37];

		buf_init(&before, MIB(1));
		buf_init(&now, MIB(1));
		for (size_t k = 0; k < MAX_MESSAGES && c->messages[k]; k++) {
			struct buf swap;

			if (!c->turn_ends[k])
				continue;
			buf_reset(&now, KIB(64));
			translate(c, k + 1, &now, key);
			if (before.len)
				check_turn(c, &before, &now);
			swap = before;
			before = now;
			now = swap;
		}
		buf_fini(&before);
		buf_fini(&now);
	}
}

static void each_conversation_has_its_key(void **state)
{
	char keys[ARRAY_LEN(conversations)][37];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(conversations); i++) {
		struct buf body;

		buf_init(&body, MIB(1));
		translate(&conversations[i], 2, &body, keys[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(keys[i], keys[k]);
		buf_fini(&body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_begins_as_the_one_before),
		cmocka_unit_test(each_conversation_has_its_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
