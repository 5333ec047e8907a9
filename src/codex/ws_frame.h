/*
 * The text frame that asks for a turn on a WebSocket (PROTOCOL 7): the members of the HTTP body,
 * spliced, with `type`, and with what a socket cannot tell by headers in `client_metadata`. When
 * the conversation goes on from the answer that the same socket gave last, byte for byte, only its
 * new items are sent. Pure.
 */
#ifndef CODEX_WS_FRAME_H
#define CODEX_WS_FRAME_H

#include "base/ident.h"
#include "base/jv.h"
#include "proto/http1.h"

enum { WS_FRAME_ID_BYTES = 128 };

/* A conversation up to some item, as a chain of hashes: its items are not kept. */
struct ws_frame_chain {
	unsigned char hash[IDENT_SHA256_BYTES];
	size_t count;
};

/* What a turn said, and then what a socket remembers of it. Zeroed: nothing. */
struct ws_frame_memory {
	char id[WS_FRAME_ID_BYTES]; /* of the completed response; "": nothing to go on from */
	struct ws_frame_chain items;
	struct ws_frame_chain others; /* all members that are not of the input or of one turn */
};

struct ws_frame_options {
	const struct http_header *headers; /* those that the HTTP request would have */
	size_t header_count;
	const struct ws_frame_memory *before; /* NULL: everything is sent */
};

/*
 * body: a Responses body, valid JSON. Errors are out's. *ret is what this turn says, its id empty;
 * *ret_incremental: whether it goes on from before.
 */
void ws_frame_build(struct jv body, const struct ws_frame_options *options, struct buf *out,
	struct ws_frame_memory *ret, bool *ret_incremental);
/* An item of the answer: the bytes as they came. */
void ws_frame_add_item(struct ws_frame_memory *m, struct jv item);

/* Does this header of a request tell of one turn, so that client_metadata carries it? */
bool ws_frame_is_of_turn(struct sv name);

#endif
