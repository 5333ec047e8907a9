/*
 * Selection (SPEC 6), pure: candidates in, the chosen one out, and for every other one the reason
 * why it lost. Time is a parameter, and so is what the policies in turns have to remember. Costs
 * one pass over the candidates, a second one to explain.
 *
 * The session's slot wins while it is able to serve. Of the others that are able, the first by this
 * order: known to be at or above both thresholds, unknown usage, below a threshold; among equal
 * ones the higher priority; then the policy (slots/policy.h); then the lower number.
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
	PICK_LOWER_PRIORITY,  /* eligible, one of a higher priority is too */
	PICK_LOWER_RANK,      /* eligible, another one ranks higher by the policy */
	PICK_NOT_PINNED,      /* eligible, but the session is pinned elsewhere */
};
const char *pick_reason_name(enum pick_reason reason); /* "cooldown" */

/* What policies in turns remember: each slot its own, and the table one. Zeroes to begin with. */
struct pick_turn {
	uint64_t number; /* of the last choice by a policy; 0: none yet */
	double due;	 /* weighted: where the slot's next share begins; the table's: of the last
			    choice */
};

struct pick_candidate {
	const char *id;	    /* borrowed; order of last resort */
	uint64_t id_number; /* pick_id_number() of it, which goes before the text */
	bool enabled;
	bool has_credential;
	bool reauth_required;
	bool expired;
	bool tried;
	bool model_unsupported;
	int priority; /* higher first */
	unsigned inflight;
	double left_5h, left_week; /* percent left now, 0..100; negative: unknown. A month counts as
				      week. */
	int64_t resets_5h_ms, resets_week_ms; /* ends of the windows; 0: unknown */
	int64_t length_5h_ms, length_week_ms; /* 0: unknown */
	double capacity;		      /* above 0; a plus account of weight 1 has 1 */
	int64_t cooldown_until_ms;	      /* 0: none */
	int64_t last_used_ms;		      /* 0: never */
	int64_t recovers_ms;		      /* reset of the exhausted window, 0 unknown */
	int64_t token_at_ms; /* expired: when the next try to refresh is due, 0 never */
	struct pick_turn turn;
};

struct pick_options {
	enum conf_policy policy;
	double min_5h_pct, min_week_pct;
	unsigned concurrency; /* per slot */
	int pinned; /* index of the session's slot, -1: none. It wins while it is eligible and not
		       exhausted. */
	int64_t now_ms;
	struct pick_turn turn; /* the table's */
};

struct pick_result {
	int chosen;	     /* index, or -1 */
	bool any_busy;	     /* chosen < 0, but a slot would serve if it had a free lease: wait */
	int64_t recovers_ms; /* chosen < 0: soonest time at which a slot may serve again, 0 unknown
			      */
	size_t recovers_index; /* of the slot that recovers_ms is about; only when that is known */
	bool pinned_hit;       /* chosen because of the pin */
	/* To be remembered by whoever takes the chosen one; the old ones unless a policy chose. */
	struct pick_turn slot_turn, table_turn;
};

/*
 * reasons[i] and scores[i] tell about candidate i; both may be NULL. A score is what the policy
 * compared (policy_get()->unit says what it counts), NAN when it knew nothing to compare or the
 * candidate was not able to serve.
 */
struct pick_result pick(const struct pick_options *options, const struct pick_candidate *candidates,
	size_t count, enum pick_reason *reasons, float *scores);

/* A score as it is shown: four decimals. NAN stays NAN, which is null in JSON. */
double pick_score_shown(float score);

/* The number that an id ends with, so that slot-2 goes before slot-10; 0 without one. */
uint64_t pick_id_number(const char *id);

#endif
