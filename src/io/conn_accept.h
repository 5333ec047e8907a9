/* Between listener.c, which accepts, and conn.c, which owns what was accepted. Private to them. */
#ifndef IO_CONN_ACCEPT_H
#define IO_CONN_ACCEPT_H

#include "io/conn.h"

/* "[" IPv6 "]:" port and a NUL. */
enum { ACCEPT_ADDRESS_BYTES = 64 };

struct sockaddr_storage;
struct uv_stream_s;

/* One connection of the group is gone; may accept the next one. */
void accept_group_leave(struct accept_group *group);
/* "127.0.0.1:40123", "[::1]:40123". */
void accept_format_address(const struct sockaddr_storage *address, char out[ACCEPT_ADDRESS_BYTES]);

/* What a listener knows of the connections that it accepts. */
struct accept_how {
	struct accept_group *group;
	struct tls_server *tls; /* NULL: plain */
	bool is_pipe;		/* a Unix socket */
};

/* Takes the connection that server has ready; the caller counted it in its group. */
int conn_accept(struct loop *loop, struct uv_stream_s *server, const struct accept_how *how,
	struct conn **ret) MUST_CHECK;

#endif
