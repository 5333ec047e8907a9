/* GET /admin/slots and /admin/slots/{id}. */
#ifndef ADMIN_ADMIN_SLOTS_H
#define ADMIN_ADMIN_SLOTS_H

#include "admin/admin.h"

void admin_slots_list(struct relay *r, struct http_stream *s);
void admin_slots_get(struct relay *r, struct http_stream *s);

#endif
