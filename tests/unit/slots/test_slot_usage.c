/* slot_usage: what an answer of the usage backend does to a slot. */
#include "slots/slot_usage.h"

#include "rig.h"
#include "slots/slot_record.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };

static const struct cooldown_conf conf = {.generic_s = 300, .quota_s = 1800};

static struct meter window(double used, int64_t resets_in_ms)
{
	return (struct meter){true, used, 0, resets_in_ms ? (NOW_MS + resets_in_ms) / 1000 : 0};
}

static struct meters both(double used_5h, double used_week)
{
	return (struct meters){
		.window[METER_5H] = window(used_5h, HOUR_MS),
		.window[METER_WEEK] = window(used_week, 3 * DAY_MS),
	};
}

static bool apply_at(struct slot *s, const struct meters *m, int64_t asked_ms, int64_t now_ms)
{
	const struct slot_usage news = {
		.meters = m, .is_whole = true, .asked_ms = asked_ms, .cooldowns = s->cooldowns};

	return slot_usage_apply(s, &news, now_ms);
}

static bool apply(struct slot *s, struct meters m)
{
	return apply_at(s, &m, NOW_MS, NOW_MS);
}

static void refuse(struct slot *s, enum failure_class class, int64_t until_ms,
	const struct meters *meters, int64_t now_ms)
{
	struct failure f = {.class = class, .until_ms = until_ms};
	struct slot_verdict v = {.kind = VERDICT_FAILURE, .failure = &f, .meters = meters};

	slot_apply_verdict(s, &v, &conf, now_ms);
}

static void test_answer_replaces_what_was_known(void **state)
{
	struct slot *s = rig_slot("slot-1");
	struct meters month = {.window[METER_MONTH] = window(40, 9 * DAY_MS),
		.plan_type = "free",
		.has_resets_known = true,
		.resets_available = 2};

	(void)state;
	assert_false(apply(s, both(10, 20)));
	assert_int_equal(s->checked_at_ms, NOW_MS);
	assert_true(slot_left_pct(s, METER_5H, NOW_MS) == 90);
	s->usage_5h_text = mem_strdup("90% left");
	s->usage_week_text = mem_strdup("80% left");
	/* The plan has changed: the windows of the old one are gone. */
	apply(s, month);
	assert_true(slot_left_pct(s, METER_5H, NOW_MS) < 0);
	assert_false(s->meters.window[METER_WEEK].known);
	assert_true(slot_left_pct(s, METER_WEEK, NOW_MS) == 60);
	assert_string_equal(s->meters.plan_type, "free");
	assert_int_equal(s->meters.resets_available, 2);
	assert_null(s->usage_5h_text);
	assert_non_null(s->usage_week_text);
	store_slot_free(s);
}

static void test_answer_in_part_keeps_the_rest(void **state)
{
	struct slot *s = rig_slot("slot-1");
	const struct meters part = {.window[METER_5H] = window(50, HOUR_MS)};
	const struct slot_usage news = {.meters = &part, .asked_ms = NOW_MS};

	(void)state;
	apply(s, both(10, 20));
	slot_usage_apply(s, &news, NOW_MS);
	assert_true(slot_left_pct(s, METER_5H, NOW_MS) == 50);
	assert_true(slot_left_pct(s, METER_WEEK, NOW_MS) == 80);
	store_slot_free(s);
}

static void test_headers_that_came_meanwhile_stay(void **state)
{
	struct slot *s = rig_slot("slot-1");
	struct meters told = {.window[METER_5H] = window(70, HOUR_MS)};
	struct meters answer = both(10, 20);
	struct slot_verdict v = {.kind = VERDICT_SUCCESS, .meters = &told};

	(void)state;
	slot_apply_verdict(s, &v, &conf, NOW_MS);
	apply_at(s, &answer, NOW_MS - 1, NOW_MS + 5);
	assert_true(slot_left_pct(s, METER_5H, NOW_MS) == 30);
	/* Of the other window nothing newer was known. */
	assert_true(slot_left_pct(s, METER_WEEK, NOW_MS) == 80);
	/* The next question is put after them. */
	apply_at(s, &answer, NOW_MS + 10, NOW_MS + 15);
	assert_true(slot_left_pct(s, METER_5H, NOW_MS) == 90);
	store_slot_free(s);
}

static void test_clock_that_was_set_back_is_not_newer(void **state)
{
	struct slot *s = rig_slot("slot-1");

	(void)state;
	s->checked_at_ms = NOW_MS + DAY_MS;
	s->meters = both(100, 100);
	apply(s, both(10, 20));
	assert_true(slot_left_pct(s, METER_5H, NOW_MS) == 90);
	assert_int_equal(s->checked_at_ms, NOW_MS);
	store_slot_free(s);
}

/* A cooldown, what the windows were at its beginning, and what the answer says. */
struct cooldown_case {
	const char *name;
	enum failure_class class;
	int64_t until_ms;   /* what upstream said; 0 nothing */
	double used, fresh; /* of the 5 h window, which resets in an hour; below 0 unknown */
	bool limit_reached;
	int64_t left_ms; /* of the cooldown afterwards */
};

static const struct cooldown_case cooldown_cases[] = {
	{"window is free again", FAILURE_RATE_LIMIT, NOW_MS + HOUR_MS, 100, 20, false, 0},
	{"window is still full", FAILURE_RATE_LIMIT, NOW_MS + HOUR_MS, 100, 100, false, HOUR_MS},
	{"upstream still refuses", FAILURE_RATE_LIMIT, NOW_MS + HOUR_MS, 100, 99, true, HOUR_MS},
	{"full, and resets sooner than the cooldown", FAILURE_RATE_LIMIT, NOW_MS + 5 * HOUR_MS, 100,
		100, false, HOUR_MS},
	{"full, and resets later than the cooldown", FAILURE_RATE_LIMIT, NOW_MS + 20 * MINUTE_MS,
		100, 100, false, 20 * MINUTE_MS},
	{"short limit has nothing to do with windows", FAILURE_RATE_LIMIT, NOW_MS + MINUTE_MS, 20,
		20, false, MINUTE_MS},
	{"long limit is about a window that was not told", FAILURE_RATE_LIMIT, NOW_MS + 5 * HOUR_MS,
		-1, 20, false, 0},
	{"nothing is known", FAILURE_RATE_LIMIT, NOW_MS + HOUR_MS, 100, -1, false, HOUR_MS},
	{"our own guess ends with the window", FAILURE_QUOTA, 0, 100, 20, false, 0},
	{"quota is not about windows", FAILURE_QUOTA, 0, 20, 20, false, 1800000},
	{"blocked is not about windows", FAILURE_BLOCKED, NOW_MS + HOUR_MS, 100, 20, false,
		HOUR_MS},
};

static void test_cooldowns(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cooldown_cases); i++) {
		const struct cooldown_case *c = &cooldown_cases[i];
		struct slot *s = rig_slot("slot-1");
		struct meters before = {0}, fresh = {0};
		struct slot_usage news = {.meters = &fresh,
			.is_whole = true,
			.limit_reached = c->limit_reached,
			.asked_ms = NOW_MS};
		int64_t left_ms;
		bool sooner;

		if (c->used >= 0)
			before.window[METER_5H] = window(c->used, HOUR_MS);
		if (c->fresh >= 0)
			fresh.window[METER_5H] = window(c->fresh, HOUR_MS);
		refuse(s, c->class, c->until_ms, &before, NOW_MS);
		left_ms = s->cooldown_until_ms - NOW_MS;
		news.cooldowns = s->cooldowns;
		sooner = slot_usage_apply(s, &news, NOW_MS);
		if (s->cooldown_until_ms != (c->left_ms ? NOW_MS + c->left_ms : 0))
			fail_msg("%s: ends in %lld", c->name,
				(long long)(s->cooldown_until_ms - NOW_MS));
		if (sooner < (c->left_ms < left_ms))
			fail_msg("%s: nobody is told", c->name);
		if ((s->cooldown_reason[0] != '\0') != (c->left_ms != 0))
			fail_msg("%s: reason %s", c->name, s->cooldown_reason);
		store_slot_free(s);
	}
}

static void test_answer_from_before_a_refusal_does_not_end_it(void **state)
{
	struct slot *s = rig_slot("slot-1");
	struct meters full = both(100, 20), fresh = both(99, 20);
	struct slot_usage news = {.meters = &fresh, .is_whole = true, .asked_ms = NOW_MS};

	(void)state;
	news.cooldowns = s->cooldowns;
	refuse(s, FAILURE_RATE_LIMIT, NOW_MS + HOUR_MS, &full, NOW_MS + 1);
	slot_usage_apply(s, &news, NOW_MS + 2);
	assert_int_equal(s->cooldown_until_ms, NOW_MS + HOUR_MS);
	assert_true(slot_left_pct(s, METER_5H, NOW_MS + 2) == 0);
	store_slot_free(s);
}

static void test_window_that_was_full_frees_waiters(void **state)
{
	struct slot *s = rig_slot("slot-1");

	(void)state;
	apply(s, both(100, 20));
	assert_true(apply(s, both(0, 20)));
	assert_false(apply(s, both(0, 20)));
	store_slot_free(s);
}

static void test_usage_alone_leaves_login_and_cooldown_as_they_are(void **state)
{
	json_t *record = json_loads("{\"id\":\"slot-1\",\"relay\":{\"reauthRequired\":true,"
				    "\"refusedFingerprint\":\"f\",\"cooldownReason\":\"quota\","
				    "\"plan\":\"plus\"}}",
		0, NULL);
	const json_t *relay = json_object_get(record, "relay");

	(void)state;
	slot_record_merge(record, json_pack("{s:i}", "fivePct", 30), NULL, NULL);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(record, "usage"), "fivePct")),
		30);
	assert_true(json_is_true(json_object_get(relay, "reauthRequired")));
	assert_string_equal(json_string_value(json_object_get(relay, "refusedFingerprint")), "f");
	assert_string_equal(json_string_value(json_object_get(relay, "cooldownReason")), "quota");
	assert_string_equal(json_string_value(json_object_get(relay, "plan")), "plus");
	json_decref(record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_replaces_what_was_known),
		cmocka_unit_test(test_answer_in_part_keeps_the_rest),
		cmocka_unit_test(test_headers_that_came_meanwhile_stay),
		cmocka_unit_test(test_clock_that_was_set_back_is_not_newer),
		cmocka_unit_test(test_cooldowns),
		cmocka_unit_test(test_answer_from_before_a_refusal_does_not_end_it),
		cmocka_unit_test(test_window_that_was_full_frees_waiters),
		cmocka_unit_test(test_usage_alone_leaves_login_and_cooldown_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
