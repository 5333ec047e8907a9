#include "sim/sim_accounts.h"

#include "sim/sim_models.h"
#include "sim/sim_script.h"
#include "sim/sim_tokens.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	HOUR_S = 3600,
	DAY_S = 86400,
	WINDOW_5H_S = 5 * HOUR_S,
	WINDOW_WEEK_S = 7 * DAY_S,
	WINDOW_MONTH_S = 30 * DAY_S,
	TOKEN_TTL_S = 10 * DAY_S,
	HEADERS_BYTES = 4096,
	ACCOUNTS_COUNT = 10000,
};

struct plan {
	struct sv name;
	double share; /* capacity of the primary window, plus = 1 */
	bool monthly; /* one 30-day window, no secondary */
};

static const struct plan PLANS[] = {
	{{"free", 4}, 0.15, true},
	{{"go", 2}, 1, false},
	{{"plus", 4}, 1, false},
	{{"team", 4}, 1, false},
	{{"business", 8}, 1, false},
	{{"edu", 3}, 1, false},
	{{"prolite", 7}, 5, false},
	{{"pro", 3}, 6.67, false},
	{{"enterprise", 10}, 6.67, false},
};

static const char *const STATES[] = {"ok", "deactivated", "suspended", "blocked", "unpaid"};

struct sim_accounts {
	struct sim *sim;
	struct sim_account **list;
	size_t count;
	uint64_t random; /* identities come from their own generator: they do not depend on use */
};

struct sim_accounts *sim_accounts_new(struct sim *sim)
{
	struct sim_accounts *t = mem_zalloc(sizeof(*t));

	t->sim = sim;
	t->random = sim->options.seed ^ UINT64_C(0xacc0ac0acc0);
	return t;
}

void sim_accounts_free(struct sim_accounts *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++) {
		sim_scripts_free(t->list[i]->scripts);
		sim_cache_free(t->list[i]->cache);
		buf_fini(&t->list[i]->headers);
		free(t->list[i]);
	}
	free(t->list);
	free(t);
}

static const struct plan *find_plan(struct sv name)
{
	for (size_t i = 0; i < ARRAY_LEN(PLANS); i++) {
		if (sv_eq(PLANS[i].name, name))
			return &PLANS[i];
	}
	return NULL;
}

bool sim_accounts_is_plan(struct sv plan)
{
	return find_plan(plan) != NULL;
}

bool sim_account_set_plan(struct sim_account *a, struct sv plan)
{
	const struct plan *p = find_plan(plan);
	int64_t now = sim_now_s(a->sim);

	if (!p)
		return false;
	memset(a->plan, 0, sizeof(a->plan));
	memcpy(a->plan, p->name.p, p->name.n);
	a->primary = (struct sim_window){true, 0, WINDOW_5H_S, now + WINDOW_5H_S, p->share};
	a->secondary = (struct sim_window){
		!p->monthly, 0, WINDOW_WEEK_S, now + WINDOW_WEEK_S, 10 * p->share};
	if (p->monthly) {
		a->primary.length_s = WINDOW_MONTH_S;
		a->primary.reset_at_s = now + WINDOW_MONTH_S;
	}
	return true;
}

void sim_account_login(struct sim_account *a)
{
	a->family = sim_tokens_new_family(a->sim->tokens);
	sim_account_rotate(a);
}

void sim_account_rotate(struct sim_account *a)
{
	a->access = sim_tokens_issue(a->sim, a, SIM_TOKEN_ACCESS, a->family);
	a->refresh = sim_tokens_issue(a->sim, a, SIM_TOKEN_REFRESH, a->family);
	a->id_token = sim_tokens_issue(a->sim, a, SIM_TOKEN_ID, a->family);
}

static void clear_account(struct sim_account *a)
{
	a->state = SIM_ACCOUNT_OK;
	a->credits = false;
	a->credits_unlimited = false;
	a->credits_balance[0] = '\0';
	a->reset_credits = 0;
	a->token_ttl_s = TOKEN_TTL_S;
	a->headers_key[3] = -1;
	sim_account_set_plan(a, sv_cstr(a->plan));
	sim_scripts_clear(a->scripts);
	sim_cache_clear(a->cache);
}

struct sim_account *sim_accounts_add(struct sim_accounts *t, struct sv plan)
{
	struct sim_account *a;

	if (t->count >= ACCOUNTS_COUNT || !sim_accounts_is_plan(plan))
		return NULL;
	a = mem_zalloc(sizeof(*a));
	a->sim = t->sim;
	a->index = (unsigned)t->count;
	snprintf(a->id, sizeof(a->id), "acct-%u", a->index + 1);
	snprintf(a->email, sizeof(a->email), "demo%u@example.com", a->index + 1);
	sim_ids_uuid(&t->random, a->uuid);
	snprintf(a->user_id, sizeof(a->user_id), "user-%016llx",
		(unsigned long long)sim_ids_next(&t->random));
	buf_init(&a->headers, HEADERS_BYTES);
	a->scripts = sim_scripts_new();
	a->cache = sim_cache_new();
	sim_account_set_plan(a, plan);
	clear_account(a);
	sim_account_login(a);
	t->list = mem_realloc(t->list, (t->count + 1) * sizeof(struct sim_account *));
	t->list[t->count++] = a;
	return a;
}

size_t sim_accounts_count(const struct sim_accounts *t)
{
	return t->count;
}

struct sim_account *sim_accounts_at(const struct sim_accounts *t, size_t index)
{
	return index < t->count ? t->list[index] : NULL;
}

struct sim_account *sim_accounts_find(const struct sim_accounts *t, struct sv name)
{
	for (size_t i = 0; i < t->count; i++) {
		struct sim_account *a = t->list[i];

		if (sv_eq(sv_cstr(a->id), name) || sv_eq(sv_cstr(a->email), name) ||
			sv_eq(sv_cstr(a->uuid), name))
			return a;
	}
	return NULL;
}

void sim_accounts_reset(struct sim_accounts *t)
{
	for (size_t i = 0; i < t->count; i++) {
		clear_account(t->list[i]);
		t->list[i]->requests = 0;
		t->list[i]->refreshes = 0;
	}
}

static void roll_window(struct sim_window *w, int64_t now)
{
	if (!w->present || now < w->reset_at_s)
		return;
	w->used_percent = 0;
	w->reset_at_s += ((now - w->reset_at_s) / w->length_s + 1) * w->length_s;
}

void sim_account_roll(struct sim_account *a)
{
	int64_t now = sim_now_s(a->sim);

	roll_window(&a->primary, now);
	roll_window(&a->secondary, now);
}

const struct sim_window *sim_account_full_window(struct sim_account *a)
{
	bool primary, secondary;

	sim_account_roll(a);
	primary = a->primary.present && a->primary.used_percent >= 100;
	secondary = a->secondary.present && a->secondary.used_percent >= 100;
	if (primary && secondary)
		return a->primary.reset_at_s > a->secondary.reset_at_s ? &a->primary
								       : &a->secondary;
	if (primary)
		return &a->primary;
	return secondary ? &a->secondary : NULL;
}

static void drain_window(struct sim_window *w, double tokens, double capacity)
{
	if (!w->present)
		return;
	w->used_percent += 100 * tokens / (capacity * w->capacity_share);
	if (w->used_percent > 100)
		w->used_percent = 100;
}

void sim_account_drain(struct sim_account *a, int64_t tokens)
{
	double capacity = (double)a->sim->settings.capacity_tokens;

	if (capacity <= 0)
		return;
	drain_window(&a->primary, (double)tokens, capacity);
	drain_window(&a->secondary, (double)tokens, capacity);
}

static void add_window_headers(
	struct buf *out, const char *name, const struct sim_window *w, int64_t now)
{
	if (!w->present)
		return;
	buf_addf(out, "x-codex-%s-used-percent: %.2f\r\n", name, w->used_percent);
	buf_addf(out, "x-codex-%s-window-minutes: %lld\r\n", name, (long long)w->length_s / 60);
	buf_addf(out, "x-codex-%s-reset-at: %lld\r\n", name, (long long)w->reset_at_s);
	buf_addf(out, "x-codex-%s-reset-after-seconds: %lld\r\n", name,
		(long long)(w->reset_at_s - now));
}

static void render_headers(struct sim_account *a, int64_t now)
{
	struct buf *out = &a->headers;
	char etag[SIM_MODELS_ETAG_SIZE];

	buf_reset(out, HEADERS_BYTES);
	buf_addf(out, "x-codex-plan-type: %s\r\n", a->plan);
	buf_addf(out, "x-codex-active-limit: codex\r\n");
	add_window_headers(out, "primary", &a->primary, now);
	add_window_headers(out, "secondary", &a->secondary, now);
	buf_addf(out, "x-codex-credits-has-credits: %s\r\n", a->credits ? "True" : "False");
	buf_addf(out, "x-codex-credits-unlimited: %s\r\n", a->credits_unlimited ? "True" : "False");
	if (a->credits_balance[0])
		buf_addf(out, "x-codex-credits-balance: %s\r\n", a->credits_balance);
	if (a->sim->settings.models_etag) {
		sim_models_etag(a, etag);
		buf_addf(out, "x-models-etag: %s\r\n", etag);
	}
}

struct sv sim_account_headers(struct sim_account *a)
{
	int64_t now = sim_now_s(a->sim);
	int64_t key[5];

	sim_account_roll(a);
	key[0] = (int64_t)(a->primary.used_percent * 100) * 2 + a->primary.present;
	key[1] = (int64_t)(a->secondary.used_percent * 100) * 2 + a->secondary.present;
	key[2] = a->primary.reset_at_s ^ (a->secondary.reset_at_s << 20);
	key[3] = now;
	key[4] = a->sim->settings.models_etag;
	if (memcmp(key, a->headers_key, sizeof(key)) != 0) {
		render_headers(a, now);
		memcpy(a->headers_key, key, sizeof(key));
	}
	return buf_sv(&a->headers);
}

static void write_window(struct jw *w, const struct sim_window *window)
{
	if (!window->present) {
		jw_null(w);
		return;
	}
	jw_obj(w);
	jw_key_lit(w, SV("used_percent"));
	jw_f64(w, window->used_percent);
	jw_ki64(w, "window_seconds", window->length_s);
	jw_ki64(w, "reset_at", window->reset_at_s);
	jw_end(w);
}

static void write_token_summary(struct jw *w, const struct sim_account *a)
{
	jw_ki64(w, "access_expires_at", a->access->expires_s);
	jw_ki64(w, "token_ttl_seconds", a->token_ttl_s);
	jw_kbool(w, "access_valid", a->access->state == SIM_TOKEN_VALID);
	jw_kbool(w, "refresh_valid", a->refresh->state == SIM_TOKEN_VALID);
}

void sim_account_write(struct sim_account *a, struct jw *w)
{
	sim_account_roll(a);
	jw_obj(w);
	jw_kstr(w, "id", sv_cstr(a->id));
	jw_kstr(w, "account_id", sv_cstr(a->uuid));
	jw_kstr(w, "user_id", sv_cstr(a->user_id));
	jw_kstr(w, "email", sv_cstr(a->email));
	jw_kstr(w, "plan", sv_cstr(a->plan));
	jw_kstr(w, "state", sv_cstr(sim_account_state_name(a->state)));
	jw_key_lit(w, SV("primary"));
	write_window(w, &a->primary);
	jw_key_lit(w, SV("secondary"));
	write_window(w, &a->secondary);
	write_token_summary(w, a);
	jw_ki64(w, "requests", (int64_t)a->requests);
	jw_ki64(w, "refreshes", (int64_t)a->refreshes);
	jw_ki64(w, "active", a->active);
	jw_ki64(w, "scripts", (int64_t)sim_scripts_count(a->scripts));
	jw_end(w);
}

const char *sim_account_state_name(enum sim_account_state state)
{
	return STATES[state];
}

bool sim_account_parse_state(struct sv name, enum sim_account_state *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(STATES); i++) {
		if (sv_eq(sv_cstr(STATES[i]), name)) {
			*ret = (enum sim_account_state)i;
			return true;
		}
	}
	return false;
}
