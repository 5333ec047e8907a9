#include "relay/response_pages.h"

#include "base/clock.h"
#include "base/jw.h"
#include "base/limits.h"
#include "dialect/shape.h"
#include "dialect/token_estimate.h"
#include "proto/url.h"
#include "relay/recall.h"
#include "relay/relay.h"
#include "relay/reply.h"
#include "relay/response_list.h"
#include "relay/router.h"

#include <errno.h>

static struct kept_owner owner_of(struct relay *r, struct http_stream *s)
{
	return continuation_owner(r->continuation, router_client_token(http_stream_request(s)));
}

static void refuse_unknown(struct relay *r, struct http_stream *s)
{
	struct sv id = router_param(r);
	struct api_err err;

	api_err_set(&err, 404, "invalid_request_error", "", "Response with id '%.*s' not found.",
		id.n > 128 ? 128 : (int)id.n, id.p);
	reply_error(r, s, &err, NULL);
}

/* The answer that the path names; NULL: it was refused. */
static const struct kept_answer *find(struct relay *r, struct http_stream *s)
{
	const struct kept_answer *a =
		continuation_get(r->continuation, owner_of(r, s), router_param(r), clock_mono_ms());

	if (!a)
		refuse_unknown(r, s);
	return a;
}

static bool wants_stream(const struct http_request *request)
{
	struct sv value = url_query_get(request->query, SV("stream"));

	return sv_ieq(value, SV("true")) || sv_eq(value, SV("1"));
}

void response_get(struct relay *r, struct http_stream *s)
{
	const struct kept_answer *a = find(r, s);
	struct api_err err;
	struct buf body;

	if (!a)
		return;
	if (wants_stream(http_stream_request(s))) {
		api_err_param(&err, "stream",
			"Only responses that run in the background can be streamed again.");
		reply_error(r, s, &err, NULL);
		return;
	}
	buf_init(&body, LIMIT_FOLD_BYTES);
	continuation_write_object(a, &body);
	reply_json(r, s, 200, &body);
}

void response_delete(struct relay *r, struct http_stream *s)
{
	struct buf body;
	struct jw w;

	if (!continuation_delete(
		    r->continuation, owner_of(r, s), router_param(r), clock_mono_ms())) {
		refuse_unknown(r, s);
		return;
	}
	buf_init(&body, KIB(4));
	w = jw_begin(&body);
	jw_obj(&w);
	jw_kstr(&w, "id", router_param(r));
	jw_klit(&w, "object", "response");
	jw_kbool(&w, "deleted", true);
	jw_end(&w);
	reply_json(r, s, 200, &body);
}

void response_input_items(struct relay *r, struct http_stream *s)
{
	const struct kept_answer *a = find(r, s);
	struct api_err err;
	struct buf body;

	if (!a)
		return;
	buf_init(&body, LIMIT_FOLD_BYTES);
	if (response_list_write(r->continuation, a, http_stream_request(s)->query, &body, &err)) {
		buf_fini(&body);
		reply_error(r, s, &err, NULL);
		return;
	}
	reply_json(r, s, 200, &body);
}

void response_cancel(struct relay *r, struct http_stream *s)
{
	struct api_err err;

	if (!find(r, s))
		return;
	api_err_set(
		&err, 400, "invalid_request_error", "", "Cannot cancel a synchronous response.");
	reply_error(r, s, &err, NULL);
}

/* --- tokens --- */

static const struct shape_rule count_rules[] = {
	SHAPE_RULE("model", SHAPE_STRING, "a string"),
	SHAPE_RULE("input", SHAPE_STRING | SHAPE_ARRAY, "a string or an array"),
	SHAPE_RULE("instructions", SHAPE_STRING, "a string"),
	SHAPE_RULE("tools", SHAPE_ARRAY, "an array"),
	SHAPE_RULE("text", SHAPE_OBJECT, "an object"),
	SHAPE_RULE("previous_response_id", SHAPE_STRING, "a string"),
};

static int read_request(struct relay *r, struct http_stream *s, struct turn *t, struct api_err *err)
{
	struct jv member[ARRAY_LEN(count_rules)];
	struct jv_error where;
	struct recall recall;

	if (jv_parse(buf_sv(http_body(s)), LIMIT_JSON_DEPTH, &t->request, &where))
		return api_err_set(err, 400, "invalid_request_error", "invalid_json",
			"The request body is not valid JSON: %s at byte %zu.", where.message,
			where.offset);
	if (!jv_is(t->request, JV_OBJECT))
		return api_err_set(err, 400, "invalid_request_error", "invalid_json",
			"The request body must be a JSON object.");
	t->upstream = t->request;
	if (shape_pick(t->request, count_rules, ARRAY_LEN(count_rules), member, err))
		return -EINVAL;
	return recall_expand(
		&recall, r->continuation, router_client_token(http_stream_request(s)), t, err);
}

static void reply_count_of(struct relay *r, struct http_stream *s, int64_t tokens)
{
	static const struct http_header estimate = {SV("X-Relay-Estimate"), SV("true")};
	struct buf body;
	struct jw w;

	buf_init(&body, KIB(1));
	w = jw_begin(&body);
	jw_obj(&w);
	jw_klit(&w, "object", "response.input_tokens");
	jw_ki64(&w, "input_tokens", tokens);
	jw_end(&w);
	reply_json_with(r, s, 200, &body, &estimate);
}

void response_count_tokens(struct relay *r, struct http_stream *s)
{
	struct arena arena;
	struct api_err err;
	struct turn turn;

	arena_init(&arena, LIMIT_ARENA_BYTES);
	turn_init(&turn, &dialect_compact, &arena);
	if (read_request(r, s, &turn, &err))
		reply_error(r, s, &err, NULL);
	else
		reply_count_of(r, s, token_estimate(turn.upstream));
	turn_fini(&turn);
	arena_fini(&arena);
}
