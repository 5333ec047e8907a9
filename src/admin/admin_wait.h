/*
 * An answer of the admin API that comes later: who waits for it, and what becomes of it when the
 * client goes (the work goes on) or the relay stops (it is cancelled). Embedded in its user.
 */
#ifndef ADMIN_ADMIN_WAIT_H
#define ADMIN_ADMIN_WAIT_H

#include "admin/admin.h"
#include "relay/router.h"

struct admin_wait {
	struct admin_wait *next, **prev; /* private */
	struct route_user user;		 /* private */
	char request_id[IDENT_UUID_SIZE];
	struct admin *admin;
	struct http_stream *stream; /* NULL: the client has gone */
	/* The relay stops: nothing calls back any more, w is freed. It has left the list. */
	void (*cancel)(struct admin_wait *w);
};

/*
 * Makes w the stream's user. False, and answered with 503, when LIMIT_ADMIN_WAITS_COUNT wait
 * already.
 */
bool admin_wait_begin(struct admin_wait *w, struct relay *r, struct http_stream *s,
	void (*cancel)(struct admin_wait *w)) MUST_CHECK;
/* Before or after its answer; the user frees. */
void admin_wait_end(struct admin_wait *w);
/* The relay stops. */
void admin_wait_stop(struct admin *a);

#endif
