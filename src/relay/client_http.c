#include "relay/client_http.h"

#include "base/limits.h"

/* Kept for the next events of a stream that is slow; one that is fast keeps what it needs. */
enum { KEEP_BYTES = 1024 };

static struct http_stream *stream_of(const struct client *c)
{
	return CONTAINER_OF(c, const struct client_http, client)->stream;
}

static void set_user(struct client *c, struct route_user *user)
{
	http_stream_set_user(stream_of(c), user);
}

static void respond(struct client *c, const struct http_response *response, struct sv body)
{
	http_respond(stream_of(c), response, body);
}

static void begin(struct client *c, const struct http_response *response)
{
	http_respond_head(stream_of(c), response);
}

static void send(struct client *c, struct buf *bytes)
{
	struct buf moved;

	if (bytes->size <= LIMIT_WRITE_LOW_BYTES) {
		http_send(stream_of(c), buf_sv(bytes));
		buf_reset(bytes, bytes->len > KEEP_BYTES ? LIMIT_WRITE_LOW_BYTES : KEEP_BYTES);
		return;
	}
	buf_move(bytes, &moved);
	http_send_buf(stream_of(c), &moved);
	buf_fini(&moved);
}

static void finish(struct client *c)
{
	http_finish(stream_of(c));
}

static void abort_stream(struct client *c)
{
	http_abort(stream_of(c));
}

static bool is_congested(const struct client *c)
{
	return http_is_congested(stream_of(c));
}

static const struct client_ops ops = {
	.set_user = set_user,
	.respond = respond,
	.begin = begin,
	.send = send,
	.finish = finish,
	.abort = abort_stream,
	.is_congested = is_congested,
};

void client_http_init(struct client_http *c, struct http_stream *stream)
{
	*c = (struct client_http){
		.client =
			{
				.ops = &ops,
				.request = http_stream_request(stream),
				.route = http_stream_tag(stream),
				.peer = http_stream_peer(stream),
				.started_us = http_stream_started_us(stream),
			},
		.stream = stream,
	};
}
