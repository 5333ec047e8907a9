/*
 * The OAuth side of an account (PROTOCOL 1): the authorize URL with PKCE (RFC 7636), the bodies
 * sent to the token endpoint, and what its answers mean. Pure, but for the random numbers of a
 * login and oauth_call_start(), which sends. No text that is made here holds a token, a code or
 * anything else that the issuer said beside its error code.
 */
#ifndef SLOTS_OAUTH_H
#define SLOTS_OAUTH_H

#include "conf/conf.h"
#include "io/call.h"
#include "slots/auth_file.h"

enum {
	OAUTH_VERIFIER_SIZE = 87,  /* 64 random bytes in base64url, NUL */
	OAUTH_CHALLENGE_SIZE = 44, /* SHA-256 in base64url, NUL */
	OAUTH_STATE_SIZE = 44,	   /* 32 random bytes in base64url, NUL */
	OAUTH_CODE_SIZE = 48,	   /* an error code, NUL; longer ones are none */
	OAUTH_BODY_BYTES = 128 * 1024,
};

/* What one login keeps to itself until its code is exchanged. Owner: the caller. */
struct oauth_login {
	char verifier[OAUTH_VERIFIER_SIZE];
	char challenge[OAUTH_CHALLENGE_SIZE];
	char state[OAUTH_STATE_SIZE];
};

void oauth_login_init(struct oauth_login *l);
void oauth_login_fini(struct oauth_login *l); /* wipes */
/* base64url(SHA-256(verifier)). */
void oauth_challenge(struct sv verifier, char out[OAUTH_CHALLENGE_SIZE]);
/* Where the user signs in. choose_account: asks for the password again although the browser is
 * signed in, so that a further account can be chosen. */
void oauth_authorize_url(
	const struct conf *conf, const struct oauth_login *l, bool choose_account, struct buf *out);
/* redirect_uri of the exchange that ends a device login. */
void oauth_device_redirect_uri(const struct conf *conf, struct buf *out);

/* Bodies for OAUTH_TOKEN; wipe them. */
void oauth_exchange_body(const struct conf *conf, struct sv code, struct sv redirect_uri,
	struct sv verifier, struct buf *out);
void oauth_refresh_body(const struct conf *conf, const struct secret *refresh, struct buf *out);

enum oauth_endpoint {
	OAUTH_TOKEN,	    /* bodies above */
	OAUTH_USERCODE,	    /* oauth_device.h */
	OAUTH_DEVICE_TOKEN, /* oauth_device.h */
};
/* The endpoint's URL. */
void oauth_url(const struct conf *conf, enum oauth_endpoint endpoint, struct buf *out);
/*
 * Posts body (copied) to the endpoint, once and on a connection of its own; as call_start(). The
 * limit in time is a generous one: of a token request that was given up nobody knows the outcome.
 */
struct call *oauth_call_start(struct loop *loop, struct fetch_pool *pool, const struct conf *conf,
	enum oauth_endpoint endpoint, struct sv body,
	void (*on_done)(void *arg, const struct call_result *result), void *arg);

enum oauth_outcome {
	OAUTH_GRANTED,	/* see grant */
	OAUTH_DEAD,	/* this grant is lost for good: only a new login helps */
	OAUTH_REFUSED,	/* nothing was granted and nothing spent: may be asked again later */
	OAUTH_IN_DOUBT, /* it was sent, and may have been granted: must not be sent again */
	OAUTH_NOT_SENT, /* the issuer has not had it: network, proxy, TLS */
};

struct oauth_answer {
	enum oauth_outcome outcome;
	/* OAUTH_GRANTED. An answer to a refresh may lack the refresh token or the id token: those
	 * that were there stay valid. */
	struct auth_grant grant;
	int status;		    /* 0: none came */
	char code[OAUTH_CODE_SIZE]; /* the issuer's error code, "" none: [a-z0-9_.-] */
	int64_t retry_after_ms;	    /* OAUTH_REFUSED: at least so long; 0 unknown */
	char message[160];	    /* why not, for people and logs; "" when granted */
};

/* A token endpoint's answer. */
void oauth_answer_read(const struct call_result *r, int64_t now_ms, struct oauth_answer *ret);
void oauth_answer_fini(struct oauth_answer *a);
/* Does this error code mean that a grant is dead (PROTOCOL 1)? */
bool oauth_code_is_permanent(struct sv code);
/* Copies a word that may be shown as an error code: [a-z0-9_.-], nothing in which a token could
 * hide. False, and out as before, for anything else. */
bool oauth_shown_code(struct sv word, char out[OAUTH_CODE_SIZE]);
/*
 * The error code in any of its forms, {"error":"code"}, {"error":{"code":…}}, {"code":…},
 * {"detail":{"code":…}}; false when there is none that may be shown.
 */
bool oauth_error_code(struct sv body, char out[OAUTH_CODE_SIZE]);

/*
 * Are these two logins of one person in one account: the same user id and account id? What either
 * of them does not tell counts as the same; without any id the e-mail decides.
 */
bool oauth_same_identity(const struct auth_grant *a, const struct auth_grant *b);

#endif
