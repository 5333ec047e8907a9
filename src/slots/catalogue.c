#include "slots/catalogue.h"

#include "base/durable.h"
#include "base/jv.h"
#include "base/limits.h"
#include "conf/json_file.h"
#include "conf/runtime_dir.h"
#include "slots/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	JSON_DEPTH = 64,
	BELIEVED_MS = 24 * 3600 * 1000, /* when it cannot be fetched any more */
	CONTEXT_WINDOW_MAX = 1000 * 1000 * 1000,
	HASH_SIZE = 17, /* in hexadecimal */
};

struct catalogue_text *catalogue_text_ref(struct catalogue_text *text)
{
	text->refs++;
	return text;
}

void catalogue_text_unref(struct catalogue_text *text)
{
	if (text && --text->refs == 0)
		free(text);
}

/* NULL when there is no memory for it: then it is as if it was not known. */
static struct catalogue_text *text_new(struct sv bytes)
{
	struct catalogue_text *text = malloc(sizeof(*text) + bytes.n);

	if (!text)
		return NULL;
	text->hash = sv_hash(bytes, SV_HASH_SEED);
	text->n = bytes.n;
	text->refs = 1;
	memcpy(text->bytes, bytes.p, bytes.n);
	return text;
}

void catalogue_free(struct catalogue *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++) {
		free(c->models[i].name);
		free(c->models[i].display_name);
	}
	free(c->models);
	free(c->hashes);
	free(c->etag);
	free(c->plan);
	catalogue_text_unref(c->text);
	free(c);
}

static bool is_name(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p <= ' ' || *p > '~')
			return false;
	}
	return *text != '\0';
}

/* Shown to people: one line. */
static bool is_line(const char *text)
{
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	}
	return *text != '\0';
}

static int compare_hashes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t hash_of(const char *name)
{
	return sv_hash(sv_cstr(name), SV_HASH_SEED);
}

/* All models are there. */
static void complete(struct catalogue *c)
{
	if (c->count)
		c->models = mem_realloc(c->models, c->count * sizeof(*c->models));
	c->hashes = mem_zalloc((c->count + 1) * sizeof(*c->hashes));
	for (size_t i = 0; i < c->count; i++)
		c->hashes[i] = hash_of(c->models[i].name);
	qsort(c->hashes, c->count, sizeof(*c->hashes), compare_hashes);
}

const struct catalogue_model *catalogue_find(const struct catalogue *c, struct sv name)
{
	for (size_t i = 0; c && i < c->count; i++) {
		if (sv_eq(sv_cstr(c->models[i].name), name))
			return &c->models[i];
	}
	return NULL;
}

/* Takes the strings of model; false when it is one too many. */
static bool add_model(struct catalogue *c, const struct catalogue_model *model)
{
	if (c->count == CATALOGUE_MODELS_MAX)
		return false;
	if (!c->models)
		c->models = mem_zalloc(CATALOGUE_MODELS_MAX * sizeof(*c->models));
	c->models[c->count++] = *model;
	return true;
}

static int64_t sane_window(int64_t tokens)
{
	return tokens > 0 && tokens <= CONTEXT_WINDOW_MAX ? tokens : 0;
}

/* False: no model, or one without a usable name. */
static bool read_model(struct jv v, struct catalogue_model *ret)
{
	static const struct sv keys[] = {
		SV("slug"), SV("display_name"), SV("visibility"), SV("context_window")};
	char name[CATALOGUE_NAME_MAX + 1], shown[CATALOGUE_NAME_MAX + 1];
	struct jv found[ARRAY_LEN(keys)];
	int64_t window = 0;

	jv_pick(v, keys, ARRAY_LEN(keys), found);
	/* A copy that was cut, at its length or at a NUL, is another name. */
	if (!jv_str_copy(found[0], name, sizeof(name)) || !jv_str_eq(found[0], sv_cstr(name)) ||
		!is_name(name))
		return false;
	if (!jv_str_copy(found[1], shown, sizeof(shown)) || !is_line(shown))
		shown[0] = '\0';
	if (jv_i64(found[3], &window))
		window = 0;
	*ret = (struct catalogue_model){
		.name = mem_strdup(name),
		.display_name = shown[0] ? mem_strdup(shown) : NULL,
		.context_window = sane_window(window),
		.hidden = jv_is(found[2], JV_STRING) && !jv_str_eq(found[2], SV("list")),
	};
	return true;
}

static bool read_models(struct jv models, struct catalogue *c)
{
	struct jv_iter it = jv_iter(models);

	while (jv_next(&it)) {
		struct catalogue_model model;

		if (!read_model(it.value, &model))
			continue;
		if (catalogue_find(c, sv_cstr(model.name)) || !add_model(c, &model)) {
			free(model.name);
			free(model.display_name);
			if (c->count == CATALOGUE_MODELS_MAX)
				return false;
		}
	}
	return true;
}

static char *copy_etag(struct sv etag)
{
	for (size_t i = 0; i < etag.n; i++) {
		if (etag.p[i] < ' ' || etag.p[i] > '~')
			return NULL;
	}
	return etag.n && etag.n <= CATALOGUE_ETAG_MAX ? mem_strndup(etag.p, etag.n) : NULL;
}

int catalogue_parse(struct sv body, struct sv etag, struct catalogue **ret, const char **problem)
{
	struct catalogue *c;
	struct jv root, models;

	*problem = "upstream's list of models makes no sense";
	if (jv_parse(body, JSON_DEPTH, &root, NULL))
		return -EINVAL;
	models = jv_get(root, SV("models"));
	if (!jv_is(models, JV_ARRAY))
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!read_models(models, c)) {
		*problem = "upstream's list of models is too long";
		catalogue_free(c);
		return -EINVAL;
	}
	c->etag = copy_etag(etag);
	c->text = text_new(body);
	c->text_hash = c->text ? c->text->hash : 0;
	complete(c);
	*ret = c;
	return 0;
}

bool catalogue_is_known(const struct catalogue *c, int64_t now_ms)
{
	return c && c->count && c->fetched_ms && now_ms - c->fetched_ms < BELIEVED_MS;
}

bool catalogue_lacks(const struct catalogue *c, uint64_t model_hash, int64_t now_ms)
{
	if (!catalogue_is_known(c, now_ms))
		return false;
	return !bsearch(&model_hash, c->hashes, c->count, sizeof(*c->hashes), compare_hashes);
}

/* --- on disk --- */

static json_t *model_json(const struct catalogue_model *m)
{
	json_t *model = json_pack("{s:s}", "slug", m->name);

	if (m->display_name)
		json_object_set_new(model, "displayName", json_string(m->display_name));
	if (m->context_window)
		json_object_set_new(model, "contextWindow", json_integer(m->context_window));
	if (m->hidden)
		json_object_set_new(model, "hidden", json_true());
	return model;
}

static void set_text(json_t *doc, const char *name, const char *text)
{
	if (text)
		json_object_set_new(doc, name, json_string(text));
}

json_t *catalogue_json(const struct catalogue *c, const struct catalogue_origin *origin)
{
	json_t *doc = json_pack("{s:i}", "version", 1);
	json_t *models = json_array();
	char hash[HASH_SIZE];

	json_object_set_new(doc, "fetchedAt", stamp_write(c->fetched_ms, NULL, NULL));
	set_text(doc, "etag", c->etag);
	set_text(doc, "plan", c->plan);
	set_text(doc, "accountId", origin->account_id);
	set_text(doc, "baseUrl", origin->base_url);
	set_text(doc, "clientVersion", origin->client_version);
	if (c->text_hash) {
		snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)c->text_hash);
		set_text(doc, "textHash", hash);
	}
	for (size_t i = 0; i < c->count; i++)
		json_array_append_new(models, model_json(&c->models[i]));
	json_object_set_new(doc, "models", models);
	return doc;
}

static const char *text_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool is_same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool is_from(const json_t *doc, const struct catalogue_origin *origin)
{
	return is_same(text_member(doc, "accountId"), origin->account_id) &&
	       is_same(text_member(doc, "baseUrl"), origin->base_url) &&
	       is_same(text_member(doc, "clientVersion"), origin->client_version);
}

static void take_model(struct catalogue *c, const json_t *stored)
{
	const char *name = text_member(stored, "slug");
	const char *shown = text_member(stored, "displayName");
	struct catalogue_model model = {.hidden = json_is_true(json_object_get(stored, "hidden"))};

	if (!name || !is_name(name) || strlen(name) > CATALOGUE_NAME_MAX ||
		c->count == CATALOGUE_MODELS_MAX || catalogue_find(c, sv_cstr(name)))
		return;
	model.name = mem_strdup(name);
	if (shown && is_line(shown) && strlen(shown) <= CATALOGUE_NAME_MAX)
		model.display_name = mem_strdup(shown);
	model.context_window =
		sane_window(json_integer_value(json_object_get(stored, "contextWindow")));
	add_model(c, &model);
}

static uint64_t read_hash(const char *hex)
{
	if (!hex || strlen(hex) != HASH_SIZE - 1 ||
		strspn(hex, "0123456789abcdef") != HASH_SIZE - 1)
		return 0;
	return strtoull(hex, NULL, 16);
}

struct catalogue *catalogue_from_json(const json_t *doc, const struct catalogue_origin *origin)
{
	const json_t *models = json_object_get(doc, "models");
	const char *plan = text_member(doc, "plan");
	struct catalogue *c;

	if (!json_is_array(models) || !is_from(doc, origin))
		return NULL;
	c = mem_zalloc(sizeof(*c));
	for (size_t i = 0; i < json_array_size(models); i++)
		take_model(c, json_array_get(models, i));
	c->fetched_ms = stamp_read(json_object_get(doc, "fetchedAt"));
	c->etag = copy_etag(sv_cstr(text_member(doc, "etag")));
	c->plan = mem_strdup(plan);
	c->text_hash = read_hash(text_member(doc, "textHash"));
	complete(c);
	return c;
}

static char *agent_file(const char *root, const char *slot_id, const char *name)
{
	char *dir = runtime_agent_dir(root, slot_id);
	char *path = runtime_path(dir, name);

	free(dir);
	return path;
}

char *catalogue_path(const char *root, const char *slot_id)
{
	return agent_file(root, slot_id, "codex-models.json");
}

char *catalogue_text_path(const char *root, const char *slot_id)
{
	return agent_file(root, slot_id, "codex-models-full.json");
}

struct catalogue *catalogue_read(const char *path, const struct catalogue_origin *origin)
{
	struct catalogue *c = NULL;
	char problem[128];
	json_t *doc;

	if (json_file_read(path, LIMIT_STATE_FILE_BYTES, &doc, problem, sizeof(problem)))
		return NULL;
	c = catalogue_from_json(doc, origin);
	json_decref(doc);
	return c;
}

/* The two files are not written in one step, and anybody may edit them. */
static bool is_text_of(const struct catalogue *c, struct sv bytes)
{
	struct jv root;

	return sv_hash(bytes, SV_HASH_SEED) == c->text_hash &&
	       jv_parse(bytes, JSON_DEPTH, &root, NULL) == 0;
}

void catalogue_read_text(struct catalogue *c, const char *path)
{
	struct buf bytes;

	if (!c->text_hash || c->text)
		return;
	buf_init(&bytes, LIMIT_CALL_BODY_BYTES);
	if (durable_read(path, &bytes) == 0 && is_text_of(c, buf_sv(&bytes)))
		c->text = text_new(buf_sv(&bytes));
	buf_fini(&bytes);
}

bool catalogue_share_text(struct catalogue *c, const struct catalogue *other)
{
	struct catalogue_text *theirs = other ? other->text : NULL;

	if (!theirs || theirs == c->text || theirs->hash != c->text_hash)
		return false;
	if (c->text &&
		(c->text->n != theirs->n || memcmp(c->text->bytes, theirs->bytes, theirs->n)))
		return false;
	catalogue_text_unref(c->text);
	c->text = catalogue_text_ref(theirs);
	return true;
}
