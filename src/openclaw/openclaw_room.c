#include "openclaw/openclaw_room.h"

#include "base/durable.h"
#include "conf/json_file.h"
#include "conf/runtime_dir.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROOMS "run/openclaw"

enum { NAME_SIZE = 160 };

struct openclaw_room {
	char *root, *dir, *agent_dir, *config_path;
	struct auth_grant grant;
	json_t *models, *config;
};

static char *join(const char *dir, const char *relative)
{
	return runtime_path(dir, relative);
}

/* The program runs in a directory of its own: its paths must not depend on ours. */
static char *absolute(const char *root)
{
	char *path = realpath(root, NULL);

	return path ? path : mem_strdup(root);
}

/* Everything but what could rotate the grant. */
static void copy_grant(struct auth_grant *to, const struct slot *s)
{
	secret_copy(&to->access, &s->access);
	to->account_id = mem_strdup(s->account_id);
	to->email = mem_strdup(s->email);
	to->expires_ms = s->expires_ms;
}

static json_t *models_of(const struct slot *s)
{
	return json_pack("{s:{s:{s:s, s:s, s:[]}}}", "providers", "openai-codex", "baseUrl",
		s->base_url ? s->base_url : "", "api", "openai-codex-responses", "models");
}

struct openclaw_room *openclaw_room_new(const struct openclaw_room_plan *plan)
{
	static unsigned counter;
	struct openclaw_room *room = mem_zalloc(sizeof(*room));
	char name[NAME_SIZE];

	room->root = absolute(plan->root);
	snprintf(name, sizeof(name), ROOMS "/%.64s-%ld-%u", plan->name, (long)getpid(), counter++);
	room->dir = join(room->root, name);
	snprintf(name, sizeof(name), "agents/%.64s/agent", plan->agent);
	room->agent_dir = join(room->dir, name);
	room->config_path = join(room->dir, "openclaw.json");
	if (plan->slot) {
		copy_grant(&room->grant, plan->slot);
		room->models = models_of(plan->slot);
	}
	return room;
}

static int write_member(const char *dir, const char *name, const json_t *value)
{
	char *path = join(dir, name);
	int err = json_file_write(path, value);

	free(path);
	return err;
}

static int write_grant(struct openclaw_room *room)
{
	char *path = join(room->agent_dir, "auth-profiles.json");
	int err = auth_grant_write(path, &room->grant);

	free(path);
	return err;
}

void openclaw_room_configure(struct openclaw_room *room, json_t *config)
{
	json_decref(room->config);
	room->config = config;
}

int openclaw_room_make(struct openclaw_room *room)
{
	int err;

	openclaw_room_sweep(room->root);
	err = durable_mkdirs(room->agent_dir, 0700);

	if (!err && !secret_is_empty(&room->grant.access))
		err = write_grant(room);
	if (!err && room->models)
		err = write_member(room->agent_dir, "models.json", room->models);
	if (!err && room->config)
		err = json_file_write(room->config_path, room->config);
	return err;
}

int openclaw_room_remove(struct openclaw_room *room)
{
	return durable_remove_tree(room->dir);
}

void openclaw_room_free(struct openclaw_room *room)
{
	if (!room)
		return;
	auth_grant_fini(&room->grant);
	json_decref(room->models);
	json_decref(room->config);
	free(room->config_path);
	free(room->agent_dir);
	free(room->dir);
	free(room->root);
	free(room);
}

const char *openclaw_room_dir(const struct openclaw_room *room)
{
	return room->dir;
}

const char *openclaw_room_agent_dir(const struct openclaw_room *room)
{
	return room->agent_dir;
}

const char *openclaw_room_config(const struct openclaw_room *room)
{
	return room->config_path;
}

/* "<name>-<pid>-<n>" of a process that has ended. */
static bool is_stale(const char *name)
{
	const char *counter = strrchr(name, '-');
	const char *pid = counter ? memrchr(name, '-', (size_t)(counter - name)) : NULL;
	int64_t number;

	if (!pid || sv_i64(sv_make(pid + 1, (size_t)(counter - pid - 1)), &number) != 0)
		return false;
	return number > 0 && number <= INT32_MAX && kill((pid_t)number, 0) != 0 && errno == ESRCH;
}

void openclaw_room_sweep(const char *root)
{
	char *rooms = runtime_path(root, ROOMS);
	DIR *dir = opendir(rooms);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *path = join(rooms, entry->d_name);

		/* What cannot be deleted now is tried again at the next start. */
		if (is_stale(entry->d_name) && durable_remove_tree(path) != 0)
			errno = 0;
		free(path);
	}
	if (dir)
		closedir(dir);
	free(rooms);
}
