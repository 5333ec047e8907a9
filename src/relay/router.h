/*
 * Routes of the relay: const tables of path, methods, role and handler. Authorisation is in the
 * table and checked once, here. Also the callbacks that the HTTP server calls. The relay's own
 * routes come first, then those of its extension (relay.h); a path is looked up once a request.
 */
#ifndef RELAY_ROUTER_H
#define RELAY_ROUTER_H

#include "dialect/api_err.h"
#include "io/http_server.h"

struct relay;

/* For http_server_new(); arg is the relay. */
extern const struct http_handler router_http_handler;

enum route_role {
	ROLE_NONE,   /* anybody */
	ROLE_CLIENT, /* conf_token_ok() */
	ROLE_CODEX,  /* codex_auth_allows() */
	ROLE_ADMIN,  /* conf_admin_token_ok(); bodies up to LIMIT_ADMIN_BODY_BYTES */
};

struct route {
	/* "/v1/models"; "/admin/slots/{id}/enable": one part in braces takes any text, see
	 * router_param(); "/a/" and a star: all that is below. Several rows may have one path, with
	 * different methods. */
	const char *path;
	const char *methods; /* as in Allow: "GET, HEAD" */
	enum route_role role;
	void (*serve)(struct relay *r, struct http_stream *s);
	const char *help;
};
/* The relay's own rows, NULL behind the last. */
const struct route *router_routes(size_t index);
/* Does path fit the pattern of a row? *ret_param is then the part that stands for {…}, as it was
 * sent; empty when the pattern has none. */
bool router_match(const char *pattern, struct sv path, struct sv *ret_param);
/* The decoded path parameter of the request that is being served; valid until serve() returns. */
struct sv router_param(const struct relay *r);

/*
 * Who answers a stream later than in serve(): embedded, and given to http_stream_set_user(). id is
 * the request's, for its headers. Either function may be NULL, on_gone only when serve() has
 * answered or begun an answer that cannot be broken off.
 */
struct route_user {
	const struct route_user_ops *ops;
	const char *id;
	bool has_request_id; /* the answer has an x-request-id: upstream's */
};
struct route_user_ops {
	void (*on_drain)(struct route_user *user);
	/* The stream is gone; http_server.h. */
	void (*on_gone)(struct route_user *user, enum conn_end why);
};
/* The token that a client sent: Authorization: Bearer, else x-api-key, else api-key. */
struct sv router_client_token(const struct http_request *request);
/* May this request have what the route gives? False with *err. peer: as http_stream_peer(). */
bool router_allows(const struct relay *r, const struct route *route,
	const struct http_request *request, const char *peer, struct api_err *err) MUST_CHECK;
/* Id of the request that the stream answers. */
const char *router_request_id(struct relay *r, const struct http_stream *s);

#endif
