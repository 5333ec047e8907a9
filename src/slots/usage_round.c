#include "slots/usage_round.h"

#include "slots/slot_record.h"

#include <stdio.h>
#include <stdlib.h>

enum { AT_ONCE = 4 };

struct question {
	struct usage_round *round;
	struct usage_result *result; /* in round->results */
	struct usage_check *check;   /* NULL: not asked, or answered */
};

struct usage_round {
	struct slot_env *env;
	struct usage_result *results;
	struct question *questions;
	size_t count, next, open;
	struct deferred go_on; /* never ends inside a callback of one of its checks */
	void (*on_done)(void *arg, const struct usage_result *results, size_t count);
	void *arg;
};

static void destroy(struct usage_round *r)
{
	loop_undefer(&r->go_on);
	free(r->questions);
	free(r->results);
	free(r);
}

static void on_checked(void *arg, const struct usage_result *result)
{
	struct question *q = arg;
	struct usage_round *r = q->round;

	*q->result = *result;
	q->check = NULL;
	r->open--;
	loop_defer(r->env->loop, &r->go_on);
}

static void ask_next(struct usage_round *r)
{
	struct question *q = &r->questions[r->next];
	struct slot *s = slot_table_find(r->env->table, q->result->id);

	r->next++;
	if (!s) {
		snprintf(q->result->problem, sizeof(q->result->problem), "there is no such slot");
		return;
	}
	q->check = usage_check_start(r->env, s, on_checked, q);
	r->open++;
}

/* A slot may leave the table while others are asked. */
static void refresh_slots(struct usage_round *r)
{
	for (size_t i = 0; i < r->count; i++)
		r->results[i].slot = slot_table_find(r->env->table, r->results[i].id);
}

static void on_go_on(struct deferred *d)
{
	struct usage_round *r = CONTAINER_OF(d, struct usage_round, go_on);

	while (r->next < r->count && r->open < AT_ONCE)
		ask_next(r);
	if (r->open)
		return;
	refresh_slots(r);
	r->on_done(r->arg, r->results, r->count);
	destroy(r);
}

static void add(struct usage_round *r, const char *id)
{
	struct question *q = &r->questions[r->count];

	q->round = r;
	q->result = &r->results[r->count++];
	snprintf(q->result->id, sizeof(q->result->id), "%s", id);
}

struct usage_round *usage_round_start(struct slot_env *env, const char *id,
	void (*on_done)(void *arg, const struct usage_result *results, size_t count), void *arg)
{
	size_t most = id ? 1 : slot_table_count(env->table);
	struct usage_round *r = mem_zalloc(sizeof(*r));

	r->env = env;
	r->results = mem_zalloc((most + 1) * sizeof(*r->results));
	r->questions = mem_zalloc((most + 1) * sizeof(*r->questions));
	r->go_on.fn = on_go_on;
	r->on_done = on_done;
	r->arg = arg;
	if (id)
		add(r, id);
	for (size_t i = 0; !id && i < most; i++)
		add(r, slot_table_at(env->table, i)->id);
	loop_defer(env->loop, &r->go_on);
	return r;
}

void usage_round_cancel(struct usage_round *r)
{
	for (size_t i = 0; i < r->next; i++) {
		if (r->questions[i].check)
			usage_check_cancel(r->questions[i].check);
	}
	destroy(r);
}

size_t usage_round_updated(const struct usage_result *results, size_t count)
{
	size_t updated = 0;

	for (size_t i = 0; i < count; i++)
		updated += results[i].updated && results[i].slot;
	return updated;
}

static json_t *updated_json(const struct slot *s, int64_t now_ms)
{
	json_t *row = json_pack("{s:s}", "id", s->id);
	json_t *usage = slot_record_usage_at(s, now_ms);

	json_object_update(row, usage);
	json_decref(usage);
	return row;
}

json_t *usage_round_json(const struct usage_result *results, size_t count, int64_t now_ms)
{
	json_t *updated = json_array(), *failed = json_array();
	json_t *told = json_pack("{s:o}", "updated", updated);

	for (size_t i = 0; i < count; i++) {
		const struct usage_result *r = &results[i];

		if (r->updated && r->slot)
			json_array_append_new(updated, updated_json(r->slot, now_ms));
		else
			json_array_append_new(
				failed, json_pack("{s:s, s:s}", "id", r->id, "reason",
						r->problem[0] ? r->problem : "the slot is gone"));
	}
	if (json_array_size(failed))
		json_object_set(told, "failed", failed);
	json_decref(failed);
	return told;
}
