#include "bench_slots.h"

#include "slots/catalogue.h"
#include "slots/store.h"

#include <stdio.h>
#include <stdlib.h>

enum { HOUR_S = 3600 };

/* What the backend offers: the usual dozen, among them what is asked for. */
static struct catalogue *make_catalogue(void)
{
	static const char body[] =
		"{\"models\":[{\"slug\":\"gpt-6.1-sol\"},{\"slug\":\"gpt-6.1-terra\"},"
		"{\"slug\":\"gpt-6-sol\"},{\"slug\":\"gpt-6-luna\"},{\"slug\":\"gpt-5.6-sol\"},"
		"{\"slug\":\"gpt-5.6-terra\"},{\"slug\":\"gpt-5.6-luna\"},{\"slug\":\"gpt-5.5\"},"
		"{\"slug\":\"gpt-5.4\"},{\"slug\":\"gpt-5.4-mini\"},{\"slug\":\"gpt-5.3-codex\"}]}";
	struct catalogue *c;
	const char *problem;

	if (catalogue_parse(sv_cstr(body), SV_NONE, &c, &problem))
		abort();
	c->fetched_ms = BENCH_NOW_MS;
	return c;
}

/* All sorts: known and unknown windows, some below a threshold, some out, loads, plans, ties. */
static struct slot *make_slot(size_t i)
{
	static const char *const plans[] = {"plus", "pro", "free", "enterprise", ""};
	struct slot *s = mem_zalloc(sizeof(*s));
	int64_t now_s = BENCH_NOW_MS / 1000;

	snprintf(s->id, sizeof(s->id), "slot-%zu", i + 1);
	s->enabled = i % 16 != 15;
	s->label = mem_strdup(s->id);
	s->base_url = mem_strdup("http://upstream");
	secret_set(&s->access, SV("token"));
	s->record = json_object();
	s->catalogue = make_catalogue();
	s->weight = 1;
	s->last_used_ms = BENCH_NOW_MS - (int64_t)(i * 7919 % 1000) * 1000;
	s->checked_at_ms = BENCH_NOW_MS - HOUR_S * 1000;
	if (i % 13 == 12)
		s->cooldown_until_ms = BENCH_NOW_MS + 1000;
	snprintf(s->meters.plan_type, sizeof(s->meters.plan_type), "%s",
		plans[i % ARRAY_LEN(plans)]);
	if (i % 11 == 10)
		return s;
	s->meters.window[METER_5H] = (struct meter){
		true, (double)(i * 37 % 100), 300, now_s + (int64_t)(i % 5 + 1) * HOUR_S / 2};
	s->meters.window[METER_WEEK] = (struct meter){
		true, (double)(i * 53 % 100), 10080, now_s + (int64_t)(i % 9 + 1) * 16 * HOUR_S};
	return s;
}

struct slot_table *bench_slots(size_t count, enum conf_policy policy)
{
	struct slot_table *t = slot_table_new();
	struct conf *conf = conf_default("/r", NULL);

	conf->policy = policy;
	slot_table_configure(t, conf);
	conf_unref(conf);
	for (size_t i = 0; i < count; i++)
		slot_table_put(t, make_slot(i));
	return t;
}
