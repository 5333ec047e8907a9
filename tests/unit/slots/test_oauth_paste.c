#include "slots/oauth_paste.h"

#include "rig.h"

#define STATE "St-ate_0123456789"
#define CODE "ac_abcDEF-123.~"

struct row {
	const char *text;
	enum oauth_paste_kind kind;
	const char *code; /* NULL: none */
};

static void check(
	const struct row *row, void (*read)(struct sv, const char *, struct oauth_paste *))
{
	struct oauth_paste p;

	read(sv_cstr(row->text), STATE, &p);
	if (p.kind != row->kind)
		fail_msg("%s: kind %d, \"%s\"", row->text, (int)p.kind, p.message);
	assert_true(sv_eq(secret_expose(&p.code), sv_cstr(row->code)));
	assert_true((p.kind == OAUTH_PASTE_CODE) == (p.message[0] == '\0'));
	oauth_paste_fini(&p);
	assert_true(secret_is_empty(&p.code));
}

static void every_form_of_a_paste_is_taken(void **state)
{
	static const char *const forms[] = {
		"http://localhost:1455/auth/callback?code=" CODE "&state=" STATE,
		"http://localhost:1455/auth/callback?state=" STATE "&scope=a+b&code=" CODE,
		"https://x.example/auth/callback?code=" CODE "&state=" STATE "#top",
		"localhost:1455/auth/callback?code=" CODE "&state=" STATE,
		"/auth/callback?code=" CODE "&state=" STATE,
		"?code=" CODE "&state=" STATE,
		"code=" CODE "&state=" STATE,
		"state=" STATE "&code=" CODE,
		"http://localhost:1455/auth/callback?code=" CODE,
		"code=" CODE,
		CODE "#" STATE,
		CODE,
		"  " CODE "\r\n",
		"\"" CODE "\"",
		"<http://localhost:1455/auth/callback?code=" CODE "&state=" STATE ">",
		"\033[200~" CODE "#" STATE "\033[201~\r",
		" ' `" CODE "` '",
		"code=ac%5FabcDEF-123.%7E&state=St-ate%5f0123456789",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		check(&(struct row){forms[i], OAUTH_PASTE_CODE, CODE}, oauth_paste_read);
}

static void other_pastes_are_refused_with_a_reason(void **state)
{
	static const struct row rows[] = {
		{"", OAUTH_PASTE_EMPTY, NULL},
		{" \t\r\n", OAUTH_PASTE_EMPTY, NULL},
		{"\"\"", OAUTH_PASTE_EMPTY, NULL},
		{"code=" CODE "&state=other", OAUTH_PASTE_WRONG_STATE, NULL},
		{"code=" CODE "&state=", OAUTH_PASTE_WRONG_STATE, NULL},
		{"code=" CODE "&state", OAUTH_PASTE_WRONG_STATE, NULL},
		{"code=" CODE "&state=" STATE "x", OAUTH_PASTE_WRONG_STATE, NULL},
		{"http://l/auth/callback?code=" CODE "&state=other", OAUTH_PASTE_WRONG_STATE, NULL},
		{"http://l/auth/callback?error=access_denied&state=x", OAUTH_PASTE_WRONG_STATE,
			NULL},
		{CODE "#other", OAUTH_PASTE_WRONG_STATE, NULL},
		{CODE "#", OAUTH_PASTE_WRONG_STATE, NULL},
		{CODE "#" STATE "#" STATE, OAUTH_PASTE_WRONG_STATE, NULL},
		{"http://l/auth/callback?error=access_denied&state=" STATE, OAUTH_PASTE_DENIED,
			NULL},
		{"error=access_denied", OAUTH_PASTE_DENIED, NULL},
		{"error=access_denied&code=" CODE "&state=" STATE, OAUTH_PASTE_DENIED, NULL},
		{"error=server_error&state=" STATE, OAUTH_PASTE_ERROR, NULL},
		{"error=&state=" STATE, OAUTH_PASTE_ERROR, NULL},
		{"https://auth.example/oauth/authorize?code_challenge=c&state=" STATE,
			OAUTH_PASTE_UNUSABLE, NULL},
		{"http://localhost:1455/auth/callback", OAUTH_PASTE_UNUSABLE, NULL},
		{"http://localhost:1455/auth/callback?state=" STATE, OAUTH_PASTE_UNUSABLE, NULL},
		{"http://localhost:1455/auth/callback?code=&state=" STATE, OAUTH_PASTE_UNUSABLE,
			NULL},
		{"code=%zz" CODE "&state=" STATE, OAUTH_PASTE_UNUSABLE, NULL},
		{"code=ab%00cdefghij&state=" STATE, OAUTH_PASTE_UNUSABLE, NULL},
		{"code=ab%0D%0Acdefghij&state=" STATE, OAUTH_PASTE_UNUSABLE, NULL},
		{"y", OAUTH_PASTE_UNUSABLE, NULL},
		{"1234567", OAUTH_PASTE_UNUSABLE, NULL},
		{"two words, not a code", OAUTH_PASTE_UNUSABLE, NULL},
		{"caf\xc3\xa9-0123456789", OAUTH_PASTE_UNUSABLE, NULL},
		{"\033[A\033[B\033[C\033[D\033[A", OAUTH_PASTE_UNUSABLE, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], oauth_paste_read);
}

static void a_callback_must_bring_the_state(void **state)
{
	static const struct row rows[] = {
		{"code=" CODE "&state=" STATE, OAUTH_PASTE_CODE, CODE},
		{"state=" STATE "&code=" CODE, OAUTH_PASTE_CODE, CODE},
		{"code=" CODE, OAUTH_PASTE_WRONG_STATE, NULL},
		{"", OAUTH_PASTE_WRONG_STATE, NULL},
		{"error=access_denied", OAUTH_PASTE_WRONG_STATE, NULL},
		{"code=" CODE "&state=other&state=" STATE, OAUTH_PASTE_WRONG_STATE, NULL},
		{"error=access_denied&state=" STATE, OAUTH_PASTE_DENIED, NULL},
		{"state=" STATE, OAUTH_PASTE_UNUSABLE, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], oauth_paste_read_callback);
}

static void codes_are_bounded(void **state)
{
	char text[6000];
	struct oauth_paste p;

	(void)state;
	memset(text, 'c', sizeof(text));
	oauth_paste_read(sv_make(text, 4096), STATE, &p);
	assert_int_equal(p.kind, OAUTH_PASTE_CODE);
	oauth_paste_fini(&p);
	oauth_paste_read(sv_make(text, 4097), STATE, &p);
	assert_int_equal(p.kind, OAUTH_PASTE_UNUSABLE);
	memcpy(text, "code=", 5);
	oauth_paste_read(sv_make(text, sizeof(text)), STATE, &p);
	assert_int_equal(p.kind, OAUTH_PASTE_UNUSABLE);
	memcpy(text, "state=", 6);
	oauth_paste_read_callback(sv_make(text, sizeof(text)), STATE, &p);
	assert_int_equal(p.kind, OAUTH_PASTE_WRONG_STATE);
}

static void shown_errors_are_words(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"error=access_denied", "access_denied"},
		{"error=server_error&error_description=secret", "server_error"},
		{"error=%3Cscript%3E", ""},
		{"error=Secret-Token", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct oauth_paste p;

		oauth_paste_read(sv_cstr(rows[i].text), STATE, &p);
		assert_string_equal(p.error, rows[i].error);
		oauth_paste_fini(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_a_paste_is_taken),
		cmocka_unit_test(other_pastes_are_refused_with_a_reason),
		cmocka_unit_test(a_callback_must_bring_the_state),
		cmocka_unit_test(codes_are_bounded),
		cmocka_unit_test(shown_errors_are_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
