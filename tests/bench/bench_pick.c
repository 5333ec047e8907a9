/*
 * Prints what a choice costs, best of several rounds, for each policy, in nanoseconds: pick() with
 * its reasons and scores over candidates, and a whole lease of the slot table that holds as many
 * slots, with its release.
 *	bench_pick [slots]
 */
#include "bench_slots.h"

#include "codex/failure.h"
#include "slots/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SLOTS_USUAL = 64, ROUNDS = 20, PICKS = 20000, TARGET_NS = 2000 };

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
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
	struct lease_request request = {.model = SV("gpt-5.5"), .now_ms = BENCH_NOW_MS};
	double start = now_ns();

	for (int n = 0; n < PICKS; n++) {
		struct lease_report report;
		struct lease lease = {0};

		if (slot_table_lease(t, &request, &lease, &report))
			abort();
		sink += report.pick.chosen;
		lease_release(&lease, &verdict, BENCH_NOW_MS);
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
	struct slot_table *t = bench_slots(count, policy);
	struct pick_candidate *c = mem_zalloc(count * sizeof(*c));
	struct pick_options o = slot_table_candidates(t, BENCH_NOW_MS, c);
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
