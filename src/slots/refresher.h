/*
 * Credentials kept usable (PROTOCOL 1, DESIGN "Slots"): refreshed before they expire or after a
 * 401. One refresh a slot at a time, whoever asks and in whatever process (a file lock); one
 * account after another. The file is re-read first, for somebody may have rotated the grant; the
 * new pair is durable before it is used; a refresh that was dispatched is never sent again. A grant
 * that upstream calls dead puts the slot into reauth-required, across restarts, until its file
 * brings another one.
 */
#ifndef SLOTS_REFRESHER_H
#define SLOTS_REFRESHER_H

#include "slots/slot_env.h"

enum { REFRESH_AHEAD_MS = 5 * 60 * 1000 };

enum refresh_result {
	REFRESH_READY,	/* the slot has a token that may be sent */
	REFRESH_REAUTH, /* its grant is dead: log in again */
	REFRESH_FAILED, /* not now: network, upstream, lock, file; the slot's last_error tells */
};

/* Who waits for a slot's token. Embedded in its user, who takes it out before he dies. */
struct refresh_wait {
	void (*on_done)(struct refresh_wait *w, enum refresh_result result);
	struct refresh_wait *next, **prev; /* private; prev is NULL when not waiting */
};

/* env->refresher is the caller's to set. */
struct refresher *refresher_new(struct slot_env *env);
/* Nothing waits any more. What was dispatched is still written when its answer comes within a
 * moment; see refresher_stop(). Accepts NULL. */
void refresher_free(struct refresher *r);
/* Calls on_idle (from the loop) when no dispatched refresh is open any more; starts no new one. */
void refresher_stop(struct refresher *r, void (*on_idle)(void *arg), void *arg);

/* Must the token be refreshed before it is sent: has it expired? */
bool refresher_must_wait(const struct slot *s, int64_t now_ms);
/* Should it be refreshed soon: less than REFRESH_AHEAD_MS left? False when it cannot be. */
bool refresher_is_due(const struct slot *s, int64_t now_ms);
/*
 * Refreshes the slot's token and tells w. refused: the token that upstream has just refused, as
 * its fingerprint (a slot that has another one by now is ready); NULL: the token is about to expire
 * (one that is not due is ready). w may be NULL. on_done never comes from inside this call.
 */
void refresher_ask(
	struct refresher *r, struct slot *s, const char *refused, struct refresh_wait *w);
/* Accepts one that does not wait. */
void refresher_leave(struct refresh_wait *w);

#endif
