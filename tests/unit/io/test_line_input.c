/* line_input: lines out of pipes, files and terminals, without changing the descriptor. */
#include "io/line_input.h"

#include "base/buf.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	struct loop *loop;
	struct line_input *in;
	struct buf seen;  /* "line|line|", "!|" for one too long, "." for the end */
	const char *next; /* written when a line came; NULL: nothing, and the pipe is closed */
	int write_fd;
	int stop_after; /* lines; 0: never */
} rig;

static void feed(const char *text)
{
	assert_int_equal(write(rig.write_fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void close_writer(void)
{
	if (rig.write_fd >= 0)
		close(rig.write_fd);
	rig.write_fd = -1;
}

static void on_line(void *arg, struct sv line)
{
	assert_ptr_equal(arg, &rig);
	buf_add_sv(&rig.seen, line.p ? line : SV("!"));
	buf_add_char(&rig.seen, '|');
	if (rig.stop_after && --rig.stop_after == 0) {
		line_input_free(rig.in);
		rig.in = NULL;
		close_writer();
	} else if (rig.next) {
		feed(rig.next);
		rig.next = NULL;
	} else {
		close_writer();
	}
}

static void on_end(void *arg)
{
	(void)arg;
	buf_add_char(&rig.seen, '.');
	line_input_free(rig.in);
	rig.in = NULL;
}

static const struct line_input_ops ops = {on_line, on_end};

static void start(int fd, int write_fd, size_t cap)
{
	rig.loop = loop_new();
	rig.write_fd = write_fd;
	rig.next = NULL;
	rig.stop_after = 0;
	buf_init(&rig.seen, KIB(64));
	assert_int_equal(line_input_new(rig.loop, fd, cap, &ops, &rig, &rig.in), 0);
}

static void finish(int fd, const char *want)
{
	loop_run(rig.loop);
	loop_free(rig.loop);
	assert_string_equal(buf_cstr(&rig.seen), want);
	buf_fini(&rig.seen);
	close_writer();
	close(fd);
}

static void test_pipe_gives_lines_as_they_come(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	start(fds[0], fds[1], 100);
	feed("one\r\n");
	rig.next = "two\n\nlast";
	finish(fds[0], "one|two||last|.");
}

static void test_descriptor_stays_blocking(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	start(fds[0], fds[1], 100);
	assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
	feed("x\n");
	finish(fds[0], "x|.");
}

static void test_long_line_is_told_and_skipped(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	start(fds[0], fds[1], 4);
	feed("1234\n12345\nabc\n");
	rig.stop_after = 3;
	finish(fds[0], "1234|!|abc|");
}

static void test_may_be_freed_by_a_line(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	start(fds[0], fds[1], 100);
	feed("1\n2\n3\n");
	rig.stop_after = 1;
	finish(fds[0], "1|");
}

static void test_file_is_read_to_its_end(void **state)
{
	char path[] = "/tmp/test-line-input-XXXXXX";
	int fd = mkstemp(path);
	struct buf want;

	(void)state;
	buf_init(&want, KIB(64));
	for (int i = 0; i < 2000; i++) {
		char line[32];
		int n = snprintf(line, sizeof(line), "line %d\n", i);

		assert_int_equal(write(fd, line, (size_t)n), n);
		buf_add(&want, line, (size_t)n - 1);
		buf_add_char(&want, '|');
	}
	buf_add_char(&want, '.');
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	unlink(path);
	start(fd, -1, 100);
	finish(fd, buf_cstr(&want));
	buf_fini(&want);
}

static void test_nothing_to_read_is_an_end(void **state)
{
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	start(fd, -1, 100);
	finish(fd, ".");
	start(12345, -1, 100);
	finish(-1, ".");
}

static void test_terminal_gives_lines_and_stays_blocking(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	int fd;

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	fd = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	start(fd, master, 100);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	feed("pasted\n");
	rig.next = "\004"; /* Ctrl-D */
	finish(fd, "pasted|.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe_gives_lines_as_they_come),
		cmocka_unit_test(test_descriptor_stays_blocking),
		cmocka_unit_test(test_long_line_is_told_and_skipped),
		cmocka_unit_test(test_may_be_freed_by_a_line),
		cmocka_unit_test(test_file_is_read_to_its_end),
		cmocka_unit_test(test_nothing_to_read_is_an_end),
		cmocka_unit_test(test_terminal_gives_lines_and_stays_blocking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
