#include "relay/model_list.h"

#include "base/clock.h"
#include "base/jw.h"
#include "relay/offline.h"
#include "relay/relay.h"
#include "relay/reply.h"
#include "relay/router.h"
#include "slots/catalogue.h"

#include <stdlib.h>

/* A line of the list; strings are borrowed from slots and configuration. */
struct entry {
	struct sv name;
	struct sv owner;
	const char *display_name, *alias_of; /* NULL none */
	int64_t context_window;		     /* 0 unknown */
	size_t order;			     /* in which it was added */
};

struct entries {
	struct entry *items;
	size_t count, size;
};

static const struct sv upstream_owner = SV("openai");
static const struct sv own_owner = SV("codex-slot-relay");

static void add(struct entries *list, const struct entry *entry)
{
	if (list->count == list->size) {
		list->size = list->size ? list->size * 2 : 32;
		list->items = mem_realloc(list->items, list->size * sizeof(*list->items));
	}
	list->items[list->count] = *entry;
	list->items[list->count].order = list->count;
	list->count++;
}

static struct entry entry_of(const struct catalogue_model *m)
{
	return (struct entry){
		.name = sv_cstr(m->name),
		.owner = upstream_owner,
		.display_name = m->display_name,
		.context_window = m->context_window,
	};
}

static bool is_hidden(const struct relay *r, struct sv name)
{
	return conf_names_has(&r->conf->model_hidden, name);
}

/* The first slot that offers it tells what it is like. */
static const struct catalogue_model *find_offered(struct relay *r, struct sv name)
{
	for (size_t i = 0; i < slot_table_count(r->slots); i++) {
		const struct slot *s = slot_table_at(r->slots, i);
		const struct catalogue_model *m =
			s->enabled ? catalogue_find(s->catalogue, name) : NULL;

		if (m)
			return m;
	}
	return NULL;
}

static void add_offered(struct relay *r, const struct slot *s, struct entries *list)
{
	for (size_t i = 0; s->catalogue && i < s->catalogue->count; i++) {
		const struct catalogue_model *m = &s->catalogue->models[i];
		const struct entry entry = entry_of(m);

		if (!m->hidden && !is_hidden(r, entry.name))
			add(list, &entry);
	}
}

/* Of equal names the one that was added first counts. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int order = memcmp(x->name.p, y->name.p, n);

	if (order)
		return order;
	if (x->name.n != y->name.n)
		return x->name.n < y->name.n ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void sort_once_each(struct entries *list)
{
	size_t kept = 0;

	if (!list->count)
		return;
	qsort(list->items, list->count, sizeof(*list->items), compare_entries);
	for (size_t i = 1; i < list->count; i++) {
		if (!sv_eq(list->items[kept].name, list->items[i].name))
			list->items[++kept] = list->items[i];
	}
	list->count = kept + 1;
}

static void add_name(struct relay *r, struct entries *list, const char *name)
{
	const struct entry entry = {.name = sv_cstr(name), .owner = upstream_owner};

	if (!is_hidden(r, entry.name))
		add(list, &entry);
}

static struct entry alias_entry(struct relay *r, struct sv from, const char *to)
{
	const struct catalogue_model *m = find_offered(r, sv_cstr(to));

	return (struct entry){
		.name = from,
		.owner = own_owner,
		.alias_of = to,
		.context_window = m ? m->context_window : 0,
	};
}

static void add_aliases(struct relay *r, struct entries *list)
{
	const struct conf_name_map *map = &r->conf->model_aliases;

	for (size_t i = 0; i < map->count; i++) {
		const struct entry entry =
			alias_entry(r, sv_cstr(map->pairs[i].from), map->pairs[i].to);

		if (!is_hidden(r, entry.name))
			add(list, &entry);
	}
}

static void add_offline(struct relay *r, struct entries *list)
{
	for (size_t i = 0; offline_listed(i); i++) {
		const struct entry entry = {.name = sv_cstr(offline_listed(i)), .owner = own_owner};

		if (!is_hidden(r, entry.name))
			add(list, &entry);
	}
}

static bool is_alias(const struct relay *r, const struct entry *e)
{
	return conf_names_look_up(&r->conf->model_aliases, e->name) != NULL;
}

/* An alias goes before a model of its name. */
static void drop_aliased(const struct relay *r, struct entries *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (!is_alias(r, &list->items[i]))
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

static void collect(struct relay *r, struct entries *list)
{
	const struct conf_names *extra = &r->conf->model_extra;

	for (size_t i = 0; i < slot_table_count(r->slots); i++) {
		const struct slot *s = slot_table_at(r->slots, i);

		if (s->enabled)
			add_offered(r, s, list);
	}
	if (!list->count)
		add_name(r, list, r->conf->default_model);
	for (size_t i = 0; i < extra->count; i++)
		add_name(r, list, extra->items[i]);
	sort_once_each(list);
	add_offline(r, list);
	drop_aliased(r, list);
	add_aliases(r, list);
}

static void write_entry(struct jw *w, const struct relay *r, const struct entry *e)
{
	jw_obj(w);
	jw_kstr(w, "id", e->name);
	jw_klit(w, "object", "model");
	jw_ki64(w, "created", r->started_ms / 1000);
	jw_kstr(w, "owned_by", e->owner);
	if (e->display_name)
		jw_kstr(w, "display_name", sv_cstr(e->display_name));
	if (e->context_window)
		jw_ki64(w, "context_window", e->context_window);
	if (e->alias_of)
		jw_kstr(w, "alias_of", sv_cstr(e->alias_of));
	jw_end(w);
}

void model_list_serve(struct relay *r, struct http_stream *s)
{
	struct entries list = {0};
	struct buf body;
	struct jw w;

	collect(r, &list);
	buf_init(&body, MIB(4));
	w = jw_begin(&body);
	jw_obj(&w);
	jw_klit(&w, "object", "list");
	jw_karr(&w, "data");
	for (size_t i = 0; i < list.count; i++)
		write_entry(&w, r, &list.items[i]);
	jw_end(&w);
	jw_end(&w);
	free(list.items);
	reply_json(r, s, 200, &body);
}

static bool has_enabled_slot(struct relay *r)
{
	for (size_t i = 0; i < slot_table_count(r->slots); i++) {
		if (slot_table_at(r->slots, i)->enabled)
			return true;
	}
	return false;
}

/* In the order in which a request looks: alias, offline model, slots. */
static bool describe(struct relay *r, struct sv name, struct entry *ret)
{
	const char *to = conf_names_look_up(&r->conf->model_aliases, name);
	const struct catalogue_model *m = find_offered(r, name);

	*ret = (struct entry){.name = name, .owner = upstream_owner};
	if (to)
		*ret = alias_entry(r, name, to);
	else if (offline_has(name))
		ret->owner = own_owner;
	else if (m)
		*ret = entry_of(m);
	else if (!conf_names_has(&r->conf->model_extra, name))
		/* What is not known to be absent may be asked for. */
		return has_enabled_slot(r) &&
		       !slot_table_lacks_model(r->slots, name, clock_wall_ms());
	return true;
}

void model_list_not_found(struct sv name, struct api_err *ret)
{
	api_err_set(ret, 404, "invalid_request_error", "model_not_found",
		"The model '%.*s' does not exist or you do not have access to it.",
		name.n > CATALOGUE_NAME_MAX ? CATALOGUE_NAME_MAX : (int)name.n, name.p);
	memcpy(ret->param, "model", sizeof("model"));
}

void model_list_serve_one(struct relay *r, struct http_stream *s)
{
	struct sv name = router_param(r);
	struct entry entry;
	struct api_err err;
	struct buf body;
	struct jw w;

	if (!describe(r, name, &entry)) {
		model_list_not_found(name, &err);
		reply_error(r, s, &err, NULL);
		return;
	}
	buf_init(&body, KIB(8));
	w = jw_begin(&body);
	write_entry(&w, r, &entry);
	reply_json(r, s, 200, &body);
}
