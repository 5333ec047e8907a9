#include "conf/conf.h"

#include "base/durable.h"
#include "base/limits.h"
#include "conf/conf_edit.h"
#include "conf/conf_table.h"
#include "conf/runtime_dir.h"
#include "version.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TEXTS_MAX = 12 };

/* One for every key: what is there by default, what is taken, and what is refused. JSON texts. */
struct key_case {
	const char *name;
	const char *fallback;
	const char *good[TEXTS_MAX];
	const char *bad[TEXTS_MAX];
	const char *told; /* part of the message of a refusal */
};

#define INT_BAD(below, above) "\"1\"", "1.5", "true", "[]", below, above

static const struct key_case cases[] = {
	{"listen", "\"127.0.0.1:8787\"",
		{"\"[::1]:1\"", "\"0.0.0.0:0\"", "\":80\"", "\"tls://[::1]:1\"", "\"unix:/a b\"",
			"[\":80\",\"tls://:443\",\"unix:run/s\"]"},
		{"8787", "\"\"", "\"host\"", "\"a:70000\"", "{}", "[]", "[1]",
			"[\":80\",\"tls://\"]", "\"unix:\"", "\"https://a:1\""},
		"an address as"},
	{"tls.cert", "\"tls/cert.pem\"", {"\"/c\""}, {"\"\"", "1"}, "a path"},
	{"tls.key", "\"tls/key.pem\"", {"\"/k\""}, {"\"\"", "1"}, "a path"},
	{"tls.minVersion", "\"1.2\"", {"\"1.3\""}, {"1.3", "\"1.1\""}, "one of \"1.2\", \"1.3\""},
	{"authToken", "\"relay-dev-token\"", {"\"x\""}, {"\"\"", "\"a b\"", "\"a\\n\"", "1"},
		"a token"},
	{"authTokenAliases", "[]", {"[\"a\",\"b\"]", "[]"}, {"\"a\"", "[1]", "[\"\"]", "{}"},
		"a list of at most 64 tokens"},
	{"adminToken", "\"\"", {"\"x\"", "\"\""}, {"\"a b\"", "\"a\\n\"", "1", "[]"}, "a token"},
	{"profile", "\"codex-slot-relay\"", {"\"p\""}, {"\"\"", "1"}, "a name"},
	{"workspace", "\"/r/min-workspace\"", {"\"/w\""}, {"\"\"", "1", "\"a\\u0007\""}, "a path"},
	{"runtimeRoot", "\"/r\"", {}, {"1"}, "a text"},
	{"usageTtlSeconds", "300", {"1", "86400", "5.0"}, {INT_BAD("0", "86401")},
		"a whole number between 1 and 86400"},
	{"requestTimeoutSeconds", "180", {"1", "3600"}, {INT_BAD("0", "3601")},
		"between 1 and 3600"},
	{"thinking", "\"off\"", {"\"high\""}, {"1", "[]"}, "a text"},
	{"selectionPolicy", "\"best-week-then-5h\"",
		{"\"best-5h-then-week\"", "\"least-recently-used\"", "\"reset-soonest\"",
			"\"round-robin\"", "\"fill-first\"", "\"weighted\"", "\"pace\""},
		{"\"best\"", "1", "\"\"", "\"Pace\""},
		"one of \"best-week-then-5h\", \"best-5h-then-week\""},
	{"thresholds.min5hPct", "15", {"0", "100", "12.5"}, {"-1", "100.5", "\"15\"", "true"},
		"a number between 0 and 100"},
	{"thresholds.minWeekPct", "10", {"0", "100"}, {"-0.1", "101", "[]"}, "between 0 and 100"},
	{"cooldown.genericErrorSeconds", "300", {"0", "604800"}, {INT_BAD("-1", "604801")},
		"between 0 and 604800"},
	{"cooldown.quotaErrorSeconds", "1800", {"0", "604800"}, {INT_BAD("-1", "604801")},
		"between 0 and 604800"},
	{"auth.backend", "\"native\"", {"\"openclaw\""}, {"\"codex-api\"", "1"},
		"one of \"native\", \"openclaw\""},
	{"usage.backend", "\"codex-api\"", {"\"local-cache\"", "\"openclaw\""}, {"\"native\"", "1"},
		"one of \"codex-api\", \"local-cache\""},
	{"runner.backend", "\"codex-direct\"", {"\"openclaw\""}, {"\"native\"", "[]"},
		"one of \"codex-direct\""},
	{"runner.agentId", "\"relay\"", {"\"x\"", "\"A-b_9\""},
		{"1", "\"\"", "\"-a\"", "\"a/b\"", "\"..\""}, "letters, digits, - and _"},
	{"modelDefault", "\"gpt-5.4\"", {"\"m\""}, {"\"\"", "1", "\" x\""}, "the name of a model"},
	{"models.aliases", "{}", {"{\"fast\":\"gpt-5.4-mini\"}", "{\"a.b\":\"c/d\"}"},
		{"[]", "\"a\"", "{\"a\":1}", "{\"a\":\"\"}", "{\"a b\":\"c\"}", "{\"\":\"c\"}"},
		"at most 256 names"},
	{"models.extra", "[]", {"[\"a\",\"b/c\"]"}, {"{}", "\"a\"", "[1]", "[\"\"]", "[\"a b\"]"},
		"a list of at most 256 names"},
	{"models.hidden", "[]", {"[\"a\"]"}, {"{}", "[null]", "[\"ä\"]"},
		"a list of at most 256 names"},
	{"models.ttlSeconds", "3600", {"0", "604800"}, {INT_BAD("-1", "604801")},
		"between 0 and 604800"},
	{"codexClients.trustAccounts", "[]", {"[\"11111111-2222-3333-4444-555555555555\"]"},
		{"{}", "\"a\"", "[1]", "[\"a b\"]"}, "a list of at most 256 names"},
	{"codexClients.trustRemote", "false", {"true"}, {"1", "\"true\""}, "true or false"},
	{"codexClients.limits", "\"slot\"", {"\"pool\""}, {"\"all\"", "1"},
		"one of \"slot\", \"pool\""},
	{"codexClients.sideCalls", "\"not-found\"", {"\"empty\""}, {"404", "\"\""},
		"one of \"not-found\", \"empty\""},
	{"responses.continuation.enabled", "true", {"false"}, {"1", "\"false\"", "{}"},
		"true or false"},
	{"responses.continuation.maxEntries", "10000", {"1", "1000000"}, {INT_BAD("0", "1000001")},
		"between 1 and 1000000"},
	{"responses.continuation.maxBytes", "67108864", {"65536", "17179869184"},
		{INT_BAD("65535", "17179869185")}, "between 65536 and 17179869184"},
	{"responses.continuation.ttlSeconds", "3600", {"1", "604800"}, {INT_BAD("0", "604801")},
		"between 1 and 604800"},
	{"slotConcurrency", "8", {"1", "1000"}, {INT_BAD("0", "1001")}, "between 1 and 1000"},
	{"queueTimeoutSeconds", "30", {"0", "3600"}, {INT_BAD("-1", "3601")}, "between 0 and 3600"},
	{"retry.maxAttempts", "16", {"1", "1024"}, {INT_BAD("0", "1025")}, "between 1 and 1024"},
	{"retry.budgetSeconds", "60", {"0", "3600"}, {INT_BAD("-1", "3601")}, "between 0 and 3600"},
	{"streamHoldSeconds", "5", {"0", "0.5", "60"}, {"-1", "60.1", "\"5\""}, "between 0 and 60"},
	{"heartbeatSeconds", "15", {"1", "300"}, {INT_BAD("0", "301")}, "between 1 and 300"},
	{"drainTimeoutSeconds", "30", {"0", "3600"}, {INT_BAD("-1", "3601")}, "between 0 and 3600"},
	{"websockets", "\"auto\"", {"\"on\"", "\"off\""}, {"true", "\"yes\""},
		"one of \"auto\", \"on\", \"off\""},
	{"websocketIdleSeconds", "3600", {"1", "86400"}, {INT_BAD("0", "86401")},
		"between 1 and 86400"},
	{"websocketPingSeconds", "30", {"1", "3600"}, {INT_BAD("0", "3601")}, "between 1 and 3600"},
	{"maxBodyBytes", "67108864", {"1024", "1073741824"}, {INT_BAD("1023", "1073741825")},
		"between 1024 and 1073741824"},
	{"maxConnections", "20000", {"1", "1000000"}, {INT_BAD("0", "1000001")},
		"between 1 and 1000000"},
	{"reusePort", "false", {"true"}, {"1", "\"true\"", "\"yes\""}, "true or false"},
	{"logLevel", "\"info\"", {"\"debug\"", "\"warn\"", "\"error\""}, {"\"INFO\"", "1"},
		"one of \"debug\", \"info\", \"warn\", \"error\""},
	{"auth.issuer", "\"https://auth.openai.com\"", {"\"http://127.0.0.1:1\""},
		{"\"\"", "\"auth.openai.com\"", "1"}, "an http or https URL"},
	{"auth.clientId", "\"app_EMoamEEZ73f0CkXaXp7hrann\"", {"\"x\""},
		{"\"\"", "\"a b\\n\"", "1"}, "printable ASCII"},
	{"auth.redirectUri", "\"http://localhost:1455/auth/callback\"",
		{"\"http://localhost:1/cb\""}, {"\"\"", "\"localhost\"", "1"},
		"an http or https URL"},
	{"upstream.baseUrl", "\"https://chatgpt.com/backend-api\"",
		{"\"http://127.0.0.1:1/codex/responses\""},
		{"\"\"", "\"chatgpt.com\"", "\"ftp://x\"", "1"}, "an http or https URL"},
	{"upstream.originator", "\"codex_slot_relay\"", {"\"x\""}, {"\"\"", "\"a\\r\\nb: c\"", "1"},
		"printable ASCII"},
	{"upstream.userAgent", "\"codex-slot-relay/" RELAY_VERSION "\"", {"\"x/1 (y)\""},
		{"\"\"", "\"ä\"", "\"a\\nb\""}, "printable ASCII"},
	{"upstream.clientVersion", "\"0.169.0\"", {"\"1.2.3-alpha.4\""},
		{"\"\"", "\"1 2\"", "\"1&x=2\"", "1"}, "a version like"},
	{"upstream.httpVersion", "\"1.1\"", {"\"2\""}, {"1.1", "\"1.0\"", "2"},
		"one of \"1.1\", \"2\""},
	{"upstream.transport", "\"auto\"", {"\"http\"", "\"websocket\""},
		{"\"ws\"", "true", "\"\""}, "one of \"auto\", \"http\", \"websocket\""},
	{"upstream.connectTimeoutSeconds", "10", {"1", "120"}, {INT_BAD("0", "121")},
		"between 1 and 120"},
	{"upstream.caFile", "\"\"", {"\"/ca.pem\""}, {"1"}, "a text"},
	{"upstream.proxy", "\"\"", {"\"none\"", "\"socks5h://h:1\"", "\"http://h\""},
		{"\"h:1\"", "\"http://\"", "1"}, "the URL of an HTTP or SOCKS proxy"},
	{"openclaw.command", "\"openclaw\"", {"\"claw\"", "\"/opt/claw\""},
		{"\"\"", "\"./claw\"", "\"bin/claw\"", "1"}, "a program or an absolute path"},
	{"openclaw.commandTimeoutSeconds", "60", {"1", "3600"}, {INT_BAD("0", "3601")},
		"between 1 and 3600"},
	{"openclaw.loginTimeoutSeconds", "900", {"1", "86400"}, {INT_BAD("0", "86401")},
		"between 1 and 86400"},
	{"openclaw.startTimeoutSeconds", "90", {"1", "3600"}, {INT_BAD("0", "3601")},
		"between 1 and 3600"},
	{"openclaw.healthSeconds", "30", {"1", "3600"}, {INT_BAD("0", "3601")},
		"between 1 and 3600"},
	{"openclaw.idleSeconds", "900", {"1", "604800"}, {INT_BAD("0", "604801")},
		"between 1 and 604800"},
};

/* {"group":{"name":value}} for "group.name". */
static void wrap(char *out, size_t size, const char *name, const char *value)
{
	const char *dot = strchr(name, '.');
	size_t n;

	if (!dot) {
		snprintf(out, size, "{\"%s\":%s}", name, value);
		return;
	}
	snprintf(out, size, "{\"%.*s\":", (int)(dot - name), name);
	n = strlen(out);
	wrap(out + n, size - n, dot + 1, value);
	n += strlen(out + n);
	snprintf(out + n, size - n, "}");
}

static int parse(const char *text, struct conf **ret, struct conf_error *err)
{
	return conf_parse(sv_cstr(text), "/r", NULL, ret, err);
}

/* A key's value in what conf_write() shows, as JSON text; the caller frees. */
static char *shown(const struct conf *c, const char *name)
{
	json_t *doc = conf_json(c, true, false);
	json_t *at = conf_edit_get(doc, name);
	char *text;

	assert_non_null(at);
	text = json_dumps(at, JSON_ENCODE_ANY);
	json_decref(doc);
	return text;
}

static void assert_shown(const struct conf *c, const char *name, const char *want)
{
	char *text = shown(c, name);
	json_t *got = json_loads(text, JSON_DECODE_ANY, NULL);
	json_t *expected = json_loads(want, JSON_DECODE_ANY, NULL);

	if (json_number_value(got) != json_number_value(expected) ||
		(!json_is_number(got) && !json_equal(got, expected)))
		fail_msg("%s is %s, want %s", name, text, want);
	json_decref(expected);
	json_decref(got);
	free(text);
}

static void test_every_key_has_a_case(void **state)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(cases) && strcmp(cases[k].name, rows[i].name) != 0)
			k++;
		if (k == ARRAY_LEN(cases))
			fail_msg("%s has no case", rows[i].name);
		assert_true(rows[i].help && *rows[i].help);
	}
	assert_int_equal(count, ARRAY_LEN(cases));
}

static void test_defaults(void **state)
{
	struct conf *c = conf_default("/r", NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_shown(c, cases[i].name, cases[i].fallback);
	assert_int_equal(c->unknown_count, 0);
	conf_unref(c);
}

static void test_good_values_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t k = 0; k < TEXTS_MAX && cases[i].good[k]; k++) {
			struct conf_error err = {""};
			struct conf *c;
			char text[512];

			wrap(text, sizeof(text), cases[i].name, cases[i].good[k]);
			if (parse(text, &c, &err) != 0)
				fail_msg("%s: %s", text, err.message);
			assert_shown(c, cases[i].name, cases[i].good[k]);
			conf_unref(c);
		}
	}
}

static void test_bad_values_are_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t k = 0; k < TEXTS_MAX && cases[i].bad[k]; k++) {
			struct conf_error err = {""};
			struct conf *c = NULL;
			char text[512], head[128];

			wrap(text, sizeof(text), cases[i].name, cases[i].bad[k]);
			snprintf(head, sizeof(head), "relay.json: %s: must be ", cases[i].name);
			if (parse(text, &c, &err) != -EINVAL)
				fail_msg("%s was taken", text);
			assert_null(c);
			if (strncmp(err.message, head, strlen(head)) != 0 ||
				!strstr(err.message, cases[i].told))
				fail_msg("%s: said %s", text, err.message);
		}
	}
}

static void test_null_means_the_default(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf_error err;
		struct conf *c;
		char text[512];

		wrap(text, sizeof(text), cases[i].name, "null");
		assert_int_equal(parse(text, &c, &err), 0);
		assert_shown(c, cases[i].name, cases[i].fallback);
		conf_unref(c);
	}
}

static void test_no_token_in_a_refusal(void **state)
{
	static const char *const texts[] = {
		"{\"authToken\":\"sekret sekret\"}",
		"{\"authToken\":[\"sekret\"]}",
		"{\"authTokenAliases\":[\"ok\",\"sekret\\u0001\"]}",
		"{\"authToken\":\"sekret\" sekret}",
		"{\"authToken\":\"sekret",
		"{\"sekret\":1,\"sekret\":2}",
		"\"sekret\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct conf_error err = {""};
		struct conf *c;

		assert_int_equal(parse(texts[i], &c, &err), -EINVAL);
		assert_true(err.message[0] != '\0');
		if (strstr(err.message, "sekret"))
			fail_msg("told: %s", err.message);
	}
}

static void test_documents_that_are_none(void **state)
{
	static const struct {
		const char *text, *told;
	} docs[] = {
		{"", "line 1, column 0: ends too early"},
		{"{", "ends too early"},
		{"[]", "must be a JSON object"},
		{"null", "must be a JSON object"},
		{"{} x", "something follows the end"},
		{"{\"a\":1,\"a\":2}", "a key that is there already"},
		{"{\"listen\":\"\xff\"}", "not UTF-8"},
		{"{\"thresholds\":5}", "thresholds: must be an object"},
		{"{\"upstream\":\"http://x\"}", "upstream: must be an object"},
		{"{\n\"listen\" 1}", "line 2, column"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
		struct conf_error err = {""};
		struct conf *c;

		assert_int_equal(parse(docs[i].text, &c, &err), -EINVAL);
		if (!strstr(err.message, docs[i].told) ||
			strncmp(err.message, "relay.json: ", 12) != 0)
			fail_msg("%s: said %s", docs[i].text, err.message);
	}
}

static void test_byte_order_mark_is_skipped(void **state)
{
	struct conf_error err;
	struct conf *c;

	(void)state;
	assert_int_equal(parse("\xEF\xBB\xBF{\"usageTtlSeconds\":7}", &c, &err), 0);
	assert_int_equal(c->usage_ttl_s, 7);
	conf_unref(c);
}

static void test_unknown_keys_are_listed(void **state)
{
	struct conf_error err;
	struct conf *c;

	(void)state;
	assert_int_equal(parse("{\"x\":1,\"thresholds\":{\"min5hPct\":1,\"y\":{}},\"usage\":null,"
			       "\"thresholds.minWeekPct\":3,\"list\":true}",
				 &c, &err),
		0);
	assert_int_equal(c->unknown_count, 4);
	assert_string_equal(c->unknown_keys[0], "x");
	assert_string_equal(c->unknown_keys[1], "thresholds.y");
	assert_string_equal(c->unknown_keys[2], "thresholds.minWeekPct");
	assert_string_equal(c->unknown_keys[3], "list");
	assert_true(c->min_week_pct == 10);
	conf_unref(c);
}

static void test_who_names_root_and_profile(void **state)
{
	static const char text[] = "{\"profile\":\"of-file\",\"runtimeRoot\":\"/elsewhere\"}";
	struct conf_error err;
	struct conf *c;

	(void)state;
	assert_int_equal(conf_parse(sv_cstr(text), "/r", NULL, &c, &err), 0);
	assert_string_equal(c->profile, "of-file");
	assert_string_equal(c->runtime_root, "/r");
	conf_unref(c);
	assert_int_equal(conf_parse(sv_cstr(text), "/r", "asked", &c, &err), 0);
	assert_string_equal(c->profile, "asked");
	conf_unref(c);
	assert_int_equal(conf_parse(SV("{\"profile\":1}"), "/r", "asked", &c, &err), -EINVAL);
}

static void test_tokens(void **state)
{
	struct conf_error err;
	struct conf *c = conf_default("/r", NULL);

	(void)state;
	assert_true(conf_token_ok(c, SV("relay-dev-token")));
	assert_true(conf_token_ok(c, SV("relay-internal-token")));
	assert_false(conf_token_ok(c, SV("relay-dev-toke")));
	assert_false(conf_token_ok(c, SV("")));
	assert_false(conf_token_ok(c, SV_NONE));
	conf_unref(c);
	assert_int_equal(
		parse("{\"authToken\":\"own\",\"authTokenAliases\":[\"a1\",\"a2\"]}", &c, &err), 0);
	assert_true(conf_token_ok(c, SV("own")));
	assert_true(conf_token_ok(c, SV("a1")));
	assert_true(conf_token_ok(c, SV("a2")));
	assert_false(conf_token_ok(c, SV("relay-dev-token")));
	assert_false(conf_token_ok(c, SV("relay-internal-token")));
	conf_unref(c);
}

static void test_too_many_aliases(void **state)
{
	char text[1024] = "{\"authTokenAliases\":[\"a\"";
	struct conf_error err;
	struct conf *c;
	size_t n = strlen(text);

	(void)state;
	for (int i = 0; i < CONF_ALIASES_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",\"a\"");
	snprintf(text + n, sizeof(text) - n, "]}");
	assert_int_equal(parse(text, &c, &err), -EINVAL);
}

static void test_model_names_are_bounded(void **state)
{
	struct conf_names list = {0};
	struct conf_name_map map = {0};
	json_t *names = json_array();
	json_t *pairs = json_object();
	char longest[CONF_NAME_BYTES_MAX + 2];

	(void)state;
	for (int i = 0; i <= CONF_NAMES_MAX; i++) {
		snprintf(longest, sizeof(longest), "m%d", i);
		json_array_append_new(names, json_string(longest));
		json_object_set_new(pairs, longest, json_string("x"));
	}
	assert_false(conf_names_set(&list, names));
	assert_false(conf_names_set_map(&map, pairs));
	json_array_remove(names, 0);
	json_object_del(pairs, "m0");
	assert_true(conf_names_set(&list, names));
	assert_true(conf_names_set_map(&map, pairs));
	assert_true(conf_names_has(&list, SV("m256")));
	assert_false(conf_names_has(&list, SV("m0")));
	assert_string_equal(conf_names_look_up(&map, SV("m7")), "x");
	assert_null(conf_names_look_up(&map, SV("x")));
	memset(longest, 'a', sizeof(longest));
	assert_true(conf_names_is_name(sv_make(longest, CONF_NAME_BYTES_MAX)));
	assert_false(conf_names_is_name(sv_make(longest, CONF_NAME_BYTES_MAX + 1)));
	conf_names_fini(&list);
	conf_names_fini_map(&map);
	json_decref(names);
	json_decref(pairs);
}

static char *written(const struct conf *c, bool with_secrets)
{
	struct buf out;
	char *text;

	buf_init(&out, KIB(64));
	conf_write(c, with_secrets, &out);
	text = mem_strdup(buf_cstr(&out));
	buf_fini(&out);
	return text;
}

static void test_show_leaves_secrets_out(void **state)
{
	struct conf_error err;
	struct conf *c, *again;
	char *text;

	(void)state;
	assert_int_equal(parse("{\"authToken\":\"sekret-1\",\"authTokenAliases\":[\"sekret-2\"],"
			       "\"upstream\":{\"proxy\":\"http://user:sekret-3@host:1\"}}",
				 &c, &err),
		0);
	text = written(c, false);
	assert_null(strstr(text, "sekret"));
	assert_null(strstr(text, "authToken"));
	assert_non_null(strstr(text, "http://***@host:1"));
	free(text);
	text = written(c, true);
	assert_non_null(strstr(text, "sekret-1"));
	assert_non_null(strstr(text, "sekret-2"));
	assert_non_null(strstr(text, "sekret-3"));
	/* What was written reads back the same. */
	assert_int_equal(parse(text, &again, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *one = shown(c, cases[i].name);

		assert_shown(again, cases[i].name, one);
		free(one);
	}
	assert_int_equal(again->unknown_count, 0);
	free(text);
	conf_unref(again);
	conf_unref(c);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(conf_policy_name(POLICY_BEST_5H), "best-5h-then-week");
	assert_string_equal(conf_policy_name(POLICY_BEST_WEEK), "best-week-then-5h");
	assert_string_equal(conf_policy_name(POLICY_LEAST_RECENTLY_USED), "least-recently-used");
	assert_string_equal(conf_policy_name(POLICY_RESET_SOONEST), "reset-soonest");
	assert_string_equal(conf_policy_name(POLICY_ROUND_ROBIN), "round-robin");
	assert_string_equal(conf_policy_name(POLICY_FILL_FIRST), "fill-first");
	assert_string_equal(conf_policy_name(POLICY_WEIGHTED), "weighted");
	assert_string_equal(conf_policy_name(POLICY_PACE), "pace");
	assert_string_equal(conf_backend_name(BACKEND_NATIVE), "native");
	assert_string_equal(conf_backend_name(BACKEND_OPENCLAW), "openclaw");
	assert_string_equal(conf_backend_name(BACKEND_LOCAL_CACHE), "local-cache");
}

static void test_references(void **state)
{
	struct conf *c = conf_default("/r", "p");

	(void)state;
	assert_ptr_equal(conf_ref(c), c);
	conf_unref(c);
	assert_string_equal(c->profile, "p");
	conf_unref(c);
	conf_unref(NULL);
}

static void test_load_tells_what_to_do_without_a_file(void **state)
{
	struct conf_error err = {""};
	struct conf *c;

	(void)state;
	assert_int_equal(conf_load("/nowhere/at/all", NULL, &c, &err), -ENOENT);
	assert_non_null(strstr(err.message, "/nowhere/at/all/config/relay.json"));
	assert_non_null(strstr(err.message, "init"));
}

static void test_reference_document_is_up_to_date(void **state)
{
	const char *tests = getenv("TESTS_DIR");
	struct buf want, got;
	char *path;

	(void)state;
	assert_non_null(tests);
	path = runtime_path(tests, "../docs/config.md");
	buf_init(&want, MIB(1));
	buf_init(&got, MIB(1));
	conf_table_doc(&want);
	assert_int_equal(durable_read(path, &got), 0);
	if (!sv_eq(buf_sv(&want), buf_sv(&got)))
		fail_msg("run: codex-slot-relay config-doc > docs/config.md");
	buf_fini(&want);
	buf_fini(&got);
	free(path);
}

static void test_admin_token_is_a_separate_one(void **state)
{
	struct conf_error err;
	struct conf *c;

	(void)state;
	assert_int_equal(parse("{\"authToken\":\"own\"}", &c, &err), 0);
	assert_true(conf_admin_token_ok(c, SV("own")));
	assert_false(conf_admin_token_ok(c, SV("")));
	conf_unref(c);
	assert_int_equal(parse("{\"authToken\":\"own\",\"adminToken\":\"root\"}", &c, &err), 0);
	assert_true(conf_admin_token_ok(c, SV("root")));
	assert_false(conf_admin_token_ok(c, SV("own")));
	assert_false(conf_admin_token_ok(c, SV("")));
	assert_false(conf_token_ok(c, SV("root")));
	assert_true(conf_token_ok(c, SV("own")));
	conf_unref(c);
}

static void test_admin_token_must_differ(void **state)
{
	static const char *const texts[] = {"{\"authToken\":\"a\",\"adminToken\":\"a\"}",
		"{\"authTokenAliases\":[\"a\"],\"adminToken\":\"a\"}",
		"{\"adminToken\":\"relay-internal-token\"}"};
	struct conf_error err;
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(parse(texts[i], &c, &err), -EINVAL);
		assert_non_null(strstr(err.message, "adminToken: must not be one"));
	}
}

/* listen as text of the file, what stands for it where one address is wanted, and as it goes back.
 */
static void test_one_listener_and_several(void **state)
{
	static const struct {
		const char *text, *first, *second;
		bool has_tls;
	} rows[] = {
		{"\":1\"", ":1", NULL, false},
		{"[\":1\"]", ":1", NULL, false},
		{"[\"tls://:2\",\":1\"]", ":1", ":1", true},
		{"[\"unix:run/s\",\"unix:/s\"]", "unix:run/s", "unix:/s", false},
		{"\"tls://:2\"", "tls://:2", NULL, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf_error err;
		char text[256], *back, *second, *root;
		struct conf *c;
		json_t *doc;

		snprintf(text, sizeof(text), "{\"listen\":%s}", rows[i].text);
		assert_int_equal(parse(text, &c, &err), 0);
		assert_string_equal(c->listen, rows[i].first);
		assert_int_equal(conf_listen_has_tls(&c->listeners), rows[i].has_tls);
		second = conf_listen_address(&c->listeners, 1, "/r");
		assert_true(!second == !rows[i].second);
		if (second)
			assert_string_equal(second, rows[i].second);
		root = conf_listen_address(&c->listeners, 0, "/r/");
		if (strcmp(c->listen, "unix:run/s") == 0)
			assert_string_equal(root, "unix:/r/run/s");
		doc = conf_json(c, false, false);
		back = json_dumps(json_object_get(doc, "listen"), JSON_ENCODE_ANY | JSON_COMPACT);
		assert_string_equal(back, rows[i].text);
		free(back);
		free(root);
		free(second);
		json_decref(doc);
		conf_unref(c);
	}
}

static void note_key(void *arg, const struct conf_key *key)
{
	struct buf *names = arg;

	buf_addf(names, "%s%s ", key->name, key->needs_restart ? "!" : "");
}

static void test_changes_are_named(void **state)
{
	struct conf_error err;
	struct conf *a, *b;
	struct buf names;

	(void)state;
	buf_init(&names, KIB(4));
	assert_int_equal(parse("{\"authTokenAliases\":[\"x\"]}", &a, &err), 0);
	assert_int_equal(parse("{\"listen\":\":1\",\"authTokenAliases\":[\"y\"],"
			       "\"thresholds\":{\"min5hPct\":1},\"upstream\":{\"caFile\":\"/c\"}}",
				 &b, &err),
		0);
	conf_changes(a, a, note_key, &names);
	assert_int_equal(names.len, 0);
	conf_changes(a, b, note_key, &names);
	assert_string_equal(
		buf_cstr(&names), "listen! authTokenAliases thresholds.min5hPct upstream.caFile! ");
	buf_fini(&names);
	conf_unref(a);
	conf_unref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_has_a_case),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_good_values_are_taken),
		cmocka_unit_test(test_bad_values_are_refused_by_name),
		cmocka_unit_test(test_null_means_the_default),
		cmocka_unit_test(test_no_token_in_a_refusal),
		cmocka_unit_test(test_documents_that_are_none),
		cmocka_unit_test(test_byte_order_mark_is_skipped),
		cmocka_unit_test(test_unknown_keys_are_listed),
		cmocka_unit_test(test_who_names_root_and_profile),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_too_many_aliases),
		cmocka_unit_test(test_model_names_are_bounded),
		cmocka_unit_test(test_show_leaves_secrets_out),
		cmocka_unit_test(test_admin_token_is_a_separate_one),
		cmocka_unit_test(test_admin_token_must_differ),
		cmocka_unit_test(test_one_listener_and_several),
		cmocka_unit_test(test_changes_are_named),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_load_tells_what_to_do_without_a_file),
		cmocka_unit_test(test_reference_document_is_up_to_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
