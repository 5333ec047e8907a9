/*
 * One client request that a slot serves, from its complete body to the last byte of the answer:
 * adapts the body, waits for a slot, runs attempts, rolls over, ends exactly once. The only module
 * that knows both slots and the upstream. Owner: itself, from exchange_start() until it was
 * answered or its client went; it keeps itself in relay.exchanges.
 *
 *	ADAPT -> WAIT_SLOT -> WAIT_TOKEN -> CONNECT -> HEAD -> STREAM -> DONE
 *
 *	WAIT_SLOT -> CONNECT	its token is good
 *	tried -> WAIT_TOKEN	401: the same slot once more, with another token
 *	tried -> WAIT_SLOT	another try, while nothing was sent
 *	tried -> BACKOFF -> WAIT_SLOT	the same slot again, later
 *	WAIT_TOKEN -> WAIT_SLOT	there is no token: another slot
 *	any state -> DONE	failed, client gone, relay stopping
 *
 * where "tried" is CONNECT, HEAD or STREAM.
 */
#ifndef RELAY_EXCHANGE_H
#define RELAY_EXCHANGE_H

#include "dialect/dialect.h"
#include "relay/client.h"

struct relay;
struct exchange;

/* The request's body is complete. The exchange becomes the stream's user, answers it and logs. */
void exchange_start(struct relay *relay, struct http_stream *stream, const struct dialect *dialect);
/* The same for any client (client.h), with its body, which it takes. */
void exchange_start_for(struct relay *relay, struct client *client, struct buf *body,
	const struct dialect *dialect);
/* The relay will not wait any longer: clients are told, upstream requests cancelled. */
void exchange_abort_all(struct relay *relay);

#endif
