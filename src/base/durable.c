#include "base/durable.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_STEP_MS = 10 };

/* As read(2), without EINTR; negative errno. */
static ssize_t read_some(int fd, char *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* Appends up to the end of the file; the last read, which finds it, may not go over the cap. */
static int read_rest(int fd, size_t size_hint, struct buf *out)
{
	for (;;) {
		size_t room = out->cap - out->len;
		size_t want = size_hint > 4096 ? size_hint : 4096;
		char beyond;
		ssize_t got;

		if (room == 0) {
			got = read_some(fd, &beyond, 1);
			return got > 0 ? -EFBIG : (int)got;
		}
		want = want < room ? want : room;
		if (buf_reserve(out, want))
			return buf_error(out);
		got = read_some(fd, out->data + out->len, want);
		if (got <= 0)
			return (int)got;
		out->len += (size_t)got;
		size_hint = 0;
	}
}

int durable_read(const char *path, struct buf *out)
{
	size_t before = out->len;
	struct stat st;
	int fd;
	int err;

	if (buf_error(out))
		return buf_error(out);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		err = -errno;
	else if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > out->cap - out->len)
		err = -EFBIG;
	else
		err = read_rest(fd, S_ISREG(st.st_mode) ? (size_t)st.st_size + 1 : 0, out);
	close(fd);
	if (err)
		buf_truncate(out, before);
	return err;
}

static int write_all(int fd, struct sv data)
{
	while (data.n) {
		ssize_t done = write(fd, data.p, data.n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		data = sv_from(data, (size_t)done);
	}
	return 0;
}

/* Makes what happened to the entry at path survive: syncs the directory that it is in. */
static int sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash && slash != path ? (size_t)(slash - path) : 1;
	char *dir = mem_strndup(slash ? path : ".", n);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	free(dir);
	if (fd < 0)
		return err;
	/* Some filesystems cannot sync directories, and need not. */
	if (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
		err = -errno;
	close(fd);
	return err;
}

static int fill_file(int fd, struct sv data, mode_t mode)
{
	int err = write_all(fd, data);

	if (!err && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
		err = -errno;
	/* A network filesystem may tell only now that there was no room. */
	if (close(fd) != 0 && !err && errno != EINTR)
		err = -errno;
	return err;
}

static int replace_file(const char *path, struct sv data, mode_t mode)
{
	static const char suffix[] = ".tmp.XXXXXX";
	size_t n = strlen(path);
	char *temporary = mem_realloc(NULL, n + sizeof(suffix));
	int fd;
	int err;

	memcpy(temporary, path, n);
	memcpy(temporary + n, suffix, sizeof(suffix));
	fd = mkostemp(temporary, O_CLOEXEC);
	err = fd < 0 ? -errno : fill_file(fd, data, mode);
	if (!err && rename(temporary, path) != 0)
		err = -errno;
	if (err && fd >= 0)
		unlink(temporary);
	free(temporary);
	return err ? err : sync_parent(path);
}

int durable_write(const char *path, struct sv data, mode_t mode)
{
	/* A symbolic link stays one: the file that it leads to is replaced. */
	char *target = realpath(path, NULL);
	int err = replace_file(target ? target : path, data, mode);

	free(target);
	return err;
}

/* One step of durable_mkdirs(); an existing directory is fine. */
static int make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return sync_parent(path);
	if (errno != EEXIST && errno != EROFS && errno != EACCES && errno != EPERM)
		return -errno;
	/* On a read-only or foreign part of the path mkdir says so even for what is there. */
	if (stat(path, &st) != 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int durable_mkdirs(const char *path, mode_t mode)
{
	char *copy = mem_strdup(path);
	char *at = copy;
	int err = *copy ? 0 : -ENOENT;

	while (!err && *at) {
		char kept;

		at += strspn(at, "/");
		at += strcspn(at, "/");
		kept = *at;
		*at = '\0';
		err = make_dir(copy, mode);
		*at = kept;
		at += strspn(at, "/");
	}
	free(copy);
	return err;
}

static void sleep_ms(int64_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

int durable_lock(const char *path, int timeout_ms, int *ret_fd)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int err = errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
		int64_t left = deadline - clock_mono_ms();

		if (!err && left <= 0)
			err = -ETIMEDOUT;
		if (err) {
			close(fd);
			return err;
		}
		sleep_ms(left < LOCK_STEP_MS ? left : LOCK_STEP_MS);
	}
	*ret_fd = fd;
	return 0;
}

void durable_unlock(int fd)
{
	if (fd < 0)
		return;
	/* Not left to close(): a child that was just forked may still hold the descriptor. */
	flock(fd, LOCK_UN);
	close(fd);
}

static int on_tree_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	/* Somebody may be deleting it too. */
	return remove(path) == 0 || errno == ENOENT ? 0 : errno;
}

int durable_remove_tree(const char *path)
{
	enum { OPEN_DIRECTORIES = 16, TRIES = 3 };
	int result = 0;

	/* Again when something was put into a directory meanwhile. */
	for (int i = 0; i < TRIES; i++) {
		result = nftw(path, on_tree_entry, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS);
		if (result < 0)
			result = errno;
		if (result != ENOTEMPTY)
			break;
	}
	return result == ENOENT ? 0 : -result;
}
