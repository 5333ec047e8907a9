#include "dialect/chat_writer.h"

#include <errno.h>
#include <stdio.h>

enum { PARAM_SIZE = 96 };

static bool has_role(struct jv message, struct sv role)
{
	return jv_str_eq(jv_get(message, SV("role")), role);
}

static bool is_instruction(struct jv message)
{
	return has_role(message, SV("system")) || has_role(message, SV("developer"));
}

static bool is_text_part(struct jv part)
{
	struct jv type = jv_get(part, SV("type"));

	return jv_str_eq(type, SV("text")) || jv_str_eq(type, SV("input_text")) ||
	       jv_str_eq(type, SV("output_text"));
}

static int refuse(struct chat_writer *cw, const char *what, const char *problem)
{
	char param[PARAM_SIZE];

	snprintf(param, sizeof(param), "messages[%zu]%s", cw->message, what);
	return api_err_param(cw->err, param, "'%s' %s", param, problem);
}

static int refuse_part(struct chat_writer *cw, size_t part, const char *problem)
{
	char what[32];

	snprintf(what, sizeof(what), ".content[%zu]", part);
	return refuse(cw, what, problem);
}

/* A string's text, or all text parts one behind the other, into the open JSON string. */
static void add_text(struct chat_writer *cw, struct jv content)
{
	struct jv_iter part = jv_iter(content);
	struct sv text = jv_str_raw(content);

	cw->has_content |= text.n > 0;
	jw_str_add_raw(&cw->w, text);
	while (jv_next(&part)) {
		if (!is_text_part(part.value))
			continue;
		text = jv_str_raw(jv_get(part.value, SV("text")));
		cw->has_content |= text.n > 0;
		jw_str_add_raw(&cw->w, text);
	}
}

int chat_write_instructions(struct chat_writer *cw, struct jv messages)
{
	struct jv_iter it = jv_iter(messages);

	jw_key_lit(&cw->w, SV("instructions"));
	jw_str_begin(&cw->w);
	while (jv_next(&it) && is_instruction(it.value)) {
		if (cw->leading++)
			jw_str_add(&cw->w, SV("\n\n"));
		add_text(cw, jv_get(it.value, SV("content")));
	}
	jw_str_end(&cw->w);
	return 0;
}

/* --- content parts
 * ---------------------------------------------------------------------------------- */

static void write_text_part(struct chat_writer *cw, struct sv type, struct sv raw_text)
{
	cw->has_content |= raw_text.n > 0;
	jw_obj(&cw->w);
	jw_kstr(&cw->w, "type", type);
	jw_key_lit(&cw->w, SV("text"));
	jw_str_raw(&cw->w, raw_text);
	jw_end(&cw->w);
}

static void copy_string(struct jw *w, struct jv from, struct sv key)
{
	struct jv value = jv_get(from, key);

	if (!jv_is(value, JV_STRING))
		return;
	jw_key_lit(w, key);
	jw_jv(w, value);
}

/* image_url may be an object {url, detail} or, as some clients send it, the URL itself. */
static int write_image(struct chat_writer *cw, struct jv image, size_t index)
{
	struct jv url = jv_is(image, JV_STRING) ? image : jv_get(image, SV("url"));

	if (!jv_is(url, JV_STRING))
		return refuse_part(cw, index, "has no image_url.url.");
	cw->has_content = true;
	jw_obj(&cw->w);
	jw_klit(&cw->w, "type", "input_image");
	jw_key_lit(&cw->w, SV("image_url"));
	jw_jv(&cw->w, url);
	copy_string(&cw->w, image, SV("detail"));
	jw_end(&cw->w);
	return 0;
}

static int write_file(struct chat_writer *cw, struct jv file, size_t index)
{
	if (!jv_is(file, JV_OBJECT))
		return refuse_part(cw, index, "has no file object.");
	cw->has_content = true;
	jw_obj(&cw->w);
	jw_klit(&cw->w, "type", "input_file");
	copy_string(&cw->w, file, SV("file_data"));
	copy_string(&cw->w, file, SV("filename"));
	copy_string(&cw->w, file, SV("file_id"));
	copy_string(&cw->w, file, SV("file_url"));
	jw_end(&cw->w);
	return 0;
}

static int write_user_part(struct chat_writer *cw, struct jv part, size_t index)
{
	struct jv type = jv_get(part, SV("type"));

	if (is_text_part(part)) {
		if (!jv_is(jv_get(part, SV("text")), JV_STRING))
			return refuse_part(cw, index, "has no text string.");
		write_text_part(cw, SV("input_text"), jv_str_raw(jv_get(part, SV("text"))));
		return 0;
	}
	if (jv_str_eq(type, SV("image_url")))
		return write_image(cw, jv_get(part, SV("image_url")), index);
	if (jv_str_eq(type, SV("file")))
		return write_file(cw, jv_get(part, SV("file")), index);
	if (jv_str_eq(type, SV("input_image")) || jv_str_eq(type, SV("input_file"))) {
		cw->has_content = true;
		jw_jv(&cw->w, part);
		return 0;
	}
	return refuse_part(cw, index, "is of a type that is not supported here.");
}

/* The content array of a user, system, or tool message. */
static int write_parts(struct chat_writer *cw, struct jv content)
{
	struct jv_iter part = jv_iter(content);

	jw_arr(&cw->w);
	if (jv_is(content, JV_STRING))
		write_text_part(cw, SV("input_text"), jv_str_raw(content));
	for (size_t i = 0; jv_is(content, JV_ARRAY) && jv_next(&part); i++) {
		if (write_user_part(cw, part.value, i))
			return -EINVAL;
	}
	jw_end(&cw->w);
	return 0;
}

static int write_message(struct chat_writer *cw, struct jv message, struct sv role)
{
	struct jv content = jv_get(message, SV("content"));

	if (!jv_is(content, JV_STRING) && !jv_is(content, JV_ARRAY))
		return refuse(cw, ".content", "must be a string or an array.");
	jw_obj(&cw->w);
	jw_klit(&cw->w, "type", "message");
	jw_kstr(&cw->w, "role", role);
	jw_key_lit(&cw->w, SV("content"));
	if (write_parts(cw, content))
		return -EINVAL;
	jw_end(&cw->w);
	return 0;
}

/* --- the assistant's turns
 * ----------------------------------------------------------------------------- */

static void write_refusal_part(struct chat_writer *cw, struct jv refusal)
{
	jw_obj(&cw->w);
	jw_klit(&cw->w, "type", "refusal");
	jw_key_lit(&cw->w, SV("refusal"));
	jw_jv(&cw->w, refusal);
	jw_end(&cw->w);
}

static void write_assistant_part(struct chat_writer *cw, struct jv part)
{
	struct jv refusal = jv_get(part, SV("refusal"));

	if (is_text_part(part) && jv_is(jv_get(part, SV("text")), JV_STRING))
		write_text_part(cw, SV("output_text"), jv_str_raw(jv_get(part, SV("text"))));
	else if (jv_is(refusal, JV_STRING))
		write_refusal_part(cw, refusal);
}

static void write_assistant_text(struct chat_writer *cw, struct jv message)
{
	struct jv content = jv_get(message, SV("content"));
	struct jv refusal = jv_get(message, SV("refusal"));
	struct jv_iter part = jv_iter(content);

	/* "" or null beside tool calls makes no message. */
	if (jv_str_raw(content).n == 0 && jv_count(content) == 0 && !jv_is(refusal, JV_STRING))
		return;
	jw_obj(&cw->w);
	jw_klit(&cw->w, "type", "message");
	jw_klit(&cw->w, "role", "assistant");
	jw_karr(&cw->w, "content");
	if (jv_str_raw(content).n)
		write_text_part(cw, SV("output_text"), jv_str_raw(content));
	while (jv_is(content, JV_ARRAY) && jv_next(&part))
		write_assistant_part(cw, part.value);
	if (jv_is(refusal, JV_STRING))
		write_refusal_part(cw, refusal);
	jw_end(&cw->w);
	jw_end(&cw->w);
}

/* The text itself, or "" when the client left it out; bytes of arguments are never touched. */
static void write_raw_text(struct jw *w, struct sv key, struct jv text)
{
	jw_key_lit(w, key);
	jw_str_raw(w, jv_str_raw(text));
}

static int write_call(struct chat_writer *cw, struct jv call, const struct chat_past_call *past)
{
	struct jv holder = jv_get(call, past->custom ? SV("custom") : SV("function"));

	if (past->id.n == 0)
		return refuse(cw, ".tool_calls", "has a call without an id.");
	cw->has_content = true;
	jw_obj(&cw->w);
	jw_kstr(&cw->w, "type", past->custom ? SV("custom_tool_call") : SV("function_call"));
	jw_key_lit(&cw->w, SV("call_id"));
	jw_str_raw(&cw->w, past->id);
	if (chat_write_name(cw, jv_get(holder, SV("name")), "messages.tool_calls.name"))
		return -EINVAL;
	if (past->custom)
		write_raw_text(&cw->w, SV("input"), jv_get(holder, SV("input")));
	else
		write_raw_text(&cw->w, SV("arguments"), jv_get(holder, SV("arguments")));
	jw_end(&cw->w);
	return 0;
}

static void begin_output(struct chat_writer *cw, bool custom, struct sv raw_id)
{
	jw_obj(&cw->w);
	jw_kstr(&cw->w, "type",
		custom ? SV("custom_tool_call_output") : SV("function_call_output"));
	jw_key_lit(&cw->w, SV("call_id"));
	jw_str_raw(&cw->w, raw_id);
	jw_key_lit(&cw->w, SV("output"));
}

/* Upstream refuses a history with a call that nobody answered. */
static void write_no_output(struct chat_writer *cw, const struct chat_past_call *past)
{
	begin_output(cw, past->custom, past->id);
	jw_str(&cw->w, SV("[no output]"));
	jw_end(&cw->w);
}

static int write_calls(struct chat_writer *cw, struct jv calls)
{
	struct jv_iter call = jv_iter(calls);
	size_t first = cw->next_call;

	if (!jv_is_nil(calls) && !jv_is(calls, JV_ARRAY))
		return refuse(cw, ".tool_calls", "must be an array.");
	while (jv_next(&call)) {
		if (write_call(cw, call.value, &cw->calls.calls[cw->next_call++]))
			return -EINVAL;
	}
	for (size_t i = first; i < cw->next_call; i++) {
		if (cw->calls.calls[i].answer == SIZE_MAX)
			write_no_output(cw, &cw->calls.calls[i]);
	}
	return 0;
}

/* Legacy function_call: it has no id, so it gets one from its place in the history. */
static void write_legacy_id(struct chat_writer *cw)
{
	char id[32];

	snprintf(id, sizeof(id), "call_legacy_%zu", cw->legacy_count);
	jw_kstr(&cw->w, "call_id", sv_cstr(id));
}

static void close_legacy(struct chat_writer *cw, struct jv content)
{
	if (cw->legacy_name.n == 0)
		return;
	jw_obj(&cw->w);
	jw_klit(&cw->w, "type", "function_call_output");
	write_legacy_id(cw);
	jw_key_lit(&cw->w, SV("output"));
	if (jv_exists(content)) {
		jw_str_begin(&cw->w);
		add_text(cw, content);
		jw_str_end(&cw->w);
	} else {
		jw_str(&cw->w, SV("[no output]"));
	}
	jw_end(&cw->w);
	cw->legacy_name = SV_NONE;
}

static int write_legacy_call(struct chat_writer *cw, struct jv call)
{
	if (!jv_is(call, JV_OBJECT))
		return 0;
	cw->legacy_count++;
	cw->has_content = true;
	jw_obj(&cw->w);
	jw_klit(&cw->w, "type", "function_call");
	write_legacy_id(cw);
	if (chat_write_name(cw, jv_get(call, SV("name")), "messages.function_call.name"))
		return -EINVAL;
	write_raw_text(&cw->w, SV("arguments"), jv_get(call, SV("arguments")));
	jw_end(&cw->w);
	cw->legacy_name = jv_str_raw(jv_get(call, SV("name")));
	return 0;
}

static int write_assistant(struct chat_writer *cw, struct jv message)
{
	write_assistant_text(cw, message);
	if (write_calls(cw, jv_get(message, SV("tool_calls"))))
		return -EINVAL;
	return write_legacy_call(cw, jv_get(message, SV("function_call")));
}

/* --- tool results
 * ----------------------------------------------------------------------------------------- */

static bool has_only_text(struct jv content)
{
	struct jv_iter part = jv_iter(content);

	while (jv_is(content, JV_ARRAY) && jv_next(&part)) {
		if (!is_text_part(part.value))
			return false;
	}
	return true;
}

static int write_tool_result(struct chat_writer *cw, struct jv message)
{
	struct jv content = jv_get(message, SV("content"));
	struct sv id = jv_str_raw(jv_get(message, SV("tool_call_id")));
	const struct chat_past_call *past = chat_calls_answered_by(&cw->calls, id, cw->message);

	if (!past)
		return 0; /* an orphan, or a second answer: upstream would refuse the history */
	begin_output(cw, past->custom, past->id);
	if (has_only_text(content)) {
		jw_str_begin(&cw->w);
		add_text(cw, content);
		jw_str_end(&cw->w);
	} else if (write_parts(cw, content)) {
		return -EINVAL;
	}
	jw_end(&cw->w);
	return 0;
}

static int write_one(struct chat_writer *cw, struct jv message)
{
	if (!jv_is(message, JV_OBJECT))
		return refuse(cw, "", "must be an object.");
	if (has_role(message, SV("function"))) {
		close_legacy(cw, jv_get(message, SV("content")));
		return 0;
	}
	close_legacy(cw, JV_NONE);
	if (has_role(message, SV("user")))
		return write_message(cw, message, SV("user"));
	if (has_role(message, SV("assistant")))
		return write_assistant(cw, message);
	if (has_role(message, SV("tool")))
		return write_tool_result(cw, message);
	if (is_instruction(message))
		return write_message(cw, message, SV("developer"));
	return refuse(cw, ".role", "must be system, developer, user, assistant, tool or function.");
}

int chat_write_input(struct chat_writer *cw, struct jv messages)
{
	struct jv_iter it = jv_iter(messages);

	jw_karr(&cw->w, "input");
	for (cw->message = 0; jv_next(&it); cw->message++) {
		if (cw->message < cw->leading && !cw->keep_leading)
			continue;
		if (write_one(cw, it.value))
			return -EINVAL;
	}
	close_legacy(cw, JV_NONE);
	jw_end(&cw->w);
	return 0;
}
