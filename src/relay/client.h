/*
 * Whom an exchange answers: an HTTP request (client_http.h), or a turn on a WebSocket (ws_turn.h).
 * Its owner makes it before the exchange and keeps it until an ender was called or it told the
 * exchange's user that the client is gone; the exchange does not touch it afterwards.
 *
 *	respond | begin -> send... -> finish or abort
 */
#ifndef RELAY_CLIENT_H
#define RELAY_CLIENT_H

#include "io/http_server.h"

struct client;
struct route;
struct route_user;

struct client_ops {
	/* Who hears of drains and of the end (router.h). */
	void (*set_user)(struct client *c, struct route_user *user);
	/* A whole answer. Ends. */
	void (*respond)(struct client *c, const struct http_response *response, struct sv body);
	/* Head of a stream. */
	void (*begin)(struct client *c, const struct http_response *response);
	/* SSE bytes of the dialect, cut anywhere; empties the buffer. */
	void (*send)(struct client *c, struct buf *bytes);
	void (*finish)(struct client *c);
	/* The stream ends without its proper end: an error was told in it. Ends. */
	void (*abort)(struct client *c);
	/* The source of the bytes is to pause until on_drain. */
	bool (*is_congested)(const struct client *c);
};

struct client {
	const struct client_ops *ops;
	const struct http_request *request;
	const struct route *route;
	const char *peer;
	int64_t started_us; /* monotonic */
	bool on_socket;	    /* a turn on a WebSocket */
};

#endif
