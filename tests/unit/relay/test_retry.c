#include "relay/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* What happens to an uncommitted first attempt: with another slot at hand, and without. */
struct row {
	enum failure_class class;
	enum retry_action with_other, alone;
};

static const struct row rows[] = {
	{FAILURE_NONE, RETRY_GIVE_UP, RETRY_GIVE_UP},
	{FAILURE_RATE_LIMIT, RETRY_OTHER_SLOT, RETRY_GIVE_UP},
	{FAILURE_QUOTA, RETRY_OTHER_SLOT, RETRY_GIVE_UP},
	{FAILURE_AUTH, RETRY_OTHER_SLOT, RETRY_GIVE_UP},
	{FAILURE_DEAD, RETRY_OTHER_SLOT, RETRY_GIVE_UP},
	{FAILURE_BLOCKED, RETRY_OTHER_SLOT, RETRY_GIVE_UP},
	{FAILURE_TRANSIENT, RETRY_OTHER_SLOT, RETRY_SAME_BACKOFF},
	{FAILURE_ENTITLEMENT, RETRY_OTHER_SLOT, RETRY_GIVE_UP},
	{FAILURE_BLOB, RETRY_SAME_STRIPPED, RETRY_SAME_STRIPPED},
	{FAILURE_CLIENT, RETRY_GIVE_UP, RETRY_GIVE_UP},
	{FAILURE_NETWORK, RETRY_OTHER_SLOT, RETRY_SAME_BACKOFF},
	{FAILURE_TRUNCATED, RETRY_OTHER_SLOT, RETRY_GIVE_UP},
	{FAILURE_IDLE, RETRY_OTHER_SLOT, RETRY_GIVE_UP},
	{FAILURE_PROTOCOL, RETRY_OTHER_SLOT, RETRY_GIVE_UP},
};

static struct retry_state fresh(bool other_slot)
{
	return (struct retry_state){
		.other_slot = other_slot,
		.attempts = 1,
		.max_attempts = 16,
		.budget_ms = 60000,
	};
}

static void test_every_class_has_its_row(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(rows), FAILURE_CLASSES);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct retry_state with_other = fresh(true), alone = fresh(false);

		assert_int_equal(rows[i].class, i);
		assert_int_equal(retry_decide(rows[i].class, &with_other), rows[i].with_other);
		assert_int_equal(retry_decide(rows[i].class, &alone), rows[i].alone);
	}
}

static void test_refused_token_is_replaced_once_before_another_slot(void **state)
{
	struct retry_state s = fresh(true);

	(void)state;
	s.can_refresh = true;
	assert_int_equal(retry_decide(FAILURE_AUTH, &s), RETRY_SAME_REFRESHED);
	s.other_slot = false;
	assert_int_equal(retry_decide(FAILURE_AUTH, &s), RETRY_SAME_REFRESHED);
	s.refreshed = true;
	assert_int_equal(retry_decide(FAILURE_AUTH, &s), RETRY_GIVE_UP);
	s.other_slot = true;
	assert_int_equal(retry_decide(FAILURE_AUTH, &s), RETRY_OTHER_SLOT);
	for (int class = 0; class < FAILURE_CLASSES; class ++) {
		s = fresh(true);
		s.can_refresh = true;
		assert_int_equal(
			retry_decide(class, &s) == RETRY_SAME_REFRESHED, class == FAILURE_AUTH);
		s.committed = true;
		assert_int_equal(retry_decide(class, &s), RETRY_GIVE_UP);
	}
}

static void test_nothing_is_retried_after_the_commit(void **state)
{
	(void)state;
	for (int class = 0; class < FAILURE_CLASSES; class ++) {
		struct retry_state s = fresh(true);

		s.committed = true;
		assert_int_equal(retry_decide(class, &s), RETRY_GIVE_UP);
	}
}

static void test_tries_and_time_are_bounded(void **state)
{
	struct retry_state s = fresh(true);

	(void)state;
	s.attempts = 15;
	assert_int_equal(retry_decide(FAILURE_RATE_LIMIT, &s), RETRY_OTHER_SLOT);
	s.attempts = 16;
	assert_int_equal(retry_decide(FAILURE_RATE_LIMIT, &s), RETRY_GIVE_UP);
	s = fresh(true);
	s.elapsed_ms = 59999;
	assert_int_equal(retry_decide(FAILURE_RATE_LIMIT, &s), RETRY_OTHER_SLOT);
	s.elapsed_ms = 60000;
	assert_int_equal(retry_decide(FAILURE_RATE_LIMIT, &s), RETRY_GIVE_UP);
}

static void test_a_request_that_may_have_run_is_replayed_once(void **state)
{
	static const enum failure_class classes[] = {
		FAILURE_TRUNCATED, FAILURE_IDLE, FAILURE_PROTOCOL};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		struct retry_state s = fresh(true);

		s.replays = 1;
		assert_int_equal(retry_decide(classes[i], &s), RETRY_GIVE_UP);
		/* A limit answer proves that nothing ran: it may go on. */
		assert_int_equal(retry_decide(FAILURE_RATE_LIMIT, &s), RETRY_OTHER_SLOT);
	}
}

static void test_a_broken_socket_is_replayed_over_http_on_the_same_slot(void **state)
{
	(void)state;
	for (int class = 0; class < FAILURE_CLASSES; class ++) {
		bool replayed = class == FAILURE_TRUNCATED || class == FAILURE_IDLE ||
				class == FAILURE_PROTOCOL;
		struct retry_state s = fresh(false), broken = fresh(false);

		broken.of_socket = true;
		assert_int_equal(retry_decide(class, &broken),
			replayed ? RETRY_SAME_HTTP : retry_decide(class, &s));
		broken.other_slot = true;
		assert_int_equal(retry_decide(class, &broken) == RETRY_SAME_HTTP, replayed);
		broken.committed = true;
		assert_int_equal(retry_decide(class, &broken), RETRY_GIVE_UP);
		broken.committed = false;
		broken.replays = 1;
		assert_true(retry_decide(class, &broken) != RETRY_SAME_HTTP);
	}
	assert_string_equal(retry_action_name(RETRY_SAME_HTTP), "same_slot_http");
}

static void test_entitlement_tries_one_other_slot(void **state)
{
	struct retry_state s = fresh(true);

	(void)state;
	s.entitlements = 1;
	assert_int_equal(retry_decide(FAILURE_ENTITLEMENT, &s), RETRY_GIVE_UP);
}

static void test_blobs_are_stripped_once(void **state)
{
	struct retry_state s = fresh(true);

	(void)state;
	s.stripped = true;
	assert_int_equal(retry_decide(FAILURE_BLOB, &s), RETRY_GIVE_UP);
}

static void test_backoff_grows_and_ends(void **state)
{
	struct retry_state s = fresh(false);

	(void)state;
	assert_int_equal(retry_backoff_ms(0), 200);
	assert_int_equal(retry_backoff_ms(2), 800);
	assert_int_equal(retry_backoff_ms(1000), retry_backoff_ms(6));
	s.backoffs = 2;
	assert_int_equal(retry_decide(FAILURE_TRANSIENT, &s), RETRY_SAME_BACKOFF);
	s.backoffs = 3;
	assert_int_equal(retry_decide(FAILURE_TRANSIENT, &s), RETRY_GIVE_UP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_class_has_its_row),
		cmocka_unit_test(test_refused_token_is_replaced_once_before_another_slot),
		cmocka_unit_test(test_nothing_is_retried_after_the_commit),
		cmocka_unit_test(test_tries_and_time_are_bounded),
		cmocka_unit_test(test_a_request_that_may_have_run_is_replayed_once),
		cmocka_unit_test(test_a_broken_socket_is_replayed_over_http_on_the_same_slot),
		cmocka_unit_test(test_entitlement_tries_one_other_slot),
		cmocka_unit_test(test_blobs_are_stripped_once),
		cmocka_unit_test(test_backoff_grows_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
