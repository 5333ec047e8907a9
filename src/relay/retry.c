#include "relay/retry.h"

enum { BACKOFFS_MAX = 3, REPLAYS_MAX = 1, ENTITLEMENTS_MAX = 1 };

/* How often a failure of a class may lead to another try, besides the overall bounds. */
struct rule {
	bool other_slot;   /* may go to another slot */
	bool same_backoff; /* may go to the same slot when there is no other */
	bool is_replay;	   /* the request may have run: counted, REPLAYS_MAX */
	bool is_entitlement;
	bool same_refreshed; /* the same slot first, with another token, once */
};

static const struct rule rules[FAILURE_CLASSES] = {
	[FAILURE_RATE_LIMIT] = {.other_slot = true},
	[FAILURE_QUOTA] = {.other_slot = true},
	[FAILURE_AUTH] = {.other_slot = true, .same_refreshed = true},
	[FAILURE_DEAD] = {.other_slot = true},
	[FAILURE_BLOCKED] = {.other_slot = true},
	[FAILURE_TRANSIENT] = {.other_slot = true, .same_backoff = true},
	[FAILURE_NETWORK] = {.other_slot = true, .same_backoff = true},
	[FAILURE_ENTITLEMENT] = {.other_slot = true, .is_entitlement = true},
	[FAILURE_TRUNCATED] = {.other_slot = true, .is_replay = true},
	[FAILURE_IDLE] = {.other_slot = true, .is_replay = true},
	[FAILURE_PROTOCOL] = {.other_slot = true, .is_replay = true},
};

const char *retry_action_name(enum retry_action action)
{
	static const char *const names[] = {
		[RETRY_GIVE_UP] = "give_up",
		[RETRY_OTHER_SLOT] = "other_slot",
		[RETRY_SAME_BACKOFF] = "same_slot_backoff",
		[RETRY_SAME_STRIPPED] = "same_slot_stripped",
		[RETRY_SAME_REFRESHED] = "same_slot_refreshed",
		[RETRY_SAME_HTTP] = "same_slot_http",
	};

	return names[action];
}

enum retry_action retry_decide(enum failure_class class, const struct retry_state *s)
{
	const struct rule *rule = &rules[class];

	if (s->committed || s->attempts >= s->max_attempts || s->elapsed_ms >= s->budget_ms)
		return RETRY_GIVE_UP;
	if (class == FAILURE_BLOB)
		return s->stripped ? RETRY_GIVE_UP : RETRY_SAME_STRIPPED;
	if (rule->is_replay && s->replays >= REPLAYS_MAX)
		return RETRY_GIVE_UP;
	if (rule->is_replay && s->of_socket)
		return RETRY_SAME_HTTP;
	if (rule->is_entitlement && s->entitlements >= ENTITLEMENTS_MAX)
		return RETRY_GIVE_UP;
	if (rule->same_refreshed && s->can_refresh && !s->refreshed)
		return RETRY_SAME_REFRESHED;
	if (rule->other_slot && s->other_slot)
		return RETRY_OTHER_SLOT;
	if (rule->same_backoff && s->backoffs < BACKOFFS_MAX)
		return RETRY_SAME_BACKOFF;
	return RETRY_GIVE_UP;
}

int64_t retry_backoff_ms(unsigned n)
{
	return INT64_C(200) << (n < 6 ? n : 6);
}
