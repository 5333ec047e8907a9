/* What names a request's conversation: affinity key, upstream session id and prompt-cache key. */
#ifndef RELAY_SESSION_KEY_H
#define RELAY_SESSION_KEY_H

#include "dialect/dialect.h"
#include "proto/http1.h"

/*
 * The client's header, its prompt_cache_key, what the answer that it goes on from had (recalled, or
 * empty), else a key made from what the request begins with. At most CODEX_CACHE_KEY_BYTES that can
 * stand in a header; in the turn's arena. Behind dialect.parse.
 */
struct sv session_key_of(
	const struct turn *t, const struct http_request *request, struct sv recalled);

#endif
