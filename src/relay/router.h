/*
 * Routes of the relay: one const table of path, methods, role and handler. Authorisation is in the
 * table and checked once, here. Also the callbacks that the HTTP server calls.
 */
#ifndef RELAY_ROUTER_H
#define RELAY_ROUTER_H

#include "io/http_server.h"

struct relay;

/* For http_server_new(); arg is the relay. */
extern const struct http_handler router_http_handler;

enum route_role { ROLE_NONE, ROLE_CLIENT };

/* For tests and documents: the rows of the table, NULL behind the last. */
struct route {
	const char *path;
	const char *methods; /* as in Allow: "GET, HEAD" */
	enum route_role role;
	void (*serve)(struct relay *r, struct http_stream *s);
	const char *help;
};
const struct route *router_routes(size_t index);

#endif
