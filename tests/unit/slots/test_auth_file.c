#include "slots/auth_file.h"

#include "rig.h"

static struct auth_grant parse_ok(const char *text)
{
	struct auth_grant g = {0};
	char err[512] = "";

	if (auth_grant_parse(sv_cstr(text), &g, err, sizeof(err)) != 0)
		fail_msg("%s: %s", text, err);
	return g;
}

static void assert_secret(const struct secret *s, const char *want)
{
	assert_true(sv_eq(secret_expose(s), sv_cstr(want)));
}

static void assert_text(const char *got, const char *want)
{
	if (!want)
		assert_null(got);
	else
		assert_string_equal(got, want);
}

/* Every accepted shape, with the same contents. */
static const char *const shapes[] = {
	"{\"version\":1,\"profiles\":{\"openai-codex:default\":{\"type\":\"oauth\",\"provider\":"
	"\"openai-codex\",\"access\":\"A\",\"refresh\":\"R\",\"expires\":1790000000000,"
	"\"accountId\":\"acc\",\"email\":\"e@x\"}}}",
	"{\"oauth\":{\"openai-codex\":{\"access\":\"A\",\"refresh\":\"R\",\"expires\":1790000000,"
	"\"accountId\":\"acc\",\"email\":\"e@x\"}}}",
	"{\"access_token\":\"A\",\"refresh_token\":\"R\",\"expires\":\"1790000000000\","
	"\"account_id\":\"acc\",\"email\":\"e@x\"}",
	"{\"access\":\" A\\n\",\"refresh\":\"R\",\"expires\":\"2026-09-21T14:13:20Z\","
	"\"accountId\":\"acc\",\"email\":\"e@x\"}",
	"{\"tokens\":{\"access_token\":\"A\",\"refresh_token\":\"R\",\"account_id\":\"acc\","
	"\"email\":\"e@x\",\"expires_in\":100},\"OPENAI_API_KEY\":null,"
	"\"last_refresh\":\"2026-09-21T14:11:40.000000Z\"}",
	"{\"access_token\":\"A\",\"refresh_token\":\"R\",\"expires_in\":1790000000,"
	"\"account_id\":\"acc\",\"email\":\"e@x\"}",
};

static void test_shapes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct auth_grant g = parse_ok(shapes[i]);

		assert_secret(&g.access, "A");
		assert_secret(&g.refresh, "R");
		assert_text(g.account_id, "acc");
		assert_text(g.email, "e@x");
		if (g.expires_ms != NOW_MS)
			fail_msg("shape %zu expires at %lld", i, (long long)g.expires_ms);
		auth_grant_fini(&g);
	}
}

static void test_which_profile(void **state)
{
	static const struct {
		const char *profiles, *access;
	} cases[] = {
		{"{\"openai-codex:me\":{\"access\":\"1\"},\"openai-codex:default\":{\"access\":"
		 "\"2\"}}",
			"2"},
		{"{\"anthropic:x\":{\"access\":\"1\"},\"openai-codex:me\":{\"access\":\"2\"}}",
			"2"},
		{"{\"x\":{\"provider\":\"openai-codex\",\"access\":\"1\"}}", "1"},
		{"{\"openai-codex:default\":{\"access\":\"\"},\"openai-codex:b\":{\"access\":\"2\"}"
		 "}",
			"2"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct auth_grant g;
		char text[512];

		snprintf(text, sizeof(text), "{\"profiles\":%s}", cases[i].profiles);
		g = parse_ok(text);
		assert_secret(&g.access, cases[i].access);
		auth_grant_fini(&g);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
		{"", "line 1"},
		{"[]", "must be a JSON object"},
		{"{}", "no access token"},
		{"{\"access\":5}", "no access token"},
		{"{\"access\":\"  \"}", "no access token"},
		{"{\"tokens\":{\"refresh_token\":\"R\"}}", "no access token"},
		{"{\"tokens\":null,\"OPENAI_API_KEY\":\"sk-sekret\"}", "codex login"},
		{"{\"profiles\":{\"anthropic:x\":{\"access\":\"sekret\",\"provider\":\"anthropic\"}"
		 "}}",
			"no profile of openai-codex"},
		{"{\"access\":\"sekret sekret\"}", "the access token is no token"},
		{"{\"access\":\"sekret\\r\\nX: y\"}", "the access token is no token"},
		{"{\"access\":\"ok\",\"refresh\":\"sekret\\u0001x\"}",
			"the refresh token is no token"},
		{"{\"access\":\"sekret\" x}", "syntax error"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct auth_grant g = {0};
		char err[512] = "";

		assert_int_equal(
			auth_grant_parse(sv_cstr(cases[i].text), &g, err, sizeof(err)), -EINVAL);
		if (!strstr(err, cases[i].told) || strstr(err, "sekret"))
			fail_msg("%s: said %s", cases[i].text, err);
		assert_true(secret_is_empty(&g.access));
	}
}

static void test_missing_values_come_from_the_token(void **state)
{
	char *access = rig_jwt("{\"exp\":1790000000,\"https://api.openai.com/auth\":{"
			       "\"chatgpt_account_id\":\"acc\",\"chatgpt_plan_type\":\"plus\","
			       "\"chatgpt_user_id\":\"user\"},"
			       "\"https://api.openai.com/profile\":{\"email\":\"e@x\"}}");
	char *id = rig_jwt("{\"exp\":1780000000,\"email\":\"other@x\"}");
	struct auth_grant g;
	char text[2048];

	(void)state;
	snprintf(text, sizeof(text),
		"{\"tokens\":{\"access_token\":\"%s\",\"id_token\":\"%s\",\"expires_in\":5}}",
		access, id);
	g = parse_ok(text);
	assert_text(g.account_id, "acc");
	assert_text(g.user_id, "user");
	assert_text(g.plan_type, "plus");
	assert_text(g.email, "e@x");
	assert_int_equal(g.expires_ms, NOW_MS);
	auth_grant_fini(&g);

	/* What the file says goes first. */
	snprintf(text, sizeof(text),
		"{\"access\":\"%s\",\"accountId\":\"mine\",\"email\":\"me@x\",\"expires\":"
		"1800000000}",
		access);
	g = parse_ok(text);
	assert_text(g.account_id, "mine");
	assert_text(g.email, "me@x");
	assert_int_equal(g.expires_ms, INT64_C(1800000000000));
	auth_grant_fini(&g);
	free(access);
	free(id);
}

static void test_email_of_the_id_token(void **state)
{
	char *id = rig_jwt("{\"exp\":\"1780000000\",\"email\":\"id@x\"}");
	struct auth_grant g;
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text), "{\"access\":\"opaque\",\"id_token\":\"%s\"}", id);
	g = parse_ok(text);
	assert_text(g.email, "id@x");
	/* The id token's end is not the access token's. */
	assert_int_equal(g.expires_ms, 0);
	auth_grant_fini(&g);
	free(id);
}

static void test_claims_of_odd_types(void **state)
{
	static const char *const payloads[] = {
		"[]",
		"5",
		"\"x\"",
		"{",
		"",
		"{\"exp\":{},\"email\":[],\"https://api.openai.com/auth\":5,"
		"\"https://api.openai.com/profile\":\"x\"}",
		"{\"exp\":-1,\"https://api.openai.com/"
		"auth\":{\"chatgpt_account_id\":\"a\\r\\nb\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
		char *token = rig_jwt(payloads[i]);
		struct auth_grant g = {0};
		int64_t exp_ms = 7;
		int err = jwt_claims(sv_cstr(token), &g, &exp_ms);

		assert_true(err == 0 || err == -EINVAL);
		assert_int_equal(exp_ms, 7);
		assert_null(g.account_id);
		assert_null(g.email);
		free(token);
	}
}

static void test_tokens_that_are_no_jwt(void **state)
{
	static const char *const tokens[] = {"", "x", "a.b", "a..c", "a.!!.c", "..", "a.e30"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		struct auth_grant g = {0};
		int64_t exp_ms;

		assert_int_equal(jwt_claims(sv_cstr(tokens[i]), &g, &exp_ms), -EINVAL);
	}
}

static void test_expires_in_counts_from_the_files_making(void **state)
{
	struct auth_grant g = {0};
	struct stat st;
	char err[256];
	char *path = runtime_path(*state, "auth.json");

	rig_put(*state, "auth.json", "{\"access\":\"A\",\"expires_in\":\"3600\"}");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(auth_grant_read(path, &g, err, sizeof(err)), 0);
	assert_int_equal(g.expires_ms, ((int64_t)st.st_mtime + 3600) * 1000);
	auth_grant_fini(&g);
	assert_int_equal(auth_grant_read("/nowhere", &g, err, sizeof(err)), -ENOENT);
	assert_string_equal(err, "No such file or directory");
	free(path);
}

static void test_write_and_read_back(void **state)
{
	struct auth_grant g = parse_ok(shapes[0]);
	struct auth_grant back = {0};
	char *path = runtime_path(*state, "out.json");
	struct stat st;
	json_t *doc;
	char err[256];

	secret_set(&g.id_token, SV("I"));
	assert_int_equal(auth_grant_write(path, &g), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	doc = rig_get(*state, "out.json");
	assert_int_equal(json_integer_value(json_object_get(doc, "version")), 1);
	json_decref(doc);
	assert_int_equal(auth_grant_read(path, &back, err, sizeof(err)), 0);
	assert_secret(&back.access, "A");
	assert_secret(&back.refresh, "R");
	assert_secret(&back.id_token, "I");
	assert_text(back.account_id, "acc");
	assert_text(back.email, "e@x");
	assert_int_equal(back.expires_ms, NOW_MS);
	auth_grant_fini(&back);
	auth_grant_fini(&g);
	free(path);
}

static void test_write_keeps_what_it_does_not_know(void **state)
{
	struct auth_grant g = parse_ok("{\"access\":\"new\"}");
	char *path = runtime_path(*state, "out.json");
	json_t *doc, *profiles, *profile;

	rig_put(*state, "out.json",
		"{\"version\":2,\"extra\":[1],\"profiles\":{\"anthropic:a\":{\"access\":\"x\"},"
		"\"openai-codex:default\":{\"access\":\"old\",\"refresh\":\"old\",\"expires\":5,"
		"\"note\":\"mine\"}}}");
	assert_int_equal(auth_grant_write(path, &g), 0);
	doc = rig_get(*state, "out.json");
	profiles = json_object_get(doc, "profiles");
	profile = json_object_get(profiles, "openai-codex:default");
	assert_int_equal(json_integer_value(json_object_get(doc, "version")), 2);
	assert_int_equal(json_array_size(json_object_get(doc, "extra")), 1);
	assert_non_null(json_object_get(profiles, "anthropic:a"));
	assert_string_equal(json_string_value(json_object_get(profile, "access")), "new");
	assert_string_equal(json_string_value(json_object_get(profile, "note")), "mine");
	/* What the new grant does not have is not the old one's. */
	assert_null(json_object_get(profile, "refresh"));
	assert_null(json_object_get(profile, "expires"));
	json_decref(doc);
	/* A file that is none is replaced. */
	rig_put(*state, "out.json", "{broken");
	assert_int_equal(auth_grant_write(path, &g), 0);
	json_decref(rig_get(*state, "out.json"));
	auth_grant_fini(&g);
	free(path);
}

/* E-mail addresses are shown on terminals. */
static void test_names_hold_no_control_characters(void **state)
{
	static const struct {
		const char *email, *kept;
	} rows[] = {
		{"me@example.org", "me@example.org"},
		{"m\xc3\xa9@example.org", "m\xc3\xa9@example.org"},
		{"\xc2\xa0me", "\xc2\xa0me"},
		{"\xc2\x9b"
		 "2Jme",
			NULL},
		{"\\u009bme", NULL},
		{"\\u001b[2Jme", NULL},
		{"\x7fme", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_grant g;
		char text[256];

		snprintf(text, sizeof(text), "{\"access\":\"A\",\"email\":\"%s\"}", rows[i].email);
		g = parse_ok(text);
		assert_text(g.email, rows[i].kept);
		auth_grant_fini(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_which_profile),
		cmocka_unit_test(test_names_hold_no_control_characters),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_missing_values_come_from_the_token),
		cmocka_unit_test(test_email_of_the_id_token),
		cmocka_unit_test(test_claims_of_odd_types),
		cmocka_unit_test(test_tokens_that_are_no_jwt),
		cmocka_unit_test_setup_teardown(
			test_expires_in_counts_from_the_files_making, rig_make_dir, rig_drop_dir),
		cmocka_unit_test_setup_teardown(
			test_write_and_read_back, rig_make_dir, rig_drop_dir),
		cmocka_unit_test_setup_teardown(
			test_write_keeps_what_it_does_not_know, rig_make_dir, rig_drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
