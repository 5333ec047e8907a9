/*
 * Shared by http_server.c (connections: reading, timers, faults) and http_stream.c (one request's
 * response). Private to them.
 *
 * A connection is in one of these states; set_state() is the only setter:
 *	IDLE	no request: waits for the first byte, keep-alive timer
 *	HEAD	part of a head came: header timer
 *	BODY	body is read or, when the answer is there already, discarded: body timer
 *	SERVE	request complete, the handler has it: no timer; further bytes are kept
 *	LINGER	answered and half closed; what the client still sends is thrown away for a while
 *	UPGRADED	no HTTP any more: all that comes is another's; no timer
 *	CLOSING	conn was told to close; nothing happens but on_closed
 *	IDLE -> HEAD -> BODY -> SERVE -> IDLE, any -> LINGER, any -> CLOSING; steps may be skipped.
 *	SERVE -> UPGRADED
 */
#ifndef IO_HTTP_INTERNAL_H
#define IO_HTTP_INTERNAL_H

#include "base/limits.h"
#include "io/http_server.h"
#include "proto/inflater.h"

enum http_state {
	HTTP_IDLE,
	HTTP_HEAD,
	HTTP_BODY,
	HTTP_SERVE,
	HTTP_LINGER,
	HTTP_UPGRADED,
	HTTP_CLOSING,
};

/* Of a response. */
enum http_answer {
	ANSWER_NONE,
	ANSWER_HEAD,	 /* head is out, body may follow */
	ANSWER_FINISHED, /* nothing follows; the handler has forgotten the stream */
};

enum http_framing {
	FRAMING_NONE, /* HEAD, 204, 304: bytes are dropped */
	FRAMING_SIZED,
	FRAMING_CHUNKED,
	FRAMING_CLOSE, /* HTTP/1.0: ends with the connection */
};

struct http_connection;

/* Streams are pooled: parser and its storage serve one request after another. */
struct http_stream {
	struct http_connection *connection;
	struct http1_parser *parser;
	struct inflater *inflater;
	struct buf body;
	size_t body_cap;
	uint64_t discarded; /* bytes of a body that nobody wants */
	uint64_t left;	    /* of a sized answer */
	int64_t started_us;
	void *user;
	const void *tag;
	struct http_fault fault; /* status 0: none */
	enum http_answer answer;
	enum http_framing framing;
	bool complete; /* the whole request was read */
	bool handed;   /* on_request was called */
	bool close;    /* connection ends behind the answer */
	bool over;     /* too much to discard */
	bool in_head;  /* on_head is on the stack: the body is not begun yet */
	struct http_stream *next_spare;
};

struct http_connection {
	struct http_server *server;
	struct conn *conn;
	struct http_stream *stream; /* NULL while idle */
	enum http_state state;
	struct timer timer;
	struct deferred advance; /* behind an answer: the next request */
	struct buf pipeline;	 /* bytes of following requests */
	bool processing;	 /* http_process() is on the stack */
	bool read_stopped;
	size_t lingered_bytes;
	int64_t linger_until_ms;
	const struct http_upgrade_ops *upgrade; /* NULL before UPGRADED */
	void *upgrade_user;
	struct http_connection *next, **prev;
};

struct http_server {
	struct loop *loop;
	struct listener *listeners[LIMIT_LISTEN_COUNT];
	char *addresses[LIMIT_LISTEN_COUNT]; /* stay known when nobody listens any more */
	size_t listener_count, address_count;
	struct accept_group *group;
	struct http_options options;
	struct http_handler handler;
	void *arg;
	struct http_connection *connections;
	size_t connection_count;
	struct http_stream *spare;
	unsigned spare_count;
	bool draining;
	bool dying;
	void (*on_idle)(void *arg);
	void *on_idle_arg;
	struct deferred idle;
	int64_t date_second;
	char date[40]; /* "Date: …\r\n" */
	size_t date_bytes;
};

/* Closes behind what is queued; with lingering when the client may still be sending. */
void http_connection_end(struct http_connection *hc, enum conn_end why);
/* The answer of the connection's stream is finished. */
void http_connection_answered(struct http_connection *hc);
/* The answer was the 101: from the next loop turn on the connection is another's. */
void http_connection_upgraded(
	struct http_connection *hc, const struct http_upgrade_ops *ops, void *user);
/* Answers a fault and ends the connection. */
void http_answer_fault(struct http_stream *s, const struct http_fault *fault);

#endif
