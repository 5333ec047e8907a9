/* The heads of the HTTP/1.1 requests that we write ourselves. Pure. */
#ifndef IO_REQUEST_HEAD_H
#define IO_REQUEST_HEAD_H

#include "io/fetch.h"

/* A name or value that would break the head: -EINVAL; more than LIMIT_REQUEST_HEAD_BYTES:
 * -EMSGSIZE. Otherwise 0 and the bytes that the lines take, at most. */
int request_head_check(
	const struct http_header *headers, size_t count, size_t *ret_bytes) MUST_CHECK;
/* Do length and coding of the body depend on this header, so that callers have no say in it? */
bool request_head_is_framing(struct sv name);
/* Is a length told also when the body is empty? */
bool request_head_has_length(const char *method);
/*
 * Appends it, to the empty line: the caller's headers, with Host before and Content-Length behind
 * them. Errors as above. out is spoilt by them.
 */
int request_head_write(struct buf *out, const struct fetch_request *r, struct sv authority,
	struct sv target) MUST_CHECK;

#endif
