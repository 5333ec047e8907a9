#include "io/tls_client.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
	ORIGINS = 64, /* whose last session is kept */
	TRUST_MS = 24 * 3600 * 1000,
	HOST_BYTES = 256,
};

/* Whose session may be resumed: the one with this number, so that a connection that outlives its
 * place in the table gives its session to nobody else. */
struct origin {
	uintptr_t number; /* 0: free */
	char host[HOST_BYTES];
	uint16_t port;
	SSL_SESSION *session; /* or NULL */
};

struct tls_client {
	char *ca_file;
	SSL_CTX *context; /* NULL: no CAs yet */
	int64_t trusted_at_ms;
	uintptr_t last_number;
	struct origin origins[ORIGINS];
};

struct tls_client *tls_client_new(const char *ca_file)
{
	struct tls_client *t = mem_zalloc(sizeof(*t));

	t->ca_file = mem_strdup(ca_file);
	return t;
}

static void drop_context(struct tls_client *t)
{
	if (!t->context)
		return;
	/* Connections hold it, too. */
	SSL_CTX_set_app_data(t->context, NULL);
	SSL_CTX_free(t->context);
	t->context = NULL;
}

void tls_client_free(struct tls_client *t)
{
	if (!t)
		return;
	drop_context(t);
	for (size_t i = 0; i < ORIGINS; i++)
		SSL_SESSION_free(t->origins[i].session);
	free(t->ca_file);
	free(t);
}

/* --- sessions --- */

/* 1: the session is taken over. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_client *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	uintptr_t number = (uintptr_t)SSL_get_app_data(ssl);

	for (size_t i = 0; t && i < ORIGINS; i++) {
		if (t->origins[i].number != number)
			continue;
		SSL_SESSION_free(t->origins[i].session);
		t->origins[i].session = session;
		return 1;
	}
	return 0;
}

static struct origin *origin_of(struct tls_client *t, const char *host, uint16_t port)
{
	struct origin *oldest = &t->origins[0];

	for (size_t i = 0; i < ORIGINS; i++) {
		struct origin *o = &t->origins[i];

		if (o->number && o->port == port && strcmp(o->host, host) == 0)
			return o;
		if (o->number < oldest->number)
			oldest = o;
	}
	SSL_SESSION_free(oldest->session);
	oldest->session = NULL;
	oldest->number = ++t->last_number;
	oldest->port = port;
	snprintf(oldest->host, sizeof(oldest->host), "%s", host);
	return oldest;
}

/* --- trust --- */

/* The same CAs as the requests that libcurl makes. */
static bool load_cas(SSL_CTX *context, const char *ca_file)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);

	if (ca_file)
		return SSL_CTX_load_verify_file(context, ca_file) == 1;
	if (curl->cainfo)
		return SSL_CTX_load_verify_file(context, curl->cainfo) == 1;
	if (curl->capath)
		return SSL_CTX_load_verify_dir(context, curl->capath) == 1;
	return SSL_CTX_set_default_verify_paths(context) == 1;
}

static void configure(SSL_CTX *context)
{
	static const unsigned char protocols[] = "\x08http/1.1";

	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(context, 0);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* An idle connection holds no record buffers. */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	/* A CA file may hold the intermediate that is trusted, and not its root. */
	X509_STORE_set_flags(SSL_CTX_get_cert_store(context),
		X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_alpn_protos(context, protocols, sizeof(protocols) - 1);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_session);
}

static const char *ensure_context(struct tls_client *t)
{
	SSL_CTX *context;

	if (t->context && clock_mono_ms() - t->trusted_at_ms < TRUST_MS)
		return NULL;
	context = SSL_CTX_new(TLS_client_method());
	assert(context);
	if (!load_cas(context, t->ca_file)) {
		ERR_clear_error();
		SSL_CTX_free(context);
		return "the file of trusted certificates (CAs) cannot be read";
	}
	configure(context);
	SSL_CTX_set_app_data(context, t);
	drop_context(t);
	t->context = context;
	t->trusted_at_ms = clock_mono_ms();
	return NULL;
}

/* --- connections --- */

static bool is_address(const char *host)
{
	unsigned char binary[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, binary) == 1 || inet_pton(AF_INET6, host, binary) == 1;
}

/* Whom the certificate must name; addresses are not sent as names (RFC 6066 3). */
static bool expect_host(SSL *ssl, const char *host)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct ssl_st *tls_client_ssl(
	struct tls_client *t, const char *host, uint16_t port, const char **ret_error)
{
	const char *error = ensure_context(t);
	struct origin *origin;
	SSL *ssl;

	if (error) {
		*ret_error = error;
		return NULL;
	}
	ssl = SSL_new(t->context);
	assert(ssl); /* out of memory */
	if (strlen(host) >= HOST_BYTES || !expect_host(ssl, host)) {
		SSL_free(ssl);
		ERR_clear_error();
		*ret_error = "no host name that a certificate could have";
		return NULL;
	}
	origin = origin_of(t, host, port);
	SSL_set_app_data(ssl, (void *)origin->number);
	if (origin->session)
		SSL_set_session(ssl, origin->session);
	return ssl;
}
