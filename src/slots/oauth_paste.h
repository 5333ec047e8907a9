/*
 * What comes back from the browser at the end of a login (SPEC 3): the query of the callback, or
 * what a person pastes, which may be the callback's whole URL (with or without its scheme), its
 * query, "code=…&state=…", "code#state", or the code alone. Pure; all of it is hostile text.
 */
#ifndef SLOTS_OAUTH_PASTE_H
#define SLOTS_OAUTH_PASTE_H

#include "base/secret.h"
#include "slots/oauth.h"

enum oauth_paste_kind {
	OAUTH_PASTE_CODE,	 /* see code */
	OAUTH_PASTE_EMPTY,	 /* nothing but blanks */
	OAUTH_PASTE_WRONG_STATE, /* it belongs to another login */
	OAUTH_PASTE_DENIED,	 /* error=access_denied */
	OAUTH_PASTE_ERROR,	 /* the issuer tells another error */
	OAUTH_PASTE_UNUSABLE,	 /* none of the forms */
};

struct oauth_paste {
	enum oauth_paste_kind kind;
	struct secret code;	     /* OAUTH_PASTE_CODE */
	char error[OAUTH_CODE_SIZE]; /* OAUTH_PASTE_DENIED, OAUTH_PASTE_ERROR; "" not to be shown */
	const char *message;	     /* static, for people; "" with a code */
};

/* A line that was pasted. A state that is there must be this one; one may be missing. */
void oauth_paste_read(struct sv line, const char *state, struct oauth_paste *ret);
/* The query of a request for the redirect URI. The state must be there. */
void oauth_paste_read_callback(struct sv query, const char *state, struct oauth_paste *ret);
void oauth_paste_fini(struct oauth_paste *p);

#endif
