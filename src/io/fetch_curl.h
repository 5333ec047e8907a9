/*
 * The requests that libcurl's own HTTP makes, through its multi interface on the loop: HTTP/2, and
 * all that fetch_http1.h does not take. Contract in fetch.h.
 */
#ifndef IO_FETCH_CURL_H
#define IO_FETCH_CURL_H

#include "io/fetch.h"

struct fetch_curl_pool;

struct fetch_curl_pool *fetch_curl_pool_new(struct loop *loop, const struct fetch_options *options);
void fetch_curl_pool_free(struct fetch_curl_pool *p);
struct fetch *fetch_curl_start(struct fetch_curl_pool *p, const struct fetch_request *r,
	const struct fetch_ops *ops, void *arg);

#endif
