#include "codex/body.h"

#include "base/ident.h"
#include "base/jw.h"
#include "base/limits.h"
#include "codex/items.h"

enum { ADDED_BYTES = 512 };

struct build {
	const struct codex_body_options *options;
	struct jw w;
	struct jv tools;
	struct api_err *err;
};

struct row {
	struct codex_body_rule rule;
	/* For CODEX_BODY_WRITE: key and value, or nothing. v is JV_NONE when absent or null. */
	int (*write)(struct build *b, struct jv v);
	bool turns_only; /* the compact endpoint does not take it */
};

/* A value and what is sent for it; an empty `to` leaves the member out. */
struct replacement {
	struct sv from;
	struct sv to;
};

static const struct replacement efforts[] = {
	{SV("minimal"), SV("low")}, /* hangs upstream */
	{SV("ultra"), SV("max")},
};

static const struct replacement tiers[] = {
	{SV("fast"), SV("priority")},
	{SV("auto"), SV("")},
	{SV("default"), SV("")},
};

#define ENCRYPTED_CONTENT "reasoning.encrypted_content"

/* Upstream refuses all others. */
static const struct sv includes[] = {
	SV(ENCRYPTED_CONTENT),
	SV("code_interpreter_call.outputs"),
	SV("computer_call_output.output.image_url"),
	SV("file_search_call.results"),
	SV("message.input_image.image_url"),
	SV("message.output_text.logprobs"),
	SV("web_search_call.action.sources"),
};

static const struct replacement *find_replacement(
	const struct replacement *table, size_t count, struct jv v)
{
	for (size_t i = 0; i < count; i++) {
		if (jv_str_eq(v, table[i].from))
			return &table[i];
	}
	return NULL;
}

static int write_model(struct build *b, struct jv v)
{
	if (b->options->model.n) {
		jw_kstr(&b->w, "model", b->options->model);
		return 0;
	}
	if (jv_str_raw(v).n == 0)
		return api_err_param(b->err, "model", "model must be a non-empty string.");
	jw_kraw(&b->w, "model", jv_raw(v));
	return 0;
}

static int write_instructions(struct build *b, struct jv v)
{
	if (jv_exists(v) && !jv_is(v, JV_STRING))
		return api_err_param(b->err, "instructions", "instructions must be a string.");
	jw_key_lit(&b->w, SV("instructions"));
	if (jv_exists(v))
		jw_jv(&b->w, v);
	else
		jw_str(&b->w, SV(""));
	return 0;
}

static int write_input(struct build *b, struct jv v)
{
	struct items_options options = {.drop_reasoning = b->options->drop_reasoning};

	jw_key_lit(&b->w, SV("input"));
	return items_write(&b->w, v, &options, b->err);
}

/* web_search_preview and its dated forms are refused under that name. */
static bool is_old_web_search(struct jv type)
{
	return sv_starts(jv_str_raw(type), SV("web_search_preview"));
}

static bool has_old_web_search(struct jv tools)
{
	struct jv_iter it = jv_iter(tools);

	while (jv_next(&it)) {
		if (is_old_web_search(jv_get(it.value, SV("type"))))
			return true;
	}
	return false;
}

/* A tool, or a tool choice, with its type put right and all other bytes as they are. */
static void write_tool(struct jw *w, struct jv tool)
{
	struct jv_iter it = jv_iter(tool);

	if (!is_old_web_search(jv_get(tool, SV("type")))) {
		jw_jv(w, tool);
		return;
	}
	jw_obj(w);
	while (jv_next(&it)) {
		jw_key_lit(w, it.key);
		if (jv_key_eq(it.key, SV("type")) && is_old_web_search(it.value))
			jw_str(w, SV("web_search"));
		else
			jw_jv(w, it.value);
	}
	jw_end(w);
}

static void write_tool_list(struct jw *w, struct jv tools)
{
	struct jv_iter it = jv_iter(tools);

	if (!jv_is(tools, JV_ARRAY) || !has_old_web_search(tools)) {
		jw_jv(w, tools);
		return;
	}
	jw_arr(w);
	while (jv_next(&it))
		write_tool(w, it.value);
	jw_end(w);
}

static int write_tools(struct build *b, struct jv v)
{
	if (!jv_exists(v))
		return 0;
	jw_key_lit(&b->w, SV("tools"));
	write_tool_list(&b->w, v);
	return 0;
}

/* {"type":"allowed_tools","tools":[…]} names tools too. */
static void write_allowed_tools(struct jw *w, struct jv v)
{
	struct jv_iter it = jv_iter(v);

	jw_obj(w);
	while (jv_next(&it)) {
		jw_key_lit(w, it.key);
		if (jv_key_eq(it.key, SV("tools")))
			write_tool_list(w, it.value);
		else
			jw_jv(w, it.value);
	}
	jw_end(w);
}

static int write_tool_choice(struct build *b, struct jv v)
{
	struct jv listed = jv_get(v, SV("tools"));

	if (!jv_exists(v))
		return 0;
	jw_key_lit(&b->w, SV("tool_choice"));
	if (jv_is(listed, JV_ARRAY) && has_old_web_search(listed))
		write_allowed_tools(&b->w, v);
	else
		write_tool(&b->w, v);
	return 0;
}

/* Only makes sense, and is only accepted, with tools. */
static int write_parallel(struct build *b, struct jv v)
{
	struct jv_iter it = jv_iter(b->tools);

	if (jv_exists(v) && jv_next(&it))
		jw_kraw(&b->w, "parallel_tool_calls", jv_raw(v));
	return 0;
}

static int write_reasoning(struct build *b, struct jv v)
{
	struct jv_iter it = jv_iter(v);

	if (!jv_exists(v))
		return 0;
	jw_key_lit(&b->w, SV("reasoning"));
	if (!find_replacement(efforts, ARRAY_LEN(efforts), jv_get(v, SV("effort")))) {
		jw_jv(&b->w, v);
		return 0;
	}
	jw_obj(&b->w);
	while (jv_next(&it)) {
		const struct replacement *r = NULL;

		if (jv_key_eq(it.key, SV("effort")))
			r = find_replacement(efforts, ARRAY_LEN(efforts), it.value);
		jw_key_lit(&b->w, it.key);
		if (r)
			jw_str(&b->w, r->to);
		else
			jw_jv(&b->w, it.value);
	}
	jw_end(&b->w);
	return 0;
}

static int find_include(struct jv v)
{
	for (size_t i = 0; i < ARRAY_LEN(includes); i++) {
		if (jv_str_eq(v, includes[i]))
			return (int)i;
	}
	return -1;
}

/* The client's accepted values in their order, each once, and the one that must be there. */
static int write_include(struct build *b, struct jv v)
{
	struct jv_iter it = jv_iter(v);
	unsigned seen = 0;

	if (jv_exists(v) && !jv_is(v, JV_ARRAY))
		return api_err_param(b->err, "include", "include must be an array.");
	jw_karr(&b->w, "include");
	while (jv_next(&it)) {
		int i = find_include(it.value);

		if (i < 0 || (seen & 1u << i))
			continue;
		seen |= 1u << i;
		jw_jv(&b->w, it.value);
	}
	if (!(seen & 1u))
		jw_str(&b->w, includes[0]);
	jw_end(&b->w);
	return 0;
}

static int write_store(struct build *b, struct jv v)
{
	(void)v;
	jw_kbool(&b->w, "store", false);
	return 0;
}

static int write_stream(struct build *b, struct jv v)
{
	(void)v;
	jw_kbool(&b->w, "stream", true);
	return 0;
}

/* One option is known upstream, the others are refused. */
static int write_stream_options(struct build *b, struct jv v)
{
	struct jv delivery = jv_get(v, SV("reasoning_summary_delivery"));

	if (!jv_exists(delivery))
		return 0;
	jw_kobj(&b->w, "stream_options");
	jw_kraw(&b->w, "reasoning_summary_delivery", jv_raw(delivery));
	jw_end(&b->w);
	return 0;
}

static int write_tier(struct build *b, struct jv v)
{
	const struct replacement *r = find_replacement(tiers, ARRAY_LEN(tiers), v);

	if (!jv_exists(v) || (r && !r->to.n))
		return 0;
	jw_key_lit(&b->w, SV("service_tier"));
	if (r)
		jw_str(&b->w, r->to);
	else
		jw_jv(&b->w, v);
	return 0;
}

static int write_cache_key(struct build *b, struct jv v)
{
	if (jv_str_raw(v).n)
		jw_kraw(&b->w, "prompt_cache_key", jv_raw(v));
	else if (b->options->prompt_cache_key.n)
		jw_kstr(&b->w, "prompt_cache_key", b->options->prompt_cache_key);
	return 0;
}

/*
 * All top-level members that upstream or this program knows (PROTOCOL 3), in the order in which
 * they are written. Others go before them with the client's bytes: what upstream does not know, it
 * refuses itself. null counts as absent.
 */
static const struct row rows[] = {
	{{SV("model"), CODEX_BODY_WRITE}, write_model},
	{{SV("instructions"), CODEX_BODY_WRITE}, write_instructions},
	{{SV("input"), CODEX_BODY_WRITE}, write_input},
	{{SV("tools"), CODEX_BODY_WRITE}, write_tools},
	{{SV("tool_choice"), CODEX_BODY_WRITE}, write_tool_choice, true},
	{{SV("parallel_tool_calls"), CODEX_BODY_WRITE}, write_parallel},
	{{SV("reasoning"), CODEX_BODY_WRITE}, write_reasoning},
	{{SV("text"), CODEX_BODY_KEEP}, NULL},
	{{SV("include"), CODEX_BODY_WRITE}, write_include, true},
	{{SV("store"), CODEX_BODY_WRITE}, write_store, true},
	{{SV("stream"), CODEX_BODY_WRITE}, write_stream, true},
	{{SV("stream_options"), CODEX_BODY_WRITE}, write_stream_options, true},
	{{SV("service_tier"), CODEX_BODY_WRITE}, write_tier},
	{{SV("prompt_cache_key"), CODEX_BODY_WRITE}, write_cache_key},
	{{SV("client_metadata"), CODEX_BODY_KEEP}, NULL},
	/* Refused with 400 "Unsupported parameter". */
	{{SV("max_output_tokens"), CODEX_BODY_DROP}, NULL},
	{{SV("max_completion_tokens"), CODEX_BODY_DROP}, NULL},
	{{SV("max_tokens"), CODEX_BODY_DROP}, NULL},
	{{SV("temperature"), CODEX_BODY_DROP}, NULL},
	{{SV("top_p"), CODEX_BODY_DROP}, NULL},
	{{SV("presence_penalty"), CODEX_BODY_DROP}, NULL},
	{{SV("frequency_penalty"), CODEX_BODY_DROP}, NULL},
	{{SV("max_tool_calls"), CODEX_BODY_DROP}, NULL},
	{{SV("truncation"), CODEX_BODY_DROP}, NULL},
	{{SV("user"), CODEX_BODY_DROP}, NULL},
	{{SV("metadata"), CODEX_BODY_DROP}, NULL},
	{{SV("safety_identifier"), CODEX_BODY_DROP}, NULL},
	{{SV("prompt_cache_retention"), CODEX_BODY_DROP}, NULL},
	{{SV("prompt_cache_options"), CODEX_BODY_DROP}, NULL},
	{{SV("context_management"), CODEX_BODY_DROP}, NULL},
	{{SV("background"), CODEX_BODY_DROP}, NULL},
	{{SV("n"), CODEX_BODY_DROP}, NULL},
	{{SV("stop"), CODEX_BODY_DROP}, NULL},
	{{SV("seed"), CODEX_BODY_DROP}, NULL},
	{{SV("logprobs"), CODEX_BODY_DROP}, NULL},
	{{SV("top_logprobs"), CODEX_BODY_DROP}, NULL},
	/* Server state, which upstream keeps over a WebSocket only. */
	{{SV("previous_response_id"), CODEX_BODY_DROP}, NULL},
	{{SV("generate"), CODEX_BODY_DROP}, NULL},
};
enum { ROW_TOOLS = 3 };

const struct codex_body_rule *codex_body_rule(size_t row)
{
	return row < ARRAY_LEN(rows) ? &rows[row].rule : NULL;
}

static const struct row *find_row(struct sv raw_key)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (jv_key_eq(raw_key, rows[i].rule.name))
			return &rows[i];
	}
	return NULL;
}

/* One pass: unknown members are written, known ones remembered by row. */
static void take_members(struct build *b, struct jv request, struct jv members[])
{
	struct jv_iter it = jv_iter(request);

	while (jv_next(&it)) {
		const struct row *row = find_row(it.key);

		if (row) {
			members[row - rows] = jv_is_nil(it.value) ? JV_NONE : it.value;
		} else {
			jw_key_lit(&b->w, it.key);
			jw_jv(&b->w, it.value);
		}
	}
}

static int write_row(struct build *b, const struct row *row, struct jv v)
{
	if (b->options->compact && row->turns_only)
		return 0;
	switch (row->rule.action) {
	case CODEX_BODY_DROP:
		return 0;
	case CODEX_BODY_KEEP:
		if (jv_exists(v)) {
			jw_key_lit(&b->w, row->rule.name);
			jw_jv(&b->w, v);
		}
		return 0;
	case CODEX_BODY_WRITE:
		return row->write(b, v);
	}
	return 0;
}

static int build_rewritten(struct jv request, const struct codex_body_options *options,
	struct buf *out, struct api_err *err)
{
	struct jv members[ARRAY_LEN(rows)] = {JV_NONE};
	struct build b = {.options = options, .w = jw_begin(out), .err = err};
	int r;

	jw_obj(&b.w);
	take_members(&b, request, members);
	b.tools = members[ROW_TOOLS];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		r = write_row(&b, &rows[i], members[i]);
		if (r < 0)
			return r;
	}
	jw_end(&b.w);
	return 0;
}

/* Appends what stands before v, from *from on, and moves *from behind v. */
static void copy_up_to(struct buf *out, const char **from, struct jv v)
{
	buf_add(out, *from, (size_t)(v.p - *from));
	*from = v.p + v.n;
}

static void splice_model(struct buf *out, const struct codex_body_options *options)
{
	struct jw w = jw_begin(out);

	jw_str(&w, options->model);
}

static int splice_input(struct buf *out, struct jv input, struct api_err *err)
{
	struct items_options options = {.native = true, .drop_reasoning = true};
	struct jw w = jw_begin(out);

	return items_write(&w, input, &options, err);
}

/* The client's bytes with at most two values replaced. */
static int build_native(struct jv request, const struct codex_body_options *options,
	struct buf *out, struct api_err *err)
{
	static const struct sv keys[] = {SV("model"), SV("input")};
	struct jv found[ARRAY_LEN(keys)] = {JV_NONE, JV_NONE};
	const char *from = request.p;
	int r = 0;

	if (options->model.n || options->drop_reasoning)
		jv_pick(request, keys, ARRAY_LEN(keys), found);
	struct jv model = options->model.n ? found[0] : JV_NONE;
	struct jv input = options->drop_reasoning ? found[1] : JV_NONE;
	bool model_first = model.n && (!input.n || model.p < input.p);

	if (model_first) {
		copy_up_to(out, &from, model);
		splice_model(out, options);
	}
	if (input.n) {
		copy_up_to(out, &from, input);
		r = splice_input(out, input, err);
	}
	if (model.n && !model_first) {
		copy_up_to(out, &from, model);
		splice_model(out, options);
	}
	buf_add(out, from, (size_t)(request.p + request.n - from));
	return r;
}

bool codex_body_is_request(const struct codex_body_options *options)
{
	return options->native && !options->model.n && !options->drop_reasoning;
}

int codex_body_build(struct jv request, const struct codex_body_options *options, struct buf *out,
	struct api_err *err)
{
	int r;

	/* What is added is short. */
	if (request.n + ADDED_BYTES < out->cap && buf_reserve(out, request.n + ADDED_BYTES))
		return buf_error(out);
	if (!jv_is(request, JV_OBJECT))
		return api_err_param(err, "", "The request body must be a JSON object.");
	r = options->native ? build_native(request, options, out, err)
			    : build_rewritten(request, options, out, err);
	return r < 0 ? r : buf_error(out);
}

/* What of a part goes into the key as it is; the rest of it is hashed by something cheaper first.
 */
enum { KEY_WHOLE_BYTES = 1024, KEY_PART_BYTES = 64 * 1024 };

void codex_body_derive_key(struct jv request, char out[37])
{
	enum { PARTS = 4 };
	static const struct sv keys[PARTS] = {
		SV("model"), SV("instructions"), SV("tools"), SV("input")};
	struct jv found[PARTS];
	struct sv parts[2 * PARTS];
	uint64_t rests[PARTS];

	jv_pick(request, keys, PARTS, found);
	found[3] = items_first_user(found[3]);
	for (size_t i = 0; i < PARTS; i++) {
		size_t n = found[i].n < KEY_PART_BYTES ? found[i].n : KEY_PART_BYTES;
		size_t whole = n < KEY_WHOLE_BYTES ? n : KEY_WHOLE_BYTES;

		parts[2 * i] = sv_make(found[i].p, whole);
		parts[2 * i + 1] = SV_NONE;
		if (n > whole) {
			rests[i] = sv_hash_long(sv_make(found[i].p + whole, n - whole));
			parts[2 * i + 1] = sv_make((const char *)&rests[i], sizeof(rests[i]));
		}
	}
	ident_derived_uuid(parts, ARRAY_LEN(parts), out);
}
