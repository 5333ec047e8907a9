#include "dialect/chat_internal.h"

#include <errno.h>

const char *chat_finish_reason(const struct event *ev, bool has_calls)
{
	struct jv details = jv_get(jv_get(ev->json, SV("response")), SV("incomplete_details"));
	struct jv reason = jv_get(details, SV("reason"));

	if (ev->type == EVENT_INCOMPLETE && jv_str_eq(reason, SV("content_filter")))
		return "content_filter";
	if (ev->type == EVENT_INCOMPLETE)
		return "length";
	return has_calls ? "tool_calls" : "stop";
}

void chat_usage_write(const struct usage *u, struct jw *w)
{
	jw_obj(w);
	jw_ki64(w, "prompt_tokens", u->input_tokens);
	jw_ki64(w, "completion_tokens", u->output_tokens);
	jw_ki64(w, "total_tokens", u->total_tokens);
	jw_kobj(w, "prompt_tokens_details");
	jw_ki64(w, "cached_tokens", u->cached_tokens);
	jw_end(w);
	jw_kobj(w, "completion_tokens_details");
	jw_ki64(w, "reasoning_tokens", u->reasoning_tokens);
	jw_end(w);
	jw_end(w);
}

static void copy_member(struct jv from, struct sv key, struct jw *w)
{
	struct jv value = jv_get(from, key);

	if (!jv_exists(value))
		return;
	jw_key_lit(w, key);
	jw_jv(w, value);
}

void chat_annotation_write(struct jv note, struct jw *w)
{
	jw_obj(w);
	jw_klit(w, "type", "url_citation");
	jw_kobj(w, "url_citation");
	copy_member(note, SV("url"), w);
	copy_member(note, SV("title"), w);
	copy_member(note, SV("start_index"), w);
	copy_member(note, SV("end_index"), w);
	jw_end(w);
	jw_end(w);
}

/* Finds the items of the answer: those that were finished, else what the terminal event lists. */
static int collect_items(struct turn *t, const struct event *ev, struct buf *text, struct jv *ret)
{
	struct chat_state *s = t->state;
	struct jv listed = jv_get(jv_get(ev->json, SV("response")), SV("output"));

	*ret = listed;
	if (s->items.count == 0)
		return 0;
	buf_add_char(text, '[');
	item_list_join(&s->items, t, text);
	buf_add_char(text, ']');
	*ret = jv_trusted(buf_sv(text));
	return buf_error(text);
}

static bool is_type(struct jv v, struct sv type)
{
	return jv_str_eq(jv_get(v, SV("type")), type);
}

/* Joins a string member of all parts of a kind, over all messages, as one JSON string. */
static bool join_parts(
	struct jv items, struct sv part_type, struct sv member, struct jw *w, struct sv key)
{
	struct jv_iter item = jv_iter(items);
	bool any = false;

	while (jv_next(&item)) {
		struct jv_iter part = jv_iter(jv_get(item.value, SV("content")));

		while (is_type(item.value, SV("message")) && jv_next(&part)) {
			if (!is_type(part.value, part_type))
				continue;
			if (!any) {
				jw_key_lit(w, key);
				jw_str_begin(w);
			}
			any = true;
			jw_str_add_raw(w, jv_str_raw(jv_get(part.value, member)));
		}
	}
	if (any)
		jw_str_end(w);
	return any;
}

/* Parts of all reasoning items, separated by a blank line. */
static void write_reasoning(struct jv items, struct jw *w)
{
	struct jv_iter item = jv_iter(items);
	bool any = false;

	while (jv_next(&item)) {
		struct jv summary = jv_get(item.value, SV("summary"));
		struct jv source = jv_count(summary) ? summary : jv_get(item.value, SV("content"));
		struct jv_iter part = jv_iter(source);

		while (is_type(item.value, SV("reasoning")) && jv_next(&part)) {
			if (!any) {
				jw_key_lit(w, SV("reasoning_content"));
				jw_str_begin(w);
			} else {
				jw_str_add(w, SV("\n\n"));
			}
			any = true;
			jw_str_add_raw(w, jv_str_raw(jv_get(part.value, SV("text"))));
		}
	}
	if (any)
		jw_str_end(w);
}

static void write_call(struct turn *t, struct jv item, bool custom, struct jw *w)
{
	const struct chat_state *s = t->state;
	struct sv name = jv_str_raw(jv_get(item, SV("name")));
	struct sv text = jv_str_raw(jv_get(item, custom ? SV("input") : SV("arguments")));

	jw_obj(w);
	jw_key_lit(w, SV("id"));
	jw_str_raw(w, jv_str_raw(jv_get(item, SV("call_id"))));
	jw_kstr(w, "type", custom ? SV("custom") : SV("function"));
	jw_key_lit(w, custom ? SV("custom") : SV("function"));
	jw_obj(w);
	jw_key_lit(w, SV("name"));
	jw_str_raw(w, chat_names_restore(&s->options.names, name));
	jw_key_lit(w, custom ? SV("input") : SV("arguments"));
	jw_str_raw(w, text);
	jw_end(w);
	jw_end(w);
}

static bool write_calls(struct turn *t, struct jv items, struct jw *w)
{
	struct jv_iter item = jv_iter(items);
	bool any = false;

	while (jv_next(&item)) {
		bool custom = is_type(item.value, SV("custom_tool_call"));

		if (!custom && !is_type(item.value, SV("function_call")))
			continue;
		if (!any)
			jw_karr(w, "tool_calls");
		any = true;
		write_call(t, item.value, custom, w);
	}
	if (any)
		jw_end(w);
	return any;
}

static void write_part_annotations(struct jv part, bool *any, struct jw *w)
{
	struct jv_iter note = jv_iter(jv_get(part, SV("annotations")));

	while (jv_next(&note)) {
		if (!is_type(note.value, SV("url_citation")))
			continue;
		if (!*any)
			jw_karr(w, "annotations");
		*any = true;
		chat_annotation_write(note.value, w);
	}
}

static void write_annotations(struct jv items, struct jw *w)
{
	struct jv_iter item = jv_iter(items);
	bool any = false;

	while (jv_next(&item)) {
		struct jv_iter part = jv_iter(jv_get(item.value, SV("content")));

		while (is_type(item.value, SV("message")) && jv_next(&part))
			write_part_annotations(part.value, &any, w);
	}
	if (any)
		jw_end(w);
}

/* Returns whether there are tool calls. */
static bool write_message(struct turn *t, struct jv items, struct jw *w)
{
	bool has_calls;

	jw_obj(w);
	jw_klit(w, "role", "assistant");
	if (!join_parts(items, SV("output_text"), SV("text"), w, SV("content")))
		jw_knull(w, "content");
	if (!join_parts(items, SV("refusal"), SV("refusal"), w, SV("refusal")))
		jw_knull(w, "refusal");
	write_reasoning(items, w);
	has_calls = write_calls(t, items, w);
	write_annotations(items, w);
	jw_end(w);
	return has_calls;
}

int chat_fold_write(struct turn *t, const struct event *ev, struct buf *out)
{
	const struct chat_state *s = t->state;
	struct jv items;
	struct buf text;
	bool has_calls;
	struct jw w;
	int err;

	buf_init(&text, LIMIT_FOLD_BYTES);
	err = collect_items(t, ev, &text, &items);
	w = jw_begin(out);
	jw_obj(&w);
	jw_kstr(&w, "id", sv_cstr(s->id));
	jw_klit(&w, "object", "chat.completion");
	jw_ki64(&w, "created", s->created_s);
	jw_kstr(&w, "model", t->model);
	jw_karr(&w, "choices");
	jw_obj(&w);
	jw_ki64(&w, "index", 0);
	jw_key_lit(&w, SV("message"));
	has_calls = write_message(t, items, &w);
	jw_knull(&w, "logprobs");
	jw_kstr(&w, "finish_reason", sv_cstr(chat_finish_reason(ev, has_calls)));
	jw_end(&w);
	jw_end(&w);
	jw_key_lit(&w, SV("usage"));
	chat_usage_write(&t->usage, &w);
	jw_end(&w);
	buf_fini(&text);
	return err;
}
