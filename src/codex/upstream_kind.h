/* What is behind struct upstream: one attempt over HTTP, or over a WebSocket. For both alone. */
#ifndef CODEX_UPSTREAM_KIND_H
#define CODEX_UPSTREAM_KIND_H

#include "codex/upstream.h"

struct upstream_kind {
	const char *transport;
	void (*cancel)(struct upstream *u);
	void (*pause)(struct upstream *u);
	void (*resume)(struct upstream *u);
	const struct http_header *(*headers)(const struct upstream *u, size_t *ret_count);
	const struct meters *(*meters)(const struct upstream *u);
	/* NULL: as the kind says. */
	void (*trace)(const struct upstream *u, struct upstream_trace *ret);
};

struct upstream {
	const struct upstream_kind *kind;
};

struct upstream *upstream_http_start(struct loop *loop, struct fetch_pool *pool,
	const struct upstream_request *r, const struct upstream_ops *ops, void *arg);
struct upstream *upstream_ws_start(struct loop *loop, struct fetch_pool *pool,
	const struct upstream_request *r, const struct upstream_ops *ops, void *arg);

#endif
