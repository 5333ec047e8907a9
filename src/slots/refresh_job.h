/*
 * One refresh of one slot's token, from its lock to its outcome. Files and locks are pool threads'
 * work, the slot is touched on the loop. Owner: the refresher, which frees it after on_end.
 *
 *	READ -> NOTE -> ASK -> SAVE -> DONE
 *
 *	READ	lock, read the file; DONE when another process was first, or nothing may be done
 *	NOTE	note the refresh token as spent; DONE when that cannot be written
 *	ASK	the issuer; DONE when no answer comes: in doubt, and the note stays
 *	DROP	behind ASK, refused for now or not sent: the note goes; DONE
 *	RECHECK	behind ASK, refused for good: unless the file has a newer grant by now; DONE
 *	SAVE	the new grant is written, the note goes
 *	UNSAVED	behind SAVE, it cannot be written (a full disk): kept in memory, SAVE again later
 */
#ifndef SLOTS_REFRESH_JOB_H
#define SLOTS_REFRESH_JOB_H

#include "slots/slot_env.h"

struct refresh_job;

enum refresh_end {
	REFRESH_END_READY,  /* the slot has a token that may be sent */
	REFRESH_END_REAUTH, /* its grant is dead */
	REFRESH_END_FAILED, /* not now */
	REFRESH_END_LOCKED, /* somebody else is at it: start another one later */
};

struct refresh_job_options {
	const char *refused; /* fingerprint of a token that must not stay, or "" */
	bool early;	     /* also one that is not short yet: the plan says so */
};

struct refresh_job_ops {
	/* The outcome for who waits; once. */
	void (*on_told)(void *arg, enum refresh_end end);
	/* The job is over and may be freed; once, behind on_told. Much later for one that could not
	 * be saved. */
	void (*on_end)(void *arg);
};

/* Never calls back at once. */
struct refresh_job *refresh_job_start(struct slot_env *env, const struct slot *s,
	const struct refresh_job_options *options, const struct refresh_job_ops *ops, void *arg);
/* Did it ask the issuer (whatever came of it)? */
bool refresh_job_has_asked(const struct refresh_job *j);
/* Does a pool thread or the issuer work for it? */
bool refresh_job_is_open(const struct refresh_job *j);
/* Sends nothing that was not sent yet, and does not try again to write what cannot be written. */
void refresh_job_stop(struct refresh_job *j);
/* Waits for the issuer no longer: the refresh is in doubt. */
void refresh_job_give_up(struct refresh_job *j);
/*
 * One that is not open; no callback follows. A grant that is not on disk is written now, blocking,
 * if that is possible by now. Accepts NULL.
 */
void refresh_job_free(struct refresh_job *j);

#endif
