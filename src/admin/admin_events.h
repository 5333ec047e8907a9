/*
 * GET /admin/events: server-sent events of what changes in slots and of finished requests.
 *	hello	{"time","version","slots"}			first, once
 *	slot	{"time","changed":["state",…],"slot":{…}}	as in /admin/slots; changed: state,
 *								cooldown, usage, credential,
 *settings, added slot_removed	{"time","id"}
 *	request	{"time","requestId",…}				as in recentRequests and
 *recentErrors dropped	{"count"}					a slow listener has lost so
 *many end	{"reason"}					the relay is stopping Slots are
 *looked at several times a second while somebody listens, for time alone changes them, too. Nothing
 *is kept for a listener but what its connection holds: above the high mark it loses events. Owner:
 *struct admin.
 */
#ifndef ADMIN_ADMIN_EVENTS_H
#define ADMIN_ADMIN_EVENTS_H

#include "admin/admin.h"

struct admin_events;

struct admin_events *admin_events_new(struct relay *r);
/* All listeners are told that it is over; no new ones. */
void admin_events_end(struct admin_events *e);
/* No timer is left. */
void admin_events_stop(struct admin_events *e);
void admin_events_free(struct admin_events *e);

void admin_events_get(struct relay *r, struct http_stream *s);

#endif
