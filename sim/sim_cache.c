#include "sim/sim_cache.h"

#include "base/limits.h"

#include <stdlib.h>

enum { CACHE_KEYS = 64 };
#define CACHE_PROMPT_BYTES MIB(1)

struct entry {
	uint64_t key;
	uint64_t used; /* 0: free */
	struct buf prompt;
};

struct sim_cache {
	struct entry entries[CACHE_KEYS];
	uint64_t clock;
};

struct sim_cache *sim_cache_new(void)
{
	struct sim_cache *c = mem_zalloc(sizeof(*c));

	for (size_t i = 0; i < CACHE_KEYS; i++)
		buf_init(&c->entries[i].prompt, CACHE_PROMPT_BYTES);
	return c;
}

void sim_cache_clear(struct sim_cache *c)
{
	for (size_t i = 0; i < CACHE_KEYS; i++) {
		c->entries[i].used = 0;
		buf_reset(&c->entries[i].prompt, 0);
	}
}

void sim_cache_free(struct sim_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CACHE_KEYS; i++)
		buf_fini(&c->entries[i].prompt);
	free(c);
}

/* The entry of key, or the one to give up for it (emptied). */
static struct entry *find_entry(struct sim_cache *c, uint64_t key)
{
	struct entry *oldest = &c->entries[0];

	for (size_t i = 0; i < CACHE_KEYS; i++) {
		struct entry *e = &c->entries[i];

		if (e->used && e->key == key)
			return e;
		if (e->used < oldest->used)
			oldest = e;
	}
	buf_reset(&oldest->prompt, CACHE_PROMPT_BYTES);
	oldest->key = key;
	return oldest;
}

static size_t common_prefix(struct sv a, struct sv b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	size_t i = 0;

	while (i + 64 <= n && memcmp(a.p + i, b.p + i, 64) == 0)
		i += 64;
	while (i < n && a.p[i] == b.p[i])
		i++;
	return i;
}

size_t sim_cache_use(struct sim_cache *c, struct sv key, const struct sv *parts, size_t count)
{
	struct entry *e = find_entry(c, sv_hash(key, SV_HASH_SEED));
	size_t shared = 0;

	for (size_t i = 0; i < count; i++) {
		size_t n = common_prefix(sv_from(buf_sv(&e->prompt), shared), parts[i]);

		shared += n;
		if (n < parts[i].n)
			break;
	}
	buf_truncate(&e->prompt, shared);
	for (size_t i = 0, at = 0; i < count; at += parts[i].n, i++) {
		size_t skip = shared > at ? shared - at : 0;
		size_t room = CACHE_PROMPT_BYTES - e->prompt.len;
		struct sv rest = sv_from(parts[i], skip < parts[i].n ? skip : parts[i].n);

		buf_add(&e->prompt, rest.p, rest.n < room ? rest.n : room);
	}
	e->used = ++c->clock;
	return shared;
}
