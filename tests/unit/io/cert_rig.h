/* What the tests of outgoing TLS share: certificates that are made for a run. */
#ifndef CERT_RIG_H
#define CERT_RIG_H

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

/* Signed by itself; names as "IP:127.0.0.1,DNS:localhost", valid from two hours ago until in so
 * many seconds. */
static inline X509 *make_certificate(EVP_PKEY *key, const char *names, long seconds)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -7200);
	X509_gmtime_adj(X509_getm_notAfter(x), seconds);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_add_ext(x, san, -1);
	X509_EXTENSION_free(san);
	assert(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

#endif
