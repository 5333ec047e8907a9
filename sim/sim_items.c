/* Checks of the input list: item types, ids, roles, parts, pairing of calls and outputs. */
#include "sim/sim_blob.h"
#include "sim/sim_check.h"
#include "sim/sim_tools.h"

#include <stdio.h>

enum { ID_LENGTH = 64, PARAM_BYTES = 96 };

/* The members of items that checks look at; all are picked in one pass over the item. */
enum member {
	M_TYPE,
	M_ID,
	M_ROLE,
	M_CONTENT,
	M_CALL_ID,
	M_NAME,
	M_ARGUMENTS,
	M_INPUT,
	M_OUTPUT,
	M_SUMMARY,
	M_BLOB,
	M_TOOLS,
	M_COUNT,
};

static const struct sv MEMBERS[M_COUNT] = {
	[M_TYPE] = {"type", 4},
	[M_ID] = {"id", 2},
	[M_ROLE] = {"role", 4},
	[M_CONTENT] = {"content", 7},
	[M_CALL_ID] = {"call_id", 7},
	[M_NAME] = {"name", 4},
	[M_ARGUMENTS] = {"arguments", 9},
	[M_INPUT] = {"input", 5},
	[M_OUTPUT] = {"output", 6},
	[M_SUMMARY] = {"summary", 7},
	[M_BLOB] = {"encrypted_content", 17},
	[M_TOOLS] = {"tools", 5},
};

/* A call seen in the input, until its output comes. */
struct call {
	struct call *before;
	struct sv id;
	bool custom;
	bool answered;
};

struct walk {
	struct sim_txn *t;
	struct sim_request *q;
	struct sim_refusal *r;
	struct call *calls;   /* newest first */
	struct jv m[M_COUNT]; /* of the item that is being checked */
	unsigned index;
	bool in_outputs; /* the item before was a tool output */
};

struct item_rule {
	struct sv type;
	const char *id_prefix; /* NULL: any */
	bool (*check)(struct walk *w);
};

static const char *param_of(const struct walk *w, const char *member, char out[PARAM_BYTES])
{
	snprintf(out, PARAM_BYTES, "input[%u]%s%s", w->index, member[0] ? "." : "", member);
	return out;
}

static bool check_length(struct walk *w, const char *member, struct sv text)
{
	char param[PARAM_BYTES];

	if (text.n <= ID_LENGTH)
		return true;
	return sim_refuse_length(w->r, param_of(w, member, param), ID_LENGTH, text.n);
}

static bool check_id(struct walk *w, const char *prefix, struct jv id)
{
	struct sv text = jv_str_raw(id);
	char param[PARAM_BYTES];
	size_t n = prefix ? strlen(prefix) : 0;

	if (jv_is_nil(id))
		return true;
	if (!jv_is(id, JV_STRING))
		return sim_refuse_type(w->r, param_of(w, "id", param), "a string", id);
	if (prefix && (!sv_starts(text, sv_cstr(prefix)) || text.n <= n || text.p[n] != '_'))
		return sim_refuse(w->r, param_of(w, "id", param), "invalid_value",
			"Invalid '%s': '%.*s'. Expected an ID that begins with '%s'.", param,
			SV_ARG(text), prefix);
	return check_length(w, "id", text);
}

static bool need_string(struct walk *w, enum member member, struct sv *ret)
{
	struct jv v = w->m[member];
	char param[PARAM_BYTES];

	param_of(w, MEMBERS[member].p, param);
	if (jv_is_nil(v))
		return sim_refuse_missing(w->r, param);
	if (!jv_is(v, JV_STRING))
		return sim_refuse_type(w->r, param, "a string", v);
	*ret = jv_str_raw(v);
	return true;
}

static bool check_image(struct walk *w, struct jv url, struct jv file, const char *param)
{
	struct sv text = jv_str_raw(url);

	if (jv_is(file, JV_STRING))
		return true;
	if (!jv_is(url, JV_STRING))
		return sim_refuse(w->r, param, "missing_required_parameter",
			"Missing required parameter: '%s.image_url'.", param);
	if (sv_starts(text, SV("data:image/")) || sv_istarts(text, SV("https://")) ||
		sv_istarts(text, SV("http://")))
		return true;
	return sim_refuse(w->r, param, "invalid_value",
		"Invalid '%s.image_url'. Expected a valid URL or a base64-encoded data URL with an "
		"image MIME type (e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got a "
		"value without an image.",
		param);
}

static bool check_part(struct walk *w, struct jv part, unsigned number, bool assistant)
{
	static const char *const OURS[] = {"output_text", "refusal"};
	static const char *const THEIRS[] = {"input_text", "input_image", "input_file"};
	static const struct sv KEYS[] = {
		{"type", 4}, {"text", 4}, {"image_url", 9}, {"file_id", 7}};
	struct jv m[ARRAY_LEN(KEYS)];
	char param[PARAM_BYTES];
	struct jv type;

	jv_pick(part, KEYS, ARRAY_LEN(KEYS), m);
	type = m[0];
	snprintf(param, sizeof(param), "input[%u].content[%u]", w->index, number);
	if (!jv_is(part, JV_OBJECT))
		return sim_refuse_type(w->r, param, "an object", part);
	if (assistant && !sim_check_is_one_of(type, OURS, ARRAY_LEN(OURS)))
		return sim_refuse_value(
			w->r, param, jv_str_raw(type), "'output_text' and 'refusal'");
	if (!assistant && !sim_check_is_one_of(type, THEIRS, ARRAY_LEN(THEIRS)))
		return sim_refuse_value(w->r, param, jv_str_raw(type),
			"'input_text', 'input_image', and 'input_file'");
	if (jv_str_eq(type, SV("input_image")))
		return check_image(w, m[2], m[3], param);
	if (sv_ends(jv_str_raw(type), SV("_text")) && !jv_is(m[1], JV_STRING))
		return sim_refuse(w->r, param, "missing_required_parameter",
			"Missing required parameter: '%s.text'.", param);
	return true;
}

static bool check_content(struct walk *w, struct jv content, bool assistant)
{
	struct jv_iter it = jv_iter(content);
	unsigned i = 0;
	char param[PARAM_BYTES];

	if (jv_is(content, JV_STRING))
		return true;
	if (jv_is_nil(content))
		return sim_refuse_missing(w->r, param_of(w, "content", param));
	if (!jv_is(content, JV_ARRAY))
		return sim_refuse_type(
			w->r, param_of(w, "content", param), "an array or a string", content);
	while (jv_next(&it)) {
		if (!check_part(w, it.value, i++, assistant))
			return false;
	}
	return true;
}

static bool on_message(struct walk *w)
{
	struct jv role = w->m[M_ROLE];
	struct jv content = w->m[M_CONTENT];
	char param[PARAM_BYTES];

	if (jv_str_eq(role, SV("system")))
		return sim_refuse_detail(w->r, 400, "System messages are not allowed");
	if (jv_str_eq(role, SV("user"))) {
		w->q->last_user = content;
		w->q->rounds = 0;
		return check_content(w, content, false);
	}
	if (jv_str_eq(role, SV("assistant")))
		return check_content(w, content, true);
	if (jv_str_eq(role, SV("developer")))
		return check_content(w, content, false);
	return sim_refuse_value(w->r, param_of(w, "role", param), jv_str_raw(role),
		"'assistant', 'developer', and 'user'");
}

static bool check_blob(struct walk *w, struct jv blob)
{
	enum sim_blob_verdict verdict = sim_blob_check(w->t->sim, w->t->account, jv_str_raw(blob));
	struct sv text = jv_str_raw(blob);
	struct sv head = sv_make(text.p, text.n < 4 ? text.n : 4);
	struct sv tail = sv_from(text, text.n < 4 ? text.n : text.n - 4);

	if (verdict == SIM_BLOB_OK)
		return true;
	return sim_refuse(w->r, NULL, "invalid_encrypted_content",
		"The encrypted content %.*s...%.*s could not be verified. Reason: Encrypted "
		"content %s.",
		SV_ARG(head), SV_ARG(tail),
		verdict == SIM_BLOB_OTHER_ACCOUNT
			? "organization_id did not match the target organization"
			: "could not be decrypted or parsed");
}

static bool not_persisted(struct walk *w, struct jv id)
{
	return sim_refuse_with_status(w->r, 404, "input",
		"Item with id '%.*s' not found. Items are not persisted when `store` is set to "
		"false. "
		"Try again with `store` set to true, or remove this item from your input.",
		SV_ARG(jv_str_raw(id)));
}

static bool on_reasoning(struct walk *w)
{
	struct jv blob = w->m[M_BLOB];
	char param[PARAM_BYTES];

	if (!jv_is(blob, JV_STRING))
		return not_persisted(w, w->m[M_ID]);
	if (!jv_is(w->m[M_SUMMARY], JV_ARRAY))
		return sim_refuse_missing(w->r, param_of(w, "summary", param));
	return check_blob(w, blob);
}

static bool on_compaction(struct walk *w)
{
	struct sv text;

	return need_string(w, M_BLOB, &text) && check_blob(w, w->m[M_BLOB]);
}

static bool on_item_reference(struct walk *w)
{
	return not_persisted(w, w->m[M_ID]);
}

static bool add_call(struct walk *w, enum member payload, bool custom)
{
	struct call *call = arena_alloc(&w->t->arena, sizeof(*call));
	struct sv name, text, id;
	char param[PARAM_BYTES];

	if (!call)
		return sim_refuse_detail(w->r, 413, "Request body too large");
	if (!need_string(w, M_CALL_ID, &id) || !check_length(w, "call_id", id) ||
		!need_string(w, M_NAME, &name) ||
		!sim_tools_check_name(name, param_of(w, "name", param), w->r) ||
		!need_string(w, payload, &text))
		return false;
	*call = (struct call){w->calls, id, custom, false};
	w->calls = call;
	return true;
}

static bool on_function_call(struct walk *w)
{
	return add_call(w, M_ARGUMENTS, false);
}

static bool on_custom_call(struct walk *w)
{
	return add_call(w, M_INPUT, true);
}

static bool check_output_value(struct walk *w, struct jv output)
{
	struct jv_iter it = jv_iter(output);
	char param[PARAM_BYTES];
	unsigned i = 0;

	param_of(w, "output", param);
	if (jv_is_nil(output))
		return sim_refuse_missing(w->r, param);
	if (jv_is(output, JV_STRING))
		return true;
	if (!jv_is(output, JV_ARRAY))
		return sim_refuse_type(w->r, param, "an array or a string", output);
	while (jv_next(&it)) {
		if (!check_part(w, it.value, i++, false))
			return false;
	}
	return true;
}

static bool answer_call(struct walk *w, bool custom)
{
	struct call *call = w->calls;
	struct sv id;

	if (!need_string(w, M_CALL_ID, &id) || !check_length(w, "call_id", id) ||
		!check_output_value(w, w->m[M_OUTPUT]))
		return false;
	while (call && !(call->custom == custom && sv_eq(call->id, id)))
		call = call->before;
	if (!call)
		return sim_refuse_with_status(w->r, 400, "input",
			"No tool call found for %s output with call_id %.*s.",
			custom ? "custom tool call" : "function call", SV_ARG(id));
	call->answered = true;
	return true;
}

static bool on_function_output(struct walk *w)
{
	return answer_call(w, false);
}

static bool on_custom_output(struct walk *w)
{
	return answer_call(w, true);
}

static bool on_additional_tools(struct walk *w)
{
	struct sim_request *q = w->q;
	struct jv tools = w->m[M_TOOLS];

	if (jv_is(tools, JV_ARRAY) && q->tool_list_count < SIM_TOOL_LISTS)
		q->tool_lists[q->tool_list_count++] = tools;
	return true;
}

static bool on_compaction_trigger(struct walk *w)
{
	w->q->wants_compaction = true;
	return true;
}

static bool on_anything(struct walk *w)
{
	(void)w;
	return true;
}

#define RULE(name, prefix, fn)                       \
	{                                            \
		{name, sizeof(name) - 1}, prefix, fn \
	}
static const struct item_rule RULES[] = {
	RULE("message", "msg", on_message),
	RULE("reasoning", "rs", on_reasoning),
	RULE("function_call", "fc", on_function_call),
	RULE("function_call_output", "fco", on_function_output),
	RULE("custom_tool_call", "ctc", on_custom_call),
	RULE("custom_tool_call_output", "ctco", on_custom_output),
	RULE("item_reference", NULL, on_item_reference),
	RULE("compaction", "cmp", on_compaction),
	RULE("compaction_summary", "cmp", on_compaction),
	RULE("context_compaction", "cmp", on_compaction),
	RULE("compaction_trigger", NULL, on_compaction_trigger),
	RULE("additional_tools", "at", on_additional_tools),
	RULE("configuration_update", NULL, on_anything),
	RULE("agent_message", NULL, on_anything),
	RULE("local_shell_call", NULL, on_anything),
	RULE("local_shell_call_output", NULL, on_anything),
	RULE("tool_search_call", NULL, on_anything),
	RULE("tool_search_output", NULL, on_anything),
	RULE("web_search_call", NULL, on_anything),
	RULE("image_generation_call", NULL, on_anything),
	RULE("file_search_call", NULL, on_anything),
	RULE("computer_call", NULL, on_anything),
	RULE("computer_call_output", NULL, on_anything),
	RULE("code_interpreter_call", NULL, on_anything),
	RULE("mcp_call", NULL, on_anything),
	RULE("mcp_list_tools", NULL, on_anything),
};

static const struct item_rule *rule_of(struct jv type)
{
	for (size_t i = 0; i < ARRAY_LEN(RULES); i++) {
		if (jv_str_eq(type, RULES[i].type))
			return &RULES[i];
	}
	return NULL;
}

/* Keeps the tool outputs that stand at the end, for the model to quote. */
static void note_output(struct walk *w, const struct item_rule *rule)
{
	struct sim_request *q = w->q;
	bool output = rule->check == on_function_output || rule->check == on_custom_output;

	if (output && !w->in_outputs) {
		q->rounds++;
		q->output_count = 0;
	}
	if (output && q->output_count < SIM_OUTPUTS)
		q->outputs[q->output_count++] = w->m[M_OUTPUT];
	w->in_outputs = output;
	q->ends_in_output = output;
}

static bool check_item(struct walk *w, struct jv item)
{
	const struct item_rule *rule;
	char param[PARAM_BYTES];
	struct jv type;

	if (!jv_is(item, JV_OBJECT))
		return sim_refuse_type(w->r, param_of(w, "", param), "an object", item);
	jv_pick(item, MEMBERS, M_COUNT, w->m);
	type = w->m[M_TYPE];
	rule = jv_exists(type) ? rule_of(type) : &RULES[0];
	if (!rule)
		return sim_refuse(w->r, param_of(w, "", param), "invalid_value",
			"Invalid value: '%.*s'. Supported values are the item types of the "
			"Responses "
			"API.",
			SV_ARG(jv_str_raw(type)));
	w->q->wants_compaction = false;
	if (!check_id(w, rule->id_prefix, w->m[M_ID]) || !rule->check(w))
		return false;
	note_output(w, rule);
	return true;
}

bool sim_items_check(struct sim_txn *t, struct sim_request *q, struct sim_refusal *r)
{
	struct walk w = {.t = t, .q = q, .r = r};
	struct jv_iter it = jv_iter(q->param[SIM_P_INPUT]);

	for (; jv_next(&it); w.index++) {
		if (!check_item(&w, it.value))
			return false;
	}
	for (const struct call *call = w.calls; call; call = call->before) {
		if (!call->answered)
			return sim_refuse_with_status(r, 400, "input",
				"No tool output found for %s %.*s.",
				call->custom ? "custom tool call" : "function call",
				SV_ARG(call->id));
	}
	return true;
}
