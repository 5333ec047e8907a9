#include "relay/trimmer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The numbers of running requests, one after the other: is memory about to be given back then? */
static void check(const size_t *counts, size_t n, bool want)
{
	struct loop *loop = loop_new();
	struct trimmer t;

	trimmer_init(&t, loop);
	for (size_t i = 0; i < n; i++)
		trimmer_note(&t, counts[i]);
	assert_int_equal(timer_is_active(&t.timer), want);
	trimmer_stop(&t);
	assert_false(timer_is_active(&t.timer));
	loop_free(loop);
}

static void test_waits_for_the_end_of_a_burst(void **state)
{
	static const size_t few[] = {1, TRIMMER_BURST - 1, 0};
	static const size_t begun[] = {1, TRIMMER_BURST, TRIMMER_BURST / 4};
	static const size_t over[] = {1, TRIMMER_BURST, TRIMMER_BURST / 4 - 1};
	static const size_t again[] = {TRIMMER_BURST, 0, TRIMMER_BURST, 0};

	(void)state;
	check(few, ARRAY_LEN(few), false);
	check(begun, ARRAY_LEN(begun), false);
	check(over, ARRAY_LEN(over), true);
	check(again, ARRAY_LEN(again), true);
}

static void test_is_done_once_for_a_burst(void **state)
{
	struct loop *loop = loop_new();
	struct trimmer t;
	void (*on_quiet)(struct timer *);

	(void)state;
	trimmer_init(&t, loop);
	on_quiet = t.timer.fn;
	trimmer_note(&t, TRIMMER_BURST);
	trimmer_note(&t, 0);
	timer_stop(&t.timer);
	on_quiet(&t.timer);
	trimmer_note(&t, TRIMMER_BURST - 1);
	trimmer_note(&t, 0);
	assert_false(timer_is_active(&t.timer));
	loop_free(loop);
}

static void test_waits_for_the_last_large_body(void **state)
{
	struct loop *loop = loop_new();
	struct trimmer t;
	int64_t due_ms;

	(void)state;
	trimmer_init(&t, loop);
	trimmer_note_body(&t, TRIMMER_BODY_BYTES - 1);
	assert_false(timer_is_active(&t.timer));
	trimmer_note_body(&t, TRIMMER_BODY_BYTES);
	assert_true(timer_is_active(&t.timer));
	due_ms = t.timer.due_ms;
	timer_start(&t.timer, 0);
	trimmer_note_body(&t, TRIMMER_BODY_BYTES);
	assert_true(t.timer.due_ms >= due_ms);
	trimmer_stop(&t);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_for_the_end_of_a_burst),
		cmocka_unit_test(test_is_done_once_for_a_burst),
		cmocka_unit_test(test_waits_for_the_last_large_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
