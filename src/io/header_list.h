/*
 * A request's headers in the form that libcurl wants, in two blocks of memory that are reused from
 * one request to the next. Owner: a fetch; libcurl borrows header_list_head() while it runs.
 */
#ifndef IO_HEADER_LIST_H
#define IO_HEADER_LIST_H

#include "base/buf.h"
#include "proto/http1.h"

#include <curl/curl.h>

struct header_list {
	struct curl_slist *nodes;
	size_t node_count;
	size_t node_size;
	struct buf text;
};

void header_list_init(struct header_list *l);
void header_list_fini(struct header_list *l);
/*
 * Replaces the list. Length and coding of the body are libcurl's business and left out; the headers
 * that libcurl would add by itself are suppressed unless given. -EINVAL for a name or value that
 * would break the head, -EMSGSIZE over the limit.
 */
int header_list_build(
	struct header_list *l, const struct http_header *headers, size_t count) MUST_CHECK;
struct curl_slist *header_list_head(const struct header_list *l);

#endif
