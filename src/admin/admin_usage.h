/*
 * POST /admin/refresh-usage: asks the usage backend about one slot (?slot=2) or all, and answers
 * when all have answered. 502 when none could be updated.
 */
#ifndef ADMIN_ADMIN_USAGE_H
#define ADMIN_ADMIN_USAGE_H

#include "admin/admin.h"

void admin_usage_refresh(struct relay *r, struct http_stream *s);

#endif
