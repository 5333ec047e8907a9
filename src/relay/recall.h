/*
 * Server state of the Responses API for one exchange (TRANSLATION 3): puts what the client refers
 * to back into its request, and keeps the answer. Between dialect.parse and all that reads the
 * internal form, so that nothing else knows of references.
 */
#ifndef RELAY_RECALL_H
#define RELAY_RECALL_H

#include "dialect/dialect.h"
#include "relay/continuation.h"

/* Of one exchange. */
struct recall {
	struct continuation *continuation;
	struct kept_owner owner;
	struct jv input;   /* of the internal form: large requests are looked through once */
	struct sv session; /* what names the conversation that the request goes on with, or empty;
			      in the turn's arena */
};

/*
 * Behind parse. A previous_response_id and item references are resolved: turn.upstream then holds
 * all items in full. Decides whether the answer is to be kept (turn.store). token: the client's.
 * Requests of native Codex clients stay as they are. -EINVAL with *err: something is unknown here,
 * or the request is too large with all that it refers to.
 */
int recall_expand(struct recall *recall, struct continuation *continuation, struct sv token,
	struct turn *t, struct api_err *err) MUST_CHECK;
/*
 * The answer is complete and was given to the client. session: its conversation's. stripped:
 * upstream got the request without its reasoning, which another account had made.
 */
void recall_keep(struct recall *recall, struct turn *t, struct sv session, bool stripped);

/* 400: no answer is known under this id. */
int recall_refuse_previous(struct sv id, struct api_err *err);

#endif
