#include "base/limits.h"
#include "codex/body.h"
#include "codex/items.h"

#include "captures.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD "{\"model\":\"m\",\"instructions\":\"\",\"input\":"
#define TAIL "\"include\":[\"reasoning.encrypted_content\"],\"store\":false,\"stream\":true"
/* A body that is right but for one member, and what becomes of it. */
#define IN(more) "{\"model\":\"m\",\"input\":[]" more "}"
#define OUT(tools, tail) HEAD "[]," tools TAIL tail "}"
#define OUT_UNKNOWN(first) "{" first ",\"model\":\"m\",\"instructions\":\"\",\"input\":[]," TAIL "}"
/* A body of these items. */
#define ITEMS_IN(items) "{\"model\":\"m\",\"input\":" items "}"
#define ITEMS_OUT(items) HEAD items "," TAIL "}"
/* 64 and 65 bytes */
#define ID_64 "msg_012345678901234567890123456789012345678901234567890123456789"

struct body_case {
	const char *name;
	const char *request;
	const char *expected; /* NULL: refused */
	const char *param;
	struct codex_body_options options;
};

static const struct body_case top_level_cases[] = {
	{"what must be there is added", IN(""), OUT("", ""), NULL, {0}},
	{"null is absent", IN(",\"tools\":null,\"text\":null,\"reasoning\":null,\"include\":null"),
		OUT("", ""), NULL, {0}},
	{"model is replaced", IN(""),
		"{\"model\":\"gpt \\\"5\\\"\",\"instructions\":\"\",\"input\":[]," TAIL "}", NULL,
		{.model = SV("gpt \"5\"")}},
	{"model must be there", "{\"input\":[]}", NULL, "model", {0}},
	{"model must not be empty", "{\"model\":\"\",\"input\":[]}", NULL, "model", {0}},
	{"model must be a string", "{\"model\":5,\"input\":[]}", NULL, "model", {0}},
	{"instructions keep their bytes", IN(",\"instructions\":\"a\\u00e4 \\/b\""),
		"{\"model\":\"m\",\"instructions\":\"a\\u00e4 \\/b\",\"input\":[]," TAIL "}", NULL,
		{0}},
	{"instructions null become empty", IN(",\"instructions\":null"), OUT("", ""), NULL, {0}},
	{"instructions of another type", IN(",\"instructions\":[]"), NULL, "instructions", {0}},
	{"input must be there", "{\"model\":\"m\"}", NULL, "input", {0}},
	{"input must not be null", "{\"model\":\"m\",\"input\":null}", NULL, "input", {0}},
	{"input of another type", "{\"model\":\"m\",\"input\":{}}", NULL, "input", {0}},
	{"a string is one user message", "{\"model\":\"m\",\"input\":\"h\\u0069\"}",
		HEAD
		"[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
		"\"text\":\"h\\u0069\"}]}]," TAIL "}",
		NULL, {0}},
	{"compaction takes nothing about the way of answering",
		IN(",\"tools\":[{}],\"tool_choice\":\"auto\",\"include\":[],\"store\":true,"
		   "\"stream\":true,\"stream_options\":{\"reasoning_summary_delivery\":1},"
		   "\"parallel_tool_calls\":true,\"prompt_cache_key\":\"k\""),
		HEAD "[],\"tools\":[{}],\"parallel_tool_calls\":true,\"prompt_cache_key\":\"k\"}",
		NULL, {.compact = true}},
	{"a native compaction keeps its bytes", "{ \"model\":\"m\",\"store\":1}",
		"{ \"model\":\"m\",\"store\":1}", NULL, {.compact = true, .native = true}},
	{"no object", "[]", NULL, "", {0}},
	{"tools keep bytes and order",
		IN(",\"tools\":[ {\"type\":\"x\" , \"b\":1.0,\"a\":{}} ,{} ]"),
		OUT("\"tools\":[ {\"type\":\"x\" , \"b\":1.0,\"a\":{}} ,{} ],", ""), NULL, {0}},
	{"empty tools stay", IN(",\"tools\":[]"), OUT("\"tools\":[],", ""), NULL, {0}},
	{"old web search",
		IN(",\"tools\":[ {\"a\": 1}, {\"type\":\"web_search_preview\",\"x\": [1 ]}]"),
		OUT("\"tools\":[{\"a\": 1},{\"type\":\"web_search\",\"x\":[1 ]}],", ""), NULL, {0}},
	{"dated web search", IN(",\"tools\":[{\"type\":\"web_search_preview_2025_03_11\"}]"),
		OUT("\"tools\":[{\"type\":\"web_search\"}],", ""), NULL, {0}},
	{"new web search stays", IN(",\"tools\":[{ \"type\":\"web_search\"}]"),
		OUT("\"tools\":[{ \"type\":\"web_search\"}],", ""), NULL, {0}},
	{"tool_choice as text", IN(",\"tool_choice\":\"auto\""),
		OUT("\"tool_choice\":\"auto\",", ""), NULL, {0}},
	{"tool_choice keeps bytes", IN(",\"tool_choice\":{ \"type\":\"function\",\"name\":\"f\"}"),
		OUT("\"tool_choice\":{ \"type\":\"function\",\"name\":\"f\"},", ""), NULL, {0}},
	{"tool_choice of old web search", IN(",\"tool_choice\":{\"type\":\"web_search_preview\"}"),
		OUT("\"tool_choice\":{\"type\":\"web_search\"},", ""), NULL, {0}},
	{"tool_choice among old web search",
		IN(",\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"auto\",\"tools\":[{"
		   "\"type\":"
		   "\"web_search_preview\"}]}"),
		OUT("\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"auto\",\"tools\":[{"
		    "\"type\":"
		    "\"web_search\"}]},",
			""),
		NULL, {0}},
	{"parallel_tool_calls with tools", IN(",\"parallel_tool_calls\":false,\"tools\":[{}]"),
		OUT("\"tools\":[{}],\"parallel_tool_calls\":false,", ""), NULL, {0}},
	{"parallel_tool_calls without tools", IN(",\"parallel_tool_calls\":true"), OUT("", ""),
		NULL, {0}},
	{"parallel_tool_calls with no tool", IN(",\"parallel_tool_calls\":true,\"tools\":[]"),
		OUT("\"tools\":[],", ""), NULL, {0}},
	{"reasoning keeps bytes", IN(",\"reasoning\":{ \"effort\":\"high\",\"summary\":null}"),
		OUT("\"reasoning\":{ \"effort\":\"high\",\"summary\":null},", ""), NULL, {0}},
	{"effort minimal", IN(",\"reasoning\":{\"summary\":\"auto\",\"effort\":\"minimal\"}"),
		OUT("\"reasoning\":{\"summary\":\"auto\",\"effort\":\"low\"},", ""), NULL, {0}},
	{"effort ultra", IN(",\"reasoning\":{\"effort\":\"ultra\"}"),
		OUT("\"reasoning\":{\"effort\":\"max\"},", ""), NULL, {0}},
	{"text stays", IN(",\"text\":{ \"verbosity\":\"low\"}"),
		OUT("\"text\":{ \"verbosity\":\"low\"},", ""), NULL, {0}},
	{"include is completed",
		IN(",\"include\":[\"file_search_call.results\",\"nonsense\",\"file_search_call."
		   "results\"]"),
		HEAD
		"[],\"include\":[\"file_search_call.results\",\"reasoning.encrypted_content\"],"
		"\"store\":false,\"stream\":true}",
		NULL, {0}},
	{"include keeps its order",
		IN(",\"include\":[\"reasoning.encrypted_content\",\"code_interpreter_call."
		   "outputs\","
		   "\"computer_call_output.output.image_url\",\"message.input_image.image_url\","
		   "\"message.output_text.logprobs\",\"web_search_call.action.sources\"]"),
		HEAD
		"[],\"include\":[\"reasoning.encrypted_content\",\"code_interpreter_call.outputs\","
		"\"computer_call_output.output.image_url\",\"message.input_image.image_url\","
		"\"message.output_text.logprobs\",\"web_search_call.action.sources\"],"
		"\"store\":false,\"stream\":true}",
		NULL, {0}},
	{"include of another type", IN(",\"include\":\"x\""), NULL, "include", {0}},
	{"store and stream are forced", IN(",\"store\":true,\"stream\":false"), OUT("", ""), NULL,
		{0}},
	{"an escaped key is the same key", IN(",\"st\\u006fre\":true"), OUT("", ""), NULL, {0}},
	{"the last of two equal keys wins", IN(",\"text\":1,\"text\":2"), OUT("\"text\":2,", ""),
		NULL, {0}},
	{"stream_options", IN(",\"stream_options\":{\"include_usage\":true}"), OUT("", ""), NULL,
		{0}},
	{"stream_options that is known",
		IN(",\"stream_options\":{\"a\":1,\"reasoning_summary_delivery\":\"x\"}"),
		OUT("", ",\"stream_options\":{\"reasoning_summary_delivery\":\"x\"}"), NULL, {0}},
	{"tier fast", IN(",\"service_tier\":\"fast\""), OUT("", ",\"service_tier\":\"priority\""),
		NULL, {0}},
	{"tier auto", IN(",\"service_tier\":\"auto\""), OUT("", ""), NULL, {0}},
	{"tier default", IN(",\"service_tier\":\"default\""), OUT("", ""), NULL, {0}},
	{"tier priority", IN(",\"service_tier\":\"priority\""),
		OUT("", ",\"service_tier\":\"priority\""), NULL, {0}},
	{"tier flex", IN(",\"service_tier\":\"flex\""), OUT("", ",\"service_tier\":\"flex\""), NULL,
		{0}},
	{"the client's cache key", IN(",\"prompt_cache_key\":\"k\""),
		OUT("", ",\"prompt_cache_key\":\"k\""), NULL, {.prompt_cache_key = SV("ours")}},
	{"our cache key", IN(""), OUT("", ",\"prompt_cache_key\":\"ours\""), NULL,
		{.prompt_cache_key = SV("ours")}},
	{"our cache key for an empty one", IN(",\"prompt_cache_key\":\"\""),
		OUT("", ",\"prompt_cache_key\":\"ours\""), NULL, {.prompt_cache_key = SV("ours")}},
	{"client_metadata stays", IN(",\"client_metadata\":{ }"),
		OUT("", ",\"client_metadata\":{ }"), NULL, {0}},
	{"unknown members stay", IN(",\"\\u0066uture\":[ 1]"), OUT_UNKNOWN("\"\\u0066uture\":[ 1]"),
		NULL, {0}},
};

static const struct body_case item_cases[] = {
	{"right items keep their bytes",
		ITEMS_IN("[ {\"role\" : \"user\",\"content\":\"hi\"} , {\"type\":"
			 "\"function_call\",\"id\":\"fc_1\"}]"),
		ITEMS_OUT("[ {\"role\" : \"user\",\"content\":\"hi\"} , "
			  "{\"type\":\"function_call\",\"id\":"
			  "\"fc_1\"}]"),
		NULL, {0}},
	{"unknown items keep their bytes",
		ITEMS_IN("[{\"type\":\"new_thing\",\"id\":\"x\",\"role\":"
			 "\"system\"}]"),
		ITEMS_OUT("[{\"type\":\"new_thing\",\"id\":\"x\",\"role\":\"system\"}]"), NULL,
		{0}},
	{"system becomes developer, neighbours stay",
		ITEMS_IN("[{ \"role\":\"system\",\"content\":\"a\"},{ \"role\":\"user\"}]"),
		ITEMS_OUT("[{\"role\":\"developer\",\"content\":\"a\"},{ \"role\":\"user\"}]"),
		NULL, {0}},
	{"assistant parts",
		ITEMS_IN("[{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":"
			 "\"input_text\","
			 "\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"refusal\"}"
			 ",{ "
			 "\"type\":\"output_text\"}]}]"),
		ITEMS_OUT("[{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":"
			  "\"output_text\",\"text\":\"a\"},{\"type\":\"output_text\",\"text\":"
			  "\"b\"},{"
			  "\"type\":\"refusal\"},{ \"type\":\"output_text\"}]}]"),
		NULL, {0}},
	{"user parts",
		ITEMS_IN("[{\"role\":\"user\",\"content\":[{\"text\":\"b\",\"type\":\"text\"},{"
			 "\"type\":"
			 "\"input_image\"}]}]"),
		ITEMS_OUT("[{\"role\":\"user\",\"content\":[{\"text\":\"b\",\"type\":\"input_"
			  "text\"},{"
			  "\"type\":\"input_image\"}]}]"),
		NULL, {0}},
	{"reasoning without a blob is dropped",
		ITEMS_IN("[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]},{\"type\":"
			 "\"reasoning\","
			 "\"encrypted_content\":\"\"},{\"type\":\"reasoning\",\"encrypted_"
			 "content\":null}]"),
		ITEMS_OUT("[]"), NULL, {0}},
	{"reasoning with a blob stays",
		ITEMS_IN("[{\"type\":\"reasoning\",\"content\":null,\"encrypted_content\":\"gAAA\"}"
			 "]"),
		ITEMS_OUT("[{\"type\":\"reasoning\",\"content\":null,\"encrypted_content\":"
			  "\"gAAA\"}]"),
		NULL, {0}},
	{"blobs are dropped on demand, compaction is not",
		ITEMS_IN("[{\"type\":\"reasoning\",\"encrypted_content\":\"gAAA\"},{\"type\":"
			 "\"compaction\","
			 "\"encrypted_content\":\"gAAB\"}]"),
		ITEMS_OUT("[{\"type\":\"compaction\",\"encrypted_content\":\"gAAB\"}]"), NULL,
		{.drop_reasoning = true}},
	{"a reference",
		ITEMS_IN("[{\"role\":\"user\"},{\"type\":\"item_reference\",\"id\":\"msg_1\"}]"),
		NULL, "input[1]", {0}},
	{"a reference without a type", ITEMS_IN("[{\"id\":\"msg_1\"}]"), NULL, "input[0]", {0}},
	{"no object", ITEMS_IN("[{\"role\":\"user\"},{\"role\":\"user\"},\"text\"]"), NULL,
		"input[2]", {0}},
	{"message ids",
		ITEMS_IN("[{\"type\":\"message\",\"id\":\"x\"},{\"id\":\"msg_1\",\"role\":\"user\"}"
			 ",{"
			 "\"id\":\"x\",\"role\":\"user\"}]"),
		ITEMS_OUT("[{\"type\":\"message\"},{\"id\":\"msg_1\",\"role\":\"user\"},{\"role\":"
			  "\"user\"}]"),
		NULL, {0}},
	{"longest id", ITEMS_IN("[{\"id\":\"" ID_64 "\",\"role\":\"user\"}]"),
		ITEMS_OUT("[{\"id\":\"" ID_64 "\",\"role\":\"user\"}]"), NULL, {0}},
	{"too long an id", ITEMS_IN("[{\"id\":\"" ID_64 "0\",\"role\":\"user\"}]"),
		ITEMS_OUT("[{\"role\":\"user\"}]"), NULL, {0}},
	{"too long an id of an unknown item",
		ITEMS_IN("[{\"id\":\"" ID_64 "0\",\"type\":\"new\"}]"),
		ITEMS_OUT("[{\"type\":\"new\"}]"), NULL, {0}},
	{"outputs without calls stay",
		ITEMS_IN("[{\"type\":\"function_call_output\",\"call_id\":\"c\"}]"),
		ITEMS_OUT("[{\"type\":\"function_call_output\",\"call_id\":\"c\"}]"), NULL, {0}},
};

#define NATIVE_BODY(model, input)                                                    \
	"{ \"stream\":true, \"store\":false,\"input\" : " input " ,\"model\":" model \
	",\"temperature\":1 }"

static const struct body_case native_cases[] = {
	{"byte for byte", NATIVE_BODY("\"m\"", "[ {\"role\":\"system\"} ]"),
		NATIVE_BODY("\"m\"", "[ {\"role\":\"system\"} ]"), NULL,
		{.native = true, .prompt_cache_key = SV("ours")}},
	{"model is spliced in", NATIVE_BODY("\"m\"", "[ ]"), NATIVE_BODY("\"n\"", "[ ]"), NULL,
		{.native = true, .model = SV("n")}},
	{"model before input", "{ \"model\":\"m\" , \"input\":[] }",
		"{ \"model\":\"n\" , \"input\":[] }", NULL,
		{.native = true, .model = SV("n"), .drop_reasoning = true}},
	{"blobs are dropped",
		NATIVE_BODY("\"m\"",
			"[ { \"a\":1}, {\"type\":\"reasoning\",\"encrypted_content\":\"g\"}]"),
		NATIVE_BODY("\"n\"", "[{ \"a\":1}]"), NULL,
		{.native = true, .model = SV("n"), .drop_reasoning = true}},
	{"nothing to drop keeps the bytes", NATIVE_BODY("\"m\"", "[ {\"id\": \"x\"} , 1]"),
		NATIVE_BODY("\"m\"", "[ {\"id\": \"x\"} , 1]"), NULL,
		{.native = true, .drop_reasoning = true}},
	{"no input, no model", "{ }", "{ }", NULL,
		{.native = true, .model = SV("n"), .drop_reasoning = true}},
};

static struct jv parse(struct sv text)
{
	struct jv v;

	assert_int_equal(jv_parse(text, LIMIT_JSON_DEPTH, &v, NULL), 0);
	return v;
}

static void check_case(const struct body_case *c)
{
	struct api_err err = {0};
	struct buf out;
	int r;

	buf_init(&out, MIB(1));
	r = codex_body_build(parse(sv_cstr(c->request)), &c->options, &out, &err);
	if (c->expected) {
		if (r != 0 || strcmp(buf_cstr(&out), c->expected) != 0)
			fail_msg("%s:\n is  %s\n not %s", c->name, buf_cstr(&out), c->expected);
	} else {
		if (r != -EINVAL || err.status != 400 || strcmp(err.param, c->param) != 0)
			fail_msg("%s: %d, status %d, param %s", c->name, r, err.status, err.param);
		assert_true(err.message[0]);
	}
	buf_fini(&out);
}

static void test_top_level(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(top_level_cases); i++)
		check_case(&top_level_cases[i]);
}

static void test_items(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(item_cases); i++)
		check_case(&item_cases[i]);
}

static void test_native(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(native_cases); i++)
		check_case(&native_cases[i]);
}

static bool has_case(struct sv name)
{
	char quoted[64];

	snprintf(quoted, sizeof(quoted), "\"%.*s\"", SV_ARG(name));
	for (size_t i = 0; i < ARRAY_LEN(top_level_cases); i++) {
		if (strstr(top_level_cases[i].request, quoted))
			return true;
	}
	return false;
}

/* Every row: dropped members are gone, kept and written ones have a case above. */
static void test_every_rule(void **state)
{
	const struct codex_body_rule *rule;
	size_t row = 0;
	char request[256];

	(void)state;
	while ((rule = codex_body_rule(row++))) {
		snprintf(request, sizeof(request), IN(",\"%.*s\":{\"any\":[1]}"),
			SV_ARG(rule->name));
		struct body_case dropped = {"dropped", request, OUT("", ""), NULL, {0}};

		if (rule->action == CODEX_BODY_DROP)
			check_case(&dropped);
		else if (!has_case(rule->name))
			fail_msg("no case for %s", rule->name.p);
	}
	assert_int_equal(row - 1, 38);
}

#define ID_ITEM "[{\"type\":\"%.*s\",\"encrypted_content\":\"g\"%s%.*s%s}]"
#define PART_ITEM "[{\"role\":\"%s\",\"content\":[{\"type\":\"%.*s\",\"text\":\"t\"}]}]"

/* Every type with a prefix: the right one stays, another is removed, and so is too long an id. */
static void test_every_id_rule(void **state)
{
	size_t count;
	const struct items_id_rule *rules = items_id_rules(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		char request[512], right[512], wrong[512];
		struct sv type = rules[i].type, prefix = rules[i].prefix;
		char items[160];

		snprintf(items, sizeof(items), ID_ITEM, SV_ARG(type), ",\"id\":\"", SV_ARG(prefix),
			"1\"");
		snprintf(request, sizeof(request), ITEMS_IN("%s"), items);
		snprintf(right, sizeof(right), ITEMS_OUT("%s"), items);
		check_case(&(struct body_case){"right", request, right, NULL, {0}});
		snprintf(items, sizeof(items), ID_ITEM, SV_ARG(type), ",\"id\":\"", 2, "zz", "1\"");
		snprintf(request, sizeof(request), ITEMS_IN("%s"), items);
		snprintf(items, sizeof(items), ID_ITEM, SV_ARG(type), "", 0, "", "");
		snprintf(wrong, sizeof(wrong), ITEMS_OUT("%s"), items);
		check_case(&(struct body_case){"wrong", request, wrong, NULL, {0}});
	}
	assert_int_equal(count, 6);
}

static void test_every_part_rule(void **state)
{
	size_t count;
	const struct items_part_rule *rules = items_part_rules(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		char request[512], expected[512], items[160];
		const char *role = rules[i].assistant ? "assistant" : "developer";

		snprintf(items, sizeof(items), PART_ITEM, role, SV_ARG(rules[i].from));
		snprintf(request, sizeof(request), ITEMS_IN("%s"), items);
		snprintf(items, sizeof(items), PART_ITEM, role, SV_ARG(rules[i].to));
		snprintf(expected, sizeof(expected), ITEMS_OUT("%s"), items);
		check_case(&(struct body_case){"part", request, expected, NULL, {0}});
	}
	assert_int_equal(count, 3);
}

static void test_too_big(void **state)
{
	struct codex_body_options options = {0};
	struct api_err err;
	struct buf out;

	(void)state;
	for (int native = 0; native < 2; native++) {
		options.native = native;
		buf_init(&out, 16);
		assert_int_equal(
			codex_body_build(parse(SV(IN(""))), &options, &out, &err), -ENOBUFS);
		buf_fini(&out);
	}
}

struct key_case {
	const char *request;
	int group; /* equal keys */
};

static const struct key_case key_cases[] = {
	{"{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":\"a\"}]}", 0},
	{"{\"stream\":true,\"input\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":"
	 "\"assistant\"},{\"role\":"
	 "\"user\",\"content\":\"b\"}],\"model\":\"m\"}",
		0},
	{"{\"model\":\"m\",\"input\":[{\"role\":\"developer\"},{\"role\":\"user\",\"content\":"
	 "\"a\"}]}",
		0},
	{"{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":\"b\"}]}", 1},
	{"{\"model\":\"n\",\"input\":[{\"role\":\"user\",\"content\":\"a\"}]}", 2},
	{"{\"model\":\"m\",\"instructions\":\"i\",\"input\":[{\"role\":\"user\",\"content\":\"a\"}]"
	 "}",
		3},
	{"{\"model\":\"m\",\"tools\":[],\"input\":[{\"role\":\"user\",\"content\":\"a\"}]}", 4},
	{"{\"model\":\"m\",\"input\":\"a\"}", 5},
	{"{\"model\":\"m\",\"input\":[{\"role\":\"assistant\"}]}", 6},
	{"{}", 7},
};

static void test_derive_key(void **state)
{
	char keys[ARRAY_LEN(key_cases)][37];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(key_cases); i++) {
		codex_body_derive_key(parse(sv_cstr(key_cases[i].request)), keys[i]);
		assert_int_equal(strlen(keys[i]), 36);
		for (size_t j = 0; j < i; j++) {
			bool equal = strcmp(keys[i], keys[j]) == 0;

			assert_int_equal(equal, key_cases[i].group == key_cases[j].group);
		}
	}
}

/* Every byte of a long part counts, up to where it is cut. */
static void test_derive_key_of_long_parts(void **state)
{
	enum { COUNTED = 64 * 1024, LENGTH = COUNTED + 100 };
	static const char head[] = "{\"model\":\"m\",\"instructions\":";
	char first[37], other[37];
	struct buf request;
	char *text;

	(void)state;
	buf_init(&request, MIB(1));
	buf_add_cstr(&request, head);
	buf_add_char(&request, '"');
	while (request.len < sizeof(head) + LENGTH)
		buf_add_char(&request, 'a');
	buf_add_lit(&request, "\"}");
	text = request.data + sizeof(head) - 1; /* with its quote */
	codex_body_derive_key(parse(buf_sv(&request)), first);
	for (size_t at = 1; at < LENGTH; at += at < 3000 ? 1 : 31) {
		text[at] = 'b';
		codex_body_derive_key(jv_trusted(buf_sv(&request)), other);
		assert_int_equal(strcmp(first, other) == 0, at >= COUNTED);
		text[at] = 'a';
	}
	buf_fini(&request);
}

/* Bodies of the real CLI: nothing changes natively; as a stranger's, tools and input still do not.
 */
static void check_capture(const char *name)
{
	struct capture capture;
	struct jv body;
	size_t bodies = 0;

	capture_open(&capture, name);
	while (capture_next_turn(&capture, NULL, &body)) {
		struct codex_body_options options = {.native = true, .prompt_cache_key = SV("k")};
		struct api_err err;
		struct buf out;
		struct jv built;

		buf_init(&out, MIB(4));
		assert_int_equal(codex_body_build(body, &options, &out, &err), 0);
		assert_true(sv_eq(buf_sv(&out), jv_raw(body)));
		buf_reset(&out, 0);
		options.native = false;
		assert_int_equal(codex_body_build(body, &options, &out, &err), 0);
		built = parse(buf_sv(&out));
		assert_true(sv_eq(
			jv_raw(jv_get(built, SV("tools"))), jv_raw(jv_get(body, SV("tools")))));
		assert_true(sv_eq(
			jv_raw(jv_get(built, SV("input"))), jv_raw(jv_get(body, SV("input")))));
		buf_fini(&out);
		bodies++;
	}
	assert_true(bodies > 0);
	capture_close(&capture);
}

static void test_captures(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(capture_names); i++)
		check_capture(capture_names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_top_level),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_native),
		cmocka_unit_test(test_every_rule),
		cmocka_unit_test(test_every_id_rule),
		cmocka_unit_test(test_every_part_rule),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_derive_key),
		cmocka_unit_test(test_derive_key_of_long_parts),
		cmocka_unit_test(test_captures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
