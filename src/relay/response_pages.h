/*
 * What the Responses API tells of answers that were given (continuation.h), each in the API's
 * shape, and the endpoints beside it that no slot serves. Handlers of routes.
 */
#ifndef RELAY_RESPONSE_PAGES_H
#define RELAY_RESPONSE_PAGES_H

#include "io/http_server.h"

struct relay;

void response_get(struct relay *r, struct http_stream *s);
void response_delete(struct relay *r, struct http_stream *s);
void response_input_items(struct relay *r, struct http_stream *s);
/* Always refused: what is kept is complete. */
void response_cancel(struct relay *r, struct http_stream *s);
/* An estimate; the header X-Relay-Estimate says so. */
void response_count_tokens(struct relay *r, struct http_stream *s);

#endif
