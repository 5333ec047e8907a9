/* Credentials on disk, the note of a spent refresh token, and what a slot makes of both. */
#include "slots/credential.h"

#include "rig.h"

#define AUTH "state/slots/slot-1/agent/auth-profiles.json"
#define NOTE AUTH ".refresh"

static void put_grant(const char *root, const char *access, const char *refresh)
{
	struct buf text;

	buf_init(&text, KIB(4));
	buf_addf(&text, "{\"access\":\"%s\",\"refresh\":\"%s\",\"expires\":%lld}", access, refresh,
		(long long)NOW_MS);
	rig_put(root, AUTH, buf_cstr(&text));
	buf_fini(&text);
}

static struct credential get(const char *root)
{
	char *path = runtime_path(root, AUTH);
	struct credential c;
	char problem[256];

	assert_int_equal(credential_read(path, &c, problem, sizeof(problem)), 0);
	free(path);
	return c;
}

static enum credential_note note_of(const char *root)
{
	struct credential c = get(root);

	credential_fini(&c);
	return c.note;
}

static void write_note(const char *root, const char *refresh, enum credential_note note)
{
	char *path = runtime_path(root, AUTH);
	struct secret token = {0};

	secret_set(&token, sv_cstr(refresh));
	assert_int_equal(credential_write_note(path, &token, note), 0);
	secret_fini(&token);
	free(path);
}

static void test_note_counts_for_its_own_token_alone(void **state)
{
	char *path = runtime_path(*state, AUTH);

	put_grant(*state, "a1", "r1");
	assert_int_equal(note_of(*state), CREDENTIAL_UNSPENT);
	write_note(*state, "r1", CREDENTIAL_SENT);
	assert_int_equal(note_of(*state), CREDENTIAL_SENT);
	write_note(*state, "r1", CREDENTIAL_DEAD);
	assert_int_equal(note_of(*state), CREDENTIAL_DEAD);
	put_grant(*state, "a2", "r2");
	assert_int_equal(note_of(*state), CREDENTIAL_UNSPENT);
	put_grant(*state, "a3", "r1");
	assert_int_equal(note_of(*state), CREDENTIAL_DEAD);
	assert_int_equal(credential_drop_note(path), 0);
	assert_int_equal(credential_drop_note(path), 0);
	assert_int_equal(note_of(*state), CREDENTIAL_UNSPENT);
	free(path);
}

static void test_note_holds_no_token(void **state)
{
	json_t *doc;
	char *text;

	put_grant(*state, "a1", "refresh-1");
	write_note(*state, "refresh-1", CREDENTIAL_SENT);
	doc = rig_get(*state, NOTE);
	text = json_dumps(doc, 0);
	assert_null(strstr(text, "refresh-1"));
	free(text);
	json_decref(doc);
}

static void test_note_that_cannot_be_read_is_taken_for_one_of_this_token(void **state)
{
	put_grant(*state, "a1", "r1");
	rig_put(*state, NOTE, "{\"version\":");
	assert_int_equal(note_of(*state), CREDENTIAL_SENT);
	rig_put(*state, NOTE, "{\"version\":2}");
	assert_int_equal(note_of(*state), CREDENTIAL_SENT);
}

static void test_parts_of_a_credential_are_known_by_name(void **state)
{
	(void)state;
	assert_true(credential_is_part("/x/auth.json", "auth.json"));
	assert_true(credential_is_part("/x/auth.json", "auth.json.refresh"));
	assert_false(credential_is_part("/x/auth.json", "auth.json.tmp.abcdef"));
	assert_false(credential_is_part("/x/auth.json", "models.json"));
	assert_true(credential_is_part("auth.json", "auth.json"));
}

static bool take(struct slot *s, const char *root)
{
	struct credential c = get(root);

	return slot_take_credential(s, &c);
}

static void test_another_grant_ends_what_was_held_against_the_former(void **state)
{
	struct slot *s = rig_slot("slot-1");

	put_grant(*state, "a1", "r1");
	assert_true(take(s, *state));
	assert_false(take(s, *state));
	s->token_refused = true;
	s->refresh_after_ms = NOW_MS;
	s->refresh_failures = 3;
	slot_set_error(s, "refresh", SV("no answer"));
	slot_require_reauth(s);
	assert_false(take(s, *state)); /* the same grant */
	assert_true(s->reauth_required && s->token_refused);
	put_grant(*state, "a1", "r2"); /* another refresh token is another grant */
	assert_true(take(s, *state));
	assert_false(s->reauth_required || s->token_refused);
	assert_int_equal(s->refresh_after_ms, 0);
	assert_int_equal(s->refresh_failures, 0);
	assert_string_equal(s->last_error, "");
	store_slot_free(s);
}

static void test_dead_grant_in_the_note_requires_a_login(void **state)
{
	struct slot *s = rig_slot("slot-1");

	put_grant(*state, "a1", "r1");
	write_note(*state, "r1", CREDENTIAL_DEAD);
	take(s, *state);
	assert_true(s->reauth_required);
	assert_false(slot_can_refresh(s));
	put_grant(*state, "a2", "r2");
	take(s, *state);
	assert_false(s->reauth_required);
	assert_true(slot_can_refresh(s));
	store_slot_free(s);
}

static void test_token_in_doubt_stays_so_without_its_note(void **state)
{
	char *path = runtime_path(*state, AUTH);
	struct slot *s = rig_slot("slot-1");

	put_grant(*state, "a1", "r1");
	write_note(*state, "r1", CREDENTIAL_SENT);
	take(s, *state);
	assert_int_equal(s->refresh_state, SLOT_REFRESH_NOTED);
	assert_true(slot_can_refresh(s)); /* by looking at the file under the lock */
	s->refresh_state = SLOT_REFRESH_IN_DOUBT;
	assert_int_equal(credential_drop_note(path), 0);
	take(s, *state);
	assert_int_equal(s->refresh_state, SLOT_REFRESH_IN_DOUBT);
	assert_false(slot_can_refresh(s));
	put_grant(*state, "a2", "r2");
	take(s, *state);
	assert_int_equal(s->refresh_state, SLOT_REFRESH_FREE);
	store_slot_free(s);
	free(path);
}

static void test_other_account_starts_afresh(void **state)
{
	struct slot *s = rig_slot("slot-1");

	put_grant(*state, "a1", "r1");
	take(s, *state);
	s->account_id = mem_strdup("one");
	s->cooldown_until_ms = NOW_MS + 1000;
	s->checked_at_ms = NOW_MS;
	s->failures = 4;
	s->usage_5h_text = mem_strdup("5% left");
	rig_put(*state, AUTH, "{\"access\":\"b1\",\"refresh\":\"q1\",\"accountId\":\"two\"}");
	take(s, *state);
	assert_string_equal(s->account_id, "two");
	assert_int_equal(s->cooldown_until_ms, 0);
	assert_int_equal(s->checked_at_ms, 0);
	assert_int_equal(s->failures, 0);
	assert_null(s->usage_5h_text);
	store_slot_free(s);
}

#define with_dir(test) cmocka_unit_test_setup_teardown(test, rig_make_dir, rig_drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_dir(test_note_counts_for_its_own_token_alone),
		with_dir(test_note_holds_no_token),
		with_dir(test_note_that_cannot_be_read_is_taken_for_one_of_this_token),
		cmocka_unit_test(test_parts_of_a_credential_are_known_by_name),
		with_dir(test_another_grant_ends_what_was_held_against_the_former),
		with_dir(test_dead_grant_in_the_note_requires_a_login),
		with_dir(test_token_in_doubt_stays_so_without_its_note),
		with_dir(test_other_account_starts_afresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
