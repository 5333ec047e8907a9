/*
 * The certificate of the TLS listeners while the relay runs: read at start, on SIGHUP, when its
 * keys of the configuration change and when its files do. New connections have the new one, those
 * that are there keep theirs. A pair that cannot be used changes nothing and is told about; since
 * certificate and key are two files that are replaced one after the other, only when it is still
 * wrong a moment later. Owner: the relay, which embeds it; without such a listener it does nothing.
 */
#ifndef RELAY_TLS_RELOAD_H
#define RELAY_TLS_RELOAD_H

#include "base/jw.h"
#include "io/loop.h"
#include "io/tls_server.h"

struct relay;

enum { TLS_RELOAD_DIRS = 2 };

struct tls_reload {
	struct relay *relay;
	struct tls_server *server; /* NULL: no TLS */
	struct timer timer;
	struct dir_watch *watches[TLS_RELOAD_DIRS]; /* of the files' directories */
	char *dirs[TLS_RELOAD_DIRS];
	bool only_tls13;
	bool suspect; /* the pair was wrong when it was read last */
	uint64_t in_use;
	int64_t begins_ms, ends_ms;
	struct tls_problem problem; /* why the files are not what runs; "" when they are */
};

/* The configuration and the loop are there. Fails when a listener needs a certificate and there is
 * none that can be used: *problem says why. */
int tls_reload_start(struct tls_reload *t, struct relay *r, struct tls_problem *problem) MUST_CHECK;
void tls_reload_stop(struct tls_reload *t);
/* No connection is left. */
void tls_reload_free(struct tls_reload *t);
/* Something may have changed. */
void tls_reload_soon(struct tls_reload *t);
/* Somebody asked for it: read at once, and told about whether anything changed or not. */
void tls_reload_now(struct tls_reload *t);
/* The member "tls" of GET /healthz: null, or "expiresAt" and "error". */
void tls_reload_write(const struct tls_reload *t, struct jw *w);

#endif
