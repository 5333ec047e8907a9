#include "slots/refresher.h"

#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
#include "slots/refresh_job.h"
#include "slots/refresh_plan.h"

#include <stdlib.h>

enum {
	FIRST_TICK_MS = 3000,	   /* the first requests come before what can wait */
	TICK_MS = 30 * 1000,	   /* the least between two looks at the plan */
	TICK_MOST_MS = 600 * 1000, /* a wall clock that was set is noticed by then */
	LOCK_STEP_MS = 50,
	LOCK_PATIENCE_MS = 90 * 1000, /* a refresh of another process may take a minute */
	GAP_MS = 1000,		      /* between two background refreshes, and as much at random */
	STOP_MS = 5 * 1000,
};

/* A slot whose token is to be refreshed. */
struct entry {
	struct entry *next;
	struct refresher *refresher;
	char id[LIMIT_SLOT_ID_BYTES];
	char refused[IDENT_HEX_SIZE]; /* the token that must go, "" none */
	bool urgent;		      /* not the plan's */
	struct refresh_wait *waits;
	struct refresh_job *job; /* NULL: in the queue */
	int64_t retry_ms;	 /* loop time before which it is not started */
	int64_t patience_ms;	 /* loop time at which a lock is given up; 0 not locked yet */
	bool told, ended;	 /* the job has said so */
	enum refresh_end end;
};

struct refresher {
	struct slot_env *env;
	struct entry *entries;	       /* first come first */
	struct refresh_wait *answered; /* told at the end of the loop turn */
	struct deferred sweep;
	struct timer pump, tick, patience;
	int64_t tick_least_ms; /* loop time of the earliest next tick; 0 not started */
	int64_t tick_at_ms;    /* and of the one that is planned */
	uint64_t seed;
	int64_t gap_until_ms; /* loop time; no background refresh before */
	bool stopping;
	void (*on_idle)(void *arg);
	void *arg;
};

/* --- waiting --- */

static void put_wait(struct refresh_wait **list, struct refresh_wait *w)
{
	w->next = *list;
	w->prev = list;
	if (w->next)
		w->next->prev = &w->next;
	*list = w;
}

void refresher_leave(struct refresh_wait *w)
{
	if (!w->prev)
		return;
	*w->prev = w->next;
	if (w->next)
		w->next->prev = w->prev;
	w->next = NULL;
	w->prev = NULL;
}

static void answer_later(struct refresher *r, struct refresh_wait *w, enum refresh_result result)
{
	if (!w)
		return;
	w->result = result;
	put_wait(&r->answered, w);
	loop_defer(r->env->loop, &r->sweep);
}

static enum refresh_result result_of(
	const struct slot *s, const struct refresh_wait *w, enum refresh_end end)
{
	if (end == REFRESH_END_REAUTH)
		return REFRESH_REAUTH;
	if (end != REFRESH_END_READY || !s)
		return REFRESH_FAILED;
	/* It may be sent, but not to whom it has just refused. */
	return w->refused[0] && strcmp(w->refused, s->token_fingerprint) == 0 ? REFRESH_FAILED
									      : REFRESH_READY;
}

/* --- the queue --- */

static struct entry *find(struct refresher *r, const char *id)
{
	struct entry *e = r->entries;

	while (e && strcmp(e->id, id) != 0)
		e = e->next;
	return e;
}

static struct entry *put_entry(struct refresher *r, const struct slot *s)
{
	struct entry *e = mem_zalloc(sizeof(*e));
	struct entry **place = &r->entries;

	while (*place)
		place = &(*place)->next;
	*place = e;
	e->refresher = r;
	memcpy(e->id, s->id, sizeof(e->id));
	return e;
}

static void on_told(void *arg, enum refresh_end end)
{
	struct entry *e = arg;

	e->told = true;
	e->end = end;
	loop_defer(e->refresher->env->loop, &e->refresher->sweep);
}

static void on_end(void *arg)
{
	struct entry *e = arg;

	e->ended = true;
	loop_defer(e->refresher->env->loop, &e->refresher->sweep);
}

static const struct refresh_job_ops job_ops = {.on_told = on_told, .on_end = on_end};

static void start(struct refresher *r, struct entry *e, const struct slot *s)
{
	struct refresh_job_options options = {
		.refused = e->refused,
		.early = !e->urgent && s->refresh_state == SLOT_REFRESH_FREE,
	};

	e->told = e->ended = false;
	e->job = refresh_job_start(r->env, s, &options, &job_ops, e);
}

static int64_t startable_ms(const struct refresher *r, const struct entry *e)
{
	if (e->urgent || e->retry_ms > r->gap_until_ms)
		return e->retry_ms;
	return r->gap_until_ms;
}

/* The first one that may be started, urgent ones before others; else *ret_ms tells when. */
static struct entry *next_entry(struct refresher *r, int64_t *ret_ms)
{
	int64_t now_ms = loop_now_ms(r->env->loop);
	struct entry *found = NULL;

	*ret_ms = INT64_MAX;
	for (struct entry *e = r->entries; e; e = e->next) {
		int64_t at_ms = startable_ms(r, e);

		if (e->job)
			continue;
		if (at_ms > now_ms)
			*ret_ms = at_ms < *ret_ms ? at_ms : *ret_ms;
		else if (!found || (e->urgent && !found->urgent))
			found = e;
	}
	return found;
}

static bool is_running(const struct refresher *r)
{
	for (const struct entry *e = r->entries; e; e = e->next) {
		if (e->job && !e->told)
			return true;
	}
	return false;
}

/* Starts the next one, unless one is running. */
static void pump(struct refresher *r)
{
	int64_t later_ms;
	struct entry *e;

	if (r->stopping || is_running(r))
		return;
	e = next_entry(r, &later_ms);
	if (e) {
		struct slot *s = slot_table_find(r->env->table, e->id);

		if (s) {
			start(r, e, s);
		} else {
			e->end = REFRESH_END_FAILED;
			e->told = e->ended = true;
			loop_defer(r->env->loop, &r->sweep);
		}
	} else if (later_ms != INT64_MAX) {
		timer_start(&r->pump, later_ms - loop_now_ms(r->env->loop));
	}
}

static void on_pump(struct timer *t)
{
	pump(CONTAINER_OF(t, struct refresher, pump));
}

/* --- ends --- */

static void log_end_of(const struct entry *e, const struct slot *s)
{
	static const char *const names[] = {
		[REFRESH_END_READY] = "ready",
		[REFRESH_END_REAUTH] = "reauth_required",
		[REFRESH_END_FAILED] = "failed",
		[REFRESH_END_LOCKED] = "locked",
	};
	bool asked = e->job && refresh_job_has_asked(e->job);

	/* Another process has done it: nothing happened here. */
	if (!asked && e->end == REFRESH_END_READY)
		return;
	log_begin(e->end == REFRESH_END_READY ? LOG_INFO : LOG_WARN, "slot.refresh");
	log_str("slot_id", sv_cstr(e->id));
	log_str("result", sv_cstr(names[e->end]));
	log_str("cause", e->refused[0] ? SV("refused") : e->urgent ? SV("expiry") : SV("plan"));
	log_bool("asked", asked);
	if (s && s->last_error[0])
		log_str("message", sv_cstr(s->last_error));
	log_end();
}

static void tell_waits(struct refresher *r, struct entry *e)
{
	const struct slot *s = slot_table_find(r->env->table, e->id);

	while (e->waits) {
		struct refresh_wait *w = e->waits;

		refresher_leave(w);
		answer_later(r, w, result_of(s, w, e->end));
	}
}

/* Another process is at it: it will soon be through, and then the file tells. */
static bool wait_for_lock(struct refresher *r, struct entry *e)
{
	int64_t now_ms = loop_now_ms(r->env->loop);

	if (e->end != REFRESH_END_LOCKED || r->stopping)
		return false;
	if (!e->patience_ms)
		e->patience_ms = now_ms + LOCK_PATIENCE_MS;
	if (now_ms >= e->patience_ms)
		return false;
	e->retry_ms = now_ms + LOCK_STEP_MS;
	return true;
}

static void note_locked(struct refresher *r, struct entry *e)
{
	struct slot *s = slot_table_find(r->env->table, e->id);

	if (!s)
		return;
	slot_set_error(s, "refresh", SV("another program has held its lock for too long"));
	slot_table_changed(r->env->table, s);
}

static void drop_job(struct entry *e)
{
	refresh_job_free(e->job);
	e->job = NULL;
	e->told = e->ended = false;
}

static void keep_gap(struct refresher *r, const struct entry *e)
{
	if (!e->job || !refresh_job_has_asked(e->job))
		return;
	r->gap_until_ms = loop_now_ms(r->env->loop) + GAP_MS +
			  (int64_t)(sv_hash(sv_cstr(e->id), r->seed) % GAP_MS);
}

/* True: the entry is gone. */
static bool settle(struct refresher *r, struct entry *e)
{
	if (e->ended && wait_for_lock(r, e)) {
		drop_job(e);
		return false;
	}
	if (!e->told || (e->end == REFRESH_END_LOCKED && !e->ended))
		return false;
	if (e->end == REFRESH_END_LOCKED)
		note_locked(r, e);
	tell_waits(r, e);
	if (!e->ended)
		return false;
	log_end_of(e, slot_table_find(r->env->table, e->id));
	keep_gap(r, e);
	drop_job(e);
	return true;
}

static void settle_all(struct refresher *r)
{
	struct entry **place = &r->entries;

	while (*place) {
		struct entry *e = *place;

		if (!settle(r, e)) {
			place = &e->next;
			continue;
		}
		*place = e->next;
		free(e);
	}
}

static bool is_idle(const struct refresher *r)
{
	for (const struct entry *e = r->entries; e; e = e->next) {
		if (e->job && (refresh_job_is_open(e->job) || e->ended))
			return false;
	}
	return !r->answered;
}

static void check_idle(struct refresher *r)
{
	void (*on_idle)(void *arg) = r->on_idle;

	if (!on_idle || !is_idle(r))
		return;
	r->on_idle = NULL;
	timer_stop(&r->patience);
	on_idle(r->arg);
}

/* Sleeps until a slot is due that does not wait for its refresh already. */
static void plan_tick(struct refresher *r)
{
	int64_t now_ms = clock_wall_ms();
	int64_t least_ms = r->tick_least_ms - loop_now_ms(r->env->loop);
	int64_t delay_ms = TICK_MOST_MS;

	if (r->stopping || !r->tick_least_ms)
		return;
	for (size_t i = 0; i < slot_table_count(r->env->table); i++) {
		const struct slot *s = slot_table_at(r->env->table, i);
		int64_t next_ms = refresh_plan_next_ms(s, r->seed, now_ms);

		if (next_ms < now_ms)
			next_ms = now_ms;
		if (next_ms - now_ms < delay_ms && !find(r, s->id))
			delay_ms = next_ms - now_ms;
	}
	if (delay_ms < least_ms)
		delay_ms = least_ms;
	r->tick_at_ms = loop_now_ms(r->env->loop) + delay_ms;
	timer_start(&r->tick, delay_ms);
}

static void on_sweep(struct deferred *d)
{
	struct refresher *r = CONTAINER_OF(d, struct refresher, sweep);

	settle_all(r);
	while (r->answered) {
		struct refresh_wait *w = r->answered;

		refresher_leave(w);
		w->on_done(w, w->result);
	}
	pump(r);
	plan_tick(r);
	check_idle(r);
}

/* --- background --- */

static bool is_planned(struct refresher *r, const struct slot *s, int64_t now_ms)
{
	return !find(r, s->id) && refresh_plan_next_ms(s, r->seed, now_ms) <= now_ms;
}

static void on_tick(struct timer *t)
{
	struct refresher *r = CONTAINER_OF(t, struct refresher, tick);
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < slot_table_count(r->env->table); i++) {
		const struct slot *s = slot_table_at(r->env->table, i);

		if (is_planned(r, s, now_ms))
			put_entry(r, s);
	}
	pump(r);
	r->tick_least_ms = loop_now_ms(r->env->loop) + TICK_MS;
	plan_tick(r);
}

/* --- life --- */

static void on_patience(struct timer *t)
{
	struct refresher *r = CONTAINER_OF(t, struct refresher, patience);

	for (struct entry *e = r->entries; e; e = e->next) {
		if (e->job)
			refresh_job_give_up(e->job);
	}
}

struct refresher *refresher_new(struct slot_env *env)
{
	struct refresher *r = mem_zalloc(sizeof(*r));

	r->env = env;
	r->sweep.fn = on_sweep;
	ident_random(&r->seed, sizeof(r->seed));
	timer_init(&r->pump, env->loop, on_pump);
	timer_init(&r->tick, env->loop, on_tick);
	timer_init(&r->patience, env->loop, on_patience);
	return r;
}

void refresher_start(struct refresher *r)
{
	r->tick_at_ms = r->tick_least_ms = loop_now_ms(r->env->loop) + FIRST_TICK_MS;
	timer_start(&r->tick, FIRST_TICK_MS);
}

/* A tick that comes soon anyway will see the change; and who asks for the slot comes before it. */
void refresher_reconsider(struct refresher *r)
{
	int64_t soon_ms = loop_now_ms(r->env->loop) + TICK_MS;

	if (r->tick_at_ms <= soon_ms)
		return;
	if (r->tick_least_ms < soon_ms)
		r->tick_least_ms = soon_ms;
	plan_tick(r);
}

void refresher_stop(struct refresher *r, void (*on_idle)(void *arg), void *arg)
{
	r->stopping = true;
	r->on_idle = on_idle;
	r->arg = arg;
	timer_stop(&r->tick);
	timer_stop(&r->pump);
	timer_start(&r->patience, STOP_MS);
	for (struct entry *e = r->entries; e; e = e->next) {
		if (e->job) {
			refresh_job_stop(e->job);
			continue;
		}
		e->end = REFRESH_END_FAILED;
		e->told = e->ended = true;
	}
	loop_defer(r->env->loop, &r->sweep);
}

void refresher_free(struct refresher *r)
{
	if (!r)
		return;
	loop_undefer(&r->sweep);
	timer_stop(&r->pump);
	timer_stop(&r->tick);
	timer_stop(&r->patience);
	while (r->entries) {
		struct entry *e = r->entries;

		r->entries = e->next;
		refresh_job_free(e->job);
		free(e);
	}
	free(r);
}

/* --- asking --- */

bool refresher_must_wait(const struct slot *s, int64_t now_ms)
{
	return slot_needs_token(s, now_ms);
}

bool refresher_is_due(const struct slot *s, int64_t now_ms)
{
	return slot_can_refresh(s) && s->refresh_after_ms <= now_ms &&
	       (refresh_plan_is_short(s, now_ms) || slot_needs_token(s, now_ms));
}

static enum refresh_end standing(const struct slot *s, int64_t now_ms)
{
	if (s->reauth_required)
		return REFRESH_END_REAUTH;
	if (secret_is_empty(&s->access))
		return REFRESH_END_FAILED;
	return slot_needs_token(s, now_ms) ? REFRESH_END_FAILED : REFRESH_END_READY;
}

/* Is there nothing to do, or no way to do it? */
static bool is_settled(const struct refresher *r, struct slot *s, const char *refused, bool forced)
{
	int64_t now_ms = clock_wall_ms();
	bool is_refused = refused && strcmp(refused, s->token_fingerprint) == 0;

	if (s->refresh_state == SLOT_REFRESH_IN_DOUBT && slot_needs_token(s, now_ms) &&
		!s->reauth_required) {
		slot_require_reauth(s);
		slot_table_changed(r->env->table, s);
	}
	if (r->stopping || !slot_can_refresh(s) || (s->refresh_after_ms > now_ms && !forced))
		return true;
	return !is_refused && !refresh_plan_is_short(s, now_ms) && !slot_needs_token(s, now_ms);
}

static void want(struct refresher *r, struct slot *s, const char *refused, bool forced,
	struct refresh_wait *w)
{
	struct entry *e = find(r, s->id);

	if (w) {
		refresher_leave(w);
		snprintf(w->refused, sizeof(w->refused), "%s", refused ? refused : "");
	}
	/* One that found the lock taken is not over: it starts again. */
	if ((e && e->told && e->end != REFRESH_END_LOCKED) || is_settled(r, s, refused, forced)) {
		if (w)
			answer_later(r, w, result_of(s, w, standing(s, clock_wall_ms())));
		return;
	}
	if (!e)
		e = put_entry(r, s);
	e->urgent = true;
	if (refused && strcmp(refused, s->token_fingerprint) == 0)
		memcpy(e->refused, s->token_fingerprint, sizeof(e->refused));
	if (w)
		put_wait(&e->waits, w);
	pump(r);
}

void refresher_ask(struct refresher *r, struct slot *s, const char *refused, struct refresh_wait *w)
{
	want(r, s, refused, false, w);
}

void refresher_force(struct refresher *r, struct slot *s, struct refresh_wait *w)
{
	want(r, s, s->token_fingerprint, true, w);
}
