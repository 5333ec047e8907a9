/*
 * A slot's credential on disk: its auth file, and beside it, as "<auth file>.refresh", the note of
 * a refresh token that was sent to the issuer. The note is written before the token request goes
 * out and ends with its outcome, so that after a crash nobody sends that token again: using one
 * twice revokes the whole login. It holds a fingerprint and no token, and counts for that refresh
 * token alone. All calls block; whoever writes holds the slot's credential lock.
 *
 *	{"version":1, "refreshFingerprint":"…", "outcome":"unknown"|"dead", "sentAt":"…"}
 */
#ifndef SLOTS_CREDENTIAL_H
#define SLOTS_CREDENTIAL_H

#include "slots/auth_file.h"

/* What the note says of the refresh token that is in the auth file. */
enum credential_note {
	CREDENTIAL_UNSPENT,
	CREDENTIAL_SENT, /* it was sent; without the lock that may still be going on */
	CREDENTIAL_DEAD, /* the issuer refused it for good */
};

struct credential {
	struct auth_grant grant;
	enum credential_note note;
};

/* 0, or -errno with a text for people (no token in it). */
int credential_read(
	const char *auth_file, struct credential *ret, char *problem, size_t size) MUST_CHECK;
void credential_fini(struct credential *c);
/* Durable before it returns. */
int credential_write_note(
	const char *auth_file, const struct secret *refresh, enum credential_note note) MUST_CHECK;
int credential_drop_note(const char *auth_file) MUST_CHECK;
/* Is this the note's name or the auth file's, for a watch of their directory? */
bool credential_is_part(const char *auth_file, const char *name);

#endif
