/*
 * A dialect is one client API: it turns a client's body into the internal form (a Responses request
 * document) and the internal events into the client's answer. Pure: bytes and events in, bytes out.
 * No I/O, no clock but turn.now_s, no log. One struct turn is one request; the exchange owns it.
 *
 *	parse -> begin -> on_event… -> (terminal event) -> finish
 *	            ^ again for each upstream attempt, as long as nothing was sent
 *	error: any time after parse failed or succeeded
 *	heartbeat: between events of a stream
 *
 * What on_event and finish append to `out` is, for a stream, SSE bytes ready to send; for a folded
 * answer on_event collects in the turn and finish appends the complete JSON body.
 */
#ifndef DIALECT_DIALECT_H
#define DIALECT_DIALECT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/jv.h"
#include "dialect/api_err.h"
#include "dialect/event.h"
#include "dialect/model_name.h"

struct dialect;

struct turn {
	const struct dialect *dialect;
	struct arena *arena; /* the exchange's: lives as long as the turn */
	int64_t now_s;	     /* unix time of the request, for `created` members */
	const char *id;	     /* request id, for ids that we must make up */
	/*
	 * A native Codex client (PROTOCOL 8), set before parse: its body passes byte for byte,
	 * private events are forwarded, failures are told as response.failed.
	 */
	bool native;
	/* Set before parse: which models the names of requests may mean. */
	struct model_catalogue models;

	/*
	 * Set before begin: the relay keeps the answer for the client to go on from (`store`). The
	 * answer says so then, and its object is in `stored` once it is complete; its cap is the
	 * most that is kept, and an error in it no error of the answer.
	 */
	bool store;
	struct buf stored;

	/* Filled by parse. */
	struct jv request;  /* the client's body, validated; borrowed from the exchange */
	struct jv upstream; /* the internal form: request itself, or a view of `built` */
	struct buf built;   /* storage when the dialect had to write the internal form */
	struct sv model;    /* decoded; without provider and effort (model_name.h) */
	bool stream;	    /* the client wants a stream */
	struct sv ignored;  /* comma-separated names for X-Relay-Ignored-Params, or empty */

	/* Filled while events pass. */
	struct usage usage;
	struct buf fold; /* a folded answer's pieces */
	/*
	 * The answer is complete although upstream goes on (a stop sequence was met): upstream may
	 * be cancelled and finish called at once. If it is not, later events do no harm.
	 */
	bool satisfied;
	void *state; /* the dialect's own, in the arena */
};

struct dialect {
	bool stores; /* knows turn.store */
	/* Is served by upstream's compact endpoint, which answers with one JSON document: handed to
	 * on_event as the one EVENT_COMPLETED. */
	bool compacts;
	const char *name; /* "responses", "chat", "completions" */
	/*
	 * Reads t->request and fills the parse part; -EINVAL with *err filled (400 and its param).
	 */
	int (*parse)(struct turn *t, struct api_err *err);
	/* Ready for a first or another attempt's events. -ENOMEM. */
	int (*begin)(struct turn *t);
	/* One event. -ENOBUFS/-ENOMEM: answer over its cap (502); -EBADMSG: event that makes no
	 * sense (502). */
	int (*on_event)(struct turn *t, const struct event *ev, struct buf *out);
	/* After the terminal event, which on_event got too. */
	int (*finish)(struct turn *t, struct buf *out);
	/*
	 * In a stream whose head was sent (in_stream): SSE bytes that end it in this dialect's way.
	 * Else the JSON body for err->status.
	 */
	void (*error)(struct turn *t, const struct api_err *err, bool in_stream, struct buf *out);
	/* Bytes that keep an idle stream alive (TRANSLATION 4). */
	void (*heartbeat)(struct turn *t, struct buf *out);
};

extern const struct dialect dialect_responses;
extern const struct dialect dialect_chat;
extern const struct dialect dialect_completions;
extern const struct dialect dialect_compact;

/* turn_init zeroes and sets caps; turn_fini frees its buffers (state lives in the arena). */
void turn_init(struct turn *t, const struct dialect *dialect, struct arena *arena);
void turn_fini(struct turn *t);

/*
 * The request's last user text, decoded into the arena (for relay-echo): from `input` of the
 * internal form. Empty when there is none.
 */
struct sv turn_last_user_text(struct turn *t);
/*
 * Feeds a turn with the events of a short made-up answer: created, one message with this text,
 * completed with zero usage; then finish. For the offline models, in every dialect.
 */
int turn_say(struct turn *t, struct sv text, struct buf *out) MUST_CHECK;

#endif
