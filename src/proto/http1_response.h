/*
 * HTTP/1.1 responses read with llhttp (RFC 9112), as they come. Pure: bytes in, callbacks out.
 * Interim responses (1xx) are skipped, but for 101, behind whose head HTTP ends. Names and values
 * are copied, bounded by limits.h, so that chunks may be cut anywhere; body bytes are views of the
 * chunk, with chunked framing undone. Trailers are skipped.
 */
#ifndef PROTO_HTTP1_RESPONSE_H
#define PROTO_HTTP1_RESPONSE_H

#include "proto/http1.h"

struct http1_response;

struct http1_response_ops {
	/* The final head is there. */
	void (*on_head)(void *ctx);
	void (*on_body)(void *ctx, struct sv bytes);
};

struct http1_response *http1_response_new(const struct http1_response_ops *ops, void *ctx);
void http1_response_free(struct http1_response *r);
/* Ready for another response, to a HEAD or not; moderate storage is kept. */
void http1_response_reset(struct http1_response *r, bool to_head);
/*
 * 1: complete, *ret_used bytes belonged to it; 0: more must come, all bytes are used unless a
 * callback stopped it; -EBADMSG: no HTTP/1.x, or a head over LIMIT_RESPONSE_HEAD_BYTES or
 * LIMIT_RESPONSE_HEADERS_COUNT. To be called until it is not 0, also with the bytes that were left
 * at a stop, if only none: these, too, may complete it.
 */
int http1_response_feed(struct http1_response *r, struct sv chunk, size_t *ret_used) MUST_CHECK;
/* For callbacks: the feed that they come from uses no bytes behind theirs. */
void http1_response_stop(struct http1_response *r);
/* The peer sends no more: 1 when that ends the body, -EBADMSG when something is missing. */
int http1_response_end(struct http1_response *r) MUST_CHECK;

/* 0 before the final head. */
int http1_response_status(const struct http1_response *r);
/* Of the final head; views stand until the reset. */
const struct http_header *http1_response_headers(const struct http1_response *r, size_t *ret_count);
/* Of a complete one: do version and Connection allow another request behind it? */
bool http1_response_keeps_alive(const struct http1_response *r);

#endif
