#include "dialect/chat_tools.h"

#include <errno.h>
#include <stdio.h>

/* One element of tools or functions. */
struct tool {
	const struct chat_tools *of;
	const char *list; /* "tools" */
	size_t index;
	struct jv value;
};

static int refuse(const struct tool *tool, const char *member, const char *text)
{
	char param[96];

	snprintf(param, sizeof(param), "%s[%zu]%s%s", tool->list, tool->index, member[0] ? "." : "",
		member);
	return api_err_param(tool->of->err, param, "'%s' %s.", param, text);
}

static void write_if(struct jw *w, struct sv key, struct jv value)
{
	if (jv_is_nil(value))
		return;
	jw_key_lit(w, key);
	jw_jv(w, value);
}

static int write_name(const struct tool *tool, struct jv name, const char *member, struct jw *w)
{
	if (!jv_is(name, JV_STRING) || jv_str_raw(name).n == 0)
		return refuse(tool, member, "must be a non-empty string");
	if (chat_names_add(tool->of->names, name, tool->of->arena))
		return api_err_param(tool->of->err, tool->list, "'%s' is too long.", tool->list);
	jw_key_lit(w, SV("name"));
	chat_names_write(name, w);
	return 0;
}

static int write_function(const struct tool *tool, struct jv function, struct jw *w)
{
	static const struct sv keys[] = {
		{"name", 4}, {"description", 11}, {"parameters", 10}, {"strict", 6}};
	struct jv member[ARRAY_LEN(keys)];
	bool legacy = tool->list[0] == 'f';

	if (!jv_is(function, JV_OBJECT))
		return refuse(tool, legacy ? "" : "function", "must be an object");
	jv_pick(function, keys, ARRAY_LEN(keys), member);
	jw_obj(w);
	jw_klit(w, "type", "function");
	if (write_name(tool, member[0], legacy ? "name" : "function.name", w))
		return -EINVAL;
	for (size_t i = 1; i < ARRAY_LEN(keys); i++)
		write_if(w, keys[i], member[i]);
	jw_end(w);
	return 0;
}

/* chat: {type:"grammar",grammar:{definition,syntax}}; upstream wants the two beside the type. */
static void write_format(struct jv format, struct jw *w)
{
	struct jv grammar = jv_get(format, SV("grammar"));
	struct jv_iter it = jv_iter(grammar);

	if (jv_is_nil(format))
		return;
	jw_key_lit(w, SV("format"));
	if (!jv_is(grammar, JV_OBJECT)) {
		jw_jv(w, format);
		return;
	}
	jw_obj(w);
	jw_klit(w, "type", "grammar");
	while (jv_next(&it)) {
		if (jv_key_eq(it.key, SV("type")))
			continue;
		jw_key_lit(w, it.key);
		jw_jv(w, it.value);
	}
	jw_end(w);
}

static int write_custom(const struct tool *tool, struct jv custom, struct jw *w)
{
	if (!jv_is(custom, JV_OBJECT))
		return refuse(tool, "custom", "must be an object");
	jw_obj(w);
	jw_klit(w, "type", "custom");
	if (write_name(tool, jv_get(custom, SV("name")), "custom.name", w))
		return -EINVAL;
	write_if(w, SV("description"), jv_get(custom, SV("description")));
	write_format(jv_get(custom, SV("format")), w);
	jw_end(w);
	return 0;
}

/* The nested object of a tool, or the tool itself where a client sent it flat. */
static struct jv nested(struct jv tool, struct sv key)
{
	struct jv inner = jv_get(tool, key);

	return !jv_exists(inner) && jv_exists(jv_get(tool, SV("name"))) ? tool : inner;
}

static int write_tool(const struct tool *tool, struct jw *w)
{
	struct jv type = jv_get(tool->value, SV("type"));

	if (!jv_is(tool->value, JV_OBJECT))
		return refuse(tool, "", "must be an object");
	if (!jv_is(type, JV_STRING))
		return refuse(tool, "type", "must be a string");
	if (jv_str_eq(type, SV("function")))
		return write_function(tool, nested(tool->value, SV("function")), w);
	if (jv_str_eq(type, SV("custom")))
		return write_custom(tool, nested(tool->value, SV("custom")), w);
	jw_jv(w, tool->value);
	return 0;
}

static int write_list(const struct chat_tools *t, struct jw *w)
{
	struct jv_iter tools = jv_iter(t->tools), functions = jv_iter(t->functions);
	struct tool tool = {.of = t, .list = "tools"};

	for (; jv_next(&tools); tool.index++) {
		tool.value = tools.value;
		if (write_tool(&tool, w))
			return -EINVAL;
	}
	tool = (struct tool){.of = t, .list = "functions"};
	for (; jv_next(&functions); tool.index++) {
		tool.value = functions.value;
		if (write_function(&tool, tool.value, w))
			return -EINVAL;
	}
	return 0;
}

/* --- web_search_options --- */

static bool has_web_search(struct jv tools)
{
	struct jv_iter it = jv_iter(tools);

	while (jv_next(&it)) {
		if (sv_starts(jv_str_raw(jv_get(it.value, SV("type"))), SV("web_search")))
			return true;
	}
	return false;
}

/* chat: {type:"approximate",approximate:{city…}}; the tool has all of it on one level. */
static int write_location(const struct chat_tools *t, struct jv location, struct jw *w)
{
	struct jv place = jv_get(location, SV("approximate"));
	struct jv_iter it;

	if (jv_is_nil(location))
		return 0;
	if (!jv_is(location, JV_OBJECT))
		return api_err_param(t->err, "web_search_options.user_location",
			"'web_search_options.user_location' must be an object.");
	it = jv_iter(jv_is(place, JV_OBJECT) ? place : location);
	jw_kobj(w, "user_location");
	jw_klit(w, "type", "approximate");
	while (jv_next(&it)) {
		if (jv_key_eq(it.key, SV("type")))
			continue;
		jw_key_lit(w, it.key);
		jw_jv(w, it.value);
	}
	jw_end(w);
	return 0;
}

/* Chat switches the search on with a member of its own, upstream with a tool. */
static int write_web_search(const struct chat_tools *t, struct jw *w)
{
	struct jv size = jv_get(t->web_search, SV("search_context_size"));

	if (!jv_is_nil(size) && !jv_is(size, JV_STRING))
		return api_err_param(t->err, "web_search_options.search_context_size",
			"'web_search_options.search_context_size' must be a string.");
	jw_obj(w);
	jw_klit(w, "type", "web_search");
	write_if(w, SV("search_context_size"), size);
	if (write_location(t, jv_get(t->web_search, SV("user_location")), w))
		return -EINVAL;
	jw_end(w);
	return 0;
}

/* --- tool_choice --- */

static int write_chosen(const struct chat_tools *t, struct jv type, struct jv holder,
	const char *param, struct jw *w)
{
	struct jv name = jv_get(holder, SV("name"));

	if (!jv_is(name, JV_STRING) || jv_str_raw(name).n == 0)
		return api_err_param(t->err, param, "'%s' must name a tool.", param);
	jw_obj(w);
	jw_key_lit(w, SV("type"));
	jw_jv(w, type);
	jw_key_lit(w, SV("name"));
	chat_names_write(name, w);
	jw_end(w);
	return 0;
}

/* A reference to one tool: function and custom are flattened, built-in types pass. */
static int write_reference(
	const struct chat_tools *t, struct jv choice, const char *param, struct jw *w)
{
	struct jv type = jv_get(choice, SV("type"));

	if (!jv_is(choice, JV_OBJECT) || !jv_is(type, JV_STRING))
		return api_err_param(t->err, param, "'%s' must have a type.", param);
	if (jv_str_eq(type, SV("function")))
		return write_chosen(t, type, nested(choice, SV("function")), param, w);
	if (jv_str_eq(type, SV("custom")))
		return write_chosen(t, type, nested(choice, SV("custom")), param, w);
	jw_jv(w, choice);
	return 0;
}

static int write_allowed(const struct chat_tools *t, struct jv choice, struct jw *w)
{
	static const char param[] = "tool_choice.allowed_tools";
	struct jv allowed = jv_get(choice, SV("allowed_tools"));
	struct jv from = jv_is(allowed, JV_OBJECT) ? allowed : choice;
	struct jv tools = jv_get(from, SV("tools"));
	struct jv_iter it = jv_iter(tools);

	if (!jv_is(tools, JV_ARRAY))
		return api_err_param(t->err, param, "'%s.tools' must be an array.", param);
	jw_obj(w);
	jw_klit(w, "type", "allowed_tools");
	write_if(w, SV("mode"), jv_get(from, SV("mode")));
	jw_karr(w, "tools");
	while (jv_next(&it)) {
		if (write_reference(t, it.value, param, w))
			return -EINVAL;
	}
	jw_end(w);
	jw_end(w);
	return 0;
}

static int write_choice(const struct chat_tools *t, struct jw *w)
{
	struct jv choice = jv_is_nil(t->tool_choice) ? t->function_call : t->tool_choice;

	if (jv_is_nil(choice))
		return 0;
	jw_key_lit(w, SV("tool_choice"));
	if (jv_is(choice, JV_STRING)) {
		jw_jv(w, choice);
		return 0;
	}
	if (jv_is_nil(t->tool_choice)) {
		struct jv function = jv_trusted(SV("\"function\""));

		return write_chosen(t, function, choice, "function_call", w);
	}
	if (jv_str_eq(jv_get(choice, SV("type")), SV("allowed_tools")))
		return write_allowed(t, choice, w);
	return write_reference(t, choice, "tool_choice", w);
}

int chat_tools_write(const struct chat_tools *t, struct jw *w)
{
	bool search = !jv_is_nil(t->web_search) && !has_web_search(t->tools);

	if (!jv_is_nil(t->tools) || !jv_is_nil(t->functions) || search) {
		jw_karr(w, "tools");
		if (write_list(t, w) || (search && write_web_search(t, w)))
			return -EINVAL;
		jw_end(w);
	}
	return write_choice(t, w);
}
