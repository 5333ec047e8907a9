#include "conf/conf_names.h"

#include "base/mem.h"

#include <stdlib.h>

bool conf_names_is_name(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return false;
	}
	return text.n > 0 && text.n <= CONF_NAME_BYTES_MAX;
}

static bool is_name(const json_t *value)
{
	return json_is_string(value) &&
	       conf_names_is_name(sv_make(json_string_value(value), json_string_length(value)));
}

bool conf_names_set(struct conf_names *list, const json_t *value)
{
	size_t count = json_array_size(value);

	if (!json_is_array(value) || count > CONF_NAMES_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!is_name(json_array_get(value, i)))
			return false;
	}
	conf_names_fini(list);
	list->items = mem_zalloc((count + 1) * sizeof(*list->items));
	list->count = count;
	for (size_t i = 0; i < count; i++)
		list->items[i] = mem_strdup(json_string_value(json_array_get(value, i)));
	return true;
}

bool conf_names_has(const struct conf_names *list, struct sv name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (sv_eq(sv_cstr(list->items[i]), name))
			return true;
	}
	return false;
}

json_t *conf_names_json(const struct conf_names *list)
{
	json_t *value = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(value, json_string(list->items[i]));
	return value;
}

void conf_names_fini(struct conf_names *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct conf_names){0};
}

static bool is_map(const json_t *value)
{
	json_t *object = (json_t *)(uintptr_t)value; /* the macro takes no const */
	const char *from;
	json_t *to;

	if (!json_is_object(value) || json_object_size(value) > CONF_NAMES_MAX)
		return false;
	json_object_foreach(object, from, to)
	{
		if (!conf_names_is_name(sv_cstr(from)) || !is_name(to))
			return false;
	}
	return true;
}

bool conf_names_set_map(struct conf_name_map *map, const json_t *value)
{
	json_t *object = (json_t *)(uintptr_t)value;
	const char *from;
	json_t *to;

	if (!is_map(value))
		return false;
	conf_names_fini_map(map);
	map->pairs = mem_zalloc((json_object_size(value) + 1) * sizeof(*map->pairs));
	json_object_foreach(object, from, to)
	{
		map->pairs[map->count++] = (struct conf_name_pair){
			mem_strdup(from), mem_strdup(json_string_value(to))};
	}
	return true;
}

const char *conf_names_look_up(const struct conf_name_map *map, struct sv name)
{
	for (size_t i = 0; i < map->count; i++) {
		if (sv_eq(sv_cstr(map->pairs[i].from), name))
			return map->pairs[i].to;
	}
	return NULL;
}

json_t *conf_names_map_json(const struct conf_name_map *map)
{
	json_t *value = json_object();

	for (size_t i = 0; i < map->count; i++)
		json_object_set_new(value, map->pairs[i].from, json_string(map->pairs[i].to));
	return value;
}

void conf_names_fini_map(struct conf_name_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		free(map->pairs[i].from);
		free(map->pairs[i].to);
	}
	free(map->pairs);
	*map = (struct conf_name_map){0};
}
