/*
 * Which hosts a list as in NO_PROXY spares from the proxy, as libcurl reads it: names with all that
 * is below them, addresses, networks ("10.0.0.0/8"), or "*" alone for all; commas or blanks
 * between. Pure.
 */
#ifndef PROTO_NO_PROXY_H
#define PROTO_NO_PROXY_H

#include "base/sv.h"

/* host: a name, or an address without brackets. Names are not resolved. */
bool no_proxy_names(struct sv list, struct sv host);

#endif
