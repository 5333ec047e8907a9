#include "slots/slot.h"

#include "rig.h"

static const struct cooldown_conf conf = {.generic_s = 300, .quota_s = 1800};

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

static bool note_failure(struct slot *s, enum failure_class class, int64_t until_ms, int64_t now_ms)
{
	struct failure f = {.class = class, .until_ms = until_ms};
	struct slot_verdict v = {.kind = VERDICT_FAILURE, .failure = &f, .model_hash = 77};

	snprintf(f.err.message, sizeof(f.err.message), "what upstream said");
	return slot_apply_verdict(s, &v, &conf, now_ms);
}

static bool succeed(struct slot *s, int64_t now_ms)
{
	struct slot_verdict v = {.kind = VERDICT_SUCCESS};

	return slot_apply_verdict(s, &v, &conf, now_ms);
}

/* What one failure of each class does to a slot. */
struct class_case {
	enum failure_class class;
	int64_t until_ms;    /* what upstream said */
	int64_t cooldown_ms; /* from now; 0: none */
	bool counts;	     /* as a failure of the slot */
	bool reauth, disabled, changed;
};

static const struct class_case class_cases[] = {
	{FAILURE_NONE, 0, 0, false, false, false, false},
	{FAILURE_RATE_LIMIT, NOW_MS + HOUR_MS, HOUR_MS, true, false, false, true},
	{FAILURE_RATE_LIMIT, 0, 300000, true, false, false, true},
	{FAILURE_RATE_LIMIT, NOW_MS - 1, 300000, true, false, false, true},
	{FAILURE_QUOTA, NOW_MS + 1000, 1000, true, false, false, true},
	{FAILURE_QUOTA, 0, 1800000, true, false, false, true},
	{FAILURE_AUTH, 0, 0, true, true, false, true},
	{FAILURE_DEAD, 0, 0, true, false, true, true},
	{FAILURE_BLOCKED, 0, 15000, true, false, false, true},
	{FAILURE_BLOCKED, NOW_MS + 5000, 5000, true, false, false, true},
	{FAILURE_TRANSIENT, 0, 0, true, false, false, false},
	{FAILURE_TRANSIENT, NOW_MS + 5000, 0, true, false, false, false},
	{FAILURE_ENTITLEMENT, 0, 0, false, false, false, false},
	{FAILURE_BLOB, 0, 0, false, false, false, false},
	{FAILURE_CLIENT, NOW_MS + HOUR_MS, 0, false, false, false, false},
	{FAILURE_NETWORK, 0, 0, true, false, false, false},
	{FAILURE_TRUNCATED, 0, 0, true, false, false, false},
	{FAILURE_IDLE, 0, 0, true, false, false, false},
	{FAILURE_PROTOCOL, 0, 0, true, false, false, false},
};

static void test_each_class(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(class_cases); i++) {
		const struct class_case *c = &class_cases[i];
		const char *name = failure_class_name(c->class);
		struct slot *s = rig_slot("slot-1");
		int64_t cooldown_ms;

		if (note_failure(s, c->class, c->until_ms, NOW_MS) != c->changed)
			fail_msg("%s: changed", name);
		cooldown_ms = s->cooldown_until_ms ? s->cooldown_until_ms - NOW_MS : 0;
		if (cooldown_ms != c->cooldown_ms)
			fail_msg("%s: cooldown of %lld", name, (long long)cooldown_ms);
		if (s->failures != c->counts || (s->last_error[0] != '\0') != c->counts)
			fail_msg("%s: counted %u, %s", name, s->failures, s->last_error);
		if (c->cooldown_ms)
			assert_string_equal(s->cooldown_reason, name);
		if (c->counts)
			assert_non_null(strstr(s->last_error, "what upstream said"));
		assert_int_equal(s->reauth_required, c->reauth);
		assert_int_equal(s->enabled, !c->disabled);
		assert_int_equal(s->dead, c->disabled);
		assert_int_equal(s->last_used_ms, 0);
		assert_int_equal(
			slot_model_is_unsupported(s, 77, NOW_MS), c->class == FAILURE_ENTITLEMENT);
		store_slot_free(s);
	}
}

static void test_every_class_has_a_case(void **state)
{
	(void)state;
	for (int class = FAILURE_NONE; class < FAILURE_CLASSES; class ++) {
		size_t i = 0;

		while (i < ARRAY_LEN(class_cases) && (int)class_cases[i].class != class)
			i++;
		assert_true(i < ARRAY_LEN(class_cases));
	}
}

static void test_a_broken_socket_is_no_mark_against_the_slot(void **state)
{
	struct failure f = {.class = FAILURE_TRUNCATED, .of_socket = true};
	struct slot_verdict v = {.kind = VERDICT_FAILURE, .failure = &f};
	struct slot *s = rig_slot("slot-1");

	(void)state;
	assert_false(slot_apply_verdict(s, &v, &conf, NOW_MS));
	assert_int_equal(s->failures, 0);
	assert_string_equal(s->last_error, "");
	store_slot_free(s);
}

static void test_success_clears(void **state)
{
	struct slot *s = rig_slot("slot-1");

	(void)state;
	note_failure(s, FAILURE_QUOTA, 0, NOW_MS);
	assert_true(succeed(s, NOW_MS + 5));
	assert_int_equal(s->cooldown_until_ms, 0);
	assert_string_equal(s->cooldown_reason, "");
	assert_string_equal(s->last_error, "");
	assert_int_equal(s->failures, 0);
	assert_int_equal(s->last_used_ms, NOW_MS + 5);
	store_slot_free(s);
}

static void test_success_of_before_the_cooldown_does_not_end_it(void **state)
{
	struct slot_verdict late = {.kind = VERDICT_SUCCESS, .outdated = true};
	struct slot *s = rig_slot("slot-1");

	(void)state;
	note_failure(s, FAILURE_RATE_LIMIT, NOW_MS + HOUR_MS, NOW_MS);
	assert_false(slot_apply_verdict(s, &late, &conf, NOW_MS + 1));
	assert_int_equal(s->cooldown_until_ms, NOW_MS + HOUR_MS);
	assert_true(s->last_error[0] != '\0');
	assert_int_equal(s->last_used_ms, NOW_MS + 1);
	slot_apply_verdict(s, &late, &conf, NOW_MS + HOUR_MS);
	assert_int_equal(s->cooldown_until_ms, 0);
	store_slot_free(s);
}

static void test_transient_failures_cool_only_after_three_in_a_row(void **state)
{
	struct slot *s = rig_slot("slot-1");

	(void)state;
	for (int round = 0; round < 2; round++) {
		note_failure(s, FAILURE_TRANSIENT, 0, NOW_MS);
		note_failure(s, FAILURE_TRANSIENT, 0, NOW_MS);
		assert_int_equal(s->cooldown_until_ms, 0);
		if (round == 0)
			succeed(s, NOW_MS);
	}
	assert_true(note_failure(s, FAILURE_TRANSIENT, 0, NOW_MS));
	assert_int_equal(s->cooldown_until_ms, NOW_MS + 300000);
	store_slot_free(s);
}

static void test_blocked_grows_and_stops_growing(void **state)
{
	static const int64_t seconds[] = {15, 30, 60, 120, 240, 480, 600, 600};
	struct slot *s = rig_slot("slot-1");
	int64_t now = NOW_MS;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
		note_failure(s, FAILURE_BLOCKED, 0, now);
		assert_int_equal(s->cooldown_until_ms - now, seconds[i] * 1000);
		now = s->cooldown_until_ms;
	}
	store_slot_free(s);
}

static void test_a_burst_is_one_failure(void **state)
{
	struct failure f = {.class = FAILURE_BLOCKED};
	struct slot_verdict v = {.kind = VERDICT_FAILURE, .failure = &f, .outdated = true};
	struct slot *s = rig_slot("slot-1");

	(void)state;
	note_failure(s, FAILURE_BLOCKED, 0, NOW_MS);
	for (int i = 0; i < 8; i++)
		slot_apply_verdict(s, &v, &conf, NOW_MS);
	assert_int_equal(s->failures, 1);
	assert_int_equal(s->cooldown_until_ms, NOW_MS + 15000);
	store_slot_free(s);
}

static void test_our_guess_does_not_shorten_what_upstream_said(void **state)
{
	struct slot *s = rig_slot("slot-1");

	(void)state;
	note_failure(s, FAILURE_RATE_LIMIT, NOW_MS + HOUR_MS, NOW_MS);
	note_failure(s, FAILURE_BLOCKED, 0, NOW_MS);
	assert_int_equal(s->cooldown_until_ms, NOW_MS + HOUR_MS);
	assert_string_equal(s->cooldown_reason, "rate_limit");
	/* Upstream itself may. */
	note_failure(s, FAILURE_RATE_LIMIT, NOW_MS + MINUTE_MS, NOW_MS);
	assert_int_equal(s->cooldown_until_ms, NOW_MS + MINUTE_MS);
	store_slot_free(s);
}

static void test_refused_token_is_remembered(void **state)
{
	struct slot *s = rig_slot("slot-1");

	(void)state;
	note_failure(s, FAILURE_AUTH, 0, NOW_MS);
	assert_int_equal(strlen(s->refused_fingerprint), 32);
	store_slot_free(s);
}

static void refuse(struct slot *s, const char *token, bool refreshed)
{
	struct failure f = {.class = FAILURE_AUTH};
	struct slot_verdict v = {
		.kind = VERDICT_FAILURE, .failure = &f, .token = token, .refreshed = refreshed};

	slot_apply_verdict(s, &v, &conf, NOW_MS);
}

static struct slot *refreshable(void)
{
	struct slot *s = rig_slot("slot-1");

	secret_set(&s->refresh, SV("refresh"));
	snprintf(s->token_fingerprint, sizeof(s->token_fingerprint), "present");
	return s;
}

static void test_refused_token_is_out_until_a_refresh_and_the_login_stays(void **state)
{
	struct slot *s = refreshable();

	(void)state;
	assert_false(slot_needs_token(s, NOW_MS));
	refuse(s, "present", false);
	assert_true(slot_needs_token(s, NOW_MS));
	assert_false(s->reauth_required);
	assert_true(slot_can_refresh(s));
	store_slot_free(s);
}

static void test_refusal_of_a_former_token_says_nothing_of_the_present_one(void **state)
{
	struct slot *s = refreshable();

	(void)state;
	refuse(s, "former", true);
	assert_false(s->token_refused || s->reauth_required);
	assert_int_equal(s->failures, 0);
	assert_string_equal(s->last_error, "");
	store_slot_free(s);
}

static void test_refusal_of_a_fresh_token_ends_the_login(void **state)
{
	struct slot *s = refreshable();

	(void)state;
	refuse(s, "present", true);
	assert_true(s->reauth_required);
	assert_false(slot_can_refresh(s));
	store_slot_free(s);
}

static void test_refused_token_in_doubt_ends_the_login(void **state)
{
	struct slot *s = refreshable();

	(void)state;
	s->refresh_state = SLOT_REFRESH_IN_DOUBT;
	refuse(s, "present", false);
	assert_true(s->reauth_required);
	store_slot_free(s);
}

static void test_token_ends_at_its_time(void **state)
{
	struct slot *s = refreshable();

	(void)state;
	s->expires_ms = NOW_MS + 1;
	assert_false(slot_needs_token(s, NOW_MS));
	assert_true(slot_needs_token(s, NOW_MS + 1));
	store_slot_free(s);
}

static void test_error_texts_hold_no_refresh_token_either(void **state)
{
	struct slot *s = refreshable();

	(void)state;
	secret_set(&s->refresh, SV("rt_secret_1"));
	slot_set_error(s, "refresh", SV("the token rt_secret_1 is bad"));
	assert_null(strstr(s->last_error, "rt_secret_1"));
	store_slot_free(s);
}

static void test_cancelled_is_nobodys_fault(void **state)
{
	struct slot_verdict v = {.kind = VERDICT_CANCELLED};
	struct slot *s = rig_slot("slot-1");

	(void)state;
	note_failure(s, FAILURE_NETWORK, 0, NOW_MS);
	assert_false(slot_apply_verdict(s, &v, &conf, NOW_MS));
	assert_int_equal(s->failures, 1);
	assert_int_equal(s->last_used_ms, 0);
	store_slot_free(s);
}

static void test_meters_are_learnt_whatever_the_verdict(void **state)
{
	struct meters m = {.window[METER_5H] = {true, 40, 300, NOW_S + 60}};
	struct slot_verdict v = {.kind = VERDICT_CANCELLED, .meters = &m};
	struct slot *s = rig_slot("slot-1");

	(void)state;
	slot_apply_verdict(s, &v, &conf, NOW_MS);
	assert_true(slot_left_pct(s, METER_5H, NOW_MS) == 60);
	assert_true(slot_left_pct(s, METER_5H, NOW_MS + 60000) == 100);
	assert_true(slot_left_pct(s, METER_WEEK, NOW_MS) == -1);
	assert_int_equal(s->checked_at_ms, NOW_MS);
	store_slot_free(s);
}

static void test_month_stands_for_the_week(void **state)
{
	struct slot *s = rig_slot("slot-1");

	(void)state;
	s->meters.window[METER_MONTH] = (struct meter){true, 30, 43200, 0};
	assert_true(slot_left_pct(s, METER_WEEK, NOW_MS) == 70);
	s->meters.window[METER_WEEK] = (struct meter){true, 10, 10080, 0};
	assert_true(slot_left_pct(s, METER_WEEK, NOW_MS) == 90);
	store_slot_free(s);
}

static void test_window_without_a_reset_is_forgotten_after_its_length(void **state)
{
	struct slot *s = rig_slot("slot-1");

	(void)state;
	s->meters.window[METER_5H] = (struct meter){true, 100, 0, 0};
	s->checked_at_ms = NOW_MS;
	assert_true(slot_left_pct(s, METER_5H, NOW_MS + 5 * HOUR_MS - 1) == 0);
	assert_int_equal(slot_window_ends_ms(s, METER_5H), NOW_MS + 5 * HOUR_MS);
	assert_true(slot_left_pct(s, METER_5H, NOW_MS + 5 * HOUR_MS) == -1);
	s->meters.window[METER_5H].window_minutes = 60;
	assert_true(slot_left_pct(s, METER_5H, NOW_MS + HOUR_MS) == -1);
	store_slot_free(s);
}

static void test_unsupported_models_are_remembered_for_a_while(void **state)
{
	struct failure f = {.class = FAILURE_ENTITLEMENT};
	struct slot_verdict v = {.kind = VERDICT_FAILURE, .failure = &f};
	struct slot *s = rig_slot("slot-1");

	(void)state;
	for (uint64_t model = 1; model <= SLOT_UNSUPPORTED_MAX + 2; model++) {
		v.model_hash = model;
		slot_apply_verdict(s, &v, &conf, NOW_MS + (int64_t)model);
	}
	/* The oldest ones made room. */
	assert_false(slot_model_is_unsupported(s, 1, NOW_MS));
	assert_false(slot_model_is_unsupported(s, 2, NOW_MS));
	assert_true(slot_model_is_unsupported(s, 3, NOW_MS));
	assert_true(slot_model_is_unsupported(s, SLOT_UNSUPPORTED_MAX + 2, NOW_MS));
	assert_false(slot_model_is_unsupported(s, 3, NOW_MS + 2 * HOUR_MS));
	assert_false(slot_model_is_unsupported(s, 0, NOW_MS));
	store_slot_free(s);
}

static void test_last_error_is_one_line_of_utf8_without_the_token(void **state)
{
	struct slot *s = rig_slot("slot-1");
	char longest[600];

	(void)state;
	slot_set_error(s, "x", SV("a\nb\x1b[0m \xff\xc3\xa4"));
	assert_string_equal(s->last_error, "x: a b [0m ?\xc3\xa4");
	slot_set_error(s, NULL, SV("no prefix"));
	assert_string_equal(s->last_error, "no prefix");
	slot_set_error(s, "x", SV("Bearer token is wrong"));
	assert_null(strstr(s->last_error, "token is"));
	for (size_t i = 0; i < sizeof(longest); i += 2)
		memcpy(longest + i, "\xc3\xa4", 2);
	for (size_t shift = 0; shift < 2; shift++) {
		json_t *text;

		slot_set_error(s, shift ? "xy" : "x", sv_make(longest, sizeof(longest)));
		assert_in_range(strlen(s->last_error), 253, 255);
		text = json_string(s->last_error);
		assert_non_null(text); /* cut between characters */
		json_decref(text);
	}
	store_slot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_class),
		cmocka_unit_test(test_every_class_has_a_case),
		cmocka_unit_test(test_a_broken_socket_is_no_mark_against_the_slot),
		cmocka_unit_test(test_success_clears),
		cmocka_unit_test(test_success_of_before_the_cooldown_does_not_end_it),
		cmocka_unit_test(test_transient_failures_cool_only_after_three_in_a_row),
		cmocka_unit_test(test_blocked_grows_and_stops_growing),
		cmocka_unit_test(test_a_burst_is_one_failure),
		cmocka_unit_test(test_our_guess_does_not_shorten_what_upstream_said),
		cmocka_unit_test(test_refused_token_is_remembered),
		cmocka_unit_test(test_refused_token_is_out_until_a_refresh_and_the_login_stays),
		cmocka_unit_test(test_refusal_of_a_former_token_says_nothing_of_the_present_one),
		cmocka_unit_test(test_refusal_of_a_fresh_token_ends_the_login),
		cmocka_unit_test(test_refused_token_in_doubt_ends_the_login),
		cmocka_unit_test(test_token_ends_at_its_time),
		cmocka_unit_test(test_error_texts_hold_no_refresh_token_either),
		cmocka_unit_test(test_cancelled_is_nobodys_fault),
		cmocka_unit_test(test_meters_are_learnt_whatever_the_verdict),
		cmocka_unit_test(test_month_stands_for_the_week),
		cmocka_unit_test(test_window_without_a_reset_is_forgotten_after_its_length),
		cmocka_unit_test(test_unsupported_models_are_remembered_for_a_while),
		cmocka_unit_test(test_last_error_is_one_line_of_utf8_without_the_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
