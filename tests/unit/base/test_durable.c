#include "base/durable.h"

#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Every test runs in an empty directory of its own, which is the working directory. */
static char g_dir[] = "/tmp/test_durable.XXXXXX";
static int g_home;
static int g_free_fd;

/* The lowest descriptor that is free: the same before and after when nothing was left open. */
static int find_free_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static int enter_dir(void **state)
{
	(void)state;
	memcpy(g_dir + sizeof(g_dir) - 7, "XXXXXX", 6);
	umask(022);
	g_home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_free_fd = find_free_fd();
	return g_home >= 0 && mkdtemp(g_dir) && chdir(g_dir) == 0 ? 0 : -1;
}

static int leave_dir(void **state)
{
	char *command = NULL;
	int err;

	(void)state;
	err = find_free_fd() != g_free_fd || fchdir(g_home) != 0;
	close(g_home);
	if (asprintf(&command, "rm -rf '%s'", g_dir) < 0)
		return -1;
	err = err || system(command) != 0;
	free(command);
	return err;
}

static void assert_content(const char *path, struct sv expected)
{
	struct buf out;

	buf_init(&out, MIB(4));
	assert_int_equal(durable_read(path, &out), 0);
	assert_int_equal(out.len, expected.n);
	assert_true(sv_eq(buf_sv(&out), expected));
	buf_fini(&out);
}

static void assert_mode(const char *path, mode_t expected)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, expected);
}

static size_t count_entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2; /* . and .. */
}

static void what_was_written_is_read(void **state)
{
	static char big[300 * 1024 + 17];

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 31 >> 3);
	assert_int_equal(durable_write("a", SV("one"), 0600), 0);
	assert_content("a", SV("one"));
	assert_int_equal(durable_write("a", SV_NONE, 0600), 0);
	assert_content("a", SV_NONE);
	assert_int_equal(durable_write("a", sv_make(big, sizeof(big)), 0600), 0);
	assert_content("a", sv_make(big, sizeof(big)));
	assert_int_equal(durable_write("a", SV("nul\0byte"), 0600), 0);
	assert_content("a", SV("nul\0byte"));
	assert_int_equal(count_entries("."), 1);
}

static void the_mode_is_exact(void **state)
{
	(void)state;
	umask(0777);
	assert_int_equal(durable_write("a", SV("x"), 0644), 0);
	assert_mode("a", 0644);
	umask(0);
	assert_int_equal(durable_write("a", SV("x"), 0600), 0);
	assert_mode("a", 0600);
}

static void absolute_paths_and_folders_work(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/b/c", g_dir);
	assert_int_equal(durable_mkdirs("b", 0700), 0);
	assert_int_equal(durable_write(path, SV("x"), 0600), 0);
	assert_content("b/c", SV("x"));
	assert_int_equal(durable_write("b/c", SV("y"), 0600), 0);
	assert_content(path, SV("y"));
}

/* The temporary file is made beside the target, not where the process happens to be. */
static void the_working_directory_does_not_matter(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/a", g_dir);
	assert_int_equal(mkdir("gone", 0700), 0);
	assert_int_equal(chdir("gone"), 0);
	assert_int_equal(rmdir("../gone"), 0);
	assert_int_equal(durable_write(path, SV("x"), 0600), 0);
	assert_int_equal(durable_write(path, SV("y"), 0600), 0);
	assert_content(path, SV("y"));
}

static void reading_appends(void **state)
{
	struct buf out;

	(void)state;
	assert_int_equal(durable_write("a", SV("tail"), 0600), 0);
	buf_init(&out, 64);
	buf_add_lit(&out, "head ");
	assert_int_equal(durable_read("a", &out), 0);
	assert_string_equal(buf_cstr(&out), "head tail");
	buf_fini(&out);
}

static void a_file_over_the_cap_is_refused(void **state)
{
	struct buf out;

	(void)state;
	assert_int_equal(durable_write("a", SV("12345678"), 0600), 0);
	buf_init(&out, 8);
	assert_int_equal(durable_read("a", &out), 0);
	assert_int_equal(out.len, 8);
	buf_fini(&out);
	buf_init(&out, 7);
	assert_int_equal(durable_read("a", &out), -EFBIG);
	assert_int_equal(out.len, 0);
	assert_int_equal(buf_error(&out), 0);
	buf_fini(&out);
	buf_init(&out, 10);
	buf_add_lit(&out, "abc");
	assert_int_equal(durable_read("a", &out), -EFBIG);
	assert_string_equal(buf_cstr(&out), "abc");
	buf_fini(&out);
}

/* Its size is not known beforehand. */
static void a_pipe_over_the_cap_is_refused(void **state)
{
	char path[32];
	int ends[2];
	struct buf out;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	assert_int_equal(write(ends[1], "12345678", 8), 8);
	buf_init(&out, 7);
	/* The reader opened here would wait for more: the cap must end it before. */
	assert_int_equal(durable_read(path, &out), -EFBIG);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
	assert_int_equal(write(ends[1], "12345678", 8), 8);
	close(ends[1]);
	buf_init(&out, 8);
	assert_int_equal(durable_read(path, &out), 0);
	assert_int_equal(out.len, 8);
	buf_fini(&out);
	close(ends[0]);
}

static void what_cannot_be_read_says_why(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 64);
	assert_int_equal(durable_read("absent", &out), -ENOENT);
	assert_int_equal(durable_read(".", &out), -EISDIR);
	assert_int_equal(durable_write("a", SV("x"), 0600), 0);
	assert_int_equal(durable_read("a/b", &out), -ENOTDIR);
	assert_int_equal(out.len, 0);
	assert_int_equal(buf_error(&out), 0);
	buf_fini(&out);
}

static void failed_writes_leave_nothing_behind(void **state)
{
	(void)state;
	assert_int_equal(durable_write("absent/a", SV("x"), 0600), -ENOENT);
	assert_int_equal(durable_write("", SV("x"), 0600) < 0, 1);
	assert_int_equal(durable_mkdirs("dir/sub", 0700), 0);
	assert_int_equal(durable_write("dir", SV("x"), 0600), -EISDIR);
	assert_int_equal(count_entries("dir"), 1);
	rmdir("dir/sub");
	rmdir("dir");
	assert_int_equal(count_entries("."), 0);
}

static void the_old_content_survives_a_full_disk(void **state)
{
	static const char big[4096];
	struct rlimit old;
	struct rlimit small;

	(void)state;
	assert_int_equal(durable_write("a", SV("old"), 0640), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1000;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(durable_write("a", sv_make(big, sizeof(big)), 0600), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_content("a", SV("old"));
	assert_mode("a", 0640);
	assert_int_equal(count_entries("."), 1);
}

/* Who has the file open reads the old content to its end, whatever is written meanwhile. */
static void a_reader_never_sees_a_mixture(void **state)
{
	char text[16] = {0};
	int fd;

	(void)state;
	assert_int_equal(durable_write("a", SV("old content"), 0600), 0);
	fd = open("a", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, 3), 3);
	assert_int_equal(durable_write("a", SV("NEW CONTENT"), 0600), 0);
	assert_int_equal(read(fd, text + 3, sizeof(text) - 3), 8);
	assert_string_equal(text, "old content");
	close(fd);
}

static void a_link_stays_a_link(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(durable_mkdirs("far", 0700), 0);
	assert_int_equal(durable_write("far/target", SV("old"), 0600), 0);
	assert_int_equal(symlink("far/target", "link"), 0);
	assert_int_equal(durable_write("link", SV("new"), 0600), 0);
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_content("far/target", SV("new"));
	assert_int_equal(count_entries("far"), 1);
	/* One that leads nowhere gives way. */
	assert_int_equal(unlink("far/target"), 0);
	assert_int_equal(durable_write("link", SV("own"), 0600), 0);
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void mkdirs_makes_what_is_missing(void **state)
{
	char path[128];

	(void)state;
	assert_int_equal(mkdir("a", 0755), 0);
	assert_int_equal(durable_mkdirs("a/b//c/", 0700), 0);
	assert_mode("a", 0755);
	assert_mode("a/b", 0700);
	assert_mode("a/b/c", 0700);
	assert_int_equal(durable_mkdirs("a/b/c", 0700), 0);
	assert_int_equal(durable_mkdirs(".", 0700), 0);
	assert_int_equal(durable_mkdirs("/", 0700), 0);
	snprintf(path, sizeof(path), "%s/x/y", g_dir);
	assert_int_equal(durable_mkdirs(path, 0750), 0);
	assert_mode("x/y", 0750);
}

static void mkdirs_says_what_is_in_the_way(void **state)
{
	char name[300] = {0};

	(void)state;
	assert_int_equal(durable_write("file", SV("x"), 0600), 0);
	assert_int_equal(durable_mkdirs("file", 0700), -ENOTDIR);
	assert_int_equal(durable_mkdirs("file/a", 0700), -ENOTDIR);
	assert_int_equal(durable_mkdirs("", 0700), -ENOENT);
	memset(name, 'x', sizeof(name) - 1);
	assert_int_equal(durable_mkdirs(name, 0700), -ENAMETOOLONG);
	assert_content("file", SV("x"));
}

static void a_tree_goes_and_what_its_links_point_at_stays(void **state)
{
	(void)state;
	assert_int_equal(durable_mkdirs("tree/a/b", 0700), 0);
	assert_int_equal(durable_mkdirs("kept", 0700), 0);
	assert_int_equal(durable_write("tree/a/file", SV("x"), 0600), 0);
	assert_int_equal(durable_write("kept/file", SV("x"), 0600), 0);
	assert_int_equal(symlink("../../kept", "tree/a/link"), 0);
	assert_int_equal(durable_remove_tree("tree"), 0);
	assert_int_equal(access("tree", F_OK), -1);
	assert_int_equal(access("kept/file", F_OK), 0);
	assert_int_equal(durable_remove_tree("tree"), 0);
	assert_int_equal(durable_remove_tree("kept"), 0);
}

static void a_lock_excludes_another(void **state)
{
	int first = -1;
	int second = -1;

	(void)state;
	assert_int_equal(durable_lock("lock", 0, &first), 0);
	assert_mode("lock", 0600);
	assert_int_equal(durable_lock("lock", 0, &second), -ETIMEDOUT);
	assert_int_equal(durable_lock("lock", 1, &second), -ETIMEDOUT);
	assert_int_equal(second, -1);
	durable_unlock(first);
	assert_int_equal(durable_lock("lock", 0, &second), 0);
	durable_unlock(second);
	durable_unlock(-1);
}

static void a_lock_is_not_inherited_by_programs(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(durable_lock("lock", 0, &fd), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	durable_unlock(fd);
}

static void a_lock_keeps_what_the_file_says(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(durable_write("lock", SV("content"), 0644), 0);
	assert_int_equal(durable_lock("lock", 0, &fd), 0);
	durable_unlock(fd);
	assert_content("lock", SV("content"));
	assert_mode("lock", 0644);
}

static void a_lock_of_a_process_that_died_is_free(void **state)
{
	int fd;
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(durable_lock("lock", 0, &fd) == 0 ? 7 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	assert_int_equal(durable_lock("lock", 0, &fd), 0);
	durable_unlock(fd);
}

static void a_waiting_process_gets_the_lock(void **state)
{
	int fd;
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(durable_lock("lock", 0, &fd), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int mine;

		_exit(durable_lock("lock", 30000, &mine) == 0 ? 7 : 1);
	}
	/* The child holds a copy of the descriptor, which must not keep the lock. */
	durable_unlock(fd);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void a_lock_without_its_folder_fails(void **state)
{
	int fd = -1;

	(void)state;
	assert_int_equal(durable_lock("absent/lock", 30000, &fd), -ENOENT);
	assert_int_equal(fd, -1);
}

#define TEST_IN_DIR(f) cmocka_unit_test_setup_teardown(f, enter_dir, leave_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_DIR(what_was_written_is_read),
		TEST_IN_DIR(the_mode_is_exact),
		TEST_IN_DIR(absolute_paths_and_folders_work),
		TEST_IN_DIR(the_working_directory_does_not_matter),
		TEST_IN_DIR(reading_appends),
		TEST_IN_DIR(a_file_over_the_cap_is_refused),
		TEST_IN_DIR(a_pipe_over_the_cap_is_refused),
		TEST_IN_DIR(what_cannot_be_read_says_why),
		TEST_IN_DIR(failed_writes_leave_nothing_behind),
		TEST_IN_DIR(the_old_content_survives_a_full_disk),
		TEST_IN_DIR(a_reader_never_sees_a_mixture),
		TEST_IN_DIR(a_link_stays_a_link),
		TEST_IN_DIR(mkdirs_makes_what_is_missing),
		TEST_IN_DIR(mkdirs_says_what_is_in_the_way),
		TEST_IN_DIR(a_tree_goes_and_what_its_links_point_at_stays),
		TEST_IN_DIR(a_lock_excludes_another),
		TEST_IN_DIR(a_lock_is_not_inherited_by_programs),
		TEST_IN_DIR(a_lock_keeps_what_the_file_says),
		TEST_IN_DIR(a_lock_of_a_process_that_died_is_free),
		TEST_IN_DIR(a_waiting_process_gets_the_lock),
		TEST_IN_DIR(a_lock_without_its_folder_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
