/* When usage and models of a slot are due. */
#include "slots/usage_plan.h"

#include "rig.h"
#include "slots/catalogue.h"
#include "slots/models_plan.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, TTL_MS = 5 * MINUTE_MS };

static struct usage_plan fresh_plan(void)
{
	return (struct usage_plan){
		.enabled = true,
		.can_ask = true,
		.learnt_ms = NOW_MS,
		.poll.answered_ms = NOW_MS,
		.seed = 12345,
	};
}

static int64_t due_in(const struct usage_plan *p, int64_t now_ms)
{
	return usage_plan_due_ms(p, TTL_MS, now_ms) - NOW_MS;
}

static void assert_about(int64_t got_ms, int64_t want_ms)
{
	if (got_ms < want_ms * 9 / 10 || got_ms > want_ms * 11 / 10)
		fail_msg("%lld, want about %lld", (long long)got_ms, (long long)want_ms);
}

static void test_jitter_spreads_and_stays_within_a_tenth(void **state)
{
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		char id[32];
		int64_t ms;

		snprintf(id, sizeof(id), "slot-%llu", (unsigned long long)i);
		ms = poll_jitter_ms(TTL_MS, sv_hash(sv_cstr(id), SV_HASH_SEED), NOW_MS);
		assert_about(ms, TTL_MS);
		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	assert_true(most - least > TTL_MS / 10);
	assert_int_equal(poll_jitter_ms(TTL_MS, 7, NOW_MS), poll_jitter_ms(TTL_MS, 7, NOW_MS));
	assert_int_not_equal(
		poll_jitter_ms(TTL_MS, 7, NOW_MS), poll_jitter_ms(TTL_MS, 7, NOW_MS + TTL_MS));
	assert_int_equal(poll_jitter_ms(3, 7, NOW_MS), 3);
}

static void test_backoff_doubles_up_to_an_hour(void **state)
{
	struct poll_state p = {0};
	int64_t want_ms = 30 * 1000;

	(void)state;
	assert_int_equal(poll_retry_ms(&p, 1), 0);
	for (int i = 0; i < 12; i++) {
		poll_note_failure(&p, 0, NOW_MS);
		assert_about(poll_retry_ms(&p, 1) - NOW_MS, want_ms);
		want_ms = want_ms * 2 < HOUR_MS ? want_ms * 2 : HOUR_MS;
	}
	poll_note_answer(&p, NOW_MS);
	assert_int_equal(p.failures, 0);
	assert_int_equal(poll_retry_ms(&p, 1), 0);
}

static void test_upstreams_wish_is_kept_within_a_day(void **state)
{
	struct poll_state p = {0};

	(void)state;
	poll_note_failure(&p, NOW_MS + 2 * HOUR_MS, NOW_MS);
	assert_int_equal(poll_retry_ms(&p, 1), NOW_MS + 2 * HOUR_MS);
	poll_note_failure(&p, INT64_MAX, NOW_MS);
	assert_int_equal(poll_retry_ms(&p, 1), NOW_MS + 24 * HOUR_MS);
}

static void test_fresh_usage_is_asked_again_after_its_life_time(void **state)
{
	struct usage_plan p = fresh_plan();

	(void)state;
	assert_about(due_in(&p, NOW_MS), TTL_MS);
	p.learnt_ms = 0;
	p.poll.answered_ms = 0;
	assert_true(due_in(&p, NOW_MS) <= 0);
}

static void test_headers_put_a_poll_off_but_not_for_ever(void **state)
{
	struct usage_plan p = fresh_plan();

	(void)state;
	p.learnt_ms = NOW_MS + 4 * MINUTE_MS;
	assert_about(due_in(&p, p.learnt_ms) - 4 * MINUTE_MS, TTL_MS);
	p.learnt_ms = NOW_MS + HOUR_MS;
	assert_about(due_in(&p, p.learnt_ms), HOUR_MS);
}

static void test_reset_is_looked_at_soon_after_it(void **state)
{
	struct usage_plan p = fresh_plan();
	int64_t due;

	(void)state;
	p.resets_ms = NOW_MS + MINUTE_MS;
	due = due_in(&p, NOW_MS);
	assert_true(due > MINUTE_MS && due <= MINUTE_MS + 35 * 1000);
	/* But not through a back-off. */
	poll_note_failure(&p.poll, NOW_MS + 4 * MINUTE_MS, NOW_MS);
	assert_int_equal(due_in(&p, NOW_MS), 4 * MINUTE_MS);
}

static void test_who_is_asked_rarely_or_never(void **state)
{
	struct usage_plan p = fresh_plan();

	(void)state;
	p.enabled = false;
	p.resets_ms = NOW_MS + MINUTE_MS;
	assert_about(due_in(&p, NOW_MS), HOUR_MS);
	p.can_ask = false;
	assert_true(usage_plan_due_ms(&p, TTL_MS, NOW_MS) == POLL_NEVER);
}

static void test_times_from_the_future_count_as_none(void **state)
{
	struct usage_plan p = fresh_plan();

	(void)state;
	p.learnt_ms = p.poll.answered_ms = NOW_MS + HOUR_MS;
	assert_true(due_in(&p, NOW_MS) <= 0);
	poll_note_failure(&p.poll, 0, NOW_MS + HOUR_MS);
	assert_true(due_in(&p, NOW_MS) <= 0);
}

static void test_plan_of_a_slot(void **state)
{
	struct slot *s = rig_slot("slot-1");
	const struct poll_state none = {0};

	(void)state;
	s->checked_at_ms = NOW_MS;
	s->meters.window[METER_5H] = (struct meter){true, 10, 300, NOW_S + 60};
	s->meters.window[METER_WEEK] = (struct meter){true, 10, 10080, NOW_S + 30};
	assert_int_equal(usage_plan_of(s, &none).resets_ms, NOW_MS + 30000);
	/* An unused window is full already, and one that reset before we looked is no news. */
	s->meters.window[METER_WEEK].used_percent = 0;
	assert_int_equal(usage_plan_of(s, &none).resets_ms, NOW_MS + 60000);
	s->meters.window[METER_5H].resets_at_s = NOW_S - 1;
	assert_int_equal(usage_plan_of(s, &none).resets_ms, 0);
	assert_true(usage_plan_of(s, &none).can_ask);
	s->reauth_required = true;
	assert_false(usage_plan_of(s, &none).can_ask);
	s->reauth_required = false;
	secret_fini(&s->access);
	assert_false(usage_plan_of(s, &none).can_ask);
	store_slot_free(s);
}

static int64_t models_due_in(const struct slot *s, const struct poll_state *p, bool outdated)
{
	return models_plan_due_ms(s, p, outdated, HOUR_MS, NOW_MS) - NOW_MS;
}

static void test_models(void **state)
{
	struct slot *s = rig_slot("slot-1");
	struct poll_state p = {0};
	const char *problem;

	(void)state;
	assert_true(models_due_in(s, &p, false) <= 0);
	assert_int_equal(catalogue_parse(SV("{\"models\":[{\"slug\":\"a\"}]}"), SV_NONE,
				 &s->catalogue, &problem),
		0);
	s->catalogue->fetched_ms = NOW_MS;
	s->catalogue->plan = mem_strdup("plus");
	assert_about(models_due_in(s, &p, false), HOUR_MS);
	/* Sooner when there is reason to think that the list is another one. */
	assert_int_equal(models_due_in(s, &p, true), 5 * MINUTE_MS);
	memcpy(s->meters.plan_type, "pro", 4);
	assert_int_equal(models_due_in(s, &p, false), 5 * MINUTE_MS);
	memcpy(s->meters.plan_type, "plus", 5);
	poll_note_failure(&p, NOW_MS + 2 * HOUR_MS, NOW_MS);
	assert_int_equal(models_due_in(s, &p, false), 2 * HOUR_MS);
	assert_true(models_plan_due_ms(s, &p, false, 0, NOW_MS) == POLL_NEVER);
	s->enabled = false;
	assert_true(models_plan_due_ms(s, &p, false, HOUR_MS, NOW_MS) == POLL_NEVER);
	store_slot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jitter_spreads_and_stays_within_a_tenth),
		cmocka_unit_test(test_backoff_doubles_up_to_an_hour),
		cmocka_unit_test(test_upstreams_wish_is_kept_within_a_day),
		cmocka_unit_test(test_fresh_usage_is_asked_again_after_its_life_time),
		cmocka_unit_test(test_headers_put_a_poll_off_but_not_for_ever),
		cmocka_unit_test(test_reset_is_looked_at_soon_after_it),
		cmocka_unit_test(test_who_is_asked_rarely_or_never),
		cmocka_unit_test(test_times_from_the_future_count_as_none),
		cmocka_unit_test(test_plan_of_a_slot),
		cmocka_unit_test(test_models),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
