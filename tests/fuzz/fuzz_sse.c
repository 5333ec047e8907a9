/*
 * The SSE decoder against a simple one that reads byte by byte as the standard says, on the same
 * stream cut in different ways. The first byte chooses the cuts, the second the limit of an event.
 */
#include "proto/sse.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_sv(struct buf *out, struct sv s)
{
	buf_add_u64(out, s.n);
	buf_add_char(out, ':');
	buf_add_sv(out, s);
}

static void put_event(struct buf *out, struct sv name, struct sv data, struct sv raw)
{
	buf_add_char(out, '<');
	put_sv(out, name);
	put_sv(out, data);
	put_sv(out, raw);
	buf_add_char(out, '>');
}

/* State of the simple decoder. */
struct simple {
	struct buf line;
	struct buf name;
	struct buf data;
	struct buf raw;
	struct buf *out;
	unsigned data_lines;
	bool plain;
	bool any; /* a line that was not blank was seen in this event */
};

static void simple_line(struct simple *s, bool cr)
{
	struct sv value = buf_sv(&s->line);
	struct sv field = sv_split(&value, ':');

	s->plain = s->plain && !cr;
	buf_add_sv(&s->raw, buf_sv(&s->line));
	buf_add_char(&s->raw, '\n');
	if (s->line.len == 0) {
		if (s->data_lines)
			put_event(s->out, buf_sv(&s->name), buf_sv(&s->data),
				s->plain ? buf_sv(&s->raw) : SV_NONE);
		buf_reset(&s->name, SIZE_MAX);
		buf_reset(&s->data, SIZE_MAX);
		buf_reset(&s->raw, SIZE_MAX);
		s->data_lines = 0;
		s->plain = true;
		s->any = false;
		return;
	}
	if (value.n && value.p[0] == ' ')
		value = sv_from(value, 1);
	if (sv_eq(field, SV("data"))) {
		if (s->data_lines++)
			buf_add_char(&s->data, '\n');
		buf_add_sv(&s->data, value);
		s->plain = s->plain && s->data_lines == 1;
	} else if (sv_eq(field, SV("event"))) {
		s->plain = s->plain && !s->any;
		buf_reset(&s->name, SIZE_MAX);
		buf_add_sv(&s->name, value);
	} else {
		s->plain = false;
	}
	s->any = true;
	buf_reset(&s->line, SIZE_MAX);
}

static void simple_decode(struct sv stream, struct buf *out)
{
	struct simple s = {.out = out, .plain = true};
	bool after_cr = false;

	buf_init(&s.line, MIB(8));
	buf_init(&s.name, MIB(8));
	buf_init(&s.data, MIB(8));
	buf_init(&s.raw, MIB(8));
	if (sv_starts(stream, SV("\xef\xbb\xbf")))
		stream = sv_from(stream, 3);
	for (size_t i = 0; i < stream.n; i++) {
		char c = stream.p[i];

		if (c == '\r' || (c == '\n' && !after_cr))
			simple_line(&s, c == '\r');
		else if (c != '\n')
			buf_add_char(&s.line, c);
		after_cr = c == '\r';
	}
	buf_fini(&s.line);
	buf_fini(&s.name);
	buf_fini(&s.data);
	buf_fini(&s.raw);
}

/* What may be forwarded as it is, and what the encoder makes, say the same to another decoder. */
static void check_again(struct sv stream, const struct sse_event *e)
{
	struct sse_decoder d;
	struct sse_event again;

	sse_decoder_init(&d, MIB(8));
	sse_feed(&d, stream);
	assert(sse_next(&d, &again) == 1);
	assert(sv_eq(again.name, e->name) && sv_eq(again.data, e->data));
	assert(sse_next(&d, &again) == 0);
	sse_decoder_fini(&d);
}

static void check_event(const struct sse_event *e)
{
	struct buf encoded;

	if (e->raw.p)
		check_again(e->raw, e);
	buf_init(&encoded, MIB(16));
	sse_encode(&encoded, e->name, e->data);
	assert(buf_error(&encoded) == 0);
	check_again(buf_sv(&encoded), e);
	buf_fini(&encoded);
}

/* Length of the next piece: all, one byte, or anything up to 16. */
static size_t piece_length(unsigned *random, size_t left)
{
	size_t n;

	if (*random == 0)
		return left;
	if (*random == 1)
		return 1;
	*random = *random * 1103515245 + 12345;
	n = *random >> 16 & 15;
	return n < left ? n : left;
}

static int decode(struct sv stream, size_t max, unsigned random, struct buf *out)
{
	struct sse_decoder d;
	int n = 0;

	sse_decoder_init(&d, max);
	while (stream.n && n == 0) {
		size_t length = piece_length(&random, stream.n);
		char *copy = malloc(length ? length : 1);
		struct sse_event e;

		assert(copy);
		memcpy(copy, stream.p, length);
		sse_feed(&d, sv_make(copy, length));
		while ((n = sse_next(&d, &e)) == 1) {
			put_event(out, e.name, e.data, e.raw);
			check_event(&e);
		}
		free(copy);
		stream = sv_from(stream, length);
	}
	assert(n == 0 || n == -EMSGSIZE);
	sse_decoder_fini(&d);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv stream;
	struct buf simple;
	struct buf whole;
	size_t max;
	int err;

	if (size < 2)
		return 0;
	stream = sv_make((const char *)data + 2, size - 2);
	max = data[1] < 128 ? (size_t)data[1] + 1 : MIB(4);
	buf_init(&simple, MIB(64));
	buf_init(&whole, MIB(64));
	simple_decode(stream, &simple);
	err = decode(stream, max, 0, &whole);
	assert(sv_starts(buf_sv(&simple), buf_sv(&whole)));
	assert(err || whole.len == simple.len);
	for (unsigned random = 1; random < 4; random++) {
		struct buf pieces;

		buf_init(&pieces, MIB(64));
		assert(decode(stream, max, random == 1 ? 1 : random + data[0], &pieces) == err);
		assert(sv_eq(buf_sv(&pieces), buf_sv(&whole)));
		buf_fini(&pieces);
	}
	buf_fini(&simple);
	buf_fini(&whole);
	return 0;
}
