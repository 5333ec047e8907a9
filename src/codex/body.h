/*
 * The upstream request body (PROTOCOL 3): from the internal form to what the Codex backend accepts.
 * Top-level members are replaced, added or removed; `tools` and everything inside `input` that
 * needs no change keep their bytes (prompt cache). Pure.
 */
#ifndef CODEX_BODY_H
#define CODEX_BODY_H

#include "base/jv.h"
#include "dialect/api_err.h"

/* What happens to a top-level member of a body that no Codex client sent. */
enum codex_body_action {
	CODEX_BODY_KEEP, /* the client's bytes */
	CODEX_BODY_DROP,
	CODEX_BODY_WRITE, /* checked, replaced or added */
};

struct codex_body_rule {
	struct sv name;
	enum codex_body_action action;
};

/* Upstream refuses a longer prompt_cache_key. */
enum { CODEX_CACHE_KEY_BYTES = 64 };

struct codex_body_options {
	bool compact;	 /* for the compact endpoint, which takes nothing about the way of answering
			  */
	bool native;	 /* a Codex client's body: copied byte for byte unless drop_reasoning */
	struct sv model; /* replaces `model` when not empty (alias resolved), native too */
	/* Used when the body has none; ignored for native bodies. */
	struct sv prompt_cache_key;
	/*
	 * Leave out reasoning items: their blobs belong to another account. Compaction items stay:
	 * they are the conversation, and losing it silently would be worse than upstream's refusal.
	 */
	bool drop_reasoning;
};

/* Is the body the request's own text, so that none needs to be built? */
bool codex_body_is_request(const struct codex_body_options *options);
/*
 * 0, or -EINVAL with *err (the client's mistake, 400 with param), or out's error. request is the
 * internal form (turn.upstream).
 */
int codex_body_build(struct jv request, const struct codex_body_options *options, struct buf *out,
	struct api_err *err) MUST_CHECK;

/*
 * A key that is the same for all turns of one conversation and differs between conversations: from
 * model, instructions, tools and the first user item (DESIGN "Slots"). UUID text of
 * IDENT_UUID_SIZE bytes. At most the first 64 KiB of each part count.
 */
void codex_body_derive_key(struct jv request, char out[37]);

/* The table of top-level members, row by row; NULL behind the last one. For tests. */
const struct codex_body_rule *codex_body_rule(size_t row);

#endif
