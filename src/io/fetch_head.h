/*
 * A response's head, collected line by line as libcurl hands it over. One buffer holds the text;
 * views are made when the final head is complete and stand until fetch_head_reset(). Interim
 * heads (1xx) are passed over, trailers ignored; limits in limits.h. Owner: a fetch.
 */
#ifndef IO_FETCH_HEAD_H
#define IO_FETCH_HEAD_H

#include "base/buf.h"
#include "proto/http1.h"

struct fetch_head {
	struct buf text; /* one line a header: name, colon, value, \n */
	struct http_header *headers;
	size_t header_count;
	size_t header_size;
	size_t seen_bytes; /* of all heads; 0: nothing has come */
	int status;
	bool final; /* complete, views are valid */
};

void fetch_head_init(struct fetch_head *h);
void fetch_head_fini(struct fetch_head *h);
/* Ready for another response; keeps moderate storage. */
void fetch_head_reset(struct fetch_head *h);
/* One line as it came: 1 when it ended the final head, 0 when not, -EMSGSIZE over the limits,
 * -EPROTO when it makes no sense. */
int fetch_head_add(struct fetch_head *h, struct sv line) MUST_CHECK;

#endif
