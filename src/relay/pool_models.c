#include "relay/pool_models.h"

#include "base/jw.h"
#include "slots/catalogue.h"

#include <stdio.h>
#include <stdlib.h>

enum { JSON_DEPTH = 64, VERSION_PARTS = 3 };

struct entry {
	char name[CATALOGUE_NAME_MAX + 1];
	struct jv model; /* in a slot's catalogue */
};

struct list {
	struct entry *entries; /* CATALOGUE_MODELS_MAX */
	size_t count;
};

/* --- the texts, each once --- */

static const struct catalogue_text *text_of(struct slot_table *slots, size_t index)
{
	const struct slot *s = slot_table_at(slots, index);

	return s->enabled && s->catalogue ? s->catalogue->text : NULL;
}

/* Slots of one plan share their text: then one of them does. */
static bool is_first(struct slot_table *slots, size_t index)
{
	const struct catalogue_text *text = text_of(slots, index);

	for (size_t i = index; i-- > 0;) {
		if (text_of(slots, i) == text)
			return false;
	}
	return true;
}

static uint64_t hash_name(uint64_t seed, const char *name)
{
	return sv_hash(sv_make(name, strlen(name) + 1), seed);
}

static uint64_t hash_conf(const struct conf *conf, uint64_t hash)
{
	for (size_t i = 0; i < conf->model_hidden.count; i++)
		hash = hash_name(hash, conf->model_hidden.items[i]);
	for (size_t i = 0; i < conf->model_aliases.count; i++) {
		hash = hash_name(hash, conf->model_aliases.pairs[i].from);
		hash = hash_name(hash, conf->model_aliases.pairs[i].to);
	}
	return hash;
}

void pool_models_etag(
	const struct conf *conf, struct slot_table *slots, char out[POOL_MODELS_ETAG_SIZE])
{
	const struct catalogue_text *last = NULL;
	uint64_t hash = SV_HASH_SEED;

	for (size_t i = 0; i < slot_table_count(slots); i++) {
		const struct catalogue_text *text = text_of(slots, i);

		if (!text || text == last || !is_first(slots, i))
			continue;
		last = text;
		hash = sv_hash(sv_make((const char *)&text->hash, sizeof(text->hash)), hash);
	}
	out[0] = '\0';
	if (last)
		snprintf(out, POOL_MODELS_ETAG_SIZE, "W/\"%016llx\"",
			(unsigned long long)hash_conf(conf, hash));
}

/* --- who may see a model --- */

static void read_version(struct sv text, uint64_t out[VERSION_PARTS])
{
	for (size_t i = 0; i < VERSION_PARTS; i++) {
		struct sv part = sv_split(&text, '.');

		/* "0-alpha.1": the number counts. */
		part = sv_split(&part, '-');
		if (sv_u64(part, &out[i]))
			out[i] = 0;
	}
}

/* A text in newer catalogues, three numbers in older ones. False: none, or none that makes sense.
 */
static bool read_minimum(struct jv v, uint64_t out[VERSION_PARTS])
{
	struct jv_iter it = jv_iter(v);

	memset(out, 0, VERSION_PARTS * sizeof(*out));
	if (jv_is(v, JV_STRING)) {
		read_version(jv_str_raw(v), out);
		return true;
	}
	for (size_t i = 0; i < VERSION_PARTS && jv_next(&it); i++) {
		int64_t part;

		if (jv_i64(it.value, &part) || part < 0)
			return false;
		out[i] = (uint64_t)part;
	}
	return jv_is(v, JV_ARRAY);
}

static bool is_for(struct jv model, struct sv client_version)
{
	uint64_t minimum[VERSION_PARTS], client[VERSION_PARTS];

	if (!client_version.n ||
		!read_minimum(jv_get(model, SV("minimal_client_version")), minimum))
		return true;
	read_version(client_version, client);
	for (size_t i = 0; i < VERSION_PARTS; i++) {
		if (client[i] != minimum[i])
			return client[i] > minimum[i];
	}
	return true;
}

/* --- the list --- */

static const struct entry *find(const struct list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->entries[i].name, name) == 0)
			return &list->entries[i];
	}
	return NULL;
}

static void add_model(struct list *list, struct jv model)
{
	struct entry *entry = &list->entries[list->count];
	struct jv slug = jv_get(model, SV("slug"));

	if (list->count == CATALOGUE_MODELS_MAX ||
		!jv_str_copy(slug, entry->name, sizeof(entry->name)) ||
		!jv_str_eq(slug, sv_cstr(entry->name)) || !entry->name[0] ||
		find(list, entry->name))
		return;
	entry->model = model;
	list->count++;
}

static void collect(struct slot_table *slots, struct list *list)
{
	for (size_t i = 0; i < slot_table_count(slots); i++) {
		const struct catalogue_text *text = text_of(slots, i);
		struct jv_iter it;
		struct jv root;

		if (!text || !is_first(slots, i) ||
			jv_parse(sv_make(text->bytes, text->n), JSON_DEPTH, &root, NULL))
			continue;
		it = jv_iter(jv_get(root, SV("models")));
		while (jv_next(&it))
			add_model(list, it.value);
	}
}

/* An alias is what it stands for under its own name. */
static void write_alias(struct jw *w, struct jv model, const char *name)
{
	struct jv_iter it = jv_iter(model);

	jw_obj(w);
	jw_kstr(w, "slug", sv_cstr(name));
	jw_kstr(w, "display_name", sv_cstr(name));
	while (jv_next(&it)) {
		if (jv_key_eq(it.key, SV("slug")) || jv_key_eq(it.key, SV("display_name")))
			continue;
		jw_key_lit(w, it.key);
		jw_jv(w, it.value);
	}
	jw_end(w);
}

static bool is_shown(const struct conf *conf, const struct entry *entry, struct sv client_version)
{
	struct sv name = sv_cstr(entry->name);

	return !conf_names_has(&conf->model_hidden, name) &&
	       !conf_names_look_up(&conf->model_aliases, name) &&
	       is_for(entry->model, client_version);
}

static void write_models(
	struct jw *w, const struct conf *conf, const struct list *list, struct sv client_version)
{
	const struct conf_name_map *aliases = &conf->model_aliases;

	for (size_t i = 0; i < list->count; i++) {
		if (is_shown(conf, &list->entries[i], client_version))
			jw_jv(w, list->entries[i].model);
	}
	for (size_t i = 0; i < aliases->count; i++) {
		const struct conf_name_pair *alias = &aliases->pairs[i];
		const struct entry *entry = find(list, alias->to);

		if (entry && !conf_names_has(&conf->model_hidden, sv_cstr(alias->from)) &&
			is_for(entry->model, client_version))
			write_alias(w, entry->model, alias->from);
	}
}

void pool_models_write(const struct conf *conf, struct slot_table *slots, struct sv client_version,
	struct buf *out)
{
	struct list list = {.entries = mem_zalloc(CATALOGUE_MODELS_MAX * sizeof(*list.entries))};
	struct jw w = jw_begin(out);

	collect(slots, &list);
	jw_obj(&w);
	jw_karr(&w, "models");
	write_models(&w, conf, &list, client_version);
	jw_end(&w);
	jw_end(&w);
	free(list.entries);
}
