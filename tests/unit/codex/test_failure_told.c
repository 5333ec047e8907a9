/*
 * What a client is told for each class of failure: in every API, before anything was sent, inside a
 * stream, and where the client does not stream.
 */
#include "base/limits.h"
#include "codex/failure.h"
#include "dialect/dialect.h"
#include "proto/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_S INT64_C(1700000000)
#define PAGE                                                                                 \
	"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>cloudflare " \
	"10.0.0.7</body></html>"
#define LIMIT_BODY                                                                        \
	"{\"error\":{\"type\":\"usage_limit_reached\",\"message\":\"The usage limit has " \
	"been reached\",\"plan_type\":\"plus\",\"resets_at\":1700000090}}"
#define OVERLOAD "{\"error\":{\"code\":\"server_is_overloaded\",\"message\":\"Busy.\"}}"
#define BLOB_BODY                                                                                  \
	"{\"error\":{\"message\":\"Bad blob.\",\"type\":\"invalid_request_error\",\"param\":null," \
	"\"code\":\"invalid_encrypted_content\"}}"
#define LONG_BODY                                                                             \
	"{\"error\":{\"message\":\"Too long.\",\"type\":\"invalid_request_error\",\"param\":" \
	"\"input\",\"code\":\"context_length_exceeded\",\"extra\":1}}"

struct row {
	const char *name;
	enum failure_class class;
	int http_status; /* 0: an end of the transport */
	enum fetch_outcome outcome;
	const char *body;
	/* What is told. "" is null. */
	int status;
	const char *type, *code, *param, *message;
	int64_t retry_after_s;
};

static const struct row rows[] = {
	{"usage limit", FAILURE_RATE_LIMIT, 429, FETCH_OK, LIMIT_BODY, 429, "usage_limit_reached",
		"usage_limit_reached", "", "The usage limit has been reached", 90},
	{"429 without a word", FAILURE_RATE_LIMIT, 429, FETCH_OK, "", 429, "rate_limit_error",
		"rate_limit_exceeded", "", "The upstream's rate limit was reached.", 0},
	{"unpaid", FAILURE_QUOTA, 402, FETCH_OK, "", 429, "insufficient_quota",
		"insufficient_quota", "", "The upstream's quota is used up.", 0},
	{"quota", FAILURE_QUOTA, 429, FETCH_OK,
		"{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"Pay.\"}}", 429,
		"insufficient_quota", "insufficient_quota", "", "Pay.", 0},
	{"login", FAILURE_AUTH, 401, FETCH_OK, "{\"detail\":\"Token for me@x.example is bad\"}",
		502, "server_error", "upstream_auth", "", "The upstream refused the relay's login.",
		0},
	{"dead account", FAILURE_DEAD, 401, FETCH_OK,
		"{\"error\":{\"code\":\"account_deactivated\",\"message\":\"Gone: me@x.example\"}}",
		502, "server_error", "upstream_account", "", "The upstream account was closed.", 0},
	{"page", FAILURE_BLOCKED, 403, FETCH_OK, PAGE, 502, "server_error", "upstream_blocked", "",
		"The upstream refused the relay's request.", 0},
	{"page of a gateway", FAILURE_TRANSIENT, 502, FETCH_OK, PAGE, 502, "server_error",
		"upstream_error", "", "The upstream failed to answer. Please try again.", 0},
	{"500", FAILURE_TRANSIENT, 500, FETCH_OK,
		"{\"error\":{\"message\":\"Boom.\",\"type\":\"server_error\",\"code\":null}}", 502,
		"server_error", "", "", "Boom.", 0},
	{"overload", FAILURE_TRANSIENT, 503, FETCH_OK, OVERLOAD, 503, "server_error",
		"server_is_overloaded", "", "Busy.", 0},
	{"entitlement", FAILURE_ENTITLEMENT, 400, FETCH_OK,
		"{\"detail\":\"The 'm' model is not supported when using Codex with a ChatGPT "
		"account.\"}",
		400, "invalid_request_error", "", "",
		"The 'm' model is not supported when using Codex with a ChatGPT account.", 0},
	{"blob", FAILURE_BLOB, 400, FETCH_OK, BLOB_BODY, 400, "invalid_request_error",
		"invalid_encrypted_content", "", "Bad blob.", 0},
	{"context", FAILURE_CLIENT, 400, FETCH_OK, LONG_BODY, 400, "invalid_request_error",
		"context_length_exceeded", "input", "Too long.", 0},
	{"parameter", FAILURE_CLIENT, 400, FETCH_OK, "{\"detail\":\"Unsupported parameter: x\"}",
		400, "invalid_request_error", "", "", "Unsupported parameter: x", 0},
	{"page of a 404", FAILURE_BLOCKED, 404, FETCH_OK, PAGE, 502, "server_error",
		"upstream_blocked", "", "The upstream refused the relay's request.", 0},
	{"network", FAILURE_NETWORK, 0, FETCH_CONNECT, NULL, 502, "server_error",
		"upstream_unreachable", "", "The upstream could not be reached.", 0},
	{"cut", FAILURE_TRUNCATED, 0, FETCH_TRUNCATED, NULL, 502, "server_error",
		"upstream_truncated", "", "The upstream's answer ended early.", 0},
	{"silence", FAILURE_IDLE, 0, FETCH_IDLE, NULL, 504, "server_error", "upstream_timeout", "",
		"The upstream was silent for too long.", 0},
	{"nonsense", FAILURE_PROTOCOL, 0, FETCH_PROTOCOL, NULL, 502, "server_error",
		"upstream_protocol", "", "The upstream's answer made no sense.", 0},
};

struct api {
	const char *name;
	const struct dialect *dialect;
	bool native;
	const char *request; /* up to the member stream */
};

#define RESPONSES_REQUEST "{\"model\":\"m\",\"input\":\"x\""

static const struct api apis[] = {
	{"chat", &dialect_chat, false,
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"},
	{"completions", &dialect_completions, false, "{\"model\":\"m\",\"prompt\":\"x\""},
	{"responses", &dialect_responses, false, RESPONSES_REQUEST},
	{"native", &dialect_responses, true, RESPONSES_REQUEST},
};

static struct failure judge(const struct row *row)
{
	struct failure f;
	struct fetch_result result = {
		.outcome = row->outcome, .message = "connect to 10.0.0.7 port 443 failed"};

	if (row->http_status)
		failure_from_http(
			row->http_status, NULL, 0, sv_cstr(row->body), NULL, NOW_S * 1000, &f);
	else
		failure_from_fetch(&result, &f);
	return f;
}

static struct jv parse(struct sv text)
{
	struct jv v;

	if (jv_parse(text, LIMIT_JSON_DEPTH, &v, NULL))
		fail_msg("no JSON: %.*s", SV_ARG(text));
	return v;
}

static void check_word(const char *where, struct jv v, const char *wanted)
{
	bool fits = wanted[0] ? jv_str_eq(v, sv_cstr(wanted)) : jv_is(v, JV_NULL);

	if (!fits)
		fail_msg("%s: is %.*s, not %s", where, (int)v.n, v.p, wanted);
}

static void check_error(const char *where, const struct row *row, struct jv error)
{
	check_word(where, jv_get(error, SV("message")), row->message);
	check_word(where, jv_get(error, SV("type")), row->type);
	check_word(where, jv_get(error, SV("code")), row->code);
	check_word(where, jv_get(error, SV("param")), row->param);
}

/* A failed response has a code always, and no type. */
static void check_failed(const char *where, const struct row *row, struct jv event)
{
	struct jv response = jv_get(event, SV("response"));
	struct jv error = jv_get(response, SV("error"));

	assert_true(jv_str_eq(jv_get(event, SV("type")), SV("response.failed")));
	check_word(where, jv_get(response, SV("status")), "failed");
	check_word(where, jv_get(error, SV("code")), row->code[0] ? row->code : "server_error");
	check_word(where, jv_get(error, SV("message")), row->message);
}

/* The data of the last event; every event is one of JSON, so none is [DONE]. */
static struct jv last_event(struct sv stream, struct sse_decoder *d)
{
	struct jv last = JV_NONE;
	struct sse_event ev;

	sse_decoder_init(d, LIMIT_EVENT_BYTES);
	sse_feed(d, stream);
	while (sse_next(d, &ev) == 1)
		last = parse(ev.data);
	assert_true(jv_exists(last));
	return last;
}

static void check_in_stream(
	const char *where, const struct api *api, const struct row *row, struct sv out)
{
	struct sse_decoder d;
	struct jv last = last_event(out, &d);

	if (api->dialect == &dialect_responses)
		check_failed(where, row, last);
	else
		check_error(where, row, jv_get(last, SV("error")));
	sse_decoder_fini(&d);
}

static void check_before(const char *where, const struct api *api, const struct row *row,
	const struct failure *f, struct sv out)
{
	if (api->native && f->err.body.n)
		assert_true(sv_eq(out, sv_cstr(row->body)));
	else
		check_error(where, row, jv_get(parse(out), SV("error")));
}

/* Nothing of pages, addresses and accounts. */
static void check_silence(const char *where, struct sv out)
{
	static const char *const never[] = {"<html", "cloudflare", "10.0.0.7", "x.example"};

	for (size_t i = 0; i < ARRAY_LEN(never); i++) {
		if (sv_ifind(out, sv_cstr(never[i])) >= 0)
			fail_msg("%s: says %s", where, never[i]);
	}
}

static void tell(const struct api *api, const struct row *row, bool stream, bool in_stream)
{
	struct failure f = judge(row);
	struct api_err err;
	struct arena arena;
	struct turn turn;
	struct buf out;
	char where[128], request[256];

	snprintf(
		where, sizeof(where), "%s, %s%s", row->name, api->name, in_stream ? " stream" : "");
	snprintf(request, sizeof(request), "%s,\"stream\":%s}", api->request,
		stream ? "true" : "false");
	arena_init(&arena, LIMIT_ARENA_BYTES);
	buf_init(&out, MIB(1));
	turn_init(&turn, api->dialect, &arena);
	turn.id = "req";
	turn.now_s = NOW_S;
	turn.native = api->native;
	turn.request = parse(sv_cstr(request));
	assert_int_equal(turn.dialect->parse(&turn, &err), 0);
	assert_int_equal(turn.dialect->begin(&turn), 0);
	turn.dialect->error(&turn, &f.err, in_stream, &out);
	assert_int_equal(buf_error(&out), 0);
	if (in_stream)
		check_in_stream(where, api, row, buf_sv(&out));
	else
		check_before(where, api, row, &f, buf_sv(&out));
	check_silence(where, buf_sv(&out));
	turn_fini(&turn);
	buf_fini(&out);
	arena_fini(&arena);
}

static void every_class_in_every_api(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t k = 0; k < ARRAY_LEN(apis); k++) {
			tell(&apis[k], &rows[i], false, false);
			tell(&apis[k], &rows[i], true, false);
			tell(&apis[k], &rows[i], true, true);
		}
	}
}

static void status_and_wait_are_those_of_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct failure f = judge(&rows[i]);

		if (f.class != rows[i].class || f.err.status != rows[i].status ||
			f.err.retry_after_s != rows[i].retry_after_s)
			fail_msg("%s: %s, status %d, retry after %lld", rows[i].name,
				failure_class_name(f.class), f.err.status,
				(long long)f.err.retry_after_s);
	}
}

static void no_class_is_left_out(void **state)
{
	(void)state;
	for (int class = FAILURE_NONE + 1; class < FAILURE_CLASSES; class ++) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			found = found || rows[i].class == (enum failure_class) class;
		if (!found)
			fail_msg("no row for %s", failure_class_name(class));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_class_in_every_api),
		cmocka_unit_test(status_and_wait_are_those_of_the_table),
		cmocka_unit_test(no_class_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
