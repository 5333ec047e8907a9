/* When slots are refreshed: long before their tokens end, spread, and with patience. */
#include "slots/refresh_plan.h"

#include "rig.h"

static const int64_t minute_ms = 60 * 1000, hour_ms = 60 * minute_ms, day_ms = 24 * hour_ms;

/* A slot whose token of ten days was granted at NOW_MS. */
static struct slot *granted(const char *id)
{
	struct slot *s = rig_slot(id);

	secret_set(&s->refresh, SV("refresh"));
	s->granted_ms = NOW_MS;
	s->expires_ms = NOW_MS + 10 * day_ms;
	return s;
}

static void test_tokens_of_ten_days_are_refreshed_within_a_week(void **state)
{
	struct slot *s = granted("slot-1");
	int64_t earliest = INT64_MAX, latest = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 1000; seed++) {
		int64_t at = refresh_plan_next_ms(s, seed, NOW_MS) - NOW_MS;

		earliest = at < earliest ? at : earliest;
		latest = at > latest ? at : latest;
	}
	assert_true(earliest >= 7 * day_ms * 7 / 10 && latest <= 7 * day_ms);
	assert_true(latest - earliest > day_ms); /* they do not come at once */
	store_slot_free(s);
}

static void test_short_lives_are_refreshed_in_their_last_part(void **state)
{
	struct slot *s = granted("slot-1");

	(void)state;
	s->expires_ms = NOW_MS + hour_ms;
	for (uint64_t seed = 0; seed < 100; seed++) {
		int64_t at = refresh_plan_next_ms(s, seed, NOW_MS) - NOW_MS;

		assert_true(at >= 42 * minute_ms && at <= 51 * minute_ms);
	}
	store_slot_free(s);
}

static void test_token_without_a_known_end_is_refreshed_by_its_age(void **state)
{
	struct slot *s = granted("slot-1");

	(void)state;
	s->expires_ms = 0;
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) <= NOW_MS + 7 * day_ms);
	s->granted_ms = 0;
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == INT64_MAX);
	s->expires_ms = NOW_MS + day_ms;
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == NOW_MS + day_ms - 5 * minute_ms);
	store_slot_free(s);
}

static void test_same_slot_grant_and_seed_give_the_same_time(void **state)
{
	struct slot *a = granted("slot-1"), *b = granted("slot-2");
	int64_t first = refresh_plan_next_ms(a, 7, NOW_MS);

	(void)state;
	assert_true(refresh_plan_next_ms(a, 7, NOW_MS + day_ms) == first);
	assert_true(refresh_plan_next_ms(a, 8, NOW_MS) != first);
	assert_true(refresh_plan_next_ms(b, 7, NOW_MS) != first);
	store_slot_free(a);
	store_slot_free(b);
}

static void test_odd_dates_do_not_make_the_issuer_be_asked_all_the_time(void **state)
{
	struct slot *s = granted("slot-1");

	(void)state;
	s->granted_ms = NOW_MS - 300 * day_ms; /* of the login, says the issuer */
	s->written_ms = NOW_MS;
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == NOW_MS + 12 * hour_ms);
	s->expires_ms = NOW_MS + hour_ms;
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == NOW_MS + hour_ms / 2);
	s->expires_ms = NOW_MS - hour_ms; /* it is needed */
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) <= NOW_MS);
	store_slot_free(s);
}

static void test_disabled_slots_are_planned_and_dead_ones_are_not(void **state)
{
	struct slot *s = granted("slot-1");

	(void)state;
	s->enabled = false;
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) < NOW_MS + 8 * day_ms);
	s->reauth_required = true;
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == INT64_MAX);
	s->reauth_required = false;
	secret_fini(&s->refresh);
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == INT64_MAX);
	store_slot_free(s);
}

static void test_spent_tokens_are_only_looked_after(void **state)
{
	struct slot *s = granted("slot-1");

	(void)state;
	s->refresh_state = SLOT_REFRESH_NOTED; /* look at the file, at once */
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == NOW_MS);
	s->refresh_state = SLOT_REFRESH_IN_DOUBT; /* when its token ends it is over */
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == s->expires_ms);
	s->expires_ms = 0;
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == INT64_MAX);
	s->token_refused = true;
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == NOW_MS);
	store_slot_free(s);
}

static void test_refused_token_is_replaced_without_a_request(void **state)
{
	struct slot *s = granted("slot-1");

	(void)state;
	s->token_refused = true;
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == NOW_MS);
	s->refresh_after_ms = NOW_MS + minute_ms; /* but not during a backoff */
	assert_true(refresh_plan_next_ms(s, 1, NOW_MS) == NOW_MS + minute_ms);
	store_slot_free(s);
}

static void test_requests_refresh_in_the_last_five_minutes(void **state)
{
	struct slot *s = granted("slot-1");

	(void)state;
	assert_false(refresh_plan_is_short(s, s->expires_ms - 5 * minute_ms));
	assert_true(refresh_plan_is_short(s, s->expires_ms - 5 * minute_ms + 1));
	assert_true(refresh_plan_is_short(s, s->expires_ms + 1));
	/* Of a token that lives for a minute the last half. */
	s->expires_ms = NOW_MS + minute_ms;
	assert_false(refresh_plan_is_short(s, NOW_MS + 30 * 1000));
	assert_true(refresh_plan_is_short(s, NOW_MS + 30 * 1000 + 1));
	s->expires_ms = 0;
	assert_false(refresh_plan_is_short(s, NOW_MS));
	store_slot_free(s);
}

static void test_backoff_doubles_and_keeps_to_what_the_issuer_asked(void **state)
{
	(void)state;
	assert_int_equal(refresh_plan_backoff_ms(1, 0), 5000);
	assert_int_equal(refresh_plan_backoff_ms(2, 0), 10000);
	assert_int_equal(refresh_plan_backoff_ms(5, 0), 80000);
	assert_int_equal(refresh_plan_backoff_ms(1000000, 0), hour_ms);
	assert_int_equal(refresh_plan_backoff_ms(1, 120000), 120000);
	assert_int_equal(refresh_plan_backoff_ms(9, 1000), 1280000);
	assert_int_equal(refresh_plan_backoff_ms(1, INT64_MAX), day_ms);
}

/* Two weeks of a slot that nobody uses, looked at every half minute as the relay does. */
static void test_idle_slot_never_gets_near_its_end(void **state)
{
	struct slot *s = granted("slot-1");
	int refreshes = 0;

	(void)state;
	for (int64_t now = NOW_MS; now < NOW_MS + 14 * day_ms; now += 30 * 1000) {
		assert_true(s->expires_ms - now > day_ms);
		if (refresh_plan_next_ms(s, 3, now) > now)
			continue;
		refreshes++;
		s->granted_ms = now;
		s->expires_ms = now + 10 * day_ms;
	}
	assert_in_range(refreshes, 1, 2);
	store_slot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens_of_ten_days_are_refreshed_within_a_week),
		cmocka_unit_test(test_short_lives_are_refreshed_in_their_last_part),
		cmocka_unit_test(test_token_without_a_known_end_is_refreshed_by_its_age),
		cmocka_unit_test(test_same_slot_grant_and_seed_give_the_same_time),
		cmocka_unit_test(test_odd_dates_do_not_make_the_issuer_be_asked_all_the_time),
		cmocka_unit_test(test_disabled_slots_are_planned_and_dead_ones_are_not),
		cmocka_unit_test(test_spent_tokens_are_only_looked_after),
		cmocka_unit_test(test_refused_token_is_replaced_without_a_request),
		cmocka_unit_test(test_requests_refresh_in_the_last_five_minutes),
		cmocka_unit_test(test_backoff_doubles_and_keeps_to_what_the_issuer_asked),
		cmocka_unit_test(test_idle_slot_never_gets_near_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
