#include "sim/sim_tools.h"

#include "sim/sim_check.h"

#include <stdio.h>

enum { NAME_LENGTH = 64, PARAM_BYTES = 96, UNIQUE_NAMES = 1024 };

static bool is_callable(struct jv tool)
{
	struct jv type = jv_get(tool, SV("type"));

	return jv_str_eq(type, SV("function")) || jv_str_eq(type, SV("custom"));
}

static bool find_in(struct jv list, struct sv name, struct sv space, struct sim_tool *ret)
{
	struct jv_iter it = jv_iter(list);

	while (jv_next(&it)) {
		struct jv own = jv_get(it.value, SV("name"));

		if (!is_callable(it.value) || (name.n && !jv_str_eq(own, name)))
			continue;
		*ret = (struct sim_tool){it.value, jv_str_raw(own), space,
			jv_str_eq(jv_get(it.value, SV("type")), SV("custom"))};
		return true;
	}
	return false;
}

bool sim_tools_find(const struct sim_request *q, struct sv name, struct sim_tool *ret)
{
	for (unsigned i = 0; i < q->tool_list_count; i++) {
		struct jv_iter it = jv_iter(q->tool_lists[i]);

		if (find_in(q->tool_lists[i], name, SV_NONE, ret))
			return true;
		while (jv_next(&it)) {
			if (jv_str_eq(jv_get(it.value, SV("type")), SV("namespace")) &&
				find_in(jv_get(it.value, SV("tools")), name,
					jv_str_raw(jv_get(it.value, SV("name"))), ret))
				return true;
		}
	}
	return false;
}

/* {"type":"allowed_tools","mode":"required","tools":[…]}: the first of them. */
static int demanded_of_allowed(const struct sim_request *q, struct jv choice, struct sim_tool *ret)
{
	struct jv_iter it = jv_iter(jv_get(choice, SV("tools")));

	if (!jv_str_eq(jv_get(choice, SV("mode")), SV("required")) || !jv_next(&it))
		return 0;
	return sim_tools_find(q, jv_str_raw(jv_get(it.value, SV("name"))), ret) ? 1 : 0;
}

int sim_tools_demanded(const struct sim_request *q, struct sim_tool *ret)
{
	struct jv choice = q->param[SIM_P_TOOL_CHOICE];
	struct jv type = jv_get(choice, SV("type"));

	if (jv_str_eq(choice, SV("none")))
		return -1;
	if (jv_str_eq(choice, SV("required")))
		return sim_tools_find(q, SV_NONE, ret) ? 1 : 0;
	if (jv_str_eq(type, SV("allowed_tools")))
		return demanded_of_allowed(q, choice, ret);
	if (jv_str_eq(type, SV("function")) || jv_str_eq(type, SV("custom")))
		return sim_tools_find(q, jv_str_raw(jv_get(choice, SV("name"))), ret) ? 1 : 0;
	return 0;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

bool sim_tools_check_name(struct sv name, const char *param, struct sim_refusal *r)
{
	if (!name.n)
		return sim_refuse(r, param, "empty_string",
			"Invalid '%s': empty string. Expected a string with minimum length 1, but "
			"got "
			"an empty string instead.",
			param);
	if (name.n > NAME_LENGTH)
		return sim_refuse_length(r, param, NAME_LENGTH, name.n);
	for (size_t i = 0; i < name.n; i++) {
		if (!is_name_char(name.p[i]))
			return sim_refuse(r, param, "invalid_value",
				"Invalid '%s': string does not match pattern. Expected a string "
				"that "
				"matches the pattern '^[a-zA-Z0-9_-]+$'.",
				param);
	}
	return true;
}

static bool check_name(struct jv name, unsigned index, struct sim_refusal *r)
{
	char param[PARAM_BYTES];

	snprintf(param, sizeof(param), "tools[%u].name", index);
	if (jv_is_nil(name))
		return sim_refuse_missing(r, param);
	if (!jv_is(name, JV_STRING))
		return sim_refuse_type(r, param, "a string", name);
	return sim_tools_check_name(jv_str_raw(name), param, r);
}

static bool check_unique(struct sv name, struct sv *seen, unsigned *count, struct sim_refusal *r)
{
	for (unsigned i = 0; i < *count; i++) {
		if (sv_eq(seen[i], name))
			return sim_refuse(r, "tools", "invalid_value",
				"Duplicate tool name: '%.*s'. Tool names must be unique.",
				SV_ARG(name));
	}
	if (*count < UNIQUE_NAMES)
		seen[(*count)++] = name;
	return true;
}

static bool check_tool(
	struct jv tool, unsigned index, struct sv *seen, unsigned *count, struct sim_refusal *r)
{
	struct jv type = jv_get(tool, SV("type"));
	struct jv name = jv_get(tool, SV("name"));
	char param[PARAM_BYTES];

	snprintf(param, sizeof(param), "tools[%u]", index);
	if (!jv_is(tool, JV_OBJECT))
		return sim_refuse_type(r, param, "an object", tool);
	if (!jv_is(type, JV_STRING))
		return sim_refuse(r, param, "missing_required_parameter",
			"Missing required parameter: '%s.type'.", param);
	if (sv_starts(jv_str_raw(type), SV("web_search_preview")))
		return sim_refuse_detail(
			r, 400, "Unsupported tool type: %.*s", SV_ARG(jv_str_raw(type)));
	if (!is_callable(tool))
		return true;
	if (!check_name(name, index, r) || !check_unique(jv_str_raw(name), seen, count, r))
		return false;
	if (jv_str_eq(type, SV("function")) && !jv_is_nil(jv_get(tool, SV("parameters"))) &&
		!jv_is(jv_get(tool, SV("parameters")), JV_OBJECT))
		return sim_refuse_type(
			r, param, "an object as parameters", jv_get(tool, SV("parameters")));
	return true;
}

/* A function or custom tool that is named has to be declared; others are not looked for. */
static bool check_named(const struct sim_request *q, struct jv choice, struct sim_refusal *r)
{
	struct jv type = jv_get(choice, SV("type"));
	struct jv name = jv_get(choice, SV("name"));
	struct sim_tool tool;

	if (!jv_str_eq(type, SV("function")) && !jv_str_eq(type, SV("custom")))
		return true;
	if (jv_is_nil(name))
		return sim_refuse_missing(r, "tool_choice.name");
	if (sim_tools_find(q, jv_str_raw(name), &tool))
		return true;
	return sim_refuse(r, "tool_choice", NULL,
		"Tool choice '%.*s' not found in 'tools' parameter.", SV_ARG(jv_str_raw(type)));
}

static bool check_allowed(const struct sim_request *q, struct jv choice, struct sim_refusal *r)
{
	static const char *const MODES[] = {"auto", "required"};
	struct jv mode = jv_get(choice, SV("mode"));
	struct jv tools = jv_get(choice, SV("tools"));
	struct jv_iter it = jv_iter(tools);

	if (!sim_check_is_one_of(mode, MODES, ARRAY_LEN(MODES)))
		return sim_refuse_value(
			r, "tool_choice.mode", jv_str_raw(mode), "'auto' and 'required'");
	if (!jv_is(tools, JV_ARRAY))
		return sim_refuse_type(r, "tool_choice.tools", "an array", tools);
	while (jv_next(&it)) {
		if (!check_named(q, it.value, r))
			return false;
	}
	return true;
}

static bool check_choice(const struct sim_request *q, struct sim_refusal *r)
{
	static const char *const WORDS[] = {"auto", "none", "required"};
	struct jv choice = q->param[SIM_P_TOOL_CHOICE];

	if (jv_is_nil(choice) || sim_check_is_one_of(choice, WORDS, ARRAY_LEN(WORDS)))
		return true;
	if (!jv_is(choice, JV_OBJECT))
		return sim_refuse_value(
			r, "tool_choice", jv_str_raw(choice), "'none', 'auto', and 'required'");
	if (jv_str_eq(jv_get(choice, SV("type")), SV("allowed_tools")))
		return check_allowed(q, choice, r);
	return check_named(q, choice, r);
}

bool sim_tools_check(const struct sim_request *q, struct sim_refusal *r)
{
	struct jv tools = q->param[SIM_P_TOOLS];
	struct jv_iter it = jv_iter(tools);
	struct sv seen[UNIQUE_NAMES];
	unsigned count = 0;

	if (!jv_is_nil(tools) && !jv_is(tools, JV_ARRAY))
		return sim_refuse_type(r, "tools", "an array", tools);
	for (unsigned i = 0; jv_next(&it); i++) {
		if (!check_tool(it.value, i, seen, &count, r))
			return false;
	}
	return check_choice(q, r);
}
