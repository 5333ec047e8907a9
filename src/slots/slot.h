/*
 * One slot: an account with its live state. Owner: the slot table; others hold it through a lease.
 * Everything here is read on the loop thread only.
 */
#ifndef SLOTS_SLOT_H
#define SLOTS_SLOT_H

#include "base/limits.h"
#include "base/secret.h"
#include "codex/cred.h"
#include "codex/failure.h"
#include "codex/meters.h"
#include "slots/pick.h"

#include <jansson.h>

enum { SLOT_UNSUPPORTED_MAX = 16 };
/* What a record may say of `priority` (either sign) and `weight` (above 0). */
enum { SLOT_PRIORITY_MAX = 1000000, SLOT_WEIGHT_MAX = 1000000 };
/* How last_error begins when a file of the slot cannot be used; good files end such an error. */
#define SLOT_FILE_ERROR "credential: "

/* A model that upstream refused for this account, remembered for a while (PROTOCOL 6, entitlement).
 */
struct slot_unsupported {
	uint64_t model_hash;
	int64_t until_ms;
};

struct slot {
	char id[LIMIT_SLOT_ID_BYTES]; /* "slot-2" */
	uint64_t id_number;	      /* 2; the table fills it in */
	bool enabled;
	bool removed; /* gone from the table; freed with its last lease */
	char *label;
	int priority;	 /* slots of a higher one are used first; 0 unless told */
	double weight;	 /* of its capacity, above 0; 1 unless told */
	char *auth_file; /* absolute path */
	char *base_url;	 /* normal form without "/codex"; NULL: models.json is broken, no credential
			  */

	/* Credential, from auth_file. */
	struct secret access, refresh;
	char *account_id, *user_id, *email;
	int64_t expires_ms;   /* 0: unknown */
	bool reauth_required; /* upstream refused the credential; until the file brings another */
	char access_fingerprint[33]; /* of the refused token */

	/* Limits. */
	struct meters meters;
	int64_t checked_at_ms; /* when meters were last learnt, wall; 0 never */
	char *usage_5h_text,
		*usage_week_text; /* as stored, "95% left · resets 3h"; NULL when none */

	/* Runtime (SPEC 4 "runtime"). */
	int64_t cooldown_until_ms; /* wall; 0 none */
	char cooldown_reason[32];  /* failure class name */
	unsigned cooldowns;	   /* how many began since the start */
	bool dead; /* disabled because the account is gone; the file does not know yet */
	int64_t last_used_ms;
	char last_error[256]; /* "" none; never holds a token */
	unsigned failures;    /* consecutive */
	unsigned transient_streak;
	unsigned inflight;
	struct pick_turn turn; /* not stored: after a start all begin anew */
	struct slot_unsupported unsupported[SLOT_UNSUPPORTED_MAX];

	json_t *record; /* the slots.json record as read: unknown members survive a rewrite */
	bool dirty;	/* runtime or usage differ from what is stored */
};

/*
 * Sets last_error to "<class_name>: <text>" (the text alone for NULL): one line of valid UTF-8, cut
 * to fit, and no text that holds the slot's token.
 */
void slot_set_error(struct slot *s, const char *class_name, struct sv text);
/* What the upstream needs to know of it; views, valid until the slot changes. */
struct codex_cred slot_cred(const struct slot *s);
/* A window as it is at some time. kind METER_WEEK falls back to the month. */
struct slot_window {
	double left_pct;   /* see slot_left_pct() */
	int64_t ends_ms;   /* see slot_window_ends_ms() */
	int64_t length_ms; /* as told, else as usual; 0: no such window is known */
};
struct slot_window slot_window_at(const struct slot *s, enum meter_kind kind, int64_t now_ms);
/*
 * When the window stops counting: its reset, or, when nobody told that, its length after it was
 * seen. Unix ms; 0: unknown.
 */
int64_t slot_window_ends_ms(const struct slot *s, enum meter_kind kind);
/* Percent left of a kind of window at now: 0..100, or -1 unknown. kind METER_WEEK falls back to the
 * month. */
double slot_left_pct(const struct slot *s, enum meter_kind kind, int64_t now_ms);
bool slot_model_is_unsupported(const struct slot *s, uint64_t model_hash, int64_t now_ms);

/* How an attempt on a slot ended. */
enum verdict {
	VERDICT_SUCCESS,
	VERDICT_FAILURE,   /* see failure */
	VERDICT_CANCELLED, /* client gone or our own stop: nobody's fault */
};

struct slot_verdict {
	enum verdict kind;
	const struct failure *failure; /* for VERDICT_FAILURE */
	const struct meters *meters;   /* what the attempt learnt; may be NULL */
	uint64_t model_hash;	       /* for FAILURE_ENTITLEMENT */
	/*
	 * A cooldown of the slot began after this attempt did (lease_note() fills it in): a success
	 * does not end it, and a failure is of the same burst as the one that began it.
	 */
	bool outdated;
};

struct cooldown_conf {
	int64_t generic_s, quota_s;
};
/*
 * Applies a verdict to the slot's state: cooldowns by PROTOCOL 6 (as long as upstream said, else
 * the configured time; never longer), streaks, lastError; success clears them. Pure but for *s.
 * True when the slot became unusable or usable again (for logs).
 */
bool slot_apply_verdict(struct slot *s, const struct slot_verdict *v,
	const struct cooldown_conf *conf, int64_t now_ms);

#endif
