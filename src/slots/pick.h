/*
 * Selection (SPEC 6), pure: candidates in, the chosen one out, and for every other one the reason
 * why it lost. Time is a parameter. Costs one pass over the candidates.
 */
#ifndef SLOTS_PICK_H
#define SLOTS_PICK_H

#include "conf/conf.h"

enum pick_reason {
	PICK_CHOSEN,
	PICK_DISABLED,
	PICK_NO_CREDENTIAL,   /* no token in the slot's file */
	PICK_REAUTH_REQUIRED, /* its grant is dead */
	PICK_EXPIRED,	      /* access token expired, and no other one to be had now */
	PICK_COOLDOWN,
	PICK_EXHAUSTED,	      /* a window is known to be at 0 % */
	PICK_MODEL,	      /* known not to have this model */
	PICK_TRIED,	      /* this request tried it already */
	PICK_BUSY,	      /* at its concurrency cap */
	PICK_BELOW_THRESHOLD, /* eligible, but another one is preferred */
	PICK_UNKNOWN_USAGE,   /* eligible, after the known good ones */
	PICK_LOWER_RANK,      /* eligible, another one ranks higher by the policy */
	PICK_NOT_PINNED,      /* eligible, but the session is pinned elsewhere */
};
const char *pick_reason_name(enum pick_reason reason); /* "cooldown" */

struct pick_candidate {
	const char
		*id; /* borrowed; order of last resort, numbers by value: slot-2 before slot-10 */
	bool enabled;
	bool has_credential;
	bool reauth_required;
	bool expired;
	bool tried;
	bool model_unsupported;
	unsigned inflight;
	double left_5h, left_week; /* percent left now, 0..100; negative: unknown. A month counts as
				      week. */
	int64_t cooldown_until_ms; /* 0: none */
	int64_t last_used_ms;	   /* 0: never */
	int64_t recovers_ms;	   /* reset of the exhausted window, 0 unknown */
	int64_t token_at_ms;	   /* expired: when the next try to refresh is due, 0 never */
};

struct pick_options {
	enum conf_policy policy;
	double min_5h_pct, min_week_pct;
	unsigned concurrency; /* per slot */
	int pinned; /* index of the session's slot, -1: none. It wins while it is eligible and not
		       exhausted. */
	int64_t now_ms;
};

struct pick_result {
	int chosen;	     /* index, or -1 */
	bool any_busy;	     /* chosen < 0, but a slot would serve if it had a free lease: wait */
	int64_t recovers_ms; /* chosen < 0: soonest time at which a slot may serve again, 0 unknown
			      */
	size_t recovers_index; /* of the slot that recovers_ms is about; only when that is known */
	bool pinned_hit;       /* chosen because of the pin */
};

/* reasons[i] tells about candidate i; may be NULL. */
struct pick_result pick(const struct pick_options *options, const struct pick_candidate *candidates,
	size_t count, enum pick_reason *reasons);

#endif
