/*
 * WebSocket frames (RFC 6455), read and written with wslay. Pure: bytes in, messages and control
 * frames out, no I/O; both roles. Messages are text: a binary frame is refused, and no extension is
 * ever agreed on, so that reserved bits are refused too. Fragments are joined, control frames
 * between them come out in their place. An idle decoder holds no message storage.
 *
 * The codec answers nothing by itself: who has it sends pongs and the closing handshake.
 */
#ifndef PROTO_WS_H
#define PROTO_WS_H

#include "base/buf.h"

enum ws_role { WS_SERVER, WS_CLIENT };

/* Close codes of RFC 6455, 7.4. */
enum ws_close {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL = 1002,
	WS_CLOSE_UNSUPPORTED = 1003,
	WS_CLOSE_NO_CODE = 1005, /* never on the wire: a close frame without a code */
	WS_CLOSE_BAD_TEXT = 1007,
	WS_CLOSE_POLICY = 1008,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_INTERNAL = 1011,
};

enum { WS_CONTROL_BYTES = 125 };

enum ws_kind { WS_TEXT, WS_PING, WS_PONG, WS_CLOSED };

struct ws_frame {
	enum ws_kind kind;
	struct sv payload; /* text, application data, or the reason of a close */
	int code;	   /* WS_CLOSED: what the peer said, or WS_CLOSE_NO_CODE */
};

struct ws;

/* max_message_bytes bounds one message with all its fragments. */
struct ws *ws_new(enum ws_role role, size_t max_message_bytes);
void ws_free(struct ws *w);

/* Hands in a chunk, borrowed until ws_next() has returned 0 or failed. */
void ws_feed(struct ws *w, struct sv chunk);
/* Ends the loan early: copies what is not read of the chunk; ws_next() goes on with that. */
void ws_keep_chunk(struct ws *w);
/*
 * 1 and *ret (views valid until the next call), 0 when the chunk is used up, -EPROTO when the peer
 * broke the rules or a limit: *ret then has the close code and the reason to tell it, and so has
 * every later call. Nothing comes behind a WS_CLOSED.
 */
int ws_next(struct ws *w, struct ws_frame *ret) MUST_CHECK;
/* Directly after a WS_TEXT: takes its storage, so that the text lives on without a copy. */
void ws_take_text(struct ws *w, struct buf *ret);

/* Is no frame or message half read? */
bool ws_is_between_messages(const struct ws *w);

/* Appends one whole frame; clients mask it. Control payloads are at most WS_CONTROL_BYTES. */
void ws_write_text(struct ws *w, struct sv text, struct buf *out);
void ws_write_ping(struct ws *w, struct sv payload, struct buf *out);
void ws_write_pong(struct ws *w, struct sv payload, struct buf *out);
/* code WS_CLOSE_NO_CODE: an empty frame. The reason is cut at a character border to fit. */
void ws_write_close(struct ws *w, int code, struct sv reason, struct buf *out);

/* May this code stand in a close frame? */
bool ws_close_code_is_valid(int code);

#endif
