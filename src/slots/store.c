#include "slots/store.h"

#include "base/clock.h"
#include "base/durable.h"
#include "conf/json_file.h"
#include "conf/runtime_dir.h"
#include "proto/url.h"
#include "slots/catalogue.h"
#include "slots/slot_record.h"
#include "slots/stamp.h"
#include "slots/store_doc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { URL_MAX_BYTES = 2048, PROBLEM_SIZE = 256 };

int store_slot_id(const char *text, char out[LIMIT_SLOT_ID_BYTES])
{
	enum { DIGITS_MAX = 9 };
	static const struct sv prefix = SV("slot-");
	struct sv digits = sv_cstr(text);

	if (sv_starts(digits, prefix))
		digits = sv_from(digits, prefix.n);
	if (digits.n == 0 || digits.n > DIGITS_MAX || (digits.p[0] == '0' && digits.n > 1))
		return -EINVAL;
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return -EINVAL;
	}
	snprintf(out, LIMIT_SLOT_ID_BYTES, "slot-%.*s", SV_ARG(digits));
	return 0;
}

/* A record's id in its normal form; the original's relatives wrote bare numbers too. */
static int record_id(const json_t *record, char out[LIMIT_SLOT_ID_BYTES])
{
	const json_t *id = json_object_get(record, "id");
	char number[32];

	if (json_is_string(id))
		return store_slot_id(json_string_value(id), out);
	if (!json_is_integer(id))
		return -EINVAL;
	snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(id));
	return store_slot_id(number, out);
}

json_t *store_find(json_t *slots, const char *id)
{
	json_t *record;
	size_t i;

	json_array_foreach(slots, i, record)
	{
		char found[LIMIT_SLOT_ID_BYTES];

		if (record_id(record, found) == 0 && strcmp(found, id) == 0)
			return record;
	}
	return NULL;
}

/*
 * Where the slot's credential is: what the record says while that exists (directories get copied
 * and moved, and then it does not), else the usual place.
 */
static char *auth_path(const char *root, const json_t *record, const char *id)
{
	const char *told = json_string_value(json_object_get(record, "authFile"));
	char *path;

	if (!told || !*told)
		return runtime_auth_path(root, id);
	path = *told == '/' ? mem_strdup(told) : runtime_path(root, told);
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return runtime_auth_path(root, id);
}

/* baseUrl of models.json; 0 with *ret_url NULL when it names none. */
static int read_base_url(
	const char *root, const char *id, char **ret_url, char *problem, size_t problem_size)
{
	char *path = runtime_models_path(root, id);
	json_t *doc = NULL;
	json_t *url;
	int err = json_file_read(path, LIMIT_STATE_FILE_BYTES, &doc, problem, problem_size);

	free(path);
	if (err)
		return err == -ENOENT ? 0 : err;
	url = json_object_get(
		json_object_get(json_object_get(doc, "providers"), "openai-codex"), "baseUrl");
	if (json_is_string(url) && json_string_length(url))
		*ret_url = mem_strdup(json_string_value(url));
	json_decref(doc);
	return 0;
}

static int set_base_url(struct slot *s, const char *text, char *problem, size_t problem_size)
{
	struct buf base;
	int err;

	buf_init(&base, URL_MAX_BYTES);
	err = url_backend_base(sv_cstr(text), &base);
	if (!err)
		err = buf_error(&base);
	if (!err)
		s->base_url = mem_strdup(buf_cstr(&base));
	else
		snprintf(problem, problem_size, "baseUrl is no http or https URL");
	buf_fini(&base);
	return err;
}

/* On failure base_url stays NULL: the token goes nowhere rather than to another backend. */
static int find_base_url(struct slot *s, const char *root, const struct conf *conf)
{
	char problem[PROBLEM_SIZE] = "";
	char text[PROBLEM_SIZE + 32];
	char *url = NULL;
	int err = read_base_url(root, s->id, &url, problem, sizeof(problem));

	if (!err)
		err = set_base_url(
			s, url ? url : conf->upstream_base_url, problem, sizeof(problem));
	free(url);
	if (!err)
		return 0;
	snprintf(text, sizeof(text), "models.json: %s", problem);
	slot_set_error(s, "credential", sv_cstr(text));
	return err;
}

int store_read_auth(struct slot *s)
{
	struct credential c;
	char problem[PROBLEM_SIZE];
	int err;

	if (!s->base_url)
		return -EINVAL;
	err = credential_read(s->auth_file, &c, problem, sizeof(problem));
	if (!err)
		slot_take_credential(s, &c);
	else if (err == -ENOENT)
		slot_set_error(s, "credential", SV("none: import one (slot-auth-import-file)"));
	else
		slot_set_error(s, "credential", sv_cstr(problem));
	return err;
}

/* Anything but a plain "no" is a yes: a record without the member is in use. */
static bool is_enabled(const json_t *record)
{
	const json_t *enabled = json_object_get(record, "enabled");

	if (json_is_integer(enabled))
		return json_integer_value(enabled) != 0;
	return !json_is_false(enabled);
}

struct slot *store_slot_new(const char *root, json_t *record, const struct conf *conf)
{
	char id[LIMIT_SLOT_ID_BYTES];
	const char *label;
	struct slot *s;

	if (record_id(record, id) != 0)
		return NULL;
	s = mem_zalloc(sizeof(*s));
	memcpy(s->id, id, sizeof(s->id));
	label = json_string_value(json_object_get(record, "label"));
	s->label = mem_strdup(label ? label : "");
	s->enabled = is_enabled(record);
	s->auth_file = auth_path(root, record, s->id);
	s->record = json_incref(record);
	slot_record_read(s);
	/* Either failure leaves the slot without a credential, and last_error tells why. */
	if (find_base_url(s, root, conf) == 0 && store_read_auth(s) != 0)
		secret_fini(&s->access);
	return s;
}

void store_slot_free(struct slot *s)
{
	if (!s)
		return;
	secret_fini(&s->access);
	secret_fini(&s->refresh);
	free(s->label);
	free(s->auth_file);
	free(s->base_url);
	free(s->account_id);
	free(s->user_id);
	free(s->email);
	free(s->usage_5h_text);
	free(s->usage_week_text);
	catalogue_free(s->catalogue);
	json_decref(s->record);
	free(s);
}

int store_doc_read(const char *root, json_t **ret, struct conf_error *err)
{
	char *path = runtime_slots_path(root);
	char problem[PROBLEM_SIZE];
	json_t *doc = NULL;
	int result = json_file_read(path, LIMIT_STATE_FILE_BYTES, &doc, problem, sizeof(problem));

	free(path);
	if (result == -ENOENT) {
		*ret = json_pack("{s:i, s:[]}", "version", 1, "slots");
		return 0;
	}
	if (!result && !json_is_array(json_object_get(doc, "slots"))) {
		snprintf(problem, sizeof(problem), "slots: must be a list");
		result = -EINVAL;
	}
	if (result) {
		snprintf(err->message, sizeof(err->message), "slots.json: %s", problem);
		json_decref(doc);
		return result;
	}
	*ret = doc;
	return 0;
}

int store_doc_write(const char *root, json_t *doc)
{
	char *path = runtime_slots_path(root);
	json_t *updated = stamp_write(clock_wall_ms(), json_object_get(doc, "updatedAt"), NULL);
	int err;

	json_object_set_new(doc, "updatedAt", updated);
	err = json_file_write(path, doc);
	free(path);
	return err;
}

int store_doc_lock(const char *root, int *ret_fd)
{
	enum { PATIENCE_MS = 10000 };
	char *dir = runtime_path(root, "run");
	char *path = runtime_lock_path(root);
	int err = durable_mkdirs(dir, 0700);

	if (!err)
		err = durable_lock(path, PATIENCE_MS, ret_fd);
	free(path);
	free(dir);
	return err;
}

static int check_records(const json_t *slots, struct conf_error *err)
{
	size_t count = json_array_size(slots);

	if (count > LIMIT_SLOTS_COUNT) {
		snprintf(err->message, sizeof(err->message), "slots.json: more than %d slots",
			LIMIT_SLOTS_COUNT);
		return -E2BIG;
	}
	for (size_t i = 0; i < count; i++) {
		json_t *record = json_array_get(slots, i);
		char id[LIMIT_SLOT_ID_BYTES];

		if (record_id(record, id) != 0) {
			snprintf(err->message, sizeof(err->message),
				"slots.json: slots[%zu].id: must be like \"slot-2\"", i);
			return -EINVAL;
		}
		if (store_find((json_t *)(uintptr_t)slots, id) != record) {
			snprintf(err->message, sizeof(err->message),
				"slots.json: slots[%zu].id: %s is there twice", i, id);
			return -EINVAL;
		}
	}
	return 0;
}

static void put_all(const char *root, const struct conf *conf, json_t *slots, struct slot_table *t)
{
	size_t count = json_array_size(slots);
	struct slot **fresh = mem_zalloc((count + 1) * sizeof(struct slot *));
	char(*ids)[LIMIT_SLOT_ID_BYTES] = mem_zalloc((count + 1) * sizeof(*ids));
	const char **names = mem_zalloc((count + 1) * sizeof(char *));

	for (size_t i = 0; i < count; i++) {
		fresh[i] = store_slot_new(root, json_array_get(slots, i), conf);
		memcpy(ids[i], fresh[i]->id, sizeof(ids[i]));
		names[i] = ids[i];
	}
	/* First out, then in: the table is never over its limit. */
	slot_table_retain(t, names, count);
	for (size_t i = 0; i < count; i++)
		slot_table_put(t, fresh[i]);
	free(names);
	free(ids);
	free(fresh);
}

int store_load(const char *root, struct conf *conf, struct slot_table *t, struct conf_error *err)
{
	json_t *doc;
	json_t *slots;
	int result = store_doc_read(root, &doc, err);

	if (result)
		return result;
	slots = json_object_get(doc, "slots");
	result = check_records(slots, err);
	if (!result)
		put_all(root, conf, slots, t);
	json_decref(doc);
	return result;
}

static int edit_locked(
	const char *root, int (*edit)(json_t *slots, void *arg), void *arg, struct conf_error *err)
{
	json_t *doc;
	int result = store_doc_read(root, &doc, err);

	if (result)
		return result;
	result = edit(json_object_get(doc, "slots"), arg);
	if (!result) {
		result = store_doc_write(root, doc);
		if (result)
			snprintf(err->message, sizeof(err->message), "slots.json: %s",
				strerror(-result));
	}
	json_decref(doc);
	return result;
}

int store_edit(
	const char *root, int (*edit)(json_t *slots, void *arg), void *arg, struct conf_error *err)
{
	int fd;
	int result = store_doc_lock(root, &fd);

	err->message[0] = '\0';
	if (result) {
		snprintf(err->message, sizeof(err->message), "run/state.lock: %s",
			result == -ETIMEDOUT ? "another program holds it" : strerror(-result));
		return result;
	}
	result = edit_locked(root, edit, arg, err);
	durable_unlock(fd);
	return result;
}
