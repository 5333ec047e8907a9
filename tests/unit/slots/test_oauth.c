#include "slots/oauth.h"

#include "rig.h"

/* What every answer and message is searched for. */
#define TOKEN "SECRET-token"

static struct call_result answer(int status, const char *body)
{
	return (struct call_result){
		.outcome = FETCH_OK,
		.status = status,
		.body = sv_cstr(body),
		.message = "",
	};
}

static struct oauth_answer read_answer(const struct call_result *r)
{
	struct oauth_answer a;

	oauth_answer_read(r, NOW_MS, &a);
	assert_int_equal(a.status, r->status);
	assert_null(strstr(a.message, TOKEN));
	assert_null(strstr(a.code, TOKEN));
	assert_true((a.outcome == OAUTH_GRANTED) == (a.message[0] == '\0'));
	return a;
}

/* Example of RFC 7636, appendix B. */
static void challenge_is_the_rfc_s(void **state)
{
	char challenge[OAUTH_CHALLENGE_SIZE];

	(void)state;
	oauth_challenge(SV("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), challenge);
	assert_string_equal(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

static void logins_are_random_and_of_full_length(void **state)
{
	struct oauth_login a, b;
	char challenge[OAUTH_CHALLENGE_SIZE];

	(void)state;
	oauth_login_init(&a);
	oauth_login_init(&b);
	assert_int_equal(strlen(a.verifier), OAUTH_VERIFIER_SIZE - 1);
	assert_int_equal(strlen(a.state), OAUTH_STATE_SIZE - 1);
	assert_string_not_equal(a.verifier, b.verifier);
	assert_string_not_equal(a.state, b.state);
	oauth_challenge(sv_cstr(a.verifier), challenge);
	assert_string_equal(a.challenge, challenge);
	oauth_login_fini(&a);
	assert_string_equal(a.verifier, "");
	oauth_login_fini(&b);
	oauth_login_fini(NULL);
}

static struct conf *conf_with(const char *text)
{
	struct conf_error err;
	struct conf *conf;

	assert_int_equal(conf_parse(sv_cstr(text), "/r", NULL, &conf, &err), 0);
	return conf;
}

static void authorize_url_has_every_parameter(void **state)
{
	static const char want[] =
		"https://auth.openai.com/oauth/authorize?response_type=code"
		"&client_id=app_EMoamEEZ73f0CkXaXp7hrann"
		"&redirect_uri=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback"
		"&scope=openid%20profile%20email%20offline_access&code_challenge=CH"
		"&code_challenge_method=S256&id_token_add_organizations=true"
		"&codex_cli_simplified_flow=true&state=ST&originator=codex_slot_relay";
	struct oauth_login l = {.challenge = "CH", .state = "ST", .verifier = "V"};
	struct conf *conf = conf_with("{}");
	struct buf out;

	(void)state;
	buf_init(&out, KIB(4));
	oauth_authorize_url(conf, &l, false, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_reset(&out, 0);
	oauth_authorize_url(conf, &l, true, &out);
	assert_true(sv_ends(buf_sv(&out), SV("&originator=codex_slot_relay&prompt=login")));
	buf_fini(&out);
	conf_unref(conf);
}

static void issuer_may_end_in_slashes(void **state)
{
	static const struct {
		enum oauth_endpoint endpoint;
		const char *url;
	} rows[] = {
		{OAUTH_TOKEN, "http://i:1/x/oauth/token"},
		{OAUTH_USERCODE, "http://i:1/x/api/accounts/deviceauth/usercode"},
		{OAUTH_DEVICE_TOKEN, "http://i:1/x/api/accounts/deviceauth/token"},
	};
	struct conf *conf = conf_with("{\"auth\":{\"issuer\":\"http://i:1/x//\"}}");
	struct buf out;

	(void)state;
	buf_init(&out, KIB(4));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&out, 0);
		oauth_url(conf, rows[i].endpoint, &out);
		assert_string_equal(buf_cstr(&out), rows[i].url);
	}
	buf_reset(&out, 0);
	oauth_device_redirect_uri(conf, &out);
	assert_string_equal(buf_cstr(&out), "http://i:1/x/deviceauth/callback");
	buf_fini(&out);
	conf_unref(conf);
}

static void bodies_are_forms(void **state)
{
	struct conf *conf = conf_with("{\"auth\":{\"clientId\":\"me&you\"}}");
	struct secret refresh = {0};
	struct buf out;

	(void)state;
	secret_set(&refresh, SV("r/+=&t"));
	buf_init(&out, KIB(4));
	oauth_exchange_body(conf, SV("c+d"), SV("http://x/y"), SV("v-_"), &out);
	assert_string_equal(buf_cstr(&out),
		"grant_type=authorization_code&client_id=me%26you&code=c%2Bd"
		"&redirect_uri=http%3A%2F%2Fx%2Fy&code_verifier=v-_");
	buf_reset(&out, 0);
	oauth_refresh_body(conf, &refresh, &out);
	assert_string_equal(buf_cstr(&out),
		"grant_type=refresh_token&client_id=me%26you&refresh_token=r%2F%2B%3D%26t"
		"&scope=openid%20profile%20email");
	buf_fini(&out);
	secret_fini(&refresh);
	conf_unref(conf);
}

static void grants_are_filled_from_tokens_and_claims(void **state)
{
	char *access = rig_jwt(
		"{\"exp\":1790000777,\"https://api.openai.com/auth\":{\"chatgpt_account_id\":"
		"\"acc\",\"chatgpt_plan_type\":\"plus\",\"chatgpt_user_id\":\"user\"}}");
	char *id_token = rig_jwt("{\"email\":\"me@x\",\"exp\":5}");
	char body[2048];
	struct call_result r;
	struct oauth_answer a;

	(void)state;
	snprintf(body, sizeof(body),
		"{\"access_token\":\"%s\",\"refresh_token\":\"R\",\"id_token\":\"%s\","
		"\"expires_in\":100}",
		access, id_token);
	r = answer(200, body);
	a = read_answer(&r);
	assert_int_equal(a.outcome, OAUTH_GRANTED);
	assert_true(secret_equals(&a.grant.access, sv_cstr(access)));
	assert_true(secret_equals(&a.grant.refresh, SV("R")));
	assert_true(secret_equals(&a.grant.id_token, sv_cstr(id_token)));
	assert_string_equal(a.grant.account_id, "acc");
	assert_string_equal(a.grant.user_id, "user");
	assert_string_equal(a.grant.plan_type, "plus");
	assert_string_equal(a.grant.email, "me@x");
	assert_int_equal(a.grant.expires_ms, NOW_MS + 100 * 1000);
	oauth_answer_fini(&a);
	free(access);
	free(id_token);
}

static void expiry_is_expires_in_or_the_token_s(void **state)
{
	char *access = rig_jwt("{\"exp\":1790000777}");
	const struct {
		const char *token, *more;
		int64_t expires_ms;
	} rows[] = {
		{access, "", INT64_C(1790000777000)},
		{access, ",\"expires_in\":60", NOW_MS + 60000},
		{access, ",\"expires_in\":\"60\"", NOW_MS + 60000},
		{access, ",\"expires_in\":0", INT64_C(1790000777000)},
		{access, ",\"expires_in\":-5", INT64_C(1790000777000)},
		{access, ",\"expires_in\":1e300", INT64_C(1790000777000)},
		{access, ",\"expires_in\":[]", INT64_C(1790000777000)},
		{"opaque", "", 0},
		{"opaque", ",\"expires_in\":7", NOW_MS + 7000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char body[1024];
		struct call_result r;
		struct oauth_answer a;

		snprintf(body, sizeof(body), "{\"access_token\":\"%s\"%s}", rows[i].token,
			rows[i].more);
		r = answer(200, body);
		a = read_answer(&r);
		assert_int_equal(a.outcome, OAUTH_GRANTED);
		if (a.grant.expires_ms != rows[i].expires_ms)
			fail_msg("%s: %lld", rows[i].more, (long long)a.grant.expires_ms);
		oauth_answer_fini(&a);
	}
	free(access);
}

static void answers_mean_what_they_say(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum oauth_outcome outcome;
		const char *code;
	} rows[] = {
		{400, "{\"error\":\"invalid_grant\",\"error_description\":\"" TOKEN "\"}",
			OAUTH_DEAD, "invalid_grant"},
		{401, "{\"error\":{\"code\":\"refresh_token_reused\",\"message\":\"" TOKEN "\"}}",
			OAUTH_DEAD, "refresh_token_reused"},
		{401, "{\"error\":{\"code\":\"refresh_token_expired\",\"type\":null}}", OAUTH_DEAD,
			"refresh_token_expired"},
		{401, "{\"error\":{\"type\":\"refresh_token_invalidated\",\"code\":null}}",
			OAUTH_DEAD, "refresh_token_invalidated"},
		{400, "{\"code\":\"token_revoked\",\"message\":\"gone\"}", OAUTH_DEAD,
			"token_revoked"},
		{403, "{\"detail\":{\"code\":\"app_session_terminated\"}}", OAUTH_DEAD,
			"app_session_terminated"},
		{401, "{\"error\":{\"code\":\"token_expired\"}}", OAUTH_DEAD, "token_expired"},
		{401, "{\"error\":{\"code\":\"account_session_expired\"}}", OAUTH_DEAD,
			"account_session_expired"},
		{401, "{\"error\":\"invalid_client\"}", OAUTH_REFUSED, "invalid_client"},
		{401, "", OAUTH_REFUSED, ""},
		{401, "{\"error\":\"" TOKEN "\"}", OAUTH_REFUSED, ""},
		{403, "<html>Just a moment</html>", OAUTH_REFUSED, ""},
		{429, "{\"error\":{\"code\":\"rate_limit_exceeded\"}}", OAUTH_REFUSED,
			"rate_limit_exceeded"},
		{302, "", OAUTH_REFUSED, ""},
		{500, "{\"error\":{\"code\":\"server_error\"}}", OAUTH_REFUSED, "server_error"},
		{503, "{\"error\":\"invalid_grant\"}", OAUTH_REFUSED, "invalid_grant"},
		{502, "<html>" TOKEN "</html>", OAUTH_IN_DOUBT, ""},
		{504, "", OAUTH_IN_DOUBT, ""},
		{524, "", OAUTH_IN_DOUBT, ""},
		{408, "{\"error\":\"invalid_grant\"}", OAUTH_IN_DOUBT, "invalid_grant"},
		{200, "", OAUTH_IN_DOUBT, ""},
		{200, "{}", OAUTH_IN_DOUBT, ""},
		{200, "[]", OAUTH_IN_DOUBT, ""},
		{200, "{\"access_token\":\"\",\"refresh_token\":\"" TOKEN "\"}", OAUTH_IN_DOUBT,
			""},
		{200, "{\"access_token\":\"" TOKEN " " TOKEN "\"}", OAUTH_IN_DOUBT, ""},
		{200, "{\"access_token\":\"" TOKEN "\"", OAUTH_IN_DOUBT, ""},
		{204, "", OAUTH_IN_DOUBT, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_result r = answer(rows[i].status, rows[i].body);
		struct oauth_answer a = read_answer(&r);

		if (a.outcome != rows[i].outcome || strcmp(a.code, rows[i].code) != 0)
			fail_msg("%d %s: outcome %d, code \"%s\"", rows[i].status, rows[i].body,
				(int)a.outcome, a.code);
		oauth_answer_fini(&a);
	}
}

static void no_answer_is_in_doubt_unless_it_was_not_sent(void **state)
{
	static const struct {
		enum fetch_outcome outcome;
		int status;
		enum oauth_outcome want;
	} rows[] = {
		{FETCH_CONNECT, 0, OAUTH_NOT_SENT},
		{FETCH_SEND, 0, OAUTH_NOT_SENT},
		{FETCH_TRUNCATED, 0, OAUTH_IN_DOUBT},
		{FETCH_TRUNCATED, 200, OAUTH_IN_DOUBT},
		{FETCH_TRUNCATED, 500, OAUTH_IN_DOUBT},
		{FETCH_TRUNCATED, 429, OAUTH_REFUSED},
		{FETCH_IDLE, 0, OAUTH_IN_DOUBT},
		{FETCH_TIMEOUT, 0, OAUTH_IN_DOUBT},
		{FETCH_PROTOCOL, 0, OAUTH_IN_DOUBT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_result r = {
			.outcome = rows[i].outcome,
			.status = rows[i].status,
			/* whole, but nobody says that it is */
			.body = SV("{\"access_token\":\"" TOKEN "\"}"),
			.message = "lost",
		};
		struct oauth_answer a = read_answer(&r);

		assert_int_equal(a.outcome, rows[i].want);
		assert_true(secret_is_empty(&a.grant.access));
		oauth_answer_fini(&a);
	}
}

static void refusals_say_when_to_ask_again(void **state)
{
	static const struct {
		int status;
		struct sv value;
		int64_t ms;
	} rows[] = {
		{429, SV("30"), 30000}, {503, SV("Mon, 21 Sep 2026 14:14:20 GMT"), 60000},
		{429, SV("soon"), 0}, {429, SV("-1"), 0},
		{504, SV("30"), 0}, /* in doubt: not to be asked again at all */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_header header = {SV("Retry-After"), rows[i].value};
		struct call_result r = answer(rows[i].status, "{}");
		struct oauth_answer a;

		r.headers = &header;
		r.header_count = 1;
		a = read_answer(&r);
		if (a.retry_after_ms != rows[i].ms)
			fail_msg("row %zu: %lld", i, (long long)a.retry_after_ms);
		oauth_answer_fini(&a);
	}
}

static void error_codes_are_words(void **state)
{
	char code[OAUTH_CODE_SIZE] = "before";
	char longer[200];

	(void)state;
	snprintf(longer, sizeof(longer), "{\"error\":\"%0100d\"}", 7);
	assert_false(oauth_error_code(sv_cstr(longer), code));
	assert_false(oauth_error_code(SV("{\"error\":\"Has Spaces\"}"), code));
	assert_false(oauth_error_code(SV("{\"error\":5}"), code));
	assert_false(oauth_error_code(SV("not JSON"), code));
	assert_false(oauth_error_code(SV_NONE, code));
	assert_string_equal(code, "before");
	assert_true(oauth_error_code(SV("{\"error\":\"slow_down\"}"), code));
	assert_string_equal(code, "slow_down");
}

static void identity_is_user_and_account(void **state)
{
	static const struct {
		const char *a[3], *b[3]; /* account, user, e-mail */
		bool same;
	} rows[] = {
		{{"acc", "u", "e"}, {"acc", "u", "e"}, true},
		{{"acc", "u", "e"}, {"acc", "u", "renamed"}, true},
		{{"acc", "u", "e"}, {"acc", "u2", "e"}, false},
		{{"acc", "u", "e"}, {"acc2", "u", "e"}, false},
		{{"acc", NULL, "e"}, {"acc", "u", "e2"}, false},
		{{"acc", NULL, "e"}, {"acc", "u", "e"}, true},
		{{"acc", NULL, NULL}, {"acc", "u", "e"}, true},
		{{NULL, NULL, NULL}, {"acc", "u", "e"}, true},
		{{NULL, NULL, "e"}, {"acc", "u", "e2"}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_grant a = {.account_id = (char *)rows[i].a[0],
			.user_id = (char *)rows[i].a[1],
			.email = (char *)rows[i].a[2]};
		struct auth_grant b = {.account_id = (char *)rows[i].b[0],
			.user_id = (char *)rows[i].b[1],
			.email = (char *)rows[i].b[2]};

		if (oauth_same_identity(&a, &b) != rows[i].same ||
			oauth_same_identity(&b, &a) != rows[i].same)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(challenge_is_the_rfc_s),
		cmocka_unit_test(logins_are_random_and_of_full_length),
		cmocka_unit_test(authorize_url_has_every_parameter),
		cmocka_unit_test(issuer_may_end_in_slashes),
		cmocka_unit_test(bodies_are_forms),
		cmocka_unit_test(grants_are_filled_from_tokens_and_claims),
		cmocka_unit_test(expiry_is_expires_in_or_the_token_s),
		cmocka_unit_test(answers_mean_what_they_say),
		cmocka_unit_test(no_answer_is_in_doubt_unless_it_was_not_sent),
		cmocka_unit_test(refusals_say_when_to_ask_again),
		cmocka_unit_test(error_codes_are_words),
		cmocka_unit_test(identity_is_user_and_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
