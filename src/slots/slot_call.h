/*
 * A request that a slot makes for itself at its own backend with its own credential (wham/usage,
 * codex/models, …). The credential is refreshed first when it has expired, and once after a 401.
 * Knows the slot by its id: it may leave the table meanwhile.
 */
#ifndef SLOTS_SLOT_CALL_H
#define SLOTS_SLOT_CALL_H

#include "io/call.h"
#include "slots/slot_env.h"

struct slot_call;

struct slot_call_request {
	const char *method;		   /* "GET" */
	const char *path;		   /* "/wham/usage", with its query */
	const struct http_header *headers; /* further ones; copied */
	size_t header_count;
	struct sv body; /* JSON; copied */
};

struct slot_call_result {
	struct slot *slot;		  /* NULL: it has left the table */
	const struct call_result *answer; /* NULL: it was not asked, see problem */
	const char *problem; /* why there is no 2xx or 304 answer, for people; NULL: there is one */
};

/* Never calls back at once. on_done comes exactly once, unless cancelled; what it gets is borrowed.
 */
struct slot_call *slot_call_start(struct slot_env *env, const struct slot *s,
	const struct slot_call_request *r,
	void (*on_done)(void *arg, const struct slot_call_result *result), void *arg);
/* Not inside on_done. */
void slot_call_cancel(struct slot_call *c);

#endif
