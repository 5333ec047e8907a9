/*
 * POST /admin/slots/{id}/refresh: gives a slot a new access token now. 409 when that cannot be: it
 * has no refresh token, or its login is dead.
 */
#ifndef ADMIN_ADMIN_REFRESH_H
#define ADMIN_ADMIN_REFRESH_H

#include "admin/admin.h"

void admin_refresh_slot(struct relay *r, struct http_stream *s);

#endif
