/* What ws_client.c needs of ws_conn.c. Private to them. */
#ifndef IO_WS_CONN_INTERNAL_H
#define IO_WS_CONN_INTERNAL_H

#include "io/ws_client.h"

/* Of a connection whose upgrade is done; takes it over. Its user is to be set before anything
 * else. */
struct ws_conn *ws_conn_of_dialed(struct conn *conn, const struct ws_conn_options *options);
/* Bytes that came; borrowed for the call. */
void ws_conn_take(struct ws_conn *c, struct sv bytes);

#endif
