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
#include "slots/credential.h"
#include "slots/pick.h"

struct catalogue;

enum { SLOT_UNSUPPORTED_MAX = 16 };
/* What a record may say of `priority` (either sign) and `weight` (above 0). */
enum { SLOT_PRIORITY_MAX = 1000000, SLOT_WEIGHT_MAX = 1000000 };
/* How last_error begins when a file of the slot cannot be used; good files end such an error. */
#define SLOT_FILE_ERROR "credential: "
/* And when its token could not be refreshed; another grant ends that. */
#define SLOT_REFRESH_ERROR "refresh: "

/* A model that upstream refused for this account, remembered for a while (PROTOCOL 6, entitlement).
 */
struct slot_unsupported {
	uint64_t model_hash;
	int64_t until_ms;
};

/* May the refresh token be sent (PROTOCOL 1: one that was sent never is again)? */
enum slot_refresh_state {
	SLOT_REFRESH_FREE,
	SLOT_REFRESH_NOTED,    /* it was sent, perhaps just now by another process: see its file */
	SLOT_REFRESH_IN_DOUBT, /* it was sent and nobody knows the outcome: never again */
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

	/* Credential, from auth_file; set by slot_take_credential(). None while there is no
	 * base_url. */
	struct secret access, refresh;
	char *account_id, *user_id, *email;
	int64_t expires_ms;	      /* 0: unknown */
	int64_t granted_ms;	      /* when the issuer gave it; 0: unknown */
	int64_t written_ms;	      /* when its file was; 0: unknown */
	char token_fingerprint[33];   /* of access */
	unsigned grants;	      /* how many it has had: tells whether another one came */
	bool reauth_required;	      /* the grant is dead; until the file brings another */
	char refused_fingerprint[33]; /* of that grant, both tokens */
	bool token_refused;	      /* upstream refused access, refresh may bring another */
	enum slot_refresh_state refresh_state; /* of refresh */
	int64_t refresh_after_ms;	       /* no refresh before that, wall; 0 none */
	unsigned refresh_failures;	       /* in a row */
	bool unsaved; /* newer than auth_file, which cannot be written: a reload does not replace it
		       */

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
	int64_t reset_at_ms; /* when the operator last reset the slot (relay.resetAt); 0 never */
	struct catalogue *catalogue; /* models that upstream offers it; NULL: not known */

	json_t *record; /* the slots.json record as read: unknown members survive a rewrite */
	bool dirty;	/* runtime or usage differ from what is stored */
};

/*
 * Takes a credential as its file tells it (c is empty afterwards). Another grant ends what was held
 * against the former one; another account's ends all that was learnt of the former account. True
 * when it is another grant.
 */
bool slot_take_credential(struct slot *s, struct credential *c);
/* Could it be this account's? An id that is not known fits any. */
bool slot_is_account(const struct slot *s, const char *account_id, const char *user_id);
/* Has its token expired, or was it refused? Then nothing can be sent before there is another. */
bool slot_needs_token(const struct slot *s, int64_t now_ms);
/* Is there a way to another token, now or after a pause? */
bool slot_can_refresh(const struct slot *s);
/* Its grant is dead: out until its file brings another one. */
void slot_require_reauth(struct slot *s);
/* Of both tokens; tells whether a dead grant is still there. "" without a token. */
void slot_grant_fingerprint(const struct slot *s, char out[33]);
/*
 * Sets last_error to "<class_name>: <text>" (the text alone for NULL): one line of valid UTF-8, cut
 * to fit, and no text that holds the slot's token.
 */
void slot_set_error(struct slot *s, const char *class_name, struct sv text);
/* Forgets last_error if it begins so. */
void slot_clear_error(struct slot *s, const char *beginning);
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

/* What an operator's reset takes back: cooldown, failures, the last error, refused models. Not a
 * dead login. */
void slot_reset(struct slot *s);

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
	/* For FAILURE_AUTH: the token that was sent, as its fingerprint (NULL: the slot's present
	 * one), and whether the request has had it refreshed already. */
	const char *token;
	bool refreshed;
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
