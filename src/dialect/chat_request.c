#include "base/jw.h"
#include "base/limits.h"
#include "dialect/chat.h"
#include "dialect/chat_messages.h"
#include "dialect/chat_tools.h"
#include "dialect/request_model.h"
#include "dialect/responses_request.h"
#include "dialect/shape.h"

#include <errno.h>

/* Members of a body; those from FIRST_IGNORED on have no counterpart upstream. */
enum {
	MODEL,
	MESSAGES,
	INPUT,
	STREAM,
	STREAM_OPTIONS,
	TOOLS,
	TOOL_CHOICE,
	FUNCTIONS,
	FUNCTION_CALL,
	PARALLEL_TOOL_CALLS,
	RESPONSE_FORMAT,
	VERBOSITY,
	REASONING_EFFORT,
	REASONING,
	SERVICE_TIER,
	PROMPT_CACHE_KEY,
	STOP,
	N,
	WEB_SEARCH_OPTIONS,
	FIRST_IGNORED,
};

static const struct shape_rule rules[] = {
	[MODEL] = SHAPE_RULE("model", SHAPE_STRING, "a string"),
	[MESSAGES] = SHAPE_RULE("messages", SHAPE_ARRAY, "an array"),
	[INPUT] = SHAPE_RULE("input", SHAPE_STRING | SHAPE_ARRAY, "a string or an array"),
	[STREAM] = SHAPE_RULE("stream", SHAPE_BOOL, "a boolean"),
	[STREAM_OPTIONS] = SHAPE_RULE("stream_options", SHAPE_OBJECT, "an object"),
	[TOOLS] = SHAPE_RULE("tools", SHAPE_ARRAY, "an array"),
	[TOOL_CHOICE] =
		SHAPE_RULE("tool_choice", SHAPE_STRING | SHAPE_OBJECT, "a string or an object"),
	[FUNCTIONS] = SHAPE_RULE("functions", SHAPE_ARRAY, "an array"),
	[FUNCTION_CALL] =
		SHAPE_RULE("function_call", SHAPE_STRING | SHAPE_OBJECT, "a string or an object"),
	[PARALLEL_TOOL_CALLS] = SHAPE_RULE("parallel_tool_calls", SHAPE_BOOL, "a boolean"),
	[RESPONSE_FORMAT] = SHAPE_RULE("response_format", SHAPE_OBJECT, "an object"),
	[VERBOSITY] = SHAPE_RULE("verbosity", SHAPE_STRING, "a string"),
	[REASONING_EFFORT] = SHAPE_RULE("reasoning_effort", SHAPE_STRING, "a string"),
	[REASONING] = SHAPE_RULE("reasoning", SHAPE_OBJECT, "an object"),
	[SERVICE_TIER] = SHAPE_RULE("service_tier", SHAPE_STRING, "a string"),
	[PROMPT_CACHE_KEY] = SHAPE_RULE("prompt_cache_key", SHAPE_STRING, "a string"),
	[STOP] = SHAPE_RULE("stop", SHAPE_STRING | SHAPE_ARRAY, "a string or an array"),
	[N] = SHAPE_RULE("n", SHAPE_NUMBER, "a whole number"),
	[WEB_SEARCH_OPTIONS] = SHAPE_RULE("web_search_options", SHAPE_OBJECT, "an object"),
	[FIRST_IGNORED] = SHAPE_RULE("max_tokens", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("max_completion_tokens", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("temperature", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("top_p", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("presence_penalty", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("frequency_penalty", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("logit_bias", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("logprobs", SHAPE_BOOL, "a boolean"),
	SHAPE_RULE("top_logprobs", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("seed", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("user", SHAPE_STRING, "a string"),
	SHAPE_RULE("metadata", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("store", SHAPE_BOOL, "a boolean"),
	SHAPE_RULE("modalities", SHAPE_ARRAY, "an array"),
	SHAPE_RULE("prediction", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("audio", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("safety_identifier", SHAPE_STRING, "a string"),
	SHAPE_RULE("prompt_cache_retention", SHAPE_STRING, "a string"),
	SHAPE_RULE("prompt_cache_options", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("moderation", SHAPE_OBJECT, "an object"),
};

enum { RULES = ARRAY_LEN(rules) };

/* A body that is being translated. */
struct request {
	struct turn *turn;
	struct chat *chat;
	struct api_err *err;
	struct jv member[RULES];
	struct sv effort; /* that the model's name asks for; or empty */
	struct jw w;
};

/* --- members that upstream never sees --- */

static int read_options(struct request *r)
{
	struct jv include = jv_get(r->member[STREAM_OPTIONS], SV("include_usage"));
	int64_t n = 1;

	if (!jv_is_nil(include) && !jv_is_bool(include))
		return api_err_param(r->err, "stream_options.include_usage",
			"'stream_options.include_usage' must be a boolean.");
	r->turn->stream = jv_is_true(r->member[STREAM]);
	r->chat->include_usage = jv_is_true(include);
	if (!jv_is_nil(r->member[N]) && jv_i64(r->member[N], &n))
		return api_err_param(r->err, "n", "'n' must be a whole number.");
	if (n != 1)
		return api_err_param(r->err, "n", "'n' must be 1: one choice per request.");
	return chat_stops_read(r->turn, r->member[STOP], r->err);
}

/* Names of what has no effect, for a header; a reply that was dropped is one too. */
static void name_ignored(struct request *r, const struct chat_messages *messages)
{
	struct buf list;

	buf_init(&list, KIB(4));
	shape_list_given(&list, rules, FIRST_IGNORED, RULES, r->member);
	shape_list_unknown(&list, r->turn->request, rules, RULES);
	for (size_t i = 0; i < messages->dropped && i < CHAT_DROPPED_NAMED; i++) {
		shape_list_add(&list, SV("messages["));
		buf_add_u64(&list, messages->dropped_at[i]);
		buf_add_char(&list, ']');
	}
	if (list.len)
		r->turn->ignored = arena_dup(r->turn->arena, buf_sv(&list));
	buf_fini(&list);
}

/* --- members that are written --- */

static int write_json_schema(struct request *r, struct jv schema)
{
	static const struct sv keys[] = {
		{"name", 4}, {"description", 11}, {"schema", 6}, {"strict", 6}};
	struct jv member[ARRAY_LEN(keys)];

	if (!jv_is(schema, JV_OBJECT))
		return api_err_param(r->err, "response_format.json_schema",
			"'response_format.json_schema' must be an object.");
	jv_pick(schema, keys, ARRAY_LEN(keys), member);
	if (!jv_is(member[0], JV_STRING))
		return api_err_param(r->err, "response_format.json_schema.name",
			"'response_format.json_schema.name' must be a string.");
	jw_kobj(&r->w, "format");
	jw_klit(&r->w, "type", "json_schema");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (jv_is_nil(member[i]))
			continue;
		jw_key_lit(&r->w, keys[i]);
		jw_jv(&r->w, member[i]);
	}
	jw_end(&r->w);
	return 0;
}

static int write_format(struct request *r)
{
	struct jv format = r->member[RESPONSE_FORMAT];
	struct jv type = jv_get(format, SV("type"));

	if (jv_is_nil(format) || jv_str_eq(type, SV("text")))
		return 0;
	if (jv_str_eq(type, SV("json_object"))) {
		jw_kraw(&r->w, "format", SV("{\"type\":\"json_object\"}"));
		return 0;
	}
	if (jv_str_eq(type, SV("json_schema")))
		return write_json_schema(r, jv_get(format, SV("json_schema")));
	return api_err_param(r->err, "response_format.type",
		"'response_format.type' must be text, json_object or json_schema.");
}

static int write_text(struct request *r)
{
	struct jv type = jv_get(r->member[RESPONSE_FORMAT], SV("type"));
	bool has_format = !jv_is_nil(r->member[RESPONSE_FORMAT]) && !jv_str_eq(type, SV("text"));

	if (!has_format && jv_is_nil(r->member[VERBOSITY]))
		return 0;
	jw_kobj(&r->w, "text");
	if (write_format(r))
		return -EINVAL;
	if (!jv_is_nil(r->member[VERBOSITY]))
		jw_kraw(&r->w, "verbosity", jv_raw(r->member[VERBOSITY]));
	jw_end(&r->w);
	return 0;
}

static int write_reasoning(struct request *r)
{
	struct jv effort = r->member[REASONING_EFFORT];
	struct jv summary = jv_get(r->member[REASONING], SV("summary"));

	if (jv_is_nil(effort))
		effort = jv_get(r->member[REASONING], SV("effort"));
	if (jv_is_nil(effort) && jv_is_nil(summary) && !r->effort.n)
		return 0;
	if (!jv_is_nil(effort) && !jv_is(effort, JV_STRING))
		return api_err_param(
			r->err, "reasoning.effort", "'reasoning.effort' must be a string.");
	if (!jv_is_nil(summary) && !jv_is(summary, JV_STRING))
		return api_err_param(
			r->err, "reasoning.summary", "'reasoning.summary' must be a string.");
	jw_kobj(&r->w, "reasoning");
	if (r->effort.n) /* whoever writes it into the name means it */
		jw_kstr(&r->w, "effort", r->effort);
	else if (!jv_is_nil(effort))
		jw_kraw(&r->w, "effort", jv_raw(effort));
	jw_kraw(&r->w, "summary", jv_is_nil(summary) ? SV("\"auto\"") : jv_raw(summary));
	jw_end(&r->w);
	return 0;
}

static int write_messages(struct request *r, struct chat_messages *m)
{
	struct jv type = jv_get(r->member[RESPONSE_FORMAT], SV("type"));

	m->list = r->member[MESSAGES];
	m->keep_system = jv_str_eq(type, SV("json_object"));
	m->err = r->err;
	m->w = &r->w;
	if (jv_count(m->list) == 0)
		return api_err_param(r->err, "messages", "'messages' must not be empty.");
	if (chat_messages_begin(m, r->turn->arena) || chat_messages_instructions(m))
		return -EINVAL;
	jw_key_lit(&r->w, SV("input"));
	return chat_messages_input(m);
}

static int write_tools(struct request *r)
{
	struct chat_tools tools = {
		.tools = r->member[TOOLS],
		.functions = r->member[FUNCTIONS],
		.tool_choice = r->member[TOOL_CHOICE],
		.function_call = r->member[FUNCTION_CALL],
		.web_search = r->member[WEB_SEARCH_OPTIONS],
		.names = &r->chat->names,
		.arena = r->turn->arena,
		.err = r->err,
	};

	r->chat->legacy = jv_is_nil(r->member[TOOLS]) && !jv_is_nil(r->member[FUNCTIONS]);
	if (chat_tools_write(&tools, &r->w))
		return -EINVAL;
	if (r->chat->legacy) /* a message has room for one function_call */
		jw_kbool(&r->w, "parallel_tool_calls", false);
	else if (!jv_is_nil(r->member[PARALLEL_TOOL_CALLS]))
		jw_kraw(&r->w, "parallel_tool_calls", jv_raw(r->member[PARALLEL_TOOL_CALLS]));
	return 0;
}

static int write_body(struct request *r)
{
	static const size_t passed[] = {SERVICE_TIER, PROMPT_CACHE_KEY};
	struct chat_messages messages = {.next_call = 0};
	struct turn *t = r->turn;

	r->w = jw_begin(&t->built);
	jw_obj(&r->w);
	jw_kstr(&r->w, "model", t->model);
	if (write_messages(r, &messages) || write_tools(r) || write_reasoning(r) || write_text(r))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
		if (jv_is_nil(r->member[passed[i]]))
			continue;
		jw_key_lit(&r->w, rules[passed[i]].key);
		jw_jv(&r->w, r->member[passed[i]]);
	}
	jw_kbool(&r->w, "store", false);
	jw_kbool(&r->w, "stream", true);
	jw_kraw(&r->w, "include", SV("[\"reasoning.encrypted_content\"]"));
	jw_end(&r->w);
	if (buf_error(&t->built))
		return api_err_set(r->err, 413, "invalid_request_error", "payload_too_large",
			"The request is too large.");
	t->upstream = jv_trusted(buf_sv(&t->built));
	name_ignored(r, &messages);
	return 0;
}

int chat_request_parse(struct turn *t, struct api_err *err)
{
	struct request r = {.turn = t, .chat = arena_alloc(t->arena, sizeof(*r.chat)), .err = err};

	if (!r.chat)
		return api_err_set(err, 500, "server_error", "", "Out of memory.");
	*r.chat = (struct chat){.form = &chat_form_chat};
	t->state = r.chat;
	if (!jv_is(t->request, JV_OBJECT))
		return api_err_param(err, "", "The body must be a JSON object.");
	if (shape_pick(t->request, rules, RULES, r.member, err) ||
		request_model_read(t, r.member[MODEL], &r.effort, err) || read_options(&r))
		return -EINVAL;
	if (jv_is_nil(r.member[MESSAGES]) && jv_is_nil(r.member[INPUT]))
		return api_err_param(err, "messages", "'messages' is missing.");
	if (!jv_is_nil(r.member[MESSAGES]))
		return write_body(&r);
	return responses_request_read(t, SV("stop"), err);
}
