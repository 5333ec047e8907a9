/*
 * What to do when an attempt failed (DESIGN "Retry rule", PROTOCOL 6). Pure: one const row per
 * failure class.
 */
#ifndef RELAY_RETRY_H
#define RELAY_RETRY_H

#include "codex/failure.h"

enum retry_action {
	RETRY_GIVE_UP,	      /* tell the client */
	RETRY_OTHER_SLOT,     /* lease one that was not tried */
	RETRY_SAME_BACKOFF,   /* the same slot after retry_backoff_ms() */
	RETRY_SAME_STRIPPED,  /* the same slot at once, without account-bound blobs */
	RETRY_SAME_REFRESHED, /* the same slot once it has another token */
	RETRY_SAME_HTTP,      /* the same slot at once, without a WebSocket */
};
const char *retry_action_name(enum retry_action action);

struct retry_state {
	bool committed;	   /* something of the answer was sent to the client */
	bool of_socket;	   /* what broke was a WebSocket */
	bool other_slot;   /* an untried slot could serve, now or when it has a free lease */
	bool stripped;	   /* blobs were left out already */
	bool can_refresh;  /* the slot that failed may get another token */
	bool refreshed;	   /* and has got one for this request already */
	unsigned attempts; /* upstream tries so far */
	unsigned max_attempts;
	unsigned replays;      /* tries that followed a truncated, idle or garbled attempt */
	unsigned entitlements; /* tries that followed an entitlement refusal */
	unsigned backoffs;     /* tries on the same slot after a pause */
	int64_t elapsed_ms;    /* since the first attempt started */
	int64_t budget_ms;
};

enum retry_action retry_decide(enum failure_class class, const struct retry_state *s);
/* 200 ms, doubling: the pause before backoff number n (0-based). */
int64_t retry_backoff_ms(unsigned n);

#endif
