#include "dialect/chat_answer.h"

#include "base/jw.h"
#include "base/limits.h"
#include "dialect/chat_fold.h"
#include "dialect/chat_stream.h"

#include <errno.h>

int chat_answer_begin(struct turn *t)
{
	struct chat_answer *a = arena_alloc(t->arena, sizeof(*a));

	if (!a)
		return -ENOMEM;
	*a = (struct chat_answer){.created = t->now_s};
	if (t->id)
		memccpy(a->id, t->id, '\0', sizeof(a->id) - 1);
	chat_of(t)->answer = a;
	t->usage = (struct usage){.known = false};
	t->satisfied = false;
	buf_reset(&t->fold, KIB(64));
	return t->stream ? chat_stream_begin(t) : 0;
}

/* Only an id that is safe to splice and to compare: plain, not empty. */
static void take_id(struct chat_answer *a, struct jv id)
{
	struct sv text = jv_str_raw(id);

	if (sv_starts(text, SV("resp_")))
		text = sv_from(text, 5);
	if (text.n == 0 || text.n >= sizeof(a->id) || !jv_str_is_plain(id))
		return;
	memcpy(a->id, text.p, text.n);
	a->id[text.n] = '\0';
}

static int describe(struct turn *t, const struct event *ev)
{
	static const struct sv keys[] = {{"id", 2}, {"created_at", 10}, {"model", 5}};
	struct jv response = event_get(ev, SV("response"));
	struct chat_answer *a = chat_of(t)->answer;
	struct jv member[ARRAY_LEN(keys)];
	int64_t created;

	if (a->described || !jv_is(response, JV_OBJECT))
		return 0;
	jv_pick(response, keys, ARRAY_LEN(keys), member);
	a->described = true;
	take_id(a, member[0]);
	if (!jv_i64(member[1], &created) && created > 0)
		a->created = created;
	if (jv_str_raw(member[2]).n == 0)
		return 0;
	a->model = arena_dup(t->arena, jv_raw(member[2]));
	return a->model.p ? 0 : -ENOMEM;
}

static bool carries_response(enum event_type type)
{
	return type == EVENT_CREATED || type == EVENT_IN_PROGRESS || type == EVENT_QUEUED ||
	       event_is_terminal(type);
}

int chat_answer_event(struct turn *t, const struct event *ev, struct buf *out)
{
	struct chat_answer *a = chat_of(t)->answer;
	int err = 0;

	if (a->ended || ev->type == EVENT_PRIVATE || ev->type == EVENT_RATE_LIMITS)
		return 0;
	if (carries_response(ev->type))
		err = describe(t, ev);
	if (err)
		return err;
	if (ev->type == EVENT_FAILED || ev->type == EVENT_ERROR)
		return -EBADMSG; /* told by error(); must never look like an end */
	if (event_is_terminal(ev->type)) {
		t->usage = event_usage(ev);
		a->ended = true;
	}
	if (t->stream)
		err = chat_stream_event(t, ev, out);
	else if (a->ended)
		chat_fold_write(t, ev, out);
	else if (!t->satisfied)
		err = chat_fold_event(t, ev);
	return err ? err : buf_error(out);
}

int chat_answer_finish(struct turn *t, struct buf *out)
{
	static const struct event none = {.type = EVENT_OTHER};
	struct chat_answer *a = chat_of(t)->answer;

	if (a->ended)
		return buf_error(out);
	if (!t->satisfied)
		return -EBADMSG;
	a->ended = true;
	if (t->stream)
		chat_stream_end(t, out);
	else
		chat_fold_write(t, &none, out);
	return buf_error(out);
}

/* --- what both forms write --- */

void chat_answer_head(const struct turn *t, struct sv object, struct jw *w)
{
	const struct chat_answer *a = chat_of(t)->answer;

	jw_key_lit(w, SV("id"));
	jw_str_begin(w);
	jw_str_add(w, chat_of(t)->form->id_prefix);
	jw_str_add(w, sv_cstr(a->id));
	jw_str_end(w);
	jw_key_lit(w, SV("object"));
	jw_str_raw(w, object);
	jw_ki64(w, "created", a->created);
	jw_key_lit(w, SV("model"));
	if (a->model.n)
		jw_raw(w, a->model);
	else
		jw_str(w, t->model);
}

void chat_answer_usage(const struct usage *usage, struct jw *w)
{
	if (!usage->known) {
		jw_null(w);
		return;
	}
	jw_obj(w);
	jw_ki64(w, "prompt_tokens", usage->input_tokens);
	jw_ki64(w, "completion_tokens", usage->output_tokens);
	jw_ki64(w, "total_tokens", usage->total_tokens);
	jw_kobj(w, "prompt_tokens_details");
	jw_ki64(w, "cached_tokens", usage->cached_tokens);
	jw_end(w);
	jw_kobj(w, "completion_tokens_details");
	jw_ki64(w, "reasoning_tokens", usage->reasoning_tokens);
	jw_end(w);
	jw_end(w);
}

struct sv chat_answer_reason(const struct chat *c, const struct event *terminal, bool calls)
{
	struct jv response = jv_get(terminal->json, SV("response"));
	struct jv reason = jv_get(jv_get(response, SV("incomplete_details")), SV("reason"));

	if (terminal->type == EVENT_INCOMPLETE)
		return jv_str_eq(reason, SV("content_filter")) ? SV("content_filter")
							       : SV("length");
	if (!calls)
		return SV("stop");
	return c->legacy ? SV("function_call") : SV("tool_calls");
}

bool chat_answer_annotation(struct jv annotation, struct jw *w)
{
	static const struct sv keys[] = {
		{"start_index", 11}, {"end_index", 9}, {"url", 3}, {"title", 5}};
	struct jv member[ARRAY_LEN(keys)];

	if (!jv_str_eq(jv_get(annotation, SV("type")), SV("url_citation")))
		return false;
	jv_pick(annotation, keys, ARRAY_LEN(keys), member);
	jw_obj(w);
	jw_klit(w, "type", "url_citation");
	jw_kobj(w, "url_citation");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!jv_exists(member[i]))
			continue;
		jw_key_lit(w, keys[i]);
		jw_jv(w, member[i]);
	}
	jw_end(w);
	jw_end(w);
	return true;
}

struct sv chat_answer_call_id(struct jv item)
{
	struct sv id = jv_str_raw(jv_get(item, SV("call_id")));

	return id.n ? id : jv_str_raw(jv_get(item, SV("id")));
}

ptrdiff_t chat_answer_find_stop(const struct chat *c, struct sv text)
{
	ptrdiff_t first = -1;

	for (size_t i = 0; i < c->stop_count; i++) {
		ptrdiff_t at = sv_find(text, c->stops[i]);

		if (at >= 0 && (first < 0 || at < first))
			first = at;
	}
	return first;
}
