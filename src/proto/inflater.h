/*
 * Content codings of request bodies, decoded as a stream: gzip (also x-gzip), deflate (zlib, and
 * the raw form that some clients send), br, zstd; stacked codings are undone in order (RFC 9110
 * section 8.4). Output is bounded by the output buffer's cap, so that a bomb ends as -ENOBUFS.
 */
#ifndef PROTO_INFLATER_H
#define PROTO_INFLATER_H

#include "base/buf.h"

struct inflater;

/*
 * header is the Content-Encoding value; empty or "identity" gives *ret = NULL: nothing to undo.
 * -ENOTSUP: a coding that is unknown, or more than LIMIT_BODY_CODINGS of them [415].
 */
int inflater_new(struct sv header, struct inflater **ret) MUST_CHECK;
void inflater_free(struct inflater *f);
/*
 * Decodes a chunk, appending to out. -EBADMSG: corrupt, or bytes behind the end [400]; -ENOBUFS:
 * over out's cap, or a zstd window over 128 MiB [413]; -ENOMEM. Errors are sticky.
 */
int inflater_feed(struct inflater *f, struct sv chunk, struct buf *out) MUST_CHECK;
/* At the end of the body: -EBADMSG when a coding was not complete. */
int inflater_finish(struct inflater *f, struct buf *out) MUST_CHECK;

#endif
