#include "relay/waitq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct guest {
	struct waiter waiter;
	int id;
};

static int leases; /* free ones */
static int served[8], served_count;
static int expired[8], expired_count;
static struct loop *loop;

static bool try_now(struct waiter *w)
{
	struct guest *g = CONTAINER_OF(w, struct guest, waiter);

	if (leases == 0) {
		loop_stop(loop);
		return false;
	}
	leases--;
	waitq_remove(w);
	served[served_count++] = g->id;
	return true;
}

static void on_timeout(struct waiter *w)
{
	expired[expired_count++] = CONTAINER_OF(w, struct guest, waiter)->id;
	loop_stop(loop);
}

static struct guest guest(int id)
{
	return (struct guest){.waiter = {.try_now = try_now, .on_timeout = on_timeout}, .id = id};
}

static int set_up(void **state)
{
	loop = loop_new();
	*state = waitq_new(loop);
	leases = served_count = expired_count = 0;
	return 0;
}

static int tear_down(void **state)
{
	waitq_free(*state);
	loop_free(loop);
	return 0;
}

static void test_first_come_first_served(void **state)
{
	struct waitq *q = *state;
	struct guest guests[] = {guest(1), guest(2), guest(3)};

	for (size_t i = 0; i < ARRAY_LEN(guests); i++)
		assert_int_equal(waitq_add(q, &guests[i].waiter, 60000), 0);
	leases = 2;
	waitq_kick(q);
	waitq_kick(q);
	assert_int_equal(served_count, 0); /* not before the end of the loop turn */
	loop_run(loop);
	assert_int_equal(served_count, 2);
	assert_int_equal(served[0], 1);
	assert_int_equal(served[1], 2);
	waitq_remove(&guests[2].waiter);
	assert_int_equal(waitq_count(q), 0);
}

static void test_who_waits_too_long_is_told(void **state)
{
	struct waitq *q = *state;
	struct guest guests[] = {guest(1), guest(2)};

	assert_int_equal(waitq_add(q, &guests[0].waiter, 60000), 0);
	assert_int_equal(waitq_add(q, &guests[1].waiter, 1), 0);
	loop_run(loop);
	assert_int_equal(expired[0], 2);
	assert_int_equal(waitq_count(q), 1);
	waitq_remove(&guests[0].waiter);
	waitq_remove(&guests[0].waiter); /* one that does not wait is accepted */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_come_first_served, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_waits_too_long_is_told, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
