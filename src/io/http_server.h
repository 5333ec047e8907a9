/*
 * HTTP/1.1 server on top of conn and http1: keep-alive, pipelining, limits, timeouts, bodies
 *decoded and collected. One struct http_stream is one request with its response; a connection
 *serves its requests one after another. The handler owns nothing of it: it gets the stream in
 *on_request, keeps the pointer until it called http_finish()/http_abort() or got on_gone, and never
 *after.
 *
 *	on_head -> (http_respond… | body is read) -> on_request -> http_respond_head, http_send…,
 *http_finish client vanishes, or a timeout strikes, before http_finish: on_gone, once
 *
 * Faults of framing and limits are answered here with the status of http1.h, the body rendered by
 * the handler's render_fault. Every response head gets Date, and what add_headers appends.
 */
#ifndef IO_HTTP_SERVER_H
#define IO_HTTP_SERVER_H

#include "base/buf.h"
#include "io/conn.h"
#include "proto/http1.h"

struct http_server;
struct http_stream;

struct http_handler {
	/*
	 * Head is complete, no body read. The handler may answer at once (http_respond): the body
	 * is then discarded up to LIMIT_DISCARD_BYTES, or the connection closed behind the answer.
	 * It may lower the body cap with http_set_body_cap(). May be NULL.
	 */
	void (*on_head)(struct http_stream *s, void *arg);
	/* Body is complete: http_body(). The handler answers now or later. */
	void (*on_request)(struct http_stream *s, void *arg);
	/* The write queue fell below its low mark; only between respond_head and finish. May be
	 * NULL. */
	void (*on_drain)(struct http_stream *s, void *arg);
	/* The client is gone before the answer was finished. Forget s; the response goes nowhere.
	 * Only if on_request was called, or http_respond_head() from on_head. */
	void (*on_gone)(struct http_stream *s, void *arg, enum conn_end why);
	/* Appends a JSON body for a fault. May be NULL (plain OpenAI error shape then). */
	void (*render_fault)(const struct http_request *r, const struct http_fault *fault,
		struct buf *out, void *arg);
	/* The status that a fault is answered with, where the client needs another one than the
	 * fault's. May be NULL. */
	int (*fault_status)(
		const struct http_request *r, const struct http_fault *fault, void *arg);
	/* Appends complete header lines ("Name: value\r\n") to every response head. s may be
	 * without a request yet. May be NULL. */
	void (*add_headers)(struct http_stream *s, struct buf *out, void *arg);
	/* Called when a fault was answered, for logs and statistics. May be NULL. */
	void (*on_fault)(struct http_stream *s, const struct http_fault *fault, void *arg);
};

struct http_options {
	const char *address; /* listen address, see listener_new() */
	bool reuse_port;
	struct tls_server *tls;	   /* for "tls://…"; outlives the server */
	unsigned max_connections;  /* 0: LIMIT_CONNECTIONS_COUNT */
	size_t max_body_bytes;	   /* decoded; 0: LIMIT_BODY_BYTES */
	int64_t header_timeout_ms; /* 0: defaults of limits.h */
	int64_t body_idle_timeout_ms;
	int64_t keepalive_idle_ms;
};

int http_server_new(struct loop *loop, const struct http_options *options,
	const struct http_handler *handler, void *arg, struct http_server **ret) MUST_CHECK;
/* Listens at a further address; failures as of listener_new(). */
int http_server_listen(struct http_server *h, const char *address) MUST_CHECK;
/* Stops accepting, closes idle connections, and lets running requests end with Connection: close.
 */
void http_server_drain(struct http_server *h);
/* Calls on_idle (once, from the loop) as soon as no connection is left; after drain. */
void http_server_on_idle(struct http_server *h, void (*on_idle)(void *arg), void *arg);
/* Closes everything at once: on_gone for running requests; frees h when the last connection is
 * gone. */
void http_server_free(struct http_server *h);
/* The first address without TLS at a port, or the first one when there is none. */
const char *http_server_address(const struct http_server *h);
/* The index-th address, in the order of their making; NULL behind the last. */
const char *http_server_address_at(const struct http_server *h, size_t index);
size_t http_server_connections(const struct http_server *h);

const struct http_request *http_stream_request(const struct http_stream *s);
/* Decoded body. Borrowed until the stream ends, unless moved out with buf_move(). */
struct buf *http_body(struct http_stream *s);
void http_set_body_cap(struct http_stream *s, size_t bytes);
/* Handler's own pointer for this stream; NULL at first. */
void http_stream_set_user(struct http_stream *s, void *user);
void *http_stream_user(const struct http_stream *s);
/* A constant of the handler's that goes with the request from on_head to its end; NULL at first. */
void http_stream_set_tag(struct http_stream *s, const void *tag);
const void *http_stream_tag(const struct http_stream *s);
const char *http_stream_peer(const struct http_stream *s);
/* Monotonic microseconds at which the first byte of the head was seen. */
int64_t http_stream_started_us(const struct http_stream *s);

struct http_response {
	int status;
	struct sv content_type; /* empty: none */
	int64_t content_length; /* -1: chunked (HTTP/1.0 clients get close-delimited) */
	const struct http_header
		*headers; /* further ones; names and values checked by the caller */
	size_t header_count;
	bool close; /* close the connection behind this answer */
};
void http_respond_head(struct http_stream *s, const struct http_response *response);
/* Body bytes; copied. Bytes for a HEAD request are dropped. */
void http_send(struct http_stream *s, struct sv bytes);
/* The same, moving the buffer. */
void http_send_buf(struct http_stream *s, struct buf *b);
/* Pause the source of the bytes until on_drain. */
bool http_is_congested(const struct http_stream *s);
/* End of the response; the stream is gone for the handler. */
void http_finish(struct http_stream *s);
/* The response cannot be ended properly: what is queued goes out, then the connection closes
 * without the end of the body. */
void http_abort(struct http_stream *s);
/* Drops the connection at once, queued bytes and all (RST where the system allows): simulators need
 * it. */
void http_reset(struct http_stream *s);
/*
 * A connection that is no longer HTTP's. It still counts among the server's: http_server_on_idle()
 * waits for its end, and http_server_free() ends it.
 */
struct http_upgrade_ops {
	/* Bytes came, those behind the request first; borrowed for the call. */
	void (*on_read)(void *user, struct sv bytes);
	/* The peer sends no more. */
	void (*on_eof)(void *user);
	/* The write queue fell below its low mark. */
	void (*on_drain)(void *user);
	/* http_server_drain(): to be ended soon. */
	void (*on_stopping)(void *user);
	/* Last call: forget the conn. */
	void (*on_closed)(void *user, enum conn_end why);
};
/*
 * Answers 101 with these headers and gives the connection away: the stream is gone for the handler.
 * Only when the request has no body and was handed over by on_request. The receiver writes to the
 * conn and ends it, but does not become its owner.
 */
struct conn *http_upgrade(struct http_stream *s, const struct http_header *headers, size_t count,
	const struct http_upgrade_ops *ops, void *user);
/* Does the server end (http_server_drain)? Then nothing long should be begun. */
bool http_is_stopping(const struct http_stream *s);
/* Head, body and finish in one. content_length of response is ignored. */
void http_respond(struct http_stream *s, const struct http_response *response, struct sv body);

#endif
