/*
 * HTTP/1.1 requests read with llhttp (RFC 9112), and response heads written. Pure: bytes in,
 * callbacks out. Names and values are copied into the parser's own storage, bounded by limits.h, so
 * chunks may be cut anywhere. Body bytes are views of the chunk (chunked framing already undone).
 */
#ifndef PROTO_HTTP1_H
#define PROTO_HTTP1_H

#include "base/buf.h"
#include "base/limits.h"

struct http_header {
	struct sv name;
	struct sv value;
};

/* A request's head. Owned by the parser, valid until its next request begins. */
struct http_request {
	struct sv method;
	struct sv target; /* as sent */
	struct sv path;	 /* of the target, without query; trailing slashes removed except for "/" */
	struct sv query; /* behind the '?', or empty */
	struct http_header headers[LIMIT_HEADERS_COUNT];
	size_t header_count;
	uint64_t content_length; /* UINT64_MAX when not given */
	bool chunked;
	bool has_body;
	bool expects_continue; /* Expect: 100-continue */
	bool keep_alive;       /* what version and Connection say */
	bool is_head;
	bool is_http10; /* no chunked answers, no interim answers */
};

/* Value of a header by name (any case); SV_NONE when absent; the first one when repeated. */
struct sv http_request_header(const struct http_request *r, struct sv name);

/* Why a request was refused: the status to answer and a text for people. */
struct http_fault {
	int status; /* 400, 408, 413, 414, 415, 417, 431, 501, 505 */
	const char *message;
};

struct http1_parser;

struct http1_ops {
	/* Head complete. Non-zero stops the parser after it (the body is not wanted). */
	int (*on_head)(void *ctx, const struct http_request *r);
	/* Bytes of the body. Non-zero stops. */
	int (*on_body)(void *ctx, struct sv bytes);
	/* Request complete. The parser pauses behind it: following bytes are not consumed. */
	void (*on_complete)(void *ctx);
};

struct http1_parser *http1_parser_new(const struct http1_ops *ops, void *ctx);
void http1_parser_free(struct http1_parser *p);
/* Ready for the next request of the connection; storage is kept. */
void http1_parser_reset(struct http1_parser *p);
/*
 * 0 and *ret_used bytes consumed (fewer than given only after a complete request, or when a
 * callback stopped it), or -EBADMSG with *ret_fault filled. An Upgrade header (h2c, websocket) is
 * ignored and the request served as plain HTTP/1.1. Ambiguous framing (both length and chunked, two
 * lengths, obsolete line folding) is refused.
 */
int http1_feed(struct http1_parser *p, struct sv chunk, size_t *ret_used,
	struct http_fault *ret_fault) MUST_CHECK;
/* Has any byte of a request head been seen since the last reset? */
bool http1_is_idle(const struct http1_parser *p);
/* Bytes that are missing of a body whose length the head told; 0 when none is being read. */
uint64_t http1_body_left(const struct http1_parser *p);
const struct http_request *http1_request(const struct http1_parser *p);

/* Reason phrase: "Not Found"; "Unknown" for others. */
const char *http_reason(int status);
/* Is this a header name (RFC 9110 token)? */
bool http_is_token(struct sv text);
/* May this go into a header value: no CR, LF, NUL or other control but tab? */
bool http_is_field_value(struct sv text);

#endif
