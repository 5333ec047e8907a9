/*
 * Outgoing byte streams: a TCP connection to the host of a URL, through the proxy that the
 * configuration or the environment names (not where no_proxy spares the host), with TLS on top when
 * the URL says so, handed out as a struct conn, the same that listeners hand out. libcurl resolves
 * names, races addresses and talks to the proxy (CONNECT_ONLY); the socket is then taken over. The
 * certificate's chain and name are checked always; TLS 1.2 or newer, ALPN http/1.1, sessions
 * resumed. Owner: the dialer; a dial frees itself after on_done or dial_cancel().
 */
#ifndef IO_DIAL_H
#define IO_DIAL_H

#include "io/conn.h"
#include "io/fetch.h"

struct dialer;
struct dial;

struct dialer_options {
	const char *ca_file; /* NULL: the system's */
	const char *proxy;   /* NULL: the environment; "": none */
};

/* What dials share. */
struct dialer *dialer_new(struct loop *loop, const struct dialer_options *options);
/* Cancels what runs; not inside on_done. Connections that were handed out live on. */
void dialer_free(struct dialer *d);
struct loop *dialer_loop(const struct dialer *d);
/*
 * Can it reach this URL (http, https, ws, wss)? Not through a proxy that itself speaks TLS, nor to
 * a plain URL through an HTTP proxy, which would have to allow CONNECT for it: libcurl's own HTTP
 * does.
 */
bool dialer_reaches(const struct dialer *d, const char *url);

struct dial_result {
	struct conn *conn; /* NULL: outcome and message say why. Reads nothing until
			      conn_read_start(); the callee sets its owner. */
	enum fetch_outcome
		outcome;     /* FETCH_OK, FETCH_CONNECT; FETCH_TIMEOUT when the time was over */
	const char *message; /* valid during the call; "" on success; never holds a secret */
	int64_t connect_us;  /* with the proxy's and the TLS handshake */
};

/* Never fails, never calls back at once. timeout_ms is for all of it. */
struct dial *dial_start(struct dialer *d, const char *url, int64_t timeout_ms,
	void (*on_done)(void *arg, const struct dial_result *result), void *arg);
/* No callback follows. */
void dial_cancel(struct dial *d);

#endif
