#include "slots/oauth_device.h"

#include "rig.h"

static struct call_result answer(int status, const char *body)
{
	return (struct call_result){
		.outcome = status ? FETCH_OK : FETCH_CONNECT,
		.status = status,
		.body = sv_cstr(body),
		.message = "refused",
	};
}

static void bodies_and_page(void **state)
{
	struct oauth_device d = {.device_auth_id = "d\"1", .user_code = "AB-1"};
	struct conf *conf = conf_default("/r", NULL);
	struct buf out;

	(void)state;
	buf_init(&out, KIB(1));
	oauth_device_start_body(conf, &out);
	assert_string_equal(buf_cstr(&out), "{\"client_id\":\"app_EMoamEEZ73f0CkXaXp7hrann\"}");
	buf_reset(&out, 0);
	oauth_device_poll_body(&d, &out);
	assert_string_equal(
		buf_cstr(&out), "{\"device_auth_id\":\"d\\\"1\",\"user_code\":\"AB-1\"}");
	buf_reset(&out, 0);
	oauth_device_url(conf, &out);
	assert_string_equal(buf_cstr(&out), "https://auth.openai.com/codex/device");
	buf_fini(&out);
	conf_unref(conf);
}

static void a_start_has_id_code_and_interval(void **state)
{
	static const struct {
		const char *more;
		int64_t interval_ms;
	} rows[] = {
		{"\"user_code\":\"AB-1\",\"interval\":7", 7000},
		{"\"usercode\":\"AB-1\",\"interval\":\"7\"", 7000},
		{"\"usercode\":\" AB-1 \",\"interval\":2.5", 2500},
		{"\"user_code\":\"AB-1\"", 5000},
		{"\"user_code\":\"AB-1\",\"interval\":null", 5000},
		{"\"user_code\":\"AB-1\",\"interval\":\"soon\"", 5000},
		{"\"user_code\":\"AB-1\",\"interval\":0", 5000},
		{"\"user_code\":\"AB-1\",\"interval\":-3", 5000},
		{"\"user_code\":\"AB-1\",\"interval\":0.001", 1000},
		{"\"user_code\":\"AB-1\",\"interval\":1e300", 60000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct oauth_device d = {.interval_ms = 0};
		struct call_result r;
		char body[256], message[128];

		snprintf(body, sizeof(body), "{\"device_auth_id\":\"d1\",%s}", rows[i].more);
		r = answer(200, body);
		assert_int_equal(oauth_device_read_start(&r, &d, message, sizeof(message)),
			OAUTH_DEVICE_STARTED);
		assert_string_equal(d.device_auth_id, "d1");
		assert_string_equal(d.user_code, "AB-1");
		if (d.interval_ms != rows[i].interval_ms)
			fail_msg("%s: %lld", rows[i].more, (long long)d.interval_ms);
	}
}

static void a_start_that_failed_says_why(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum oauth_device_start want;
		const char *told;
	} rows[] = {
		{404, "{\"detail\":\"Not Found\"}", OAUTH_DEVICE_NOT_ENABLED, "not enabled"},
		{400, "{\"error\":{\"code\":\"invalid_client\"}}", OAUTH_DEVICE_FAILED,
			"status 400 (invalid_client)"},
		{500, "<html>", OAUTH_DEVICE_FAILED, "status 500"},
		{0, "", OAUTH_DEVICE_FAILED, "refused"},
		{200, "", OAUTH_DEVICE_FAILED, "makes no sense"},
		{200, "{\"device_auth_id\":\"d\"}", OAUTH_DEVICE_FAILED, "makes no sense"},
		{200, "{\"device_auth_id\":\"d\",\"user_code\":\"A\\u001b[2J\"}",
			OAUTH_DEVICE_FAILED, "makes no sense"},
		{200,
			"{\"device_auth_id\":\"d\",\"user_code\":"
			"\"0123456789012345678901234567890123\"}",
			OAUTH_DEVICE_FAILED, "makes no sense"},
		{200, "{\"device_auth_id\":{},\"user_code\":\"A\"}", OAUTH_DEVICE_FAILED,
			"makes no sense"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_result r = answer(rows[i].status, rows[i].body);
		struct oauth_device d = {.user_code = "before"};
		char message[128] = "";

		assert_int_equal(
			oauth_device_read_start(&r, &d, message, sizeof(message)), rows[i].want);
		if (!strstr(message, rows[i].told))
			fail_msg("row %zu: %s", i, message);
		assert_string_equal(d.user_code, "before");
	}
}

static void polls_mean_what_they_say(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum oauth_device_poll want;
	} rows[] = {
		{200, "{\"authorization_code\":\"c0de\",\"code_verifier\":\"ver\"}",
			OAUTH_POLL_APPROVED},
		{200, "{\"authorization_code\":\"c0de\"}", OAUTH_POLL_FAILED},
		{200, "{\"authorization_code\":\"c de\",\"code_verifier\":\"ver\"}",
			OAUTH_POLL_FAILED},
		{200, "", OAUTH_POLL_FAILED},
		{302, "", OAUTH_POLL_FAILED},
		{403, "", OAUTH_POLL_PENDING},
		{404, "<html>", OAUTH_POLL_PENDING},
		{403, "{\"error\":{\"code\":\"deviceauth_authorization_unknown\"}}",
			OAUTH_POLL_PENDING},
		{400, "{\"error\":\"authorization_pending\"}", OAUTH_POLL_PENDING},
		{400, "{\"error\":\"slow_down\"}", OAUTH_POLL_SLOW_DOWN},
		{403, "{\"error\":{\"code\":\"slow_down\"}}", OAUTH_POLL_SLOW_DOWN},
		{429, "", OAUTH_POLL_SLOW_DOWN},
		{400, "{\"error\":\"access_denied\"}", OAUTH_POLL_DENIED},
		{403, "{\"error\":{\"code\":\"deviceauth_denied\"}}", OAUTH_POLL_DENIED},
		{400, "{\"error\":\"expired_token\"}", OAUTH_POLL_EXPIRED},
		{404, "{\"error\":{\"code\":\"deviceauth_expired\"}}", OAUTH_POLL_EXPIRED},
		{410, "", OAUTH_POLL_EXPIRED},
		{400, "{\"error\":\"invalid_client\"}", OAUTH_POLL_FAILED},
		{401, "", OAUTH_POLL_FAILED},
		{408, "", OAUTH_POLL_TROUBLE},
		{500, "", OAUTH_POLL_TROUBLE},
		{503, "{\"error\":\"access_denied\"}", OAUTH_POLL_TROUBLE},
		{0, "", OAUTH_POLL_TROUBLE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_result r = answer(rows[i].status, rows[i].body);
		struct secret code = {0}, verifier = {0};
		char message[128] = "";
		enum oauth_device_poll got =
			oauth_device_read_poll(&r, &code, &verifier, message, sizeof(message));

		if (got != rows[i].want)
			fail_msg("%d %s: %d", rows[i].status, rows[i].body, (int)got);
		assert_true((got == OAUTH_POLL_APPROVED) == secret_equals(&code, SV("c0de")));
		assert_true((got == OAUTH_POLL_APPROVED) == secret_equals(&verifier, SV("ver")));
		assert_true((got == OAUTH_POLL_FAILED) == (message[0] != '\0'));
		secret_fini(&code);
		secret_fini(&verifier);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_and_page),
		cmocka_unit_test(a_start_has_id_code_and_interval),
		cmocka_unit_test(a_start_that_failed_says_why),
		cmocka_unit_test(polls_mean_what_they_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
