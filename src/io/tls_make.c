#include "io/tls_cert.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/secret.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { DAY_S = 24 * 3600, SERIAL_BYTES = 16, PEM_BYTES = 64 * 1024 };

/* Clocks differ: it is good already for one that goes wrong by less. */
enum { EARLIER_S = 3600 };

static int refuse(struct tls_problem *problem, const char *name)
{
	snprintf(problem->message, sizeof(problem->message),
		"\"%.200s\" is neither a host name nor an address", name);
	return -EINVAL;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* "relay.example.com", "*.example.com". */
static bool is_host_name(const char *name)
{
	const char *p = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
	size_t label = 0;

	if (strlen(name) > 253)
		return false;
	for (; *p; p++) {
		if (*p == '.' ? !label : !is_word(*p))
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > 63 || (label == 1 && *p == '-'))
			return false;
	}
	return label > 0;
}

static bool is_address(const char *name)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* Values of OpenSSL's configuration language; the names were checked. */
static int write_names(
	const char *const *names, size_t count, struct buf *out, struct tls_problem *problem)
{
	buf_add_lit(out, "DNS:localhost,IP:127.0.0.1,IP:::1");
	for (size_t i = 0; i < count; i++) {
		if (is_address(names[i]))
			buf_addf(out, ",IP:%s", names[i]);
		else if (is_host_name(names[i]))
			buf_addf(out, ",DNS:%s", names[i]);
		else
			return refuse(problem, names[i]);
	}
	return buf_error(out) ? refuse(problem, "...") : 0;
}

static void set_serial(X509 *x)
{
	unsigned char bytes[SERIAL_BYTES];
	BIGNUM *number;
	int ok = RAND_bytes(bytes, sizeof(bytes));

	bytes[0] &= 0x7f; /* positive */
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = ok == 1 && number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
	assert(ok);
	BN_free(number);
}

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert(extension);
	X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
}

static X509 *begin(EVP_PKEY *key, const char *common_name, int days)
{
	X509 *x = X509_new();
	X509_NAME *name;

	assert(x && key);
	X509_set_version(x, X509_VERSION_3);
	set_serial(x);
	X509_gmtime_adj(X509_getm_notBefore(x), -EARLIER_S);
	X509_time_adj_ex(X509_getm_notAfter(x), days, 0, NULL);
	name = X509_get_subject_name(x);
	X509_NAME_add_entry_by_txt(
		name, "O", MBSTRING_UTF8, (const unsigned char *)"codex-slot-relay", -1, -1, 0);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0);
	X509_set_pubkey(x, key);
	return x;
}

/* Each authority has a name of its own: clients that keep several must not mix them up. */
static X509 *make_ca(EVP_PKEY *key, int days)
{
	unsigned char bytes[4];
	char name[64];
	X509 *x;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		assert(!"no random bytes");
	snprintf(name, sizeof(name), "codex-slot-relay local CA %02x%02x%02x%02x", bytes[0],
		bytes[1], bytes[2], bytes[3]);
	x = begin(key, name, days);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign");
	add_extension(x, x, NID_subject_key_identifier, "hash");
	if (!X509_sign(x, key, EVP_sha256()))
		assert(!"signing fails");
	return x;
}

static X509 *make_cert(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const char *names, int days)
{
	X509 *x = begin(key, "codex-slot-relay", days);

	X509_set_issuer_name(x, X509_get_subject_name(ca));
	add_extension(x, ca, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(x, ca, NID_key_usage, "critical,digitalSignature");
	add_extension(x, ca, NID_ext_key_usage, "serverAuth");
	add_extension(x, ca, NID_subject_key_identifier, "hash");
	add_extension(x, ca, NID_authority_key_identifier, "keyid:always");
	add_extension(x, ca, NID_subject_alt_name, names);
	if (!X509_sign(x, ca_key, EVP_sha256()))
		assert(!"signing fails");
	return x;
}

static void take_text(BIO *bio, struct buf *out)
{
	char *text;
	long n = BIO_get_mem_data(bio, &text);

	buf_init(out, PEM_BYTES);
	buf_add(out, text, (size_t)n);
	assert(!buf_error(out));
	BIO_free(bio); /* wipes a secure one */
}

static void write_cert(X509 *x, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(bio, x);
	take_text(bio, out);
}

static void write_key(EVP_PKEY *key, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_secmem());

	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	take_text(bio, out);
}

int tls_make(const char *const *names, size_t count, int days, struct tls_made *ret,
	struct tls_problem *problem)
{
	struct buf list;
	EVP_PKEY *ca_key, *key;
	X509 *ca, *cert;
	int err;

	buf_init(&list, KIB(64));
	err = write_names(names, count, &list, problem);
	if (err) {
		buf_fini(&list);
		return err;
	}
	ca_key = EVP_EC_gen("P-256");
	key = EVP_EC_gen("P-256");
	ca = make_ca(ca_key, days);
	cert = make_cert(key, ca, ca_key, buf_cstr(&list), days);
	write_cert(ca, &ret->ca);
	write_cert(cert, &ret->cert);
	write_key(key, &ret->key);
	ret->ends_ms = clock_wall_ms() + (int64_t)days * DAY_S * 1000;
	X509_free(ca);
	X509_free(cert);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	buf_fini(&list);
	return 0;
}

void tls_made_fini(struct tls_made *made)
{
	if (made->key.data)
		secret_wipe(made->key.data, made->key.len);
	buf_fini(&made->key);
	buf_fini(&made->cert);
	buf_fini(&made->ca);
}
