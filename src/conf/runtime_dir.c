#include "conf/runtime_dir.h"

#include "base/clock.h"
#include "base/durable.h"
#include "base/limits.h"
#include "conf/conf_table.h"
#include "conf/json_file.h"

#include <errno.h>
#include <ftw.h>
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

/* What a forced rewrite keeps of the old file: tokens, and what this program does not know. */
static void keep_from(const struct conf *old, const json_t *old_doc, json_t *doc)
{
	static const char *const tokens[] = {"authToken", "authTokenAliases", "adminToken"};

	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		json_t *value = json_object_get(old_doc, tokens[i]);

		if (value)
			json_object_set(doc, tokens[i], value);
	}
	for (size_t i = 0; old && i < old->unknown_count; i++) {
		json_t *value = json_object_get(old_doc, old->unknown_keys[i]);

		if (value)
			json_object_set(doc, old->unknown_keys[i], value);
	}
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

static int rewrite_config(const char *root, const char *path, json_t *doc)
{
	struct conf_error ignored;
	struct conf *old = NULL;
	json_t *old_doc = NULL;
	char problem[128];
	int err = json_file_read(path, LIMIT_CONFIG_FILE_BYTES, &old_doc, problem, sizeof(problem));

	if (err == -EINVAL)
		err = set_aside(path);
	else if (!err && conf_load(root, NULL, &old, &ignored) != 0)
		old = NULL; /* some value is wrong: that is why it is rewritten */
	if (!err && old_doc)
		keep_from(old, old_doc, doc);
	if (!err)
		err = json_file_write(path, doc);
	conf_unref(old);
	json_decref(old_doc);
	return err;
}

static int create_config(const char *root, const char *profile, bool force)
{
	char *path = runtime_config_path(root);
	json_t *doc = fresh_config(root, profile);
	int err = json_file_create(path, doc);

	if (err == -EEXIST)
		err = force ? rewrite_config(root, path, doc) : 0;
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

static int on_tree_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path) == 0 ? 0 : errno;
}

int runtime_remove_slot(const char *root, const char *slot_id)
{
	enum { OPEN_DIRECTORIES = 16 };
	char *path = slot_path(root, slot_id, "");
	int result = nftw(path, on_tree_entry, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS);

	if (result < 0)
		result = errno;
	free(path);
	return result == ENOENT ? 0 : -result;
}
