/* GET /admin/requests and /admin/requests/{id}: the journal. */
#ifndef ADMIN_ADMIN_REQUESTS_H
#define ADMIN_ADMIN_REQUESTS_H

#include "admin/admin.h"

void admin_requests_list(struct relay *r, struct http_stream *s);
void admin_requests_get(struct relay *r, struct http_stream *s);

#endif
