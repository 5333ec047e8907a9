/* Answers that no exchange gives: whole JSON bodies. Each counts in the statistics. */
#ifndef RELAY_REPLY_H
#define RELAY_REPLY_H

#include "dialect/api_err.h"
#include "io/http_server.h"

#include <jansson.h>

struct relay;

/* Answers and frees body. A body that did not fit becomes 500. */
void reply_json(struct relay *r, struct http_stream *s, int status, struct buf *body);
/* With a further header, or NULL. */
void reply_json_with(struct relay *r, struct http_stream *s, int status, struct buf *body,
	const struct http_header *header);
/* The same with a value, whose reference it takes. */
void reply_value(struct relay *r, struct http_stream *s, int status, json_t *value);
/* In the OpenAI error shape, logged; header: a further one, or NULL. */
void reply_error(struct relay *r, struct http_stream *s, const struct api_err *err,
	const struct http_header *header);

/* Counts an answer that somebody else gives; code and error are NULL unless it is one. */
void reply_count(struct relay *r, const struct http_stream *s, int status, const char *code,
	const char *error);

#endif
