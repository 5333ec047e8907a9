#include "conf/dependency_map.h"

#include "conf/conf_table.h"

#include <assert.h>
#include <string.h>

enum { USERS_MAX = 8 };

struct part {
	const char *name;
	const char *key;		/* of the configuration, which knows the choices */
	const char *used_by[USERS_MAX]; /* commands and routes */
};

static const struct part parts[] = {
	{"auth", "auth.backend",
		{"slot-login", "credential refresh", "POST /admin/slots/{id}/refresh"}},
	{"usage", "usage.backend",
		{"refresh-usage", "POST /admin/refresh-usage", "background usage checks"}},
	{"runner", "runner.backend",
		{"POST /v1/responses", "POST /v1/chat/completions", "test-runner"}},
};

static const char *const state_used_by[] = {"serve", "slot-list", "slot-enable", "slot-disable",
	"slot-remove", "health", "GET /admin/slots", "GET /admin/stats"};

static const char *status_of(bool depends)
{
	return depends ? "OpenClaw-dependent" : "OpenClaw-independent";
}

static json_t *names_json(const char *const *names, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count && names[i]; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

static json_t *choices_json(const char *name)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);
	json_t *list = json_array();
	size_t i = 0;

	while (i < count && strcmp(rows[i].name, name) != 0)
		i++;
	assert(i < count);
	for (const struct conf_choice *c = rows[i].choices; c->name; c++)
		json_array_append_new(list, json_string(c->name));
	return list;
}

json_t *dependency_map_json(const struct conf *c)
{
	const enum conf_backend configured[] = {
		c->auth_backend, c->usage_backend, c->runner_backend};
	json_t *map = json_object();

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		bool depends = configured[i] == BACKEND_OPENCLAW;

		json_object_set_new(map, parts[i].name,
			json_pack("{s:s, s:o, s:s, s:o}", "configuredBackend",
				conf_backend_name(configured[i]), "supportedBackends",
				choices_json(parts[i].key), "status", status_of(depends), "usedBy",
				names_json(parts[i].used_by, USERS_MAX)));
	}
	json_object_set_new(map, "stateControlPlane",
		json_pack("{s:s, s:s, s:o}", "backend", "local-files", "status", status_of(false),
			"usedBy", names_json(state_used_by, ARRAY_LEN(state_used_by))));
	return map;
}
