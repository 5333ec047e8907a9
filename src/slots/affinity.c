#include "slots/affinity.h"

#include "base/ident.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdlib.h>

enum { BUCKETS = 16384, KEY_BYTES = 16, SEED_BYTES = 32 };

struct entry {
	struct entry *chain;	     /* next in the bucket */
	struct entry *newer, *older; /* use order */
	int64_t used_ms;
	uint64_t slot;
	unsigned char key[KEY_BYTES];
};

struct affinity {
	struct entry **buckets;
	struct entry *newest, *oldest;
	size_t count, max_entries;
	int64_t idle_ms;
	unsigned char seed[SEED_BYTES];
};

struct affinity *affinity_new(size_t max_entries, int64_t idle_ms)
{
	struct affinity *a = mem_zalloc(sizeof(*a));
	int ok = RAND_bytes(a->seed, sizeof(a->seed));

	assert(ok == 1);
	assert(max_entries > 0);
	a->buckets = mem_zalloc(BUCKETS * sizeof(struct entry *));
	a->max_entries = max_entries;
	a->idle_ms = idle_ms;
	return a;
}

/* A seeded SHA-256: nobody outside can choose keys that share a bucket or a digest. */
static void digest_key(const struct affinity *a, struct sv key, unsigned char out[KEY_BYTES])
{
	unsigned char digest[IDENT_SHA256_BYTES];
	unsigned char text[SEED_BYTES + 512];

	if (key.n > sizeof(text) - SEED_BYTES)
		key.n = sizeof(text) - SEED_BYTES;
	memcpy(text, a->seed, SEED_BYTES);
	if (key.n)
		memcpy(text + SEED_BYTES, key.p, key.n);
	ident_sha256(sv_make((const char *)text, SEED_BYTES + key.n), digest);
	memcpy(out, digest, KEY_BYTES);
}

static struct entry **bucket_of(const struct affinity *a, const unsigned char key[KEY_BYTES])
{
	return &a->buckets[(key[0] | (size_t)key[1] << 8) % BUCKETS];
}

static void order_remove(struct affinity *a, struct entry *e)
{
	if (e->newer)
		e->newer->older = e->older;
	else
		a->newest = e->older;
	if (e->older)
		e->older->newer = e->newer;
	else
		a->oldest = e->newer;
}

static void order_add(struct affinity *a, struct entry *e)
{
	e->newer = NULL;
	e->older = a->newest;
	if (a->newest)
		a->newest->newer = e;
	else
		a->oldest = e;
	a->newest = e;
}

static void drop(struct affinity *a, struct entry *e)
{
	struct entry **at = bucket_of(a, e->key);

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	order_remove(a, e);
	a->count--;
	free(e);
}

static void drop_expired(struct affinity *a, int64_t now_ms)
{
	while (a->oldest && now_ms - a->oldest->used_ms > a->idle_ms)
		drop(a, a->oldest);
}

static struct entry *find(struct affinity *a, const unsigned char key[KEY_BYTES])
{
	struct entry *e = *bucket_of(a, key);

	while (e && memcmp(e->key, key, KEY_BYTES) != 0)
		e = e->chain;
	return e;
}

static void touch(struct affinity *a, struct entry *e, int64_t now_ms)
{
	e->used_ms = now_ms;
	order_remove(a, e);
	order_add(a, e);
}

uint64_t affinity_get(struct affinity *a, struct sv key, int64_t now_ms)
{
	unsigned char digest[KEY_BYTES];
	struct entry *e;

	drop_expired(a, now_ms);
	digest_key(a, key, digest);
	e = find(a, digest);
	if (!e)
		return 0;
	touch(a, e, now_ms);
	return e->slot;
}

static struct entry *insert(struct affinity *a, const unsigned char key[KEY_BYTES])
{
	struct entry **bucket = bucket_of(a, key);
	struct entry *e = mem_zalloc(sizeof(*e));

	memcpy(e->key, key, KEY_BYTES);
	e->chain = *bucket;
	*bucket = e;
	order_add(a, e);
	a->count++;
	return e;
}

void affinity_put(struct affinity *a, struct sv key, uint64_t slot, int64_t now_ms)
{
	unsigned char digest[KEY_BYTES];
	struct entry *e;

	drop_expired(a, now_ms);
	digest_key(a, key, digest);
	e = find(a, digest);
	if (!e) {
		if (a->count == a->max_entries)
			drop(a, a->oldest);
		e = insert(a, digest);
	}
	e->slot = slot;
	touch(a, e, now_ms);
}

size_t affinity_count(const struct affinity *a)
{
	return a->count;
}

void affinity_free(struct affinity *a)
{
	if (!a)
		return;
	while (a->oldest)
		drop(a, a->oldest);
	free(a->buckets);
	free(a);
}
