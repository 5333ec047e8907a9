/*
 * The device-code login (PROTOCOL 1): a machine without a browser gets a code, a person types it in
 * elsewhere, and the machine asks every few seconds whether that has happened. What it gets then is
 * an authorization code with its PKCE verifier, exchanged as any other. Pure; bodies are JSON.
 */
#ifndef SLOTS_OAUTH_DEVICE_H
#define SLOTS_OAUTH_DEVICE_H

#include "slots/oauth.h"

enum {
	OAUTH_DEVICE_LIFE_MS = 15 * 60 * 1000, /* then the codes are worth nothing */
	OAUTH_DEVICE_SLOWER_MS = 5000,	       /* slow_down (RFC 8628 section 3.5) */
};

struct oauth_device {
	char device_auth_id[256];
	char user_code[33];
	int64_t interval_ms; /* between polls, 1 to 60 s */
};

/* For OAUTH_USERCODE. */
void oauth_device_start_body(const struct conf *conf, struct buf *out);
enum oauth_device_start {
	OAUTH_DEVICE_STARTED,
	OAUTH_DEVICE_NOT_ENABLED, /* 404: the issuer, or this workspace, has no device login */
	OAUTH_DEVICE_FAILED,
};
/* message: for people, filled unless started. */
enum oauth_device_start oauth_device_read_start(
	const struct call_result *r, struct oauth_device *ret, char *message, size_t message_size);
/* Where the user types the code in. */
void oauth_device_url(const struct conf *conf, struct buf *out);

/* For OAUTH_DEVICE_TOKEN. */
void oauth_device_poll_body(const struct oauth_device *d, struct buf *out);
enum oauth_device_poll {
	OAUTH_POLL_PENDING,
	OAUTH_POLL_SLOW_DOWN, /* poll on, OAUTH_DEVICE_SLOWER_MS later than so far */
	OAUTH_POLL_TROUBLE,   /* network, gateway, 5xx: polling on does no harm */
	OAUTH_POLL_APPROVED,
	OAUTH_POLL_DENIED,
	OAUTH_POLL_EXPIRED,
	OAUTH_POLL_FAILED, /* an answer that makes no sense, or a refusal */
};
/* code and verifier are set when approved; message is filled when failed. */
enum oauth_device_poll oauth_device_read_poll(const struct call_result *r, struct secret *ret_code,
	struct secret *ret_verifier, char *message, size_t message_size);

#endif
