#include "dialect/chat_fold.h"

#include "base/jw.h"
#include "base/limits.h"
#include "dialect/chat_answer.h"

/* What the items hold, counted before anything is written. */
struct fold {
	const struct chat *chat;
	struct jv items; /* an array */
	bool has_text, has_refusal, has_reasoning, has_annotations;
	size_t calls;
};

static bool is_type(struct jv object, struct sv type)
{
	return jv_str_eq(jv_get(object, SV("type")), type);
}

static bool is_call(struct jv item)
{
	return is_type(item, SV("function_call")) || is_type(item, SV("custom_tool_call"));
}

/* What visit() does with each part: a member of parts of one type. */
struct visitor {
	struct sv item_type, list, part_type, member;
};

static const struct visitor text_parts = {
	{"message", 7}, {"content", 7}, {"output_text", 11}, {"text", 4}};
static const struct visitor refusal_parts = {
	{"message", 7}, {"content", 7}, {"refusal", 7}, {"refusal", 7}};
static const struct visitor summary_parts = {
	{"reasoning", 9}, {"summary", 7}, {"summary_text", 12}, {"text", 4}};
static const struct visitor thought_parts = {
	{"reasoning", 9}, {"content", 7}, {"reasoning_text", 14}, {"text", 4}};

/* Position inside the items: the parts that a visitor picks, one after the other. */
struct walk {
	const struct visitor *visitor;
	struct jv_iter items, parts;
	struct jv part;
};

static struct walk walk_begin(const struct fold *f, const struct visitor *visitor)
{
	return (struct walk){
		.visitor = visitor, .items = jv_iter(f->items), .parts = jv_iter(JV_NONE)};
}

static bool walk_next(struct walk *k)
{
	for (;;) {
		while (jv_next(&k->parts)) {
			if (is_type(k->parts.value, k->visitor->part_type)) {
				k->part = k->parts.value;
				return true;
			}
		}
		do {
			if (!jv_next(&k->items))
				return false;
		} while (!is_type(k->items.value, k->visitor->item_type));
		k->parts = jv_iter(jv_get(k->items.value, k->visitor->list));
	}
}

static struct sv walk_text(const struct walk *k)
{
	return jv_str_raw(jv_get(k->part, k->visitor->member));
}

static bool any_text(const struct fold *f, const struct visitor *visitor)
{
	struct walk k = walk_begin(f, visitor);

	while (walk_next(&k)) {
		if (walk_text(&k).n)
			return true;
	}
	return false;
}

static bool any_citation(const struct fold *f)
{
	struct walk k = walk_begin(f, &text_parts);

	while (walk_next(&k)) {
		struct jv_iter it = jv_iter(jv_get(k.part, SV("annotations")));

		while (jv_next(&it)) {
			if (is_type(it.value, SV("url_citation")))
				return true;
		}
	}
	return false;
}

static void survey(struct fold *f)
{
	struct jv_iter it = jv_iter(f->items);

	while (jv_next(&it)) {
		if (is_call(it.value))
			f->calls++;
	}
	f->has_text = any_text(f, &text_parts);
	f->has_refusal = any_text(f, &refusal_parts);
	f->has_reasoning = any_text(f, &summary_parts) || any_text(f, &thought_parts);
	f->has_annotations = any_citation(f);
}

static void add_texts(
	const struct fold *f, const struct visitor *visitor, struct sv between, struct jw *w)
{
	struct walk k = walk_begin(f, visitor);
	bool first = true;

	while (walk_next(&k)) {
		if (walk_text(&k).n == 0)
			continue;
		if (!first)
			jw_str_add_raw(w, between);
		first = false;
		jw_str_add_raw(w, walk_text(&k));
	}
}

/* The text up to the client's first stop string; true when there was one. */
static bool add_stopped(const struct fold *f, struct jw *w)
{
	struct walk k = walk_begin(f, &text_parts);
	struct buf text;
	ptrdiff_t at;

	buf_init(&text, LIMIT_FOLD_BYTES);
	while (walk_next(&k))
		jv_str_decode(jv_get(k.part, SV("text")), &text);
	k = walk_begin(f, &refusal_parts);
	while (f->chat->form->plain && walk_next(&k))
		jv_str_decode(jv_get(k.part, SV("refusal")), &text);
	at = chat_answer_find_stop(f->chat, buf_sv(&text));
	if (at >= 0)
		buf_truncate(&text, (size_t)at);
	jw_str_add(w, buf_sv(&text));
	if (buf_error(&text))
		w->out->error = buf_error(&text);
	buf_fini(&text);
	return at >= 0;
}

/* Returns whether a stop string ended the text: then nothing that came behind it counts. */
static bool write_content(const struct fold *f, struct jw *w)
{
	bool stopped = false;

	jw_key_lit(w, SV("content"));
	if (!f->has_text && (f->calls || f->has_refusal)) {
		jw_null(w);
		return false;
	}
	jw_str_begin(w);
	if (f->chat->stop_count)
		stopped = add_stopped(f, w);
	else
		add_texts(f, &text_parts, SV(""), w);
	jw_str_end(w);
	return stopped;
}

static void write_refusal(const struct fold *f, struct jw *w)
{
	jw_key_lit(w, SV("refusal"));
	if (!f->has_refusal) {
		jw_null(w);
		return;
	}
	jw_str_begin(w);
	add_texts(f, &refusal_parts, SV(""), w);
	jw_str_end(w);
}

static void write_reasoning(const struct fold *f, struct jw *w)
{
	bool summary = any_text(f, &summary_parts);
	bool thoughts = any_text(f, &thought_parts);

	if (!f->has_reasoning)
		return;
	jw_key_lit(w, SV("reasoning_content"));
	jw_str_begin(w);
	add_texts(f, &summary_parts, SV("\\n\\n"), w);
	if (summary && thoughts)
		jw_str_add_raw(w, SV("\\n\\n"));
	add_texts(f, &thought_parts, SV("\\n\\n"), w);
	jw_str_end(w);
}

static void write_annotations(const struct fold *f, struct jw *w)
{
	struct walk k = walk_begin(f, &text_parts);

	if (!f->has_annotations)
		return;
	jw_karr(w, "annotations");
	while (walk_next(&k)) {
		struct jv_iter it = jv_iter(jv_get(k.part, SV("annotations")));

		while (jv_next(&it))
			chat_answer_annotation(it.value, w);
	}
	jw_end(w);
}

/* {"name":…,"arguments":…} or {"name":…,"input":…} */
static void write_called(const struct fold *f, struct jv item, bool custom, struct jw *w)
{
	struct sv member = custom ? SV("input") : SV("arguments");
	struct sv name = jv_str_raw(jv_get(item, SV("name")));

	jw_obj(w);
	jw_key_lit(w, SV("name"));
	jw_str_raw(w, chat_names_restore(&f->chat->names, name));
	jw_key_lit(w, member);
	jw_str_raw(w, jv_str_raw(jv_get(item, member)));
	jw_end(w);
}

static void write_call(const struct fold *f, struct jv item, struct jw *w)
{
	bool custom = is_type(item, SV("custom_tool_call"));

	jw_obj(w);
	jw_key_lit(w, SV("id"));
	jw_str_raw(w, chat_answer_call_id(item));
	jw_key_lit(w, SV("type"));
	jw_str_raw(w, custom ? SV("custom") : SV("function"));
	jw_key_lit(w, custom ? SV("custom") : SV("function"));
	write_called(f, item, custom, w);
	jw_end(w);
}

static void write_calls(const struct fold *f, struct jw *w)
{
	struct jv_iter it = jv_iter(f->items);
	bool open = false;

	while (f->calls && jv_next(&it)) {
		if (!is_call(it.value))
			continue;
		if (f->chat->legacy) {
			jw_key_lit(w, SV("function_call"));
			write_called(f, it.value, false, w);
			return;
		}
		if (!open)
			jw_karr(w, "tool_calls");
		open = true;
		write_call(f, it.value, w);
	}
	if (open)
		jw_end(w);
}

static void write_choice(struct fold *f, const struct event *terminal, struct jw *w)
{
	bool stopped;

	jw_obj(w);
	jw_ki64(w, "index", 0);
	jw_kobj(w, "message");
	jw_klit(w, "role", "assistant");
	stopped = write_content(f, w);
	if (stopped)
		f->calls = 0;
	write_refusal(f, w);
	write_reasoning(f, w);
	write_calls(f, w);
	write_annotations(f, w);
	jw_end(w);
	jw_knull(w, "logprobs");
	jw_key_lit(w, SV("finish_reason"));
	jw_str_raw(w, stopped ? SV("stop") : chat_answer_reason(f->chat, terminal, f->calls > 0));
	jw_end(w);
}

/* All that was said, a refusal too, behind the prompt if the client wants it back. */
static bool write_plain_text(const struct fold *f, struct jw *w)
{
	bool stopped = false;

	jw_str_begin(w);
	jw_str_add_raw(w, f->chat->echo);
	if (f->chat->stop_count) {
		stopped = add_stopped(f, w);
	} else {
		add_texts(f, &text_parts, SV(""), w);
		add_texts(f, &refusal_parts, SV(""), w);
	}
	jw_str_end(w);
	return stopped;
}

static void write_plain_choice(const struct fold *f, const struct event *terminal, struct jw *w)
{
	bool stopped;

	jw_obj(w);
	jw_ki64(w, "index", 0);
	jw_key_lit(w, SV("text"));
	stopped = write_plain_text(f, w);
	jw_knull(w, "logprobs");
	jw_key_lit(w, SV("finish_reason"));
	jw_str_raw(w, stopped ? SV("stop") : chat_answer_reason(f->chat, terminal, false));
	jw_end(w);
}

static void write_answer(struct turn *t, struct fold *f, const struct event *terminal, struct jw *w)
{
	struct jv tier = jv_get(jv_get(terminal->json, SV("response")), SV("service_tier"));

	jw_obj(w);
	chat_answer_head(t, f->chat->form->whole, w);
	jw_karr(w, "choices");
	if (f->chat->form->plain)
		write_plain_choice(f, terminal, w);
	else
		write_choice(f, terminal, w);
	jw_end(w);
	if (t->usage.known) {
		jw_key_lit(w, SV("usage"));
		chat_answer_usage(&t->usage, w);
	}
	if (jv_is(tier, JV_STRING) && !f->chat->form->plain)
		jw_kraw(w, "service_tier", jv_raw(tier));
	jw_end(w);
}

/* --- stop strings, before the answer is over
 * ------------------------------------------------------- */

/* What came of the message becomes its item: writing the answer cuts it. */
static int keep_watched(struct turn *t)
{
	struct chat_answer *a = chat_of(t)->answer;
	size_t start = t->fold.len - a->watched_bytes;
	struct buf event;
	struct jw w;
	int err;

	buf_init(&event, LIMIT_FOLD_BYTES);
	w = jw_begin(&event);
	jw_obj(&w);
	jw_ki64(&w, "output_index", a->watched_index);
	jw_kobj(&w, "item");
	jw_klit(&w, "type", "message");
	jw_karr(&w, "content");
	jw_obj(&w);
	jw_klit(&w, "type", "output_text");
	jw_kstr(&w, "text", sv_make(t->fold.data + start, a->watched_bytes));
	while (w.depth > 0)
		jw_end(&w);
	buf_truncate(&t->fold, start);
	a->watched_bytes = 0;
	err = buf_error(&event);
	if (!err)
		err = item_list_add(&a->items, t,
			&(struct event){
				.type = EVENT_ITEM_DONE, .json = jv_trusted(buf_sv(&event))});
	buf_fini(&event);
	t->satisfied = !err;
	return err;
}

static void drop_watched(struct turn *t, int64_t next_index)
{
	struct chat_answer *a = chat_of(t)->answer;

	if (a->watched_bytes && a->watched_index != next_index)
		a->unwatched = true;
	if (a->unwatched || a->watched_index == next_index) {
		buf_truncate(&t->fold, t->fold.len - a->watched_bytes);
		a->watched_bytes = 0;
	}
}

static int64_t output_index_of(const struct event *ev)
{
	int64_t index;

	return jv_i64(event_get(ev, SV("output_index")), &index) ? -1 : index;
}

static int watch_text(struct turn *t, const struct event *ev)
{
	struct chat *c = chat_of(t);
	struct chat_answer *a = c->answer;
	int64_t index = output_index_of(ev);
	size_t start, overlap;

	if (a->watched_bytes && a->watched_index != index)
		drop_watched(t, index);
	if (a->unwatched)
		return 0;
	a->watched_index = index;
	start = t->fold.len - a->watched_bytes;
	overlap = a->watched_bytes < CHAT_STOP_BYTES ? a->watched_bytes : CHAT_STOP_BYTES;
	jv_str_decode(event_get(ev, SV("delta")), &t->fold);
	if (buf_error(&t->fold))
		return buf_error(&t->fold);
	overlap += t->fold.len - start - a->watched_bytes;
	a->watched_bytes = t->fold.len - start;
	if (chat_answer_find_stop(c, sv_from(buf_sv(&t->fold), t->fold.len - overlap)) < 0)
		return 0;
	return keep_watched(t);
}

int chat_fold_event(struct turn *t, const struct event *ev)
{
	struct chat *c = chat_of(t);

	if (ev->type == EVENT_TEXT_DELTA && c->stop_count)
		return watch_text(t, ev);
	if (ev->type != EVENT_ITEM_DONE)
		return 0;
	drop_watched(t, output_index_of(ev));
	return item_list_add(&c->answer->items, t, ev);
}

void chat_fold_write(struct turn *t, const struct event *terminal, struct buf *out)
{
	struct chat *c = chat_of(t);
	struct fold f = {.chat = c};
	struct jw w = jw_begin(out);
	struct buf items;

	buf_init(&items, LIMIT_FOLD_BYTES + KIB(1));
	buf_add_char(&items, '[');
	item_list_join(&c->answer->items, t, &items);
	buf_add_char(&items, ']');
	if (buf_error(&items)) {
		out->error = buf_error(&items);
	} else {
		f.items = jv_trusted(buf_sv(&items));
		if (c->answer->items.count == 0)
			f.items = jv_get(jv_get(terminal->json, SV("response")), SV("output"));
		survey(&f);
		write_answer(t, &f, terminal, &w);
	}
	buf_fini(&items);
}
