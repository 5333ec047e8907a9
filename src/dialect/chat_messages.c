#include "dialect/chat_messages.h"

#include "base/ident.h"
#include "dialect/chat_names.h"
#include "dialect/chat_parts.h"

#include <errno.h>
#include <stdio.h>

enum { CALL_ID_MAX = 64 };

static int refuse(struct chat_messages *m, const char *member, const char *text)
{
	char param[96];

	snprintf(param, sizeof(param), "messages[%zu]%s%s", m->index, member[0] ? "." : "", member);
	return api_err_param(m->err, param, "'%s' %s.", param, text);
}

static bool is_system(const struct chat_message *message)
{
	return message->role == CHAT_ROLE_SYSTEM || message->role == CHAT_ROLE_DEVELOPER;
}

static struct chat_parts parts_of(struct chat_messages *m, struct jv content)
{
	return (struct chat_parts){.content = content, .message = m->index, .err = m->err};
}

int chat_messages_begin(struct chat_messages *m, struct arena *arena)
{
	struct jv_iter it = jv_iter(m->list);
	size_t count = 0;

	while (jv_next(&it)) {
		struct chat_message message = chat_message_read(it.value);

		if (!is_system(&message)) {
			count++;
			break;
		}
		m->leading++;
	}
	/* With nothing behind them they are the input too: upstream refuses an empty one. */
	if (count == 0)
		m->keep_system = true;
	if (chat_pairs_find(&m->pairs, m->list, arena))
		return api_err_param(m->err, "messages", "'messages' has too many tool calls.");
	return 0;
}

/* --- instructions --- */

static int check_leading(struct chat_messages *m, bool *ret_any)
{
	struct jv_iter it = jv_iter(m->list);

	for (m->index = 0; m->index < m->leading && jv_next(&it); m->index++) {
		struct jv content = jv_get(it.value, SV("content"));
		struct chat_parts parts = parts_of(m, content);

		if (chat_parts_check_text(&parts))
			return -EINVAL;
		if (chat_parts_have_content(content))
			*ret_any = true;
	}
	return 0;
}

int chat_messages_instructions(struct chat_messages *m)
{
	struct jv_iter it = jv_iter(m->list);
	bool any = false, first = true;

	if (check_leading(m, &any))
		return -EINVAL;
	if (!any)
		return 0;
	jw_key_lit(m->w, SV("instructions"));
	jw_str_begin(m->w);
	for (size_t i = 0; i < m->leading && jv_next(&it); i++) {
		struct jv content = jv_get(it.value, SV("content"));

		if (!chat_parts_have_content(content))
			continue;
		if (!first)
			jw_str_add_raw(m->w, SV("\\n\\n"));
		first = false;
		chat_parts_add_text(content, m->w);
	}
	jw_str_end(m->w);
	return 0;
}

/* --- input --- */

static void begin_message(struct chat_messages *m, struct sv role)
{
	m->has_content = true;
	jw_obj(m->w);
	jw_klit(m->w, "type", "message");
	jw_key_lit(m->w, SV("role"));
	jw_str_raw(m->w, role);
	jw_karr(m->w, "content");
}

static void end_message(struct chat_messages *m)
{
	jw_end(m->w);
	jw_end(m->w);
}

static int write_plain(struct chat_messages *m, struct jv content, struct sv role)
{
	struct chat_parts parts = parts_of(m, content);

	if (!jv_is(content, JV_STRING) && !jv_is(content, JV_ARRAY))
		return refuse(m, "content", "must be a string or an array of parts");
	if (!chat_parts_have_content(content))
		return 0;
	begin_message(m, role);
	if (chat_parts_write(&parts, SV("input_text"), m->w))
		return -EINVAL;
	end_message(m);
	return 0;
}

static int write_system(struct chat_messages *m, struct jv content)
{
	struct chat_parts parts = parts_of(m, content);

	if (m->index < m->leading && !m->keep_system)
		return 0;
	if (chat_parts_check_text(&parts))
		return -EINVAL;
	return write_plain(m, content, SV("developer"));
}

static int write_assistant_text(struct chat_messages *m, const struct chat_message *message)
{
	struct chat_parts parts = parts_of(m, message->content);
	bool has_refusal = jv_str_raw(message->refusal).n > 0;

	if (!jv_is_nil(message->refusal) && !jv_is(message->refusal, JV_STRING))
		return refuse(m, "refusal", "must be a string");
	if (!jv_is_nil(message->content) && !jv_is(message->content, JV_STRING) &&
		!jv_is(message->content, JV_ARRAY))
		return refuse(m, "content", "must be a string or an array of parts");
	if (chat_parts_check_assistant(&parts))
		return -EINVAL;
	if (!has_refusal && !chat_parts_have_said(message->content))
		return 0;
	begin_message(m, SV("assistant"));
	if (chat_parts_have_said(message->content) &&
		chat_parts_write(&parts, SV("output_text"), m->w))
		return -EINVAL;
	if (has_refusal) {
		jw_obj(m->w);
		jw_klit(m->w, "type", "refusal");
		jw_kraw(m->w, "refusal", jv_raw(message->refusal));
		jw_end(m->w);
	}
	end_message(m);
	return 0;
}

/* An assistant's message of the internal form is text only: its pictures follow as the user's. */
static int write_assistant_media(struct chat_messages *m, struct jv content)
{
	struct chat_parts parts = parts_of(m, content);

	if (!chat_parts_have_pictures(content))
		return 0;
	begin_message(m, SV("user"));
	if (chat_parts_write_pictures(&parts, m->w))
		return -EINVAL;
	end_message(m);
	return 0;
}

static void write_call_id(struct chat_messages *m, const struct chat_call *call)
{
	char hash[IDENT_HEX_SIZE];

	jw_key_lit(m->w, SV("call_id"));
	if (!call->legacy && call->id.n > CALL_ID_MAX) {
		/* Another provider's: upstream takes 64 bytes (PROTOCOL 3). */
		ident_fingerprint(call->id, hash);
		jw_str_begin(m->w);
		jw_str_add_raw(m->w, SV("call_"));
		jw_str_add_raw(m->w, sv_cstr(hash));
		jw_str_end(m->w);
		return;
	}
	if (!call->legacy) {
		jw_str(m->w, call->id);
		return;
	}
	/* A legacy call has no id. */
	jw_str_begin(m->w);
	jw_str_add_raw(m->w, SV("call_function_"));
	buf_add_u64(m->w->out, call->order);
	jw_str_end(m->w);
}

/* A call's name, and its arguments or input. path: of body, relative to the message. */
struct called {
	struct jv body;
	const char *path;
};

static int refuse_called(
	struct chat_messages *m, const struct called *c, const char *member, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "%s.%s", c->path, member);
	return refuse(m, path, text);
}

static int write_call(struct chat_messages *m, const struct called *c, const struct chat_call *call)
{
	struct jv name = jv_get(c->body, SV("name"));
	struct jv text = jv_get(c->body, call->custom ? SV("input") : SV("arguments"));

	if (!jv_is(name, JV_STRING) || jv_str_raw(name).n == 0)
		return refuse_called(m, c, "name", "must be a non-empty string");
	if (!jv_is_nil(text) && !jv_is(text, JV_STRING))
		return refuse_called(
			m, c, call->custom ? "input" : "arguments", "must be a string");
	m->has_content = true;
	jw_obj(m->w);
	jw_key_lit(m->w, SV("type"));
	jw_str_raw(m->w, call->custom ? SV("custom_tool_call") : SV("function_call"));
	write_call_id(m, call);
	jw_key_lit(m->w, SV("name"));
	chat_names_write(name, m->w);
	jw_key_lit(m->w, call->custom ? SV("input") : SV("arguments"));
	jw_str_raw(m->w, jv_is_nil(text) && !call->custom ? SV("{}") : jv_str_raw(text));
	jw_end(m->w);
	return 0;
}

static void begin_output(struct chat_messages *m, const struct chat_call *call)
{
	jw_obj(m->w);
	jw_key_lit(m->w, SV("type"));
	jw_str_raw(m->w, call->custom ? SV("custom_tool_call_output") : SV("function_call_output"));
	write_call_id(m, call);
	jw_key_lit(m->w, SV("output"));
}

static int write_tool_calls(struct chat_messages *m, struct jv calls)
{
	struct jv_iter it = jv_iter(calls);

	if (jv_is_nil(calls))
		return 0;
	if (!jv_is(calls, JV_ARRAY))
		return refuse(m, "tool_calls", "must be an array");
	for (size_t i = 0; jv_next(&it); i++) {
		const struct chat_call *call = &m->pairs.calls[m->next_call++];
		struct jv body = jv_get(it.value, call->custom ? SV("custom") : SV("function"));
		char path[48];
		struct called called = {body, path};

		snprintf(path, sizeof(path), "tool_calls[%zu].id", i);
		if (call->id.n == 0)
			return refuse(m, path, "must be a non-empty string");
		snprintf(path, sizeof(path), "tool_calls[%zu].%s", i,
			call->custom ? "custom" : "function");
		if (!jv_is(body, JV_OBJECT))
			return refuse(m, path, "must be an object");
		if (write_call(m, &called, call))
			return -EINVAL;
	}
	return 0;
}

static int write_assistant(struct chat_messages *m, const struct chat_message *message)
{
	size_t first = m->next_call;

	if (write_assistant_text(m, message) || write_assistant_media(m, message->content) ||
		write_tool_calls(m, message->tool_calls))
		return -EINVAL;
	if (jv_is(message->function_call, JV_OBJECT)) {
		struct called called = {message->function_call, "function_call"};

		if (write_call(m, &called, &m->pairs.calls[m->next_call++]))
			return -EINVAL;
	} else if (!jv_is_nil(message->function_call)) {
		return refuse(m, "function_call", "must be an object");
	}
	for (size_t i = first; i < m->next_call; i++) {
		if (m->pairs.calls[i].answered)
			continue;
		begin_output(m, &m->pairs.calls[i]);
		jw_str_raw(m->w, SV("[no output]"));
		jw_end(m->w);
	}
	return 0;
}

static int write_output_value(struct chat_messages *m, struct jv content)
{
	struct chat_parts parts = parts_of(m, content);

	if (jv_is_nil(content)) {
		jw_str_raw(m->w, SV(""));
		return 0;
	}
	if (chat_parts_have_media(content)) {
		jw_arr(m->w);
		if (chat_parts_write(&parts, SV("input_text"), m->w))
			return -EINVAL;
		jw_end(m->w);
		return 0;
	}
	if (chat_parts_check_text(&parts))
		return -EINVAL;
	jw_str_begin(m->w);
	chat_parts_add_text(content, m->w);
	jw_str_end(m->w);
	return 0;
}

static int write_reply(struct chat_messages *m, const struct chat_message *message)
{
	const struct chat_reply *reply = &m->pairs.replies[m->next_reply++];

	if (reply->id.n == 0)
		return refuse(
			m, reply->legacy ? "name" : "tool_call_id", "must be a non-empty string");
	if (!reply->call) {
		if (m->dropped < CHAT_DROPPED_NAMED)
			m->dropped_at[m->dropped] = m->index;
		m->dropped++;
		return 0;
	}
	m->has_content = true;
	begin_output(m, reply->call);
	if (write_output_value(m, message->content))
		return -EINVAL;
	jw_end(m->w);
	return 0;
}

static int write_message(struct chat_messages *m, struct jv value)
{
	struct chat_message message = chat_message_read(value);

	if (!jv_is(value, JV_OBJECT))
		return refuse(m, "", "must be an object");
	switch (message.role) {
	case CHAT_ROLE_SYSTEM:
	case CHAT_ROLE_DEVELOPER:
		return write_system(m, message.content);
	case CHAT_ROLE_USER:
		return write_plain(m, message.content, SV("user"));
	case CHAT_ROLE_ASSISTANT:
		return write_assistant(m, &message);
	case CHAT_ROLE_TOOL:
	case CHAT_ROLE_FUNCTION:
		return write_reply(m, &message);
	case CHAT_ROLE_NONE:
		break;
	}
	return refuse(m, "role", "must be system, developer, user, assistant or tool");
}

int chat_messages_input(struct chat_messages *m)
{
	struct jv_iter it = jv_iter(m->list);

	m->has_content = false; /* instructions alone are no input */
	jw_arr(m->w);
	for (m->index = 0; jv_next(&it); m->index++) {
		if (write_message(m, it.value))
			return -EINVAL;
	}
	jw_end(m->w);
	if (!m->has_content)
		return api_err_param(
			m->err, "messages", "'messages' must have a message with content.");
	return 0;
}
