/*
 * A token or password. The type has no printer: nothing in log, jw or an error takes it. The bytes
 * leave it only through secret_expose(), which reviewers can search for, and are wiped when freed.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/sv.h"

struct secret {
	char *bytes; /* private; NUL-terminated; NULL when empty */
	size_t n;
};

/* Replaces the value with a copy of text and wipes the old one. */
void secret_set(struct secret *s, struct sv text);
void secret_copy(struct secret *to, const struct secret *from);
/* Wipes and frees. Accepts an empty one. */
void secret_fini(struct secret *s);
bool secret_is_empty(const struct secret *s);
/*
 * Takes as long for any text of one length, so that an answer's delay tells nothing. An empty
 * secret equals nothing, not even an empty text: a password that was never set lets nobody in.
 */
bool secret_equals(const struct secret *s, struct sv text);
/* The bytes, for putting them on the wire or into a 0600 file. Valid until the next change. */
struct sv secret_expose(const struct secret *s);
/* Wipes any memory that held a secret. */
void secret_wipe(void *p, size_t n);

#endif
