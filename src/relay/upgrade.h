/*
 * GET of a path whose POST takes turns: a handshake for a WebSocket (PROTOCOL 7), or a mistake.
 */
#ifndef RELAY_UPGRADE_H
#define RELAY_UPGRADE_H

#include "io/http_server.h"

struct relay;

/* A socket, or 426 when the configuration wants none; 405 for any other GET. */
void upgrade_serve(struct relay *r, struct http_stream *s);

#endif
