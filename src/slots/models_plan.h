/* When a slot's list of models is due. Pure; unix ms. */
#ifndef SLOTS_MODELS_PLAN_H
#define SLOTS_MODELS_PLAN_H

#include "slots/poll_plan.h"
#include "slots/slot.h"

/*
 * A list is fetched anew after ttl_ms with jitter, sooner when the slot's plan is another one than
 * then or upstream hinted at another list (is_outdated), and after failures with back-off.
 * POLL_NEVER for slots that serve nobody or have no valid login, and for a ttl of 0.
 */
int64_t models_plan_due_ms(const struct slot *s, const struct poll_state *poll, bool is_outdated,
	int64_t ttl_ms, int64_t now_ms);

#endif
