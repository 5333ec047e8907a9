#include "dialect/responses_request.h"

#include "base/jw.h"
#include "base/limits.h"
#include "dialect/request_model.h"
#include "dialect/shape.h"

#include <errno.h>

/* Members of a body; upstream takes none of those from FIRST_IGNORED on (PROTOCOL 3). */
enum { MODEL, INPUT, STREAM, PREVIOUS, FIRST_IGNORED = 16 };

static const struct shape_rule rules[] = {
	[MODEL] = SHAPE_RULE("model", SHAPE_STRING, "a string"),
	[INPUT] = SHAPE_RULE("input", SHAPE_STRING | SHAPE_ARRAY, "a string or an array"),
	[STREAM] = SHAPE_RULE("stream", SHAPE_BOOL, "a boolean"),
	[PREVIOUS] = SHAPE_RULE("previous_response_id", SHAPE_STRING, "a string"),
	SHAPE_RULE("stream_options", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("instructions", SHAPE_STRING, "a string"),
	SHAPE_RULE("tools", SHAPE_ARRAY, "an array"),
	SHAPE_RULE("tool_choice", SHAPE_STRING | SHAPE_OBJECT, "a string or an object"),
	SHAPE_RULE("parallel_tool_calls", SHAPE_BOOL, "a boolean"),
	SHAPE_RULE("reasoning", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("text", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("include", SHAPE_ARRAY, "an array"),
	SHAPE_RULE("store", SHAPE_BOOL, "a boolean"),
	SHAPE_RULE("prompt_cache_key", SHAPE_STRING, "a string"),
	SHAPE_RULE("service_tier", SHAPE_STRING, "a string"),
	SHAPE_RULE("prompt", SHAPE_OBJECT, "an object"),
	[FIRST_IGNORED] = SHAPE_RULE("max_output_tokens", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("max_completion_tokens", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("max_tokens", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("max_tool_calls", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("temperature", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("top_p", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("top_logprobs", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("presence_penalty", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("frequency_penalty", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("seed", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("n", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("stop", SHAPE_STRING | SHAPE_ARRAY, "a string or an array"),
	SHAPE_RULE("logprobs", 0, NULL),
	SHAPE_RULE("metadata", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("user", SHAPE_STRING, "a string"),
	SHAPE_RULE("safety_identifier", SHAPE_STRING, "a string"),
	SHAPE_RULE("prompt_cache_retention", SHAPE_STRING, "a string"),
	SHAPE_RULE("prompt_cache_options", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("context_management", 0, NULL),
	SHAPE_RULE("truncation", SHAPE_STRING, "a string"),
	SHAPE_RULE("background", SHAPE_BOOL, "a boolean"),
};

enum { RULES = ARRAY_LEN(rules) };

/* Members whose value says that the client does not want what upstream cannot do. */
static bool asks_for_nothing(struct sv key, struct jv value)
{
	return jv_is(value, JV_FALSE) ||
	       (sv_eq(key, SV("truncation")) && jv_str_eq(value, SV("disabled")));
}

static void name_ignored(struct turn *t, const struct jv *member, struct sv honoured)
{
	struct buf list;

	buf_init(&list, KIB(2));
	for (size_t i = FIRST_IGNORED; i < RULES; i++) {
		if (jv_is_nil(member[i]) || sv_eq(rules[i].key, honoured) ||
			asks_for_nothing(rules[i].key, member[i]))
			continue;
		shape_list_add(&list, rules[i].key);
	}
	if (list.len)
		t->ignored = arena_dup(t->arena, buf_sv(&list));
	buf_fini(&list);
}

static void write_reasoning(struct jv reasoning, struct sv effort, struct jw *w)
{
	struct jv_iter it = jv_iter(reasoning);

	jw_kobj(w, "reasoning");
	jw_kstr(w, "effort", effort);
	while (jv_next(&it)) {
		if (jv_key_eq(it.key, SV("effort")))
			continue;
		jw_key_lit(w, it.key);
		jw_jv(w, it.value);
	}
	jw_end(w);
}

/* The body with the model's own name, and the effort that the client's name for it asks for. */
static int write_renamed(struct turn *t, struct sv effort)
{
	struct jv_iter it = jv_iter(t->request);
	struct jw w = jw_begin(&t->built);
	struct jv reasoning = JV_NONE;

	jw_obj(&w);
	jw_kstr(&w, "model", t->model);
	while (jv_next(&it)) {
		if (jv_key_eq(it.key, SV("model")))
			continue;
		if (effort.n && jv_key_eq(it.key, SV("reasoning"))) {
			reasoning = it.value;
			continue;
		}
		jw_key_lit(&w, it.key);
		jw_jv(&w, it.value);
	}
	if (effort.n)
		write_reasoning(reasoning, effort, &w);
	jw_end(&w);
	t->upstream = jv_trusted(buf_sv(&t->built));
	return buf_error(&t->built);
}

static int read_model(struct turn *t, struct jv value, struct api_err *err)
{
	struct sv effort;

	if (request_model_read(t, value, &effort, err))
		return -EINVAL;
	if (jv_str_eq(value, t->model) || !write_renamed(t, effort))
		return 0;
	return api_err_set(err, 413, "invalid_request_error", "payload_too_large",
		"The request is too large.");
}

int responses_request_read(struct turn *t, struct sv honoured, struct api_err *err)
{
	struct jv member[RULES];

	t->upstream = t->request;
	if (shape_pick(t->request, rules, RULES, member, err) || read_model(t, member[MODEL], err))
		return -EINVAL;
	if (jv_is_nil(member[INPUT]) && jv_is_nil(member[PREVIOUS]))
		return api_err_param(err, "input", "'input' is missing.");
	t->stream = jv_is_true(member[STREAM]);
	if (!t->native)
		name_ignored(t, member, honoured);
	return 0;
}
