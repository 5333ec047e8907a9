/*
 * Opens WebSockets as a client: dials, asks for the upgrade (RFC 6455, 4.1), and hands out the
 * connection with the rules of ws_conn.h in the client's role. An answer that is no 101 is handed
 * out with its body, so that its refusal can be understood. Owner: the caller, until on_done or
 * ws_open_cancel().
 */
#ifndef IO_WS_CLIENT_H
#define IO_WS_CLIENT_H

#include "io/dial.h"
#include "io/ws_conn.h"

struct ws_open;

struct ws_open_request {
	const char *url;		   /* http or https; copied */
	const struct http_header *headers; /* copied; those of the handshake itself are added */
	size_t header_count;
	int64_t timeout_ms; /* for all of it: dial, handshake, a refusal's body */
	size_t max_message_bytes;
	int64_t ping_ms;
};

struct ws_open_result {
	struct ws_conn *conn; /* NULL: the rest says why. The callee gives it ops and a user with
				 ws_conn_set_user() before it returns */
	/* FETCH_OK with a status when an HTTP answer came; FETCH_CONNECT, FETCH_TIMEOUT,
	 * FETCH_TRUNCATED, FETCH_PROTOCOL otherwise. */
	enum fetch_outcome outcome;
	int status;
	const struct http_header *headers; /* of the answer, 101 or not; valid during the call */
	size_t header_count;
	struct sv body;	     /* of a refusal, at most LIMIT_ERROR_BODY_BYTES */
	const char *message; /* "" on success; valid during the call */
	int64_t connect_us;  /* until the 101 */
};

/* Never fails, never calls back at once. */
struct ws_open *ws_open_start(struct dialer *d, const struct ws_open_request *r,
	void (*on_done)(void *arg, const struct ws_open_result *result), void *arg);
/* No callback follows. */
void ws_open_cancel(struct ws_open *o);

/* Who hears of it from now on; may change between turns. Only of connections opened here. */
void ws_conn_set_user(struct ws_conn *c, const struct ws_conn_ops *ops, void *user);
/* Back-pressure: no on_message between the two; at most one read of the kernel's is held. */
void ws_conn_pause(struct ws_conn *c);
void ws_conn_resume(struct ws_conn *c);

#endif
