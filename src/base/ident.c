#include "base/ident.h"

#include "base/clock.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

enum { UUID_BYTES = 16 };

/* Random numbers and SHA-256 cannot fail in a working process; without them nothing is safe. */
static void must(int ok)
{
	if (ok != 1) {
		fputs("codex-slot-relay: OpenSSL has no random numbers or no SHA-256\n", stderr);
		abort();
	}
}

static void put_hex(char *at, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		at[2 * i] = digits[bytes[i] >> 4];
		at[2 * i + 1] = digits[bytes[i] & 0xf];
	}
}

static void format_uuid(unsigned char b[UUID_BYTES], unsigned version, char out[IDENT_UUID_SIZE])
{
	b[6] = (unsigned char)((b[6] & 0x0f) | version << 4);
	b[8] = (b[8] & 0x3f) | 0x80;
	memset(out, '-', IDENT_UUID_SIZE - 1);
	put_hex(out, b, 4);
	put_hex(out + 9, b + 4, 2);
	put_hex(out + 14, b + 6, 2);
	put_hex(out + 19, b + 8, 2);
	put_hex(out + 24, b + 10, 6);
	out[IDENT_UUID_SIZE - 1] = '\0';
}

/*
 * The 60 leading bits of an identifier: 48 of time and a counter of 12 that starts at random in
 * every millisecond (RFC 9562 section 6.2, method 1). It never goes back, even when the clock does.
 */
static uint64_t next_stamp(unsigned random)
{
	static uint64_t last;
	uint64_t stamp = (uint64_t)clock_wall_ms() << 12 | (random & 0x7ff);

	last = stamp >> 12 > last >> 12 ? stamp : last + 1;
	return last;
}

/* Of random numbers that are fetched together: asking OpenSSL costs a system call. Not for
 * secrets. */
static void take_random(unsigned char b[UUID_BYTES])
{
	static _Thread_local unsigned char stock[64 * UUID_BYTES];
	static _Thread_local size_t left;

	if (left == 0) {
		must(RAND_bytes(stock, sizeof(stock)));
		left = sizeof(stock);
	}
	left -= UUID_BYTES;
	memcpy(b, stock + left, UUID_BYTES);
}

void ident_uuid7(char out[IDENT_UUID_SIZE])
{
	unsigned char b[UUID_BYTES];
	uint64_t stamp;

	take_random(b);
	stamp = next_stamp((unsigned)b[6] << 8 | b[7]);
	for (unsigned i = 0; i < 6; i++)
		b[i] = (unsigned char)(stamp >> (52 - 8 * i));
	b[6] = (unsigned char)(stamp >> 8 & 0x0f);
	b[7] = (unsigned char)stamp;
	format_uuid(b, 7, out);
}

void ident_hex(char out[IDENT_HEX_SIZE])
{
	unsigned char b[(IDENT_HEX_SIZE - 1) / 2];

	must(RAND_bytes(b, sizeof(b)));
	put_hex(out, b, sizeof(b));
	out[IDENT_HEX_SIZE - 1] = '\0';
}

static EVP_MD_CTX *hash_begin(void)
{
	/* Looking an algorithm up costs more than hashing a short text, so it is kept. */
	static EVP_MD *sha256;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!sha256)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(ctx && sha256 && EVP_DigestInit_ex2(ctx, sha256, NULL) == 1);
	return ctx;
}

static void hash_add(EVP_MD_CTX *ctx, const void *p, size_t n)
{
	if (n)
		must(EVP_DigestUpdate(ctx, p, n));
}

static void hash_end(EVP_MD_CTX *ctx, unsigned char out[IDENT_SHA256_BYTES])
{
	must(EVP_DigestFinal_ex(ctx, out, NULL));
	EVP_MD_CTX_free(ctx);
}

void ident_derived_uuid(const struct sv *parts, size_t count, char out[IDENT_UUID_SIZE])
{
	unsigned char digest[IDENT_SHA256_BYTES];
	EVP_MD_CTX *ctx = hash_begin();

	for (size_t i = 0; i < count; i++) {
		unsigned char length[8];

		for (unsigned k = 0; k < sizeof(length); k++)
			length[k] = (unsigned char)((uint64_t)parts[i].n >> (56 - 8 * k));
		hash_add(ctx, length, sizeof(length));
		hash_add(ctx, parts[i].p, parts[i].n);
	}
	hash_end(ctx, digest);
	format_uuid(digest, 8, out);
}

void ident_random(void *out, size_t n)
{
	must(n <= INT_MAX && RAND_bytes(out, (int)n));
}

void ident_sha256(struct sv text, unsigned char out[IDENT_SHA256_BYTES])
{
	EVP_MD_CTX *ctx = hash_begin();

	hash_add(ctx, text.p, text.n);
	hash_end(ctx, out);
}

void ident_fingerprint(struct sv text, char out[IDENT_HEX_SIZE])
{
	unsigned char digest[IDENT_SHA256_BYTES];

	ident_sha256(text, digest);
	put_hex(out, digest, (IDENT_HEX_SIZE - 1) / 2);
	out[IDENT_HEX_SIZE - 1] = '\0';
}
