/*
 * POST /admin/slots/{id}/enable, disable, reset and DELETE /admin/slots/{id}: changes of
 * slots.json, one after another, each on a pool thread under the lock. The answer comes when the
 * change is on disk and in the table. A client that goes does not stop it.
 */
#ifndef ADMIN_ADMIN_EDIT_H
#define ADMIN_ADMIN_EDIT_H

#include "admin/admin.h"

void admin_edit_enable(struct relay *r, struct http_stream *s);
void admin_edit_disable(struct relay *r, struct http_stream *s);
void admin_edit_reset(struct relay *r, struct http_stream *s);
void admin_edit_remove(struct relay *r, struct http_stream *s);
#endif
