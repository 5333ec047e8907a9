/* child: how programs are started, watched, stopped and cleaned up. This program is its own child:
 * with arguments it plays the part that its first one names. */
#include "io/child.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SELF "/proc/self/exe"

/* --- the child's parts --- */

static void say(const char *text)
{
	fputs(text, stdout);
	fflush(stdout);
}

static int play_show(int argc, char **argv)
{
	char dir[256], byte;

	for (int i = 2; i < argc; i++)
		printf("[%s]", argv[i]);
	printf(" A=%s PATH=%s", getenv("A") ? getenv("A") : "none",
		getenv("PATH") ? getenv("PATH") : "none");
	printf(" cwd=%s stdin=%zd", getcwd(dir, sizeof(dir)), read(STDIN_FILENO, &byte, 1));
	fprintf(stderr, "trouble");
	return 3;
}

static _Noreturn void play_hang(void)
{
	say("ready");
	for (;;)
		pause();
}

static _Noreturn void play_stubborn(void)
{
	signal(SIGTERM, SIG_IGN);
	play_hang();
}

static _Noreturn void play_flood(void)
{
	for (;;)
		say("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n");
}

static int play_lines(void)
{
	for (int i = 0; i < 20000; i++)
		printf("line %d\n", i);
	return 0;
}

/* A child that leaves one of its own behind, which holds its output open. */
static int play_parent(const char *then)
{
	int pid = fork();

	if (pid == 0) {
		signal(SIGTERM, SIG_IGN);
		for (;;)
			pause();
	}
	printf("%d\n", pid);
	fflush(stdout);
	if (strcmp(then, "hang") == 0)
		play_stubborn();
	return 0;
}

/* A parent of a guarded child that says "ready" and hangs. */
static _Noreturn void play_mortal(void)
{
	char parent[16];
	int pid = fork();

	if (pid == 0) {
		char guard[] = CHILD_GUARD_WORD, self[] = SELF, part[] = "hang";
		char *argv[] = {self, guard, parent, self, part, NULL};

		snprintf(parent, sizeof(parent), "%d", (int)getppid());
		_exit(child_guard(5, argv));
	}
	for (;;)
		pause();
}

static int play(int argc, char **argv)
{
	const char *part = argv[1];

	if (strcmp(part, CHILD_GUARD_WORD) == 0)
		return child_guard(argc, argv);
	if (strcmp(part, "show") == 0)
		return play_show(argc, argv);
	if (strcmp(part, "hang") == 0)
		play_hang();
	if (strcmp(part, "stubborn") == 0)
		play_stubborn();
	if (strcmp(part, "flood") == 0)
		play_flood();
	if (strcmp(part, "lines") == 0)
		return play_lines();
	if (strcmp(part, "parent") == 0)
		return play_parent(argv[2]);
	if (strcmp(part, "mortal") == 0)
		play_mortal();
	if (strcmp(part, "suicide") == 0)
		return raise(SIGUSR1);
	return 1;
}

/* --- the tests --- */

struct seen {
	struct loop *loop;
	struct child *child;
	struct timer poll;
	int done;
	enum child_outcome outcome;
	int status, pid;
	char out[4096], err[4096], message[128];
};

static void on_child_done(void *arg, const struct child_result *r)
{
	struct seen *seen = arg;

	seen->done++;
	seen->outcome = r->outcome;
	seen->status = r->status;
	seen->pid = child_pid(seen->child);
	snprintf(seen->out, sizeof(seen->out), "%.*s", SV_ARG(r->out));
	snprintf(seen->err, sizeof(seen->err), "%.*s", SV_ARG(r->err));
	snprintf(seen->message, sizeof(seen->message), "%s", r->message);
}

static const char *const plain_env[] = {"PATH=/usr/bin:/bin", "A=b c", NULL};

static struct child_request request_of(const char *const *argv)
{
	return (struct child_request){.argv = argv, .env = plain_env, .output_cap = 4096};
}

static void run(struct seen *seen, const struct child_request *r)
{
	seen->loop = loop_new();
	seen->child = child_start(seen->loop, r, on_child_done, seen);
	assert_int_equal(seen->done, 0);
	loop_run(seen->loop);
	loop_free(seen->loop);
}

/* The process ends, if it has not yet: nobody is left behind. A kill takes a moment to arrive. */
static void assert_gone(int pid)
{
	enum { PATIENCE_MS = 20000 };
	struct pollfd p = {.events = POLLIN};

	assert_true(pid > 0);
	p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p.fd < 0)
		return;
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	close(p.fd);
}

static void test_arguments_environment_and_output_are_its_own(void **state)
{
	const char *const argv[] = {SELF, "show", "a b", "$(id)", "", NULL};
	struct child_request r = request_of(argv);
	struct seen seen = {0};

	(void)state;
	r.cwd = "/";
	setenv("LEAK", "secret", 1);
	run(&seen, &r);
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.outcome, CHILD_EXITED);
	assert_int_equal(seen.status, 3);
	assert_string_equal(seen.out, "[a b][$(id)][] A=b c PATH=/usr/bin:/bin cwd=/ stdin=0");
	assert_string_equal(seen.err, "trouble");
	assert_string_equal(seen.message, "exit status 3");
	assert_gone(seen.pid);
}

static void test_program_that_does_not_exist_is_told(void **state)
{
	const char *const argv[] = {"no-such-program-here", NULL};
	struct child_request r = request_of(argv);
	struct seen seen = {0}, guarded = {0};

	(void)state;
	run(&seen, &r);
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.outcome, CHILD_NOT_STARTED);
	assert_int_equal(seen.pid, 0);
	assert_non_null(strstr(seen.message, "could not be started"));
	r.guard = SELF;
	run(&guarded, &r);
	assert_int_equal(guarded.outcome, CHILD_NOT_STARTED);
	assert_non_null(strstr(guarded.message, "no such program"));
}

static void test_program_is_found_in_its_own_path(void **state)
{
	const char *const argv[] = {"true", NULL};
	const char *const nowhere[] = {"PATH=/nonexistent", NULL};
	struct child_request r = request_of(argv);
	struct seen found = {0}, lost = {0};

	(void)state;
	run(&found, &r);
	assert_int_equal(found.outcome, CHILD_EXITED);
	assert_int_equal(found.status, 0);
	r.env = nowhere;
	run(&lost, &r);
	assert_int_equal(lost.outcome, CHILD_NOT_STARTED);
}

static void test_time_limit_stops_it(void **state)
{
	const char *const argv[] = {SELF, "hang", NULL};
	struct child_request r = request_of(argv);
	struct seen seen = {0};

	(void)state;
	r.timeout_ms = 50;
	run(&seen, &r);
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.outcome, CHILD_TIMED_OUT);
	assert_int_equal(seen.status, SIGTERM);
	assert_gone(seen.pid);
}

static void test_what_ignores_the_polite_signal_is_killed(void **state)
{
	const char *const argv[] = {SELF, "parent", "hang", NULL};
	struct child_request r = request_of(argv);
	struct seen seen = {0};

	(void)state;
	r.timeout_ms = 300; /* enough for it to say its child's pid */
	r.grace_ms = 20;
	run(&seen, &r);
	assert_int_equal(seen.outcome, CHILD_TIMED_OUT);
	assert_int_equal(seen.status, SIGKILL);
	assert_gone(seen.pid);
	if (seen.out[0]) /* nothing, when it had not got so far */
		assert_gone((int)strtol(seen.out, NULL, 10));
}

static void test_processes_that_it_leaves_behind_are_killed(void **state)
{
	const char *const argv[] = {SELF, "parent", "end", NULL};
	struct child_request r = request_of(argv);
	struct seen seen = {0};

	(void)state;
	run(&seen, &r);
	assert_int_equal(seen.outcome, CHILD_EXITED);
	assert_int_equal(seen.status, 0);
	assert_gone((int)strtol(seen.out, NULL, 10));
}

static void test_too_much_output_ends_it(void **state)
{
	const char *const argv[] = {SELF, "flood", NULL};
	struct child_request r = request_of(argv);
	struct seen seen = {0};

	(void)state;
	run(&seen, &r);
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.outcome, CHILD_FLOODED);
	assert_true(strlen(seen.out) <= 4096);
	assert_gone(seen.pid);
}

static void test_the_tail_of_much_output_is_kept(void **state)
{
	const char *const argv[] = {SELF, "lines", NULL};
	struct child_request r = request_of(argv);
	struct seen seen = {0};
	size_t n;

	(void)state;
	r.keep_tail = true;
	r.output_cap = 1024;
	run(&seen, &r);
	n = strlen(seen.out);
	assert_int_equal(seen.outcome, CHILD_EXITED);
	assert_true(n >= 256 && n <= 1024);
	assert_string_equal(seen.out + n - 11, "line 19999\n");
}

static void test_death_by_a_signal_is_told(void **state)
{
	const char *const argv[] = {SELF, "suicide", NULL};
	struct child_request r = request_of(argv);
	struct seen seen = {0};

	(void)state;
	run(&seen, &r);
	assert_int_equal(seen.outcome, CHILD_SIGNALED);
	assert_int_equal(seen.status, SIGUSR1);
}

static void on_stop_time(struct timer *t)
{
	struct seen *seen = CONTAINER_OF(t, struct seen, poll);

	child_stop(seen->child);
	child_stop(seen->child);
}

static void test_stop_ends_it_and_tells_once(void **state)
{
	const char *const argv[] = {SELF, "stubborn", NULL};
	struct child_request r = request_of(argv);
	struct seen seen = {0};

	(void)state;
	r.grace_ms = 20;
	seen.loop = loop_new();
	timer_init(&seen.poll, seen.loop, on_stop_time);
	seen.child = child_start(seen.loop, &r, on_child_done, &seen);
	timer_start(&seen.poll, 5);
	loop_run(seen.loop);
	loop_free(seen.loop);
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.outcome, CHILD_STOPPED);
	assert_gone(seen.pid);
}

static void on_abandon_time(struct timer *t)
{
	struct seen *seen = CONTAINER_OF(t, struct seen, poll);

	seen->pid = child_pid(seen->child);
	child_abandon(seen->child);
}

static void test_abandoned_one_is_killed_and_tells_nothing(void **state)
{
	const char *const argv[] = {SELF, "stubborn", NULL};
	struct child_request r = request_of(argv);
	struct seen seen = {0};

	(void)state;
	seen.loop = loop_new();
	timer_init(&seen.poll, seen.loop, on_abandon_time);
	seen.child = child_start(seen.loop, &r, on_child_done, &seen);
	timer_start(&seen.poll, 5);
	loop_run(seen.loop);
	loop_free(seen.loop);
	assert_int_equal(seen.done, 0);
	assert_gone(seen.pid);
}

static void test_guarded_one_runs_like_any_other(void **state)
{
	const char *const argv[] = {SELF, "show", "x", NULL};
	struct child_request r = request_of(argv);
	struct seen seen = {0};

	(void)state;
	r.guard = SELF;
	run(&seen, &r);
	assert_int_equal(seen.outcome, CHILD_EXITED);
	assert_int_equal(seen.status, 3);
	assert_int_equal(strncmp(seen.out, "[x] A=b c", 9), 0);
}

/* The parent is killed with no chance to do anything: its guarded child ends too. */
static void test_guarded_one_ends_with_its_parent(void **state)
{
	char byte;
	int ready[2], parent;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	parent = fork();
	if (parent == 0) {
		char self[] = SELF, part[] = "mortal";
		char *argv[] = {self, part, NULL};

		dup2(ready[1], STDOUT_FILENO);
		close(ready[0]);
		close(ready[1]);
		execv(SELF, argv);
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1); /* its child says "ready" */
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	/* Both held the pipe: it ends when both are gone. */
	while (read(ready[0], &byte, 1) == 1)
		;
	close(ready[0]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments_environment_and_output_are_its_own),
		cmocka_unit_test(test_program_that_does_not_exist_is_told),
		cmocka_unit_test(test_program_is_found_in_its_own_path),
		cmocka_unit_test(test_time_limit_stops_it),
		cmocka_unit_test(test_what_ignores_the_polite_signal_is_killed),
		cmocka_unit_test(test_processes_that_it_leaves_behind_are_killed),
		cmocka_unit_test(test_too_much_output_ends_it),
		cmocka_unit_test(test_the_tail_of_much_output_is_kept),
		cmocka_unit_test(test_death_by_a_signal_is_told),
		cmocka_unit_test(test_stop_ends_it_and_tells_once),
		cmocka_unit_test(test_abandoned_one_is_killed_and_tells_nothing),
		cmocka_unit_test(test_guarded_one_runs_like_any_other),
		cmocka_unit_test(test_guarded_one_ends_with_its_parent),
	};

	if (argc > 1)
		return play(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
