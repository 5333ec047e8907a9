#include "conf/conf_listen.h"

#include "base/buf.h"
#include "base/limits.h"
#include "conf/runtime_dir.h"
#include "proto/url.h"

#include <stdlib.h>

enum { ADDRESS_MAX = LISTEN_HOST_SIZE + 32 };

static bool is_address(const json_t *value)
{
	struct sv text = sv_make(json_string_value(value), json_string_length(value));
	struct listen_address at;

	return json_is_string(value) && text.n <= ADDRESS_MAX && url_parse_listener(text, &at) == 0;
}

static enum listen_kind kind_of(const char *text)
{
	struct listen_address at = {.kind = LISTEN_TCP};

	/* They were looked at when they were set. */
	if (url_parse_listener(sv_cstr(text), &at) != 0)
		return LISTEN_TCP;
	return at.kind;
}

static const char *find_first(const struct conf_names *all)
{
	for (size_t i = 0; i < all->count; i++) {
		if (kind_of(all->items[i]) == LISTEN_TCP)
			return all->items[i];
	}
	return all->items[0];
}

bool conf_listen_set(struct conf_listen *l, const json_t *value)
{
	bool is_list = json_is_array(value);
	size_t count = is_list ? json_array_size(value) : 1;
	struct conf_names all = {0};

	if (!count || count > LIMIT_LISTEN_COUNT)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!is_address(is_list ? json_array_get(value, i) : value))
			return false;
	}
	all.items = mem_zalloc(count * sizeof(*all.items));
	all.count = count;
	for (size_t i = 0; i < count; i++)
		all.items[i] =
			mem_strdup(json_string_value(is_list ? json_array_get(value, i) : value));
	conf_listen_fini(l);
	*l = (struct conf_listen){all, is_list, find_first(&all)};
	return true;
}

json_t *conf_listen_json(const struct conf_listen *l)
{
	return l->is_list ? conf_names_json(&l->all) : json_string(l->first);
}

void conf_listen_fini(struct conf_listen *l)
{
	conf_names_fini(&l->all);
	l->first = NULL;
}

bool conf_listen_has_tls(const struct conf_listen *l)
{
	for (size_t i = 0; i < l->all.count; i++) {
		if (kind_of(l->all.items[i]) == LISTEN_TLS)
			return true;
	}
	return false;
}

char *conf_listen_address(const struct conf_listen *l, size_t index, const char *root)
{
	struct listen_address at;
	struct buf address;
	char *path, *text;

	if (index >= l->all.count)
		return NULL;
	text = l->all.items[index];
	if (kind_of(text) != LISTEN_UNIX || url_parse_listener(sv_cstr(text), &at) != 0)
		return mem_strdup(text);
	path = runtime_resolve(root, at.path);
	buf_init(&address, KIB(64));
	buf_addf(&address, "unix:%s", path);
	text = mem_strdup(buf_cstr(&address));
	buf_fini(&address);
	free(path);
	return text;
}
