#include "admin/admin_events.h"

#include "admin/slot_watch.h"
#include "base/clock.h"
#include "base/log.h"
#include "relay/reply.h"
#include "relay/router.h"
#include "slots/show.h"
#include "slots/store.h"
#include "version.h"

#include <stdlib.h>

enum { LOOK_MS = 200, PENDING_BYTES = 256 * 1024 };

struct listener {
	struct listener *next, **prev;
	struct route_user user;
	char request_id[IDENT_UUID_SIZE];
	struct admin_events *events;
	struct http_stream *stream;
	uint64_t dropped; /* since it was last told */
};

struct admin_events {
	struct relay *relay;
	struct listener *listeners;
	size_t count;
	struct timer look; /* runs while somebody listens */
	int64_t beat_ms;   /* loop time of the last heartbeat */
	struct slot_watch *watch;
	struct buf pending; /* made in this loop turn, for all listeners */
	uint64_t pending_count, lost_count;
	struct deferred flush;
	bool over;
};

/* --- to listeners --- */

static void drop_listener(struct listener *l)
{
	*l->prev = l->next;
	if (l->next)
		l->next->prev = l->prev;
	if (--l->events->count == 0)
		timer_stop(&l->events->look);
	free(l);
}

static void on_gone(struct route_user *user, enum conn_end why)
{
	(void)why;
	drop_listener(CONTAINER_OF(user, struct listener, user));
}

static void tell_dropped(struct listener *l)
{
	struct buf text;

	if (!l->dropped || http_is_congested(l->stream))
		return;
	buf_init(&text, 128);
	buf_addf(&text, "event: dropped\ndata: {\"count\":%llu}\n\n",
		(unsigned long long)l->dropped);
	l->dropped = 0;
	http_send(l->stream, buf_sv(&text));
	buf_fini(&text);
}

static void on_drain(struct route_user *user)
{
	tell_dropped(CONTAINER_OF(user, struct listener, user));
}

static const struct route_user_ops user_ops = {.on_drain = on_drain, .on_gone = on_gone};

/* A listener whose connection is full loses the events rather than making us keep them. */
static void send_to(struct listener *l, struct sv bytes, uint64_t events)
{
	tell_dropped(l);
	if (http_is_congested(l->stream))
		l->dropped += events;
	else
		http_send(l->stream, bytes);
}

static void on_flush(struct deferred *d)
{
	struct admin_events *e = CONTAINER_OF(d, struct admin_events, flush);
	struct listener *l = e->listeners;

	while (l) {
		struct listener *next = l->next;

		if (e->pending.len)
			send_to(l, buf_sv(&e->pending), e->pending_count);
		l->dropped += e->lost_count;
		l = next;
	}
	buf_reset(&e->pending, KIB(16));
	e->pending_count = e->lost_count = 0;
}

/* One event for all; takes the value. */
static void publish(struct admin_events *e, const char *name, json_t *value)
{
	char *text = show_dump(value);
	size_t before = e->pending.len;

	if (text)
		buf_addf(&e->pending, "event: %s\ndata: %s\n\n", name, text);
	if (!text || buf_error(&e->pending)) {
		/* The buffer keeps what was whole. */
		struct buf kept;

		buf_init(&kept, PENDING_BYTES);
		buf_add(&kept, e->pending.data, before);
		buf_fini(&e->pending);
		buf_move(&kept, &e->pending);
		e->lost_count++;
	} else {
		e->pending_count++;
	}
	free(text);
	json_decref(value);
	loop_defer(e->relay->loop, &e->flush);
}

/* --- what happens --- */

static json_t *names_of(unsigned groups)
{
	json_t *names = json_array();

	if (!groups)
		json_array_append_new(names, json_string("added"));
	for (unsigned g = 0; g < SLOT_GROUPS; g++) {
		if (groups & (1u << g))
			json_array_append_new(names, json_string(slot_group_name(g)));
	}
	return names;
}

static void on_slot(void *arg, const struct slot *s, enum pick_reason reason, unsigned groups)
{
	struct admin_events *e = arg;
	int64_t now_ms = clock_wall_ms();

	publish(e, "slot",
		json_pack("{s:o, s:o, s:o}", "time", show_time(now_ms), "changed", names_of(groups),
			"slot", store_show_slot(s, reason, now_ms)));
}

static void on_removed(void *arg, const char *id)
{
	publish(arg, "slot_removed",
		json_pack("{s:o, s:s}", "time", show_time(clock_wall_ms()), "id", id));
}

static const struct slot_watch_ops watch_ops = {on_slot, on_removed};

static void on_request_end(void *arg, const struct request_end *end)
{
	struct admin_events *e = arg;

	if (e->count)
		publish(e, "request", stats_request_json(end, clock_wall_ms()));
}

static void beat(struct admin_events *e)
{
	int64_t now = loop_now_ms(e->relay->loop);
	struct listener *l = e->listeners;

	if (now - e->beat_ms < e->relay->conf->heartbeat_s * 1000)
		return;
	e->beat_ms = now;
	while (l) {
		struct listener *next = l->next;

		send_to(l, SV(": heartbeat\n\n"), 0);
		l = next;
	}
}

static void on_look(struct timer *t)
{
	struct admin_events *e = CONTAINER_OF(t, struct admin_events, look);

	slot_watch_look(e->watch, e->relay->slots, clock_wall_ms(), &watch_ops, e);
	beat(e);
	if (e->count)
		timer_start(t, LOOK_MS);
}

/* --- the route --- */

static void respond_head(struct http_stream *s)
{
	static const struct http_header headers[] = {
		{SV("Cache-Control"), SV("no-cache")},
		{SV("X-Accel-Buffering"), SV("no")},
	};

	http_respond_head(s, &(struct http_response){
				     .status = 200,
				     .content_type = SV("text/event-stream"),
				     .content_length = -1,
				     .headers = headers,
				     .header_count = ARRAY_LEN(headers),
			     });
}

static void say_hello(struct listener *l)
{
	struct relay *r = l->events->relay;
	char time[CLOCK_ISO_SIZE];
	struct buf text;

	clock_format_iso(clock_wall_ms(), time);
	buf_init(&text, KIB(1));
	buf_addf(&text,
		"retry: 2000\nevent: hello\n"
		"data: {\"time\":\"%s\",\"version\":\"%s\",\"slots\":%zu}\n\n",
		time, RELAY_VERSION, slot_table_count(r->slots));
	http_send(l->stream, buf_sv(&text));
	buf_fini(&text);
}

static void add_listener(struct admin_events *e, struct http_stream *s)
{
	struct listener *l = mem_zalloc(sizeof(*l));

	l->events = e;
	l->stream = s;
	memcpy(l->request_id, router_request_id(e->relay, s), sizeof(l->request_id));
	l->user = (struct route_user){&user_ops, l->request_id};
	http_stream_set_user(s, &l->user);
	l->next = e->listeners;
	l->prev = &e->listeners;
	if (l->next)
		l->next->prev = &l->next;
	e->listeners = l;
	if (e->count++ == 0) {
		slot_watch_forget(e->watch, e->relay->slots, clock_wall_ms());
		e->beat_ms = loop_now_ms(e->relay->loop);
		timer_start(&e->look, LOOK_MS);
	}
	say_hello(l);
}

void admin_events_get(struct relay *r, struct http_stream *s)
{
	struct admin_events *e = admin_of(r)->events;
	struct api_err err;

	if (e->over) {
		api_err_set(
			&err, 503, "server_error", "relay_stopping", "The relay is shutting down.");
		reply_error(r, s, &err, NULL);
	} else if (e->count == LIMIT_LISTENERS_COUNT) {
		api_err_set(&err, 429, "rate_limit_error", "too_many_listeners",
			"%d listeners are there already.", LIMIT_LISTENERS_COUNT);
		reply_error(r, s, &err, NULL);
	} else {
		reply_count(r, s, 200, NULL, NULL);
		respond_head(s);
		if (http_stream_request(s)->is_head)
			http_finish(s);
		else
			add_listener(e, s);
	}
}

/* --- life --- */

struct admin_events *admin_events_new(struct relay *r)
{
	struct admin_events *e = mem_zalloc(sizeof(*e));

	e->relay = r;
	e->watch = slot_watch_new();
	e->flush.fn = on_flush;
	buf_init(&e->pending, PENDING_BYTES);
	timer_init(&e->look, r->loop, on_look);
	stats_on_end(r->stats, on_request_end, e);
	return e;
}

void admin_events_end(struct admin_events *e)
{
	e->over = true;
	on_flush(&e->flush);
	while (e->listeners) {
		struct listener *l = e->listeners;
		struct http_stream *s = l->stream;

		send_to(l, SV("event: end\ndata: {\"reason\":\"the relay is stopping\"}\n\n"), 1);
		http_stream_set_user(s, NULL);
		drop_listener(l);
		http_finish(s);
	}
}

void admin_events_stop(struct admin_events *e)
{
	timer_stop(&e->look);
	loop_undefer(&e->flush);
	stats_on_end(e->relay->stats, NULL, NULL);
}

void admin_events_free(struct admin_events *e)
{
	slot_watch_free(e->watch);
	buf_fini(&e->pending);
	free(e);
}
