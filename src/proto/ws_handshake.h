/*
 * The opening handshake of a WebSocket (RFC 6455, 4), both sides of it. Pure. permessage-deflate
 * and sub-protocols are never offered nor accepted.
 */
#ifndef PROTO_WS_HANDSHAKE_H
#define PROTO_WS_HANDSHAKE_H

#include "proto/http1.h"

enum { WS_KEY_SIZE = 25, WS_ACCEPT_SIZE = 29 };

/* Does the request ask for a WebSocket (Upgrade and Connection say so)? */
bool ws_is_upgrade(const struct http_request *r);
/*
 * May it have one? 0 and the value of Sec-WebSocket-Accept, or -EINVAL with what to answer: 400, or
 * 426 with "Sec-WebSocket-Version: 13" for another version.
 */
int ws_check_request(const struct http_request *r, char ret_accept[WS_ACCEPT_SIZE],
	struct http_fault *ret_fault) MUST_CHECK;

/* A fresh Sec-WebSocket-Key. */
void ws_make_key(char out[WS_KEY_SIZE]);
/* What answers a key. */
void ws_accept_of(struct sv key, char out[WS_ACCEPT_SIZE]);
/* Is this the 101 that answers our key, with nothing agreed on that we did not offer? */
bool ws_check_answer(int status, const struct http_header *headers, size_t count, const char *key);

#endif
