#include "relay/continuation.h"

#include "base/ident.h"
#include "base/secret.h"
#include "codex/items.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	BUCKETS = 16384,
	SEED_BYTES = 32,
	ALLOCATION_COST = 16,
	ID_BYTES_MAX = 127,	/* of a response */
	PIECE_BYTES_MIN = 1024, /* smaller members of an answer object are not kept apart */
	OCCURRENCE_DIGITS = 7,
};

struct entry {
	struct kept_answer answer; /* first: handed out */
	struct entry *chain;	   /* next in the bucket */
	struct entry *newer, *older;
	struct kept_owner owner;
	int64_t used_ms;
	size_t item_room, piece_room;
	size_t cost; /* without what the pieces take */
};

struct continuation {
	struct kept_items *kept;
	struct entry *buckets[BUCKETS];
	struct entry *newest, *oldest; /* in the order of use */
	size_t count;
	size_t bytes; /* costs of the entries */
	struct continuation_limits limits;
	unsigned char seed[SEED_BYTES];
};

struct continuation *continuation_new(void)
{
	struct continuation *c = mem_zalloc(sizeof(*c));

	c->kept = kept_items_new();
	ident_random(c->seed, sizeof(c->seed));
	return c;
}

bool continuation_is_enabled(const struct continuation *c)
{
	return c->limits.enabled;
}

size_t continuation_answer_cap(const struct continuation *c)
{
	return c->limits.max_bytes / 4;
}

size_t continuation_count(const struct continuation *c)
{
	return c->count;
}

size_t continuation_bytes(const struct continuation *c)
{
	return c->bytes + kept_items_bytes(c->kept);
}

/* SHA-256 of the seed and the token. Tokens have at most a header's length; a part would do. */
struct kept_owner continuation_owner(const struct continuation *c, struct sv token)
{
	unsigned char text[SEED_BYTES + 4096], digest[IDENT_SHA256_BYTES];
	struct kept_owner owner;

	if (token.n > sizeof(text) - SEED_BYTES)
		token.n = sizeof(text) - SEED_BYTES;
	memcpy(text, c->seed, SEED_BYTES);
	if (token.n)
		memcpy(text + SEED_BYTES, token.p, token.n);
	ident_sha256(sv_make((const char *)text, SEED_BYTES + token.n), digest);
	secret_wipe(text, SEED_BYTES + token.n);
	memcpy(&owner, digest, sizeof(owner));
	return owner;
}

/* --- entries --- */

static struct entry **bucket_of(struct continuation *c, struct kept_owner owner, struct sv id)
{
	return &c->buckets[sv_hash(id, SV_HASH_SEED ^ owner.a) % BUCKETS];
}

static void order_remove(struct continuation *c, struct entry *e)
{
	if (e->newer)
		e->newer->older = e->older;
	else
		c->newest = e->older;
	if (e->older)
		e->older->newer = e->newer;
	else
		c->oldest = e->newer;
}

static void order_add(struct continuation *c, struct entry *e)
{
	e->newer = NULL;
	e->older = c->newest;
	if (c->newest)
		c->newest->newer = e;
	else
		c->oldest = e;
	c->newest = e;
}

static void release(struct continuation *c, struct entry *e)
{
	for (size_t i = 0; i < e->answer.item_count; i++)
		kept_items_drop(c->kept, e->answer.items[i]);
	for (size_t i = 0; i < e->answer.piece_count; i++)
		kept_items_drop(c->kept, e->answer.pieces[i]);
	free(e->answer.items);
	free(e->answer.pieces);
	free(e->answer.id);
	free(e->answer.session);
	free(e);
}

static void drop(struct continuation *c, struct entry *e)
{
	struct entry **at = bucket_of(c, e->owner, sv_cstr(e->answer.id));

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	order_remove(c, e);
	c->count--;
	c->bytes -= e->cost;
	release(c, e);
}

static struct entry *find(struct continuation *c, struct kept_owner owner, struct sv id)
{
	struct entry *e = *bucket_of(c, owner, id);

	while (e && !(e->owner.a == owner.a && e->owner.b == owner.b &&
			    sv_eq(sv_cstr(e->answer.id), id)))
		e = e->chain;
	return e;
}

void continuation_expire(struct continuation *c, int64_t now_ms)
{
	while (c->oldest && now_ms - c->oldest->used_ms > c->limits.ttl_ms)
		drop(c, c->oldest);
}

static void shrink(struct continuation *c)
{
	while (c->oldest &&
		(c->count > c->limits.max_entries || continuation_bytes(c) > c->limits.max_bytes))
		drop(c, c->oldest);
}

void continuation_free(struct continuation *c)
{
	if (!c)
		return;
	while (c->oldest)
		drop(c, c->oldest);
	kept_items_free(c->kept);
	free(c);
}

void continuation_configure(struct continuation *c, const struct continuation_limits *limits)
{
	c->limits = *limits;
	while (!limits->enabled && c->oldest)
		drop(c, c->oldest);
	shrink(c);
}

/* --- to keep an answer --- */

/* What a list costs is bounded by the answer's cap, however small its items are. */
static int grow_items(struct continuation *c, struct entry *e)
{
	size_t room = e->item_room ? e->item_room * 2 : 16;
	struct kept_item **grown;

	if (room > continuation_answer_cap(c) / sizeof(*grown))
		return -E2BIG;
	grown = mem_try_alloc(room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	if (e->answer.item_count)
		memcpy(grown, e->answer.items, e->answer.item_count * sizeof(*grown));
	free(e->answer.items);
	e->answer.items = grown;
	e->item_room = room;
	return 0;
}

static int add_item(struct continuation *c, struct entry *e, struct jv json)
{
	struct kept_answer *a = &e->answer;
	struct kept_item *item;

	if (a->item_count == e->item_room) {
		int rc = grow_items(c, e);

		if (rc)
			return rc;
	}
	item = kept_items_put(c->kept, e->owner, json, true);
	if (!item)
		return -ENOMEM;
	a->items[a->item_count++] = item;
	return 0;
}

static int add_items(struct continuation *c, struct entry *e, struct jv list)
{
	struct jv_iter it = jv_iter(list);
	int rc = 0;

	while (!rc && jv_next(&it))
		rc = add_item(c, e, it.value);
	return rc;
}

static int add_piece(struct continuation *c, struct entry *e, struct sv text)
{
	struct kept_answer *a = &e->answer;
	struct kept_item *piece;

	if (!text.n)
		return 0;
	if (a->piece_count == e->piece_room) {
		e->piece_room = e->piece_room ? e->piece_room * 2 : 8;
		a->pieces = mem_realloc(a->pieces, e->piece_room * sizeof(struct kept_item *));
	}
	piece = kept_items_put(c->kept, e->owner, jv_trusted(text), false);
	if (!piece)
		return -ENOMEM;
	a->pieces[a->piece_count++] = piece;
	return 0;
}

/*
 * The object's text, cut where its output stands and around members that are large: instructions
 * and tools are the same in most answers of a client.
 */
static int add_object(struct continuation *c, struct entry *e, struct jv object, struct jv output)
{
	struct jv_iter it = jv_iter(object);
	const char *from = object.p;
	int rc = 0;

	while (!rc && jv_next(&it)) {
		bool is_output = it.value.p == output.p;

		if (!is_output && it.value.n < PIECE_BYTES_MIN)
			continue;
		rc = add_piece(c, e, sv_make(from, (size_t)(it.value.p - from)));
		if (is_output)
			e->answer.output_at = e->answer.piece_count;
		else if (!rc)
			rc = add_piece(c, e, jv_raw(it.value));
		from = it.value.p + it.value.n;
	}
	if (!rc)
		rc = add_piece(c, e, sv_make(from, (size_t)(object.p + object.n - from)));
	return rc;
}

static int fill(struct continuation *c, struct entry *e, const struct continuation_put *put,
	struct jv output)
{
	int rc = add_items(c, e, put->input);

	e->answer.input_count = e->answer.item_count;
	e->answer.stale_count = put->stale_input ? e->answer.item_count : 0;
	if (!rc)
		rc = add_items(c, e, output);
	if (!rc)
		rc = add_object(c, e, put->object, output);
	e->answer.session = mem_strndup(put->session.n ? put->session.p : "", put->session.n);
	e->cost = sizeof(*e) + put->session.n +
		  (e->item_room + e->piece_room) * sizeof(struct kept_item *) + 5 * ALLOCATION_COST;
	return rc;
}

static bool is_good_id(struct jv id)
{
	size_t n = jv_str_raw(id).n;

	return n > 0 && n <= ID_BYTES_MAX && jv_str_is_plain(id);
}

int continuation_put(struct continuation *c, const struct continuation_put *put, int64_t now_ms)
{
	static const struct sv keys[] = {SV("id"), SV("output")};
	struct jv member[ARRAY_LEN(keys)];
	struct sv text;
	struct entry *e, *former;
	struct entry **bucket;
	int rc;

	if (!c->limits.enabled)
		return -ENOENT;
	if (put->input.n + put->object.n > continuation_answer_cap(c))
		return -E2BIG;
	jv_pick(put->object, keys, ARRAY_LEN(keys), member);
	text = jv_str_raw(member[0]);
	if (!is_good_id(member[0]) || !jv_is(member[1], JV_ARRAY))
		return -EINVAL;
	continuation_expire(c, now_ms);
	e = mem_zalloc(sizeof(*e));
	e->owner = put->owner;
	rc = fill(c, e, put, member[1]);
	if (rc) {
		release(c, e);
		return rc;
	}
	/* After the items have been taken: what the former one held too is still there. */
	former = find(c, put->owner, text);
	if (former)
		drop(c, former);
	e->answer.id = mem_strndup(text.p, text.n);
	e->cost += text.n;
	e->used_ms = now_ms;
	bucket = bucket_of(c, e->owner, text);
	e->chain = *bucket;
	*bucket = e;
	order_add(c, e);
	c->count++;
	c->bytes += e->cost;
	shrink(c);
	return 0;
}

/* --- to find it again --- */

const struct kept_answer *continuation_get(
	struct continuation *c, struct kept_owner owner, struct sv id, int64_t now_ms)
{
	struct entry *e;

	continuation_expire(c, now_ms);
	e = find(c, owner, id);
	if (!e)
		return NULL;
	e->used_ms = now_ms;
	order_remove(c, e);
	order_add(c, e);
	return &e->answer;
}

bool continuation_delete(
	struct continuation *c, struct kept_owner owner, struct sv id, int64_t now_ms)
{
	struct entry *e;

	continuation_expire(c, now_ms);
	e = find(c, owner, id);
	if (e)
		drop(c, e);
	return e != NULL;
}

/* "…_2": the second place of an item. Its length without that; the whole when there is none. */
static size_t without_occurrence(struct sv id)
{
	size_t n = id.n;

	while (n > 0 && id.p[n - 1] >= '0' && id.p[n - 1] <= '9')
		n--;
	if (n == id.n || id.n - n > OCCURRENCE_DIGITS || n < 2 || id.p[n - 1] != '_')
		return id.n;
	return n - 1;
}

struct jv continuation_item(
	struct continuation *c, struct kept_owner owner, struct sv id, int64_t now_ms)
{
	const struct kept_item *item;

	continuation_expire(c, now_ms);
	item = kept_items_find(c->kept, owner, id);
	if (!item) {
		item = kept_items_find(c->kept, owner, sv_make(id.p, without_occurrence(id)));
		if (item && !kept_item_is_nameless(item))
			item = NULL;
	}
	return item ? kept_item_json(item) : JV_NONE;
}

/* What a made-up id begins with. */
static struct sv id_prefix(const struct kept_item *item)
{
	size_t count;
	const struct items_id_rule *rules = items_id_rules(&count);
	struct jv type = jv_get(kept_item_json(item), SV("type"));

	if (jv_is_nil(type))
		return SV("msg_");
	for (size_t i = 0; i < count; i++) {
		if (jv_str_eq(type, rules[i].type))
			return rules[i].prefix;
	}
	return SV("item_");
}

void continuation_item_id(
	struct continuation *c, const struct kept_answer *a, size_t index, struct buf *out)
{
	struct kept_item *item = a->items[index];
	size_t occurrence = 1;

	for (size_t i = 0; i < index; i++)
		occurrence += a->items[i] == item;
	buf_add_sv(out, kept_items_name(c->kept, item, id_prefix(item)));
	if (occurrence > 1 && kept_item_is_nameless(item))
		buf_addf(out, "_%zu", occurrence);
}

void continuation_write_items(const struct kept_answer *a, size_t from, size_t to, struct buf *out)
{
	for (size_t i = from; i < to; i++) {
		if (i > from)
			buf_add_char(out, ',');
		buf_add_sv(out, jv_raw(kept_item_json(a->items[i])));
	}
}

void continuation_write_object(const struct kept_answer *a, struct buf *out)
{
	for (size_t i = 0; i < a->piece_count; i++) {
		if (i == a->output_at) {
			buf_add_char(out, '[');
			continuation_write_items(a, a->input_count, a->item_count, out);
			buf_add_char(out, ']');
		}
		buf_add_sv(out, jv_raw(kept_item_json(a->pieces[i])));
	}
}
