#include "io/tls_server.h"

#include "base/clock.h"
#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>

enum { TICKET_KEYS_BYTES = 80, TICKET_KEYS_MS = 12 * 3600 * 1000 };

/* Of TLS 1.2; those of 1.3 are all good. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

struct tls_server {
	struct tls_options options;
	SSL_CTX *context; /* NULL: no pair yet */
	int64_t keys_at_ms;
};

struct tls_server *tls_server_new(const struct tls_options *options)
{
	struct tls_server *t = mem_zalloc(sizeof(*t));

	t->options = *options;
	if (!t->options.handshake_timeout_ms)
		t->options.handshake_timeout_ms = LIMIT_HEADER_TIMEOUT_MS;
	return t;
}

void tls_server_free(struct tls_server *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->context);
	free(t);
}

/* Whoever offers protocols must offer ours. */
static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_bytes,
	const unsigned char *offered, unsigned bytes, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen = NULL;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, ret_bytes, ours, sizeof(ours) - 1, offered, bytes) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static void configure(SSL_CTX *context, bool only_tls13)
{
	static const unsigned char session_context[] = "relay";

	SSL_CTX_set_min_proto_version(context, only_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(context, 0);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_PRIORITIZE_CHACHA);
	/* An idle connection holds no record buffers; a big write is one call for one record. */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_cipher_list(context, ciphers);
	/* Clients keep their sessions themselves, in tickets. */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(context, session_context, sizeof(session_context) - 1);
	SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
}

int tls_server_use(struct tls_server *t, const struct tls_pair *pair, bool only_tls13,
	struct tls_problem *problem)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	int err;

	assert(context);
	configure(context, only_tls13);
	err = tls_pair_install(pair, context, problem);
	if (err) {
		SSL_CTX_free(context);
		return err;
	}
	SSL_CTX_free(t->context);
	t->context = context;
	t->keys_at_ms = clock_mono_ms();
	return 0;
}

/* Who gets hold of the keys later can open what TLS 1.2 resumed with them: they live for hours. */
static void renew_ticket_keys(struct tls_server *t)
{
	unsigned char keys[TICKET_KEYS_BYTES];

	if (clock_mono_ms() - t->keys_at_ms < TICKET_KEYS_MS)
		return;
	t->keys_at_ms = clock_mono_ms();
	if (RAND_bytes(keys, sizeof(keys)) == 1)
		SSL_CTX_set_tlsext_ticket_keys(t->context, keys, sizeof(keys));
	OPENSSL_cleanse(keys, sizeof(keys));
}

SSL *tls_server_ssl(struct tls_server *t)
{
	SSL *ssl;

	assert(t->context);
	renew_ticket_keys(t);
	ssl = SSL_new(t->context);
	assert(ssl); /* out of memory */
	return ssl;
}

int64_t tls_server_handshake_timeout_ms(const struct tls_server *t)
{
	return t->options.handshake_timeout_ms;
}

void tls_server_refused(struct tls_server *t, const char *peer, const char *reason)
{
	if (t->options.on_refused)
		t->options.on_refused(t->options.arg, peer, reason);
}
