#include "slots/usage_check.h"

#include "base/clock.h"
#include "slots/slot_usage.h"
#include "slots/usage_source.h"

#include <stdio.h>
#include <stdlib.h>

struct usage_check {
	struct slot_env *env;
	const struct usage_source *source;
	void *running;
	char id[LIMIT_SLOT_ID_BYTES];
	int64_t asked_ms;
	unsigned cooldowns;
	void (*on_done)(void *arg, const struct usage_result *result);
	void *arg;
};

const struct usage_source *usage_check_source(const struct slot_env *env)
{
	switch (env->conf->usage_backend) {
	case BACKEND_LOCAL_CACHE:
		return usage_source_local_cache();
	case BACKEND_OPENCLAW:
		return env->openclaw_usage ? env->openclaw_usage : usage_source_local_cache();
	default:
		return usage_source_codex_api();
	}
}

/* The account is closed: no request can succeed there any more. */
static void bury(struct usage_check *c, struct slot *s, const struct failure *gone)
{
	const struct slot_verdict verdict = {.kind = VERDICT_FAILURE, .failure = gone};
	const struct conf *conf = c->env->conf;
	const struct cooldown_conf times = {
		.generic_s = conf->cooldown_generic_s,
		.quota_s = conf->cooldown_quota_s,
	};

	slot_apply_verdict(s, &verdict, &times, clock_wall_ms());
	slot_table_mark_dirty(c->env->table, s);
}

static void apply(struct usage_check *c, struct slot *s, const struct usage_answer *answer)
{
	const struct slot_usage news = {
		.meters = answer->meters,
		.is_whole = answer->is_whole,
		.limit_reached = answer->limit_reached,
		.asked_ms = c->asked_ms,
		.cooldowns = c->cooldowns,
	};

	if (slot_usage_apply(s, &news, clock_wall_ms()))
		slot_table_changed(c->env->table, s);
	else
		slot_table_mark_dirty(c->env->table, s);
}

static void tell_problem(struct usage_result *r, const struct usage_answer *answer)
{
	const char *problem = answer->problem;

	if (r->disabled)
		snprintf(r->problem, sizeof(r->problem),
			"upstream has closed the account, the slot is disabled: %.100s",
			answer->gone->detail);
	else if (problem || !r->slot)
		snprintf(r->problem, sizeof(r->problem), "%s",
			problem ? problem : "the slot is gone");
}

static void on_answer(void *arg, const struct usage_answer *answer)
{
	struct usage_check *c = arg;
	struct usage_result result = {.retry_at_ms = answer->retry_at_ms};

	memcpy(result.id, c->id, sizeof(result.id));
	result.slot = slot_table_find(c->env->table, c->id);
	result.updated = result.slot && !answer->problem;
	result.disabled = result.slot && answer->gone && result.slot->enabled;
	tell_problem(&result, answer);
	if (result.disabled)
		bury(c, result.slot, answer->gone);
	else if (result.updated && answer->meters)
		apply(c, result.slot, answer);
	c->on_done(c->arg, &result);
	free(c);
}

struct usage_check *usage_check_start(struct slot_env *env, const struct slot *s,
	void (*on_done)(void *arg, const struct usage_result *result), void *arg)
{
	struct usage_check *c = mem_zalloc(sizeof(*c));

	c->env = env;
	c->source = usage_check_source(env);
	memcpy(c->id, s->id, sizeof(c->id));
	c->asked_ms = clock_wall_ms();
	c->cooldowns = s->cooldowns;
	c->on_done = on_done;
	c->arg = arg;
	c->running = c->source->start(env, s, on_answer, c);
	return c;
}

void usage_check_cancel(struct usage_check *c)
{
	c->source->cancel(c->running);
	free(c);
}
