#include "dialect/chat_writer.h"

#include <errno.h>
#include <stdio.h>

int chat_write_name(struct chat_writer *cw, struct jv name, const char *param)
{
	struct chat_state *s = cw->turn->state;
	struct sv upstream;

	if (!jv_is(name, JV_STRING) || jv_str_raw(name).n == 0)
		return api_err_param(cw->err, param, "'%s' must be a non-empty string.", param);
	upstream = chat_names_shorten(&s->options.names, cw->turn->arena, jv_str_raw(name));
	if (!upstream.p)
		return api_err_param(cw->err, param, "Too many unusual tool names.");
	jw_key_lit(&cw->w, SV("name"));
	jw_str_raw(&cw->w, upstream);
	return 0;
}

/* Members that are absent stay absent. */
static void copy_present(struct jw *w, struct jv from, struct sv key)
{
	struct jv value = jv_get(from, key);

	if (!jv_exists(value))
		return;
	jw_key_lit(w, key);
	jw_jv(w, value);
}

static int write_function(struct chat_writer *cw, struct jv function, size_t index)
{
	char param[64];

	snprintf(param, sizeof(param), "tools[%zu].function.name", index);
	jw_obj(&cw->w);
	jw_klit(&cw->w, "type", "function");
	if (chat_write_name(cw, jv_get(function, SV("name")), param))
		return -EINVAL;
	copy_present(&cw->w, function, SV("description"));
	copy_present(&cw->w, function, SV("parameters"));
	copy_present(&cw->w, function, SV("strict"));
	jw_end(&cw->w);
	return 0;
}

/* {"type":"grammar","grammar":{definition,syntax}} -> {"type":"grammar",definition,syntax} */
static void write_custom_format(struct jw *w, struct jv format)
{
	struct jv grammar = jv_get(format, SV("grammar"));

	if (!jv_exists(format))
		return;
	jw_key_lit(w, SV("format"));
	if (!jv_exists(grammar)) {
		jw_jv(w, format);
		return;
	}
	jw_obj(w);
	jw_klit(w, "type", "grammar");
	copy_present(w, grammar, SV("syntax"));
	copy_present(w, grammar, SV("definition"));
	jw_end(w);
}

static int write_custom(struct chat_writer *cw, struct jv custom, size_t index)
{
	char param[64];

	snprintf(param, sizeof(param), "tools[%zu].custom.name", index);
	jw_obj(&cw->w);
	jw_klit(&cw->w, "type", "custom");
	if (chat_write_name(cw, jv_get(custom, SV("name")), param))
		return -EINVAL;
	copy_present(&cw->w, custom, SV("description"));
	write_custom_format(&cw->w, jv_get(custom, SV("format")));
	jw_end(&cw->w);
	return 0;
}

static int write_tool(struct chat_writer *cw, struct jv tool, size_t index)
{
	struct jv type = jv_get(tool, SV("type"));
	struct jv function = jv_get(tool, SV("function"));
	struct jv custom = jv_get(tool, SV("custom"));
	char param[64];

	snprintf(param, sizeof(param), "tools[%zu]", index);
	if (!jv_is(tool, JV_OBJECT))
		return api_err_param(cw->err, param, "'%s' must be an object.", param);
	if (jv_str_eq(type, SV("function")) && jv_is(function, JV_OBJECT))
		return write_function(cw, function, index);
	if (jv_str_eq(type, SV("custom")) && jv_is(custom, JV_OBJECT))
		return write_custom(cw, custom, index);
	if (!jv_is(type, JV_STRING))
		return api_err_param(cw->err, param, "'%s' has no type.", param);
	jw_jv(&cw->w, tool);
	return 0;
}

int chat_write_tools(struct chat_writer *cw, struct jv tools, struct jv functions)
{
	struct jv_iter tool = jv_iter(tools), function = jv_iter(functions);
	size_t index = 0;

	if (jv_count(tools) + jv_count(functions) == 0)
		return 0;
	jw_karr(&cw->w, "tools");
	while (jv_next(&tool)) {
		if (write_tool(cw, tool.value, index++))
			return -EINVAL;
	}
	while (jv_next(&function)) {
		if (write_function(cw, function.value, index++))
			return -EINVAL;
	}
	jw_end(&cw->w);
	return 0;
}

static int write_named(struct chat_writer *cw, struct sv type, struct jv holder)
{
	jw_obj(&cw->w);
	jw_kstr(&cw->w, "type", type);
	if (chat_write_name(cw, jv_get(holder, SV("name")), "tool_choice"))
		return -EINVAL;
	jw_end(&cw->w);
	return 0;
}

/* A function or custom tool that a choice names; other types pass. */
static int write_choice(struct chat_writer *cw, struct jv choice)
{
	struct jv function = jv_get(choice, SV("function"));
	struct jv custom = jv_get(choice, SV("custom"));

	if (jv_is(function, JV_OBJECT))
		return write_named(cw, SV("function"), function);
	if (jv_is(custom, JV_OBJECT))
		return write_named(cw, SV("custom"), custom);
	jw_jv(&cw->w, choice);
	return 0;
}

static int write_allowed(struct chat_writer *cw, struct jv allowed)
{
	struct jv_iter tool = jv_iter(jv_get(allowed, SV("tools")));

	jw_obj(&cw->w);
	jw_klit(&cw->w, "type", "allowed_tools");
	copy_present(&cw->w, allowed, SV("mode"));
	jw_karr(&cw->w, "tools");
	while (jv_next(&tool)) {
		if (write_choice(cw, tool.value))
			return -EINVAL;
	}
	jw_end(&cw->w);
	jw_end(&cw->w);
	return 0;
}

int chat_write_tool_choice(struct chat_writer *cw, struct jv choice, struct jv function_call)
{
	struct jv allowed = jv_get(choice, SV("allowed_tools"));

	if (jv_is_nil(choice) && jv_is_nil(function_call))
		return 0;
	jw_key_lit(&cw->w, SV("tool_choice"));
	if (jv_is_nil(choice)) {
		if (jv_is(function_call, JV_OBJECT))
			return write_named(cw, SV("function"), function_call);
		jw_jv(&cw->w, function_call);
		return 0;
	}
	if (jv_is(allowed, JV_OBJECT))
		return write_allowed(cw, allowed);
	return write_choice(cw, choice);
}
