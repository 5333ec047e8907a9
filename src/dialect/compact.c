/* POST /v1/responses/compact: a Responses body in, one compaction object out, never a stream. */
#include "dialect/dialect.h"

#include "base/limits.h"
#include "dialect/response_object.h"

#include <errno.h>

struct state {
	bool ended;
};

static int parse(struct turn *t, struct api_err *err)
{
	int rc = dialect_responses.parse(t, err);

	t->stream = false;
	return rc;
}

static int begin(struct turn *t)
{
	struct state *s = arena_alloc(t->arena, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->ended = false;
	t->state = s;
	t->usage = (struct usage){.known = false};
	return 0;
}

static void write_id(const struct turn *t, struct jv upstream, struct jw *w)
{
	jw_key_lit(w, SV("id"));
	if (jv_str_raw(upstream).n) {
		jw_jv(w, upstream);
		return;
	}
	jw_str_begin(w);
	jw_str_add(w, SV("resp_"));
	jw_str_add(w, sv_cstr(t->id));
	jw_str_end(w);
}

/* Clients add the counts up: there is always a usage object. */
static void write_usage(struct jv upstream, struct jw *w)
{
	jw_key_lit(w, SV("usage"));
	response_usage_write(jv_is(upstream, JV_OBJECT) ? upstream : jv_trusted(SV("{}")), w);
}

/* Upstream's document may be a whole response object, or have an output alone. */
static int write_object(const struct turn *t, struct jv document, struct buf *out)
{
	static const struct sv keys[] = {SV("id"), SV("created_at"), SV("output"), SV("usage")};
	struct jv member[ARRAY_LEN(keys)];
	struct jw w = jw_begin(out);

	jv_pick(document, keys, ARRAY_LEN(keys), member);
	if (!jv_is(member[2], JV_ARRAY))
		return -EBADMSG;
	jw_obj(&w);
	write_id(t, member[0], &w);
	jw_klit(&w, "object", "response.compaction");
	jw_key_lit(&w, SV("created_at"));
	if (jv_is(member[1], JV_NUMBER))
		jw_jv(&w, member[1]);
	else
		jw_i64(&w, t->now_s);
	jw_kraw(&w, "output", jv_raw(member[2]));
	write_usage(member[3], &w);
	jw_end(&w);
	return buf_error(out);
}

static int on_event(struct turn *t, const struct event *ev, struct buf *out)
{
	struct state *s = t->state;

	if (ev->type != EVENT_COMPLETED)
		return -EBADMSG;
	s->ended = true;
	t->usage = event_usage_read(event_get(ev, SV("usage")));
	if (!t->native)
		return write_object(t, ev->json, out);
	buf_add_sv(out, jv_raw(ev->json));
	return buf_error(out);
}

static int finish(struct turn *t, struct buf *out)
{
	struct state *s = t->state;

	return s->ended ? buf_error(out) : -EBADMSG;
}

static void error(struct turn *t, const struct api_err *err, bool in_stream, struct buf *out)
{
	if (err->body.n && !in_stream && (t->native || api_err_body_fits(err->body)))
		buf_add_sv(out, err->body);
	else
		api_err_write(err, t->now_s, out);
}

/* There is no stream to keep alive. */
static void heartbeat(struct turn *t, struct buf *out)
{
	(void)t;
	(void)out;
}

const struct dialect dialect_compact = {
	.name = "compact",
	.compacts = true,
	.parse = parse,
	.begin = begin,
	.on_event = on_event,
	.finish = finish,
	.error = error,
	.heartbeat = heartbeat,
};
