#include "relay/kept_items.h"

#include "base/ident.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_BUCKETS = 1024, ALLOCATION_COST = 16 };

struct kept_item {
	struct kept_item *next;	   /* in the bucket of its bytes */
	struct kept_item *next_id; /* in the bucket of its id; only with an id */
	struct kept_owner owner;
	uint64_t hash, id_hash;
	size_t refs;
	size_t n;
	bool is_item;
	bool has_own_id;
	char id[KEPT_ID_MAX + 1]; /* "" none yet */
	char bytes[];
};

struct kept_items {
	struct kept_item **by_bytes, **by_id; /* of the same size, a power of two */
	size_t buckets;
	size_t count;
	size_t bytes;
	uint64_t seed[2];
};

struct kept_items *kept_items_new(void)
{
	struct kept_items *k = mem_zalloc(sizeof(*k));

	k->buckets = FIRST_BUCKETS;
	k->by_bytes = mem_zalloc(k->buckets * sizeof(struct kept_item *));
	k->by_id = mem_zalloc(k->buckets * sizeof(struct kept_item *));
	ident_random(k->seed, sizeof(k->seed));
	return k;
}

void kept_items_free(struct kept_items *k)
{
	if (!k)
		return;
	assert(k->count == 0);
	free(k->by_bytes);
	free(k->by_id);
	free(k);
}

/*
 * Eight bytes a step: whole conversations pass here with every answer. Seeded, so that a client
 * cannot choose pieces that share a bucket; what is equal is decided by the bytes.
 */
static uint64_t hash_of(const struct kept_items *k, struct kept_owner owner, struct sv text)
{
	uint64_t hash = k->seed[0] ^ owner.a ^ text.n;

	for (size_t at = 0; at < text.n; at += 8) {
		size_t left = text.n - at;
		uint64_t word = 0;

		memcpy(&word, text.p + at, left < 8 ? left : 8);
		hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
		hash ^= hash >> 32;
	}
	hash = (hash ^ k->seed[1]) * UINT64_C(0xD6E8FEB86659FD93);
	return hash ^ hash >> 29;
}

static bool is_owned(const struct kept_item *item, struct kept_owner owner)
{
	return item->owner.a == owner.a && item->owner.b == owner.b;
}

static size_t cost_of(const struct kept_item *item)
{
	return sizeof(*item) + item->n + ALLOCATION_COST;
}

static struct kept_item **bytes_bucket(const struct kept_items *k, uint64_t hash)
{
	return &k->by_bytes[hash & (k->buckets - 1)];
}

static struct kept_item **id_bucket(const struct kept_items *k, uint64_t hash)
{
	return &k->by_id[hash & (k->buckets - 1)];
}

/* Both tables are filled again from the back of each chain, so that what was put last stays first.
 */
static void refill(struct kept_items *k, struct kept_item *list)
{
	while (list) {
		struct kept_item *item = list, **at = bytes_bucket(k, item->hash);

		list = item->next;
		while (*at)
			at = &(*at)->next;
		item->next = NULL;
		*at = item;
	}
}

static void refill_ids(struct kept_items *k, struct kept_item *list)
{
	while (list) {
		struct kept_item *item = list, **at = id_bucket(k, item->id_hash);

		list = item->next_id;
		while (*at)
			at = &(*at)->next_id;
		item->next_id = NULL;
		*at = item;
	}
}

static void grow(struct kept_items *k)
{
	struct kept_item **by_bytes = k->by_bytes, **by_id = k->by_id;
	size_t old = k->buckets;

	k->buckets = old * 2;
	k->by_bytes = mem_zalloc(k->buckets * sizeof(struct kept_item *));
	k->by_id = mem_zalloc(k->buckets * sizeof(struct kept_item *));
	for (size_t i = 0; i < old; i++) {
		refill(k, by_bytes[i]);
		refill_ids(k, by_id[i]);
	}
	free(by_bytes);
	free(by_id);
}

static void name(struct kept_items *k, struct kept_item *item)
{
	struct kept_item **bucket;

	item->id_hash = hash_of(k, item->owner, sv_cstr(item->id));
	bucket = id_bucket(k, item->id_hash);
	item->next_id = *bucket;
	*bucket = item;
}

static void take_own_id(struct kept_items *k, struct kept_item *item, struct jv json)
{
	struct jv id = jv_get(json, SV("id"));
	struct sv text = jv_str_raw(id);

	if (text.n == 0 || text.n > KEPT_ID_MAX || !jv_str_is_plain(id))
		return;
	memcpy(item->id, text.p, text.n);
	item->has_own_id = true;
	name(k, item);
}

static struct kept_item *find_bytes(const struct kept_items *k, struct kept_owner owner,
	uint64_t hash, struct sv text, bool is_item)
{
	struct kept_item *item = *bytes_bucket(k, hash);

	while (item && !(item->hash == hash && item->is_item == is_item && is_owned(item, owner) &&
			       sv_eq(sv_make(item->bytes, item->n), text)))
		item = item->next;
	return item;
}

struct kept_item *kept_items_put(
	struct kept_items *k, struct kept_owner owner, struct jv json, bool is_item)
{
	struct sv text = jv_raw(json);
	uint64_t hash = hash_of(k, owner, text);
	struct kept_item *item = find_bytes(k, owner, hash, text, is_item);

	if (item) {
		item->refs++;
		return item;
	}
	item = mem_try_alloc(sizeof(*item) + text.n);
	if (!item)
		return NULL;
	*item = (struct kept_item){
		.owner = owner,
		.hash = hash,
		.refs = 1,
		.n = text.n,
		.is_item = is_item,
	};
	if (text.n)
		memcpy(item->bytes, text.p, text.n);
	if (k->count == k->buckets)
		grow(k);
	item->next = *bytes_bucket(k, item->hash);
	*bytes_bucket(k, item->hash) = item;
	k->count++;
	k->bytes += cost_of(item);
	if (is_item)
		take_own_id(k, item, json);
	return item;
}

void kept_items_drop(struct kept_items *k, struct kept_item *item)
{
	struct kept_item **at;

	if (!item || --item->refs)
		return;
	at = bytes_bucket(k, item->hash);
	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
	at = id_bucket(k, item->id_hash);
	while (item->id[0] && *at != item)
		at = &(*at)->next_id;
	if (item->id[0])
		*at = item->next_id;
	k->count--;
	k->bytes -= cost_of(item);
	free(item);
}

struct kept_item *kept_items_find(struct kept_items *k, struct kept_owner owner, struct sv id)
{
	uint64_t hash = hash_of(k, owner, id);
	struct kept_item *item = *id_bucket(k, hash);

	while (item &&
		!(item->id_hash == hash && is_owned(item, owner) && sv_eq(sv_cstr(item->id), id)))
		item = item->next_id;
	return item;
}

struct sv kept_items_name(struct kept_items *k, struct kept_item *item, struct sv prefix)
{
	char random[IDENT_HEX_SIZE];

	if (!item->id[0]) {
		ident_hex(random);
		snprintf(item->id, sizeof(item->id), "%.*s%s", prefix.n > 16 ? 16 : (int)prefix.n,
			prefix.p, random);
		name(k, item);
	}
	return sv_cstr(item->id);
}

bool kept_item_is_nameless(const struct kept_item *item)
{
	return !item->has_own_id;
}

struct jv kept_item_json(const struct kept_item *item)
{
	return jv_trusted(sv_make(item->bytes, item->n));
}

size_t kept_items_bytes(const struct kept_items *k)
{
	return k->bytes;
}
