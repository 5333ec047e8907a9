/*
 * Two weeks of simulated clock: seven slots of different plans, their windows and tokens at a model
 * of upstream, steady traffic, and failures. The planners say what is due next, what upstream would
 * answer goes through the real parsers and the real functions that apply it, and after every step
 * all promises are checked.
 */
#include "rig.h"

#include "slots/refresh_plan.h"
#include "slots/slot_usage.h"
#include "slots/usage_plan.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

enum {
	SLOTS = 7,
	DAYS = 14,
	TTL_S = 300,
	TOKEN_LIFE_DAYS = 10,
	REQUEST_EVERY_MIN = 3,
	WINDOWS = 2,
};

/* --- upstream --- */

struct truth {
	int64_t length_ms; /* 0: no such window */
	double used, per_request;
	int64_t resets_ms;
};

struct account {
	const char *plan;
	struct truth window[WINDOWS]; /* primary, secondary */
	unsigned usage_fails;	      /* of a hundred questions */
	bool silent;		      /* answers have no limit headers */
	bool disabled;

	/* Ours: what the relay keeps beside the slot. */
	struct poll_state poll;
	int64_t was_reset_ms; /* when upstream gave it new windows before their time */
	unsigned polls, refreshes, refusals, served;
};

struct world {
	int64_t now_ms;
	uint64_t random;
	struct slot_table *table;
	struct account accounts[SLOTS];
	int64_t next_request_ms;
	unsigned starved; /* requests that found no slot */
};

static const struct account first_accounts[SLOTS] = {
	{.plan = "plus", .window = {{5 * HOUR_MS, 0, 4, 0}, {7 * DAY_MS, 0, 0.4, 0}}},
	{.plan = "pro", .window = {{5 * HOUR_MS, 0, 2, 0}, {7 * DAY_MS, 0, 0.2, 0}}},
	{.plan = "free", .window = {{30 * DAY_MS, 40, 1, 0}}},
	{.plan = "business", .window = {{DAY_MS, 0, 3, 0}, {8 * DAY_MS, 50, 0.5, 0}}},
	/* Whose usage nobody ever learns. */
	{.plan = "team", .usage_fails = 100, .silent = true},
	{.plan = "plus",
		.window = {{5 * HOUR_MS, 0, 4, 0}, {7 * DAY_MS, 0, 0.4, 0}},
		.disabled = true},
	{.plan = "edu",
		.window = {{5 * HOUR_MS, 0, 4, 0}, {7 * DAY_MS, 0, 0.4, 0}},
		.usage_fails = 30},
};

/* Of a hundred. */
static bool happens(struct world *w, unsigned percent)
{
	w->random = w->random * UINT64_C(6364136223846793005) + 1;
	return (w->random >> 33) % 100 < percent;
}

static void roll(struct truth *t, int64_t now_ms)
{
	while (t->length_ms && t->resets_ms <= now_ms) {
		t->resets_ms += t->length_ms;
		t->used = 0;
	}
}

static void roll_all(struct world *w)
{
	for (size_t i = 0; i < SLOTS * WINDOWS; i++)
		roll(&w->accounts[i / WINDOWS].window[i % WINDOWS], w->now_ms);
}

static bool is_full(const struct truth *t)
{
	return t->length_ms && t->used >= 100;
}

/* Latest reset of the windows that are full; 0 none. */
static int64_t full_until_ms(const struct account *a)
{
	int64_t until_ms = 0;

	for (size_t i = 0; i < WINDOWS; i++) {
		if (is_full(&a->window[i]) && a->window[i].resets_ms > until_ms)
			until_ms = a->window[i].resets_ms;
	}
	return until_ms;
}

static void add_window(struct buf *out, const char *name, const struct truth *t)
{
	if (!t->length_ms)
		buf_addf(out, "\"%s\":null", name);
	else
		buf_addf(out,
			"\"%s\":{\"used_percent\":%.2f,\"limit_window_seconds\":%lld,"
			"\"reset_at\":%lld}",
			name, t->used, (long long)t->length_ms / 1000,
			(long long)t->resets_ms / 1000);
}

/* GET /wham/usage. */
static bool usage_of(const struct account *a, int64_t now_ms, struct meters *ret)
{
	struct buf body;
	struct jv root;
	bool told;

	buf_init(&body, KIB(4));
	buf_addf(&body, "{\"plan_type\":\"%s\",\"rate_limit\":{", a->plan);
	add_window(&body, "primary_window", &a->window[0]);
	buf_add_char(&body, ',');
	add_window(&body, "secondary_window", &a->window[1]);
	buf_add_lit(&body, "}}");
	assert_int_equal(jv_parse(buf_sv(&body), 8, &root, NULL), 0);
	told = meters_from_usage(root, now_ms / 1000, ret);
	buf_fini(&body);
	return told;
}

/* x-codex-* of an answer. */
static bool headers_of(const struct account *a, int64_t now_ms, struct meters *ret)
{
	static const char *const places[WINDOWS] = {"primary", "secondary"};
	char names[WINDOWS * 3][64], values[WINDOWS * 3][32];
	struct http_header headers[WINDOWS * 3];
	size_t n = 0;

	for (size_t i = 0; i < WINDOWS; i++) {
		const struct truth *t = &a->window[i];
		const char *const fields[] = {"used-percent", "window-minutes", "reset-at"};
		const double told[] = {
			t->used, (double)(t->length_ms / MINUTE_MS), (double)(t->resets_ms / 1000)};

		for (size_t k = 0; t->length_ms && k < ARRAY_LEN(fields); k++, n++) {
			snprintf(names[n], sizeof(names[n]), "x-codex-%s-%s", places[i], fields[k]);
			snprintf(values[n], sizeof(values[n]), "%.2f", told[k]);
			headers[n] = (struct http_header){sv_cstr(names[n]), sv_cstr(values[n])};
		}
	}
	return !a->silent && meters_from_headers(headers, n, now_ms / 1000, ret);
}

/* --- what the relay does --- */

static struct slot *slot_of(struct world *w, size_t i)
{
	return slot_table_at(w->table, i);
}

static int64_t usage_due_ms(struct world *w, size_t i)
{
	const struct usage_plan plan = usage_plan_of(slot_of(w, i), &w->accounts[i].poll);

	return usage_plan_due_ms(&plan, TTL_S * 1000, w->now_ms);
}

static void poll_usage(struct world *w, size_t i)
{
	struct account *a = &w->accounts[i];
	struct slot *s = slot_of(w, i);
	struct meters meters;
	const struct slot_usage news = {
		.meters = &meters,
		.is_whole = true,
		.limit_reached = full_until_ms(a) != 0,
		.asked_ms = w->now_ms,
		.cooldowns = s->cooldowns,
	};

	a->polls++;
	if (happens(w, a->usage_fails)) {
		int64_t asked_ms = happens(w, 50) ? w->now_ms + 10 * MINUTE_MS : 0;
		enum pick_reason before = slot_table_reason(w->table, i, w->now_ms);

		poll_note_failure(&a->poll, asked_ms, w->now_ms);
		assert_int_equal(slot_table_reason(w->table, i, w->now_ms), before);
		return;
	}
	assert_true(usage_of(a, w->now_ms, &meters));
	slot_usage_apply(s, &news, w->now_ms);
	poll_note_answer(&a->poll, w->now_ms);
}

static void grant(struct slot *s, int64_t now_ms)
{
	s->granted_ms = now_ms;
	s->expires_ms = now_ms + TOKEN_LIFE_DAYS * DAY_MS;
	s->refresh_after_ms = 0;
	s->refresh_failures = 0;
}

static void refresh(struct world *w, size_t i)
{
	struct slot *s = slot_of(w, i);

	w->accounts[i].refreshes++;
	if (happens(w, 20))
		s->refresh_after_ms = w->now_ms + refresh_plan_backoff_ms(++s->refresh_failures, 0);
	else
		grant(s, w->now_ms);
}

static size_t index_of(struct world *w, const struct slot *s)
{
	size_t i = 0;

	while (slot_of(w, i) != s)
		i++;
	return i;
}

/* Runs on a slot: served, or refused because a window is full. */
static void run_request(struct world *w, struct lease *lease)
{
	struct account *a = &w->accounts[index_of(w, lease->slot)];
	int64_t full_ms = full_until_ms(a);
	/* The silent one is now and then refused without a word about the time. */
	bool refused = full_ms || (a->silent && happens(w, 5));
	struct failure f = {.class = FAILURE_RATE_LIMIT, .until_ms = full_ms};
	struct meters meters;
	struct slot_verdict v = {.kind = refused ? VERDICT_FAILURE : VERDICT_SUCCESS};

	for (size_t i = 0; !refused && i < WINDOWS; i++) {
		struct truth *t = &a->window[i];

		t->used = t->used + t->per_request > 100 ? 100 : t->used + t->per_request;
	}
	v.failure = refused ? &f : NULL;
	v.meters = headers_of(a, w->now_ms, &meters) ? &meters : NULL;
	a->refusals += refused;
	a->served += !refused;
	lease_release(lease, &v, w->now_ms);
}

/* The account's owner uses it himself: the relay finds out by a refusal, or by its next poll. */
static void use_elsewhere(struct world *w)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct truth *t = &w->accounts[i].window[happens(w, 10)];

		if (t->length_ms && happens(w, 3))
			t->used = 100;
	}
}

static void send_request(struct world *w)
{
	const struct lease_request r = {.model = SV("gpt-5.5"), .now_ms = w->now_ms};
	struct lease_report report;
	struct lease lease = {0};

	if (slot_table_lease(w->table, &r, &lease, &report) == 0) {
		run_request(w, &lease);
		return;
	}
	/* Somebody is told when to come again: then there must be a slot. */
	w->starved++;
	assert_true(report.pick.recovers_ms > w->now_ms);
	assert_true(slot_table_eligible(w->table, report.pick.recovers_ms) > 0);
}

/* --- what must hold --- */

static bool is_of_kind(const struct truth *t, enum meter_kind kind)
{
	enum meter_kind is = meter_kind_of(t->length_ms / MINUTE_MS, false);

	return is == kind || (is == METER_MONTH && kind == METER_WEEK);
}

/* Right after its reset a window is full of use again in the relay's eyes. */
static void check_window(struct world *w, size_t i, const struct truth *t)
{
	int64_t began_ms = t->resets_ms - t->length_ms;

	for (enum meter_kind kind = METER_5H; kind <= METER_WEEK; kind++) {
		double left = slot_left_pct(slot_of(w, i), kind, w->now_ms);

		if (!t->length_ms || !is_of_kind(t, kind) || left < 0)
			continue;
		if (w->now_ms - began_ms < 2 * MINUTE_MS && left < 100 - t->used - 0.5)
			fail_msg("slot %zu, %lld s after its reset: %g %% left, really %g", i + 1,
				(long long)(w->now_ms - began_ms) / 1000, left, 100 - t->used);
		if (left == 0 && !is_full(t) &&
			w->now_ms - w->accounts[i].was_reset_ms > TTL_S * 1300)
			fail_msg("slot %zu counts as exhausted, but is not", i + 1);
	}
}

static void check_cooldown(struct world *w, size_t i)
{
	const struct account *a = &w->accounts[i];
	const struct slot *s = slot_of(w, i);
	int64_t full_ms = full_until_ms(a);

	if (s->cooldown_until_ms <= w->now_ms)
		return;
	if (a->silent) {
		assert_true(s->cooldown_until_ms - w->now_ms <= 300 * 1000);
		return;
	}
	/* Until a poll has told that upstream gave new windows. */
	if (a->was_reset_ms && w->now_ms - a->was_reset_ms < TTL_S * 1300)
		return;
	if (s->cooldown_until_ms > full_ms)
		fail_msg("slot %zu is in cooldown for %lld s longer than upstream said", i + 1,
			(long long)(s->cooldown_until_ms -
				    (full_ms > w->now_ms ? full_ms : w->now_ms)) /
				1000);
}

static void check(struct world *w)
{
	for (size_t i = 0; i < SLOTS; i++) {
		const struct account *a = &w->accounts[i];
		const struct slot *s = slot_of(w, i);
		enum pick_reason reason = slot_table_reason(w->table, i, w->now_ms);

		if (s->expires_ms <= w->now_ms)
			fail_msg("the token of slot %zu has expired", i + 1);
		for (size_t k = 0; k < WINDOWS; k++)
			check_window(w, i, &a->window[k]);
		check_cooldown(w, i);
		if (a->silent && reason != PICK_CHOSEN && reason != PICK_COOLDOWN)
			fail_msg("unknown usage blocks slot %zu: %s", i + 1,
				pick_reason_name(reason));
	}
}

/* --- the clock --- */

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The next moment at which somebody has to do something, or a promise falls due. */
static int64_t next_step_ms(struct world *w)
{
	int64_t next_ms = w->next_request_ms;

	for (size_t i = 0; i < SLOTS; i++) {
		const struct account *a = &w->accounts[i];

		next_ms = sooner(next_ms, usage_due_ms(w, i));
		next_ms = sooner(next_ms, refresh_plan_next_ms(slot_of(w, i), 7, w->now_ms));
		for (size_t k = 0; k < WINDOWS; k++) {
			if (a->window[k].length_ms)
				next_ms = sooner(next_ms, a->window[k].resets_ms);
		}
	}
	return next_ms > w->now_ms ? next_ms : w->now_ms + 1;
}

static void step(struct world *w)
{
	w->now_ms = next_step_ms(w);
	roll_all(w);
	check(w);
	for (size_t i = 0; i < SLOTS; i++) {
		if (refresh_plan_next_ms(slot_of(w, i), 7, w->now_ms) <= w->now_ms)
			refresh(w, i);
		if (usage_due_ms(w, i) <= w->now_ms)
			poll_usage(w, i);
	}
	if (w->now_ms >= w->next_request_ms) {
		use_elsewhere(w);
		send_request(w);
		w->next_request_ms = w->now_ms + REQUEST_EVERY_MIN * MINUTE_MS;
	}
	check(w);
}

static void start(struct world *w)
{
	*w = (struct world){.now_ms = NOW_MS, .random = 1, .next_request_ms = NOW_MS};
	memcpy(w->accounts, first_accounts, sizeof(w->accounts));
	w->table = rig_table(SLOTS);
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = slot_of(w, i);

		secret_set(&s->refresh, SV("refresh"));
		s->enabled = !w->accounts[i].disabled;
		/* Tokens of any age, windows at any point. */
		grant(s, NOW_MS - (int64_t)i * DAY_MS);
		for (size_t k = 0; k < WINDOWS; k++) {
			struct truth *t = &w->accounts[i].window[k];

			t->resets_ms = NOW_MS + t->length_ms * (int64_t)(i + 1) / (SLOTS + 1);
		}
	}
}

/* Somebody spends a reset credit at upstream while the slot waits for its window. */
static bool reset_one_that_is_full(struct world *w)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct account *a = &w->accounts[i];

		if (a->usage_fails || slot_of(w, i)->cooldown_until_ms - w->now_ms < HOUR_MS)
			continue;
		for (size_t k = 0; k < WINDOWS; k++)
			a->window[k].used = 0;
		a->was_reset_ms = w->now_ms;
		return true;
	}
	return false;
}

static void check_counts(const struct world *w)
{
	const unsigned usual = DAYS * 24 * 3600 / TTL_S;

	for (size_t i = 0; i < SLOTS; i++) {
		const struct account *a = &w->accounts[i];
		/* Polls after a reset come on top; what headers told needs none. */
		unsigned most = usual * 11 / 10 + DAYS * 24 / 4;
		unsigned least = usual / 13;

		if (a->disabled) {
			most = DAYS * 24 * 11 / 9;
			least = DAYS * 24 / 2;
		} else if (a->usage_fails == 100) {
			most = DAYS * 24 * 11 / 9 + 10; /* back-off: an hour */
		}
		if (a->polls < least || a->polls > most)
			fail_msg("slot %zu was polled %u times, want %u to %u", i + 1, a->polls,
				least, most);
		if (a->refreshes < 1 || a->refreshes > 12)
			fail_msg("slot %zu was refreshed %u times", i + 1, a->refreshes);
		if (!a->disabled && !a->served)
			fail_msg("slot %zu never served", i + 1);
	}
}

static void test_two_weeks(void **state)
{
	struct world w;
	unsigned steps = 0, resets = 0, refusals = 0;

	(void)state;
	start(&w);
	while (w.now_ms < NOW_MS + DAYS * DAY_MS) {
		step(&w);
		steps++;
		if (w.now_ms > NOW_MS + (int64_t)(resets + 1) * DAY_MS)
			resets += reset_one_that_is_full(&w);
		assert_true(steps < 200000);
	}
	check_counts(&w);
	/* Something was at stake. */
	for (size_t i = 0; i < SLOTS; i++)
		refusals += w.accounts[i].refusals;
	assert_true(refusals > 50 && w.starved > 50 && resets > 5);
	for (size_t i = 0; i < SLOTS; i++)
		print_message("%-8s polls %5u refreshes %2u served %5u refused %3u\n",
			w.accounts[i].plan, w.accounts[i].polls, w.accounts[i].refreshes,
			w.accounts[i].served, w.accounts[i].refusals);
	print_message("steps %u, requests without a slot %u, early resets %u\n", steps, w.starved,
		resets);
	slot_table_free(w.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_weeks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
