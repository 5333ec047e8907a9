/*
 * One run of an openclaw command to its end, in a room with a copy of a slot's credential: room
 * made, program run with a time limit and capped output, room removed; then on_done. Owner: who
 * started it, until on_done (exactly once) or openclaw_run_cancel(); it frees itself after either.
 */
#ifndef OPENCLAW_OPENCLAW_RUN_H
#define OPENCLAW_OPENCLAW_RUN_H

#include "slots/slot_env.h"

struct openclaw_run;

struct openclaw_run_request {
	struct slot_env *env;
	const struct slot *slot;
	const char *name;	  /* of the room, behind the slot's id: "usage" */
	const char *const *words; /* behind `openclaw --profile P`; lives until the end */
	int64_t timeout_ms;
};

struct openclaw_run_result {
	const char *problem; /* for people: "openclaw: exit status 1"; NULL: it ended well */
	struct sv out;	     /* stdout */
};

/* Never fails, never calls back at once. */
struct openclaw_run *openclaw_run_start(const struct openclaw_run_request *r,
	void (*on_done)(void *arg, const struct openclaw_run_result *result), void *arg);
/* No callback follows; the program is killed, its room removed. Not inside on_done. */
void openclaw_run_cancel(struct openclaw_run *run);

#endif
