#include "slots/upkeep.h"

#include "base/clock.h"
#include "base/log.h"
#include "slots/catalogue.h"
#include "slots/catalogue_fetch.h"
#include "slots/models_plan.h"
#include "slots/usage_check.h"
#include "slots/usage_plan.h"
#include "slots/usage_source.h"

#include <stdlib.h>

enum {
	AT_ONCE = 2,
	PAUSE_MS = 100,		     /* between two starts */
	SLEEP_MOST_MS = 3600 * 1000, /* a wall clock that was set is noticed by then */
};

enum topic { USAGE, MODELS, TOPICS };

/* What is remembered of a slot, at the slot's index in the table. */
struct kept {
	char id[LIMIT_SLOT_ID_BYTES];
	uint64_t token_hash; /* another token: old failures tell nothing */
	struct poll_state poll[TOPICS];
	bool is_asked[TOPICS]; /* right now */
	bool models_outdated;  /* upstream named another etag than ours */
};

struct job {
	struct upkeep *upkeep;
	char id[LIMIT_SLOT_ID_BYTES];
	struct usage_check *check;
	struct catalogue_fetch *fetch; /* one of both, or neither: free */
};

struct upkeep {
	struct slot_env *env;
	struct kept *kept;
	size_t count;
	struct job jobs[AT_ONCE];
	struct timer timer;
	int64_t wakes_ms;   /* wall; when the timer is due */
	int64_t started_ms; /* loop time of the last start */
	char *client_version;
	bool stopped;
};

static void plan(struct upkeep *u);

/* --- slots --- */

static uint64_t token_hash(const struct slot *s)
{
	return sv_hash(secret_expose(&s->access), SV_HASH_SEED);
}

static struct kept *find_kept(struct kept *kept, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(kept[i].id, id) == 0)
			return &kept[i];
	}
	return NULL;
}

/* What is stored counts as an answer: otherwise the headers of a busy slot would put off its first
 * poll for ever. */
static struct kept new_kept(const struct slot *s)
{
	struct kept k = {.token_hash = token_hash(s)};

	memcpy(k.id, s->id, sizeof(k.id));
	k.poll[USAGE].answered_ms = s->checked_at_ms;
	return k;
}

static void forget_failures(struct kept *k, const struct slot *s)
{
	uint64_t hash = token_hash(s);

	if (hash == k->token_hash)
		return;
	k->token_hash = hash;
	for (size_t topic = 0; topic < TOPICS; topic++) {
		struct poll_state *p = &k->poll[topic];

		*p = (struct poll_state){.answered_ms = p->answered_ms};
	}
}

static void align_with_table(struct upkeep *u)
{
	struct slot_table *t = u->env->table;
	size_t count = slot_table_count(t);
	struct kept *fresh = mem_zalloc((count + 1) * sizeof(*fresh));

	for (size_t i = 0; i < count; i++) {
		const struct slot *s = slot_table_at(t, i);
		const struct kept *old = find_kept(u->kept, u->count, s->id);

		fresh[i] = old ? *old : new_kept(s);
		forget_failures(&fresh[i], s);
	}
	free(u->kept);
	u->kept = fresh;
	u->count = count;
}

static bool is_aligned(const struct upkeep *u)
{
	if (u->count != slot_table_count(u->env->table))
		return false;
	for (size_t i = 0; i < u->count; i++) {
		if (strcmp(u->kept[i].id, slot_table_at(u->env->table, i)->id) != 0)
			return false;
	}
	return true;
}

static void cancel(struct job *job)
{
	if (job->check)
		usage_check_cancel(job->check);
	if (job->fetch)
		catalogue_fetch_cancel(job->fetch);
	job->check = NULL;
	job->fetch = NULL;
}

static void cancel_fetches(struct upkeep *u)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		if (u->jobs[i].fetch)
			cancel(&u->jobs[i]);
	}
}

/* Lists for another client version are no lists for this one. */
static void follow_client_version(struct upkeep *u)
{
	const char *version = u->env->conf->upstream_client_version;

	if (u->client_version && strcmp(u->client_version, version) == 0)
		return;
	cancel_fetches(u);
	for (size_t i = 0; u->client_version && i < u->count; i++) {
		struct slot *s = slot_table_at(u->env->table, i);

		catalogue_free(s->catalogue);
		s->catalogue = NULL;
		u->kept[i].poll[MODELS] = (struct poll_state){0};
		u->kept[i].is_asked[MODELS] = false;
	}
	free(u->client_version);
	u->client_version = mem_strdup(version);
}

/* --- what is due --- */

static int64_t due_ms(const struct upkeep *u, size_t index, enum topic topic, int64_t now_ms)
{
	const struct slot *s = slot_table_at(u->env->table, index);
	const struct conf *conf = u->env->conf;
	const struct kept *k = &u->kept[index];
	struct usage_plan usage;

	if (k->is_asked[topic])
		return POLL_NEVER;
	if (topic == MODELS)
		return models_plan_due_ms(
			s, &k->poll[MODELS], k->models_outdated, conf->models_ttl_s * 1000, now_ms);
	if (usage_check_source(u->env) == usage_source_local_cache())
		return POLL_NEVER;
	usage = usage_plan_of(s, &k->poll[USAGE]);
	return usage_plan_due_ms(&usage, conf->usage_ttl_s * 1000, now_ms);
}

static int64_t find_next(
	const struct upkeep *u, int64_t now_ms, size_t *ret_index, enum topic *ret_topic)
{
	int64_t next_ms = POLL_NEVER;

	for (size_t i = 0; i < u->count; i++) {
		for (enum topic topic = USAGE; topic < TOPICS; topic++) {
			int64_t at_ms = due_ms(u, i, topic, now_ms);

			if (at_ms >= next_ms)
				continue;
			next_ms = at_ms;
			*ret_index = i;
			*ret_topic = topic;
		}
	}
	return next_ms;
}

/* --- one question --- */

static void log_outcome(
	const char *event, const struct poll_state *before, const char *id, const char *problem)
{
	/* The first failure of a row is news. */
	log_begin(problem && !before->failures ? LOG_WARN : LOG_DEBUG, event);
	log_str("slot_id", sv_cstr(id));
	log_bool("ok", !problem);
	if (problem)
		log_str("reason", sv_cstr(problem));
	log_end();
}

static void note_end(struct upkeep *u, struct job *job, enum topic topic, const char *problem,
	int64_t retry_at_ms)
{
	struct kept *k = find_kept(u->kept, u->count, job->id);
	int64_t now_ms = clock_wall_ms();

	job->check = NULL;
	job->fetch = NULL;
	if (k) {
		k->is_asked[topic] = false;
		log_outcome(topic == USAGE ? "usage.check" : "models.fetch", &k->poll[topic],
			job->id, problem);
		if (problem)
			poll_note_failure(&k->poll[topic], retry_at_ms, now_ms);
		else
			poll_note_answer(&k->poll[topic], now_ms);
		if (topic == MODELS)
			k->models_outdated = false;
	}
	plan(u);
}

static void on_usage(void *arg, const struct usage_result *r)
{
	struct job *job = arg;

	if (r->disabled) {
		log_begin(LOG_WARN, "slot.disabled");
		log_str("slot_id", sv_cstr(r->id));
		log_str("reason", sv_cstr(r->slot->last_error));
		log_end();
	}
	note_end(job->upkeep, job, USAGE, r->updated ? NULL : r->problem, r->retry_at_ms);
}

static void on_models(void *arg, const struct catalogue_fetch_result *r)
{
	struct job *job = arg;

	if (r->changed) {
		log_begin(LOG_INFO, "models.changed");
		log_str("slot_id", sv_cstr(job->id));
		log_i64("models", (int64_t)r->slot->catalogue->count);
		log_end();
	}
	note_end(job->upkeep, job, MODELS, r->problem, r->retry_at_ms);
}

static void ask(struct upkeep *u, struct job *job, size_t index, enum topic topic)
{
	const struct slot *s = slot_table_at(u->env->table, index);

	memcpy(job->id, s->id, sizeof(job->id));
	u->kept[index].is_asked[topic] = true;
	u->started_ms = loop_now_ms(u->env->loop);
	if (topic == USAGE)
		job->check = usage_check_start(u->env, s, on_usage, job);
	else
		job->fetch = catalogue_fetch_start(u->env, s, on_models, job);
}

/* --- the timer --- */

static struct job *free_job(struct upkeep *u)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		if (!u->jobs[i].check && !u->jobs[i].fetch)
			return &u->jobs[i];
	}
	return NULL;
}

static void sleep_until(struct upkeep *u, int64_t at_ms, int64_t now_ms)
{
	int64_t delay_ms = at_ms > now_ms ? at_ms - now_ms : 0;
	int64_t pause_ms = u->started_ms + PAUSE_MS - loop_now_ms(u->env->loop);

	if (delay_ms < pause_ms)
		delay_ms = pause_ms;
	if (delay_ms > SLEEP_MOST_MS)
		delay_ms = SLEEP_MOST_MS;
	u->wakes_ms = now_ms + delay_ms;
	timer_start(&u->timer, delay_ms);
}

/* Sleeps until the next question is due, or, when too many are open, until one has ended. */
static void plan(struct upkeep *u)
{
	int64_t now_ms = clock_wall_ms();
	enum topic topic = USAGE;
	size_t index = 0;
	int64_t next_ms;

	timer_stop(&u->timer);
	if (u->stopped || !free_job(u))
		return;
	if (!is_aligned(u))
		align_with_table(u);
	next_ms = find_next(u, now_ms, &index, &topic);
	if (next_ms != POLL_NEVER)
		sleep_until(u, next_ms, now_ms);
}

static void on_timer(struct timer *t)
{
	struct upkeep *u = CONTAINER_OF(t, struct upkeep, timer);
	int64_t now_ms = clock_wall_ms();
	struct job *job = free_job(u);
	enum topic topic = USAGE;
	size_t index = 0;

	if (!is_aligned(u))
		align_with_table(u);
	if (job && find_next(u, now_ms, &index, &topic) <= now_ms)
		ask(u, job, index, topic);
	plan(u);
}

/* --- from outside --- */

struct upkeep *upkeep_new(struct slot_env *env)
{
	struct upkeep *u = mem_zalloc(sizeof(*u));

	u->env = env;
	u->started_ms = loop_now_ms(env->loop) - PAUSE_MS;
	timer_init(&u->timer, env->loop, on_timer);
	for (size_t i = 0; i < AT_ONCE; i++)
		u->jobs[i].upkeep = u;
	for (size_t i = 0; i < slot_table_count(env->table); i++)
		catalogue_fetch_load(env, slot_table_at(env->table, i));
	upkeep_reconsider(u);
	return u;
}

void upkeep_reconsider(struct upkeep *u)
{
	align_with_table(u);
	follow_client_version(u);
	plan(u);
}

static struct kept *kept_of(struct upkeep *u, const struct slot *s, size_t *ret_index)
{
	for (size_t i = 0; i < u->count && i < slot_table_count(u->env->table); i++) {
		if (slot_table_at(u->env->table, i) != s || strcmp(u->kept[i].id, s->id) != 0)
			continue;
		*ret_index = i;
		return &u->kept[i];
	}
	return NULL;
}

static void wake_for(struct upkeep *u, size_t index, enum topic topic)
{
	int64_t now_ms = clock_wall_ms();
	int64_t at_ms = due_ms(u, index, topic, now_ms);

	if (u->stopped || !free_job(u) || at_ms == POLL_NEVER)
		return;
	if (!timer_is_active(&u->timer) || at_ms < u->wakes_ms)
		sleep_until(u, at_ms, now_ms);
}

void upkeep_note_limits(struct upkeep *u, const struct slot *s)
{
	size_t index;

	if (kept_of(u, s, &index))
		wake_for(u, index, USAGE);
}

void upkeep_note_models(struct upkeep *u, const struct slot *s, struct sv etag)
{
	size_t index;
	struct kept *k;

	if (!s->catalogue || !s->catalogue->etag || sv_eq(sv_cstr(s->catalogue->etag), etag))
		return;
	k = kept_of(u, s, &index);
	if (!k || k->models_outdated)
		return;
	k->models_outdated = true;
	wake_for(u, index, MODELS);
}

void upkeep_stop(struct upkeep *u)
{
	u->stopped = true;
	timer_stop(&u->timer);
	for (size_t i = 0; i < AT_ONCE; i++)
		cancel(&u->jobs[i]);
}

void upkeep_free(struct upkeep *u)
{
	if (!u)
		return;
	upkeep_stop(u);
	free(u->client_version);
	free(u->kept);
	free(u);
}
