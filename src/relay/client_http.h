/* The client that an HTTP request is. Embedded in its exchange. */
#ifndef RELAY_CLIENT_HTTP_H
#define RELAY_CLIENT_HTTP_H

#include "relay/client.h"

struct client_http {
	struct client client;
	struct http_stream *stream;
};

void client_http_init(struct client_http *c, struct http_stream *stream);

#endif
