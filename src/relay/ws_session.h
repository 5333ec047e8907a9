/*
 * A client's WebSocket on a path that takes turns (PROTOCOL 7, docs/websockets.md): its turns run
 * one after another, each an exchange of its own with a slot of its own choice. Remembers the
 * conversation that the last answer ended, so that the next turn may bring new items only; within
 * limits, and of all sockets together the least recently used goes first: then the client is told
 * previous_response_not_found and sends everything. Owner: itself, until its connection ended.
 */
#ifndef RELAY_WS_SESSION_H
#define RELAY_WS_SESSION_H

#include "io/http_server.h"

#include <stddef.h>

struct relay;
struct ws_session;

/* All sockets of a relay; zeroed at first. */
struct ws_sessions {
	struct ws_session *first, **last; /* least recently used first */
	size_t count;
	size_t bytes; /* of what they remember */
};

/* Answers a handshake (a GET that asks for a WebSocket), by 101 or with what is wrong with it. */
void ws_session_open(struct relay *r, struct http_stream *s);

#endif
