#include "dialect/event.h"

#include "base/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
	const char *name;
	enum event_type type;
	bool preamble, terminal;
} rows[] = {
	{"response.created", EVENT_CREATED, true, false},
	{"response.in_progress", EVENT_IN_PROGRESS, true, false},
	{"response.queued", EVENT_QUEUED, true, false},
	{"response.output_item.added", EVENT_ITEM_ADDED, false, false},
	{"response.output_item.done", EVENT_ITEM_DONE, false, false},
	{"response.content_part.added", EVENT_PART_ADDED, false, false},
	{"response.content_part.done", EVENT_PART_DONE, false, false},
	{"response.output_text.delta", EVENT_TEXT_DELTA, false, false},
	{"response.output_text.done", EVENT_TEXT_DONE, false, false},
	{"response.output_text.annotation.added", EVENT_ANNOTATION_ADDED, false, false},
	{"response.refusal.delta", EVENT_REFUSAL_DELTA, false, false},
	{"response.refusal.done", EVENT_REFUSAL_DONE, false, false},
	{"response.reasoning_summary_part.added", EVENT_SUMMARY_PART_ADDED, false, false},
	{"response.reasoning_summary_part.done", EVENT_SUMMARY_PART_DONE, false, false},
	{"response.reasoning_summary_text.delta", EVENT_SUMMARY_DELTA, false, false},
	{"response.reasoning_summary_text.done", EVENT_SUMMARY_DONE, false, false},
	{"response.reasoning_text.delta", EVENT_REASONING_DELTA, false, false},
	{"response.reasoning_text.done", EVENT_REASONING_DONE, false, false},
	{"response.function_call_arguments.delta", EVENT_ARGS_DELTA, false, false},
	{"response.function_call_arguments.done", EVENT_ARGS_DONE, false, false},
	{"response.custom_tool_call_input.delta", EVENT_CUSTOM_INPUT_DELTA, false, false},
	{"response.custom_tool_call_input.done", EVENT_CUSTOM_INPUT_DONE, false, false},
	{"response.completed", EVENT_COMPLETED, false, true},
	{"response.done", EVENT_COMPLETED, false, true},
	{"response.incomplete", EVENT_INCOMPLETE, false, true},
	{"response.failed", EVENT_FAILED, false, true},
	{"error", EVENT_ERROR, false, true},
	{"codex.rate_limits", EVENT_RATE_LIMITS, true, false},
	{"codex.response.metadata", EVENT_PRIVATE, true, false},
	{"codex.anything", EVENT_PRIVATE, true, false},
	{"keepalive", EVENT_PRIVATE, true, false},
	{"response.metadata", EVENT_PRIVATE, true, false},
	{"responsesapi.x", EVENT_PRIVATE, true, false},
	{"response.web_search_call.in_progress", EVENT_OTHER, false, false},
	{"", EVENT_OTHER, false, false},
};

static void test_every_type_is_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct event ev;
		struct buf json;

		buf_init(&json, KIB(1));
		buf_addf(&json, "{\"type\":\"%s\",\"x\":1}", rows[i].name);
		assert_int_equal(event_parse(buf_sv(&json), SV("raw"), &ev), 0);
		assert_int_equal(ev.type, rows[i].type);
		assert_true(sv_eq(ev.name, sv_cstr(rows[i].name)));
		assert_true(sv_eq(ev.raw, SV("raw")));
		assert_int_equal(event_is_preamble(ev.type), rows[i].preamble);
		assert_int_equal(event_is_terminal(ev.type), rows[i].terminal);
		buf_fini(&json);
	}
}

static bool is_aside(const char *name)
{
	char json[128];
	struct event ev;

	snprintf(json, sizeof(json), "{\"type\":\"%s\"}", name);
	assert_int_equal(event_parse(sv_cstr(json), SV_NONE, &ev), 0);
	return event_is_aside(&ev);
}

static void test_what_may_come_at_any_time(void **state)
{
	static const char *const asides[] = {"codex.rate_limits", "codex.response.metadata",
		"response.metadata", "responsesapi.websocket_timing", "keepalive", "something.new"};
	static const char *const others[] = {"response.created", "response.output_text.delta",
		"response.completed", "response.failed", "response.unheard_of", "error"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asides); i++)
		assert_true(is_aside(asides[i]));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(is_aside(others[i]));
}

static void test_what_is_no_event_is_refused(void **state)
{
	static const char *const texts[] = {"", "[]", "1", "{}", "{\"type\":1}", "{\"type\":null}",
		"{\"type\":\"a\"", "[DONE]", "{\"type\":\"a\"} x", "{\"type\":[\"error\"]}"};
	struct event ev;
	struct buf deep;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(event_parse(sv_cstr(texts[i]), SV_NONE, &ev), -EBADMSG);
	buf_init(&deep, KIB(64));
	buf_add_lit(&deep, "{\"type\":\"error\",\"x\":");
	for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
		buf_add_char(&deep, '[');
	for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
		buf_add_char(&deep, ']');
	buf_add_char(&deep, '}');
	assert_int_equal(event_parse(buf_sv(&deep), SV_NONE, &ev), -EBADMSG);
	buf_fini(&deep);
}

static struct usage usage_of(const char *usage)
{
	struct event ev;
	struct buf json;
	struct usage u;

	buf_init(&json, KIB(4));
	buf_addf(&json, "{\"type\":\"response.completed\",\"response\":{\"usage\":%s}}", usage);
	assert_int_equal(event_parse(buf_sv(&json), SV_NONE, &ev), 0);
	u = event_usage(&ev);
	buf_fini(&json);
	return u;
}

static void expect_usage(const char *text, bool known, const int64_t wanted[5])
{
	struct usage u = usage_of(text);

	assert_int_equal(u.known, known);
	assert_int_equal(u.input_tokens, wanted[0]);
	assert_int_equal(u.cached_tokens, wanted[1]);
	assert_int_equal(u.output_tokens, wanted[2]);
	assert_int_equal(u.reasoning_tokens, wanted[3]);
	assert_int_equal(u.total_tokens, wanted[4]);
}

static void test_usage_survives_missing_and_wrong_members(void **state)
{
	(void)state;
	expect_usage("null", false, (int64_t[]){0, 0, 0, 0, 0});
	expect_usage("[1]", false, (int64_t[]){0, 0, 0, 0, 0});
	expect_usage("{}", true, (int64_t[]){0, 0, 0, 0, 0});
	expect_usage("{\"input_tokens\":3,\"output_tokens\":4}", true, (int64_t[]){3, 0, 4, 0, 7});
	expect_usage("{\"input_tokens\":-3,\"output_tokens\":\"4\",\"total_tokens\":1e99}", true,
		(int64_t[]){0, 0, 0, 0, 0});
	expect_usage("{\"input_tokens\":3,\"input_tokens_details\":{\"cached_tokens\":2},"
		     "\"output_tokens\":4,\"output_tokens_details\":{\"reasoning_tokens\":1},"
		     "\"total_tokens\":9}",
		true, (int64_t[]){3, 2, 4, 1, 9});
}

static void test_the_sum_of_hostile_counts_does_not_overflow(void **state)
{
	(void)state;
	assert_true(usage_of("{\"input_tokens\":9223372036854775807,\"output_tokens\":"
			     "9223372036854775807}")
			    .total_tokens >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type_is_known),
		cmocka_unit_test(test_what_may_come_at_any_time),
		cmocka_unit_test(test_what_is_no_event_is_refused),
		cmocka_unit_test(test_usage_survives_missing_and_wrong_members),
		cmocka_unit_test(test_the_sum_of_hostile_counts_does_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
