/*
 * What all TLS connections of a server share: certificate, key and settings, and how to make an SSL
 * object of them. The pair can be replaced at any time: connections go on with the one that they
 * began with. TLS 1.2 with forward secrecy and AEAD, or 1.3; ALPN http/1.1, and an alert for
 * clients that offer only something else (RFC 7301 3.2); session tickets whose keys change twice a
 * day; no renegotiation, no compression, no early data. Owner: the daemon; it outlives its
 * connections.
 */
#ifndef IO_TLS_SERVER_H
#define IO_TLS_SERVER_H

#include "io/tls_cert.h"

#include <stdbool.h>
#include <stdint.h>

struct tls_server;
struct ssl_st;

struct tls_options {
	int64_t handshake_timeout_ms; /* from the connection's beginning; 0: as of a request's head
				       */
	/* A connection did not get through its handshake: logs, statistics. May be NULL. */
	void (*on_refused)(void *arg, const char *peer, const char *reason);
	void *arg;
};

/* Has no certificate until tls_server_use(); no connection may be made before. */
struct tls_server *tls_server_new(const struct tls_options *options);
void tls_server_free(struct tls_server *t);
/* New connections have this pair. 0 or -EINVAL with *problem, and nothing has changed. */
int tls_server_use(struct tls_server *t, const struct tls_pair *pair, bool only_tls13,
	struct tls_problem *problem) MUST_CHECK;

/* For conn_tls.c. */
struct ssl_st *tls_server_ssl(struct tls_server *t);
int64_t tls_server_handshake_timeout_ms(const struct tls_server *t);
void tls_server_refused(struct tls_server *t, const char *peer, const char *reason);

#endif
