/*
 * Server-sent events: decoder and encoder. Pure: bytes in, events out, no I/O.
 * The decoder takes chunks cut anywhere; lines end in LF, CRLF or CR, also across chunks; U+2028 is
 * data; a leading BOM is skipped; an event cut by the end of the stream is never delivered (WHATWG
 * HTML, "server-sent events"). An event that lies inside one chunk is delivered as views of that
 * chunk, without a copy.
 */
#ifndef PROTO_SSE_H
#define PROTO_SSE_H

#include "base/buf.h"

struct sse_event {
	struct sv name; /* "event:" field, empty if none */
	struct sv data; /* "data:" lines joined with LF */
	/*
	 * The bytes as they came, blank line included, when they can be forwarded as they are: LF
	 * line ends, optional event line first, exactly one data line, no comment or other field
	 * inside. Otherwise SV_NONE, and a forwarder encodes anew.
	 */
	struct sv raw;
};

/* A piece of the event that is being read, relative to its first byte. */
struct sse_span {
	size_t at;
	size_t n;
};

/* All private. An event that began in a former chunk is in pending as a whole, from its start. */
struct sse_decoder {
	struct buf pending;
	struct buf joined;   /* data of an event with several data lines */
	struct sv chunk;     /* borrowed: what was not read yet of the chunk */
	const char *begin;   /* in the chunk: start of the event, while pending is empty */
	const char *next_lf; /* in the chunk; its end when there is none */
	const char *next_cr;
	struct sse_span name;
	struct sse_span data; /* of the first data line */
	size_t line_at;	      /* start of the line that is being read, relative to the event's */
	size_t bytes;	      /* size of the event's whole lines */
	size_t data_lines;
	size_t max_bytes;
	bool plain;	/* the lines so far may be forwarded as they are */
	bool started;	/* BOM was looked for */
	bool after_cr;	/* last byte seen was a CR that ended a line */
	bool delivered; /* an event was handed out and is to be forgotten */
	int error;
};

/* max_event_bytes bounds one event with all its lines. */
void sse_decoder_init(struct sse_decoder *d, size_t max_event_bytes);
void sse_decoder_fini(struct sse_decoder *d);
/* Forget everything, keep the cap: for another stream. */
void sse_decoder_reset(struct sse_decoder *d);
/* Hands in a chunk, borrowed until sse_next() has returned 0. Only after the former chunk was used
 * up. */
void sse_feed(struct sse_decoder *d, struct sv chunk);
/*
 * 1 and *ret (views valid until the next call), 0 when the chunk is used up, -EMSGSIZE when an
 * event is too big, -ENOMEM. Events without a data line are passed over, comments too.
 */
int sse_next(struct sse_decoder *d, struct sse_event *ret) MUST_CHECK;
/*
 * Directly after sse_next() has returned 1: what was not read yet of the chunk, for a caller who
 * must stop there. The decoder forgets it; it is to be fed again (or a copy of it).
 */
struct sv sse_take_rest(struct sse_decoder *d);

/* Appends "event: name\n" (if name is not empty), one data line per line of data, and the blank
 * line. */
void sse_encode(struct buf *out, struct sv name, struct sv data);
/* Appends ": text\n\n". */
void sse_encode_comment(struct buf *out, struct sv text);

#endif
