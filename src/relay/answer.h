/*
 * The client's side of an exchange: holds heads back until the commit point, turns events into the
 * client's dialect, sends, keeps the stream alive, ends it once. Owner: the exchange, which embeds
 * it. Everything before the commit can be undone with answer_reset(); nothing after it can.
 *
 * A stream that has nothing to say for long gets its head and heartbeats before the commit: then
 * the status is settled, and the slot that the head names, but another slot may still answer.
 */
#ifndef RELAY_ANSWER_H
#define RELAY_ANSWER_H

#include "conf/conf.h"
#include "dialect/dialect.h"
#include "io/loop.h"
#include "relay/client.h"

enum { ANSWER_HEADERS_MAX = 48 };

struct answer {
	struct client *client; /* NULL once finished or gone */
	struct turn *turn;
	struct buf out;	 /* made, not yet handed to the stream */
	bool head_sent;	 /* the status is settled; heartbeats may have followed */
	bool committed;	 /* something of the answer was handed to the stream */
	bool flushing;	 /* a flush is due at the end of the loop turn */
	bool had_output; /* an event with output came in this attempt */
	int status;	 /* what the client was told; 0 before */
	char slot_id[LIMIT_SLOT_ID_BYTES];
	struct http_header
		headers[ANSWER_HEADERS_MAX]; /* upstream's, passed on; in the turn's arena */
	size_t header_count;
	int64_t first_byte_us; /* monotonic time of the head; 0 before */
	int64_t hold_ms, heartbeat_ms;
	int64_t begun_ms; /* monotonic time of the request */
	int64_t last_sent_ms;
	struct deferred flush;
	struct timer hold, heartbeat;
};

void answer_init(struct answer *a, struct loop *loop, struct client *client, struct turn *turn,
	const struct conf *conf);
void answer_fini(struct answer *a);
/* The turn is known, and nothing may come of it for long: heartbeats then go out. */
void answer_wait(struct answer *a);
/* Before an attempt: names its slot, forgets what a former attempt made. -ENOMEM. Not after the
 * commit. */
int answer_reset(struct answer *a, const char *slot_id) MUST_CHECK;
/* Upstream has accepted: its headers that may pass; a held stream is released after
 * streamHoldSeconds. */
void answer_upstream_head(struct answer *a, const struct http_header *headers, size_t count);
/* One that upstream told behind its head: for clients that look for it in theirs, and have not got
 * that yet. */
void answer_set_header(struct answer *a, struct sv name, struct sv value);
/* One event. Errors as dialect.on_event. */
int answer_event(struct answer *a, const struct event *ev) MUST_CHECK;
/* The terminal event was given: completes the answer. Errors as dialect.finish; nothing was sent
 * then if not committed. */
int answer_finish(struct answer *a) MUST_CHECK;
/* A whole answer made by turn_say(). */
int answer_say(struct answer *a, struct sv text) MUST_CHECK;
/*
 * The request failed: real status and body before the commit, an error inside the stream after it,
 * and the connection closes.
 */
void answer_fail(struct answer *a, const struct api_err *err);
/* The client is gone: nothing is sent any more. */
void answer_drop(struct answer *a);
/* Does the answer carry this header of upstream's? name: lower case. */
bool answer_passes_header(const struct answer *a, struct sv name);
/* The client reads slower than upstream writes: pause until the stream drains. */
bool answer_is_congested(const struct answer *a);

#endif
