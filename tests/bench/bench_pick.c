/*
 * Prints what a choice costs, best of several rounds, for each policy, in nanoseconds: pick() with
 * its reasons and scores over candidates, and a whole lease of the slot table that holds as many
 * slots, with its release.
 *	bench_pick [slots]
 */
#include "codex/failure.h"
#include "slots/catalogue.h"
#include "slots/policy.h"
#include "slots/slot_table.h"
#include "slots/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SLOTS_USUAL = 64, ROUNDS = 20, PICKS = 20000, HOUR_S = 3600, TARGET_NS = 2000 };

static const int64_t now_ms = INT64_C(1790000000000);

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

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
	c->fetched_ms = now_ms;
	return c;
}

/* All sorts: known and unknown windows, some below a threshold, some out, loads, plans, ties. */
static struct slot *make_slot(size_t i)
{
	static const char *const plans[] = {"plus", "pro", "free", "enterprise", ""};
	struct slot *s = mem_zalloc(sizeof(*s));
	int64_t now_s = now_ms / 1000;

	snprintf(s->id, sizeof(s->id), "slot-%zu", i + 1);
	s->enabled = i % 16 != 15;
	s->label = mem_strdup(s->id);
	s->base_url = mem_strdup("http://upstream");
	secret_set(&s->access, SV("token"));
	s->record = json_object();
	s->catalogue = make_catalogue();
	s->weight = 1;
	s->last_used_ms = now_ms - (int64_t)(i * 7919 % 1000) * 1000;
	s->checked_at_ms = now_ms - HOUR_S * 1000;
	if (i % 13 == 12)
		s->cooldown_until_ms = now_ms + 1000;
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

static struct slot_table *make_table(size_t count, enum conf_policy policy)
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

static int sink; /* keeps results alive */

static double time_picks(const struct pick_options *o, struct pick_candidate *c, size_t count)
{
	static enum pick_reason reasons[LIMIT_SLOTS_COUNT];
	static float scores[LIMIT_SLOTS_COUNT];
	double start = now_ns();

	for (int n = 0; n < PICKS; n++) {
		struct pick_result r = pick(o, c, count, reasons, scores);

		sink += r.chosen + (int)reasons[n % (int)count];
	}
	return (now_ns() - start) / PICKS;
}

static double time_leases(struct slot_table *t)
{
	static const struct slot_verdict verdict = {.kind = VERDICT_CANCELLED};
	struct lease_request request = {.model = SV("gpt-5.5"), .now_ms = now_ms};
	double start = now_ns();

	for (int n = 0; n < PICKS; n++) {
		struct lease_report report;
		struct lease lease = {0};

		if (slot_table_lease(t, &request, &lease, &report))
			abort();
		sink += report.pick.chosen;
		lease_release(&lease, &verdict, now_ms);
	}
	return (now_ns() - start) / PICKS;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* False when a choice is not as fast as it has to be. */
static bool measure(enum conf_policy policy, size_t count)
{
	struct slot_table *t = make_table(count, policy);
	struct pick_candidate *c = mem_zalloc(count * sizeof(*c));
	struct pick_options o = slot_table_candidates(t, now_ms, c);
	double pick_ns = 1e12, lease_ns = 1e12;

	for (int round = 0; round < ROUNDS; round++) {
		pick_ns = least(pick_ns, time_picks(&o, c, count));
		lease_ns = least(lease_ns, time_leases(t));
	}
	printf("%-20s %4zu slots  pick %7.0f ns  lease %7.0f ns\n", conf_policy_name(policy), count,
		pick_ns, lease_ns);
	free(c);
	slot_table_free(t);
	return pick_ns < TARGET_NS;
}

int main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long count = argc > 1 ? strtoul(argv[1], &end, 10) : SLOTS_USUAL;
	bool fast = true;

	if (argc > 2 || (end && *end) || count < 1 || count > LIMIT_SLOTS_COUNT) {
		fprintf(stderr, "usage: bench_pick [slots, 1 to %d]\n", LIMIT_SLOTS_COUNT);
		return 2;
	}
	for (int policy = 0; policy < CONF_POLICIES; policy++)
		fast &= measure((enum conf_policy)policy, count);
	if (count == SLOTS_USUAL && !fast)
		printf("too slow: a pick has to take less than %d ns\n", TARGET_NS);
	return count == SLOTS_USUAL && !fast;
}
