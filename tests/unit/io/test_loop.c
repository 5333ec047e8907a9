/* Timers, deferred work, signals, pool work and directory watches of the event loop. */
#include "base/buf.h"
#include "base/limits.h"
#include "io/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* A timer that writes its letter, and may do something to another one. */
struct letter {
	struct timer timer;
	struct deferred deferred;
	char name;
	void (*then)(struct letter *self);
	struct letter *other;
	int times;
};

static struct buf trace;

static void write_letter(struct letter *letter)
{
	buf_add_char(&trace, letter->name);
	if (letter->then)
		letter->then(letter);
}

static void on_letter_timer(struct timer *t)
{
	write_letter(CONTAINER_OF(t, struct letter, timer));
}

static void on_letter_deferred(struct deferred *d)
{
	write_letter(CONTAINER_OF(d, struct letter, deferred));
}

static void letter_init(struct letter *letter, struct loop *loop, char name)
{
	*letter = (struct letter){.name = name, .deferred.fn = on_letter_deferred};
	timer_init(&letter->timer, loop, on_letter_timer);
}

static int setup(void **state)
{
	buf_init(&trace, MIB(1));
	*state = loop_new();
	assert_non_null(*state);
	return 0;
}

static int teardown(void **state)
{
	loop_free(*state);
	buf_fini(&trace);
	return 0;
}

static void check_trace(const char *want)
{
	assert_string_equal(buf_cstr(&trace), want);
}

static void test_timers_fire_by_time_then_by_start(void **state)
{
	struct letter letters[6];

	for (int i = 0; i < 6; i++)
		letter_init(&letters[i], *state, (char)('a' + i));
	timer_start(&letters[0].timer, 12);
	timer_start(&letters[1].timer, 3);
	timer_start(&letters[2].timer, 0);
	timer_start(&letters[3].timer, 3);
	timer_start(&letters[4].timer, 8);
	timer_start(&letters[5].timer, 3);
	loop_run(*state);
	check_trace("cbdfea");
	for (int i = 0; i < 6; i++)
		assert_false(timer_is_active(&letters[i].timer));
}

static void test_restarted_timer_moves(void **state)
{
	struct letter a, b;

	letter_init(&a, *state, 'a');
	letter_init(&b, *state, 'b');
	timer_start(&a.timer, 1);
	timer_start(&b.timer, 5);
	timer_start(&a.timer, 10);
	loop_run(*state);
	timer_start(&a.timer, 1000000);
	timer_start(&b.timer, 5);
	timer_start(&a.timer, 1);
	loop_run(*state);
	check_trace("baab");
}

static void stop_other(struct letter *self)
{
	timer_stop(&self->other->timer);
}

static void test_timer_stopped_in_a_callback_does_not_fire(void **state)
{
	struct letter a, b, c;

	letter_init(&a, *state, 'a');
	letter_init(&b, *state, 'b');
	letter_init(&c, *state, 'c');
	a.then = stop_other;
	a.other = &b;
	timer_start(&a.timer, 2);
	timer_start(&b.timer, 2);
	timer_start(&c.timer, 2);
	loop_run(*state);
	check_trace("ac");
}

static void restart_self(struct letter *self)
{
	if (++self->times < 5)
		timer_start(&self->timer, 0);
}

/* A timer that restarts itself without delay lets others run between. */
static void test_restart_with_no_delay_does_not_starve(void **state)
{
	struct letter a, b;

	letter_init(&a, *state, 'a');
	letter_init(&b, *state, 'b');
	a.then = restart_self;
	b.then = restart_self;
	timer_start(&a.timer, 0);
	timer_start(&b.timer, 0);
	loop_run(*state);
	check_trace("ababababab");
}

static void free_other(struct letter *self)
{
	timer_stop(&self->other->timer);
	free(self->other);
}

static void test_stopped_timer_may_be_freed_at_once(void **state)
{
	struct letter a;
	struct letter *b = malloc(sizeof(*b));

	letter_init(&a, *state, 'a');
	letter_init(b, *state, 'b');
	a.then = free_other;
	a.other = b;
	timer_start(&a.timer, 1);
	timer_start(&b->timer, 1);
	loop_run(*state);
	check_trace("a");
}

static int64_t last_due_ms;

static void on_ordered(struct timer *t)
{
	assert_true(t->due_ms >= last_due_ms);
	assert_true(loop_now_ms(t->loop) >= t->due_ms);
	last_due_ms = t->due_ms;
	buf_add_char(&trace, '.');
}

static void test_many_timers(void **state)
{
	enum { COUNT = 5000 };
	struct timer *timers = calloc(COUNT, sizeof(*timers));
	unsigned seed = 1;
	size_t stopped = 0;

	last_due_ms = 0;
	for (int i = 0; i < COUNT; i++) {
		timer_init(&timers[i], *state, on_ordered);
		timer_start(&timers[i], rand_r(&seed) % 30);
	}
	for (int i = 0; i < COUNT; i++) {
		struct timer *t = &timers[rand_r(&seed) % COUNT];

		if (i % 3 == 0 && timer_is_active(t)) {
			timer_stop(t);
			stopped++;
		} else if (timer_is_active(t)) {
			timer_start(t, rand_r(&seed) % 30);
		}
	}
	loop_run(*state);
	assert_int_equal(trace.len, COUNT - stopped);
	free(timers);
}

static void test_deferred_runs_once_and_in_order(void **state)
{
	struct letter a, b, c;

	letter_init(&a, *state, 'a');
	letter_init(&b, *state, 'b');
	letter_init(&c, *state, 'c');
	loop_defer(*state, &a.deferred);
	loop_defer(*state, &b.deferred);
	loop_defer(*state, &c.deferred);
	loop_defer(*state, &a.deferred);
	loop_undefer(&b.deferred);
	loop_undefer(&b.deferred);
	/* Nothing else keeps the loop alive. */
	loop_run(*state);
	check_trace("ac");
}

static void defer_self(struct letter *self)
{
	if (++self->times < 3)
		loop_defer(self->timer.loop, &self->deferred);
}

static void test_deferred_may_defer_itself(void **state)
{
	struct letter a, b;

	letter_init(&a, *state, 'a');
	letter_init(&b, *state, 'b');
	a.then = defer_self;
	b.then = defer_self;
	loop_defer(*state, &a.deferred);
	loop_defer(*state, &b.deferred);
	loop_run(*state);
	check_trace("ababab");
}

static void undefer_other(struct letter *self)
{
	loop_undefer(&self->other->deferred);
}

static void test_deferred_cancelled_by_its_neighbour(void **state)
{
	struct letter a, b, c;

	letter_init(&a, *state, 'a');
	letter_init(&b, *state, 'b');
	letter_init(&c, *state, 'c');
	a.then = undefer_other;
	a.other = &b;
	loop_defer(*state, &a.deferred);
	loop_defer(*state, &b.deferred);
	loop_defer(*state, &c.deferred);
	loop_run(*state);
	check_trace("ac");
}

static void defer_other(struct letter *self)
{
	loop_defer(self->timer.loop, &self->other->deferred);
}

/* What a timer defers does not wait for the next timer. */
static void test_loop_does_not_sleep_on_deferred_work(void **state)
{
	struct letter a, b, late;

	letter_init(&a, *state, 'a');
	letter_init(&b, *state, 'b');
	letter_init(&late, *state, 'z');
	a.then = defer_other;
	a.other = &b;
	b.then = stop_other;
	b.other = &late;
	timer_start(&a.timer, 0);
	timer_start(&late.timer, 3600 * 1000);
	loop_run(*state);
	check_trace("ab");
}

static int64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
	       usage.ru_stime.tv_usec;
}

static void test_idle_loop_is_not_busy(void **state)
{
	struct letter a, b;
	int64_t before_us;

	letter_init(&a, *state, 'a');
	letter_init(&b, *state, 'b');
	loop_defer(*state, &b.deferred);
	timer_start(&a.timer, 200);
	before_us = cpu_us();
	loop_run(*state);
	check_trace("ba");
	assert_true(cpu_us() - before_us < 100000);
}

static void on_signal(void *arg, int signo)
{
	assert_int_equal(signo, SIGUSR1);
	buf_add_char(&trace, 's');
	loop_close_signals(arg);
}

static void raise_signal(struct letter *self)
{
	(void)self;
	raise(SIGUSR1);
}

static void test_signals(void **state)
{
	struct letter a;

	letter_init(&a, *state, 'a');
	a.then = raise_signal;
	loop_on_signal(*state, SIGUSR1, on_signal, *state);
	timer_start(&a.timer, 0);
	loop_run(*state);
	check_trace("as");
}

static void stop_loop(struct letter *self)
{
	loop_stop(self->timer.loop);
}

static void test_stop(void **state)
{
	struct letter a, b;

	letter_init(&a, *state, 'a');
	letter_init(&b, *state, 'b');
	a.then = stop_loop;
	timer_start(&a.timer, 0);
	timer_start(&b.timer, 3600 * 1000);
	loop_run(*state);
	check_trace("a");
	timer_stop(&b.timer);
}

static pthread_t main_thread;

static void do_work(void *arg)
{
	*(bool *)arg = !pthread_equal(pthread_self(), main_thread);
}

static void on_work_done(void *arg)
{
	assert_true(*(bool *)arg);
	assert_true(pthread_equal(pthread_self(), main_thread));
	buf_add_char(&trace, 'w');
}

static void test_work_runs_on_another_thread(void **state)
{
	bool elsewhere = false;

	main_thread = pthread_self();
	loop_work(*state, do_work, on_work_done, &elsewhere);
	loop_run(*state);
	check_trace("w");
}

static struct dir_watch *watch;

static void on_dir_change(void *arg, const char *name)
{
	buf_add_char(&trace, '[');
	buf_add_cstr(&trace, name ? name : "?");
	buf_add_char(&trace, ']');
	dir_watch_free(watch);
	(void)arg;
}

static void touch(const char *dir, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void test_dir_watch_tells_one_burst_once(void **state)
{
	char dir[] = "/tmp/test_loop.XXXXXX";
	char path[256];

	assert_non_null(mkdtemp(dir));
	assert_true(dir_watch_new(*state, "/nonexistent/dir", on_dir_change, NULL, &watch) < 0);
	assert_int_equal(dir_watch_new(*state, dir, on_dir_change, NULL, &watch), 0);
	touch(dir, "one");
	touch(dir, "one");
	loop_run(*state);
	assert_int_equal(dir_watch_new(*state, dir, on_dir_change, NULL, &watch), 0);
	touch(dir, "one");
	touch(dir, "two");
	loop_run(*state);
	check_trace("[one][?]");
	snprintf(path, sizeof(path), "%s/one", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/two", dir);
	unlink(path);
	rmdir(dir);
}

#define LOOP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_timers_fire_by_time_then_by_start),
		LOOP_TEST(test_restarted_timer_moves),
		LOOP_TEST(test_timer_stopped_in_a_callback_does_not_fire),
		LOOP_TEST(test_restart_with_no_delay_does_not_starve),
		LOOP_TEST(test_stopped_timer_may_be_freed_at_once),
		LOOP_TEST(test_many_timers),
		LOOP_TEST(test_deferred_runs_once_and_in_order),
		LOOP_TEST(test_deferred_may_defer_itself),
		LOOP_TEST(test_deferred_cancelled_by_its_neighbour),
		LOOP_TEST(test_loop_does_not_sleep_on_deferred_work),
		LOOP_TEST(test_idle_loop_is_not_busy),
		LOOP_TEST(test_signals),
		LOOP_TEST(test_stop),
		LOOP_TEST(test_work_runs_on_another_thread),
		LOOP_TEST(test_dir_watch_tells_one_burst_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
