#include "dialect/dialect.h"

#include "base/limits.h"
#include "dialect/item_list.h"
#include "dialect/response_object.h"
#include "dialect/responses_request.h"
#include "proto/sse.h"

#include <errno.h>

struct state {
	char id[128];	 /* of the response, as upstream named it; ours before that */
	char model[128]; /* as upstream named it; empty before that */
	int64_t created_at;
	bool identified;   /* id and model are upstream's */
	bool created_sent; /* the client got response.created */
	bool ended;	   /* the terminal event went out */
	bool renumber;	   /* upstream's sequence numbers cannot be used */
	int64_t sequence;  /* of the next event */
	struct item_list items;
	struct response_echo echo; /* valid when has_echo */
	bool has_echo;
};

/* --- request --- */

static int parse(struct turn *t, struct api_err *err)
{
	return responses_request_read(t, SV_NONE, err);
}

/* --- answer --- */

static int begin(struct turn *t)
{
	struct state *s = arena_alloc(t->arena, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct state){.created_at = t->now_s};
	memcpy(s->id, "resp_", 5);
	memccpy(s->id + 5, t->id, '\0', sizeof(s->id) - 5);
	t->state = s;
	t->usage = (struct usage){.known = false};
	buf_reset(&t->fold, KIB(64));
	buf_reset(&t->stored, 0);
	return 0;
}

static bool carries_response(enum event_type type)
{
	return type == EVENT_CREATED || type == EVENT_IN_PROGRESS || type == EVENT_QUEUED ||
	       type == EVENT_COMPLETED || type == EVENT_INCOMPLETE;
}

static struct response_object describe(struct turn *t, struct jv upstream)
{
	struct state *s = t->state;

	if (!s->has_echo) {
		response_echo_pick(&s->echo, t->upstream); /* the effort of a model name included */
		s->has_echo = true;
	}
	return (struct response_object){
		.echo = &s->echo,
		.upstream = upstream,
		.id = sv_cstr(s->id),
		.model = s->model[0] ? sv_cstr(s->model) : t->model,
		.created_at = s->created_at,
		.now_s = t->now_s,
		.store = t->store,
	};
}

/* The finished answer's object stands at the end of out. */
static void keep_object(struct turn *t, const struct buf *out, size_t from)
{
	if (t->store && !buf_error(out))
		buf_add(&t->stored, out->data + from, out->len - from);
}

/* A terminal event's response whose status is missing has the one that the event's name says. */
static const char *default_status(enum event_type type)
{
	if (type == EVENT_COMPLETED)
		return "completed";
	return type == EVENT_INCOMPLETE ? "incomplete" : NULL;
}

static struct sv type_name(const struct event *ev)
{
	return ev->type == EVENT_COMPLETED ? SV("response.completed") : ev->name;
}

/*
 * Line ends between tokens, which JSON allows (in what a client's body said, too), would end the
 * data line; many clients read one line an event.
 */
static void put_on_one_line(struct buf *out, size_t from)
{
	static const char ends[] = {'\n', '\r'};

	for (size_t i = 0; i < sizeof(ends); i++) {
		char *end = out->data + out->len;
		char *at = out->data + from;

		while (from < out->len && (at = memchr(at, ends[i], (size_t)(end - at))))
			*at++ = ' ';
	}
}

static void begin_event(struct buf *out, struct sv name)
{
	buf_add_lit(out, "event: ");
	buf_add_sv(out, name);
	buf_add_lit(out, "\ndata: ");
}

/* json: where its data starts. */
static void end_event(struct buf *out, size_t json)
{
	put_on_one_line(out, json);
	buf_add_lit(out, "\n\n");
}

static void send_response_event(struct turn *t, const struct event *ev, struct buf *out)
{
	struct state *s = t->state;
	struct response_object object = describe(t, event_get(ev, SV("response")));
	struct buf items;
	size_t json, from;
	struct jw w;

	object.default_status = default_status(ev->type);
	buf_init(&items, LIMIT_FOLD_BYTES);
	if (event_is_terminal(ev->type))
		item_list_join(&s->items, t, &items);
	object.output = buf_sv(&items);
	begin_event(out, type_name(ev));
	json = out->len;
	w = jw_begin(out);
	jw_obj(&w);
	jw_key_lit(&w, SV("type"));
	jw_str_raw(&w, type_name(ev));
	jw_key_lit(&w, SV("response"));
	from = out->len;
	response_object_write(&object, &w);
	if (buf_error(&items))
		out->error = -ENOBUFS;
	else if (event_is_terminal(ev->type))
		keep_object(t, out, from);
	jw_ki64(&w, "sequence_number", s->sequence++);
	jw_end(&w);
	end_event(out, json);
	buf_fini(&items);
}

static void send_created(struct turn *t, struct buf *out)
{
	struct event made = {.type = EVENT_CREATED, .name = SV("response.created")};

	send_response_event(t, &made, out);
}

/* The event with our sequence number, every other member as it came; written without a detour. */
static void send_renumbered(struct turn *t, const struct event *ev, struct buf *out)
{
	struct state *s = t->state;
	struct jv_iter it = jv_iter(ev->json);
	size_t from;
	struct jw w;

	begin_event(out, ev->name);
	from = out->len;
	w = jw_begin(out);
	jw_obj(&w);
	while (jv_next(&it)) {
		if (jv_key_eq(it.key, SV("sequence_number")))
			continue;
		jw_key_lit(&w, it.key);
		jw_jv(&w, it.value);
	}
	jw_ki64(&w, "sequence_number", s->sequence++);
	jw_end(&w);
	end_event(out, from);
}

static void send_as_is(const struct event *ev, struct buf *out)
{
	if (ev->raw.n)
		buf_add_sv(out, ev->raw);
	else
		sse_encode(out, ev->name, jv_raw(ev->json));
}

/* Upstream's numbers are used as long as they go on where ours stand. */
static void follow_sequence(struct state *s, const struct event *ev)
{
	int64_t number;

	if (s->renumber)
		return;
	if (jv_i64(event_get(ev, SV("sequence_number")), &number) || number != s->sequence)
		s->renumber = true;
}

static void stream_event(struct turn *t, const struct event *ev, struct buf *out)
{
	struct state *s = t->state;

	if (!s->created_sent) {
		s->created_sent = true;
		if (ev->type != EVENT_CREATED)
			send_created(t, out);
	}
	if (carries_response(ev->type)) {
		follow_sequence(s, ev);
		send_response_event(t, ev, out);
	} else {
		follow_sequence(s, ev);
		if (s->renumber) {
			send_renumbered(t, ev, out);
		} else {
			s->sequence++;
			send_as_is(ev, out);
		}
	}
	if (event_is_terminal(ev->type))
		buf_add_lit(out, "data: [DONE]\n\n");
}

static void fold_terminal(struct turn *t, const struct event *ev, struct buf *out)
{
	struct state *s = t->state;
	struct response_object object = describe(t, event_get(ev, SV("response")));
	size_t from = out->len;
	struct buf items;
	struct jw w = jw_begin(out);

	object.default_status = default_status(ev->type);
	buf_init(&items, LIMIT_FOLD_BYTES);
	item_list_join(&s->items, t, &items);
	object.output = buf_sv(&items);
	response_object_write(&object, &w);
	if (buf_error(&items))
		out->error = buf_error(&items);
	keep_object(t, out, from);
	buf_fini(&items);
}

static bool is_private(enum event_type type)
{
	return type == EVENT_PRIVATE || type == EVENT_RATE_LIMITS;
}

/* What a response.failed of ours says about the response must be what the others said. */
static void learn_identity(struct state *s, struct jv response)
{
	static const struct sv keys[] = {SV("id"), SV("model"), SV("created_at")};
	struct jv member[ARRAY_LEN(keys)];
	int64_t created_at;

	if (s->identified)
		return;
	jv_pick(response, keys, ARRAY_LEN(keys), member);
	s->identified = jv_is(member[0], JV_STRING) && jv_is(member[1], JV_STRING);
	if (jv_is(member[0], JV_STRING) && jv_str_is_plain(member[0]))
		jv_str_copy(member[0], s->id, sizeof(s->id));
	if (jv_is(member[1], JV_STRING))
		jv_str_copy(member[1], s->model, sizeof(s->model));
	if (!jv_i64(member[2], &created_at))
		s->created_at = created_at;
}

static int on_event(struct turn *t, const struct event *ev, struct buf *out)
{
	struct state *s = t->state;
	int err = 0;

	if (s->ended)
		return 0;
	if (carries_response(ev->type))
		learn_identity(s, event_get(ev, SV("response")));
	if (event_is_terminal(ev->type)) {
		t->usage = event_usage(ev);
		s->ended = true;
	}
	if (t->native && t->stream) {
		s->sequence++;
		send_as_is(ev, out);
		return buf_error(out);
	}
	if (is_private(ev->type))
		return 0;
	if (ev->type == EVENT_ITEM_DONE)
		err = item_list_add(&s->items, t, ev);
	if (err)
		return err;
	if (t->stream)
		stream_event(t, ev, out);
	else if (s->ended)
		fold_terminal(t, ev, out);
	return buf_error(out);
}

static int finish(struct turn *t, struct buf *out)
{
	struct state *s = t->state;

	return s->ended ? buf_error(out) : -EBADMSG;
}

/* A stream that was begun ends with response.failed (what Codex acts on, PROTOCOL 8) and no [DONE].
 */
static void fail_stream(struct turn *t, const struct api_err *err, struct buf *out)
{
	struct state *s = t->state;
	struct response_object object = describe(t, JV_NONE);
	struct buf json;
	struct jw w;

	if (!s->created_sent && !t->native)
		send_created(t, out);
	s->created_sent = true;
	object.status = "failed";
	object.err = err;
	buf_init(&json, LIMIT_FOLD_BYTES);
	w = jw_begin(&json);
	jw_obj(&w);
	jw_klit(&w, "type", "response.failed");
	jw_key_lit(&w, SV("response"));
	response_object_write(&object, &w);
	jw_ki64(&w, "sequence_number", s->sequence++);
	jw_end(&w);
	sse_encode(out, SV("response.failed"), buf_sv(&json));
	buf_fini(&json);
}

static void error(struct turn *t, const struct api_err *err, bool in_stream, struct buf *out)
{
	if (in_stream && t->state)
		fail_stream(t, err, out);
	else if (err->body.n && (t->native || api_err_body_fits(err->body)))
		buf_add_sv(out, err->body);
	else
		api_err_write(err, t->now_s, out);
}

static void heartbeat(struct turn *t, struct buf *out)
{
	if (t->native)
		sse_encode(out, SV_NONE, SV("{\"type\":\"keepalive\"}"));
	else
		sse_encode_comment(out, SV("keepalive"));
}

const struct dialect dialect_responses = {
	.name = "responses",
	.stores = true,
	.parse = parse,
	.begin = begin,
	.on_event = on_event,
	.finish = finish,
	.error = error,
	.heartbeat = heartbeat,
};
