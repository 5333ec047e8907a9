/*
 * Asks the usage backend about one slot and applies the answer to it (PROTOCOL 5). Limits that the
 * slot learnt while the question was open are newer and stay. Nothing that goes wrong here keeps a
 * slot from serving, but for an account that upstream says is gone. Owner: itself, until on_done or
 * usage_check_cancel(). For many slots at once see usage_round.h.
 */
#ifndef SLOTS_USAGE_CHECK_H
#define SLOTS_USAGE_CHECK_H

#include "slots/slot_env.h"

/* What a backend says; borrowed for the call of on_done. */
struct usage_answer {
	const char *problem; /* why there is none, for people; NULL: there is one */
	/* NULL with no problem: what is stored counts. */
	const struct meters *meters;
	bool is_whole;	    /* windows that it does not tell of do not exist */
	bool limit_reached; /* upstream refuses requests for now, whatever the windows say */
	const struct failure *gone; /* upstream says that there is no such account; NULL */
	int64_t retry_at_ms;	    /* unix ms before which not to ask again; 0 none */
};

/*
 * A backend of `usage.backend`. start() never calls back at once; what it returns lives until
 * on_done, which comes exactly once, or until cancel().
 */
struct usage_source {
	const char *name;
	void *(*start)(struct slot_env *env, const struct slot *s,
		void (*on_done)(void *arg, const struct usage_answer *answer), void *arg);
	void (*cancel)(void *running);
};
/* The one of the configuration. */
const struct usage_source *usage_check_source(const struct slot_env *env);

enum { USAGE_PROBLEM_SIZE = 192 };

struct usage_result {
	char id[LIMIT_SLOT_ID_BYTES];
	struct slot *slot; /* NULL: it has left the table */
	bool updated;
	bool disabled; /* upstream said that the account is gone, so the slot was disabled */
	char problem[USAGE_PROBLEM_SIZE]; /* why not updated, for people; "" */
	int64_t retry_at_ms;		  /* as the answer's */
};

struct usage_check;

/* Never calls back at once. on_done comes exactly once, unless cancelled. */
struct usage_check *usage_check_start(struct slot_env *env, const struct slot *s,
	void (*on_done)(void *arg, const struct usage_result *result), void *arg);
/* Not inside on_done. */
void usage_check_cancel(struct usage_check *c);

#endif
