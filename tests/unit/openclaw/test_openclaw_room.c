/* openclaw_room: what is in it, that it goes with all that was put there, and who sweeps. */
#include "../slots/rig.h"

#include "openclaw/openclaw_room.h"

#include <sys/wait.h>

static struct openclaw_room *make(const char *root, const struct slot *s)
{
	struct openclaw_room_plan plan = {
		.root = root, .name = "slot-1-gateway", .agent = "relay", .slot = s};
	struct openclaw_room *room = openclaw_room_new(&plan);

	openclaw_room_configure(room, json_pack("{s:i}", "a", 1));
	assert_int_equal(access(openclaw_room_dir(room), F_OK), -1);
	assert_int_equal(openclaw_room_make(room), 0);
	return room;
}

static void assert_mode(const char *path, mode_t mode)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, mode);
}

static json_t *read_in(const char *dir, const char *name, mode_t mode)
{
	char *path = runtime_path(dir, name);
	json_t *doc = json_load_file(path, 0, NULL);

	assert_non_null(doc);
	assert_mode(path, mode);
	free(path);
	return doc;
}

static void test_room_holds_a_copy_that_cannot_rotate_the_grant(void **state)
{
	struct slot *s = rig_slot("slot-1");
	struct openclaw_room *room;
	json_t *doc, *profile;

	secret_set(&s->refresh, SV("refresh-token"));
	s->account_id = mem_strdup("account");
	s->expires_ms = NOW_MS;
	room = make(*state, s);
	assert_int_equal(openclaw_room_dir(room)[0], '/');
	assert_mode(openclaw_room_dir(room), 0700);
	assert_mode(openclaw_room_agent_dir(room), 0700);
	doc = read_in(openclaw_room_agent_dir(room), "auth-profiles.json", 0600);
	profile = json_object_get(json_object_get(doc, "profiles"), "openai-codex:default");
	assert_string_equal(json_string_value(json_object_get(profile, "access")), "token");
	assert_string_equal(json_string_value(json_object_get(profile, "accountId")), "account");
	assert_int_equal(json_integer_value(json_object_get(profile, "expires")), NOW_MS);
	assert_null(json_object_get(profile, "refresh"));
	json_decref(doc);
	doc = read_in(openclaw_room_agent_dir(room), "models.json", 0600);
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(json_object_get(doc, "providers"), "openai-codex"),
			"baseUrl")),
		"http://upstream");
	json_decref(doc);
	json_decref(read_in(openclaw_room_dir(room), "openclaw.json", 0600));
	assert_int_equal(openclaw_room_remove(room), 0);
	openclaw_room_free(room);
	store_slot_free(s);
}

static void test_room_goes_with_all_that_was_put_into_it(void **state)
{
	struct slot *s = rig_slot("slot-1");
	struct openclaw_room *room = make(*state, s);

	rig_put(openclaw_room_dir(room), "logs/deep/er/file", "x");
	assert_int_equal(openclaw_room_remove(room), 0);
	assert_int_equal(access(openclaw_room_dir(room), F_OK), -1);
	assert_int_equal(openclaw_room_remove(room), 0);
	openclaw_room_free(room);
	store_slot_free(s);
}

static void test_rooms_of_one_slot_are_different_ones(void **state)
{
	struct slot *s = rig_slot("slot-1");
	struct openclaw_room *a = make(*state, s), *b = make(*state, s);

	assert_string_not_equal(openclaw_room_dir(a), openclaw_room_dir(b));
	assert_int_equal(openclaw_room_remove(a), 0);
	assert_int_equal(access(openclaw_room_dir(b), F_OK), 0);
	assert_int_equal(openclaw_room_remove(b), 0);
	openclaw_room_free(a);
	openclaw_room_free(b);
	store_slot_free(s);
}

static void test_sweep_removes_rooms_of_processes_that_are_gone(void **state)
{
	struct slot *s = rig_slot("slot-1");
	struct openclaw_room *mine = make(*state, s);
	char name[64], *path;
	int pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	snprintf(name, sizeof(name), "run/openclaw/slot-2-usage-%d-0/agents/x", pid);
	rig_put(*state, name, "token");
	rig_put(*state, "run/openclaw/not-a-room/file", "x");
	openclaw_room_sweep(*state);
	assert_int_equal(access(openclaw_room_dir(mine), F_OK), 0);
	snprintf(name, sizeof(name), "run/openclaw/slot-2-usage-%d-0", pid);
	path = runtime_path(*state, name);
	assert_int_equal(access(path, F_OK), -1);
	free(path);
	path = runtime_path(*state, "run/openclaw/not-a-room/file");
	assert_int_equal(access(path, F_OK), 0);
	free(path);
	openclaw_room_free(mine);
	store_slot_free(s);
}

static void test_sweep_of_no_rooms_does_nothing(void **state)
{
	openclaw_room_sweep(*state);
}

static void test_room_that_cannot_be_made_says_why(void **state)
{
	struct slot *s = rig_slot("slot-1");
	struct openclaw_room_plan plan = {.root = *state, .name = "x", .agent = "main", .slot = s};
	struct openclaw_room *room = openclaw_room_new(&plan);

	rig_put(*state, "run/openclaw", "a file is in the way");
	assert_int_equal(openclaw_room_make(room), -ENOTDIR);
	openclaw_room_free(room);
	store_slot_free(s);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, rig_make_dir, rig_drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(test_room_holds_a_copy_that_cannot_rotate_the_grant),
		IN_DIR(test_room_goes_with_all_that_was_put_into_it),
		IN_DIR(test_rooms_of_one_slot_are_different_ones),
		IN_DIR(test_sweep_removes_rooms_of_processes_that_are_gone),
		IN_DIR(test_sweep_of_no_rooms_does_nothing),
		IN_DIR(test_room_that_cannot_be_made_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
