#include "cli/cli_doctor.h"

#include "base/durable.h"
#include "conf/runtime_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { ADVICE_SIZE = 512, DESCRIPTORS_OTHER = 64, DESCRIPTORS_FEW = 1024 };

static const uint64_t free_least = MIB(1), free_few = MIB(64);

/* What has been looked at, for the finding that all is well. */
struct seen {
	size_t paths, problems;
};

static void tell_mode(struct doctor *d, const char *path, const struct stat *st, struct seen *seen)
{
	bool is_dir = S_ISDIR(st->st_mode);
	/* Others can read a file only through directories that let them in. */
	enum doctor_level level = is_dir ? DOCTOR_WARN : DOCTOR_FAIL;
	char advice[ADVICE_SIZE];

	snprintf(advice, sizeof(advice), "chmod %s '%.400s'", is_dir ? "700" : "600", path);
	cli_doctor_tell(d, level, "files", advice, "%.400s can be used by others: mode %03o", path,
		(unsigned)st->st_mode & 07777);
	seen->problems++;
}

static void tell_owner(struct doctor *d, const char *path, const struct stat *st, struct seen *seen)
{
	char advice[ADVICE_SIZE];

	snprintf(advice, sizeof(advice), "chown %u '%.400s', or run as its owner",
		(unsigned)geteuid(), path);
	cli_doctor_tell(d, DOCTOR_WARN, "files", advice, "%.400s belongs to user %u, not to %u",
		path, (unsigned)st->st_uid, (unsigned)geteuid());
	seen->problems++;
}

static void check_path(struct doctor *d, const char *path, struct seen *seen)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		if (errno == ENOENT)
			return; /* whoever needs it tells */
		cli_doctor_tell(d, DOCTOR_FAIL, "files", NULL, "%.400s: %s", path, strerror(errno));
		seen->problems++;
		return;
	}
	seen->paths++;
	if (st.st_mode & 077)
		tell_mode(d, path, &st, seen);
	if (st.st_uid != geteuid())
		tell_owner(d, path, &st, seen);
	if (access(path, S_ISDIR(st.st_mode) ? R_OK | W_OK | X_OK : R_OK | W_OK) == 0)
		return;
	cli_doctor_tell(d, DOCTOR_FAIL, "files", "check its owner, mode and file system",
		"%.400s cannot be written: %s", path, strerror(errno));
	seen->problems++;
}

static void check_slot_files(struct doctor *d, const struct slot *s, struct seen *seen)
{
	char *dir = runtime_agent_dir(d->ctx->root, s->id);
	char *models = runtime_models_path(d->ctx->root, s->id);

	check_path(d, dir, seen);
	check_path(d, models, seen);
	check_path(d, s->auth_file, seen);
	free(models);
	free(dir);
}

static void check_modes(struct doctor *d)
{
	static const char *const names[] = {"config", "config/relay.json", "config/slots.json",
		"state", "state/slots", "run", "logs"};
	struct seen seen = {0};

	check_path(d, d->ctx->root, &seen);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = runtime_path(d->ctx->root, names[i]);

		check_path(d, path, &seen);
		free(path);
	}
	for (size_t i = 0; d->slots && i < slot_table_count(d->slots); i++)
		check_slot_files(d, slot_table_at(d->slots, i), &seen);
	if (!seen.problems && seen.paths)
		cli_doctor_tell(d, DOCTOR_OK, "files", NULL,
			"%zu files and directories are private and can be written", seen.paths);
}

static void check_disk(struct doctor *d)
{
	struct statvfs fs;
	uint64_t free_bytes;

	if (statvfs(d->ctx->root, &fs) != 0)
		return; /* the directory is not there: told already */
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (fs.f_flag & ST_RDONLY)
		cli_doctor_tell(d, DOCTOR_FAIL, "disk", "mount it for writing",
			"the file system of the runtime directory is read-only");
	else if (fs.f_files && fs.f_favail == 0)
		cli_doctor_tell(d, DOCTOR_FAIL, "disk", "delete files",
			"the file system of the runtime directory has no inode left");
	else if (free_bytes < free_few)
		cli_doctor_tell(d, free_bytes < free_least ? DOCTOR_FAIL : DOCTOR_WARN, "disk",
			"make room: state that cannot be written is lost at the next restart",
			"%llu KiB are free for the runtime directory",
			(unsigned long long)(free_bytes / 1024));
	else
		cli_doctor_tell(d, DOCTOR_OK, "disk", NULL, "%llu MiB are free",
			(unsigned long long)(free_bytes / MIB(1)));
}

static void check_lock(struct doctor *d)
{
	enum { PATIENCE_MS = 500 };
	char *path = runtime_lock_path(d->ctx->root);
	int fd;
	int err = access(path, F_OK) == 0 ? durable_lock(path, PATIENCE_MS, &fd) : -ENOENT;

	free(path);
	if (!err)
		durable_unlock(fd);
	if (err == -ETIMEDOUT)
		cli_doctor_tell(d, DOCTOR_WARN, "lock",
			"find the program that holds it: fuser run/state.lock",
			"run/state.lock is held: nothing can change the slots meanwhile");
	else if (err && err != -ENOENT)
		cli_doctor_tell(d, DOCTOR_FAIL, "lock", "check its owner and mode",
			"run/state.lock: %s", strerror(-err));
	else
		cli_doctor_tell(d, DOCTOR_OK, "lock", NULL, "run/state.lock is free");
}

static void check_descriptors(struct doctor *d)
{
	struct rlimit limit;
	int64_t wanted = d->conf ? d->conf->max_connections * 2 + DESCRIPTORS_OTHER : 0;
	int64_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	most = limit.rlim_max == RLIM_INFINITY ? INT64_MAX : (int64_t)limit.rlim_max;
	if (most < DESCRIPTORS_FEW)
		cli_doctor_tell(d, DOCTOR_WARN, "descriptors",
			"raise it: ulimit -Hn, LimitNOFILE= of systemd",
			"a process may have only %lld files open: about %lld requests at a time",
			(long long)most, (long long)(most / 2));
	else if (most < wanted)
		cli_doctor_tell(d, DOCTOR_OK, "descriptors", NULL,
			"%lld: about %lld requests at a time, fewer than maxConnections",
			(long long)most, (long long)(most / 2));
	else
		cli_doctor_tell(d, DOCTOR_OK, "descriptors", NULL, "the limit is high enough");
}

void cli_doctor_files(struct doctor *d)
{
	check_modes(d);
	check_disk(d);
	check_lock(d);
	check_descriptors(d);
}
