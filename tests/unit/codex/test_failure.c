#include "base/limits.h"
#include "codex/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1795449600000) /* Mon, 23 Nov 2026 16:00:00 GMT */
#define LATER "1795456800"	      /* two hours */
#define LATER_MS (NOW_MS + 7200000)
#define CAPACITY "Selected model is at capacity. Please try a different model."
#define ENTITLEMENT "The 'gpt-9' model is not supported when using Codex with a ChatGPT account."

struct failure_case {
	const char *name;
	int status; /* 0: body is a terminal event */
	const char *headers;
	const char *body;
	enum failure_class class;
	int told_status;
	const char *code; /* NULL: whatever the class says */
	const char *message;
	int64_t until_ms;
	bool keeps_body;
};

static const struct failure_case cases[] = {
	/* PROTOCOL 6, row by row. */
	{"usage limit", 429, "retry-after: 5",
		"{\"error\":{\"type\":\"usage_limit_reached\",\"message\":\"The usage limit has "
		"been "
		"reached\",\"plan_type\":\"plus\",\"resets_at\":" LATER
		",\"resets_in_seconds\":60}}",
		FAILURE_RATE_LIMIT, 429, "usage_limit_reached", "The usage limit has been reached",
		LATER_MS, false},
	{"usage limit with status 400", 400, "",
		"{\"error\":{\"code\":\"usage_limit_reached\",\"message\":\"m\",\"resets_in_"
		"seconds\":60}}",
		FAILURE_RATE_LIMIT, 429, "usage_limit_reached", "m", NOW_MS + 60000, false},
	{"usage limit in a stream", 0, "",
		"{\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{"
		"\"code\":"
		"\"usage_limit_reached\",\"message\":\"m\",\"resets_at\":" LATER "}}}",
		FAILURE_RATE_LIMIT, 429, "usage_limit_reached", "m", LATER_MS, false},
	{"usage limit in a 200 without a stream", 200, "",
		"{\"error\":{\"type\":\"usage_limit_reached\",\"message\":\"m\"}}",
		FAILURE_RATE_LIMIT, 429, "usage_limit_reached", "m", 0, false},
	{"usage limit as text", 400, "", "{\"detail\":\"The usage limit has been reached\"}",
		FAILURE_RATE_LIMIT, 429, "rate_limit_exceeded", "The usage limit has been reached",
		0, false},
	{"rate limit", 429, "retry-after: 7",
		"{\"error\":{\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\",\"message\":"
		"\"slow\"}}",
		FAILURE_RATE_LIMIT, 429, "rate_limit_exceeded", "slow", NOW_MS + 7000, false},
	{"rate limit in a stream", 0, "",
		"{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"rate_limit_"
		"exceeded\","
		"\"message\":\"Please try again in 1.5s.\"}}}",
		FAILURE_RATE_LIMIT, 429, "rate_limit_exceeded", "Please try again in 1.5s.",
		NOW_MS + 1500, false},
	{"429 without a body", 429, "", "", FAILURE_RATE_LIMIT, 429, "rate_limit_exceeded", NULL, 0,
		false},
	{"insufficient quota", 429, "",
		"{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"m\"}}", FAILURE_QUOTA,
		429, "insufficient_quota", "m", 0, false},
	{"usage not included", 403, "",
		"{\"error\":{\"type\":\"usage_not_included\",\"message\":\"m\"}}", FAILURE_QUOTA,
		429, "", "m", 0, false},
	{"402", 402, "retry-after: 60", "{\"detail\":\"pay\"}", FAILURE_QUOTA, 429, NULL, "pay",
		NOW_MS + 60000, false},
	{"401", 401, "", "{\"detail\":\"Unauthorized\"}", FAILURE_AUTH, 502, "upstream_auth", NULL,
		0, false},
	{"token expired", 401, "",
		"{\"error\":{\"message\":\"Provided authentication token is "
		"expired.\",\"type\":null,"
		"\"code\":\"token_expired\",\"param\":null},\"status\":401}",
		FAILURE_AUTH, 502, "upstream_auth", NULL, 0, false},
	{"invalid key with a broad type", 401, "",
		"{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"invalid_api_key\"}}",
		FAILURE_AUTH, 502, "upstream_auth", NULL, 0, false},
	{"401 with a broad type", 401, "", "{\"error\":{\"type\":\"invalid_request_error\"}}",
		FAILURE_AUTH, 502, "upstream_auth", NULL, 0, false},
	{"account deactivated", 401, "", "{\"error\":{\"code\":\"account_deactivated\"}}",
		FAILURE_DEAD, 502, "upstream_account", NULL, 0, false},
	{"account deactivated, told in detail", 403, "",
		"{\"detail\":{\"code\":\"account_suspended\",\"message\":\"m\"}}", FAILURE_DEAD,
		502, "upstream_account", NULL, 0, false},
	{"403", 403, "", "{\"detail\":\"Forbidden\"}", FAILURE_BLOCKED, 502, "upstream_blocked",
		NULL, 0, false},
	{"Cloudflare page", 403, "retry-after: 3", "<!DOCTYPE html><html><body>Sorry</body></html>",
		FAILURE_BLOCKED, 502, "upstream_blocked", NULL, NOW_MS + 3000, false},
	{"page with 401", 401, "", " <HTML>no</HTML>", FAILURE_BLOCKED, 502, "upstream_blocked",
		NULL, 0, false},
	{"page with 429", 429, "", "<html>Cloudflare</html>", FAILURE_BLOCKED, 502,
		"upstream_blocked", NULL, 0, false},
	{"page with 200", 200, "content-type: text/html", "<html>Just a moment...</html>",
		FAILURE_BLOCKED, 502, "upstream_blocked", NULL, 0, false},
	{"Cloudflare text", 403, "", "error code: 1020", FAILURE_BLOCKED, 502, "upstream_blocked",
		NULL, 0, false},
	{"page with 502", 502, "", "<html>Bad gateway. cloudflare</html>", FAILURE_TRANSIENT, 502,
		"upstream_error", NULL, 0, false},
	{"challenge with 503", 503, "cf-mitigated: challenge", "<html></html>", FAILURE_BLOCKED,
		502, "upstream_blocked", NULL, 0, false},
	{"page inside JSON", 400, "", "{\"detail\":\"<html>x</html>\"}", FAILURE_BLOCKED, 502,
		"upstream_blocked", NULL, 0, false},
	{"500", 500, "", "oops", FAILURE_TRANSIENT, 502, "upstream_error", NULL, 0, false},
	{"503", 503, "retry-after: 3", "", FAILURE_TRANSIENT, 503, "upstream_error", NULL,
		NOW_MS + 3000, false},
	{"529", 529, "", "{\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}",
		FAILURE_TRANSIENT, 503, "", "m", 0, false},
	{"overloaded", 503, "", "{\"error\":{\"code\":\"server_is_overloaded\",\"message\":\"m\"}}",
		FAILURE_TRANSIENT, 503, "server_is_overloaded", "m", 0, false},
	{"overloaded in a stream", 0, "",
		"{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_is_"
		"overloaded\","
		"\"message\":\"m\"}}}",
		FAILURE_TRANSIENT, 503, "server_is_overloaded", "m", 0, false},
	{"at capacity", 400, "", "{\"detail\":\"" CAPACITY "\"}", FAILURE_TRANSIENT, 502,
		"upstream_error", CAPACITY, 0, false},
	{"server error in a stream, flat", 0, "",
		"{\"type\":\"error\",\"code\":\"server_error\",\"message\":\"m\",\"param\":null}",
		FAILURE_TRANSIENT, 502, "server_error", "m", 0, false},
	{"failed for no reason", 0, "",
		"{\"type\":\"response.failed\",\"response\":{\"error\":null}}", FAILURE_TRANSIENT,
		502, "upstream_error", NULL, 0, false},
	{"unknown code in a stream", 0, "",
		"{\"type\":\"error\",\"error\":{\"code\":\"new_thing\",\"message\":\"m\"}}",
		FAILURE_TRANSIENT, 502, "new_thing", "m", 0, false},
	{"model not for this account", 400, "", "{\"detail\":\"" ENTITLEMENT "\"}",
		FAILURE_ENTITLEMENT, 400, "", ENTITLEMENT, 0, true},
	{"model not for this account, in a stream", 0, "",
		"{\"type\":\"error\",\"error\":{\"message\":\"" ENTITLEMENT "\"}}",
		FAILURE_ENTITLEMENT, 400, "", ENTITLEMENT, 0, false},
	{"foreign blob", 400, "",
		"{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"invalid_encrypted_"
		"content\","
		"\"message\":\"m\"}}",
		FAILURE_BLOB, 400, "invalid_encrypted_content", "m", 0, true},
	{"400", 400, "", "{\"detail\":\"Unsupported parameter: x\"}", FAILURE_CLIENT, 400, "",
		"Unsupported parameter: x", 0, true},
	{"400 with all", 400, "",
		"{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"invalid_value\","
		"\"param\":"
		"\"input[0]\",\"message\":\"m\"}}",
		FAILURE_CLIENT, 400, "invalid_value", "m", 0, true},
	{"404", 404, "", "{\"detail\":\"Not Found\"}", FAILURE_CLIENT, 404, "", "Not Found", 0,
		true},
	{"422 as a list", 422, "", "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}",
		FAILURE_CLIENT, 422, "", "field required", 0, true},
	{"context length", 400, "",
		"{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"m\"}}",
		FAILURE_CLIENT, 400, "context_length_exceeded", "m", 0, true},
	{"context length in a stream", 0, "",
		"{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"context_length_"
		"exceeded\","
		"\"message\":\"m\"}}}",
		FAILURE_CLIENT, 400, "context_length_exceeded", "m", 0, false},
	{"invalid prompt in a stream", 0, "",
		"{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"invalid_"
		"prompt\"}}}",
		FAILURE_CLIENT, 400, "invalid_prompt", NULL, 0, false},
	{"cyber policy", 400, "", "{\"error\":{\"code\":\"cyber_policy\"}}", FAILURE_CLIENT, 400,
		"cyber_policy", NULL, 0, true},
	{"unknown previous response, with a status in the event", 0, "",
		"{\"type\":\"error\",\"status\":400,\"error\":{\"code\":\"previous_response_not_"
		"found\","
		"\"param\":\"previous_response_id\"}}",
		FAILURE_CLIENT, 400, "previous_response_not_found", NULL, 0, false},
	{"a status in an event decides", 0, "",
		"{\"type\":\"error\",\"status_code\":404,\"body\":{\"error\":{\"message\":\"m\"}}}",
		FAILURE_CLIENT, 404, "", "m", 0, false},
	{"missing tool output in a stream", 0, "",
		"{\"type\":\"error\",\"message\":\"No tool output found for function call "
		"call_1.\"}",
		FAILURE_CLIENT, 400, "", "No tool output found for function call call_1.", 0,
		false},
	{"broad type in a stream", 0, "",
		"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
		"\"m\"}}",
		FAILURE_CLIENT, 400, "", "m", 0, false},
	{"400 that is no JSON", 400, "", "bad", FAILURE_CLIENT, 400, "", NULL, 0, false},
	{"413", 413, "", "{\"detail\":\"too large\"}", FAILURE_CLIENT, 413, "", "too large", 0,
		true},
	{"408", 408, "", "", FAILURE_TRANSIENT, 502, NULL, NULL, 0, false},
	{"200 that is no stream", 200, "", "{\"id\":\"resp_1\"}", FAILURE_PROTOCOL, 502,
		"upstream_protocol", NULL, 0, false},
	{"redirect", 302, "location: /x", "", FAILURE_PROTOCOL, 502, "upstream_protocol", NULL, 0,
		false},
	{"flat body", 429, "", "{\"code\":\"insufficient_quota\",\"message\":\"m\"}", FAILURE_QUOTA,
		429, "insufficient_quota", "m", 0, false},
	{"error as text", 400, "", "{\"error\":\"just a sentence\"}", FAILURE_CLIENT, 400, "",
		"just a sentence", 0, true},
	{"error as a code", 400, "", "{\"error\":\"insufficient_quota\"}", FAILURE_QUOTA, 429,
		"insufficient_quota", NULL, 0, false},
	{"status as a code", 0, "", "{\"type\":\"error\",\"error\":{\"code\":503}}",
		FAILURE_TRANSIENT, 503, "upstream_error", NULL, 0, false},
	/* Times. */
	{"reset in the past, then seconds", 429, "",
		"{\"error\":{\"resets_at\":1795449600,\"resets_in_seconds\":30}}",
		FAILURE_RATE_LIMIT, 429, NULL, NULL, NOW_MS + 30000, false},
	{"reset over a year ahead, then header", 429, "retry-after: 9",
		"{\"error\":{\"resets_at\":1895449600,\"resets_in_seconds\":31622400}}",
		FAILURE_RATE_LIMIT, 429, NULL, NULL, NOW_MS + 9000, false},
	{"reset as a string", 429, "", "{\"error\":{\"resets_at\":\"" LATER "\"}}",
		FAILURE_RATE_LIMIT, 429, NULL, NULL, LATER_MS, false},
	{"reset that makes no sense", 429, "",
		"{\"error\":{\"resets_at\":{},\"resets_in_seconds\":-5,\"message\":\"try again in "
		"2s\"}}",
		FAILURE_RATE_LIMIT, 429, NULL, "try again in 2s", NOW_MS + 2000, false},
	{"date", 429, "Retry-After: Mon, 23 Nov 2026 16:01:00 GMT", "", FAILURE_RATE_LIMIT, 429,
		NULL, NULL, NOW_MS + 60000, false},
	{"date in the past", 429, "retry-after: Mon, 23 Nov 2020 16:01:00 GMT", "",
		FAILURE_RATE_LIMIT, 429, NULL, NULL, 0, false},
	{"no date", 429, "retry-after: tomorrow", "", FAILURE_RATE_LIMIT, 429, NULL, NULL, 0,
		false},
	{"milliseconds", 429, "retry-after-ms: 250", "", FAILURE_RATE_LIMIT, 429, NULL, NULL,
		NOW_MS + 250, false},
	{"a client's mistake names no time", 400, "retry-after: 5", "{\"detail\":\"x\"}",
		FAILURE_CLIENT, 400, NULL, "x", 0, true},
};

static struct jv parse(const char *text)
{
	struct jv v;

	assert_int_equal(jv_parse(sv_cstr(text), LIMIT_JSON_DEPTH, &v, NULL), 0);
	return v;
}

static size_t split_headers(const char *text, struct http_header *out)
{
	struct sv rest = sv_cstr(text);
	size_t n = 0;

	while (rest.n) {
		struct sv line = sv_split(&rest, '\n');

		out[n].name = sv_split(&line, ':');
		out[n++].value = sv_trim(line);
	}
	return n;
}

static void judge(const struct failure_case *c, const struct meters *meters, struct failure *ret)
{
	struct http_header headers[8];
	struct event ev = {.type = EVENT_OTHER};

	if (c->status) {
		failure_from_http(c->status, headers, split_headers(c->headers, headers),
			sv_cstr(c->body), meters, NOW_MS, ret);
		return;
	}
	ev.json = parse(c->body);
	ev.type = jv_str_eq(jv_get(ev.json, SV("type")), SV("error")) ? EVENT_ERROR : EVENT_FAILED;
	assert_true(failure_from_event(&ev, meters, NOW_MS, ret));
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct failure_case *c = &cases[i];
		const char *message;
		struct failure f;

		judge(c, NULL, &f);
		message = c->message ? c->message : failure_default(c->class)->message;
		if (f.class != c->class || f.err.status != c->told_status ||
			f.until_ms != c->until_ms ||
			(c->code && strcmp(f.err.code, c->code) != 0) ||
			strcmp(f.err.message, message) != 0)
			fail_msg("%s: %s, status %d, code %s, message %s, until %lld", c->name,
				failure_class_name(f.class), f.err.status, f.err.code,
				f.err.message, (long long)f.until_ms);
		if (f.err.body.n != (c->keeps_body ? strlen(c->body) : 0))
			fail_msg("%s: body", c->name);
		assert_true(f.err.type[0]);
		assert_true(f.err.retry_after_s ==
			    (f.until_ms ? (f.until_ms - NOW_MS + 999) / 1000 : 0));
	}
}

static void test_details(void **state)
{
	struct failure f;

	(void)state;
	judge(&cases[0], NULL, &f);
	assert_string_equal(f.err.type, "usage_limit_reached");
	assert_string_equal(f.err.plan_type, "plus");
	assert_int_equal(f.err.resets_at_s, LATER_MS / 1000);
	assert_string_equal(f.detail, "429: The usage limit has been reached");
	failure_from_http(400, NULL, 0,
		SV("{\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":\"c\",\"param\":\"input["
		   "0]\"}}"),
		NULL, NOW_MS, &f);
	assert_string_equal(f.err.param, "input[0]");
	assert_string_equal(f.err.type, "t");
}

/* The windows are asked behind what the answer itself says: the latest reset of the full ones. */
static void test_full_windows(void **state)
{
	struct meters m = {.window[METER_5H] = {true, 100, 300, NOW_MS / 1000 + 60},
		.window[METER_WEEK] = {true, 100, 10080, NOW_MS / 1000 + 90},
		.window[METER_MONTH] = {true, 99, 43200, NOW_MS / 1000 + 120},
		.plan_type = "pro"};
	struct failure f;

	(void)state;
	failure_from_http(429, NULL, 0,
		SV("{\"error\":{\"type\":\"usage_limit_reached\",\"message\":\"try again in "
		   "1s\"}}"),
		&m, NOW_MS, &f);
	assert_int_equal(f.until_ms, NOW_MS + 90000);
	assert_string_equal(f.err.plan_type, "pro");
	failure_from_http(503, NULL, 0, SV(""), &m, NOW_MS, &f);
	assert_int_equal(f.until_ms, 0);
	m.window[METER_WEEK].resets_at_s = 0;
	failure_from_http(429, NULL, 0, SV(""), &m, NOW_MS, &f);
	assert_int_equal(f.until_ms, NOW_MS + 60000);
}

/* Each rule by itself gives its class, in the table of its authority. */
static void check_rule(enum failure_table table, const struct failure_rule *rule)
{
	struct failure_case c = {.name = "rule", .headers = "", .body = "{}"};
	const char *text = rule->text.p;
	char body[200];
	struct failure f;

	if (text && text[0] == '*')
		text = "some_spend_limit_exceeded";
	if (table == FAILURE_BY_STATUS) {
		c.status = rule->status;
	} else if (table == FAILURE_BY_TEXT) {
		snprintf(body, sizeof(body), "{\"error\":{\"message\":\"Oh, THE %s!\"}}", text);
		c.body = body;
	} else {
		snprintf(body, sizeof(body), "{\"type\":\"error\",\"error\":{\"%s\":\"%s\"}}",
			table == FAILURE_BY_CODE ? "code" : "type", text);
		c.body = body;
	}
	judge(&c, NULL, &f);
	if (f.class != rule->class && table != FAILURE_BY_STATUS)
		fail_msg("%s is %s", text, failure_class_name(f.class));
	if (table != FAILURE_BY_STATUS)
		return;
	c.status = rule->status_last;
	judge(&c, NULL, &f);
	assert_int_equal(f.class, rule->class);
}

static void test_every_rule(void **state)
{
	static const size_t counts[] = {27, 7, 8, 4};
	const struct failure_rule *rule;

	(void)state;
	for (enum failure_table table = FAILURE_BY_CODE; table <= FAILURE_BY_TYPE; table++) {
		size_t row = 0;

		while ((rule = failure_rule(table, row++)))
			check_rule(table, rule);
		assert_int_equal(row - 1, counts[table]);
	}
}

/* Whatever a class is told for, it is a status that is no success and a sentence in English. */
static void test_every_class(void **state)
{
	(void)state;
	for (int class = FAILURE_NONE + 1; class < FAILURE_CLASSES; class ++) {
		const struct api_err *told = failure_default(class);

		assert_true(failure_class_name(class)[0]);
		assert_true(told->status >= 400 && told->status <= 599 && told->status != 401);
		assert_true(told->type[0] && told->message[0]);
		assert_int_equal(told->message[strlen(told->message) - 1], '.');
	}
	assert_string_equal(failure_class_name(FAILURE_NONE), "none");
}

struct outcome_case {
	enum fetch_outcome outcome;
	enum failure_class class;
	int status;
};

static const struct outcome_case outcome_cases[] = {
	{FETCH_OK, FAILURE_TRUNCATED, 502},
	{FETCH_CONNECT, FAILURE_NETWORK, 502},
	{FETCH_SEND, FAILURE_NETWORK, 502},
	{FETCH_TRUNCATED, FAILURE_TRUNCATED, 502},
	{FETCH_IDLE, FAILURE_IDLE, 504},
	{FETCH_TIMEOUT, FAILURE_IDLE, 504},
	{FETCH_PROTOCOL, FAILURE_PROTOCOL, 502},
};

static void test_outcomes(void **state)
{
	struct failure f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(outcome_cases); i++) {
		struct fetch_result result = {
			.outcome = outcome_cases[i].outcome, .message = "told by the transport"};

		failure_from_fetch(&result, &f);
		assert_int_equal(f.class, outcome_cases[i].class);
		assert_int_equal(f.err.status, outcome_cases[i].status);
		assert_string_equal(f.detail, "told by the transport");
		assert_null(strstr(f.err.message, "transport"));
	}
	failure_from_fetch(NULL, &f);
	assert_int_equal(f.class, FAILURE_TRUNCATED);
}

static void test_no_failure_event(void **state)
{
	struct event ev = {
		EVENT_COMPLETED, parse("{\"type\":\"response.completed\"}"), SV_NONE, SV_NONE};
	struct failure f;

	(void)state;
	assert_false(failure_from_event(&ev, NULL, NOW_MS, &f));
}

struct time_case {
	const char *text;
	int64_t ms;
};

static const struct time_case time_cases[] = {
	{"Please try again in 1.5s.", 1500},
	{"Rate limit reached. Please TRY AGAIN IN 6m0s. Visit x.", 360000},
	{"try again in 300ms", 300},
	{"try again in 1h2m", 3720000},
	{"try again in 1h2m3.25s, please", 3723250},
	{"try again in 2 days 3 hours", 183600000},
	{"try again in 1 hour and 5 minutes", 3900000},
	{"try again in 5 minutes or more", 300000},
	{"try again in 0s", 0},
	{"6m0s", 360000},
	{"1.5s", 1500},
	{"300ms", 300},
	{"1h2m", 3720000},
	{"try again in a while", -1},
	{"try again in 5", -1},
	{"try again in 5 apples", -1},
	{"try again in ", -1},
	{"try again later", -1},
	{"5s is too long", -1},
	{"", -1},
	{"try again in 400 days", -1},
	{"try again in 99999999999999999999999999999999999999999999h", -1},
};

static void test_try_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(time_cases); i++) {
		int64_t ms = failure_parse_try_again(sv_cstr(time_cases[i].text));

		if (ms != time_cases[i].ms)
			fail_msg("\"%s\" is %lld", time_cases[i].text, (long long)ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_full_windows),
		cmocka_unit_test(test_every_rule),
		cmocka_unit_test(test_every_class),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_no_failure_event),
		cmocka_unit_test(test_try_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
