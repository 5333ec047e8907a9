/* The legacy API /v1/completions: a prompt becomes one user message; answers are chat's, plain. */
#include "base/jw.h"
#include "base/limits.h"
#include "dialect/chat.h"
#include "dialect/request_model.h"
#include "dialect/shape.h"

#include <errno.h>

enum {
	MODEL,
	PROMPT,
	STREAM,
	STREAM_OPTIONS,
	ECHO,
	SUFFIX,
	BEST_OF,
	N,
	STOP,
	FIRST_IGNORED,
};

static const struct shape_rule rules[] = {
	[MODEL] = SHAPE_RULE("model", SHAPE_STRING, "a string"),
	[PROMPT] = SHAPE_RULE("prompt", SHAPE_STRING | SHAPE_ARRAY, "a string"),
	[STREAM] = SHAPE_RULE("stream", SHAPE_BOOL, "a boolean"),
	[STREAM_OPTIONS] = SHAPE_RULE("stream_options", SHAPE_OBJECT, "an object"),
	[ECHO] = SHAPE_RULE("echo", SHAPE_BOOL, "a boolean"),
	[SUFFIX] = SHAPE_RULE("suffix", SHAPE_STRING, "a string"),
	[BEST_OF] = SHAPE_RULE("best_of", SHAPE_NUMBER, "a whole number"),
	[N] = SHAPE_RULE("n", SHAPE_NUMBER, "a whole number"),
	[STOP] = SHAPE_RULE("stop", SHAPE_STRING | SHAPE_ARRAY, "a string or an array"),
	[FIRST_IGNORED] = SHAPE_RULE("max_tokens", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("temperature", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("top_p", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("presence_penalty", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("frequency_penalty", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("logit_bias", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("logprobs", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("seed", SHAPE_NUMBER, "a number"),
	SHAPE_RULE("user", SHAPE_STRING, "a string"),
};

enum { RULES = ARRAY_LEN(rules) };

struct request {
	struct turn *turn;
	struct chat *chat;
	struct api_err *err;
	struct jv member[RULES];
	struct jv prompt; /* a string that is not empty */
	struct sv effort;
};

/* A string, or an array that holds just one: several would be several answers. */
static int read_prompt(struct request *r)
{
	struct jv prompt = r->member[PROMPT];
	struct jv_iter it = jv_iter(prompt);

	if (jv_is(prompt, JV_ARRAY)) {
		if (jv_count(prompt) > 1 && jv_next(&it) && jv_is(it.value, JV_STRING))
			return api_err_param(r->err, "prompt",
				"'prompt' must be one text: one completion per request.");
		it = jv_iter(prompt);
		prompt = jv_next(&it) ? it.value : JV_NONE;
		if (jv_is(prompt, JV_NUMBER) || jv_is(prompt, JV_ARRAY))
			return api_err_param(r->err, "prompt",
				"'prompt' must be text: token numbers cannot be read.");
	}
	if (!jv_is(prompt, JV_STRING) || jv_str_raw(prompt).n == 0)
		return api_err_param(r->err, "prompt", "'prompt' must be a non-empty string.");
	r->prompt = prompt;
	return 0;
}

static int require_one(struct request *r, size_t which)
{
	const char *name = rules[which].key.p;
	int64_t count = 1;

	if (!jv_is_nil(r->member[which]) && jv_i64(r->member[which], &count))
		return api_err_param(r->err, name, "'%s' must be a whole number.", name);
	if (count != 1)
		return api_err_param(
			r->err, name, "'%s' must be 1: one completion per request.", name);
	return 0;
}

static int read_options(struct request *r)
{
	struct jv include = jv_get(r->member[STREAM_OPTIONS], SV("include_usage"));

	if (!jv_is_nil(include) && !jv_is_bool(include))
		return api_err_param(r->err, "stream_options.include_usage",
			"'stream_options.include_usage' must be a boolean.");
	if (jv_str_raw(r->member[SUFFIX]).n)
		return api_err_param(r->err, "suffix",
			"'suffix' is not supported: these models do not fill in text.");
	if (require_one(r, N) || require_one(r, BEST_OF))
		return -EINVAL;
	r->turn->stream = jv_is_true(r->member[STREAM]);
	r->chat->include_usage = jv_is_true(include);
	if (jv_is_true(r->member[ECHO]))
		r->chat->echo = jv_str_raw(r->prompt);
	return chat_stops_read(r->turn, r->member[STOP], r->err);
}

static void name_ignored(struct request *r)
{
	struct buf list;

	buf_init(&list, KIB(4));
	shape_list_given(&list, rules, FIRST_IGNORED, RULES, r->member);
	shape_list_unknown(&list, r->turn->request, rules, RULES);
	if (list.len)
		r->turn->ignored = arena_dup(r->turn->arena, buf_sv(&list));
	buf_fini(&list);
}

static void write_input(struct request *r, struct jw *w)
{
	jw_karr(w, "input");
	jw_obj(w);
	jw_klit(w, "type", "message");
	jw_klit(w, "role", "user");
	jw_karr(w, "content");
	jw_obj(w);
	jw_klit(w, "type", "input_text");
	jw_kraw(w, "text", jv_raw(r->prompt));
	jw_end(w);
	jw_end(w);
	jw_end(w);
	jw_end(w);
}

static int write_body(struct request *r)
{
	struct turn *t = r->turn;
	struct jw w = jw_begin(&t->built);

	jw_obj(&w);
	jw_kstr(&w, "model", t->model);
	write_input(r, &w);
	if (r->effort.n) {
		jw_kobj(&w, "reasoning");
		jw_kstr(&w, "effort", r->effort);
		jw_end(&w);
	}
	jw_kbool(&w, "store", false);
	jw_kbool(&w, "stream", true);
	jw_end(&w);
	if (buf_error(&t->built))
		return api_err_set(r->err, 413, "invalid_request_error", "payload_too_large",
			"The request is too large.");
	t->upstream = jv_trusted(buf_sv(&t->built));
	return 0;
}

int completions_request_parse(struct turn *t, struct api_err *err)
{
	struct request r = {.turn = t, .chat = arena_alloc(t->arena, sizeof(*r.chat)), .err = err};

	if (!r.chat)
		return api_err_set(err, 500, "server_error", "", "Out of memory.");
	*r.chat = (struct chat){.form = &chat_form_completions};
	t->state = r.chat;
	if (!jv_is(t->request, JV_OBJECT))
		return api_err_param(err, "", "The body must be a JSON object.");
	if (shape_pick(t->request, rules, RULES, r.member, err) ||
		request_model_read(t, r.member[MODEL], &r.effort, err) || read_prompt(&r) ||
		read_options(&r))
		return -EINVAL;
	name_ignored(&r);
	return write_body(&r);
}
