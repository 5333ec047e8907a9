/* GET /v1/responses/{id}/input_items: a page of the items that a kept answer answers. */
#ifndef RELAY_RESPONSE_LIST_H
#define RELAY_RESPONSE_LIST_H

#include "dialect/api_err.h"
#include "relay/continuation.h"

/*
 * Appends the list object. query: `after` (an item's id), `limit` (1 to 100, default 20), `order`
 * (asc, desc; default desc). Items have the form of the API whatever the client sent: an id, a
 * status where it wants one, messages with a type and parts. -EINVAL with *err.
 */
int response_list_write(struct continuation *c, const struct kept_answer *a, struct sv query,
	struct buf *out, struct api_err *err) MUST_CHECK;

#endif
