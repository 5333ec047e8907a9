/* The addresses that the relay listens at: one text, or a list of them (url_parse_listener()). */
#ifndef CONF_CONF_LISTEN_H
#define CONF_CONF_LISTEN_H

#include "conf/conf_names.h"

struct conf_listen {
	struct conf_names all; /* as they were written; at least one */
	bool is_list;	       /* it was a list, and goes back into the file as one */
	const char *first;     /* the first one at a port without TLS, else the first; of all */
};

/* False when value is neither an address nor a list of 1 to LIMIT_LISTEN_COUNT; *l is then as
 * before. */
bool conf_listen_set(struct conf_listen *l, const json_t *value);
json_t *conf_listen_json(const struct conf_listen *l);
void conf_listen_fini(struct conf_listen *l);
/* Is one of them "tls://…"? */
bool conf_listen_has_tls(const struct conf_listen *l);
/* The index-th address as it is used: a Unix socket's path, unless absolute, is in the runtime
 * directory. The caller frees it; NULL behind the last. */
char *conf_listen_address(const struct conf_listen *l, size_t index, const char *root);

#endif
