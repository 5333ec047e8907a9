/*
 * The WebSocket decoder on the same stream cut in different ways: it must say the same each time.
 * What it read is written again and read by the other role. The first byte chooses role and cuts.
 */
#include "proto/ws.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { CAP = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_frame(struct buf *out, const struct ws_frame *f)
{
	buf_addf(out, "<%d %d %zu:", (int)f->kind, f->code, f->payload.n);
	buf_add_sv(out, f->payload);
	buf_add_char(out, '>');
}

static void write_again(struct ws *writer, const struct ws_frame *f, struct buf *out)
{
	switch (f->kind) {
	case WS_TEXT:
		ws_write_text(writer, f->payload, out);
		break;
	case WS_PING:
		ws_write_ping(writer, f->payload, out);
		break;
	case WS_PONG:
		ws_write_pong(writer, f->payload, out);
		break;
	case WS_CLOSED:
		ws_write_close(writer, f->code, f->payload, out);
		break;
	}
}

/* again, if not NULL: the frames as the same role would write them. */
static void decode(
	enum ws_role role, struct sv stream, size_t step, struct buf *out, struct buf *again)
{
	struct ws *w = ws_new(role, CAP);
	struct ws *writer = ws_new(role == WS_SERVER ? WS_CLIENT : WS_SERVER, CAP);
	int rc = 0;

	while (stream.n && rc == 0) {
		size_t n = step && step < stream.n ? step : stream.n;
		char *copy = malloc(n);
		struct ws_frame f;

		assert(copy);
		memcpy(copy, stream.p, n);
		ws_feed(w, sv_make(copy, n));
		while ((rc = ws_next(w, &f)) == 1) {
			put_frame(out, &f);
			if (again)
				write_again(writer, &f, again);
		}
		if (rc < 0) {
			assert(rc == -EPROTO && ws_close_code_is_valid(f.code));
			put_frame(out, &f);
		}
		free(copy);
		stream = sv_from(stream, n);
	}
	ws_free(w);
	ws_free(writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, cut, again;
	enum ws_role role;
	struct sv stream;

	if (size < 1)
		return 0;
	role = data[0] & 1 ? WS_SERVER : WS_CLIENT;
	stream = sv_make((const char *)data + 1, size - 1);
	buf_init(&whole, MIB(64));
	buf_init(&cut, MIB(64));
	buf_init(&again, MIB(64));
	decode(role, stream, 0, &whole, &again);
	decode(role, stream, 1, &cut, NULL);
	assert(sv_eq(buf_sv(&whole), buf_sv(&cut)));
	buf_reset(&cut, SIZE_MAX);
	decode(role, stream, (data[0] >> 1) + 2, &cut, NULL);
	assert(sv_eq(buf_sv(&whole), buf_sv(&cut)));
	buf_reset(&cut, SIZE_MAX);
	decode(role, buf_sv(&again), 0, &cut, NULL);
	assert(sv_starts(buf_sv(&whole), buf_sv(&cut)));
	buf_fini(&whole);
	buf_fini(&cut);
	buf_fini(&again);
	return 0;
}
