#include "dialect/chat_writer.h"
#include "dialect/shape.h"

#include <errno.h>

enum member {
	MESSAGES,
	INPUT,
	MODEL,
	STREAM,
	STREAM_OPTIONS,
	TOOLS,
	FUNCTIONS,
	TOOL_CHOICE,
	FUNCTION_CALL,
	PARALLEL_TOOL_CALLS,
	RESPONSE_FORMAT,
	VERBOSITY,
	REASONING_EFFORT,
	REASONING,
	SERVICE_TIER,
	PROMPT_CACHE_KEY,
	N,
	FIRST_IGNORED,
};

/* The rows from FIRST_IGNORED on are checked, named in X-Relay-Ignored-Params, and not sent. */
static const struct shape_rule rules[] = {
	[MESSAGES] = SHAPE_RULE("messages", SHAPE_ARRAY, "an array"),
	[INPUT] = SHAPE_RULE("input", SHAPE_STRING | SHAPE_ARRAY, "a string or an array"),
	[MODEL] = SHAPE_RULE("model", SHAPE_STRING, "a string"),
	[STREAM] = SHAPE_RULE("stream", SHAPE_BOOL, "a boolean"),
	[STREAM_OPTIONS] = SHAPE_RULE("stream_options", SHAPE_OBJECT, "an object"),
	[TOOLS] = SHAPE_RULE("tools", SHAPE_ARRAY, "an array"),
	[FUNCTIONS] = SHAPE_RULE("functions", SHAPE_ARRAY, "an array"),
	[TOOL_CHOICE] =
		SHAPE_RULE("tool_choice", SHAPE_STRING | SHAPE_OBJECT, "a string or an object"),
	[FUNCTION_CALL] =
		SHAPE_RULE("function_call", SHAPE_STRING | SHAPE_OBJECT, "a string or an object"),
	[PARALLEL_TOOL_CALLS] = SHAPE_RULE("parallel_tool_calls", SHAPE_BOOL, "a boolean"),
	[RESPONSE_FORMAT] = SHAPE_RULE("response_format", SHAPE_OBJECT, "an object"),
	[VERBOSITY] = SHAPE_RULE("verbosity", SHAPE_STRING, "a string"),
	[REASONING_EFFORT] = SHAPE_RULE("reasoning_effort", SHAPE_STRING, "a string"),
	[REASONING] = SHAPE_RULE("reasoning", SHAPE_OBJECT, "an object"),
	[SERVICE_TIER] = SHAPE_RULE("service_tier", SHAPE_STRING, "a string"),
	[PROMPT_CACHE_KEY] = SHAPE_RULE("prompt_cache_key", SHAPE_STRING, "a string"),
	[N] = SHAPE_RULE("n", SHAPE_NUMBER, "a number"),
	[FIRST_IGNORED] = SHAPE_RULE("max_tokens", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("max_completion_tokens", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("temperature", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("top_p", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("presence_penalty", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("frequency_penalty", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("logit_bias", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("logprobs", SHAPE_BOOL | SHAPE_NUMBER, "a boolean"),
	SHAPE_RULE("top_logprobs", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("seed", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("stop", SHAPE_STRING | SHAPE_ARRAY, "a string or an array"),
	SHAPE_RULE("user", SHAPE_STRING, "a string"),
	SHAPE_RULE("metadata", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("store", SHAPE_BOOL, "a boolean"),
	SHAPE_RULE("modalities", SHAPE_ARRAY, "an array"),
	SHAPE_RULE("prediction", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("safety_identifier", SHAPE_STRING, "a string"),
};

/* "openai/gpt-5.4" -> "gpt-5.4" */
static struct sv bare_model(struct sv model)
{
	for (size_t i = model.n; i-- > 0;) {
		if (model.p[i] == '/')
			return sv_from(model, i + 1);
	}
	return model;
}

static int read_model(struct turn *t, struct jv model, struct api_err *err)
{
	if (jv_str(model, t->arena, &t->model))
		return api_err_param(err, "model", "'model' must be a non-empty string.");
	t->model = bare_model(t->model);
	if (t->model.n == 0)
		return api_err_param(err, "model", "'model' must be a non-empty string.");
	return 0;
}

static void name_ignored(struct turn *t, const struct jv *member)
{
	struct buf names;

	buf_init(&names, KIB(4));
	for (size_t i = FIRST_IGNORED; i < ARRAY_LEN(rules); i++) {
		if (jv_is_nil(member[i]))
			continue;
		if (names.len)
			buf_add_lit(&names, ", ");
		buf_add_sv(&names, rules[i].key);
	}
	if (names.len)
		t->ignored = arena_dup(t->arena, buf_sv(&names));
	buf_fini(&names);
}

static int check_n(struct jv n, struct api_err *err)
{
	int64_t count;

	if (jv_is_nil(n) || (!jv_i64(n, &count) && count == 1))
		return 0;
	return api_err_param(err, "n", "'n' must be 1: one answer a request is supported.");
}

static void write_if(struct jw *w, struct sv key, struct jv value)
{
	if (jv_is_nil(value))
		return;
	jw_key_lit(w, key);
	jw_jv(w, value);
}

/* An effort that the client asked for comes with its summary; nothing is forced otherwise. */
static void write_reasoning(struct jw *w, struct jv effort, struct jv reasoning)
{
	struct jv asked = jv_is_nil(effort) ? jv_get(reasoning, SV("effort")) : effort;
	struct jv_iter it = jv_iter(reasoning);

	if (jv_is_nil(asked) && jv_is_nil(reasoning))
		return;
	jw_key_lit(w, SV("reasoning"));
	jw_obj(w);
	write_if(w, SV("effort"), asked);
	while (jv_next(&it)) {
		if (jv_key_eq(it.key, SV("effort")))
			continue;
		jw_key_lit(w, it.key);
		jw_jv(w, it.value);
	}
	if (!jv_is_nil(asked) && !jv_exists(jv_get(reasoning, SV("summary"))))
		jw_klit(w, "summary", "auto");
	jw_end(w);
}

static void write_format(struct jw *w, struct jv format)
{
	struct jv schema = jv_get(format, SV("json_schema"));

	jw_key_lit(w, SV("format"));
	if (!jv_is(schema, JV_OBJECT)) {
		jw_jv(w, format);
		return;
	}
	jw_obj(w);
	jw_klit(w, "type", "json_schema");
	write_if(w, SV("name"), jv_get(schema, SV("name")));
	write_if(w, SV("description"), jv_get(schema, SV("description")));
	write_if(w, SV("schema"), jv_get(schema, SV("schema")));
	write_if(w, SV("strict"), jv_get(schema, SV("strict")));
	jw_end(w);
}

static void write_text(struct jw *w, struct jv format, struct jv verbosity)
{
	bool has_format =
		jv_is(format, JV_OBJECT) && !jv_str_eq(jv_get(format, SV("type")), SV("text"));

	if (!has_format && jv_is_nil(verbosity))
		return;
	jw_key_lit(w, SV("text"));
	jw_obj(w);
	if (has_format)
		write_format(w, format);
	write_if(w, SV("verbosity"), verbosity);
	jw_end(w);
}

static int write_document(struct chat_writer *cw, const struct jv *member)
{
	struct jw *w = &cw->w;

	jw_obj(w);
	jw_kstr(w, "model", cw->turn->model);
	if (chat_write_instructions(cw, member[MESSAGES]))
		return -EINVAL;
	if (chat_write_input(cw, member[MESSAGES]))
		return -EINVAL;
	if (chat_write_tools(cw, member[TOOLS], member[FUNCTIONS]))
		return -EINVAL;
	if (chat_write_tool_choice(cw, member[TOOL_CHOICE], member[FUNCTION_CALL]))
		return -EINVAL;
	write_if(w, SV("parallel_tool_calls"), member[PARALLEL_TOOL_CALLS]);
	write_reasoning(w, member[REASONING_EFFORT], member[REASONING]);
	write_text(w, member[RESPONSE_FORMAT], member[VERBOSITY]);
	write_if(w, SV("service_tier"), member[SERVICE_TIER]);
	write_if(w, SV("prompt_cache_key"), member[PROMPT_CACHE_KEY]);
	jw_kbool(w, "store", false);
	jw_kbool(w, "stream", true);
	jw_kraw(w, "include", SV("[\"reasoning.encrypted_content\"]"));
	jw_end(w);
	return 0;
}

static int translate(struct turn *t, const struct jv *member, struct api_err *err)
{
	struct jv format = jv_get(member[RESPONSE_FORMAT], SV("type"));
	struct chat_writer cw = {
		.turn = t,
		.err = err,
		.w = jw_begin(&t->built),
		.keep_leading = jv_str_eq(format, SV("json_object")),
	};

	if (chat_calls_build(&cw.calls, member[MESSAGES], t->arena))
		return api_err_param(err, "messages", "'messages' holds too many tool calls.");
	if (write_document(&cw, member))
		return -EINVAL;
	if (!cw.has_content)
		return api_err_param(err, "messages", "'messages' has no content at all.");
	if (buf_error(&t->built))
		return api_err_set(err, 413, "invalid_request_error", "payload_too_large",
			"The request is too large.");
	t->upstream = jv_trusted(buf_sv(&t->built));
	return 0;
}

int chat_parse(struct turn *t, struct api_err *err)
{
	struct jv member[ARRAY_LEN(rules)];
	struct chat_state *s = arena_alloc(t->arena, sizeof(*s));

	if (!s)
		return api_err_set(err, 502, "server_error", "out_of_memory", "Out of memory.");
	*s = (struct chat_state){.ended = false};
	t->state = s;
	t->upstream = t->request;
	if (shape_pick(t->request, rules, ARRAY_LEN(rules), member, err))
		return -EINVAL;
	if (read_model(t, member[MODEL], err) || check_n(member[N], err))
		return -EINVAL;
	t->stream = jv_is_true(member[STREAM]);
	s->options.include_usage = jv_is_true(jv_get(member[STREAM_OPTIONS], SV("include_usage")));
	name_ignored(t, member);
	/* A Responses body posted to chat is understood, and answered as chat. */
	if (jv_is_nil(member[MESSAGES]) && !jv_is_nil(member[INPUT]))
		return 0;
	if (jv_count(member[MESSAGES]) == 0)
		return api_err_param(err, "messages", "'messages' must be a non-empty array.");
	return translate(t, member, err);
}
