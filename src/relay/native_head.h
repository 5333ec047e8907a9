/*
 * Upstream's answer headers as a Codex client behind several slots must see them (PROTOCOL 8):
 *
 * - `x-codex-active-limit` is `codex` beside windows: with another value the CLI finds none.
 * - `x-models-etag` is that of the list which the relay itself gives, or absent: with another one
 *   the CLI asks for that list after every turn.
 * - with `codexClients.limits` "pool" the windows are those of all slots together; the account's
 * own
 *   (`x-codex-{primary,secondary,credits}-*`, `x-codex-plan-type`) are left out.
 */
#ifndef RELAY_NATIVE_HEAD_H
#define RELAY_NATIVE_HEAD_H

#include "base/limits.h"
#include "conf/conf.h"
#include "proto/http1.h"
#include "relay/pool_models.h"
#include "relay/pool_usage.h"

enum {
	NATIVE_HEAD_ADDED = 8, /* headers of our own at most */
	NATIVE_HEAD_MAX = LIMIT_RESPONSE_HEADERS_COUNT + NATIVE_HEAD_ADDED,
};

/* In the caller's storage, which the headers point into. */
struct native_head {
	struct http_header headers[NATIVE_HEAD_MAX];
	size_t count;
	char etag[POOL_MODELS_ETAG_SIZE];
	char values[NATIVE_HEAD_ADDED][24];
	size_t value_count;
};

/* count: at most LIMIT_RESPONSE_HEADERS_COUNT. now_ms: wall. */
void native_head_make(struct native_head *h, const struct conf *conf, struct slot_table *slots,
	const struct http_header *headers, size_t count, int64_t now_ms);

#endif
