#include "dialect/chat_internal.h"
#include "proto/sse.h"

#include <errno.h>
#include <stdio.h>

/* turn.state is made by parse: what the request asked for outlives the attempts. */
static int begin(struct turn *t)
{
	struct chat_state *s = t->state;
	struct chat_options options = s->options;

	*s = (struct chat_state){.options = options, .created_s = t->now_s};
	snprintf(s->id, sizeof(s->id), "chatcmpl-%s", t->id);
	t->usage = (struct usage){.known = false};
	buf_reset(&t->fold, KIB(64));
	return 0;
}

/* One id for all chunks: the response's own, in chat's form. */
static void learn_identity(struct turn *t, const struct event *ev)
{
	struct chat_state *s = t->state;
	struct jv response = jv_get(ev->json, SV("response"));
	char id[128];

	if (jv_str_copy(jv_get(response, SV("id")), id, sizeof(id)))
		snprintf(s->id, sizeof(s->id), "chatcmpl-%s",
			strncmp(id, "resp_", 5) == 0 ? id + 5 : id);
	if (jv_i64(jv_get(response, SV("created_at")), &s->created_s))
		s->created_s = t->now_s;
}

static int on_event(struct turn *t, const struct event *ev, struct buf *out)
{
	struct chat_state *s = t->state;
	int err = 0;

	if (s->ended)
		return 0;
	if (ev->type == EVENT_CREATED && !s->prefix.p)
		learn_identity(t, ev);
	if (event_is_terminal(ev->type)) {
		t->usage = event_usage(ev);
		s->ended = true;
	}
	if (t->stream)
		err = chat_stream_event(t, ev, out);
	else if (ev->type == EVENT_ITEM_DONE)
		err = item_list_add(&s->items, t, ev->json);
	else if (s->ended)
		err = chat_fold_write(t, ev, out);
	return err ? err : buf_error(out);
}

static int finish(struct turn *t, struct buf *out)
{
	const struct chat_state *s = t->state;

	return s->ended ? buf_error(out) : -EBADMSG;
}

static void error(struct turn *t, const struct api_err *err, bool in_stream, struct buf *out)
{
	if (!in_stream) {
		api_err_write(err, t->now_s, out);
		return;
	}
	buf_add_lit(out, "data: ");
	api_err_write(err, t->now_s, out);
	buf_add_lit(out, "\n\n");
}

static void heartbeat(struct turn *t, struct buf *out)
{
	(void)t;
	sse_encode_comment(out, SV("keepalive"));
}

const struct dialect dialect_chat = {
	.name = "chat",
	.parse = chat_parse,
	.begin = begin,
	.on_event = on_event,
	.finish = finish,
	.error = error,
	.heartbeat = heartbeat,
};
