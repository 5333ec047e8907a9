/*
 * One attempt at the Codex backend over HTTP and SSE, or over a WebSocket: sends the request,
 * decodes the stream, hands out events. What goes wrong with a socket before the answer begins, and
 * is not the account's fault, is tried again inside: on another socket, or over HTTP; behind that
 * it ends with failure->of_socket. Knows a credential and a URL, never a slot. Owner: the exchange.
 * Ends by exactly one on_end, unless cancelled; freed after either. After a terminal event the
 * transfer is left to itself for a moment, so that its connection can be used again.
 *
 *	HEAD -> STREAM -> ENDED
 *	  \----> BODY ---/      BODY: an error, or the document that was asked for, is collected
 */
#ifndef CODEX_UPSTREAM_H
#define CODEX_UPSTREAM_H

#include "codex/failure.h"
#include "codex/socket_pool.h"
#include "io/fetch.h"

struct upstream;

struct upstream_request {
	const char *url;		   /* complete */
	const struct http_header *headers; /* copied by fetch */
	size_t header_count;
	struct sv body; /* borrowed until on_end or cancel */
	/* The answer is one JSON document, not a stream: handed out as one EVENT_COMPLETED whose
	 * json it is. */
	bool document;
	int64_t connect_timeout_ms;
	int64_t idle_timeout_ms;
	int64_t total_timeout_ms;
	/* Where a socket may be found for the turn; NULL: HTTP. Then socket.url is not used. */
	struct socket_pool *sockets;
	struct socket_key socket;
	int64_t upgrade_timeout_ms;
};

/* How an attempt went upstream. */
struct upstream_trace {
	const char *transport; /* "http" or "websocket"; static */
	bool incremental;      /* only the conversation's new items were sent */
};

struct upstream_ops {
	/* A 2xx head came, of a stream or a document; upstream_headers() are there. */
	void (*on_head)(struct upstream *u, void *arg, int status);
	/*
	 * One event; views valid during the call. After completed or incomplete no more come;
	 * failed and error events are not handed out: they are told by on_end.
	 */
	void (*on_event)(struct upstream *u, void *arg, const struct event *ev);
	/*
	 * The end. failure->class FAILURE_NONE after a terminal completed/incomplete event
	 * (whatever the transport did later). failed and error events end with their failure;
	 * meters (headers, events) are in upstream_meters(). failure and the body that its err
	 * may view are valid during the call.
	 */
	void (*on_end)(struct upstream *u, void *arg, const struct failure *failure);
};

/* Never fails, never calls back at once: problems arrive in on_end. */
struct upstream *upstream_start(struct loop *loop, struct fetch_pool *pool,
	const struct upstream_request *r, const struct upstream_ops *ops, void *arg);
/* No callback follows; the transfer is stopped at once. Safe inside callbacks. */
void upstream_cancel(struct upstream *u);
/* Back-pressure. Events that are already decoded when pause is called inside on_event wait too. */
void upstream_pause(struct upstream *u);
void upstream_resume(struct upstream *u);
/* From on_head on; none any more when the transfer has ended before its last event was handed out
 * (only while paused). */
const struct http_header *upstream_headers(const struct upstream *u, size_t *ret_count);
/* Limits learnt so far from headers and events; NULL when nothing is known. */
const struct meters *upstream_meters(const struct upstream *u);
void upstream_trace(const struct upstream *u, struct upstream_trace *ret);

#endif
