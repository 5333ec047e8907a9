#include "conf/conf.h"

#include "base/durable.h"
#include "base/limits.h"
#include "conf/conf_table.h"
#include "conf/json_file.h"
#include "conf/runtime_dir.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_BYTES = 256, TEXT_MAX_BYTES = 4096 };

#define DEFAULT_PROFILE "codex-slot-relay"
#define DEFAULT_TOKEN SV("relay-dev-token")
#define DEFAULT_TOKEN_ALIAS SV("relay-internal-token")

/* Members of struct conf by the offset of their row. */
static void *field(const struct conf *c, const struct conf_key *key)
{
	return (char *)(uintptr_t)c + key->offset;
}

static struct sv json_text(const json_t *value)
{
	return sv_make(json_string_value(value), json_string_length(value));
}

static bool is_token(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return false;
	}
	return text.n > 0 && text.n <= TEXT_MAX_BYTES;
}

static bool is_plain_text(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return false;
	}
	return text.n <= TEXT_MAX_BYTES;
}

static const struct conf_choice *find_choice(const struct conf_choice *choices, struct sv name)
{
	for (const struct conf_choice *c = choices; c->name; c++) {
		if (sv_eq(sv_cstr(c->name), name))
			return c;
	}
	return NULL;
}

/* Setters: false when the value is not what the row allows. */

static bool set_string(struct conf *c, const struct conf_key *key, const json_t *value)
{
	char **place = field(c, key);
	struct sv text = json_text(value);

	if (!json_is_string(value) || !is_plain_text(text))
		return false;
	if (key->choices && !find_choice(key->choices, text))
		return false;
	if (key->is_valid && !key->is_valid(text))
		return false;
	free(*place);
	*place = mem_strndup(text.p, text.n);
	return true;
}

static bool set_secret(struct conf *c, const struct conf_key *key, const json_t *value)
{
	struct sv text = json_text(value);

	/* Without a default it may stay empty. */
	if (!json_is_string(value) || (!is_token(text) && (text.n || key->fallback)))
		return false;
	secret_set(field(c, key), text);
	return true;
}

static bool set_secret_list(struct conf *c, const struct conf_key *key, const json_t *value)
{
	size_t count = json_array_size(value);
	struct secret *list = field(c, key);

	if (!json_is_array(value) || count > CONF_ALIASES_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(value, i);

		if (!json_is_string(item) || !is_token(json_text(item)))
			return false;
		secret_set(&list[i], json_text(item));
	}
	for (size_t i = count; i < c->alias_count; i++)
		secret_fini(&list[i]);
	c->alias_count = count;
	return true;
}

static bool set_int(struct conf *c, const struct conf_key *key, const json_t *value)
{
	double number = json_number_value(value);

	if (!json_is_number(value) || number < key->min || number > key->max)
		return false;
	if (number != (double)(int64_t)number)
		return false;
	*(int64_t *)field(c, key) = (int64_t)number;
	return true;
}

static bool set_number(struct conf *c, const struct conf_key *key, const json_t *value)
{
	double number = json_number_value(value);

	if (!json_is_number(value) || !(number >= key->min && number <= key->max))
		return false;
	*(double *)field(c, key) = number;
	return true;
}

static bool set_bool(struct conf *c, const struct conf_key *key, const json_t *value)
{
	if (!json_is_boolean(value))
		return false;
	*(bool *)field(c, key) = json_is_true(value);
	return true;
}

static bool set_choice(struct conf *c, const struct conf_key *key, const json_t *value)
{
	const struct conf_choice *choice;

	if (!json_is_string(value))
		return false;
	choice = find_choice(key->choices, json_text(value));
	if (!choice)
		return false;
	memcpy(field(c, key), &choice->value, sizeof(choice->value));
	return true;
}

static bool set_names(struct conf *c, const struct conf_key *key, const json_t *value)
{
	return conf_names_set(field(c, key), value);
}

static bool set_name_map(struct conf *c, const struct conf_key *key, const json_t *value)
{
	return conf_names_set_map(field(c, key), value);
}

static bool set_listen(struct conf *c, const struct conf_key *key, const json_t *value)
{
	struct conf_listen *l = field(c, key);

	if (!conf_listen_set(l, value))
		return false;
	c->listen = l->first;
	return true;
}

static bool set_value(struct conf *c, const struct conf_key *key, const json_t *value)
{
	static bool (*const setters[])(struct conf *, const struct conf_key *, const json_t *) = {
		[CONF_STRING] = set_string,
		[CONF_SECRET] = set_secret,
		[CONF_SECRET_LIST] = set_secret_list,
		[CONF_INT] = set_int,
		[CONF_NUMBER] = set_number,
		[CONF_BOOL] = set_bool,
		[CONF_CHOICE] = set_choice,
		[CONF_NAMES] = set_names,
		[CONF_NAME_MAP] = set_name_map,
		[CONF_LISTEN] = set_listen,
	};

	return setters[key->type](c, key, value);
}

struct conf *conf_default(const char *runtime_root, const char *profile)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);
	struct conf *c = mem_zalloc(sizeof(*c));

	c->refs = 1;
	c->profile = mem_strdup(profile ? profile : DEFAULT_PROFILE);
	c->runtime_root = mem_strdup(runtime_root);
	c->workspace = runtime_path(runtime_root, "min-workspace");
	for (size_t i = 0; i < count; i++) {
		const struct conf_key *key = &rows[i];
		json_t *value;
		bool ok;

		if (!key->fallback)
			continue;
		value = json_loads(key->fallback, JSON_DECODE_ANY, NULL);
		ok = value && set_value(c, key, value);
		assert(ok);
		json_decref(value);
	}
	return c;
}

/* What the file cannot change: the directory that is in use, and a profile that was asked for. */
static bool is_given(const struct conf_key *key, const char *profile)
{
	return key->offset == offsetof(struct conf, runtime_root) ||
	       (profile && key->offset == offsetof(struct conf, profile));
}

static int refuse(struct conf_error *err, const struct conf_key *key)
{
	struct buf expected;

	buf_init(&expected, sizeof(err->message));
	conf_table_expected(key, &expected);
	snprintf(err->message, sizeof(err->message), "relay.json: %s: must be %s", key->name,
		buf_cstr(&expected));
	buf_fini(&expected);
	return -EINVAL;
}

static int refuse_group(struct conf_error *err, struct sv group)
{
	snprintf(err->message, sizeof(err->message), "relay.json: %.*s: must be an object",
		SV_ARG(group));
	return -EINVAL;
}

/* The value at a row's dotted name; NULL (also for null) when the default stays. */
static int find_value(
	const json_t *doc, const struct conf_key *key, json_t **ret, struct conf_error *err)
{
	struct sv rest = sv_cstr(key->name);
	json_t *at = (json_t *)(uintptr_t)doc;

	while (rest.n) {
		struct sv part = sv_split(&rest, '.');
		char name[NAME_MAX_BYTES];

		snprintf(name, sizeof(name), "%.*s", SV_ARG(part));
		at = json_object_get(at, name);
		if (!at || json_is_null(at))
			break;
		if (rest.n && !json_is_object(at))
			return refuse_group(err, part);
	}
	*ret = json_is_null(at) ? NULL : at;
	return 0;
}

static int apply_keys(
	struct conf *c, const json_t *doc, const char *profile, struct conf_error *err)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);
	for (size_t i = 0; i < count; i++) {
		const struct conf_key *key = &rows[i];
		struct conf *scratch = NULL;
		json_t *value = NULL;
		int result = find_value(doc, key, &value, err);
		bool ok;

		if (result)
			return result;
		if (!value)
			continue;
		/* A value without effect must still be of the right type. */
		if (is_given(key, profile))
			scratch = conf_default(c->runtime_root, NULL);
		ok = set_value(scratch ? scratch : c, key, value);
		conf_unref(scratch);
		if (!ok)
			return refuse(err, key);
	}
	return 0;
}

/* One of them would not be secret from those who have the other. */
static int check_tokens(const struct conf *c, struct conf_error *err)
{
	if (!conf_token_ok(c, secret_expose(&c->admin_token)))
		return 0;
	snprintf(err->message, sizeof(err->message),
		"relay.json: adminToken: must not be one of the clients' tokens");
	return -EINVAL;
}

/* Is name a key, or, for objects, a group of keys? */
static bool is_known(const char *name, bool *ret_group)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);
	size_t n = strlen(name);

	for (size_t i = 0; i < count; i++) {
		const char *key = rows[i].name;

		if (strcmp(key, name) == 0)
			return true;
		if (strncmp(key, name, n) == 0 && key[n] == '.') {
			*ret_group = true;
			return true;
		}
	}
	return false;
}

static void add_unknown(struct conf *c, const char *name)
{
	c->unknown_keys = mem_realloc(c->unknown_keys, (c->unknown_count + 1) * sizeof(char *));
	c->unknown_keys[c->unknown_count++] = mem_strdup(name);
}

/* Groups may hold groups, as deep as the table's names go. */
static void collect_unknown(struct conf *c, json_t *object, const char *group)
{
	const char *member;
	json_t *value;

	json_object_foreach(object, member, value)
	{
		char name[NAME_MAX_BYTES];
		bool is_group = false;

		snprintf(name, sizeof(name), "%s%s%s", group, *group ? "." : "", member);
		/* A dot inside a member's name does not make it a path. */
		if (strchr(member, '.') || !is_known(name, &is_group))
			add_unknown(c, name);
		else if (is_group)
			collect_unknown(c, value, name);
	}
}

int conf_parse(struct sv text, const char *runtime_root, const char *profile, struct conf **ret,
	struct conf_error *err)
{
	char problem[128];
	struct conf *c;
	json_t *doc;
	int result = json_file_parse(text, &doc, problem, sizeof(problem));

	if (result) {
		snprintf(err->message, sizeof(err->message), "relay.json: %s", problem);
		return result;
	}
	c = conf_default(runtime_root, profile);
	result = apply_keys(c, doc, profile, err);
	if (!result)
		result = check_tokens(c, err);
	if (!result) {
		collect_unknown(c, doc, "");
		*ret = c;
	} else {
		conf_unref(c);
	}
	json_decref(doc);
	return result;
}

int conf_read(const char *runtime_root, struct buf *out, struct conf_error *err)
{
	char *path = runtime_config_path(runtime_root);
	int result = durable_read(path, out);

	if (result == -ENOENT)
		snprintf(err->message, sizeof(err->message), "%.400s: not there: run init first",
			path);
	else if (result)
		snprintf(err->message, sizeof(err->message), "%.400s: %s", path, strerror(-result));
	free(path);
	return result;
}

int conf_load(
	const char *runtime_root, const char *profile, struct conf **ret, struct conf_error *err)
{
	struct buf text;
	int result;

	buf_init(&text, LIMIT_CONFIG_FILE_BYTES);
	result = conf_read(runtime_root, &text, err);
	if (!result)
		result = conf_parse(buf_sv(&text), runtime_root, profile, ret, err);
	secret_wipe(text.data, text.len);
	buf_fini(&text);
	return result;
}

struct conf *conf_ref(struct conf *c)
{
	assert(c->refs > 0);
	c->refs++;
	return c;
}

static void free_fields(struct conf *c)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);
	for (size_t i = 0; i < count; i++) {
		const struct conf_key *key = &rows[i];

		if (key->type == CONF_STRING)
			free(*(char **)field(c, key));
		else if (key->type == CONF_SECRET)
			secret_fini(field(c, key));
		else if (key->type == CONF_NAMES)
			conf_names_fini(field(c, key));
		else if (key->type == CONF_NAME_MAP)
			conf_names_fini_map(field(c, key));
		else if (key->type == CONF_LISTEN)
			conf_listen_fini(field(c, key));
	}
	for (size_t i = 0; i < CONF_ALIASES_MAX; i++)
		secret_fini(&c->aliases[i]);
}

void conf_unref(struct conf *c)
{
	if (!c)
		return;
	assert(c->refs > 0);
	if (--c->refs)
		return;
	free_fields(c);
	for (size_t i = 0; i < c->unknown_count; i++)
		free(c->unknown_keys[i]);
	free(c->unknown_keys);
	free(c);
}

/* Whole numbers without a fraction, so that "15" does not come back as "15.0". */
static json_t *number_json(double value)
{
	return value == (double)(int64_t)value ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *secret_json(const struct secret *s)
{
	struct sv text = secret_expose(s);

	return json_stringn(text.n ? text.p : "", text.n);
}

static json_t *secret_list_json(const struct conf *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->alias_count; i++)
		json_array_append_new(list, secret_json(&c->aliases[i]));
	return list;
}

/* A URL with its user and password behind three stars. */
static json_t *hidden_url_json(const char *text)
{
	const char *scheme_end = strstr(text, "://");
	const char *host = scheme_end ? scheme_end + 3 : text;
	const char *at = strrchr(host, '@');

	if (!at)
		return json_string(text);
	return json_sprintf("%.*s***%s", (int)(host - text), text, at);
}

static const char *choice_name(const struct conf_choice *choices, int value)
{
	const struct conf_choice *c = choices;

	while (c->name && c->value != value)
		c++;
	assert(c->name);
	return c->name;
}

static json_t *value_json(const struct conf *c, const struct conf_key *key, bool with_secrets)
{
	const void *at = field(c, key);
	int choice;

	switch (key->type) {
	case CONF_STRING:
		if (key->hide_user_info && !with_secrets)
			return hidden_url_json(*(char *const *)at);
		return json_string(*(char *const *)at);
	case CONF_SECRET:
		return secret_json(at);
	case CONF_SECRET_LIST:
		return secret_list_json(c);
	case CONF_INT:
		return json_integer(*(const int64_t *)at);
	case CONF_NUMBER:
		return number_json(*(const double *)at);
	case CONF_BOOL:
		return json_boolean(*(const bool *)at);
	case CONF_CHOICE:
		memcpy(&choice, at, sizeof(choice));
		return json_string(choice_name(key->choices, choice));
	case CONF_NAMES:
		return conf_names_json(at);
	case CONF_NAME_MAP:
		return conf_names_map_json(at);
	case CONF_LISTEN:
		return conf_listen_json(at);
	}
	return json_null();
}

static void put_value(json_t *doc, const char *name, json_t *value)
{
	struct sv rest = sv_cstr(name);
	json_t *at = doc;

	for (;;) {
		struct sv part = sv_split(&rest, '.');
		char member[NAME_MAX_BYTES];
		json_t *group;

		snprintf(member, sizeof(member), "%.*s", SV_ARG(part));
		if (!rest.n) {
			json_object_set_new(at, member, value);
			return;
		}
		group = json_object_get(at, member);
		if (!group) {
			group = json_object();
			json_object_set_new(at, member, group);
		}
		at = group;
	}
}

json_t *conf_json(const struct conf *c, bool with_secrets, bool only_original)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);
	json_t *doc = json_object();

	for (size_t i = 0; i < count; i++) {
		const struct conf_key *key = &rows[i];
		bool secret = key->type == CONF_SECRET || key->type == CONF_SECRET_LIST;

		if ((secret && !with_secrets) || (only_original && !key->original))
			continue;
		put_value(doc, key->name, value_json(c, key, with_secrets));
	}
	return doc;
}

void conf_changes(const struct conf *old, const struct conf *fresh,
	void (*fn)(void *arg, const struct conf_key *key), void *arg)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);

	for (size_t i = 0; i < count; i++) {
		json_t *before = value_json(old, &rows[i], true);
		json_t *after = value_json(fresh, &rows[i], true);

		if (!json_equal(before, after))
			fn(arg, &rows[i]);
		json_decref(before);
		json_decref(after);
	}
}

void conf_write(const struct conf *c, bool with_secrets, struct buf *out)
{
	json_t *doc = conf_json(c, with_secrets, false);
	char *text = json_dumps(doc, JSON_INDENT(2));

	assert(text);
	buf_add_cstr(out, text);
	secret_wipe(text, strlen(text));
	free(text);
	json_decref(doc);
}

bool conf_token_ok(const struct conf *c, struct sv token)
{
	bool ok = secret_equals(&c->auth_token, token);

	/* No early end: the time must not tell which token matched. */
	for (size_t i = 0; i < c->alias_count; i++)
		ok |= secret_equals(&c->aliases[i], token);
	if (secret_equals(&c->auth_token, DEFAULT_TOKEN))
		ok |= sv_eq(token, DEFAULT_TOKEN_ALIAS);
	return ok;
}

bool conf_admin_token_ok(const struct conf *c, struct sv token)
{
	if (secret_is_empty(&c->admin_token))
		return conf_token_ok(c, token);
	return secret_equals(&c->admin_token, token);
}

static const struct conf_choice *choices_of(size_t offset)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);
	for (size_t i = 0; i < count; i++) {
		if (rows[i].offset == offset)
			return rows[i].choices;
	}
	return NULL;
}

const char *conf_policy_name(enum conf_policy p)
{
	return choice_name(choices_of(offsetof(struct conf, policy)), (int)p);
}

const char *conf_backend_name(enum conf_backend b)
{
	static const char *const names[] = {
		[BACKEND_NATIVE] = "native",
		[BACKEND_CODEX_API] = "codex-api",
		[BACKEND_CODEX_DIRECT] = "codex-direct",
		[BACKEND_LOCAL_CACHE] = "local-cache",
		[BACKEND_OPENCLAW] = "openclaw",
	};

	return names[b];
}
