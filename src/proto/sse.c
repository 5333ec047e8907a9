#include "proto/sse.h"

#include <assert.h>
#include <errno.h>

enum { KEEP_BYTES = 16 * 1024 /* storage kept from one event to the next */ };

static const struct sv bom = {"\xef\xbb\xbf", 3};

/* The next event starts at the rest of the chunk. */
static void start_event(struct sse_decoder *d)
{
	if (d->pending.len)
		buf_reset(&d->pending, KEEP_BYTES);
	if (d->joined.len)
		buf_reset(&d->joined, KEEP_BYTES);
	d->begin = d->chunk.p;
	d->name = (struct sse_span){0, 0};
	d->line_at = 0;
	d->bytes = 0;
	d->data_lines = 0;
	d->plain = true;
	d->delivered = false;
}

void sse_decoder_init(struct sse_decoder *d, size_t max_event_bytes)
{
	*d = (struct sse_decoder){.max_bytes = max_event_bytes};
	/* Neither can need more than the lines that max_bytes is checked against, so that these
	 * caps are never the reason why an event is refused. */
	buf_init(&d->pending, max_event_bytes < bom.n ? bom.n : max_event_bytes);
	buf_init(&d->joined, max_event_bytes);
	start_event(d);
}

void sse_decoder_fini(struct sse_decoder *d)
{
	if (!d)
		return;
	buf_fini(&d->pending);
	buf_fini(&d->joined);
}

void sse_decoder_reset(struct sse_decoder *d)
{
	d->chunk = SV_NONE;
	d->started = false;
	d->after_cr = false;
	d->error = 0;
	buf_reset(&d->pending, KEEP_BYTES);
	buf_reset(&d->joined, KEEP_BYTES);
	start_event(d);
}

/* First c at or behind from in the chunk, or the chunk's end. */
static const char *find_in_chunk(const struct sse_decoder *d, const char *from, char c)
{
	const char *end = d->chunk.p + d->chunk.n;
	const char *hit = memchr(from, c, (size_t)(end - from));

	return hit ? hit : end;
}

void sse_feed(struct sse_decoder *d, struct sv chunk)
{
	assert(d->chunk.n == 0);
	if (chunk.n == 0 || d->error)
		return;
	d->chunk = chunk;
	if (d->after_cr && chunk.p[0] == '\n') {
		/* The end of the line before; counted as in a CRLF that is not cut. */
		d->chunk = sv_from(chunk, 1);
		d->bytes += d->bytes ? 1 : 0;
	}
	d->after_cr = false;
	d->begin = d->chunk.p;
	d->next_lf = find_in_chunk(d, d->begin, '\n');
	d->next_cr = find_in_chunk(d, d->begin, '\r');
}

/* Skips a BOM at the very start; false while it is not known whether there is one. */
static bool skip_bom(struct sse_decoder *d)
{
	size_t had = d->pending.len;
	size_t n = d->chunk.n < bom.n - had ? d->chunk.n : bom.n - had;

	if (n == 0)
		return false;
	if (memcmp(d->chunk.p, bom.p + had, n) != 0) {
		d->started = true;
		return true;
	}
	if (had + n < bom.n) {
		buf_add(&d->pending, d->chunk.p, n);
		d->chunk = SV_NONE;
		return false;
	}
	d->started = true;
	d->chunk = sv_from(d->chunk, n);
	start_event(d);
	return true;
}

/* The bytes that the event's spans are relative to. */
static const char *event_text(const struct sse_decoder *d)
{
	return d->pending.len ? d->pending.data : d->begin;
}

static struct sv span_sv(const struct sse_decoder *d, struct sse_span span)
{
	return sv_make(event_text(d) + span.at, span.n);
}

static int fail(struct sse_decoder *d, int err)
{
	d->error = err;
	d->chunk = SV_NONE;
	return err;
}

/* Bytes of the line that is being read that came in chunks before. */
static size_t carried_bytes(const struct sse_decoder *d)
{
	return d->pending.len ? d->pending.len - d->line_at : 0;
}

/* Moves the chunk's rest behind a line end; returns the length of that line end. */
static size_t skip_line_end(struct sse_decoder *d, const char *end)
{
	const char *chunk_end = d->chunk.p + d->chunk.n;
	const char *next = end + 1;

	if (*end == '\r') {
		d->plain = false;
		d->after_cr = next == chunk_end;
		if (next != chunk_end && *next == '\n')
			next++;
		d->next_cr = find_in_chunk(d, next, '\r');
	}
	if (d->next_lf < next)
		d->next_lf = find_in_chunk(d, next, '\n');
	d->chunk = sv_make(next, (size_t)(chunk_end - next));
	return (size_t)(next - end);
}

/* Is this a line of the field, and if so, which part of it is the value? */
static bool is_field(const char *text, struct sse_span line, struct sv field, struct sse_span *ret)
{
	const char *p = text + line.at;
	size_t skip = field.n;

	if (line.n < field.n || memcmp(p, field.p, field.n) != 0)
		return false;
	if (line.n > skip) {
		if (p[skip++] != ':')
			return false;
		if (line.n > skip && p[skip] == ' ')
			skip++;
	}
	*ret = (struct sse_span){line.at + skip, line.n - skip};
	return true;
}

static void add_data(struct sse_decoder *d, struct sse_span value)
{
	if (d->data_lines++ == 0) {
		d->data = value;
		return;
	}
	d->plain = false;
	if (d->data_lines == 2)
		buf_add_sv(&d->joined, span_sv(d, d->data));
	buf_add_char(&d->joined, '\n');
	buf_add_sv(&d->joined, span_sv(d, value));
}

/* False when the line says nothing to this decoder. */
static bool use_line(struct sse_decoder *d, struct sse_span line)
{
	const char *text = event_text(d);
	struct sse_span value;

	if (is_field(text, line, SV("data"), &value)) {
		add_data(d, value);
		return true;
	}
	if (is_field(text, line, SV("event"), &value)) {
		d->plain = d->plain && d->bytes == 0;
		d->name = value;
		return true;
	}
	d->plain = false;
	return false;
}

/* Reads a line up to its end in the chunk: 1 when it is the blank one, 0 or negative errno. */
static int read_line(struct sse_decoder *d, const char *end)
{
	size_t in_chunk = (size_t)(end - d->chunk.p);
	struct sse_span line = {d->line_at, carried_bytes(d) + in_chunk};
	size_t end_bytes;

	/* Without the LF of a CRLF: whether it is in this chunk must make no difference. */
	if (d->bytes + line.n + 1 > d->max_bytes)
		return -EMSGSIZE;
	if (d->pending.len)
		buf_add(&d->pending, d->chunk.p, in_chunk + 1);
	end_bytes = skip_line_end(d, end);
	if (line.n == 0)
		return 1;
	if (!buf_error(&d->pending) && !use_line(d, line) && d->bytes == 0) {
		/* Comments before an event are no part of it: any number may come. */
		buf_truncate(&d->pending, 0);
		d->begin = d->chunk.p;
		d->line_at = 0;
		return 0;
	}
	d->bytes += line.n + end_bytes;
	d->line_at = d->pending.len ? d->pending.len : (size_t)(d->chunk.p - d->begin);
	return buf_error(&d->pending) ? buf_error(&d->pending) : buf_error(&d->joined);
}

/* The chunk ends within an event: its bytes are kept. */
static int keep_rest(struct sse_decoder *d)
{
	const char *from = d->pending.len ? d->chunk.p : d->begin;

	if (!from)
		return 0; /* kept already */
	if (d->bytes + carried_bytes(d) + d->chunk.n > d->max_bytes)
		return -EMSGSIZE;
	buf_add(&d->pending, from, (size_t)(d->chunk.p + d->chunk.n - from));
	d->chunk = SV_NONE;
	d->begin = NULL;
	return buf_error(&d->pending);
}

static void hand_out(struct sse_decoder *d, struct sse_event *ret)
{
	size_t n = d->pending.len ? d->pending.len : (size_t)(d->chunk.p - d->begin);

	ret->name = span_sv(d, d->name);
	ret->data = d->data_lines == 1 ? span_sv(d, d->data) : buf_sv(&d->joined);
	ret->raw = d->plain ? sv_make(event_text(d), n) : SV_NONE;
	d->delivered = true;
}

int sse_next(struct sse_decoder *d, struct sse_event *ret)
{
	int err = 0;

	if (d->error)
		return d->error;
	if (d->delivered)
		start_event(d);
	if (!d->started && !skip_bom(d))
		return 0;
	while (d->chunk.n) {
		const char *end = d->next_lf < d->next_cr ? d->next_lf : d->next_cr;

		if (end == d->chunk.p + d->chunk.n)
			break;
		err = read_line(d, end);
		if (err < 0)
			return fail(d, err);
		if (err == 0)
			continue;
		if (d->data_lines) {
			hand_out(d, ret);
			return 1;
		}
		start_event(d);
	}
	err = keep_rest(d);
	return err ? fail(d, err) : 0;
}

struct sv sse_take_rest(struct sse_decoder *d)
{
	struct sv rest = d->chunk;

	d->chunk = SV_NONE;
	return rest;
}

/* Length of the text's first line; all of it when it has no line end. */
static size_t line_length(struct sv text)
{
	size_t n = 0;

	while (n < text.n && text.p[n] != '\n' && text.p[n] != '\r')
		n++;
	return n;
}

static bool has(struct sv text, char c)
{
	return text.n && memchr(text.p, c, text.n);
}

/* One prefixed line for every line of text; an empty text is one empty line. */
static void encode_lines(struct buf *out, struct sv prefix, struct sv text)
{
	bool one_line = !has(text, '\n') && !has(text, '\r');

	for (;;) {
		size_t n = one_line ? text.n : line_length(text);

		buf_add_sv(out, prefix);
		buf_add(out, text.p, n);
		buf_add_char(out, '\n');
		if (n == text.n)
			return;
		n += text.p[n] == '\r' && n + 1 < text.n && text.p[n + 1] == '\n' ? 2 : 1;
		text = sv_from(text, n);
	}
}

void sse_encode(struct buf *out, struct sv name, struct sv data)
{
	if (name.n) {
		buf_add_lit(out, "event: ");
		buf_add(out, name.p, line_length(name));
		buf_add_char(out, '\n');
	}
	encode_lines(out, SV("data: "), data);
	buf_add_char(out, '\n');
}

void sse_encode_comment(struct buf *out, struct sv text)
{
	encode_lines(out, SV(": "), text);
	buf_add_char(out, '\n');
}
