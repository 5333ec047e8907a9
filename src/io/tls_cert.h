/*
 * A server's certificate with its chain and private key, read from PEM; and made, for those who
 * have none. No error text holds a path or anything of the key. Blocks: files are read on the loop
 * at start and when they changed, as other small ones are.
 */
#ifndef IO_TLS_CERT_H
#define IO_TLS_CERT_H

#include "base/buf.h"

#include <stdint.h>

struct tls_pair;
struct ssl_ctx_st;

/* Why: "the key does not belong to the certificate". */
struct tls_problem {
	char message[256];
};

/* PEM: certificate and then its chain; a key without passphrase that belongs to it. 0 or -EINVAL.
 */
int tls_pair_parse(struct sv cert, struct sv key, struct tls_pair **ret,
	struct tls_problem *problem) MUST_CHECK;
/* The same of files; -errno when one cannot be read, with *problem in any case. */
int tls_pair_load(const char *cert_path, const char *key_path, struct tls_pair **ret,
	struct tls_problem *problem) MUST_CHECK;
void tls_pair_free(struct tls_pair *pair);

/* Wall milliseconds. */
int64_t tls_pair_begins_ms(const struct tls_pair *pair);
int64_t tls_pair_ends_ms(const struct tls_pair *pair);
/* The index-th name that it is good for: "localhost", "127.0.0.1", "::1"; false behind the last. */
bool tls_pair_name(const struct tls_pair *pair, size_t index, char *out, size_t size);
/* A hash of certificate and key, to tell whether a pair is another one. Never 0. */
uint64_t tls_pair_hash(const struct tls_pair *pair);
/* For tls_server.c. */
int tls_pair_install(const struct tls_pair *pair, struct ssl_ctx_st *context,
	struct tls_problem *problem) MUST_CHECK;

struct tls_made {
	struct buf ca, cert, key; /* PEM; the owner wipes the key */
	int64_t ends_ms;
};
/*
 * A certificate authority, and a certificate of it for localhost, 127.0.0.1, ::1 and these names
 * (DNS names and addresses); ECDSA P-256. The authority's key is forgotten: nobody can make another
 * certificate that those who trust it would accept. -EINVAL: a name is none.
 */
int tls_make(const char *const *names, size_t count, int days, struct tls_made *ret,
	struct tls_problem *problem) MUST_CHECK;
void tls_made_fini(struct tls_made *made);

#endif
