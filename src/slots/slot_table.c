#include "slots/slot_table.h"

#include "codex/plan.h"
#include "slots/affinity.h"
#include "slots/catalogue.h"
#include "slots/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	AFFINITY_IDLE_MS = 30 * 60 * 1000,
	PIN_PATIENCE_MS = 2 * 60 * 1000, /* a pin outlives a shorter cooldown of its slot */
};

struct slot_table {
	struct slot **slots;
	struct pick_candidate *candidates; /* scratch, as long as slots */
	size_t count, size;
	struct conf *conf;
	struct affinity *affinity;
	struct pick_turn turn;
	bool dirty;
	void (*on_dirty)(void *arg);
	void *on_dirty_arg;
	void (*on_capacity)(void *arg);
	void *on_capacity_arg;
	void (*on_change)(void *arg);
	void *on_change_arg;
};

struct slot_table *slot_table_new(void)
{
	struct slot_table *t = mem_zalloc(sizeof(*t));

	t->affinity = affinity_new(LIMIT_AFFINITY_COUNT, AFFINITY_IDLE_MS);
	return t;
}

void slot_table_free(struct slot_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++) {
		assert(t->slots[i]->inflight == 0);
		store_slot_free(t->slots[i]);
	}
	affinity_free(t->affinity);
	conf_unref(t->conf);
	free(t->candidates);
	free(t->slots);
	free(t);
}

void slot_table_configure(struct slot_table *t, struct conf *conf)
{
	conf_ref(conf);
	conf_unref(t->conf);
	t->conf = conf;
	if (t->on_capacity)
		t->on_capacity(t->on_capacity_arg);
}

size_t slot_table_count(const struct slot_table *t)
{
	return t->count;
}

struct slot *slot_table_at(struct slot_table *t, size_t index)
{
	assert(index < t->count);
	return t->slots[index];
}

static int index_of(const struct slot_table *t, const char *id)
{
	for (size_t i = 0; i < t->count; i++) {
		if (strcmp(t->slots[i]->id, id) == 0)
			return (int)i;
	}
	return -1;
}

struct slot *slot_table_find(struct slot_table *t, const char *id)
{
	int index = index_of(t, id);

	return index < 0 ? NULL : t->slots[index];
}

static void capacity_changed(struct slot_table *t)
{
	if (t->on_capacity)
		t->on_capacity(t->on_capacity_arg);
}

/* What we know of limits stays, unless the file knows newer (the CLI asked upstream, or a human).
 */
static void keep_usage(struct slot *s, struct slot *old)
{
	if (s->checked_at_ms > old->checked_at_ms)
		return;
	s->meters = old->meters;
	s->checked_at_ms = old->checked_at_ms;
}

static void keep_error(struct slot *s, const struct slot *old)
{
	bool of_file = sv_starts(sv_cstr(old->last_error), SV(SLOT_FILE_ERROR));

	/* The fresh one has just looked at the files. */
	if (secret_is_empty(&s->access))
		return;
	memcpy(s->last_error, old->last_error, sizeof(s->last_error));
	if (of_file)
		s->last_error[0] = '\0';
}

static bool is_same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Another backend has other models. */
static void keep_catalogue(struct slot *s, struct slot *old)
{
	if (!is_same_text(s->base_url, old->base_url))
		return;
	catalogue_free(s->catalogue);
	s->catalogue = old->catalogue;
	old->catalogue = NULL;
}

static void swap_secrets(struct secret *a, struct secret *b)
{
	const struct secret kept = *a;

	*a = *b;
	*b = kept;
}

/* What is known of the very grant that the file holds. */
static void keep_credential_state(struct slot *s, struct slot *old)
{
	char fingerprint[33], old_fingerprint[33];

	slot_grant_fingerprint(s, fingerprint);
	slot_grant_fingerprint(old, old_fingerprint);
	if (old->unsaved) {
		swap_secrets(&s->access, &old->access);
		swap_secrets(&s->refresh, &old->refresh);
		memcpy(s->token_fingerprint, old->token_fingerprint, sizeof(s->token_fingerprint));
		s->expires_ms = old->expires_ms;
		s->granted_ms = old->granted_ms;
		s->written_ms = old->written_ms;
		s->unsaved = true;
	} else if (strcmp(fingerprint, old_fingerprint) != 0) {
		slot_clear_error(s, SLOT_REFRESH_ERROR);
		return;
	}
	s->token_refused = old->token_refused;
	s->refresh_after_ms = old->refresh_after_ms;
	s->refresh_failures = old->refresh_failures;
	if (old->refresh_state == SLOT_REFRESH_IN_DOUBT || s->unsaved)
		s->refresh_state = old->refresh_state;
	/* The file may know more of it than we: another process had it refused. */
	if (!old->reauth_required)
		return;
	s->reauth_required = true;
	memcpy(s->refused_fingerprint, old->refused_fingerprint, sizeof(s->refused_fingerprint));
}

static void keep_runtime(struct slot *s, struct slot *old)
{
	s->cooldown_until_ms = old->cooldown_until_ms;
	memcpy(s->cooldown_reason, old->cooldown_reason, sizeof(s->cooldown_reason));
	s->last_used_ms = old->last_used_ms;
	s->failures = old->failures;
	s->transient_streak = old->transient_streak;
	memcpy(s->unsupported, old->unsupported, sizeof(s->unsupported));
	keep_credential_state(s, old);
	if (old->dead) {
		s->enabled = false;
		s->dead = true;
	}
	s->dirty = old->dirty;
}

/* What a lease points at stays where it is; the operator's part is replaced by the fresh slot's. */
static void adopt(struct slot *in_table, struct slot *fresh)
{
	const struct slot old = *in_table;
	bool enabled = fresh->enabled;

	*in_table = *fresh;
	*fresh = old;
	in_table->inflight = old.inflight;
	in_table->turn = old.turn;
	in_table->cooldowns = old.cooldowns;
	/* Who reads the file just now may have read an older one. */
	in_table->grants = old.grants + 1;
	/* Another account took the slot's place: what was learnt of the old one says nothing of it.
	 */
	if (!slot_is_account(in_table, fresh->account_id, fresh->user_id))
		return;
	keep_usage(in_table, fresh);
	keep_error(in_table, fresh);
	keep_runtime(in_table, fresh);
	keep_catalogue(in_table, fresh);
	if (in_table->reset_at_ms && in_table->reset_at_ms != fresh->reset_at_ms) {
		slot_reset(in_table);
		in_table->enabled = enabled;
	}
}

void slot_table_put(struct slot_table *t, struct slot *fresh)
{
	struct slot *old = slot_table_find(t, fresh->id);

	fresh->id_number = pick_id_number(fresh->id);
	if (old) {
		adopt(old, fresh);
		store_slot_free(fresh);
		capacity_changed(t);
		return;
	}
	assert(t->count < LIMIT_SLOTS_COUNT);
	if (t->count == t->size) {
		t->size = t->size ? t->size * 2 : 8;
		t->slots = mem_realloc(t->slots, t->size * sizeof(struct slot *));
		t->candidates = mem_realloc(t->candidates, t->size * sizeof(struct pick_candidate));
	}
	t->slots[t->count++] = fresh;
	capacity_changed(t);
}

static bool is_listed(const char *id, const char *const *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(id, ids[i]) == 0)
			return true;
	}
	return false;
}

void slot_table_retain(struct slot_table *t, const char *const *ids, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++) {
		struct slot *s = t->slots[i];

		if (is_listed(s->id, ids, count)) {
			t->slots[kept++] = s;
			continue;
		}
		s->removed = true;
		if (s->inflight == 0)
			store_slot_free(s);
	}
	t->count = kept;
	/* Who waits for a slot that is gone may have nothing left to wait for. */
	capacity_changed(t);
}

void slot_table_on_dirty(struct slot_table *t, void (*fn)(void *arg), void *arg)
{
	t->on_dirty = fn;
	t->on_dirty_arg = arg;
}

void slot_table_on_capacity(struct slot_table *t, void (*fn)(void *arg), void *arg)
{
	t->on_capacity = fn;
	t->on_capacity_arg = arg;
}

void slot_table_mark_dirty(struct slot_table *t, struct slot *s)
{
	s->dirty = true;
	if (t->on_dirty)
		t->on_dirty(t->on_dirty_arg);
}

void slot_table_on_change(struct slot_table *t, void (*fn)(void *arg), void *arg)
{
	t->on_change = fn;
	t->on_change_arg = arg;
}

void slot_table_changed(struct slot_table *t, struct slot *s)
{
	slot_table_mark_dirty(t, s);
	capacity_changed(t);
	if (t->on_change)
		t->on_change(t->on_change_arg);
}

static void set_windows(struct pick_candidate *c, const struct slot *s, int64_t now_ms)
{
	struct slot_window five = slot_window_at(s, METER_5H, now_ms);
	struct slot_window week = slot_window_at(s, METER_WEEK, now_ms);

	c->left_5h = five.left_pct;
	c->left_week = week.left_pct;
	c->resets_5h_ms = five.ends_ms;
	c->resets_week_ms = week.ends_ms;
	c->length_5h_ms = five.length_ms;
	c->length_week_ms = week.length_ms;
	/* The latest end over the windows that are used up. */
	c->recovers_ms = c->left_5h == 0 ? c->resets_5h_ms : 0;
	if (c->left_week == 0 && c->resets_week_ms > c->recovers_ms)
		c->recovers_ms = c->resets_week_ms;
}

/* Member by member, in place: this is most of what a choice costs, and copies double it. */
static void set_candidate(
	struct pick_candidate *c, const struct slot *s, uint64_t model_hash, int64_t now_ms)
{
	c->id = s->id;
	c->id_number = s->id_number;
	c->enabled = s->enabled;
	c->has_credential = !secret_is_empty(&s->access);
	c->reauth_required = s->reauth_required;
	c->expired = slot_needs_token(s, now_ms);
	c->token_at_ms = 0;
	if (c->expired && slot_can_refresh(s)) {
		c->expired = s->refresh_after_ms > now_ms;
		c->token_at_ms = s->refresh_after_ms;
	}
	c->tried = false;
	c->model_unsupported = model_hash && slot_model_is_unsupported(s, model_hash, now_ms);
	c->priority = s->priority;
	c->inflight = s->inflight;
	set_windows(c, s, now_ms);
	c->capacity = plan_capacity(s->meters.plan_type) * s->weight;
	c->cooldown_until_ms = s->cooldown_until_ms;
	c->last_used_ms = s->last_used_ms;
	c->turn.number = s->turn.number;
	c->turn.due = s->turn.due;
}

static void fill_candidates(struct slot_table *t, uint64_t model_hash, int64_t now_ms)
{
	for (size_t i = 0; i < t->count; i++)
		set_candidate(&t->candidates[i], t->slots[i], model_hash, now_ms);
}

static struct pick_options options_of(const struct slot_table *t, int64_t now_ms)
{
	return (struct pick_options){
		.policy = t->conf->policy,
		.min_5h_pct = t->conf->min_5h_pct,
		.min_week_pct = t->conf->min_week_pct,
		.concurrency = (unsigned)t->conf->slot_concurrency,
		.pinned = -1,
		.now_ms = now_ms,
		.turn = t->turn,
	};
}

struct pick_options slot_table_candidates(
	struct slot_table *t, int64_t now_ms, struct pick_candidate *ret)
{
	for (size_t i = 0; i < t->count; i++)
		set_candidate(&ret[i], t->slots[i], 0, now_ms);
	return options_of(t, now_ms);
}

enum pick_reason slot_table_reason(struct slot_table *t, size_t index, int64_t now_ms)
{
	struct pick_options options = options_of(t, now_ms);
	struct pick_candidate c;
	enum pick_reason reason;

	set_candidate(&c, t->slots[index], 0, now_ms);
	pick(&options, &c, 1, &reason, NULL);
	return reason;
}

size_t slot_table_eligible(struct slot_table *t, int64_t now_ms)
{
	size_t eligible = 0;

	for (size_t i = 0; i < t->count; i++) {
		enum pick_reason reason = slot_table_reason(t, i, now_ms);

		eligible += reason == PICK_CHOSEN || reason == PICK_BUSY;
	}
	return eligible;
}

int64_t slot_table_recovers_ms(struct slot_table *t, int64_t now_ms)
{
	struct pick_options options = options_of(t, now_ms);

	fill_candidates(t, 0, now_ms);
	for (size_t i = 0; i < t->count; i++)
		t->candidates[i].token_at_ms = 0;
	return pick(&options, t->candidates, t->count, NULL, NULL).recovers_ms;
}

/* Names a slot in the affinity table. */
static uint64_t slot_key(const struct slot *s)
{
	return sv_hash(sv_cstr(s->id), SV_HASH_SEED) | 1;
}

static void mark_tried(struct slot_table *t, const struct lease_request *r)
{
	for (size_t i = 0; i < t->count; i++) {
		for (size_t k = 0; k < r->tried_count; k++)
			t->candidates[i].tried |= t->slots[i] == r->tried[k];
	}
}

/* Slots to which upstream does not offer the model. */
static void mark_lacking(struct slot_table *t, const struct lease_request *r)
{
	uint64_t hash = sv_hash(r->model, SV_HASH_SEED);

	for (size_t i = 0; !r->any_catalogue && i < t->count; i++)
		t->candidates[i].model_unsupported |=
			catalogue_lacks(t->slots[i]->catalogue, hash, r->now_ms);
}

static int pinned_index(struct slot_table *t, const struct lease_request *r)
{
	uint64_t key = r->session.n ? affinity_get(t->affinity, r->session, r->now_ms) : 0;

	for (size_t i = 0; key && i < t->count; i++) {
		if (slot_key(t->slots[i]) == key)
			return (int)i;
	}
	return -1;
}

/* A pin moves only when its slot cannot serve soon: a short cooldown or a full slot keeps it. */
static bool pin_should_move(
	const struct slot_table *t, int pinned, enum pick_reason why, int64_t now_ms)
{
	if (why == PICK_BUSY || why == PICK_MODEL)
		return false;
	if (why == PICK_COOLDOWN || why == PICK_TRIED)
		return t->slots[pinned]->cooldown_until_ms - now_ms > PIN_PATIENCE_MS;
	return true;
}

static void update_pin(struct slot_table *t, const struct lease_request *r, int pinned,
	const struct lease_report *report)
{
	const struct slot *chosen = t->slots[report->pick.chosen];

	if (r->session.n == 0 || pinned == report->pick.chosen)
		return;
	if (pinned >= 0 && !pin_should_move(t, pinned, report->reasons[pinned], r->now_ms))
		return;
	affinity_put(t->affinity, r->session, slot_key(chosen), r->now_ms);
}

int slot_table_lease(struct slot_table *t, const struct lease_request *r, struct lease *ret,
	struct lease_report *report)
{
	struct pick_options options = options_of(t, r->now_ms);
	int pinned;

	fill_candidates(t, sv_hash(r->model, SV_HASH_SEED), r->now_ms);
	mark_tried(t, r);
	mark_lacking(t, r);
	pinned = pinned_index(t, r);
	options.pinned = pinned;
	report->count = t->count;
	report->policy = options.policy;
	report->pick = pick(&options, t->candidates, t->count, report->reasons, report->scores);
	report->moved = pinned >= 0 && report->pick.chosen >= 0 && report->pick.chosen != pinned;
	if (report->pick.chosen < 0)
		return report->pick.any_busy ? -EAGAIN : -ENOENT;
	update_pin(t, r, pinned, report);
	t->turn = report->pick.table_turn;
	t->slots[report->pick.chosen]->turn = report->pick.slot_turn;
	ret->slot = t->slots[report->pick.chosen];
	ret->table = t;
	ret->cooldowns = ret->slot->cooldowns;
	ret->slot->inflight++;
	return 0;
}

bool slot_table_lacks_model(struct slot_table *t, struct sv model, int64_t now_ms)
{
	uint64_t hash = sv_hash(model, SV_HASH_SEED);
	size_t enabled = 0;

	for (size_t i = 0; i < t->count; i++) {
		const struct slot *s = t->slots[i];

		if (!s->enabled)
			continue;
		if (!catalogue_lacks(s->catalogue, hash, now_ms))
			return false;
		enabled++;
	}
	return enabled > 0;
}

bool slot_table_could_lease(struct slot_table *t, const struct lease_request *r)
{
	struct pick_options options = options_of(t, r->now_ms);
	struct pick_result result;

	fill_candidates(t, sv_hash(r->model, SV_HASH_SEED), r->now_ms);
	mark_tried(t, r);
	mark_lacking(t, r);
	result = pick(&options, t->candidates, t->count, NULL, NULL);
	return result.chosen >= 0 || result.any_busy;
}

void slot_table_remember(struct slot_table *t, struct sv key, const struct slot *s, int64_t now_ms)
{
	affinity_put(t->affinity, key, slot_key(s), now_ms);
}

bool slot_table_came_from(struct slot_table *t, struct sv key, const struct slot *s, int64_t now_ms)
{
	return affinity_get(t->affinity, key, now_ms) == slot_key(s);
}

void lease_note(struct lease *l, const struct slot_verdict *v, int64_t now_ms)
{
	struct cooldown_conf conf = {
		.generic_s = l->table->conf->cooldown_generic_s,
		.quota_s = l->table->conf->cooldown_quota_s,
	};

	struct slot_verdict verdict = *v;

	verdict.outdated = l->cooldowns != l->slot->cooldowns;
	slot_apply_verdict(l->slot, &verdict, &conf, now_ms);
	l->cooldowns = l->slot->cooldowns;
	slot_table_mark_dirty(l->table, l->slot);
}

void lease_release(struct lease *l, const struct slot_verdict *v, int64_t now_ms)
{
	struct slot *slot = l->slot;

	if (!slot)
		return;
	lease_note(l, v, now_ms);
	assert(slot->inflight > 0);
	slot->inflight--;
	l->slot = NULL;
	if (slot->removed && slot->inflight == 0)
		store_slot_free(slot);
	capacity_changed(l->table);
}

void lease_meters(struct lease *l, const struct meters *m, int64_t now_ms)
{
	meters_merge(&l->slot->meters, m);
	l->slot->checked_at_ms = now_ms;
	slot_table_mark_dirty(l->table, l->slot);
}
