/*
 * Connections that are kept between requests, by origin: scheme, host, port. One that says
 * something or ends while it is kept is closed; so are the oldest ones when there are too many. An
 * idle connection has no timer: how old it is counts when the next one is wanted. Owner: a pool of
 * requests; origins live as long as it.
 */
#ifndef IO_KEPT_CONNS_H
#define IO_KEPT_CONNS_H

#include "io/conn.h"
#include "proto/url.h"

struct kept_conns;
struct origin;

/* reaches tells of each new origin, by its URL, whether connections to it are for here. */
struct kept_conns *kept_conns_new(
	struct loop *loop, size_t most, bool (*reaches)(void *arg, const char *url), void *arg);
/* Closes them. */
void kept_conns_free(struct kept_conns *k);
/* Held by the caller until origin_unref(). url has been parsed into parts, whose views it has. */
struct origin *kept_conns_origin(struct kept_conns *k, const struct url *parts);
void origin_unref(struct origin *o);
/* What reaches() said. */
bool origin_is_reached(const struct origin *o);
/* "https://host:8443", to be dialed. */
const char *origin_url(const struct origin *o);
/* "host:8443", as the Host header has it: without the scheme's own port. */
struct sv origin_authority(const struct origin *o);

/* The youngest one, reading, without an owner; NULL: there is none. It belongs to the caller, who
 * puts it back or closes it. */
struct conn *origin_take(struct origin *o);
/* Nothing may be queued on c, which no request uses. */
void origin_keep(struct origin *o, struct conn *c);
/* Closes the oldest one that is kept; false: there is none. */
bool origin_drop_oldest(struct origin *o);

/* How many connections there are besides the kept ones: to be counted by who has them. */
size_t *origin_busy(struct origin *o);
size_t origin_kept_count(const struct origin *o);

/* Closes a connection of whose end nobody wants to hear. */
void kept_conns_close(struct conn *c);

#endif
