#include "dialect/event.h"

#include "base/limits.h"

#include <errno.h>

struct known_type {
	struct sv name;
	enum event_type type;
};

#define ROW(text, event)                        \
	{                                       \
		{text, sizeof(text) - 1}, event \
	}

/* The frequent ones first: a stream is mostly deltas. */
static const struct known_type known_types[] = {
	ROW("response.output_text.delta", EVENT_TEXT_DELTA),
	ROW("response.function_call_arguments.delta", EVENT_ARGS_DELTA),
	ROW("response.reasoning_summary_text.delta", EVENT_SUMMARY_DELTA),
	ROW("response.reasoning_text.delta", EVENT_REASONING_DELTA),
	ROW("response.custom_tool_call_input.delta", EVENT_CUSTOM_INPUT_DELTA),
	ROW("response.output_item.added", EVENT_ITEM_ADDED),
	ROW("response.output_item.done", EVENT_ITEM_DONE),
	ROW("response.content_part.added", EVENT_PART_ADDED),
	ROW("response.content_part.done", EVENT_PART_DONE),
	ROW("response.output_text.done", EVENT_TEXT_DONE),
	ROW("response.output_text.annotation.added", EVENT_ANNOTATION_ADDED),
	ROW("response.refusal.delta", EVENT_REFUSAL_DELTA),
	ROW("response.refusal.done", EVENT_REFUSAL_DONE),
	ROW("response.reasoning_summary_part.added", EVENT_SUMMARY_PART_ADDED),
	ROW("response.reasoning_summary_part.done", EVENT_SUMMARY_PART_DONE),
	ROW("response.reasoning_summary_text.done", EVENT_SUMMARY_DONE),
	ROW("response.reasoning_text.done", EVENT_REASONING_DONE),
	ROW("response.function_call_arguments.done", EVENT_ARGS_DONE),
	ROW("response.custom_tool_call_input.done", EVENT_CUSTOM_INPUT_DONE),
	ROW("response.created", EVENT_CREATED),
	ROW("response.in_progress", EVENT_IN_PROGRESS),
	ROW("response.queued", EVENT_QUEUED),
	ROW("response.completed", EVENT_COMPLETED),
	ROW("response.done", EVENT_COMPLETED),
	ROW("response.incomplete", EVENT_INCOMPLETE),
	ROW("response.failed", EVENT_FAILED),
	ROW("error", EVENT_ERROR),
	ROW("codex.rate_limits", EVENT_RATE_LIMITS),
	ROW("keepalive", EVENT_PRIVATE),
	ROW("response.metadata", EVENT_PRIVATE),
};

static enum event_type type_of(struct sv name)
{
	for (size_t i = 0; i < ARRAY_LEN(known_types); i++) {
		if (sv_eq(known_types[i].name, name))
			return known_types[i].type;
	}
	if (sv_starts(name, SV("codex.")) || sv_starts(name, SV("responsesapi.")))
		return EVENT_PRIVATE;
	return EVENT_OTHER;
}

int event_parse(struct sv data, struct sv raw, struct event *ret)
{
	struct jv json, type;

	if (jv_parse_outlined(data, LIMIT_JSON_DEPTH, &json, &ret->outline) ||
		!jv_is(json, JV_OBJECT))
		return -EBADMSG;
	type = jv_outline_get(&ret->outline, json, SV("type"));
	if (!jv_is(type, JV_STRING))
		return -EBADMSG;
	ret->json = json;
	ret->name = jv_str_raw(type);
	ret->raw = raw;
	ret->type = type_of(ret->name);
	return 0;
}

bool event_is_terminal(enum event_type type)
{
	return type == EVENT_COMPLETED || type == EVENT_INCOMPLETE || type == EVENT_FAILED ||
	       type == EVENT_ERROR;
}

bool event_is_aside(const struct event *ev)
{
	return ev->type == EVENT_RATE_LIMITS || ev->type == EVENT_PRIVATE ||
	       (ev->type == EVENT_OTHER && !sv_starts(ev->name, SV("response.")));
}

bool event_is_preamble(enum event_type type)
{
	return type == EVENT_CREATED || type == EVENT_IN_PROGRESS || type == EVENT_QUEUED ||
	       type == EVENT_RATE_LIMITS || type == EVENT_PRIVATE;
}

/* More tokens than any answer has: sums of counts stay whole numbers that JSON clients can read. */
#define MOST_TOKENS (INT64_C(1) << 50)

int64_t event_token_count(struct jv number)
{
	int64_t value;

	if (jv_i64(number, &value) || value < 0 || value > MOST_TOKENS)
		return 0;
	return value;
}

void event_usage_pick(struct jv usage, struct jv ret[USAGE_MEMBERS])
{
	static const struct sv keys[USAGE_MEMBERS] = {
		[USAGE_INPUT] = {"input_tokens", 12},
		[USAGE_INPUT_DETAILS] = {"input_tokens_details", 20},
		[USAGE_OUTPUT] = {"output_tokens", 13},
		[USAGE_OUTPUT_DETAILS] = {"output_tokens_details", 21},
		[USAGE_TOTAL] = {"total_tokens", 12},
	};

	jv_pick(usage, keys, USAGE_MEMBERS, ret);
}

struct usage event_usage_read(struct jv usage)
{
	struct jv member[USAGE_MEMBERS];
	struct usage u = {.known = jv_is(usage, JV_OBJECT)};

	if (!u.known)
		return u;
	event_usage_pick(usage, member);
	u.input_tokens = event_token_count(member[USAGE_INPUT]);
	u.cached_tokens =
		event_token_count(jv_get(member[USAGE_INPUT_DETAILS], SV("cached_tokens")));
	u.output_tokens = event_token_count(member[USAGE_OUTPUT]);
	u.reasoning_tokens =
		event_token_count(jv_get(member[USAGE_OUTPUT_DETAILS], SV("reasoning_tokens")));
	u.total_tokens = jv_exists(member[USAGE_TOTAL]) ? event_token_count(member[USAGE_TOTAL])
							: u.input_tokens + u.output_tokens;
	return u;
}

struct usage event_usage(const struct event *ev)
{
	return event_usage_read(jv_get(event_get(ev, SV("response")), SV("usage")));
}
