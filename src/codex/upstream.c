#include "codex/upstream_kind.h"

struct upstream *upstream_start(struct loop *loop, struct fetch_pool *pool,
	const struct upstream_request *r, const struct upstream_ops *ops, void *arg)
{
	if (r->sockets && !r->document)
		return upstream_ws_start(loop, pool, r, ops, arg);
	return upstream_http_start(loop, pool, r, ops, arg);
}

void upstream_cancel(struct upstream *u)
{
	u->kind->cancel(u);
}

void upstream_pause(struct upstream *u)
{
	u->kind->pause(u);
}

void upstream_resume(struct upstream *u)
{
	u->kind->resume(u);
}

const struct http_header *upstream_headers(const struct upstream *u, size_t *ret_count)
{
	return u->kind->headers(u, ret_count);
}

const struct meters *upstream_meters(const struct upstream *u)
{
	return u->kind->meters(u);
}

void upstream_trace(const struct upstream *u, struct upstream_trace *ret)
{
	*ret = (struct upstream_trace){.transport = u->kind->transport};
	if (u->kind->trace)
		u->kind->trace(u, ret);
}
