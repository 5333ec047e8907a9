/* The worked example of docs/routing.md: the tables there are what the real code says. */
#include "base/limits.h"
#include "slots/policy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SLOTS = 5, CHOICES = 12, HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };
#define NOW INT64_C(1790000000000)
#define SLOT(n) .id = "slot-" #n, .id_number = (n), .enabled = true, .has_credential = true
#define FIVE(percent, ends_ms) \
	.left_5h = (percent), .resets_5h_ms = NOW + (ends_ms), .length_5h_ms = 5 * HOUR_MS
#define WEEK(percent, ends_ms) \
	.left_week = (percent), .resets_week_ms = NOW + (ends_ms), .length_week_ms = 7 * DAY_MS

static const struct pick_candidate example[SLOTS] = {
	{SLOT(1), FIVE(80, HOUR_MS), WEEK(30, DAY_MS), .capacity = 1,
		.last_used_ms = NOW - HOUR_MS / 6},
	{SLOT(2), FIVE(60, 4 * HOUR_MS), WEEK(60, 5 * DAY_MS), .capacity = 6.67,
		.last_used_ms = NOW - HOUR_MS / 60, .inflight = 2},
	{SLOT(3), FIVE(40, 2 * HOUR_MS), WEEK(90, 6 * DAY_MS), .capacity = 1,
		.last_used_ms = NOW - HOUR_MS},
	{SLOT(4), FIVE(100, 5 * HOUR_MS), WEEK(8, 2 * DAY_MS), .capacity = 1,
		.last_used_ms = NOW - 2 * HOUR_MS},
	{SLOT(5), .left_5h = -1, .left_week = -1, .capacity = 1, .priority = 9},
};

static struct pick_options options_of(enum conf_policy policy)
{
	return (struct pick_options){.policy = policy,
		.min_5h_pct = 15,
		.min_week_pct = 10,
		.concurrency = 8,
		.pinned = -1,
		.now_ms = NOW};
}

/* docs/routing.md; the caller frees. */
static char *read_doc(void)
{
	const char *tests = getenv("TESTS_DIR");
	char path[4096];
	char *text = mem_zalloc(MIB(1) + 1);
	FILE *file;

	assert_non_null(tests);
	snprintf(path, sizeof(path), "%s/../docs/routing.md", tests);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_true(fread(text, 1, MIB(1), file) > 0);
	fclose(file);
	return text;
}

static void assert_in_doc(const char *doc, struct buf *line)
{
	if (!strstr(doc, buf_cstr(line)))
		fail_msg("docs/routing.md lacks this line:\n%s", buf_cstr(line));
	buf_reset(line, KIB(4));
}

static void test_doc_has_every_policy(void **state)
{
	char *doc = read_doc();
	struct buf line;

	(void)state;
	buf_init(&line, KIB(4));
	for (int p = 0; p < CONF_POLICIES; p++) {
		const struct policy *policy = policy_get((enum conf_policy)p);

		buf_addf(&line, "| `%s` | %s | %s |\n", conf_policy_name((enum conf_policy)p),
			policy->help, policy->unit);
		assert_in_doc(doc, &line);
	}
	buf_fini(&line);
	free(doc);
}

static void add_score(struct buf *line, float score)
{
	if (isnan(score))
		buf_addf(line, " none |");
	else
		buf_addf(line, " %.15g |", pick_score_shown(score));
}

static void test_doc_has_the_scores_of_the_example(void **state)
{
	char *doc = read_doc();
	struct buf line;

	(void)state;
	buf_init(&line, KIB(4));
	for (int p = 0; p < CONF_POLICIES; p++) {
		struct pick_options o = options_of((enum conf_policy)p);
		enum pick_reason reasons[SLOTS];
		float scores[SLOTS];
		struct pick_result r = pick(&o, example, SLOTS, reasons, scores);

		assert_in_range(r.chosen, 0, 2);
		assert_int_equal(reasons[3], PICK_BELOW_THRESHOLD);
		assert_int_equal(reasons[4], PICK_UNKNOWN_USAGE);
		buf_addf(&line, "| `%s` |", conf_policy_name(o.policy));
		for (size_t i = 0; i < SLOTS; i++)
			add_score(&line, scores[i]);
		buf_addf(&line, " %s |\n", example[r.chosen].id);
		assert_in_doc(doc, &line);
	}
	buf_fini(&line);
	free(doc);
}

static void test_doc_has_the_turns_of_the_example(void **state)
{
	static const enum conf_policy by_turns[] = {POLICY_ROUND_ROBIN, POLICY_WEIGHTED};
	char *doc = read_doc();
	struct buf line;

	(void)state;
	buf_init(&line, KIB(4));
	for (size_t i = 0; i < ARRAY_LEN(by_turns); i++) {
		struct pick_options o = options_of(by_turns[i]);
		struct pick_candidate c[SLOTS];

		memcpy(c, example, sizeof(c));
		buf_addf(&line, "| `%s` |", conf_policy_name(o.policy));
		for (int n = 0; n < CHOICES; n++) {
			struct pick_result r = pick(&o, c, SLOTS, NULL, NULL);

			buf_addf(&line, " %llu", (unsigned long long)c[r.chosen].id_number);
			o.turn = r.table_turn;
			c[r.chosen].turn = r.slot_turn;
		}
		buf_addf(&line, " |\n");
		assert_in_doc(doc, &line);
	}
	buf_fini(&line);
	free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doc_has_every_policy),
		cmocka_unit_test(test_doc_has_the_scores_of_the_example),
		cmocka_unit_test(test_doc_has_the_turns_of_the_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
