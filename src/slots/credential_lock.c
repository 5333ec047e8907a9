#include "slots/credential_lock.h"

#include "base/durable.h"
#include "base/limits.h"
#include "conf/runtime_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int credential_lock(const char *root, const char *slot_id, int timeout_ms, int *ret_fd)
{
	char name[sizeof("run/credential-.lock") + LIMIT_SLOT_ID_BYTES];
	char *directory;
	char *path;
	int err;

	if (!*slot_id || strlen(slot_id) >= LIMIT_SLOT_ID_BYTES || strchr(slot_id, '/'))
		return -EINVAL;
	snprintf(name, sizeof(name), "run/credential-%s.lock", slot_id);
	directory = runtime_path(root, "run");
	path = runtime_path(root, name);
	err = durable_mkdirs(directory, 0700);
	if (!err)
		err = durable_lock(path, timeout_ms, ret_fd);
	free(path);
	free(directory);
	return err;
}
