#include "io/tls_cert.h"

#include "base/durable.h"
#include "base/limits.h"
#include "base/secret.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct tls_pair {
	X509 *cert;
	STACK_OF(X509) * chain; /* behind it; may be empty */
	EVP_PKEY *key;
	uint64_t hash;
};

static int refuse(struct tls_problem *problem, const char *message)
{
	ERR_clear_error();
	snprintf(problem->message, sizeof(problem->message), "%s", message);
	return -EINVAL;
}

/* --- reading --- */

static BIO *open_text(struct sv text)
{
	return BIO_new_mem_buf(text.n ? text.p : "", (int)text.n);
}

static int parse_certs(struct tls_pair *pair, struct sv text, struct tls_problem *problem)
{
	BIO *bio = open_text(text);
	X509 *next;

	pair->cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	pair->chain = sk_X509_new_null();
	while (pair->cert && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		sk_X509_push(pair->chain, next);
	BIO_free(bio);
	if (!pair->cert)
		return refuse(problem, "there is no PEM certificate");
	/* What ended the reading: nothing more, or something that is no certificate. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return refuse(problem, "a certificate of the chain cannot be read");
	ERR_clear_error();
	return 0;
}

/* OpenSSL would ask at the terminal. */
static int on_passphrase(char *out, int size, int writing, void *arg)
{
	bool *asked = arg;

	(void)out;
	(void)size;
	(void)writing;
	*asked = true;
	return -1;
}

static int parse_key(struct tls_pair *pair, struct sv text, struct tls_problem *problem)
{
	BIO *bio = open_text(text);
	bool asked = false;

	pair->key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &asked);
	BIO_free(bio);
	if (asked)
		return refuse(problem, "the key has a passphrase");
	if (!pair->key)
		return refuse(problem, "there is no PEM private key");
	if (X509_check_private_key(pair->cert, pair->key) != 1)
		return refuse(problem, "the key does not belong to the certificate");
	return 0;
}

int tls_pair_parse(
	struct sv cert, struct sv key, struct tls_pair **ret, struct tls_problem *problem)
{
	struct tls_pair *pair = mem_zalloc(sizeof(*pair));
	int err;

	ERR_clear_error();
	err = parse_certs(pair, cert, problem);
	if (!err)
		err = parse_key(pair, key, problem);
	if (err) {
		tls_pair_free(pair);
		return err;
	}
	pair->hash = sv_hash(key, sv_hash(cert, SV_HASH_SEED)) | 1;
	*ret = pair;
	return 0;
}

static int read_text(
	const char *path, const char *what, struct buf *out, struct tls_problem *problem)
{
	int err = durable_read(path, out);

	if (err)
		snprintf(problem->message, sizeof(problem->message), "the %s cannot be read: %s",
			what, strerror(-err));
	return err;
}

int tls_pair_load(const char *cert_path, const char *key_path, struct tls_pair **ret,
	struct tls_problem *problem)
{
	struct buf cert, key;
	int err;

	buf_init(&cert, LIMIT_TLS_FILE_BYTES);
	buf_init(&key, LIMIT_TLS_FILE_BYTES);
	err = read_text(cert_path, "certificate", &cert, problem);
	if (!err)
		err = read_text(key_path, "key", &key, problem);
	if (!err)
		err = tls_pair_parse(buf_sv(&cert), buf_sv(&key), ret, problem);
	secret_wipe(key.data, key.len);
	buf_fini(&key);
	buf_fini(&cert);
	return err;
}

void tls_pair_free(struct tls_pair *pair)
{
	if (!pair)
		return;
	X509_free(pair->cert);
	sk_X509_pop_free(pair->chain, X509_free);
	EVP_PKEY_free(pair->key);
	free(pair);
}

int tls_pair_install(
	const struct tls_pair *pair, struct ssl_ctx_st *context, struct tls_problem *problem)
{
	const char *reason;

	ERR_clear_error();
	if (SSL_CTX_use_certificate(context, pair->cert) == 1 &&
		SSL_CTX_set1_chain(context, pair->chain) == 1 &&
		SSL_CTX_use_PrivateKey(context, pair->key) == 1)
		return 0;
	/* "ee key too small" and the like. */
	reason = ERR_reason_error_string(ERR_peek_error());
	return refuse(problem, reason ? reason : "the certificate cannot be used");
}

/* --- what it says --- */

static int64_t wall_ms(const ASN1_TIME *when)
{
	struct tm tm = {0};

	return ASN1_TIME_to_tm(when, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

int64_t tls_pair_begins_ms(const struct tls_pair *pair)
{
	return wall_ms(X509_get0_notBefore(pair->cert));
}

int64_t tls_pair_ends_ms(const struct tls_pair *pair)
{
	return wall_ms(X509_get0_notAfter(pair->cert));
}

uint64_t tls_pair_hash(const struct tls_pair *pair)
{
	return pair->hash;
}

static bool format_name(const GENERAL_NAME *name, char *out, size_t size)
{
	int type;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
	int n = value && (type == GEN_DNS || type == GEN_IPADD) ? ASN1_STRING_length(value) : 0;

	if (type == GEN_DNS && n > 0) {
		snprintf(out, size, "%.*s", n, (const char *)ASN1_STRING_get0_data(value));
		return true;
	}
	if (type != GEN_IPADD || (n != 4 && n != 16))
		return false;
	return inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), out,
		       (socklen_t)size) != NULL;
}

bool tls_pair_name(const struct tls_pair *pair, size_t index, char *out, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(pair->cert, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
		if (format_name(sk_GENERAL_NAME_value(names, i), out, size))
			found = index-- == 0;
	}
	GENERAL_NAMES_free(names);
	return found;
}
