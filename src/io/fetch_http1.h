/*
 * Our own HTTP/1.1 client for streams and bodies, on connections of the dialer (dial.h) that are
 * kept between requests (kept_conns.h). Contract in fetch.h. A request's bytes go out in one system
 * call where the kernel takes them, a large body from where it lies; of the response no more than
 * the head is stored, unless its user pauses inside of what one read has brought.
 *
 * A request on a kept connection that breaks before a byte of the response has come goes out once
 * more, on a new one: the server had closed the connection already, or was about to.
 */
#ifndef IO_FETCH_HTTP1_H
#define IO_FETCH_HTTP1_H

#include "io/dial.h"
#include "io/fetch.h"

struct fetch_http1_pool;

/* The dialer outlives it. NULL when all is libcurl's: options want all requests to go somewhere
 * else than their URL says.
 */
struct fetch_http1_pool *fetch_http1_pool_new(
	struct loop *loop, const struct fetch_options *options, struct dialer *dialer);
void fetch_http1_pool_free(struct fetch_http1_pool *p);
/* NULL: the request is libcurl's, by its URL or its proxy, or because HTTP/2 may be spoken. */
struct fetch *fetch_http1_start(struct fetch_http1_pool *p, const struct fetch_request *r,
	const struct fetch_ops *ops, void *arg);

#endif
