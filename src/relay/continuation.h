/*
 * Answers of the Responses API that clients may go on from (TRANSLATION 3): what upstream does not
 * keep over HTTP. In memory only, bounded in number and bytes, least recently used goes first,
 * unused for ttl_ms ends. Each answer belongs to the client token that asked for it and is unknown
 * to all others.
 *
 * An answer holds references to all items of its conversation (kept_items.h), those of earlier
 * answers included: a conversation takes the memory of its items once, and an answer does not
 * depend on former ones being still there.
 */
#ifndef RELAY_CONTINUATION_H
#define RELAY_CONTINUATION_H

#include "relay/kept_items.h"

struct continuation;

struct continuation_limits {
	bool enabled; /* false: nothing is kept, what was is dropped */
	size_t max_entries;
	size_t max_bytes;
	int64_t ttl_ms; /* since the last use */
};

struct kept_answer {
	char *id, *session;	  /* session: what names its conversation upstream */
	struct kept_item **items; /* input_count of the input, then the output's */
	size_t input_count, item_count;
	/* Reasoning among so many first items was refused by the account that answered: who goes on
	 * from the answer leaves it out. */
	size_t stale_count;
	struct kept_item **pieces; /* of its object; the output stands before pieces[output_at] */
	size_t piece_count, output_at;
};

struct continuation *continuation_new(void);
void continuation_free(struct continuation *c);
/* Takes new limits at once; what does not fit them goes. */
void continuation_configure(struct continuation *c, const struct continuation_limits *limits);
bool continuation_is_enabled(const struct continuation *c);
/* The most that one answer, its input included, may bring: a quarter of max_bytes. */
size_t continuation_answer_cap(const struct continuation *c);

struct kept_owner continuation_owner(const struct continuation *c, struct sv token);

struct continuation_put {
	struct kept_owner owner;
	struct sv session;
	struct jv input;  /* an array: all items, former ones included */
	bool stale_input; /* its reasoning was refused: stale_count */
	struct jv object; /* the answer as the client got it */
};
/*
 * Keeps an answer, instead of one with the same id. -EINVAL: its id is none that a client could
 * ask for; -E2BIG: over continuation_answer_cap(); -ENOMEM; -ENOENT: not enabled.
 */
int continuation_put(
	struct continuation *c, const struct continuation_put *put, int64_t now_ms) MUST_CHECK;
/* Counts as a use. NULL: unknown. Valid until the next call with c that changes something. */
const struct kept_answer *continuation_get(
	struct continuation *c, struct kept_owner owner, struct sv id, int64_t now_ms);
/* False: unknown. Its items live on in answers that were built on it. */
bool continuation_delete(
	struct continuation *c, struct kept_owner owner, struct sv id, int64_t now_ms);

/* Drops what has expired. */
void continuation_expire(struct continuation *c, int64_t now_ms);

/* An item of any kept answer by its id, as continuation_item_id() shows it too; JV_NONE: unknown.
 */
struct jv continuation_item(
	struct continuation *c, struct kept_owner owner, struct sv id, int64_t now_ms);
/*
 * The id of item number index, at most KEPT_ID_MAX + 12 bytes: its own, or one that is made up and
 * stays; of an item that is there more than once a different one in each place.
 */
void continuation_item_id(
	struct continuation *c, const struct kept_answer *a, size_t index, struct buf *out);
/* Appends items [from, to), comma-separated. */
void continuation_write_items(const struct kept_answer *a, size_t from, size_t to, struct buf *out);
/* Appends the answer's object; only white space between the items of its output may differ. */
void continuation_write_object(const struct kept_answer *a, struct buf *out);

size_t continuation_count(const struct continuation *c);
/* All that is kept. */
size_t continuation_bytes(const struct continuation *c);

#endif
