/*
 * What the outgoing TLS connections of a dialer share: whom to trust, and the sessions to resume.
 * TLS 1.2 or newer; the certificate's chain and name are always checked (RFC 9525); ALPN http/1.1;
 * no renegotiation. Trusted are the CAs of a file, or those that libcurl was built with. They are
 * read at the first connection, and again when a day has gone by. Owner: a dialer; connections
 * outlive it.
 */
#ifndef IO_TLS_CLIENT_H
#define IO_TLS_CLIENT_H

#include "base/sv.h"

#include <stdint.h>

struct tls_client;
struct ssl_st;

/* ca_file NULL: the system's. */
struct tls_client *tls_client_new(const char *ca_file);
void tls_client_free(struct tls_client *t);
/*
 * For a connection to this host (a name, or an address without brackets) and port. NULL with a
 * static text in *ret_error when the CAs cannot be read or the name is none.
 */
struct ssl_st *tls_client_ssl(
	struct tls_client *t, const char *host, uint16_t port, const char **ret_error);

#endif
