/* Values of the configuration that are names: lists of them, and maps from one to another. */
#ifndef CONF_CONF_NAMES_H
#define CONF_CONF_NAMES_H

#include "base/sv.h"

#include <jansson.h>

enum { CONF_NAMES_MAX = 256, CONF_NAME_BYTES_MAX = 128 };

struct conf_names {
	char **items;
	size_t count;
};

struct conf_name_pair {
	char *from, *to;
};

struct conf_name_map {
	struct conf_name_pair *pairs; /* in the order of the file */
	size_t count;
};

/* Visible ASCII without spaces, 1 to CONF_NAME_BYTES_MAX bytes. */
bool conf_names_is_name(struct sv text);

/* False when value is not a list of names; *list is then as before. */
bool conf_names_set(struct conf_names *list, const json_t *value);
bool conf_names_has(const struct conf_names *list, struct sv name);
json_t *conf_names_json(const struct conf_names *list);
void conf_names_fini(struct conf_names *list);

/* False when value is not an object of names; *map is then as before. */
bool conf_names_set_map(struct conf_name_map *map, const json_t *value);
/* What name stands for, or NULL. */
const char *conf_names_look_up(const struct conf_name_map *map, struct sv name);
json_t *conf_names_map_json(const struct conf_name_map *map);
void conf_names_fini_map(struct conf_name_map *map);

#endif
