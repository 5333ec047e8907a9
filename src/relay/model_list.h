/*
 * GET /v1/models and /v1/models/{id}: what clients may ask for. The union of the enabled slots'
 * catalogues and models.extra, sorted by name, then the aliases, then the offline models; without
 * what upstream or models.hidden hides.
 */
#ifndef RELAY_MODEL_LIST_H
#define RELAY_MODEL_LIST_H

#include "dialect/api_err.h"
#include "io/http_server.h"

struct relay;

void model_list_serve(struct relay *r, struct http_stream *s);
/* Any model that may be asked for, listed or not; else 404 model_not_found. */
void model_list_serve_one(struct relay *r, struct http_stream *s);

/* 404 model_not_found, as OpenAI says it. */
void model_list_not_found(struct sv name, struct api_err *ret);

#endif
