#include "admin/admin_requests.h"

#include "relay/reply.h"
#include "relay/router.h"

void admin_requests_list(struct relay *r, struct http_stream *s)
{
	reply_value(r, s, 200, json_pack("{s:o}", "requests", journal_list(r->journal)));
}

void admin_requests_get(struct relay *r, struct http_stream *s)
{
	json_t *shown = journal_show(r->journal, router_param(r));
	struct api_err err;

	if (shown) {
		reply_value(r, s, 200, json_pack("{s:o}", "request", shown));
		return;
	}
	api_err_set(&err, 404, "invalid_request_error", "request_not_found",
		"No request of this id is remembered: the last %d are that asked for a model.",
		LIMIT_JOURNAL_COUNT);
	reply_error(r, s, &err, NULL);
}
