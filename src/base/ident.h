/* Random and derived identifiers. */
#ifndef BASE_IDENT_H
#define BASE_IDENT_H

#include "base/sv.h"

enum { IDENT_UUID_SIZE = 37, IDENT_HEX_SIZE = 33, IDENT_SHA256_BYTES = 32 };

/* UUID version 7 (RFC 9562: time-ordered), lower case, NUL-terminated. */
void ident_uuid7(char out[IDENT_UUID_SIZE]);
/* 128 random bits as 32 hex digits, NUL-terminated. */
void ident_hex(char out[IDENT_HEX_SIZE]);
/* SHA-256 of a list of views, each preceded by its length so that borders count; as a UUID (version
 * 8). */
void ident_derived_uuid(const struct sv *parts, size_t count, char out[IDENT_UUID_SIZE]);
/* SHA-256 of text, first 16 bytes as 32 hex digits: a fingerprint that may be shown. */
void ident_fingerprint(struct sv text, char out[IDENT_HEX_SIZE]);
/* n random bytes that nobody can guess. */
void ident_random(void *out, size_t n);
void ident_sha256(struct sv text, unsigned char out[IDENT_SHA256_BYTES]);

#endif
