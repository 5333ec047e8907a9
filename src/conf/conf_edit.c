#include "conf/conf_edit.h"

#include "base/durable.h"
#include "base/limits.h"
#include "conf/json_file.h"
#include "conf/runtime_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES = 256, LOCK_PATIENCE_MS = 10000 };

const struct conf_key *conf_edit_find(const char *name)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	return NULL;
}

bool conf_edit_is_secret(const struct conf_key *key)
{
	return key->type == CONF_SECRET || key->type == CONF_SECRET_LIST;
}

/* --- documents --- */

/* "group.rest" in its parts, of which the second may be one more such name; false when there is no
 * group. */
static bool split(const char *name, char group[NAME_BYTES], const char **ret_member)
{
	const char *dot = strchr(name, '.');

	if (!dot || dot - name >= NAME_BYTES)
		return false;
	snprintf(group, NAME_BYTES, "%.*s", (int)(dot - name), name);
	*ret_member = dot + 1;
	return true;
}

json_t *conf_edit_get(const json_t *doc, const char *name)
{
	json_t *whole = json_object_get(doc, name);
	char group[NAME_BYTES];
	const char *member;

	if (whole || !split(name, group, &member))
		return whole;
	return conf_edit_get(json_object_get(doc, group), member);
}

int conf_edit_put(json_t *doc, const char *name, json_t *value)
{
	char group[NAME_BYTES];
	const char *member;
	json_t *object;

	if (!split(name, group, &member))
		return json_object_set_new(doc, name, value) ? -EINVAL : 0;
	object = json_object_get(doc, group);
	if (!object || json_is_null(object)) {
		json_object_set_new(doc, group, json_object());
		object = json_object_get(doc, group);
	}
	if (!json_is_object(object)) {
		json_decref(value);
		return -ENOTDIR;
	}
	return conf_edit_put(object, member, value);
}

int conf_edit_drop(json_t *doc, const char *name)
{
	char group[NAME_BYTES];
	const char *member;
	json_t *object;

	if (json_object_del(doc, name) == 0)
		return 0;
	if (!split(name, group, &member))
		return -ENOENT;
	object = json_object_get(doc, group);
	if (!object || conf_edit_drop(object, member) != 0)
		return -ENOENT;
	if (json_object_size(object) == 0)
		json_object_del(doc, group);
	return 0;
}

/* Would the document be taken as a configuration? */
static int check(const json_t *doc, const char *root, struct conf_error *err)
{
	char *text = json_dumps(doc, JSON_COMPACT);
	struct conf *conf = NULL;
	int result;

	if (!text)
		return -ENOMEM;
	result = conf_parse(sv_cstr(text), root, NULL, &conf, err);
	conf_unref(conf);
	secret_wipe(text, strlen(text));
	free(text);
	return result;
}

/* --- values --- */

/* One item a line. */
static json_t *lines_json(struct sv text)
{
	json_t *list = json_array();

	while (text.n) {
		struct sv line = sv_trim(sv_split(&text, '\n'));

		if (line.n)
			json_array_append_new(list, json_stringn(line.p, line.n));
	}
	return list;
}

static bool is_text(const struct conf_key *key)
{
	return key->type == CONF_STRING || key->type == CONF_SECRET || key->type == CONF_CHOICE;
}

/* An IPv6 address begins as a list does. */
static json_t *read_listen(struct sv text)
{
	json_t *value = json_loadb(text.n ? text.p : "", text.n, JSON_DECODE_ANY, NULL);

	if (json_is_array(value) || json_is_string(value))
		return value;
	json_decref(value);
	return json_stringn(text.n ? text.p : "", text.n);
}

/* NULL when it is no value at all (broken JSON, not UTF-8). */
static json_t *read_value(const struct conf_key *key, struct sv text)
{
	if (key->type == CONF_LISTEN)
		return read_listen(text);
	/* "2" is a text for a key that takes texts; quotes make it JSON. */
	if (is_text(key) && !(text.n > 1 && text.p[0] == '"'))
		return json_stringn(text.n ? text.p : "", text.n);
	if (key->type == CONF_SECRET_LIST && !(text.n && text.p[0] == '['))
		return lines_json(text);
	return json_loadb(text.n ? text.p : "", text.n, JSON_DECODE_ANY, NULL);
}

static int refuse(const struct conf_key *key, struct conf_error *err)
{
	struct buf expected;

	buf_init(&expected, sizeof(err->message));
	conf_table_expected(key, &expected);
	snprintf(err->message, sizeof(err->message), "%s: must be %.400s", key->name,
		buf_cstr(&expected));
	buf_fini(&expected);
	return -EINVAL;
}

int conf_edit_parse(
	const struct conf_key *key, struct sv text, json_t **ret, struct conf_error *err)
{
	static const struct sv prefix = SV("relay.json: ");
	json_t *value = read_value(key, text);
	json_t *doc = json_object();
	int result = 0;

	if (!value || json_is_null(value))
		result = refuse(key, err);
	if (!result)
		result = conf_edit_put(doc, key->name, json_incref(value));
	if (!result)
		result = check(doc, "", err);
	if (!result)
		*ret = json_incref(value);
	else if (sv_starts(sv_cstr(err->message), prefix))
		memmove(err->message, err->message + prefix.n, strlen(err->message) - prefix.n + 1);
	json_decref(doc);
	json_decref(value);
	return result;
}

/* --- the file --- */

static int edit_locked(
	const char *root, const char *path, const char *name, json_t *value, struct conf_error *err)
{
	char problem[256];
	json_t *doc = NULL;
	int result = json_file_read(path, LIMIT_CONFIG_FILE_BYTES, &doc, problem, sizeof(problem));

	if (result) {
		snprintf(err->message, sizeof(err->message), "%s%s",
			result == -EINVAL ? "relay.json: " : "",
			result == -ENOENT ? "not there: run init first" : problem);
		return result;
	}
	result = value ? conf_edit_put(doc, name, json_incref(value)) : conf_edit_drop(doc, name);
	if (result == -ENOTDIR) {
		snprintf(err->message, sizeof(err->message),
			"relay.json: the group of %.200s is no object", name);
		result = -EINVAL;
	} else if (!result) {
		result = check(doc, root, err);
	}
	if (!result) {
		result = json_file_write(path, doc);
		if (result)
			snprintf(err->message, sizeof(err->message), "relay.json: %s",
				strerror(-result));
	}
	json_decref(doc);
	return result;
}

int conf_edit_file(const char *root, const char *name, json_t *value, struct conf_error *err)
{
	char *path = runtime_config_path(root);
	char *lock = runtime_lock_path(root);
	char *dir = runtime_path(root, "run");
	int fd = -1;
	int result = durable_mkdirs(dir, 0700);

	err->message[0] = '\0';
	if (!result)
		result = durable_lock(lock, LOCK_PATIENCE_MS, &fd);
	if (result) {
		snprintf(err->message, sizeof(err->message), "run/state.lock: %s",
			result == -ETIMEDOUT ? "another program holds it" : strerror(-result));
	} else {
		result = edit_locked(root, path, name, value, err);
		durable_unlock(fd);
	}
	free(dir);
	free(lock);
	free(path);
	return result;
}
