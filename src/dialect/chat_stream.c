#include "dialect/chat_internal.h"

#include <errno.h>

static struct chat_state *state_of(struct turn *t)
{
	return t->state;
}

/* The parts of a chunk that never change, made once: a delta then costs a few copies. */
static int make_frame(struct turn *t)
{
	struct chat_state *s = state_of(t);
	struct buf text;
	struct jw w;

	buf_init(&text, KIB(16));
	buf_add_lit(&text, "data: {\"id\":");
	w = jw_begin(&text);
	jw_str(&w, sv_cstr(s->id));
	buf_add_lit(&text, ",\"object\":\"chat.completion.chunk\",\"created\":");
	buf_add_i64(&text, s->created_s);
	buf_add_lit(&text, ",\"model\":");
	w = jw_begin(&text);
	jw_str(&w, t->model);
	buf_add_lit(&text, ",\"choices\":[{\"index\":0,\"delta\":");
	s->prefix = buf_error(&text) ? SV_NONE : arena_dup(t->arena, buf_sv(&text));
	buf_fini(&text);
	s->suffix = s->options.include_usage ? SV(",\"finish_reason\":null}],\"usage\":null}\n\n")
					     : SV(",\"finish_reason\":null}]}\n\n");
	return s->prefix.p ? 0 : -ENOMEM;
}

static int open_stream(struct turn *t)
{
	struct chat_state *s = state_of(t);

	return s->prefix.p ? 0 : make_frame(t);
}

static void begin_chunk(struct chat_state *s, struct buf *out)
{
	buf_add_sv(out, s->prefix);
}

static void end_chunk(struct chat_state *s, struct buf *out)
{
	buf_add_sv(out, s->suffix);
}

/* {"role":"assistant","content":""} before text, content null when something else comes first. */
static void say_role(struct turn *t, bool text_first, struct buf *out)
{
	struct chat_state *s = state_of(t);

	if (s->begun)
		return;
	s->begun = true;
	begin_chunk(s, out);
	if (text_first)
		buf_add_lit(out, "{\"role\":\"assistant\",\"content\":\"\"}");
	else
		buf_add_lit(out, "{\"role\":\"assistant\",\"content\":null}");
	end_chunk(s, out);
}

/* One string member as the delta; the text is spliced as it stands in upstream's JSON. */
static void say_text(struct turn *t, struct sv member, struct jv text, struct buf *out)
{
	struct chat_state *s = state_of(t);

	if (!jv_is(text, JV_STRING) || jv_str_raw(text).n == 0)
		return;
	begin_chunk(s, out);
	buf_add_lit(out, "{\"");
	buf_add_sv(out, member);
	buf_add_lit(out, "\":");
	buf_add_sv(out, jv_raw(text));
	buf_add_lit(out, "}");
	end_chunk(s, out);
}

static void on_text(struct turn *t, const struct event *ev, struct buf *out)
{
	say_role(t, true, out);
	say_text(t, SV("content"), jv_get(ev->json, SV("delta")), out);
}

static void on_refusal(struct turn *t, const struct event *ev, struct buf *out)
{
	say_role(t, false, out);
	say_text(t, SV("refusal"), jv_get(ev->json, SV("delta")), out);
}

/* Parts of a summary are separated by a blank line; none trails. */
static void on_reasoning(struct turn *t, const struct event *ev, struct buf *out)
{
	struct chat_state *s = state_of(t);

	say_role(t, false, out);
	if (s->summary_break) {
		s->summary_break = false;
		begin_chunk(s, out);
		buf_add_lit(out, "{\"reasoning_content\":\"\\n\\n\"}");
		end_chunk(s, out);
	}
	say_text(t, SV("reasoning_content"), jv_get(ev->json, SV("delta")), out);
	s->summary_open = true;
}

static void on_annotation(struct turn *t, const struct event *ev, struct buf *out)
{
	struct chat_state *s = state_of(t);
	struct jv note = jv_get(ev->json, SV("annotation"));
	struct jw w;

	if (!jv_str_eq(jv_get(note, SV("type")), SV("url_citation")))
		return;
	say_role(t, true, out);
	begin_chunk(s, out);
	w = jw_begin(out);
	jw_obj(&w);
	jw_karr(&w, "annotations");
	chat_annotation_write(note, &w);
	jw_end(&w);
	jw_end(&w);
	end_chunk(s, out);
}

/* --- tool calls
 * ------------------------------------------------------------------------------------ */

static struct chat_call *new_call(struct turn *t)
{
	struct chat_state *s = state_of(t);

	if (s->call_count == s->call_room) {
		size_t room = s->call_room ? s->call_room * 2 : 8;
		struct chat_call *grown = arena_alloc(t->arena, room * sizeof(*grown));

		if (!grown)
			return NULL;
		if (s->call_count)
			memcpy(grown, s->calls, s->call_count * sizeof(*grown));
		s->calls = grown;
		s->call_room = room;
	}
	s->calls[s->call_count] = (struct chat_call){.index = (int)s->call_count};
	return &s->calls[s->call_count++];
}

/* By item_id, else by output_index: parallel calls may come interleaved. */
static struct chat_call *find_call(struct turn *t, struct jv event)
{
	struct chat_state *s = state_of(t);
	struct sv item_id = jv_str_raw(jv_get(event, SV("item_id")));
	int64_t output_index;

	for (size_t i = s->call_count; item_id.n && i-- > 0;) {
		if (sv_eq(s->calls[i].item_id, item_id))
			return &s->calls[i];
	}
	if (jv_i64(jv_get(event, SV("output_index")), &output_index))
		return NULL;
	for (size_t i = s->call_count; i-- > 0;) {
		if (s->calls[i].output_index == output_index)
			return &s->calls[i];
	}
	return NULL;
}

static void say_call(struct turn *t, const struct chat_call *call, struct jv item, struct buf *out)
{
	struct chat_state *s = state_of(t);
	struct sv name = jv_str_raw(jv_get(item, SV("name")));
	struct jw w;

	begin_chunk(s, out);
	w = jw_begin(out);
	jw_obj(&w);
	jw_karr(&w, "tool_calls");
	jw_obj(&w);
	jw_ki64(&w, "index", call->index);
	jw_key_lit(&w, SV("id"));
	jw_str_raw(&w, jv_str_raw(jv_get(item, SV("call_id"))));
	jw_kstr(&w, "type", call->custom ? SV("custom") : SV("function"));
	jw_key_lit(&w, call->custom ? SV("custom") : SV("function"));
	jw_obj(&w);
	jw_key_lit(&w, SV("name"));
	jw_str_raw(&w, chat_names_restore(&s->options.names, name));
	jw_key_lit(&w, call->custom ? SV("input") : SV("arguments"));
	jw_str(&w, SV(""));
	jw_end(&w);
	jw_end(&w);
	jw_end(&w);
	jw_end(&w);
	end_chunk(s, out);
}

static int on_item_added(struct turn *t, const struct event *ev, struct buf *out)
{
	struct jv item = jv_get(ev->json, SV("item"));
	struct jv type = jv_get(item, SV("type"));
	bool custom = jv_str_eq(type, SV("custom_tool_call"));
	struct chat_call *call;

	if (!custom && !jv_str_eq(type, SV("function_call")))
		return 0;
	call = new_call(t);
	if (!call)
		return -ENOMEM;
	call->custom = custom;
	call->item_id = arena_dup(t->arena, jv_str_raw(jv_get(item, SV("id"))));
	if (jv_i64(jv_get(ev->json, SV("output_index")), &call->output_index))
		call->output_index = -1;
	say_role(t, false, out);
	say_call(t, call, item, out);
	return 0;
}

static void say_arguments(
	struct turn *t, const struct chat_call *call, struct jv text, struct buf *out)
{
	struct chat_state *s = state_of(t);

	if (!jv_is(text, JV_STRING))
		return;
	begin_chunk(s, out);
	buf_add_lit(out, "{\"tool_calls\":[{\"index\":");
	buf_add_i64(out, call->index);
	if (call->custom)
		buf_add_lit(out, ",\"custom\":{\"input\":");
	else
		buf_add_lit(out, ",\"function\":{\"arguments\":");
	buf_add_sv(out, jv_raw(text));
	buf_add_lit(out, "}}]}");
	end_chunk(s, out);
}

static void on_arguments(struct turn *t, const struct event *ev, struct buf *out)
{
	struct chat_call *call = find_call(t, ev->json);

	if (!call)
		return;
	call->has_arguments = true;
	say_arguments(t, call, jv_get(ev->json, SV("delta")), out);
}

/* The whole text, only when no delta came: never both. */
static void on_arguments_done(
	struct turn *t, const struct event *ev, struct sv member, struct buf *out)
{
	struct chat_call *call = find_call(t, ev->json);

	if (!call || call->has_arguments)
		return;
	call->has_arguments = true;
	say_arguments(t, call, jv_get(ev->json, member), out);
}

/* A call that was never announced, or whose arguments come with the item only. */
static int on_item_done(struct turn *t, const struct event *ev, struct buf *out)
{
	struct jv item = jv_get(ev->json, SV("item"));
	struct jv type = jv_get(item, SV("type"));
	bool custom = jv_str_eq(type, SV("custom_tool_call"));
	struct chat_call *call;
	int err;

	if (!custom && !jv_str_eq(type, SV("function_call")))
		return 0;
	call = find_call(t, ev->json);
	if (!call) {
		err = on_item_added(t, ev, out);
		if (err)
			return err;
		call = &state_of(t)->calls[state_of(t)->call_count - 1];
	}
	if (!call->has_arguments) {
		call->has_arguments = true;
		say_arguments(t, call, jv_get(item, custom ? SV("input") : SV("arguments")), out);
	}
	return 0;
}

/* --- the end
 * ---------------------------------------------------------------------------------------- */

static void say_usage(struct turn *t, struct buf *out)
{
	struct chat_state *s = state_of(t);
	struct jw w;

	/* The frame up to "choices":[ is the prefix without its opened choice. */
	buf_add_sv(out, sv_make(s->prefix.p, s->prefix.n - strlen("{\"index\":0,\"delta\":")));
	buf_add_lit(out, "],\"usage\":");
	w = jw_begin(out);
	chat_usage_write(&t->usage, &w);
	buf_add_lit(out, "}\n\n");
}

static void on_terminal(struct turn *t, const struct event *ev, struct buf *out)
{
	struct chat_state *s = state_of(t);

	say_role(t, true, out);
	begin_chunk(s, out);
	buf_add_lit(out, "{},\"finish_reason\":\"");
	buf_add_cstr(out, chat_finish_reason(ev, s->call_count > 0));
	buf_add_lit(out, "\"}]");
	if (s->options.include_usage)
		buf_add_lit(out, ",\"usage\":null");
	buf_add_lit(out, "}\n\n");
	if (s->options.include_usage)
		say_usage(t, out);
	buf_add_lit(out, "data: [DONE]\n\n");
}

int chat_stream_event(struct turn *t, const struct event *ev, struct buf *out)
{
	struct chat_state *s = state_of(t);

	if (event_is_preamble(ev->type))
		return 0;
	if (open_stream(t))
		return -ENOMEM;
	switch (ev->type) {
	case EVENT_TEXT_DELTA:
		on_text(t, ev, out);
		return 0;
	case EVENT_REFUSAL_DELTA:
		on_refusal(t, ev, out);
		return 0;
	case EVENT_SUMMARY_PART_ADDED:
		s->summary_break = s->summary_open;
		return 0;
	case EVENT_SUMMARY_DELTA:
	case EVENT_REASONING_DELTA:
		on_reasoning(t, ev, out);
		return 0;
	case EVENT_ANNOTATION_ADDED:
		on_annotation(t, ev, out);
		return 0;
	case EVENT_ITEM_ADDED:
		return on_item_added(t, ev, out);
	case EVENT_ITEM_DONE:
		return on_item_done(t, ev, out);
	case EVENT_ARGS_DELTA:
	case EVENT_CUSTOM_INPUT_DELTA:
		on_arguments(t, ev, out);
		return 0;
	case EVENT_ARGS_DONE:
		on_arguments_done(t, ev, SV("arguments"), out);
		return 0;
	case EVENT_CUSTOM_INPUT_DONE:
		on_arguments_done(t, ev, SV("input"), out);
		return 0;
	case EVENT_COMPLETED:
	case EVENT_INCOMPLETE:
		on_terminal(t, ev, out);
		return 0;
	default:
		return 0;
	}
}
