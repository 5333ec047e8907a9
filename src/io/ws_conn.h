/*
 * One accepted WebSocket: takes a connection over from the HTTP server, frames what is sent, hands
 * out whole messages, answers pings, sends its own, does the closing handshake. Owner: itself; the
 * user gets it from ws_conn_accept() and forgets it when it ended it or was told on_gone.
 *
 *	OPEN -> CLOSING	our close frame and a FIN are out; what comes is thrown away for a while
 *	OPEN, CLOSING -> ENDED	conn was told to close
 *
 * A peer that breaks the rules gets the close code of ws.h; one that sends more control frames than
 * anybody needs 1008; one that leaves a message unfinished for LIMIT_BODY_IDLE_TIMEOUT_MS 1008; one
 * that does not answer pings is cut off, unless it is still busy reading what was sent before.
 */
#ifndef IO_WS_CONN_H
#define IO_WS_CONN_H

#include "io/http_server.h"
#include "proto/ws.h"
#include "proto/ws_handshake.h"

struct ws_conn;

struct ws_conn_ops {
	/* A message; may be taken with buf_move(). */
	void (*on_message)(void *user, struct buf *text);
	/* The write queue fell below its low mark. */
	void (*on_drain)(void *user);
	/* The server stops: end it when what runs is done. */
	void (*on_stopping)(void *user);
	/* It ended, and not by the user: forget it. code: what was told by the peer, or told to it;
	 * WS_CLOSE_NO_CODE when nobody told anything. */
	void (*on_gone)(void *user, int code, const char *why);
};

enum { WS_ANSWER_HEADERS_MAX = 8 };

struct ws_conn_options {
	size_t max_message_bytes;
	/* Of an accepted one's answer, besides the handshake's own; at most WS_ANSWER_HEADERS_MAX.
	 */
	const struct http_header *headers;
	size_t header_count;
	int64_t ping_ms; /* between pings to a silent peer; the second one must be answered in as
			    long again, at most LIMIT_WS_PONG_MS */
};

/* Answers the handshake; accept is that of ws_check_request(). */
struct ws_conn *ws_conn_accept(struct http_stream *s, const char *accept,
	const struct ws_conn_options *options, const struct ws_conn_ops *ops, void *user);

/* Queues one text message. Ignored behind the end. */
void ws_conn_send(struct ws_conn *c, struct sv text);
bool ws_conn_is_congested(const struct ws_conn *c);

/* Enders; no callback follows. What is queued goes out before a close frame, not before the
 * others. */
void ws_conn_close(struct ws_conn *c, int code, const char *reason);
void ws_conn_cut(struct ws_conn *c);   /* what is queued, then the end of the connection */
void ws_conn_reset(struct ws_conn *c); /* RST */

#endif
