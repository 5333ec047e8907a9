/*
 * Upstream request headers (PROTOCOL 2 and 8), and what client headers say about a client. One
 * const table says for each name: dropped, passed, replaced. Pure.
 */
#ifndef CODEX_HEADERS_H
#define CODEX_HEADERS_H

#include "base/arena.h"
#include "codex/cred.h"
#include "proto/http1.h"

enum { CODEX_HEADERS_MAX = LIMIT_HEADERS_COUNT + 16 };

/* What happens to a client's header on its way upstream. */
enum codex_header_action {
	CODEX_HEADER_DROP,	 /* never forwarded */
	CODEX_HEADER_NATIVE,	 /* a native Codex client's passes */
	CODEX_HEADER_TURN_STATE, /* as NATIVE, on the slot that made it only */
	CODEX_HEADER_REPLACE,	 /* ours, whatever the client sent */
};

/* A name in lower case; all names that start with it when prefix is set. */
struct codex_header_rule {
	struct sv name;
	enum codex_header_action action;
	bool prefix;
};

/* Is this a native Codex client (PROTOCOL 8: originator, or user agent starting with one of them)?
 */
bool codex_client_is_native(const struct http_request *r);

/*
 * What names the client's session, best first: x-codex-turn-state is not a session; session-id,
 * session_id, x-openclaw-session-key, thread-id, conversation_id. SV_NONE when none. View of the
 * request, at most LIMIT_SESSION_KEY_BYTES (a longer one is ignored).
 */
struct sv codex_client_session(const struct http_request *r);

struct codex_header_options {
	const struct http_request *client; /* NULL: a request of our own */
	bool native;
	bool same_slot; /* the slot that a former turn-state came from: x-codex-turn-state may pass
			 */
	struct sv originator; /* config upstream.originator */
	struct sv user_agent; /* config upstream.userAgent */
	struct sv session;    /* session_id = prompt cache key; empty: none */
	struct sv request_id;
	struct sv accept;	/* "text/event-stream" or "application/json" */
	struct sv content_type; /* empty for GET */
};

/*
 * Fills out[] and *ret_count. The authorization value is made in the arena and must be wiped by
 * codex_headers_wipe() when the attempt ends. Headers that no row names are dropped. -ENOMEM;
 * -EINVAL when the token cannot stand in a header.
 */
int codex_headers_build(const struct codex_cred *cred, const struct codex_header_options *options,
	struct arena *arena, struct http_header out[CODEX_HEADERS_MAX],
	size_t *ret_count) MUST_CHECK;
void codex_headers_wipe(struct http_header *headers, size_t count);

/*
 * May this upstream answer header reach a native client (x-codex-*, x-models-etag,
 * x-reasoning-included, openai-model, x-request-id, openai-processing-ms, …)?
 */
bool codex_answer_header_passes(struct sv name);

/* The first rule that names this header; NULL: dropped like all unknown ones. */
const struct codex_header_rule *codex_header_find(struct sv name);
/* The table, row by row; NULL behind the last one. For tests. */
const struct codex_header_rule *codex_header_rule(size_t row);

#endif
