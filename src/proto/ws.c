#include "proto/ws.h"

#include "base/ident.h"
#include "base/jscan.h"
#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <wslay/wslay.h>

enum { REASON_BYTES = WS_CONTROL_BYTES - 2 };

struct ws {
	wslay_frame_context_ptr frames;
	enum ws_role role;
	struct sv chunk; /* borrowed, or in kept: what wslay has not taken yet */
	struct buf kept; /* all zero unless the chunk was kept */
	struct buf *out; /* of the frame that is being written */

	/* The frame that is being read. */
	bool in_frame;
	bool fin;
	uint8_t opcode;
	uint64_t left;
	uint8_t control[WS_CONTROL_BYTES];
	size_t control_bytes;

	/* The message that is being read: all its fragments so far. */
	bool in_message;
	unsigned fragments;
	struct buf message;
	bool delivered; /* the message was handed out and is to be forgotten */

	bool closed; /* a close frame came */
	int failure; /* close code, 0: none */
	const char *why;
};

/* --- wslay's side --- */

static ssize_t on_recv(uint8_t *into, size_t n, int flags, void *arg)
{
	struct ws *w = arg;

	(void)flags;
	if (n > w->chunk.n)
		n = w->chunk.n;
	if (n == 0)
		return -1; /* WANT_READ */
	memcpy(into, w->chunk.p, n);
	w->chunk = sv_from(w->chunk, n);
	return (ssize_t)n;
}

static ssize_t on_send(const uint8_t *bytes, size_t n, int flags, void *arg)
{
	struct ws *w = arg;

	(void)flags;
	buf_add(w->out, bytes, n);
	return (ssize_t)n;
}

static int on_mask(uint8_t *into, size_t n, void *arg)
{
	(void)arg;
	ident_random(into, n);
	return 0;
}

struct ws *ws_new(enum ws_role role, size_t max_message_bytes)
{
	static const struct wslay_frame_callbacks callbacks = {on_send, on_recv, on_mask};
	struct ws *w = mem_zalloc(sizeof(*w));

	w->role = role;
	buf_init(&w->message, max_message_bytes);
	if (wslay_frame_context_init(&w->frames, &callbacks, w))
		abort(); /* out of memory, as mem.h */
	return w;
}

void ws_free(struct ws *w)
{
	if (!w)
		return;
	wslay_frame_context_free(w->frames);
	buf_fini(&w->message);
	buf_fini(&w->kept);
	free(w);
}

/* --- reading --- */

static int fail(struct ws *w, int code, const char *why)
{
	w->failure = code;
	w->why = why;
	return -EPROTO;
}

static bool is_utf8(struct sv text)
{
	size_t at = 0;

	while (at < text.n) {
		const char *p = text.p + at;
		size_t n = (unsigned char)*p < 0x80 ? 1 : jscan_utf8(p, text.p + text.n);

		if (n == 0)
			return false;
		at += n;
	}
	return true;
}

bool ws_close_code_is_valid(int code)
{
	if (code >= 3000 && code <= 4999)
		return true;
	return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

static int begin_data(struct ws *w, const struct wslay_frame_iocb *f)
{
	if (f->opcode == WSLAY_BINARY_FRAME)
		return fail(w, WS_CLOSE_UNSUPPORTED, "binary messages are not supported");
	if (f->opcode == WSLAY_CONTINUATION_FRAME && !w->in_message)
		return fail(w, WS_CLOSE_PROTOCOL, "a continuation of nothing");
	if (f->opcode == WSLAY_TEXT_FRAME && w->in_message)
		return fail(w, WS_CLOSE_PROTOCOL, "a message inside a message");
	if (f->payload_length > w->message.cap - w->message.len)
		return fail(w, WS_CLOSE_TOO_BIG, "the message is too large");
	w->in_message = true;
	if (++w->fragments > LIMIT_WS_FRAGMENTS_COUNT)
		return fail(w, WS_CLOSE_POLICY, "too many fragments");
	return 0;
}

/* A frame's head was read; wslay has refused control frames that are long or fragmented. */
static int begin_frame(struct ws *w, const struct wslay_frame_iocb *f)
{
	if ((w->role == WS_SERVER) != (f->mask != 0))
		return fail(w, WS_CLOSE_PROTOCOL,
			w->role == WS_SERVER ? "frames must be masked"
					     : "frames must not be masked");
	if (f->rsv)
		return fail(w, WS_CLOSE_PROTOCOL, "no extension was agreed on");
	w->in_frame = true;
	w->fin = f->fin;
	w->opcode = f->opcode;
	w->left = f->payload_length;
	w->control_bytes = 0;
	switch (f->opcode) {
	case WSLAY_CONTINUATION_FRAME:
	case WSLAY_TEXT_FRAME:
	case WSLAY_BINARY_FRAME:
		return begin_data(w, f);
	case WSLAY_CONNECTION_CLOSE:
	case WSLAY_PING:
	case WSLAY_PONG:
		return 0;
	default:
		return fail(w, WS_CLOSE_PROTOCOL, "unknown opcode");
	}
}

static int add_payload(struct ws *w, const uint8_t *bytes, size_t n)
{
	assert(n <= w->left);
	w->left -= n;
	if (wslay_is_ctrl_frame(w->opcode)) {
		assert(w->control_bytes + n <= sizeof(w->control));
		if (n)
			memcpy(w->control + w->control_bytes, bytes, n);
		w->control_bytes += n;
		return 0;
	}
	buf_add(&w->message, bytes, n);
	return buf_error(&w->message) ? fail(w, WS_CLOSE_INTERNAL, "out of memory") : 0;
}

static int end_close(struct ws *w, struct ws_frame *ret)
{
	struct sv payload = sv_make((const char *)w->control, w->control_bytes);

	*ret = (struct ws_frame){.kind = WS_CLOSED, .code = WS_CLOSE_NO_CODE};
	if (payload.n == 1)
		return fail(w, WS_CLOSE_PROTOCOL, "half a close code");
	if (payload.n) {
		ret->code = w->control[0] << 8 | w->control[1];
		ret->payload = sv_from(payload, 2);
		if (!ws_close_code_is_valid(ret->code))
			return fail(w, WS_CLOSE_PROTOCOL, "not a close code");
		if (!is_utf8(ret->payload))
			return fail(w, WS_CLOSE_BAD_TEXT, "the reason is not UTF-8");
	}
	w->closed = true;
	return 1;
}

/* 1: *ret; 0: read on. */
static int end_frame(struct ws *w, struct ws_frame *ret)
{
	struct sv control = sv_make((const char *)w->control, w->control_bytes);

	w->in_frame = false;
	switch (w->opcode) {
	case WSLAY_CONNECTION_CLOSE:
		return end_close(w, ret);
	case WSLAY_PING:
		*ret = (struct ws_frame){.kind = WS_PING, .payload = control};
		return 1;
	case WSLAY_PONG:
		*ret = (struct ws_frame){.kind = WS_PONG, .payload = control};
		return 1;
	default:
		break;
	}
	if (!w->fin)
		return 0;
	w->in_message = false;
	w->fragments = 0;
	if (!is_utf8(buf_sv(&w->message)))
		return fail(w, WS_CLOSE_BAD_TEXT, "the message is not UTF-8");
	w->delivered = true;
	*ret = (struct ws_frame){.kind = WS_TEXT, .payload = buf_sv(&w->message)};
	return 1;
}

static int read_on(struct ws *w, struct ws_frame *ret)
{
	struct wslay_frame_iocb f;
	int rc = 0;

	for (;;) {
		ssize_t n = wslay_frame_recv(w->frames, &f);

		if (n == WSLAY_ERR_WANT_READ)
			return 0;
		if (n < 0)
			return fail(w, WS_CLOSE_PROTOCOL, "not a WebSocket frame");
		if (!w->in_frame)
			rc = begin_frame(w, &f);
		if (!rc)
			rc = add_payload(w, f.data, f.data_length);
		if (!rc && w->left == 0)
			rc = end_frame(w, ret);
		if (rc)
			return rc;
	}
}

void ws_feed(struct ws *w, struct sv chunk)
{
	w->chunk = chunk;
	buf_fini(&w->kept);
}

void ws_keep_chunk(struct ws *w)
{
	if (!w->chunk.n || w->kept.data)
		return;
	buf_init(&w->kept, w->chunk.n);
	buf_add_sv(&w->kept, w->chunk);
	w->chunk = buf_sv(&w->kept);
	if (buf_error(&w->kept))
		(void)fail(w, WS_CLOSE_INTERNAL, "out of memory");
}

int ws_next(struct ws *w, struct ws_frame *ret)
{
	int rc = w->failure ? -EPROTO : 0;

	if (w->delivered)
		buf_reset(&w->message, 0);
	w->delivered = false;
	if (w->closed)
		return 0;
	if (!rc)
		rc = read_on(w, ret);
	if (rc <= 0) {
		buf_fini(&w->kept);
		w->chunk = SV_NONE;
	}
	if (rc == -EPROTO) {
		*ret = (struct ws_frame){.code = w->failure, .payload = sv_cstr(w->why)};
		buf_reset(&w->message, 0);
	}
	return rc;
}

void ws_take_text(struct ws *w, struct buf *ret)
{
	size_t cap = w->message.cap;

	assert(w->delivered);
	buf_move(&w->message, ret);
	buf_init(&w->message, cap);
	w->delivered = false;
}

bool ws_is_between_messages(const struct ws *w)
{
	return !w->in_frame && !w->in_message;
}

/* --- writing --- */

static void write_frame(struct ws *w, uint8_t opcode, struct sv payload, struct buf *out)
{
	struct wslay_frame_iocb f = {
		.fin = 1,
		.opcode = opcode,
		.payload_length = payload.n,
		.mask = w->role == WS_CLIENT,
		.data = (const uint8_t *)payload.p,
		.data_length = payload.n,
	};
	ssize_t n;

	w->out = out;
	n = wslay_frame_send(w->frames, &f);
	/* on_send() takes everything, so that a frame never stays half written. */
	assert(n == (ssize_t)payload.n);
	w->out = NULL;
}

void ws_write_text(struct ws *w, struct sv text, struct buf *out)
{
	write_frame(w, WSLAY_TEXT_FRAME, text, out);
}

void ws_write_ping(struct ws *w, struct sv payload, struct buf *out)
{
	assert(payload.n <= WS_CONTROL_BYTES);
	write_frame(w, WSLAY_PING, payload, out);
}

void ws_write_pong(struct ws *w, struct sv payload, struct buf *out)
{
	assert(payload.n <= WS_CONTROL_BYTES);
	write_frame(w, WSLAY_PONG, payload, out);
}

void ws_write_close(struct ws *w, int code, struct sv reason, struct buf *out)
{
	char payload[WS_CONTROL_BYTES] = {(char)(code >> 8), (char)(code & 255)};

	if (code == WS_CLOSE_NO_CODE) {
		write_frame(w, WSLAY_CONNECTION_CLOSE, SV_NONE, out);
		return;
	}
	if (reason.n > REASON_BYTES)
		reason.n = REASON_BYTES;
	while (reason.n && !is_utf8(reason))
		reason.n--;
	if (reason.n)
		memcpy(payload + 2, reason.p, reason.n);
	write_frame(w, WSLAY_CONNECTION_CLOSE, sv_make(payload, reason.n + 2), out);
}
