/*
 * Which attempts go over a WebSocket (`upstream.transport`), and the sockets that the relay keeps.
 */
#ifndef RELAY_TRANSPORT_H
#define RELAY_TRANSPORT_H

#include "codex/upstream.h"
#include "conf/conf.h"
#include "dialect/dialect.h"
#include "relay/client.h"

#include <jansson.h>

struct relay;

/* Sets what a request needs to find a socket, when the turn may have one. */
void transport_choose(const struct relay *relay, const struct conf *conf,
	const struct client *client, const struct turn *turn, struct upstream_request *r);

/* The relay has its pool, which dials; it is freed after transport_stop(). */
void transport_start(struct relay *relay);
/* No attempt runs any more. */
void transport_stop(struct relay *relay);
/* Slots have changed: sockets of those that are gone, disabled, or have another token, are closed,
 * after the turn that runs on them. */
void transport_slots_changed(struct relay *relay);
/* The configuration has: what is known of hosts is forgotten. */
void transport_conf_changed(struct relay *relay);
/* The member upstreamSockets of /admin/stats. New reference. */
json_t *transport_json(const struct relay *relay);

#endif
