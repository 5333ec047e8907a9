/*
 * One request of the control plane (tokens, usage, models): fetch with its whole answer collected.
 * Owner: whoever started it, until on_done or call_cancel(); it frees itself after either. What was
 * sent and what came are wiped, for both hold tokens.
 */
#ifndef IO_CALL_H
#define IO_CALL_H

#include "io/fetch.h"

struct call;

struct call_request {
	const char *method;
	const char *url;
	const struct http_header *headers; /* copied */
	size_t header_count;
	struct sv body;		    /* copied */
	int64_t connect_timeout_ms; /* 0: 10 s */
	int64_t total_timeout_ms;   /* 0: none */
	size_t body_cap;	    /* of the answer; 0: LIMIT_CALL_BODY_BYTES */
	bool fresh_connection;	    /* see fetch.h */
};

struct call_result {
	enum fetch_outcome outcome; /* FETCH_PROTOCOL also when the body is over its cap */
	int status;		    /* 0 when no head came */
	struct sv body;
	const struct http_header *headers;
	size_t header_count;
	const char *message; /* as fetch_result's */
};

/* Never fails and never calls back at once. The result is borrowed for the call of on_done. */
struct call *call_start(struct loop *loop, struct fetch_pool *pool, const struct call_request *r,
	void (*on_done)(void *arg, const struct call_result *result), void *arg);
/* No callback follows. Not inside on_done. */
void call_cancel(struct call *c);
/* A header of the answer by name (any case), SV_NONE if absent. */
struct sv call_header(const struct call_result *result, struct sv name);

#endif
