#include "io/fetch_conf.h"

/* "none" is no proxy at all, whatever the environment says: "" to libcurl. */
static const char *proxy_of(const struct conf *c)
{
	if (!c->upstream_proxy[0])
		return NULL;
	return strcmp(c->upstream_proxy, "none") == 0 ? "" : c->upstream_proxy;
}

struct fetch_options fetch_conf_options(const struct conf *c)
{
	return (struct fetch_options){
		.http2 = strcmp(c->upstream_http_version, "2") == 0,
		.ca_file = c->upstream_ca_file[0] ? c->upstream_ca_file : NULL,
		.proxy = proxy_of(c),
	};
}
