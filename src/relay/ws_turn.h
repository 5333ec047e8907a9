/*
 * One turn of a WebSocket: the client of its exchange (client.h). Sends each event as a frame,
 * refusals as error frames, and collects the items of the answer, so that the next turn may go on
 * from it. Owner: its session.
 */
#ifndef RELAY_WS_TURN_H
#define RELAY_WS_TURN_H

#include "io/ws_conn.h"
#include "relay/client.h"
#include "relay/ws_message.h"

struct relay;
struct ws_turn;

struct ws_turn_ops {
	/* It ended: free it outside of its own calls. */
	void (*on_over)(void *owner);
};

struct ws_turn_options {
	struct relay *relay;
	struct ws_conn *conn;
	const struct ws_head *head;
	const struct route *route;
	const char *peer;
	bool native;
	const char *last_id;	 /* of the answer that the socket remembers; "" none */
	const struct buf *items; /* all of its conversation, comma-separated */
};

/* Starts it; may be over when this returns, but on_over comes later. text: the frame's; taken. */
struct ws_turn *ws_turn_start(const struct ws_turn_options *options, struct buf *text,
	const struct ws_turn_ops *ops, void *owner);
void ws_turn_free(struct ws_turn *t);
bool ws_turn_is_over(const struct ws_turn *t);
/* The socket drains, or is gone: on_over follows. */
void ws_turn_drained(struct ws_turn *t);
void ws_turn_gone(struct ws_turn *t);
/*
 * Over: the id of a complete answer and the items that lead to it, moved out; false: nothing may
 * go on from this turn.
 */
bool ws_turn_result(struct ws_turn *t, char *id, size_t id_size, struct buf *items);

/* An error frame for what is no turn. native: for a Codex client. */
void ws_send_error(struct ws_conn *conn, bool native, const struct api_err *err);

#endif
