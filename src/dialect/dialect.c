#include "dialect/dialect.h"

#include "base/jw.h"
#include "base/limits.h"

#include <errno.h>

void turn_init(struct turn *t, const struct dialect *dialect, struct arena *arena)
{
	*t = (struct turn){.dialect = dialect, .arena = arena};
	buf_init(&t->built, LIMIT_UPSTREAM_BODY_BYTES);
	buf_init(&t->fold, LIMIT_FOLD_BYTES);
	buf_init(&t->stored, LIMIT_FOLD_BYTES);
}

void turn_fini(struct turn *t)
{
	buf_fini(&t->built);
	buf_fini(&t->fold);
	buf_fini(&t->stored);
}

static bool is_user_message(struct jv item)
{
	struct jv type = jv_get(item, SV("type"));

	return jv_str_eq(jv_get(item, SV("role")), SV("user")) &&
	       (!jv_exists(type) || jv_str_eq(type, SV("message")));
}

static bool is_text_part(struct jv part)
{
	struct jv type = jv_get(part, SV("type"));

	return jv_str_eq(type, SV("input_text")) || jv_str_eq(type, SV("text"));
}

/* A message's text: a string, or its text parts joined. */
static struct sv message_text(struct turn *t, struct jv content)
{
	struct jv_iter it = jv_iter(content);
	struct buf joined;
	struct sv text;

	if (!jv_str(content, t->arena, &text))
		return text;
	buf_init(&joined, LIMIT_ARENA_BYTES);
	while (jv_next(&it)) {
		if (is_text_part(it.value))
			jv_str_decode(jv_get(it.value, SV("text")), &joined);
	}
	text = buf_error(&joined) ? SV_NONE : arena_dup(t->arena, buf_sv(&joined));
	buf_fini(&joined);
	return text;
}

struct sv turn_last_user_text(struct turn *t)
{
	struct jv input = jv_get(t->upstream, SV("input"));
	struct jv_iter it = jv_iter(input);
	struct jv last = JV_NONE;
	struct sv text;

	if (!jv_str(input, t->arena, &text))
		return text;
	while (jv_next(&it)) {
		if (is_user_message(it.value))
			last = it.value;
	}
	return jv_exists(last) ? message_text(t, jv_get(last, SV("content"))) : SV_NONE;
}

/* --- a made-up answer --- */

/* The events of a short answer, one by one: {"type":…,"sequence_number":…,<body>}. */
struct script {
	struct turn *turn;
	struct buf *out;
	struct sv text;
	int sequence;
	int err;
};

static void write_message(struct jw *w, const struct script *s, const char *status, bool with_text)
{
	jw_obj(w);
	jw_klit(w, "type", "message");
	jw_key_lit(w, SV("id"));
	jw_str_begin(w);
	jw_str_add(w, SV("msg_"));
	jw_str_add(w, sv_cstr(s->turn->id));
	jw_str_end(w);
	jw_kstr(w, "status", sv_cstr(status));
	jw_klit(w, "role", "assistant");
	jw_karr(w, "content");
	if (with_text) {
		jw_obj(w);
		jw_klit(w, "type", "output_text");
		jw_kstr(w, "text", s->text);
		jw_kraw(w, "annotations", SV("[]"));
		jw_kraw(w, "logprobs", SV("[]"));
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
}

static void write_response(struct jw *w, const struct script *s, const char *status, bool done)
{
	jw_obj(w);
	jw_key_lit(w, SV("id"));
	jw_str_begin(w);
	jw_str_add(w, SV("resp_"));
	jw_str_add(w, sv_cstr(s->turn->id));
	jw_str_end(w);
	jw_klit(w, "object", "response");
	jw_ki64(w, "created_at", s->turn->now_s);
	jw_kstr(w, "status", sv_cstr(status));
	jw_kstr(w, "model", s->turn->model);
	jw_karr(w, "output");
	if (done)
		write_message(w, s, "completed", true);
	jw_end(w);
	if (done)
		jw_kraw(w, "usage",
			SV("{\"input_tokens\":0,\"input_tokens_details\":{\"cached_tokens\":0},"
			   "\"output_tokens\":0,\"output_tokens_details\":{\"reasoning_tokens\":0},"
			   "\"total_tokens\":0}"));
	jw_end(w);
}

static void begin_event(struct jw *w, struct script *s, struct sv type)
{
	jw_obj(w);
	jw_kstr(w, "type", type);
	jw_ki64(w, "sequence_number", s->sequence++);
}

static void place_text(struct jw *w, const struct script *s)
{
	jw_key_lit(w, SV("item_id"));
	jw_str_begin(w);
	jw_str_add(w, SV("msg_"));
	jw_str_add(w, sv_cstr(s->turn->id));
	jw_str_end(w);
	jw_ki64(w, "output_index", 0);
	jw_ki64(w, "content_index", 0);
}

static void say_event(struct script *s, struct buf *json)
{
	struct event ev;

	if (!s->err)
		s->err = buf_error(json);
	if (!s->err)
		s->err = event_parse(buf_sv(json), SV_NONE, &ev);
	if (!s->err)
		s->err = s->turn->dialect->on_event(s->turn, &ev, s->out);
	buf_reset(json, KIB(64));
}

static void say_response(struct script *s, struct buf *json, struct sv type, bool done)
{
	struct jw w = jw_begin(json);

	begin_event(&w, s, type);
	jw_key_lit(&w, SV("response"));
	write_response(&w, s, done ? "completed" : "in_progress", done);
	jw_end(&w);
	say_event(s, json);
}

static void say_item(struct script *s, struct buf *json, struct sv type, bool done)
{
	struct jw w = jw_begin(json);

	begin_event(&w, s, type);
	jw_ki64(&w, "output_index", 0);
	jw_key_lit(&w, SV("item"));
	write_message(&w, s, done ? "completed" : "in_progress", done);
	jw_end(&w);
	say_event(s, json);
}

/* key names the member that holds the text: delta or text; empty: a content part. */
static void say_text(
	struct script *s, struct buf *json, struct sv type, struct sv key, struct sv text)
{
	struct jw w = jw_begin(json);

	begin_event(&w, s, type);
	place_text(&w, s);
	if (key.n) {
		jw_key_lit(&w, key);
		jw_str(&w, text);
		jw_kraw(&w, "logprobs", SV("[]"));
	} else {
		jw_kobj(&w, "part");
		jw_klit(&w, "type", "output_text");
		jw_kstr(&w, "text", text);
		jw_kraw(&w, "annotations", SV("[]"));
		jw_kraw(&w, "logprobs", SV("[]"));
		jw_end(&w);
	}
	jw_end(&w);
	say_event(s, json);
}

int turn_say(struct turn *t, struct sv text, struct buf *out)
{
	struct script s = {.turn = t, .out = out, .text = text};
	struct buf json;

	buf_init(&json, LIMIT_FOLD_BYTES);
	say_response(&s, &json, SV("response.created"), false);
	say_response(&s, &json, SV("response.in_progress"), false);
	say_item(&s, &json, SV("response.output_item.added"), false);
	say_text(&s, &json, SV("response.content_part.added"), SV_NONE, SV_NONE);
	say_text(&s, &json, SV("response.output_text.delta"), SV("delta"), text);
	say_text(&s, &json, SV("response.output_text.done"), SV("text"), text);
	say_text(&s, &json, SV("response.content_part.done"), SV_NONE, text);
	say_item(&s, &json, SV("response.output_item.done"), true);
	say_response(&s, &json, SV("response.completed"), true);
	buf_fini(&json);
	if (!s.err)
		s.err = t->dialect->finish(t, out);
	return s.err ? s.err : buf_error(out);
}
