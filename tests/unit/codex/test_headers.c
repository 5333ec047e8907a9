#include "codex/headers.h"

#include "captures.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
	struct arena arena;
	struct secret token;
	struct codex_cred cred;
	struct http_request client;
	struct codex_header_options options;
	struct http_header out[CODEX_HEADERS_MAX];
	size_t count;
};

static int setup(void **state)
{
	struct fixture *x = mem_zalloc(sizeof(*x));

	arena_init(&x->arena, KIB(64));
	secret_set(&x->token, SV("tok-1"));
	x->cred = (struct codex_cred){&x->token, SV("acc-1"), SV("http://x")};
	x->options = (struct codex_header_options){
		.client = &x->client,
		.originator = SV("codex_slot_relay"),
		.user_agent = SV("codex-slot-relay/1"),
		.session = SV("key-1"),
		.request_id = SV("req-1"),
		.accept = SV("text/event-stream"),
		.content_type = SV("application/json"),
	};
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	arena_fini(&x->arena);
	secret_fini(&x->token);
	free(x);
	return 0;
}

static void client_says(struct fixture *x, struct sv name, struct sv value)
{
	x->client.headers[x->client.header_count++] = (struct http_header){name, value};
}

static void build(struct fixture *x)
{
	assert_int_equal(
		codex_headers_build(&x->cred, &x->options, &x->arena, x->out, &x->count), 0);
}

/* The one value of a header; fails when it is there twice. */
static struct sv value_of(const struct fixture *x, struct sv name)
{
	struct sv value = SV_NONE;

	for (size_t i = 0; i < x->count; i++) {
		if (!sv_ieq(x->out[i].name, name))
			continue;
		assert_null(value.p);
		value = x->out[i].value;
	}
	return value;
}

static void check(const struct fixture *x, struct sv name, struct sv expected)
{
	struct sv value = value_of(x, name);

	if (!sv_eq(value, expected))
		fail_msg("%.*s: is \"%.*s\", not \"%.*s\"", SV_ARG(name), SV_ARG(value),
			SV_ARG(expected));
}

static void check_ours(const struct fixture *x)
{
	check(x, SV("authorization"), SV("Bearer tok-1"));
	check(x, SV("chatgpt-account-id"), SV("acc-1"));
	check(x, SV("content-type"), SV("application/json"));
	check(x, SV("accept"), SV("text/event-stream"));
	check(x, SV("x-request-id"), SV("req-1"));
}

static void test_stranger(void **state)
{
	struct fixture *x = *state;

	client_says(x, SV("Originator"), SV("codex_cli_fake"));
	client_says(x, SV("User-Agent"), SV("OpenAI/JS 6.0"));
	client_says(x, SV("session-id"), SV("theirs"));
	client_says(x, SV("x-codex-turn-metadata"), SV("{}"));
	client_says(x, SV("Authorization"), SV("Bearer relay-token"));
	build(x);
	check_ours(x);
	check(x, SV("originator"), SV("codex_slot_relay"));
	check(x, SV("user-agent"), SV("codex-slot-relay/1"));
	check(x, SV("session_id"), SV("key-1"));
	assert_int_equal(x->count, 8);
}

static void test_own_request(void **state)
{
	struct fixture *x = *state;

	x->options.client = NULL;
	x->options.session = SV_NONE;
	x->options.content_type = SV_NONE;
	x->options.native = true;
	x->cred.account_id = SV_NONE;
	build(x);
	check(x, SV("originator"), SV("codex_slot_relay"));
	assert_null(value_of(x, SV("session_id")).p);
	assert_null(value_of(x, SV("content-type")).p);
	assert_null(value_of(x, SV("chatgpt-account-id")).p);
	assert_int_equal(x->count, 5);
}

/* Every row of the table, with a header of a native client. */
static void test_every_rule(void **state)
{
	struct fixture *x = *state;
	const struct codex_header_rule *rule;
	size_t row = 0;

	x->options.native = true;
	while ((rule = codex_header_rule(row++))) {
		char name[80];
		struct sv value, client_value = SV("theirs");

		snprintf(
			name, sizeof(name), "%.*s%s", SV_ARG(rule->name), rule->prefix ? "zz" : "");
		assert_ptr_equal(codex_header_find(sv_cstr(name)), rule);
		x->client.header_count = 0;
		x->options.same_slot = false;
		client_says(x, sv_cstr(name), client_value);
		build(x);
		value = value_of(x, sv_cstr(name));
		assert_int_equal(sv_eq(value, client_value), rule->action == CODEX_HEADER_NATIVE);
		assert_int_equal(value.n > 0, rule->action == CODEX_HEADER_NATIVE ||
						      rule->action == CODEX_HEADER_REPLACE);
		x->options.same_slot = true;
		build(x);
		value = value_of(x, sv_cstr(name));
		assert_int_equal(sv_eq(value, client_value),
			rule->action == CODEX_HEADER_NATIVE ||
				rule->action == CODEX_HEADER_TURN_STATE);
	}
	assert_true(row > 40);
}

/* PROTOCOL 2, "Never forwarded": also when the client is Codex. */
static void test_never_forwarded(void **state)
{
	static const struct sv names[] = {SV("X-Api-Key"), SV("Host"), SV("Content-Length"),
		SV("Cookie"), SV("Forwarded"), SV("X-Forwarded-For"), SV("X-Real-IP"),
		SV("CF-Connecting-IP"), SV("Connection"), SV("Keep-Alive"),
		SV("Proxy-Authorization"), SV("TE"), SV("Trailer"), SV("Transfer-Encoding"),
		SV("Upgrade"), SV("Accept-Encoding"), SV("X-OpenClaw-Session-Key"), SV("X-Unknown"),
		SV("traceparent")};
	struct fixture *x = *state;

	x->options.native = true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		x->client.header_count = 0;
		client_says(x, names[i], SV("secret"));
		build(x);
		assert_null(value_of(x, names[i]).p);
		assert_int_equal(x->count, 8);
	}
}

static void test_named_by_connection(void **state)
{
	struct fixture *x = *state;

	x->options.native = true;
	client_says(x, SV("Connection"), SV("keep-alive, X-Codex-Window-Id"));
	client_says(x, SV("connection"), SV("version"));
	client_says(x, SV("x-codex-window-id"), SV("w"));
	client_says(x, SV("version"), SV("1"));
	client_says(x, SV("thread-id"), SV("t"));
	build(x);
	assert_null(value_of(x, SV("x-codex-window-id")).p);
	assert_null(value_of(x, SV("version")).p);
	check(x, SV("thread-id"), SV("t"));
}

static void test_native_without_identity(void **state)
{
	struct fixture *x = *state;

	x->options.native = true;
	client_says(x, SV("originator"), SV("codex_exec"));
	build(x);
	check(x, SV("originator"), SV("codex_exec"));
	check(x, SV("user-agent"), SV("codex-slot-relay/1"));
	check(x, SV("session_id"), SV("key-1"));
}

static void test_bad_values_are_left_out(void **state)
{
	struct fixture *x = *state;

	x->options.session = SV("a\r\nx-evil: 1");
	x->options.request_id = SV("a\nb");
	build(x);
	assert_null(value_of(x, SV("session_id")).p);
	assert_null(value_of(x, SV("x-request-id")).p);
	secret_set(&x->token, SV("a\r\nb"));
	assert_int_equal(
		codex_headers_build(&x->cred, &x->options, &x->arena, x->out, &x->count), -EINVAL);
}

static void test_no_memory(void **state)
{
	struct fixture *x = *state;
	struct arena small;

	arena_init(&small, 4);
	assert_int_equal(
		codex_headers_build(&x->cred, &x->options, &small, x->out, &x->count), -ENOMEM);
	arena_fini(&small);
}

static void test_wipe(void **state)
{
	struct fixture *x = *state;
	struct sv value;

	build(x);
	value = value_of(x, SV("authorization"));
	codex_headers_wipe(x->out, x->count);
	for (size_t i = 0; i < value.n; i++)
		assert_int_equal(value.p[i], 0);
	assert_null(value_of(x, SV("authorization")).p);
}

struct client_case {
	struct sv originator;
	struct sv agent;
	bool native;
};

static const struct client_case client_cases[] = {
	{SV("codex_exec"), SV_NONE, true},
	{SV("codex-tui"), SV_NONE, true},
	{SV("codex_cli_rs"), SV_NONE, true},
	{SV("codex_vscode"), SV_NONE, true},
	{SV("codex_sdk_ts"), SV_NONE, true},
	{SV("Codex Desktop"), SV_NONE, true},
	{SV("codex_chatgpt_desktop"), SV_NONE, true},
	{SV("codex_atlas"), SV_NONE, true},
	{SV_NONE, SV("codex_cli_rs/0.98.0 (Debian)"), true},
	{SV_NONE, SV("Codex Desktop/1.0"), true},
	{SV_NONE, SV_NONE, false},
	{SV("codex_slot_relay"), SV("codex-slot-relay/1"), false},
	{SV("opencode"), SV("OpenAI/JS codex_exec"), false},
};

static void test_is_native(void **state)
{
	struct fixture *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(client_cases); i++) {
		x->client.header_count = 0;
		if (client_cases[i].originator.n)
			client_says(x, SV("originator"), client_cases[i].originator);
		if (client_cases[i].agent.n)
			client_says(x, SV("User-Agent"), client_cases[i].agent);
		assert_int_equal(codex_client_is_native(&x->client), client_cases[i].native);
	}
}

static void test_session(void **state)
{
	static const struct sv names[] = {SV("conversation_id"), SV("thread-id"),
		SV("x-openclaw-session-key"), SV("session_id"), SV("session-id")};
	static const struct sv values[] = {SV("1"), SV("2"), SV("3"), SV("4"), SV("5")};
	struct fixture *x = *state;
	char longest[LIMIT_SESSION_KEY_BYTES + 1];

	client_says(x, SV("x-codex-turn-state"), SV("0"));
	assert_int_equal(codex_client_session(&x->client).n, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		client_says(x, names[i], values[i]);
		assert_true(sv_eq(codex_client_session(&x->client), values[i]));
	}
	memset(longest, 'a', sizeof(longest));
	x->client.headers[x->client.header_count - 1].value = sv_make(longest, sizeof(longest));
	assert_true(sv_eq(codex_client_session(&x->client), values[3]));
	x->client.headers[x->client.header_count - 1].value = sv_make(longest, sizeof(longest) - 1);
	assert_int_equal(codex_client_session(&x->client).n, LIMIT_SESSION_KEY_BYTES);
}

static void test_answer_headers(void **state)
{
	static const struct sv passes[] = {SV("x-codex-primary-used-percent"),
		SV("X-Codex-Turn-State"), SV("x-models-etag"), SV("x-reasoning-included"),
		SV("OpenAI-Model"), SV("x-request-id"), SV("openai-processing-ms"),
		SV("openai-version"), SV("x-oai-request-id"), SV("cf-ray")};
	static const struct sv stays[] = {SV("set-cookie"), SV("openai-organization"),
		SV("x-openai-authorization-error"), SV("server"), SV("content-length"),
		SV("transfer-encoding"), SV("content-type"), SV("retry-after")};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(passes); i++)
		assert_true(codex_answer_header_passes(passes[i]));
	for (size_t i = 0; i < ARRAY_LEN(stays); i++)
		assert_false(codex_answer_header_passes(stays[i]));
}

/* Of the real client's headers only these do not arrive as they were sent. */
static void check_captured_head(struct fixture *x)
{
	static const struct sv others[] = {SV("authorization"), SV("chatgpt-account-id"),
		SV("content-type"), SV("accept"), SV("host"), SV("content-length"),
		SV("content-encoding"), SV("x-codex-turn-state"),
		SV("x-openai-account-routing-override")};

	assert_true(codex_client_is_native(&x->client));
	assert_true(codex_client_session(&x->client).n > 0);
	x->options.native = true;
	build(x);
	check_ours(x);
	for (size_t i = 0; i < x->client.header_count; i++) {
		const struct http_header *header = &x->client.headers[i];
		bool other = false;

		for (size_t j = 0; j < ARRAY_LEN(others); j++)
			other |= sv_ieq(header->name, others[j]);
		if (!other)
			check(x, header->name, header->value);
	}
	assert_null(value_of(x, SV("x-codex-turn-state")).p);
	assert_null(value_of(x, SV("host")).p);
	assert_null(value_of(x, SV("content-encoding")).p);
}

static void test_captures(void **state)
{
	struct fixture *x = *state;
	struct capture capture;
	struct jv body;
	size_t heads = 0, turn_states = 0;

	for (size_t i = 0; i < ARRAY_LEN(capture_names); i++) {
		capture_open(&capture, capture_names[i]);
		while (capture_next_turn(&capture, &x->client, &body)) {
			heads++;
			x->options.same_slot = false;
			check_captured_head(x);
			x->options.same_slot = true;
			build(x);
			turn_states += value_of(x, SV("x-codex-turn-state")).n > 0;
		}
		capture_close(&capture);
	}
	assert_true(heads >= ARRAY_LEN(capture_names));
	assert_int_equal(turn_states, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stranger, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_rule, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never_forwarded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_named_by_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_native_without_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_values_are_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wipe, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_native, setup, teardown),
		cmocka_unit_test_setup_teardown(test_session, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answer_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_captures, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
