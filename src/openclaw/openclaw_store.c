#include "openclaw/openclaw_store.h"

#include "conf/json_file.h"
#include "conf/runtime_dir.h"
#include "slots/slot_record.h"
#include "slots/stamp.h"
#include "slots/store.h"
#include "slots/usage_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROVIDER "openai-codex"

enum { NAME_MAX_BYTES = 128 };

struct openclaw_store {
	char *path, *dir; /* slots.json, and where it is */
	json_t *doc, *models;
	struct openclaw_entry *entries;
	size_t count;
	const char **odd;
	size_t odd_count;
};

/* --- places --- */

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* "~" and "~/x" as a shell would read them. */
static char *expand(const char *path)
{
	const char *user_home = environment("HOME");

	if (path[0] == '~' && (path[1] == '/' || !path[1]) && user_home)
		return runtime_path(user_home, path + 1 + (path[1] == '/'));
	return mem_strdup(path);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/*
 * The program itself takes OPENCLAW_HOME for what ~ is, and keeps its files in .openclaw below; the
 * original relay took it for that directory. What is there decides.
 */
static char *find_home(void)
{
	const char *told = environment("OPENCLAW_HOME");
	char *home = expand(told ? told : "~/.openclaw");
	char *agents = runtime_path(home, "agents");
	char *below = runtime_path(home, ".openclaw");

	if (told && !exists(agents) && exists(below)) {
		free(home);
		home = below;
		below = NULL;
	}
	free(below);
	free(agents);
	return home;
}

static char *find_main_agent_dir(void)
{
	const char *told = environment("OPENCLAW_MAIN_AGENT_DIR");
	char *home, *dir;

	if (told)
		return expand(told);
	home = find_home();
	dir = runtime_path(home, "agents/main/agent");
	free(home);
	return dir;
}

static char *find_main_config(void)
{
	const char *told = environment("OPENCLAW_MAIN_CONFIG");
	char *home, *path;

	if (told)
		return expand(told);
	home = find_home();
	path = runtime_path(home, "openclaw.json");
	free(home);
	return path;
}

/* --- the main store --- */

static unsigned long number_of(const struct openclaw_entry *entry)
{
	return strtoul(entry->id + strlen("slot-"), NULL, 10);
}

static int by_number(const void *a, const void *b)
{
	unsigned long x = number_of(a), y = number_of(b);

	return x < y ? -1 : x > y;
}

static void collect(struct openclaw_store *store, json_t *slots)
{
	const char *key;
	json_t *value;

	store->entries = mem_zalloc((json_object_size(slots) + 1) * sizeof(*store->entries));
	store->odd = mem_zalloc((json_object_size(slots) + 1) * sizeof(*store->odd));
	json_object_foreach(slots, key, value)
	{
		struct openclaw_entry *entry = &store->entries[store->count];
		const char *label = json_string_value(json_object_get(value, "emailLabel"));

		if (!json_is_object(value) || store_slot_id(key, entry->id) != 0 ||
			store->count == LIMIT_SLOTS_COUNT) {
			store->odd[store->odd_count++] = key;
			continue;
		}
		entry->json = value;
		entry->label = label ? label : "";
		store->count++;
	}
	qsort(store->entries, store->count, sizeof(*store->entries), by_number);
}

static const json_t *provider_of(const json_t *doc)
{
	const json_t *provider = json_object_get(json_object_get(doc, "providers"), PROVIDER);

	return json_is_object(provider) ? provider : NULL;
}

/* Not having one, or one in a form that is no plain JSON, is no failure. */
static json_t *read_if_there(const char *path)
{
	char ignored[128];
	json_t *doc;

	return json_file_read(path, LIMIT_STATE_FILE_BYTES, &doc, ignored, sizeof(ignored)) == 0
		       ? doc
		       : NULL;
}

static json_t *read_models(const char *agent_dir)
{
	char *path = runtime_path(agent_dir, "models.json");
	json_t *models = read_if_there(path);
	json_t *config;

	free(path);
	if (provider_of(models))
		return models;
	json_decref(models);
	path = find_main_config();
	config = read_if_there(path);
	models = json_incref(json_object_get(config, "models"));
	json_decref(config);
	free(path);
	return models;
}

int openclaw_store_open(struct openclaw_store **ret, char *err, size_t err_size)
{
	char *agent_dir = find_main_agent_dir();
	struct openclaw_store *store = mem_zalloc(sizeof(*store));
	char problem[192];
	int result;

	store->dir = runtime_path(agent_dir, "codex-slots");
	store->path = runtime_path(store->dir, "slots.json");
	result = json_file_read(
		store->path, LIMIT_STATE_FILE_BYTES, &store->doc, problem, sizeof(problem));
	if (!result && !json_is_object(json_object_get(store->doc, "slots"))) {
		snprintf(problem, sizeof(problem), "slots: must be an object");
		result = -EINVAL;
	}
	if (result) {
		snprintf(err, err_size, "%.256s: %s", store->path, problem);
		openclaw_store_free(store);
	} else {
		collect(store, json_object_get(store->doc, "slots"));
		store->models = read_models(agent_dir);
		*ret = store;
	}
	free(agent_dir);
	return result;
}

void openclaw_store_free(struct openclaw_store *store)
{
	if (!store)
		return;
	json_decref(store->doc);
	json_decref(store->models);
	free(store->entries);
	free(store->odd);
	free(store->dir);
	free(store->path);
	free(store);
}

size_t openclaw_store_count(const struct openclaw_store *store)
{
	return store->count;
}

const struct openclaw_entry *openclaw_store_at(const struct openclaw_store *store, size_t index)
{
	return &store->entries[index];
}

const struct openclaw_entry *openclaw_store_find(
	const struct openclaw_store *store, const char *slot_id)
{
	for (size_t i = 0; i < store->count; i++) {
		if (strcmp(store->entries[i].id, slot_id) == 0)
			return &store->entries[i];
	}
	return NULL;
}

const char *openclaw_store_odd(const struct openclaw_store *store, size_t index)
{
	return index < store->odd_count ? store->odd[index] : NULL;
}

const char *openclaw_store_path(const struct openclaw_store *store)
{
	return store->path;
}

const json_t *openclaw_store_provider(const struct openclaw_store *store)
{
	return provider_of(store->models);
}

/* --- credentials --- */

/* The one profile that is meant, when the file has it: others in it are other accounts. */
static int grant_of_profile(
	json_t *doc, const char *profile_id, struct auth_grant *ret, char *err, size_t err_size)
{
	json_t *profile = json_object_get(json_object_get(doc, "profiles"), profile_id);
	json_t *alone = profile ? json_pack("{s:{s:O}}", "profiles", profile_id, profile)
				: json_incref(doc);
	int result = auth_grant_from_json(alone, 0, ret, err, err_size);

	json_decref(alone);
	return result;
}

static int read_profile(const char *path, const char *profile_id, struct auth_grant *ret, char *err,
	size_t err_size)
{
	json_t *doc;
	int result;

	if (!profile_id)
		return auth_grant_read(path, ret, err, err_size);
	result = json_file_read(path, LIMIT_AUTH_FILE_BYTES, &doc, err, err_size);
	if (result)
		return result;
	result = grant_of_profile(doc, profile_id, ret, err, err_size);
	json_decref(doc);
	return result;
}

static bool is_other_account(const struct auth_grant *g, const json_t *told)
{
	const char *id = json_string_value(told);

	return id && *id && g->account_id && strcmp(id, g->account_id) != 0;
}

int openclaw_store_grant(const struct openclaw_store *store, const struct openclaw_entry *entry,
	struct auth_grant *ret, char *err, size_t err_size)
{
	const char *file = json_string_value(json_object_get(entry->json, "file"));
	const char *profile = json_string_value(json_object_get(entry->json, "profileId"));
	struct auth_grant g = {0};
	char problem[256];
	char *path;
	int result;

	if (!file || !*file) {
		snprintf(err, err_size, "it names no file");
		return -ENOENT;
	}
	path = *file == '/' || *file == '~' ? expand(file) : runtime_path(store->dir, file);
	result = read_profile(path, profile, &g, problem, sizeof(problem));
	if (!result && is_other_account(&g, json_object_get(entry->json, "accountId"))) {
		snprintf(problem, sizeof(problem), "it holds another account than the store says");
		result = -EINVAL;
	}
	if (result) {
		snprintf(err, err_size, "%.256s: %s", path, problem);
		auth_grant_fini(&g);
	} else {
		*ret = g;
	}
	free(path);
	return result;
}

static void put_window(json_t *usage, const struct openclaw_entry *entry, const char *text_name,
	const char *percent_name, int64_t checked_ms, bool *known)
{
	const char *text = json_string_value(json_object_get(entry->json, text_name));
	struct meter m = {0};
	bool parsed = text && usage_text_parse(sv_cstr(text), checked_ms, &m);

	json_object_set_new(usage, text_name, parsed ? json_string(text) : json_null());
	json_object_set_new(usage, percent_name,
		parsed ? json_integer(usage_text_percent(100 - m.used_percent)) : json_null());
	*known = *known || parsed;
}

json_t *openclaw_store_usage(const struct openclaw_entry *entry)
{
	const json_t *checked = json_object_get(entry->json, "liveCheckedAt");
	json_t *usage = json_object();
	bool known = false;
	int64_t checked_ms;

	if (!stamp_read(checked))
		checked = json_object_get(entry->json, "savedAt");
	checked_ms = stamp_read(checked);
	put_window(usage, entry, "usage5h", "fivePct", checked_ms, &known);
	put_window(usage, entry, "usageWeek", "weekPct", checked_ms, &known);
	json_object_set_new(usage, "checkedAt", stamp_write(checked_ms, NULL, NULL));
	if (known)
		return usage;
	json_decref(usage);
	return NULL;
}

/* --- profiles --- */

static bool is_name(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n <= NAME_MAX_BYTES && text[0] != '.' && !strchr(text, '/');
}

/* <home>-<profile>; the program itself puts it below what it takes for ~. */
static char *find_profile_home(const char *profile)
{
	const char *told = environment("OPENCLAW_HOME");
	char *home = find_home();
	char name[NAME_MAX_BYTES * 2 + 16];
	char *path, *told_home;

	if (strcmp(profile, "main") == 0 || strcmp(profile, "default") == 0)
		return home;
	path = mem_zalloc(strlen(home) + strlen(profile) + 2);
	snprintf(path, strlen(home) + strlen(profile) + 2, "%s-%s", home, profile);
	free(home);
	if (!told || exists(path))
		return path;
	free(path);
	snprintf(name, sizeof(name), ".openclaw-%s", profile);
	told_home = expand(told);
	path = runtime_path(told_home, name);
	free(told_home);
	return path;
}

int openclaw_store_profile_grant(const char *profile, const char *agent, struct auth_grant *ret,
	char **ret_path, char *err, size_t err_size)
{
	char name[NAME_MAX_BYTES + 64], problem[256];
	char *home, *path;
	int result;

	if (!agent)
		agent = "main";
	if (!is_name(profile) || !is_name(agent)) {
		snprintf(err, err_size, "\"%.64s\" is no name of a profile or an agent",
			is_name(profile) ? agent : profile);
		return -EINVAL;
	}
	home = find_profile_home(profile);
	snprintf(name, sizeof(name), "agents/%s/agent/auth-profiles.json", agent);
	path = runtime_path(home, name);
	free(home);
	result = auth_grant_read(path, ret, problem, sizeof(problem));
	if (result) {
		snprintf(err, err_size, "%.256s: %s", path, problem);
		free(path);
	} else {
		*ret_path = path;
	}
	return result;
}
