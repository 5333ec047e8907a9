/*
 * Events that stand for headers (PROTOCOL 7): {"type":"response.metadata","headers":{"x-codex-turn-
 * state":"…"}}. Pure.
 */
#ifndef CODEX_EVENT_HEADERS_H
#define CODEX_EVENT_HEADERS_H

#include "dialect/event.h"
#include "proto/http1.h"

/* Is it one that belongs to the head of an answer? */
bool event_headers_are_of_head(const struct event *ev);
/* The members of any event's `headers` that an HTTP head could have, at most max of them; their
 * number. Views of the event, or in the arena. */
size_t event_headers_read(
	const struct event *ev, struct arena *arena, struct http_header *out, size_t max);

#endif
