#include "relay/answer.h"

#include "base/clock.h"
#include "codex/headers.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

static void send_made(struct answer *a)
{
	a->last_sent_ms = clock_mono_ms();
	a->client->ops->send(a->client, &a->out);
}

static void add_header(struct http_header *headers, size_t *count, struct sv name, struct sv value)
{
	headers[*count] = (struct http_header){name, value};
	(*count)++;
}

/* The headers of every answer of an exchange: slot, ignored parameters, what upstream may tell. */
static size_t collect_headers(const struct answer *a,
	struct http_header out[ANSWER_HEADERS_MAX + 8], char retry_after[24])
{
	size_t count = 0;

	if (a->slot_id[0])
		add_header(out, &count, SV("X-Relay-Slot-Id"), sv_cstr(a->slot_id));
	if (a->turn->ignored.n)
		add_header(out, &count, SV("X-Relay-Ignored-Params"), a->turn->ignored);
	if (retry_after[0])
		add_header(out, &count, SV("Retry-After"), sv_cstr(retry_after));
	for (size_t i = 0; i < a->header_count; i++)
		out[count++] = a->headers[i];
	return count;
}

static void send_head(struct answer *a)
{
	struct http_header headers[ANSWER_HEADERS_MAX + 8];
	char no_retry[24] = "";
	size_t count = collect_headers(a, headers, no_retry);

	add_header(headers, &count, SV("Cache-Control"), SV("no-cache"));
	add_header(headers, &count, SV("X-Accel-Buffering"), SV("no"));
	a->status = 200;
	a->client->ops->begin(a->client, &(struct http_response){
						 .status = 200,
						 .content_type = SV("text/event-stream"),
						 .content_length = -1,
						 .headers = headers,
						 .header_count = count,
					 });
}

static void release_head(struct answer *a)
{
	assert(!a->head_sent);
	a->head_sent = true;
	a->first_byte_us = clock_mono_us();
	send_head(a);
	timer_start(&a->heartbeat, a->heartbeat_ms);
}

static void commit(struct answer *a)
{
	assert(!a->committed);
	a->committed = true;
	timer_stop(&a->hold);
	if (!a->head_sent)
		release_head(a);
}

/* Past what is held back: heartbeats belong to no event. */
static void send_heartbeat(struct answer *a)
{
	struct buf beat;

	buf_init(&beat, KIB(1));
	a->turn->dialect->heartbeat(a->turn, &beat);
	a->client->ops->send(a->client, &beat);
	buf_fini(&beat);
	a->last_sent_ms = clock_mono_ms();
}

static void on_flush(struct deferred *d)
{
	struct answer *a = CONTAINER_OF(d, struct answer, flush);

	a->flushing = false;
	if (a->client && a->out.len)
		send_made(a);
}

/* Behind a head errors are told inside the stream: by a dialect that has begun. */
static bool may_tell(struct answer *a)
{
	return a->slot_id[0] || a->turn->dialect->begin(a->turn) == 0;
}

static void on_hold_over(struct timer *t)
{
	struct answer *a = CONTAINER_OF(t, struct answer, hold);

	if (!a->client || a->committed)
		return;
	/* Codex saw this upstream's headers and goes by them. */
	if (a->out.len || a->turn->native)
		commit(a);
	else if (!a->head_sent && may_tell(a))
		release_head(a);
	else
		return;
	if (a->out.len)
		send_made(a);
	else
		send_heartbeat(a);
}

static void on_heartbeat(struct timer *t)
{
	struct answer *a = CONTAINER_OF(t, struct answer, heartbeat);
	int64_t silent_ms = clock_mono_ms() - a->last_sent_ms;

	if (!a->client)
		return;
	if (silent_ms < a->heartbeat_ms) {
		timer_start(&a->heartbeat, a->heartbeat_ms - silent_ms);
		return;
	}
	if (!a->client->ops->is_congested(a->client))
		send_heartbeat(a);
	timer_start(&a->heartbeat, a->heartbeat_ms);
}

void answer_init(struct answer *a, struct loop *loop, struct client *client, struct turn *turn,
	const struct conf *conf)
{
	a->client = client;
	a->turn = turn;
	a->hold_ms = (int64_t)(conf->stream_hold_s * 1000);
	a->heartbeat_ms = conf->heartbeat_s * 1000;
	a->begun_ms = clock_mono_ms();
	buf_init(&a->out, LIMIT_FOLD_BYTES);
	a->flush.fn = on_flush;
	timer_init(&a->hold, loop, on_hold_over);
	timer_init(&a->heartbeat, loop, on_heartbeat);
}

static void stop_timers(struct answer *a)
{
	timer_stop(&a->hold);
	timer_stop(&a->heartbeat);
	loop_undefer(&a->flush);
	a->flushing = false;
}

void answer_fini(struct answer *a)
{
	stop_timers(a);
	buf_fini(&a->out);
}

static int64_t silence_left_ms(const struct answer *a)
{
	return a->begun_ms + a->heartbeat_ms - clock_mono_ms();
}

/*
 * A client must not hear nothing until upstream has a head to show. Codex waits long, and needs to
 * see upstream's headers.
 */
static void release_after(struct answer *a, int64_t ms)
{
	if (a->turn->stream && !a->turn->native && !a->head_sent)
		timer_start(&a->hold, ms > 0 ? ms : 0);
}

void answer_wait(struct answer *a)
{
	release_after(a, silence_left_ms(a));
}

int answer_reset(struct answer *a, const char *slot_id)
{
	int64_t left_ms;

	assert(!a->committed);
	timer_stop(&a->hold);
	left_ms = silence_left_ms(a);
	/* One that queued for long gets an early failure as a status all the same. */
	release_after(a, left_ms > a->hold_ms ? left_ms : a->hold_ms);
	buf_reset(&a->out, LIMIT_WRITE_LOW_BYTES);
	a->header_count = 0;
	a->had_output = false;
	snprintf(a->slot_id, sizeof(a->slot_id), "%s", slot_id);
	return a->turn->dialect->begin(a->turn);
}

static void put_header(struct answer *a, struct sv name, struct sv value)
{
	struct http_header copy = {
		arena_dup(a->turn->arena, name), arena_dup(a->turn->arena, value)};
	size_t at = 0;

	while (at < a->header_count && !sv_ieq(a->headers[at].name, name))
		at++;
	if (at == ANSWER_HEADERS_MAX || !copy.name.p || !copy.value.p)
		return;
	a->headers[at] = copy;
	a->header_count += at == a->header_count;
}

void answer_set_header(struct answer *a, struct sv name, struct sv value)
{
	if (a->client && a->turn->native && !a->client->on_socket && !a->head_sent)
		put_header(a, name, value);
}

void answer_upstream_head(struct answer *a, const struct http_header *headers, size_t count)
{
	for (size_t i = 0; i < count && a->turn->native; i++) {
		if (codex_answer_header_passes(headers[i].name))
			put_header(a, headers[i].name, headers[i].value);
	}
	if (a->turn->stream && !a->committed)
		timer_start(&a->hold, a->hold_ms);
}

static void schedule_flush(struct answer *a)
{
	/* One read of libcurl may bring megabytes within a turn: what is large goes on at once, so
	 * that the connection's marks are seen. */
	if (a->out.len >= LIMIT_WRITE_LOW_BYTES) {
		send_made(a);
		return;
	}
	if (a->flushing || a->out.len == 0)
		return;
	a->flushing = true;
	loop_defer(a->hold.loop, &a->flush);
}

/*
 * Upstream is at work: the client gets the head. What has no place in its API, as the beginning of
 * a thought in chat, commits to nothing.
 */
static void show(struct answer *a)
{
	if (a->out.len || a->turn->native)
		commit(a);
	else if (!a->head_sent)
		release_head(a);
}

int answer_event(struct answer *a, const struct event *ev)
{
	int err = a->turn->dialect->on_event(a->turn, ev, &a->out);

	if (!err)
		err = buf_error(&a->out);
	if (err)
		return err;
	if (!event_is_preamble(ev->type))
		a->had_output = true;
	if (!a->turn->stream)
		return 0;
	/* A turn that is over has nothing to hold back for: answer_finish() commits it in one
	 * piece. */
	if (!a->committed && a->had_output && !event_is_terminal(ev->type))
		show(a);
	/* The first events repeat what the request said, which may be more than is held back. */
	if (!a->committed && a->out.len > LIMIT_HELD_BYTES && !event_is_terminal(ev->type))
		commit(a);
	if (a->committed)
		schedule_flush(a);
	return 0;
}

static void end(struct answer *a)
{
	stop_timers(a);
	a->client = NULL;
}

static void respond_whole(struct answer *a, int status, struct sv body, int64_t retry_after_s)
{
	struct http_header headers[ANSWER_HEADERS_MAX + 8];
	char retry_after[24] = "";
	size_t count;

	if (retry_after_s > 0)
		snprintf(retry_after, sizeof(retry_after), "%lld", (long long)retry_after_s);
	count = collect_headers(a, headers, retry_after);
	a->status = status;
	a->head_sent = a->committed = true;
	a->first_byte_us = clock_mono_us();
	a->client->ops->respond(a->client,
		&(struct http_response){
			.status = status,
			.content_type = SV("application/json"),
			.headers = headers,
			.header_count = count,
		},
		body);
	end(a);
}

int answer_finish(struct answer *a)
{
	int err = a->turn->dialect->finish(a->turn, &a->out);

	if (!err)
		err = buf_error(&a->out);
	if (err)
		return err;
	if (!a->turn->stream) {
		respond_whole(a, 200, buf_sv(&a->out), 0);
		return 0;
	}
	if (!a->committed)
		commit(a);
	if (a->out.len)
		send_made(a);
	a->client->ops->finish(a->client);
	end(a);
	return 0;
}

int answer_say(struct answer *a, struct sv text)
{
	int err = a->turn->dialect->begin(a->turn);

	if (!err)
		err = turn_say(a->turn, text, &a->out);
	if (err)
		return err;
	if (!a->turn->stream) {
		respond_whole(a, 200, buf_sv(&a->out), 0);
		return 0;
	}
	commit(a);
	send_made(a);
	a->client->ops->finish(a->client);
	end(a);
	return 0;
}

void answer_fail(struct answer *a, const struct api_err *err)
{
	bool in_stream = a->head_sent;

	if (!a->client)
		return;
	if (!in_stream)
		buf_reset(&a->out, LIMIT_WRITE_LOW_BYTES);
	a->turn->dialect->error(a->turn, err, in_stream, &a->out);
	if (!in_stream) {
		respond_whole(a, err->status, buf_sv(&a->out), err->retry_after_s);
		return;
	}
	send_made(a);
	/* The end of the body is left out: a client that cannot read the error still sees a
	 * failure. */
	a->client->ops->abort(a->client);
	end(a);
}

void answer_drop(struct answer *a)
{
	end(a);
}

bool answer_passes_header(const struct answer *a, struct sv name)
{
	for (size_t i = 0; i < a->header_count; i++) {
		if (sv_ieq(a->headers[i].name, name))
			return true;
	}
	return false;
}

bool answer_is_congested(const struct answer *a)
{
	return a->client && a->committed && a->client->ops->is_congested(a->client);
}
