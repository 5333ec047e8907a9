#include "sim/sim_check.h"

#include "base/limits.h"
#include "sim/sim_accounts.h"
#include "sim/sim_models.h"

#include <stdio.h>

enum { CACHE_KEY_LENGTH = 64, PARAM_NAME_BYTES = 96 };

static const struct sv PARAMS[SIM_P_COUNT] = {
	[SIM_P_MODEL] = {"model", 5},
	[SIM_P_INSTRUCTIONS] = {"instructions", 12},
	[SIM_P_INPUT] = {"input", 5},
	[SIM_P_TOOLS] = {"tools", 5},
	[SIM_P_TOOL_CHOICE] = {"tool_choice", 11},
	[SIM_P_PARALLEL] = {"parallel_tool_calls", 19},
	[SIM_P_REASONING] = {"reasoning", 9},
	[SIM_P_STORE] = {"store", 5},
	[SIM_P_STREAM] = {"stream", 6},
	[SIM_P_INCLUDE] = {"include", 7},
	[SIM_P_CACHE_KEY] = {"prompt_cache_key", 16},
	[SIM_P_SERVICE_TIER] = {"service_tier", 12},
	[SIM_P_TEXT] = {"text", 4},
	[SIM_P_CLIENT_METADATA] = {"client_metadata", 15},
	[SIM_P_STREAM_OPTIONS] = {"stream_options", 14},
};

static const char *const INCLUDES[] = {
	"code_interpreter_call.outputs",
	"computer_call_output.output.image_url",
	"file_search_call.results",
	"message.input_image.image_url",
	"message.output_text.logprobs",
	"reasoning.encrypted_content",
	"web_search_call.action.sources",
};

static const char *const EFFORTS[] = {"none", "minimal", "low", "medium", "high", "xhigh", "max"};
static const char *const TIERS[] = {"priority", "flex"};
static const char *const SUMMARIES[] = {"auto", "concise", "detailed", "none"};
static const char *const VERBOSITIES[] = {"low", "medium", "high"};

bool sim_check_is_one_of(struct jv text, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (jv_str_eq(text, sv_cstr(names[i])))
			return true;
	}
	return false;
}

bool sim_check_head(struct sim_txn *t, bool streams, struct sim_refusal *r)
{
	struct sv type = sim_txn_header(t, SV("content-type"));
	struct sv accept = sim_txn_header(t, SV("accept"));

	if (t->stream && !sv_istarts(type, SV("application/json")))
		return sim_refuse_detail(r, 415, "Unsupported content type");
	if (t->stream && streams && sv_ifind(accept, SV("text/event-stream")) < 0)
		return sim_refuse_detail(r, 406, "Accept header must include text/event-stream");
	if (!sv_trim(sim_txn_header(t, SV("originator"))).n)
		return sim_refuse_detail(r, 400, "Missing originator header");
	return true;
}

/* How to answer, which compaction leaves no choice about. */
static bool is_for_turns(unsigned param)
{
	return param == SIM_P_STORE || param == SIM_P_STREAM || param == SIM_P_STREAM_OPTIONS ||
	       param == SIM_P_INCLUDE || param == SIM_P_TOOL_CHOICE;
}

static bool take_params(struct jv body, bool compact, struct sim_request *q, struct sim_refusal *r)
{
	struct jv_iter it = jv_iter(body);

	while (jv_next(&it)) {
		unsigned i = 0;

		while (i < SIM_P_COUNT && !jv_key_eq(it.key, PARAMS[i]))
			i++;
		if (i == SIM_P_COUNT || (compact && is_for_turns(i)))
			return sim_refuse_detail(
				r, 400, "Unsupported parameter: %.*s", SV_ARG(it.key));
		q->param[i] = it.value;
	}
	return true;
}

static bool check_model(struct sim_txn *t, struct sim_request *q, struct sim_refusal *r)
{
	struct jv model = q->param[SIM_P_MODEL];

	if (jv_is_nil(model))
		return sim_refuse_missing(r, "model");
	if (!jv_is(model, JV_STRING))
		return sim_refuse_type(r, "model", "a string", model);
	if (jv_str(model, &t->arena, &q->model) < 0 || !q->model.n)
		return sim_refuse_missing(r, "model");
	if (!sim_models_has(q->model, sv_cstr(t->account->plan)))
		return sim_refuse_detail(r, 400,
			"The '%.*s' model is not supported when using Codex with a ChatGPT "
			"account.",
			SV_ARG(q->model));
	return true;
}

static bool check_instructions(struct jv instructions, struct sim_refusal *r)
{
	if (!jv_exists(instructions) || jv_is(instructions, JV_STRING))
		return true;
	return sim_refuse_detail(r, 400, "Instructions are not valid");
}

static bool check_flags(const struct sim_request *q, bool compact, struct sim_refusal *r)
{
	struct jv parallel = q->param[SIM_P_PARALLEL];

	if (!compact && !jv_is(q->param[SIM_P_STORE], JV_FALSE))
		return sim_refuse_detail(r, 400, "Store must be set to false");
	if (!compact && !jv_is(q->param[SIM_P_STREAM], JV_TRUE))
		return sim_refuse_detail(r, 400, "Stream must be set to true");
	if (!jv_is_nil(parallel) && !jv_is_bool(parallel))
		return sim_refuse_type(r, "parallel_tool_calls", "a boolean", parallel);
	return true;
}

static bool check_include(struct jv include, struct sim_refusal *r)
{
	struct jv_iter it = jv_iter(include);
	unsigned i = 0;

	if (jv_is_nil(include))
		return true;
	if (!jv_is(include, JV_ARRAY))
		return sim_refuse_type(r, "include", "an array of strings", include);
	for (; jv_next(&it); i++) {
		char param[PARAM_NAME_BYTES];

		if (sim_check_is_one_of(it.value, INCLUDES, ARRAY_LEN(INCLUDES)))
			continue;
		snprintf(param, sizeof(param), "include[%u]", i);
		return sim_refuse_value(r, param, jv_str_raw(it.value),
			"'code_interpreter_call.outputs', 'computer_call_output.output.image_url', "
			"'file_search_call.results', 'message.input_image.image_url', "
			"'message.output_text.logprobs', 'reasoning.encrypted_content', and "
			"'web_search_call.action.sources'");
	}
	return true;
}

static bool check_reasoning(struct sim_request *q, struct sim_refusal *r)
{
	struct jv reasoning = q->param[SIM_P_REASONING];
	struct jv effort = jv_get(reasoning, SV("effort"));
	struct jv summary = jv_get(reasoning, SV("summary"));

	if (jv_is_nil(reasoning))
		return true;
	if (!jv_is(reasoning, JV_OBJECT))
		return sim_refuse_type(r, "reasoning", "an object", reasoning);
	if (!jv_is_nil(effort) && !sim_check_is_one_of(effort, EFFORTS, ARRAY_LEN(EFFORTS)))
		return sim_refuse(r, "reasoning.effort", "unsupported_value",
			"Unsupported value: '%.*s' is not supported with the '%.*s' model. "
			"Supported "
			"values are: 'none', 'low', 'medium', 'high', 'xhigh', and 'max'.",
			SV_ARG(jv_str_raw(effort)), SV_ARG(q->model));
	if (!jv_is_nil(summary) && !sim_check_is_one_of(summary, SUMMARIES, ARRAY_LEN(SUMMARIES)))
		return sim_refuse_value(r, "reasoning.summary", jv_str_raw(summary),
			"'concise', 'detailed', and 'auto'");
	q->minimal_effort = jv_str_eq(effort, SV("minimal"));
	return true;
}

static bool check_format(const struct sim_request *q, struct jv format, struct sim_refusal *r)
{
	struct jv type = jv_get(format, SV("type"));

	if (jv_is_nil(format) || jv_str_eq(type, SV("text")))
		return true;
	if (jv_str_eq(type, SV("json_object"))) {
		if (sv_ifind(jv_raw(q->param[SIM_P_INPUT]), SV("json")) >= 0)
			return true;
		return sim_refuse(r, "input", NULL,
			"Response input messages must contain the word 'json' in some form to use "
			"'text.format' of type 'json_object'.");
	}
	if (!jv_str_eq(type, SV("json_schema")))
		return sim_refuse_value(r, "text.format.type", jv_str_raw(type),
			"'json_object', 'json_schema', and 'text'");
	if (!jv_is(jv_get(format, SV("name")), JV_STRING))
		return sim_refuse_missing(r, "text.format.name");
	if (!jv_is(jv_get(format, SV("schema")), JV_OBJECT))
		return sim_refuse_missing(r, "text.format.schema");
	return true;
}

static bool check_text(const struct sim_request *q, struct sim_refusal *r)
{
	struct jv text = q->param[SIM_P_TEXT];
	struct jv verbosity = jv_get(text, SV("verbosity"));

	if (jv_is_nil(text))
		return true;
	if (!jv_is(text, JV_OBJECT))
		return sim_refuse_type(r, "text", "an object", text);
	if (!jv_is_nil(verbosity) &&
		!sim_check_is_one_of(verbosity, VERBOSITIES, ARRAY_LEN(VERBOSITIES)))
		return sim_refuse_value(
			r, "text.verbosity", jv_str_raw(verbosity), "'low', 'medium', and 'high'");
	return check_format(q, jv_get(text, SV("format")), r);
}

static bool check_tier(struct jv tier, struct sim_refusal *r)
{
	if (!jv_exists(tier) || sim_check_is_one_of(tier, TIERS, ARRAY_LEN(TIERS)))
		return true;
	return sim_refuse_detail(
		r, 400, "Unsupported service_tier: %.*s", SV_ARG(jv_str_raw(tier)));
}

static bool check_stream_options(struct jv options, struct sim_refusal *r)
{
	struct jv_iter it = jv_iter(options);

	while (jv_next(&it)) {
		if (!jv_key_eq(it.key, SV("reasoning_summary_delivery")))
			return sim_refuse_detail(r, 400,
				"Unsupported parameter: stream_options.%.*s", SV_ARG(it.key));
	}
	return true;
}

static bool check_cache_key(struct jv key, struct sim_refusal *r)
{
	struct sv raw = jv_str_raw(key);

	if (jv_is_nil(key))
		return true;
	if (!jv_is(key, JV_STRING))
		return sim_refuse_type(r, "prompt_cache_key", "a string", key);
	if (raw.n > CACHE_KEY_LENGTH)
		return sim_refuse_length(r, "prompt_cache_key", CACHE_KEY_LENGTH, raw.n);
	return true;
}

static bool check_input(struct sim_txn *t, struct sim_request *q, struct sim_refusal *r)
{
	if (!jv_is(q->param[SIM_P_INPUT], JV_ARRAY))
		return sim_refuse_detail(r, 400, "Input must be a list");
	if (jv_is(q->param[SIM_P_TOOLS], JV_ARRAY))
		q->tool_lists[q->tool_list_count++] = q->param[SIM_P_TOOLS];
	return sim_items_check(t, q, r);
}

static bool parse_body(struct sim_txn *t, struct jv *ret, struct sim_refusal *r)
{
	struct jv_error err = {0, "invalid"};

	if (jv_parse(sim_txn_body(t), LIMIT_JSON_DEPTH, ret, &err) < 0)
		return sim_refuse_detail(
			r, 400, "Invalid JSON: %s at byte %zu", err.message, err.offset);
	if (!jv_is(*ret, JV_OBJECT))
		return sim_refuse_detail(r, 400, "Invalid JSON: the body must be an object");
	return true;
}

bool sim_check_body(struct sim_txn *t, bool compact, struct sim_refusal *r)
{
	struct sim_request *q = arena_alloc(&t->arena, sizeof(*q));
	struct jv body;

	if (!q)
		return sim_refuse_detail(r, 500, "out of memory");
	memset(q, 0, sizeof(*q));
	t->request = q;
	return parse_body(t, &body, r) && take_params(body, compact, q, r) &&
	       check_model(t, q, r) && check_flags(q, compact, r) &&
	       check_instructions(q->param[SIM_P_INSTRUCTIONS], r) &&
	       check_include(q->param[SIM_P_INCLUDE], r) && check_reasoning(q, r) &&
	       check_tier(q->param[SIM_P_SERVICE_TIER], r) &&
	       check_stream_options(q->param[SIM_P_STREAM_OPTIONS], r) &&
	       check_cache_key(q->param[SIM_P_CACHE_KEY], r) && check_input(t, q, r) &&
	       check_text(q, r) && sim_tools_check(q, r);
}
