/* GET /healthz, /readyz (SPEC 2): short JSON answers from live state. */
#ifndef RELAY_STATUS_PAGES_H
#define RELAY_STATUS_PAGES_H

#include "io/http_server.h"

struct relay;

void status_health(struct relay *r, struct http_stream *s);
/* The same body; 503 when no slot is eligible or the relay is draining. */
void status_ready(struct relay *r, struct http_stream *s);

#endif
