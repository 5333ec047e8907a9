/*
 * What upstream tells beside an answer, by headers or by events in their place: whose the turn is,
 * and which models there are. Of whatever transport.
 */
#ifndef RELAY_HEAD_NOTES_H
#define RELAY_HEAD_NOTES_H

#include "codex/event_headers.h"
#include "relay/answer.h"

struct relay;
struct slot;

/* Of an answer's head. */
void head_notes_take(
	struct relay *relay, struct slot *slot, const struct http_header *headers, size_t count);
/* An event behind the head; may be any. The turn state of one also becomes the client's header, if
 * that is not too late. */
void head_notes_event(
	struct relay *relay, struct slot *slot, const struct event *ev, struct answer *answer);

#endif
