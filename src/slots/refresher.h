/*
 * Credentials kept usable (PROTOCOL 1, DESIGN "Slots"): refreshed before they expire or after a
 * 401. One refresh a slot at a time, whoever asks and in whatever process (a file lock); one
 * account after another, those that somebody waits for first. The file is re-read first, for
 * somebody may have rotated the grant; the new pair is durable before it is used; a refresh that
 * was dispatched is never sent again, not even by the next process (credential.h). A grant that
 * upstream calls dead puts the slot into reauth-required, across restarts, until its file brings
 * another one. One whose outcome nobody knows serves until its access token ends, then the same.
 */
#ifndef SLOTS_REFRESHER_H
#define SLOTS_REFRESHER_H

#include "slots/slot_env.h"

enum refresh_result {
	REFRESH_READY,	/* the slot has a token that may be sent */
	REFRESH_REAUTH, /* its grant is dead: log in again */
	REFRESH_FAILED, /* not now: network, upstream, lock, file; the slot's last_error tells */
};

/* Who waits for a slot's token. Embedded in its user, who takes it out before he dies. */
struct refresh_wait {
	void (*on_done)(struct refresh_wait *w, enum refresh_result result);
	struct refresh_wait *next, **prev; /* private; prev is NULL when not waiting */
	char refused[33];		   /* private */
	enum refresh_result result;	   /* private */
};

/* env->refresher is the caller's to set. Refreshes when asked, see refresher_start(). */
struct refresher *refresher_new(struct slot_env *env);
/* From now on it also refreshes slots that nobody uses, disabled ones included (refresh_plan.h).
 * Keeps the loop running until refresher_stop(). */
void refresher_start(struct refresher *r);
/* Slots were added, removed, replaced or changed (slot_table_on_change()). */
void refresher_reconsider(struct refresher *r);
/*
 * Starts nothing any more; who waits is told, later askers too. What was dispatched gets a moment
 * to be answered and written. Then, from the loop, on_idle: no handle of the loop is left.
 */
void refresher_stop(struct refresher *r, void (*on_idle)(void *arg), void *arg);
/* When the loop has ended. A grant that could not be written is tried once more. Accepts NULL. */
void refresher_free(struct refresher *r);

/* Must the token be refreshed before it is sent: has it expired, or was it refused? */
bool refresher_must_wait(const struct slot *s, int64_t now_ms);
/* Should it be refreshed beside the request: is little of it left? False when it cannot be now. */
bool refresher_is_due(const struct slot *s, int64_t now_ms);
/*
 * Refreshes the slot's token and tells w. refused: the token that upstream has just refused, as
 * its fingerprint (a slot that has another one by now is ready); NULL: the token is about to expire
 * (one that is not due is ready). w may be NULL. on_done never comes from inside this call. Costs
 * no file access when a refresh of the slot is under way already.
 */
void refresher_ask(
	struct refresher *r, struct slot *s, const char *refused, struct refresh_wait *w);
/* The same for an operator who wants another token now, during a backoff too. */
void refresher_force(struct refresher *r, struct slot *s, struct refresh_wait *w);
/* Accepts one that does not wait. */
void refresher_leave(struct refresh_wait *w);

#endif
