/*
 * A turn as it comes over a WebSocket (PROTOCOL 7), turned into the HTTP request that says the
 * same: one frame {"type":"response.create", …body…}, whose `input` may bring only what is new
 * since previous_response_id, and whose client_metadata stands for headers. Pure.
 */
#ifndef RELAY_WS_MESSAGE_H
#define RELAY_WS_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/jv.h"
#include "dialect/api_err.h"
#include "proto/http1.h"

/* Views of the frame's text. */
struct ws_message {
	struct jv json;
	struct jv input;       /* JV_NONE: none */
	struct jv metadata;    /* client_metadata */
	struct jv previous;    /* the member as it stands, JV_NONE: none */
	struct sv previous_id; /* decoded, in the arena */
	struct jv lane;	       /* stream_id, JV_NONE: none; each event of the answer has it too */
	bool warm_up;	       /* generate:false */
};

/* -EINVAL with *err: no JSON, no response.create, or a previous_response_id that is no string. */
int ws_message_read(struct sv text, struct arena *arena, struct ws_message *ret,
	struct api_err *err) MUST_CHECK;

/*
 * Appends the items of the turn to those that items holds already (comma-separated). A string is
 * the message that it is short for.
 */
void ws_message_add_input(const struct ws_message *m, struct buf *items);
/*
 * The body: every member keeps its bytes, but `input` is all items, `stream` true, and the
 * socket's own members are left out. items NULL: `input` as it came, and previous_response_id
 * stays, for who knows the answers of other connections.
 */
void ws_message_write_body(const struct ws_message *m, const struct buf *items, struct buf *out);

/*
 * The headers of the handshake that a turn is to be sent with, copied into one block; free() it.
 * At most LIMIT_HEADERS_COUNT. wipe with ws_head_free(): the client's token is among them.
 */
struct ws_head {
	struct http_header *headers;
	size_t count;
	size_t bytes; /* of the block */
	struct sv path, query;
};
void ws_head_copy(const struct http_request *handshake, struct ws_head *ret);
void ws_head_free(struct ws_head *head);
/*
 * The request of a turn: POST with the handshake's headers, those that client_metadata knows better
 * replaced; views of head and the arena. Values that cannot stand in a header are left out.
 * -ENOMEM: the arena is full.
 */
int ws_message_request(const struct ws_message *m, const struct ws_head *head, struct arena *arena,
	struct http_request *ret) MUST_CHECK;

#endif
