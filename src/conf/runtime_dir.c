#include "conf/runtime_dir.h"

#include "base/clock.h"
#include "base/durable.h"
#include "base/limits.h"
#include "conf/conf_edit.h"
#include "conf/json_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char agents_text[] =
	"# Workspace of codex-slot-relay\n"
	"\n"
	"The relay starts stateless runs here. Answer the prompt; there are no files to look at.\n";

char *runtime_path(const char *root, const char *relative)
{
	size_t root_n = strlen(root), relative_n = strlen(relative);
	char *path;

	while (root_n > 1 && root[root_n - 1] == '/')
		root_n--;
	path = mem_zalloc(root_n + relative_n + 2);
	memcpy(path, root, root_n);
	path[root_n] = '/';
	memcpy(path + root_n + 1, relative, relative_n);
	return path;
}

char *runtime_resolve(const char *root, const char *path)
{
	return path[0] == '/' ? mem_strdup(path) : runtime_path(root, path);
}

char *runtime_config_path(const char *root)
{
	return runtime_path(root, "config/relay.json");
}

char *runtime_slots_path(const char *root)
{
	return runtime_path(root, "config/slots.json");
}

char *runtime_lock_path(const char *root)
{
	return runtime_path(root, "run/state.lock");
}

static char *slot_path(const char *root, const char *slot_id, const char *behind)
{
	char relative[512];

	snprintf(relative, sizeof(relative), "state/slots/%.*s%s", LIMIT_SLOT_ID_BYTES, slot_id,
		behind);
	return runtime_path(root, relative);
}

char *runtime_auth_path(const char *root, const char *slot_id)
{
	return slot_path(root, slot_id, "/agent/auth-profiles.json");
}

char *runtime_models_path(const char *root, const char *slot_id)
{
	return slot_path(root, slot_id, "/agent/models.json");
}

char *runtime_agent_dir(const char *root, const char *slot_id)
{
	return slot_path(root, slot_id, "/agent");
}

static int create_directories(const char *root)
{
	static const char *const names[] = {
		"config", "state", "state/slots", "logs", "run", "min-workspace"};
	int err = durable_mkdirs(root, 0700);

	for (size_t i = 0; i < ARRAY_LEN(names) && !err; i++) {
		char *path = runtime_path(root, names[i]);

		err = durable_mkdirs(path, 0700);
		free(path);
	}
	return err;
}

/* The path that holds wherever a program is started; root exists. */
static char *absolute(const char *root)
{
	char *path = realpath(root, NULL);

	return path ? path : mem_strdup(root);
}

static json_t *fresh_config(const char *root, const char *profile)
{
	char *path = absolute(root);
	struct conf *conf = conf_default(path, profile);
	json_t *doc = conf_json(conf, true, true);

	conf_unref(conf);
	free(path);
	return doc;
}

/* What is left of a document without all keys that this program knows. New reference. */
static json_t *unknown_part(const json_t *doc)
{
	json_t *rest = json_deep_copy(doc);
	size_t count;
	const struct conf_key *rows = conf_table(&count);

	for (size_t i = 0; i < count; i++) {
		if (conf_edit_drop(rest, rows[i].name) != 0)
			continue; /* it was not there */
	}
	return rest;
}

/* What a forced rewrite keeps of the old file, even when a value in it is wrong: tokens, and what
 * this program does not know. */
static void keep_from(const json_t *old_doc, json_t *doc)
{
	static const char *const tokens[] = {"authToken", "authTokenAliases", "adminToken"};
	json_t *unknown = unknown_part(old_doc);
	const char *name;
	json_t *value;

	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		value = json_object_get(old_doc, tokens[i]);
		if (value)
			json_object_set(doc, tokens[i], value);
	}
	json_object_foreach(unknown, name, value)
	{
		json_t *group = json_object_get(doc, name);

		if (!group)
			json_object_set(doc, name, value);
		else if (json_is_object(group) && json_is_object(value))
			json_object_update_missing(group, value);
	}
	json_decref(unknown);
}

/* A file that cannot be read for its tokens is put aside, not lost. */
static int set_aside(const char *path)
{
	char *aside = mem_zalloc(strlen(path) + sizeof(".broken"));
	int err = 0;

	memcpy(aside, path, strlen(path));
	memcpy(aside + strlen(path), ".broken", sizeof(".broken"));
	if (rename(path, aside) != 0)
		err = -errno;
	free(aside);
	return err;
}

static int rewrite_config(const char *path, json_t *doc)
{
	json_t *old_doc = NULL;
	char problem[128];
	int err = json_file_read(path, LIMIT_CONFIG_FILE_BYTES, &old_doc, problem, sizeof(problem));

	if (err == -EINVAL)
		err = set_aside(path);
	if (!err && old_doc)
		keep_from(old_doc, doc);
	if (!err)
		err = json_file_write(path, doc);
	json_decref(old_doc);
	return err;
}

/* The lock keeps a change out that another program is making meanwhile. */
static int rewrite_locked(const char *root, const char *path, json_t *doc)
{
	enum { PATIENCE_MS = 10000 };
	char *lock = runtime_lock_path(root);
	int fd;
	int err = durable_lock(lock, PATIENCE_MS, &fd);

	free(lock);
	if (err)
		return err;
	err = rewrite_config(path, doc);
	durable_unlock(fd);
	return err;
}

static int create_config(const char *root, const char *profile, bool force)
{
	char *path = runtime_config_path(root);
	json_t *doc = fresh_config(root, profile);
	int err = json_file_create(path, doc);

	if (err == -EEXIST)
		err = force ? rewrite_locked(root, path, doc) : 0;
	json_decref(doc);
	free(path);
	return err;
}

static int create_slots(const char *root)
{
	char *path = runtime_slots_path(root);
	char now[CLOCK_ISO_SIZE];
	json_t *doc;
	int err;

	clock_format_iso(clock_wall_ms(), now);
	doc = json_pack("{s:i, s:s, s:[]}", "version", 1, "updatedAt", now, "slots");
	err = json_file_create(path, doc);
	json_decref(doc);
	free(path);
	return err == -EEXIST ? 0 : err;
}

static int create_workspace(const char *root)
{
	char *path = runtime_path(root, "min-workspace/AGENTS.md");
	int err = 0;

	if (access(path, F_OK) != 0)
		err = durable_write(path, sv_cstr(agents_text), 0600);
	free(path);
	return err;
}

int runtime_create(const char *root, const char *profile, bool force)
{
	int err = create_directories(root);

	if (!err)
		err = create_config(root, profile, force);
	if (!err)
		err = create_slots(root);
	if (!err)
		err = create_workspace(root);
	return err;
}

int runtime_remove_slot(const char *root, const char *slot_id)
{
	char *path = slot_path(root, slot_id, "");
	int err = durable_remove_tree(path);

	free(path);
	return err;
}
