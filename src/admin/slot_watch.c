#include "admin/slot_watch.h"

#include "base/ident.h"

#include <stdlib.h>

struct seen {
	char id[LIMIT_SLOT_ID_BYTES];
	uint64_t groups[SLOT_GROUPS];
};

struct slot_watch {
	struct seen *seen; /* in the table's order */
	size_t count;
	uint64_t seed; /* tokens are hashed: not so that anybody could compare */
};

static const char *const group_names[] = {
	[SLOT_GROUP_STATE] = "state",
	[SLOT_GROUP_COOLDOWN] = "cooldown",
	[SLOT_GROUP_USAGE] = "usage",
	[SLOT_GROUP_CREDENTIAL] = "credential",
	[SLOT_GROUP_SETTINGS] = "settings",
};

const char *slot_group_name(enum slot_group group)
{
	return group_names[group];
}

struct slot_watch *slot_watch_new(void)
{
	struct slot_watch *w = mem_zalloc(sizeof(*w));
	char random[IDENT_HEX_SIZE];

	ident_hex(random);
	w->seed = sv_hash(sv_cstr(random), SV_HASH_SEED);
	return w;
}

void slot_watch_free(struct slot_watch *w)
{
	if (!w)
		return;
	free(w->seen);
	free(w);
}

static uint64_t add(uint64_t hash, const void *p, size_t n)
{
	return sv_hash(sv_make(p, n), hash);
}

static uint64_t add_i64(uint64_t hash, int64_t value)
{
	return add(hash, &value, sizeof(value));
}

static uint64_t add_text(uint64_t hash, const char *text)
{
	struct sv view = sv_cstr(text);

	return sv_hash(view, add_i64(hash, (int64_t)view.n));
}

static uint64_t usage_hash(const struct slot *s, uint64_t hash, int64_t now_ms)
{
	const enum meter_kind kinds[] = {METER_5H, METER_WEEK};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		double left = slot_left_pct(s, kinds[i], now_ms);

		hash = add(hash, &left, sizeof(left));
		hash = add_i64(hash, slot_window_ends_ms(s, kinds[i]));
	}
	return add_text(hash, s->meters.plan_type);
}

static uint64_t credential_hash(const struct slot *s, uint64_t hash)
{
	hash = sv_hash(secret_expose(&s->access), hash);
	hash = add_i64(hash, s->expires_ms);
	hash = add_i64(hash, s->reauth_required);
	hash = add_i64(hash, s->token_refused);
	hash = add_i64(hash, slot_can_refresh(s));
	hash = add_i64(hash, s->refresh_state);
	hash = add_i64(hash, s->refresh_after_ms);
	return add_text(hash, s->account_id);
}

static void look_at(const struct slot_watch *w, const struct slot *s, enum pick_reason reason,
	int64_t now_ms, struct seen *ret)
{
	uint64_t *g = ret->groups;

	memcpy(ret->id, s->id, sizeof(ret->id));
	g[SLOT_GROUP_STATE] = add_i64(add_i64(w->seed, reason), s->enabled);
	g[SLOT_GROUP_COOLDOWN] =
		add_text(add_text(add_i64(add_i64(w->seed, s->cooldown_until_ms), s->failures),
				 s->cooldown_reason),
			s->last_error);
	g[SLOT_GROUP_USAGE] = usage_hash(s, w->seed, now_ms);
	g[SLOT_GROUP_CREDENTIAL] = credential_hash(s, w->seed);
	g[SLOT_GROUP_SETTINGS] = add_text(w->seed, s->label);
}

static struct seen *look_at_all(
	const struct slot_watch *w, struct slot_table *t, int64_t now_ms, enum pick_reason *reasons)
{
	size_t count = slot_table_count(t);
	struct seen *all = mem_zalloc((count + 1) * sizeof(*all));

	for (size_t i = 0; i < count; i++) {
		enum pick_reason reason = slot_table_reason(t, i, now_ms);

		look_at(w, slot_table_at(t, i), reason, now_ms, &all[i]);
		if (reasons)
			reasons[i] = reason;
	}
	return all;
}

static void take(struct slot_watch *w, struct seen *all, size_t count)
{
	free(w->seen);
	w->seen = all;
	w->count = count;
}

void slot_watch_forget(struct slot_watch *w, struct slot_table *t, int64_t now_ms)
{
	take(w, look_at_all(w, t, now_ms, NULL), slot_table_count(t));
}

/* Most often it has the place that it had. */
static const struct seen *find(const struct seen *all, size_t count, const char *id, size_t guess)
{
	if (guess < count && strcmp(all[guess].id, id) == 0)
		return &all[guess];
	for (size_t i = 0; i < count; i++) {
		if (strcmp(all[i].id, id) == 0)
			return &all[i];
	}
	return NULL;
}

static unsigned differences(const struct seen *a, const struct seen *b)
{
	unsigned groups = 0;

	for (unsigned g = 0; g < SLOT_GROUPS; g++) {
		if (a->groups[g] != b->groups[g])
			groups |= 1u << g;
	}
	return groups;
}

void slot_watch_look(struct slot_watch *w, struct slot_table *t, int64_t now_ms,
	const struct slot_watch_ops *ops, void *arg)
{
	size_t count = slot_table_count(t);
	enum pick_reason reasons[LIMIT_SLOTS_COUNT];
	struct seen *all = look_at_all(w, t, now_ms, reasons);

	for (size_t i = 0; i < count; i++) {
		const struct seen *before = find(w->seen, w->count, all[i].id, i);
		unsigned groups = before ? differences(before, &all[i]) : 0;

		if (!before || groups)
			ops->on_slot(arg, slot_table_at(t, i), reasons[i], groups);
	}
	for (size_t i = 0; i < w->count; i++) {
		if (!find(all, count, w->seen[i].id, i))
			ops->on_removed(arg, w->seen[i].id);
	}
	take(w, all, count);
}
