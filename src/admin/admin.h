/*
 * The admin API (SPEC 2): its routes, one file a resource, and what of it lives as long as the
 * relay. Comes into the relay as its extension.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "relay/relay.h"

const struct relay_extension *admin_extension(void);

/* Within src/admin: owned by relay.extension_state. */
struct admin {
	struct relay *relay;
	struct admin_events *events;
	struct admin_edit *edits; /* waiting and running, first come first served */
	struct admin_wait *waits; /* answers that come later */
	size_t wait_count;
};
static inline struct admin *admin_of(struct relay *r)
{
	return r->extension_state;
}

/* The slot that the path names. NULL: answered with 404. */
struct slot *admin_slot(struct relay *r, struct http_stream *s);
/* 404 for a slot of this name. */
void admin_no_slot(struct relay *r, struct http_stream *s, struct sv id);
/* A slot as /admin/slots/{id} shows it, with its explanation. New reference. */
json_t *admin_show_slot(struct relay *r, const struct slot *slot, int64_t now_ms);

#endif
