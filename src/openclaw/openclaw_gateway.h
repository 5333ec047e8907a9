/*
 * Gateways: `openclaw gateway run` on a free port of 127.0.0.1, one for each slot that is used, in
 * a room with a copy of the slot's credential. Started when a request asks for one, kept and used
 * by all further ones, stopped when nobody has used it for a while, replaced when the slot's
 * credential or the configuration has changed (running requests end on the old one) or when it dies
 * or does not answer any more. Owner of all: the relay. On the loop; files are written on pool
 * threads.
 *
 *	ROOM -> BOOT -> READY -> LEAVING -> gone
 *	   \-----\------------------^  did not come up, died, idle, replaced, relay stopping
 */
#ifndef OPENCLAW_OPENCLAW_GATEWAY_H
#define OPENCLAW_OPENCLAW_GATEWAY_H

#include "slots/slot_env.h"

struct openclaw_gateways;
struct openclaw_gateway;

/* A request that uses a gateway, or waits for one. Embedded in its user, who leaves before he dies.
 */
struct openclaw_use {
	/* Exactly once, never from inside openclaw_gateways_ask(). problem NULL: gateway is ready.
	 * The user has left already when there is a problem. */
	void (*on_ready)(struct openclaw_use *use, const char *problem);
	struct openclaw_gateway *gateway; /* private; NULL: neither waits nor uses */
	struct openclaw_use *next, **prev;
	bool waiting;
};

/* env is kept; its conf may be replaced. */
struct openclaw_gateways *openclaw_gateways_new(struct slot_env *env);
/* After openclaw_gateways_stop() and the end of the loop. Accepts NULL. */
void openclaw_gateways_free(struct openclaw_gateways *all);
/* Ends all of them; the loop does not return before they are gone with their rooms. Nobody uses
 * one any more. */
void openclaw_gateways_stop(struct openclaw_gateways *all);

/* Asks for the gateway of a slot, with the credential that it has now. */
void openclaw_gateways_ask(
	struct openclaw_gateways *all, const struct slot *s, struct openclaw_use *use);
/* The request is over, or does not want to wait any longer. Accepts one that asked for nothing. */
void openclaw_gateways_leave(struct openclaw_use *use);

/* While used and ready: "http://127.0.0.1:40123", the bearer token, and a client that goes there
 * without the proxies that are meant for upstream. */
const char *openclaw_gateway_url(const struct openclaw_use *use);
const struct secret *openclaw_gateway_token(const struct openclaw_use *use);
struct fetch_pool *openclaw_gateway_pool(const struct openclaw_use *use);

#endif
