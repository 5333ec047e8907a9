/*
 * When a slot's token is to be refreshed: pure, from the slot as it is and the time. Requests have
 * a token refreshed when less than five minutes of it are left. Idle and disabled slots are
 * refreshed long before: at a point between 70 and 85 % of the token's life, and a week old at the
 * latest, because a grant that nobody uses dies; but not before the pair has been on disk for
 * twelve hours, or half of what was left of its life then. The point is picked by slot, grant and
 * seed, so that the slots of one import, or two relays, do not come at once.
 */
#ifndef SLOTS_REFRESH_PLAN_H
#define SLOTS_REFRESH_PLAN_H

#include "slots/slot.h"

enum {
	REFRESH_PLAN_AHEAD_MS = 5 * 60 * 1000,
	REFRESH_PLAN_OLDEST_MS = 7 * 24 * 60 * 60 * 1000, /* of a grant, less the jitter */
};

/*
 * When the slot is due in the background, unix ms: in the past when it should have been before;
 * INT64_MAX never (no refresh token, reauth-required, in doubt). Not before the end of a backoff. A
 * slot of which a spent token was noted is due at once, and one in doubt when its token ends: to
 * find out where it stands, without a request.
 */
int64_t refresh_plan_next_ms(const struct slot *s, uint64_t seed, int64_t now_ms);
/* Is so little of the token left that a request had better have it refreshed? */
bool refresh_plan_is_short(const struct slot *s, int64_t now_ms);
/*
 * How long to wait after failure number n (from 1) in a row: 5 s, doubling, an hour at most, and at
 * least what the issuer asked for (0: nothing).
 */
int64_t refresh_plan_backoff_ms(unsigned n, int64_t asked_ms);

#endif
