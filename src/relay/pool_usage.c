#include "relay/pool_usage.h"

#include "codex/plan.h"

#include <stdio.h>

/* A window on its way to the mean. */
struct sum {
	double weight, used; /* used: weighted */
	double largest;	     /* weight of the slots whose length is told */
	int64_t length_ms;
	int64_t ends_ms;	   /* of the first slot that gets something back; 0 none */
	int64_t untouched_ends_ms; /* of the first of the others */
};

static bool counts(const struct slot *s)
{
	return s->enabled && !s->dead && !s->reauth_required && !secret_is_empty(&s->access);
}

static void note_end(int64_t *first_ms, int64_t ends_ms)
{
	if (ends_ms && (!*first_ms || ends_ms < *first_ms))
		*first_ms = ends_ms;
}

static void add(struct sum *sum, const struct slot_window *w, double weight)
{
	if (w->left_pct < 0)
		return;
	sum->weight += weight;
	sum->used += weight * (100 - w->left_pct);
	if (weight > sum->largest && w->length_ms) {
		sum->largest = weight;
		sum->length_ms = w->length_ms;
	}
	note_end(w->left_pct < 100 ? &sum->ends_ms : &sum->untouched_ends_ms, w->ends_ms);
}

static void add_slot(struct sum sums[POOL_WINDOWS], const struct slot *s, int64_t now_ms)
{
	struct slot_window hours = slot_window_at(s, METER_5H, now_ms);
	struct slot_window week = slot_window_at(s, METER_WEEK, now_ms);
	double weight = plan_capacity(s->meters.plan_type);

	add(&sums[POOL_WEEK], &week, weight);
	if (week.left_pct == 0 && hours.left_pct >= 0) {
		hours.left_pct = 0;
		if (week.ends_ms > hours.ends_ms)
			hours.ends_ms = week.ends_ms;
	}
	add(&sums[POOL_5H], &hours, weight);
}

static struct pool_window window_of(const struct sum *sum)
{
	if (sum->weight <= 0)
		return (struct pool_window){0};
	return (struct pool_window){
		.known = true,
		.used_percent = sum->used / sum->weight,
		.length_s = sum->length_ms / 1000,
		.resets_at_s = (sum->ends_ms ? sum->ends_ms : sum->untouched_ends_ms) / 1000,
	};
}

void pool_usage_of(struct slot_table *slots, int64_t now_ms, struct pool_usage *ret)
{
	struct sum sums[POOL_WINDOWS] = {0};
	double best = -1;

	*ret = (struct pool_usage){.allowed = slot_table_eligible(slots, now_ms) > 0};
	for (size_t i = 0; i < slot_table_count(slots); i++) {
		const struct slot *s = slot_table_at(slots, i);
		const struct meters *m = &s->meters;

		if (!counts(s))
			continue;
		add_slot(sums, s, now_ms);
		if (m->plan_type[0] && plan_capacity(m->plan_type) > best) {
			best = plan_capacity(m->plan_type);
			snprintf(ret->plan_type, sizeof(ret->plan_type), "%s", m->plan_type);
		}
		ret->has_credits |= m->has_credits_known && m->has_credits;
		ret->credits_unlimited |= m->has_credits_known && m->credits_unlimited;
	}
	for (size_t i = 0; i < POOL_WINDOWS; i++)
		ret->window[i] = window_of(&sums[i]);
}
