/*
 * One HTTP/1.1 response read with llhttp (RFC 9112). Pure: bytes in, head and body out. Interim
 * responses (1xx) are skipped, but for 101, behind whose head HTTP ends. Names, values and the body
 * are copied, bounded by limits.h and the cap, so that chunks may be cut anywhere. Not for answers
 * to HEAD.
 */
#ifndef PROTO_HTTP1_ANSWER_H
#define PROTO_HTTP1_ANSWER_H

#include "proto/http1.h"

struct http1_answer;

/* What is behind body_cap bytes of the body is not read: the answer is complete with them. */
struct http1_answer *http1_answer_new(size_t body_cap);
void http1_answer_free(struct http1_answer *a);
/*
 * 1: complete, *ret_used bytes belonged to it; 0: all are used, more must come; -EBADMSG: no
 * HTTP/1.x, or a head over LIMIT_RESPONSE_HEAD_BYTES or LIMIT_RESPONSE_HEADERS_COUNT. To be called
 * until it is not 0.
 */
int http1_answer_feed(struct http1_answer *a, struct sv chunk, size_t *ret_used) MUST_CHECK;
/* The peer sends no more: 1 when that ends the body, -EBADMSG when something is missing. */
int http1_answer_end(struct http1_answer *a) MUST_CHECK;

/* Of a complete answer; views live as long as it. */
int http1_answer_status(const struct http1_answer *a);
const struct http_header *http1_answer_headers(const struct http1_answer *a, size_t *ret_count);
struct sv http1_answer_body(const struct http1_answer *a);

#endif
