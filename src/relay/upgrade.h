/*
 * GET of a path whose POST takes turns: a handshake for a WebSocket (PROTOCOL 7), or a mistake.
 */
#ifndef RELAY_UPGRADE_H
#define RELAY_UPGRADE_H

#include "io/http_server.h"

struct relay;

/* 426, which makes a Codex client use HTTP at once and without a word; 405 for any other GET. */
void upgrade_refuse(struct relay *r, struct http_stream *s);

#endif
