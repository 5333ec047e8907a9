/* The HTTP client as the configuration wants it. */
#ifndef IO_FETCH_CONF_H
#define IO_FETCH_CONF_H

#include "conf/conf.h"
#include "io/fetch.h"

/* Views of c, which must outlive the call of fetch_pool_new(). */
struct fetch_options fetch_conf_options(const struct conf *c);

#endif
