#include "relay/reply.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "relay/relay.h"
#include "relay/router.h"
#include "slots/show.h"

#include <stdio.h>
#include <stdlib.h>

void reply_count(struct relay *r, const struct http_stream *s, int status, const char *code,
	const char *error)
{
	const struct http_request *request = http_stream_request(s);

	stats_count(r->stats,
		&(struct request_end){
			.id = router_request_id(r, s),
			.method = request->method,
			.path = request->path,
			.route = http_stream_tag(s),
			.status = status,
			.duration_us = clock_mono_us() - http_stream_started_us(s),
			.code = code,
			.error = error,
		},
		clock_wall_ms());
}

static void log_refusal(struct relay *r, struct http_stream *s, const struct api_err *err)
{
	const struct http_request *request = http_stream_request(s);

	log_begin(LOG_INFO, "request.finish");
	log_str("request_id", sv_cstr(router_request_id(r, s)));
	log_str("method", request->method);
	log_str("path", request->path);
	log_i64("status", err->status);
	log_str("error", sv_cstr(err->code));
	log_ms("total_ms", clock_mono_us() - http_stream_started_us(s));
	log_end();
}

static void respond(struct http_stream *s, int status, struct sv body,
	const struct http_header *headers, size_t count)
{
	http_respond(s,
		&(struct http_response){
			.status = status,
			.content_type = SV("application/json"),
			.headers = headers,
			.header_count = count,
		},
		body);
}

void reply_json(struct relay *r, struct http_stream *s, int status, struct buf *body)
{
	reply_json_with(r, s, status, body, NULL);
}

void reply_json_with(struct relay *r, struct http_stream *s, int status, struct buf *body,
	const struct http_header *header)
{
	struct api_err err;

	if (buf_error(body)) {
		api_err_set(&err, 500, "server_error", "answer_too_large",
			"The relay could not hold this answer.");
		reply_error(r, s, &err, NULL);
	} else {
		reply_count(r, s, status, NULL, NULL);
		respond(s, status, buf_sv(body), header, header ? 1 : 0);
	}
	buf_fini(body);
}

void reply_value(struct relay *r, struct http_stream *s, int status, json_t *value)
{
	char *text = show_dump(value);
	struct buf body;

	buf_init(&body, LIMIT_ADMIN_ANSWER_BYTES);
	buf_add_cstr(&body, text ? text : "null");
	free(text);
	json_decref(value);
	reply_json(r, s, status, &body);
}

void reply_error(struct relay *r, struct http_stream *s, const struct api_err *err,
	const struct http_header *header)
{
	struct http_header headers[2];
	char retry_after[24];
	size_t count = 0;
	struct buf body;

	if (header)
		headers[count++] = *header;
	if (err->retry_after_s > 0) {
		snprintf(retry_after, sizeof(retry_after), "%lld", (long long)err->retry_after_s);
		headers[count++] = (struct http_header){SV("Retry-After"), sv_cstr(retry_after)};
	}
	buf_init(&body, KIB(8));
	api_err_write(err, clock_wall_ms() / 1000, &body);
	log_refusal(r, s, err);
	reply_count(r, s, err->status, err->code, err->message);
	respond(s, err->status, buf_sv(&body), headers, count);
	buf_fini(&body);
}
