#include "dialect/chat_stream.h"

#include "base/jw.h"
#include "base/limits.h"
#include "dialect/chat_answer.h"
#include "dialect/chat_calls.h"

#include <errno.h>

enum { NO_PART = -1 };

struct chat_stream {
	struct sv head;	  /* of every chunk, up to and with `"choices":[` */
	struct sv prefix; /* head and what comes before the delta's value */
	struct sv suffix; /* behind the delta's value */
	struct chat_calls calls;
	bool begun;			 /* the chunk with the role went out */
	bool finished;			 /* the chunk with the finish_reason went out */
	bool item_text;			 /* the message item in progress showed text or a refusal */
	bool part_text;			 /* its part in progress did */
	bool item_thought, part_thought; /* the same for reasoning */
	bool thought;			 /* some reasoning went out */
	/* Which part the last reasoning belonged to. */
	int64_t thought_output, thought_part;
};

static struct chat_stream *stream_of(const struct turn *t)
{
	return chat_of(t)->answer->stream;
}

int chat_stream_begin(struct turn *t)
{
	struct chat_stream *s = arena_alloc(t->arena, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct chat_stream){.thought_output = NO_PART, .thought_part = NO_PART};
	chat_of(t)->answer->stream = s;
	return 0;
}

/* --- chunks --- */

/* Made at the first chunk: then upstream has said what the answer's id is. */
static int make_prefix(struct turn *t)
{
	const struct chat_form *form = chat_of(t)->form;
	struct chat_stream *s = stream_of(t);
	struct buf text;
	struct jw w;

	buf_init(&text, KIB(64));
	buf_add_lit(&text, "data: ");
	w = jw_begin(&text);
	jw_obj(&w);
	chat_answer_head(t, form->chunk, &w);
	buf_add_lit(&text, ",\"choices\":[");
	s->head = sv_make(NULL, text.len);
	buf_add_sv(&text, form->before_delta);
	s->prefix = arena_dup(t->arena, buf_sv(&text));
	if (buf_error(&text))
		s->prefix = SV_NONE;
	buf_fini(&text);
	if (!s->prefix.p)
		return -ENOMEM;
	s->head.p = s->prefix.p;
	s->suffix = chat_of(t)->include_usage ? SV(",\"finish_reason\":null}],\"usage\":null}\n\n")
					      : SV(",\"finish_reason\":null}]}\n\n");
	return 0;
}

/* A chunk with a piece of the text; raw: escaped. */
static void send_piece(struct turn *t, struct sv raw, struct buf *out)
{
	const struct chat_stream *s = stream_of(t);

	buf_add_sv(out, s->prefix);
	buf_add_sv(out, chat_of(t)->form->before_text);
	buf_add_sv(out, raw);
	buf_add_sv(out, chat_of(t)->form->after_text);
	buf_add_sv(out, s->suffix);
}

/* Makes sure that the client has the role. content: raw JSON of the first chunk's content. */
static int begin_chunks(struct turn *t, struct sv content, struct buf *out)
{
	struct chat_stream *s = stream_of(t);

	if (s->begun)
		return 0;
	if (make_prefix(t))
		return -ENOMEM;
	s->begun = true;
	if (chat_of(t)->form->plain) {
		if (chat_of(t)->echo.n)
			send_piece(t, chat_of(t)->echo, out);
		return 0;
	}
	buf_add_sv(out, s->prefix);
	buf_add_lit(out, "{\"role\":\"assistant\",\"content\":");
	buf_add_sv(out, content);
	buf_add_lit(out, "}");
	buf_add_sv(out, s->suffix);
	return 0;
}

/* A chunk whose delta is one string. before: `{"content":"`; raw: escaped text. */
static void send_text(const struct chat_stream *s, struct sv before, struct sv between,
	struct sv raw, struct buf *out)
{
	buf_add_sv(out, s->prefix);
	buf_add_sv(out, before);
	buf_add_sv(out, between);
	buf_add_sv(out, raw);
	buf_add_lit(out, "\"}");
	buf_add_sv(out, s->suffix);
}

static void send_end(struct turn *t, struct sv reason, struct buf *out)
{
	struct chat_stream *s = stream_of(t);

	if (s->finished)
		return;
	s->finished = true;
	buf_add_sv(out, s->prefix);
	buf_add_sv(out, chat_of(t)->form->nothing);
	buf_add_lit(out, ",\"finish_reason\":\"");
	buf_add_sv(out, reason);
	buf_add_lit(out, "\"}]");
	if (chat_of(t)->include_usage)
		buf_add_lit(out, ",\"usage\":null");
	buf_add_lit(out, "}\n\n");
}

static void send_usage(struct turn *t, struct buf *out)
{
	struct jw w = jw_begin(out);

	buf_add_sv(out, stream_of(t)->head);
	buf_add_lit(out, "],\"usage\":");
	chat_answer_usage(&t->usage, &w);
	buf_add_lit(out, "}\n\n");
}

/* --- text with stop strings: decoded text that may begin one is kept in t->fold --- */

static void send_decoded(struct turn *t, size_t length, struct buf *out)
{
	const struct chat_stream *s = stream_of(t);

	if (length == 0)
		return;
	buf_add_sv(out, s->prefix);
	buf_add_sv(out, chat_of(t)->form->before_text);
	jw_escape(out, sv_make(t->fold.data, length));
	buf_add_sv(out, chat_of(t)->form->after_text);
	buf_add_sv(out, s->suffix);
	buf_consume(&t->fold, length);
}

/* Length of the longest end of text that is the start of a stop string. */
static size_t held_back(const struct chat *c, struct sv text)
{
	size_t longest = 0;

	for (size_t i = 0; i < c->stop_count; i++) {
		size_t n = c->stops[i].n - 1;

		if (n > text.n)
			n = text.n;
		while (n > longest && memcmp(text.p + text.n - n, c->stops[i].p, n) != 0)
			n--;
		if (n > longest)
			longest = n;
	}
	return longest;
}

static int send_stoppable(struct turn *t, struct jv text, struct buf *out)
{
	const struct chat *c = chat_of(t);
	ptrdiff_t at;

	jv_str_decode(text, &t->fold);
	if (buf_error(&t->fold))
		return buf_error(&t->fold);
	at = chat_answer_find_stop(c, buf_sv(&t->fold));
	if (at < 0) {
		send_decoded(t, t->fold.len - held_back(c, buf_sv(&t->fold)), out);
		return 0;
	}
	send_decoded(t, (size_t)at, out);
	buf_reset(&t->fold, KIB(64));
	send_end(t, SV("stop"), out);
	t->satisfied = true;
	return 0;
}

/* --- text, refusal, reasoning --- */

static int send_content(struct turn *t, struct jv text, struct buf *out)
{
	struct chat_stream *s = stream_of(t);
	struct sv raw = jv_str_raw(text);

	if (raw.n == 0)
		return 0;
	if (begin_chunks(t, SV("\"\""), out))
		return -ENOMEM;
	s->item_text = s->part_text = true;
	if (chat_of(t)->stop_count)
		return send_stoppable(t, text, out);
	send_piece(t, raw, out);
	return 0;
}

static int send_refusal(struct turn *t, struct jv text, struct buf *out)
{
	struct chat_stream *s = stream_of(t);
	struct sv raw = jv_str_raw(text);

	if (chat_of(t)->form->plain) /* has no other place for what the model said */
		return send_content(t, text, out);
	if (raw.n == 0)
		return 0;
	if (begin_chunks(t, SV("null"), out))
		return -ENOMEM;
	s->item_text = s->part_text = true;
	send_text(s, SV("{\"refusal\":\""), SV(""), raw, out);
	return 0;
}

struct thought {
	struct jv text;
	int64_t output, part;
};

/* Blank line in front of every part but the first. */
static int send_thought(struct turn *t, const struct thought *th, struct buf *out)
{
	struct chat_stream *s = stream_of(t);
	bool other = th->output != s->thought_output || th->part != s->thought_part;
	struct sv raw = jv_str_raw(th->text);

	if (raw.n == 0 || chat_of(t)->form->plain)
		return 0;
	if (begin_chunks(t, SV("\"\""), out))
		return -ENOMEM;
	send_text(s, SV("{\"reasoning_content\":\""), s->thought && other ? SV("\\n\\n") : SV(""),
		raw, out);
	s->thought = s->item_thought = s->part_thought = true;
	s->thought_output = th->output;
	s->thought_part = th->part;
	return 0;
}

static int64_t number_of(struct jv v)
{
	int64_t value;

	return jv_i64(v, &value) ? NO_PART : value;
}

/* text_key: "delta" or "text"; part_key: "summary_index" or "content_index". */
static struct thought read_thought(const struct event *ev, struct sv text_key, struct sv part_key)
{
	return (struct thought){event_get(ev, text_key),
		number_of(event_get(ev, SV("output_index"))), number_of(event_get(ev, part_key))};
}

static int on_thought_delta(struct turn *t, const struct event *ev, struct buf *out)
{
	struct sv part =
		ev->type == EVENT_SUMMARY_DELTA ? SV("summary_index") : SV("content_index");
	struct thought th = read_thought(ev, SV("delta"), part);

	return send_thought(t, &th, out);
}

static int on_thought_done(struct turn *t, const struct event *ev, struct buf *out)
{
	struct sv part = ev->type == EVENT_SUMMARY_DONE ? SV("summary_index") : SV("content_index");
	struct thought th = read_thought(ev, SV("text"), part);
	bool seen = stream_of(t)->part_thought;
	int err = seen ? 0 : send_thought(t, &th, out);

	stream_of(t)->part_thought = false;
	return err;
}

static int send_annotation(struct turn *t, struct jv annotation, struct buf *out)
{
	struct chat_stream *s = stream_of(t);
	size_t before;
	struct jw w;

	if (chat_of(t)->form->plain)
		return 0;
	if (begin_chunks(t, SV("\"\""), out))
		return -ENOMEM;
	before = out->len;
	buf_add_sv(out, s->prefix);
	buf_add_lit(out, "{\"annotations\":[");
	w = jw_begin(out);
	if (!chat_answer_annotation(annotation, &w)) {
		buf_truncate(out, before);
		return 0;
	}
	buf_add_lit(out, "]}");
	buf_add_sv(out, s->suffix);
	return 0;
}

/* --- calls --- */

/* The chunk that opens a call. */
static void send_call(
	struct turn *t, const struct chat_stream_call *call, struct jv item, struct buf *out)
{
	const struct chat *c = chat_of(t);
	const struct chat_stream *s = stream_of(t);
	struct sv kind = call->custom ? SV("custom") : SV("function");
	struct sv name = jv_str_raw(jv_get(item, SV("name")));
	struct jw w = jw_begin(out);

	buf_add_sv(out, s->prefix);
	jw_obj(&w);
	if (c->legacy) {
		jw_kobj(&w, "function_call");
	} else {
		jw_karr(&w, "tool_calls");
		jw_obj(&w);
		jw_ki64(&w, "index", (int64_t)call->index);
		jw_key_lit(&w, SV("id"));
		jw_str_raw(&w, chat_answer_call_id(item));
		jw_key_lit(&w, SV("type"));
		jw_str_raw(&w, kind);
		jw_key_lit(&w, kind);
		jw_obj(&w);
	}
	jw_key_lit(&w, SV("name"));
	jw_str_raw(&w, chat_names_restore(&c->names, name));
	jw_key_lit(&w, call->custom ? SV("input") : SV("arguments"));
	jw_str_raw(&w, SV(""));
	while (w.depth > 0)
		jw_end(&w);
	buf_add_sv(out, s->suffix);
}

static void send_arguments(
	struct turn *t, struct chat_stream_call *call, struct jv text, struct buf *out)
{
	const struct chat_stream *s = stream_of(t);
	struct sv raw = jv_str_raw(text);
	bool legacy = chat_of(t)->legacy;

	if (raw.n == 0 || (legacy && call->index > 0))
		return;
	call->has_text = true;
	if (legacy) {
		send_text(s, SV("{\"function_call\":{\"arguments\":\""), SV(""), SV(""), out);
		buf_truncate(out, out->len - s->suffix.n - 2);
	} else {
		buf_add_sv(out, s->prefix);
		buf_add_lit(out, "{\"tool_calls\":[{\"index\":");
		buf_add_u64(out, call->index);
		buf_add_sv(out, call->custom ? SV(",\"custom\":{\"input\":\"")
					     : SV(",\"function\":{\"arguments\":\""));
	}
	buf_add_sv(out, raw);
	buf_add_sv(out, legacy ? SV("\"}}") : SV("\"}}]}"));
	buf_add_sv(out, s->suffix);
}

static int open_call(
	struct turn *t, const struct event *ev, struct jv item, bool custom, struct buf *out)
{
	struct chat_stream *s = stream_of(t);
	struct chat_stream_call call = {
		.item_id = jv_str_raw(jv_get(item, SV("id"))),
		.output_index = number_of(event_get(ev, SV("output_index"))),
		.custom = custom,
	};
	int err = begin_chunks(t, SV("null"), out);

	if (!err)
		err = chat_calls_add(&s->calls, t->arena, call);
	if (err)
		return err;
	call = s->calls.list[s->calls.count - 1];
	if (!chat_of(t)->legacy || call.index == 0)
		send_call(t, &call, item, out);
	return 0;
}

static struct chat_stream_call *call_of(struct turn *t, struct jv item_id, struct jv output_index)
{
	return chat_calls_find(&stream_of(t)->calls, jv_str_raw(item_id), number_of(output_index));
}

static int on_call_text(struct turn *t, const struct event *ev, struct sv text_key, struct buf *out)
{
	struct chat_stream_call *call =
		call_of(t, event_get(ev, SV("item_id")), event_get(ev, SV("output_index")));

	if (!call)
		return 0;
	if (sv_eq(text_key, SV("delta")) || !call->has_text)
		send_arguments(t, call, event_get(ev, text_key), out);
	return 0;
}

/* --- items --- */

static bool is_type(struct jv object, struct sv type)
{
	return jv_str_eq(jv_get(object, SV("type")), type);
}

static bool is_call(struct jv item, bool *ret_custom)
{
	*ret_custom = is_type(item, SV("custom_tool_call"));
	return *ret_custom || is_type(item, SV("function_call"));
}

static int on_item_added(struct turn *t, const struct event *ev, struct buf *out)
{
	struct jv item = event_get(ev, SV("item"));
	bool custom;

	if (!is_call(item, &custom) || chat_of(t)->form->plain)
		return 0;
	return open_call(t, ev, item, custom, out);
}

static int finish_call(
	struct turn *t, const struct event *ev, struct jv item, bool custom, struct buf *out)
{
	struct jv index = event_get(ev, SV("output_index"));
	struct chat_stream_call *call = call_of(t, jv_get(item, SV("id")), index);
	int err;

	if (!call) {
		err = open_call(t, ev, item, custom, out);
		if (err)
			return err;
		call = &stream_of(t)->calls.list[stream_of(t)->calls.count - 1];
	}
	if (!call->has_text)
		send_arguments(t, call, jv_get(item, custom ? SV("input") : SV("arguments")), out);
	return 0;
}

/* The texts of a message that came without deltas. */
static int finish_message(struct turn *t, struct jv item, struct buf *out)
{
	struct jv_iter it = jv_iter(jv_get(item, SV("content")));
	bool seen = stream_of(t)->item_text;
	int err = 0;

	while (!seen && !err && jv_next(&it)) {
		if (is_type(it.value, SV("output_text")))
			err = send_content(t, jv_get(it.value, SV("text")), out);
		else if (is_type(it.value, SV("refusal")))
			err = send_refusal(t, jv_get(it.value, SV("refusal")), out);
	}
	stream_of(t)->item_text = stream_of(t)->part_text = false;
	return err;
}

static int finish_reasoning(struct turn *t, const struct event *ev, struct jv item, struct buf *out)
{
	struct jv_iter it = jv_iter(jv_get(item, SV("summary")));
	struct thought th = {.output = number_of(event_get(ev, SV("output_index")))};
	bool seen = stream_of(t)->item_thought;
	int err = 0;

	for (; !seen && !err && jv_next(&it); th.part++) {
		th.text = jv_get(it.value, SV("text"));
		err = send_thought(t, &th, out);
	}
	stream_of(t)->item_thought = stream_of(t)->part_thought = false;
	return err;
}

static int finish_item(struct turn *t, const struct event *ev, struct jv item, struct buf *out)
{
	bool custom;

	if (is_call(item, &custom))
		return chat_of(t)->form->plain ? 0 : finish_call(t, ev, item, custom, out);
	if (is_type(item, SV("message")))
		return finish_message(t, item, out);
	if (is_type(item, SV("reasoning")))
		return finish_reasoning(t, ev, item, out);
	return 0;
}

/* --- end --- */

/* An answer that came as nothing but its terminal event. */
static int send_whole(struct turn *t, const struct event *ev, struct buf *out)
{
	struct jv_iter it = jv_iter(jv_get(event_get(ev, SV("response")), SV("output")));
	int err = 0;

	while (!err && jv_is(jv_get(event_get(ev, SV("response")), SV("output")), JV_ARRAY) &&
		jv_next(&it))
		err = finish_item(t, ev, it.value, out);
	return err;
}

void chat_stream_end(struct turn *t, struct buf *out)
{
	if (chat_of(t)->include_usage)
		send_usage(t, out);
	buf_add_lit(out, "data: [DONE]\n\n");
}

static int on_terminal(struct turn *t, const struct event *ev, struct buf *out)
{
	struct chat_stream *s = stream_of(t);
	int err = s->begun ? 0 : send_whole(t, ev, out);

	if (!err)
		err = begin_chunks(t, SV("\"\""), out);
	if (err)
		return err;
	if (!s->finished)
		send_decoded(t, t->fold.len, out);
	send_end(t, chat_answer_reason(chat_of(t), ev, s->calls.count > 0), out);
	chat_stream_end(t, out);
	return 0;
}

static int on_part_end(struct turn *t, const struct event *ev, struct buf *out)
{
	bool seen = stream_of(t)->part_text;
	int err = 0;

	if (!seen && ev->type == EVENT_TEXT_DONE)
		err = send_content(t, event_get(ev, SV("text")), out);
	else if (!seen)
		err = send_refusal(t, event_get(ev, SV("refusal")), out);
	stream_of(t)->part_text = false;
	return err;
}

int chat_stream_event(struct turn *t, const struct event *ev, struct buf *out)
{
	if (event_is_terminal(ev->type))
		return on_terminal(t, ev, out);
	if (stream_of(t)->finished) /* a stop string was met */
		return 0;
	switch (ev->type) {
	case EVENT_TEXT_DELTA:
		return send_content(t, event_get(ev, SV("delta")), out);
	case EVENT_REFUSAL_DELTA:
		return send_refusal(t, event_get(ev, SV("delta")), out);
	case EVENT_TEXT_DONE:
	case EVENT_REFUSAL_DONE:
		return on_part_end(t, ev, out);
	case EVENT_SUMMARY_DELTA:
	case EVENT_REASONING_DELTA:
		return on_thought_delta(t, ev, out);
	case EVENT_SUMMARY_DONE:
	case EVENT_REASONING_DONE:
		return on_thought_done(t, ev, out);
	case EVENT_ANNOTATION_ADDED:
		return send_annotation(t, event_get(ev, SV("annotation")), out);
	case EVENT_ARGS_DELTA:
	case EVENT_CUSTOM_INPUT_DELTA:
		return on_call_text(t, ev, SV("delta"), out);
	case EVENT_ARGS_DONE:
		return on_call_text(t, ev, SV("arguments"), out);
	case EVENT_CUSTOM_INPUT_DONE:
		return on_call_text(t, ev, SV("input"), out);
	case EVENT_ITEM_ADDED:
		return on_item_added(t, ev, out);
	case EVENT_ITEM_DONE:
		return finish_item(t, ev, event_get(ev, SV("item")), out);
	default:
		return 0;
	}
}
