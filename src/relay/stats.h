/*
 * Counts of all requests since the start, and the last ones (SPEC 2 "/admin/stats"). Every request
 * counts once, when it ends: those that the HTTP layer or the router refuse, too. Bounded: nothing
 * that a client sends becomes a key. Owner: the relay.
 */
#ifndef RELAY_STATS_H
#define RELAY_STATS_H

#include "base/sv.h"

#include <jansson.h>

struct stats;
struct route;

/* A request that has ended. Everything is borrowed for the call. */
struct request_end {
	const char *id;
	struct sv method, path;	   /* as sent; empty when the head was no head */
	const struct route *route; /* NULL: no such path */
	int status;		   /* 499: the client went */
	int64_t duration_us;
	const char *slot_id; /* "" or NULL: none */
	const char *code;    /* of the error, or NULL */
	const char *error;   /* text for people, or NULL */
};

struct stats *stats_new(int64_t started_ms);
void stats_free(struct stats *s);
void stats_count(struct stats *s, const struct request_end *end, int64_t now_ms);
/* fn is told of each request that recentRequests shows. */
void stats_on_end(struct stats *s, void (*fn)(void *arg, const struct request_end *end), void *arg);
/* One request as recentErrors shows it. New reference. */
json_t *stats_request_json(const struct request_end *end, int64_t now_ms);
/*
 * The members of /admin/stats that are ours. recentRequests leaves out what only looks at the relay
 * itself (probes, the admin API) unless it failed: a dashboard must not push the rest out.
 */
json_t *stats_json(const struct stats *s, size_t inflight, int64_t now_ms);

#endif
