/* URLs of upstreams and listen addresses: parsed, checked, put together. Pure. */
#ifndef PROTO_URL_H
#define PROTO_URL_H

#include "base/buf.h"

struct url {
	struct sv scheme; /* "http" or "https", lower case checked */
	struct sv host;	  /* without brackets */
	uint16_t port;	  /* explicit or the scheme's default */
	struct sv path;	  /* from the first '/', "" if none; no query */
};

/* Views of text. -EINVAL for anything but an absolute http(s) URL without user info or fragment. */
int url_parse(struct sv text, struct url *ret) MUST_CHECK;
/*
 * "host:port", "[v6]:port", ":port" (all addresses: host is "") or "port" (host is "127.0.0.1").
 * -EINVAL otherwise, or when host_size is too small. Port 0 is allowed.
 */
int url_parse_listen(struct sv text, char *host, size_t host_size, uint16_t *ret_port) MUST_CHECK;

enum listen_kind { LISTEN_TCP, LISTEN_TLS, LISTEN_UNIX };

enum { LISTEN_HOST_SIZE = 256, LISTEN_PATH_SIZE = 108 /* of sockaddr_un */ };

struct listen_address {
	enum listen_kind kind;
	char host[LISTEN_HOST_SIZE]; /* not of Unix sockets; "" all addresses */
	uint16_t port;
	char path[LISTEN_PATH_SIZE]; /* of Unix sockets */
};

/*
 * Where to listen: what url_parse_listen() takes; the same with "tls://" before it; "unix:" and the
 * path of a socket. -EINVAL otherwise, -ENAMETOOLONG for a path that no socket can have.
 */
int url_parse_listener(struct sv text, struct listen_address *ret) MUST_CHECK;
/*
 * Base of the backend from any of its accepted forms "…", "…/codex", "…/codex/responses" and with
 * trailing slashes (SPEC 4): appends the form without "/codex" and without a trailing slash.
 */
int url_backend_base(struct sv text, struct buf *out) MUST_CHECK;
/* Decodes %XX of a query value ('+' is a space) and appends it. -EBADMSG on a bad escape. */
int url_unescape(struct sv text, struct buf *out) MUST_CHECK;
/* Appends text with everything but unreserved characters as %XX (RFC 3986). */
void url_escape(struct sv text, struct buf *out);
/*
 * Value of a key in a query string (without its '?'), raw; SV_NONE when absent, empty when there is
 * nothing behind the key. The first of several counts. An escaped key is not found.
 */
struct sv url_query_get(struct sv query, struct sv key);

#endif
