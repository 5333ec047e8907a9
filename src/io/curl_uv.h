/*
 * libcurl's multi handle driven by the loop: its sockets become uv_poll handles, its timeout a
 * struct timer. Knows nothing of requests: easy handles go in with curl_uv_add() and come back
 * through on_done. Owner: the fetch pool. The uv_poll handle of a connection lives as long as its
 * socket and stays armed for reading while the connection is idle, so that a request on a kept
 * connection costs no epoll_ctl.
 */
#ifndef IO_CURL_UV_H
#define IO_CURL_UV_H

#include "io/loop.h"

#include <curl/curl.h>

struct curl_uv;

/* on_done: a transfer has ended; never called with libcurl on the stack. The handle is still in
 * the multi handle: the callee removes it. */
struct curl_uv *curl_uv_new(
	struct loop *loop, void (*on_done)(void *arg, CURL *easy, CURLcode code), void *arg);
/* All easy handles must have been removed. Closes the kept connections; libuv calls the last
 * close callbacks in the next turn of the loop. */
void curl_uv_free(struct curl_uv *g);
/* Options of an easy handle that make its sockets ours. To be set again after a reset. */
void curl_uv_prepare(struct curl_uv *g, CURL *easy);
void curl_uv_limit(struct curl_uv *g, long per_host, long cached);
/* Is libcurl on the stack: are we inside one of its callbacks? */
bool curl_uv_is_busy(const struct curl_uv *g);
/* None of these may be called while it is. */
CURLcode curl_uv_unpause(struct curl_uv *g, CURL *easy);
CURLMcode curl_uv_add(struct curl_uv *g, CURL *easy) MUST_CHECK;
void curl_uv_remove(struct curl_uv *g, CURL *easy);
/* Runs what libcurl asked to have done at once (new handles, unpaused ones). */
void curl_uv_run_due(struct curl_uv *g);

#endif
