#include "codex/items.h"

#include "base/limits.h"

#include <stdio.h>

enum { ITEM_ID_MAX = 64 };

static const struct items_id_rule id_rules[] = {
	{SV("message"), SV("msg_")},
	{SV("reasoning"), SV("rs_")},
	{SV("function_call"), SV("fc_")},
	{SV("function_call_output"), SV("fco_")},
	{SV("custom_tool_call"), SV("ctc_")},
	{SV("custom_tool_call_output"), SV("ctco_")},
};

static const struct items_part_rule part_rules[] = {
	{true, SV("input_text"), SV("output_text")},
	{true, SV("text"), SV("output_text")},
	{false, SV("text"), SV("input_text")},
};

enum fate {
	FATE_KEEP,
	FATE_DROP,
	FATE_REWRITE,
	FATE_NOT_OBJECT,
	FATE_REFERENCE,
};

/* The members of an item that rules look at. */
struct item {
	struct jv type, role, id, content, blob;
};

const struct items_id_rule *items_id_rules(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(id_rules);
	return id_rules;
}

const struct items_part_rule *items_part_rules(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(part_rules);
	return part_rules;
}

static struct item pick(struct jv v)
{
	static const struct sv keys[] = {
		SV("type"), SV("role"), SV("id"), SV("content"), SV("encrypted_content")};
	struct jv out[ARRAY_LEN(keys)];

	jv_pick(v, keys, ARRAY_LEN(keys), out);
	return (struct item){out[0], out[1], out[2], out[3], out[4]};
}

static bool is_message(const struct item *item)
{
	return jv_is_nil(item->type) || jv_str_eq(item->type, SV("message"));
}

/* Clients may leave the type of a reference out. */
static bool is_reference(const struct item *item)
{
	if (jv_is_nil(item->type))
		return jv_is_nil(item->role) && jv_is(item->id, JV_STRING);
	return jv_str_eq(item->type, SV("item_reference"));
}

static bool has_blob(const struct item *item)
{
	return jv_str_raw(item->blob).n > 0;
}

/* A wrong prefix or an id that is too long: refused, while an item without an id is accepted. */
static bool id_is_bad(const struct item *item, struct jv id)
{
	struct sv text = jv_str_raw(id);

	if (!jv_is(id, JV_STRING))
		return false;
	if (text.n > ITEM_ID_MAX)
		return true;
	if (jv_is_nil(item->type))
		return !sv_starts(text, SV("msg_"));
	for (size_t i = 0; i < ARRAY_LEN(id_rules); i++) {
		if (jv_str_eq(item->type, id_rules[i].type))
			return !sv_starts(text, id_rules[i].prefix);
	}
	return false;
}

/* What a part's type is renamed to; SV_NONE: it stays. */
static struct sv part_type(struct jv type, bool assistant)
{
	for (size_t i = 0; i < ARRAY_LEN(part_rules); i++) {
		if (part_rules[i].assistant == assistant && jv_str_eq(type, part_rules[i].from))
			return part_rules[i].to;
	}
	return SV_NONE;
}

static bool content_needs_change(struct jv content, bool assistant)
{
	struct jv_iter it = jv_iter(content);

	if (!jv_is(content, JV_ARRAY))
		return false;
	while (jv_next(&it)) {
		if (part_type(jv_get(it.value, SV("type")), assistant).n > 0)
			return true;
	}
	return false;
}

static enum fate fate_native(const struct item *item, const struct items_options *options)
{
	if (options->drop_reasoning && jv_str_eq(item->type, SV("reasoning")) && has_blob(item))
		return FATE_DROP;
	return FATE_KEEP;
}

static enum fate fate_of(struct jv v, const struct item *item, const struct items_options *options)
{
	if (options->native)
		return fate_native(item, options);
	if (!jv_is(v, JV_OBJECT))
		return FATE_NOT_OBJECT;
	if (is_reference(item))
		return FATE_REFERENCE;
	if (jv_str_eq(item->type, SV("reasoning")) && (options->drop_reasoning || !has_blob(item)))
		return FATE_DROP;
	if (id_is_bad(item, item->id))
		return FATE_REWRITE;
	if (!is_message(item))
		return FATE_KEEP;
	if (jv_str_eq(item->role, SV("system")))
		return FATE_REWRITE;
	if (content_needs_change(item->content, jv_str_eq(item->role, SV("assistant"))))
		return FATE_REWRITE;
	return FATE_KEEP;
}

bool items_need_change(struct jv input, const struct items_options *options)
{
	struct jv_iter it = jv_iter(input);

	if (!jv_is(input, JV_ARRAY))
		return !options->native;
	if (options->native && !options->drop_reasoning)
		return false;
	while (jv_next(&it)) {
		struct item item = pick(it.value);

		if (fate_of(it.value, &item, options) != FATE_KEEP)
			return true;
	}
	return false;
}

static void write_part(struct jw *w, struct jv part, bool assistant)
{
	struct jv_iter it = jv_iter(part);

	if (!part_type(jv_get(part, SV("type")), assistant).n) {
		jw_jv(w, part);
		return;
	}
	jw_obj(w);
	while (jv_next(&it)) {
		struct sv renamed = SV_NONE;

		if (jv_key_eq(it.key, SV("type")))
			renamed = part_type(it.value, assistant);
		jw_key_lit(w, it.key);
		if (renamed.n)
			jw_str(w, renamed);
		else
			jw_jv(w, it.value);
	}
	jw_end(w);
}

static void write_content(struct jw *w, struct jv content, bool assistant)
{
	struct jv_iter it = jv_iter(content);

	if (!content_needs_change(content, assistant)) {
		jw_jv(w, content);
		return;
	}
	jw_arr(w);
	while (jv_next(&it))
		write_part(w, it.value, assistant);
	jw_end(w);
}

/* An item that is not right: its members that are keep their bytes. */
static void write_item(struct jw *w, struct jv v, const struct item *item)
{
	struct jv_iter it = jv_iter(v);
	bool message = is_message(item);
	bool assistant = jv_str_eq(item->role, SV("assistant"));

	jw_obj(w);
	while (jv_next(&it)) {
		if (jv_key_eq(it.key, SV("id")) && id_is_bad(item, it.value))
			continue;
		jw_key_lit(w, it.key);
		if (message && jv_key_eq(it.key, SV("role")) && jv_str_eq(it.value, SV("system")))
			jw_str(w, SV("developer"));
		else if (message && jv_key_eq(it.key, SV("content")))
			write_content(w, it.value, assistant);
		else
			jw_jv(w, it.value);
	}
	jw_end(w);
}

static int refuse(enum fate fate, size_t index, struct api_err *err)
{
	char param[32];

	snprintf(param, sizeof(param), "input[%zu]", index);
	if (fate == FATE_NOT_OBJECT)
		return api_err_param(err, param, "Items of input must be objects.");
	return api_err_param(
		err, param, "This item reference cannot be resolved. Send the item itself.");
}

void items_write_text(struct jw *w, struct jv text)
{
	jw_obj(w);
	jw_klit(w, "type", "message");
	jw_klit(w, "role", "user");
	jw_karr(w, "content");
	jw_obj(w);
	jw_klit(w, "type", "input_text");
	jw_key_lit(w, SV("text"));
	jw_jv(w, text);
	jw_end(w);
	jw_end(w);
	jw_end(w);
}

static int write_changed(
	struct jw *w, struct jv input, const struct items_options *options, struct api_err *err)
{
	struct jv_iter it = jv_iter(input);

	jw_arr(w);
	for (size_t index = 0; jv_next(&it); index++) {
		struct item item = pick(it.value);
		enum fate fate = fate_of(it.value, &item, options);

		if (fate == FATE_NOT_OBJECT || fate == FATE_REFERENCE)
			return refuse(fate, index, err);
		if (fate == FATE_KEEP)
			jw_jv(w, it.value);
		else if (fate == FATE_REWRITE)
			write_item(w, it.value, &item);
	}
	jw_end(w);
	return 0;
}

int items_write(
	struct jw *w, struct jv input, const struct items_options *options, struct api_err *err)
{
	if (!options->native && jv_is(input, JV_STRING)) {
		jw_arr(w);
		items_write_text(w, input);
		jw_end(w);
		return 0;
	}
	if (!options->native && jv_is_nil(input))
		return api_err_param(err, "input", "Missing required parameter: input.");
	if (!options->native && !jv_is(input, JV_ARRAY))
		return api_err_param(err, "input", "input must be a string or an array.");
	if (items_need_change(input, options))
		return write_changed(w, input, options, err);
	jw_jv(w, input);
	return 0;
}

struct jv items_reference(struct jv v)
{
	struct item item = pick(v);

	return is_reference(&item) ? item.id : JV_NONE;
}

struct jv items_first_user(struct jv input)
{
	struct jv_iter it = jv_iter(input);
	struct jv first = JV_NONE;

	if (!jv_is(input, JV_ARRAY))
		return input;
	while (jv_next(&it)) {
		if (!first.n)
			first = it.value;
		if (jv_str_eq(jv_get(it.value, SV("role")), SV("user")))
			return it.value;
	}
	return first;
}
