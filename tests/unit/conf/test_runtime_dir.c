#include "conf/runtime_dir.h"

#include "base/durable.h"
#include "base/limits.h"
#include "conf/conf.h"
#include "conf/json_file.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int make_dir(void **state)
{
	char *dir = mem_strdup("/tmp/test-runtime-XXXXXX");

	*state = mkdtemp(dir);
	return *state ? 0 : -1;
}

static int drop_dir(void **state)
{
	int err = nftw(*state, remove_entry, 8, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return err;
}

static void put(const char *root, const char *name, const char *text)
{
	char *path = runtime_path(root, name);

	assert_int_equal(durable_write(path, sv_cstr(text), 0600), 0);
	free(path);
}

static char *get(const char *root, const char *name)
{
	char *path = runtime_path(root, name);
	struct buf text;
	char *copy;

	buf_init(&text, MIB(1));
	assert_int_equal(durable_read(path, &text), 0);
	copy = mem_strdup(buf_cstr(&text));
	buf_fini(&text);
	free(path);
	return copy;
}

static bool exists(const char *root, const char *name)
{
	char *path = runtime_path(root, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static void test_paths(void **state)
{
	static const struct {
		char *(*fn)(const char *root);
		const char *want;
	} whole[] = {
		{runtime_config_path, "/r/config/relay.json"},
		{runtime_slots_path, "/r/config/slots.json"},
		{runtime_lock_path, "/r/run/state.lock"},
	};
	static const struct {
		char *(*fn)(const char *root, const char *id);
		const char *want;
	} of_slot[] = {
		{runtime_auth_path, "/r/state/slots/slot-2/agent/auth-profiles.json"},
		{runtime_models_path, "/r/state/slots/slot-2/agent/models.json"},
		{runtime_agent_dir, "/r/state/slots/slot-2/agent"},
	};
	char *path;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
		path = whole[i].fn("/r");
		assert_string_equal(path, whole[i].want);
		free(path);
	}
	for (size_t i = 0; i < ARRAY_LEN(of_slot); i++) {
		path = of_slot[i].fn("/r//", "slot-2");
		assert_string_equal(path, of_slot[i].want);
		free(path);
	}
	path = runtime_path("/", "x");
	assert_string_equal(path, "//x");
	free(path);
}

static void assert_mode(const char *root, const char *name, mode_t want)
{
	char *path = runtime_path(root, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	if ((st.st_mode & 07777) != want)
		fail_msg("%s has mode %o", name, (unsigned)(st.st_mode & 07777));
	free(path);
}

static void test_create_makes_private_files(void **state)
{
	static const char *const files[] = {
		"config/relay.json", "config/slots.json", "min-workspace/AGENTS.md"};
	static const char *const dirs[] = {
		".", "config", "state", "state/slots", "logs", "run", "min-workspace"};
	char *root = runtime_path(*state, "deep/root");
	struct conf_error err;
	struct conf *c;
	mode_t mask = umask(0);

	assert_int_equal(runtime_create(root, "prof", false), 0);
	umask(mask);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		assert_mode(root, files[i], 0600);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		assert_mode(root, dirs[i], 0700);
	assert_int_equal(conf_load(root, NULL, &c, &err), 0);
	assert_string_equal(c->profile, "prof");
	assert_int_equal(c->unknown_count, 0);
	conf_unref(c);
	free(root);
}

static void test_create_keeps_what_exists(void **state)
{
	char *before, *after;

	assert_int_equal(runtime_create(*state, NULL, false), 0);
	put(*state, "config/relay.json", "{\"usageTtlSeconds\":7}");
	put(*state, "config/slots.json", "{\"slots\":[{\"id\":\"slot-1\"}]}");
	put(*state, "min-workspace/AGENTS.md", "mine");
	before = get(*state, "config/slots.json");
	assert_int_equal(runtime_create(*state, NULL, false), 0);
	after = get(*state, "config/relay.json");
	assert_string_equal(after, "{\"usageTtlSeconds\":7}");
	free(after);
	after = get(*state, "min-workspace/AGENTS.md");
	assert_string_equal(after, "mine");
	free(after);
	assert_int_equal(runtime_create(*state, NULL, true), 0);
	after = get(*state, "config/slots.json");
	assert_string_equal(after, before);
	free(after);
	free(before);
}

static void test_force_keeps_tokens_and_unknown_keys(void **state)
{
	struct conf_error err;
	struct conf *c;

	assert_int_equal(runtime_create(*state, NULL, false), 0);
	put(*state, "config/relay.json",
		"{\"authToken\":\"own\",\"authTokenAliases\":[\"a\"],\"usageTtlSeconds\":7,"
		"\"thresholds\":{\"min5hPct\":3,\"future\":4},\"future\":{\"x\":1}}");
	assert_int_equal(runtime_create(*state, NULL, true), 0);
	assert_int_equal(conf_load(*state, NULL, &c, &err), 0);
	assert_int_equal(c->usage_ttl_s, 300);
	assert_true(secret_equals(&c->auth_token, SV("own")));
	assert_int_equal(c->alias_count, 1);
	assert_int_equal((int)c->min_5h_pct, 15);
	assert_int_equal(c->unknown_count, 2);
	conf_unref(c);
}

static void test_force_repairs_a_wrong_value(void **state)
{
	struct conf_error err;
	struct conf *c;

	assert_int_equal(runtime_create(*state, NULL, false), 0);
	put(*state, "config/relay.json",
		"{\"authToken\":\"own\",\"usageTtlSeconds\":\"x\",\"cooldown\":5,"
		"\"auth\":{\"future\":1}}");
	assert_int_equal(conf_load(*state, NULL, &c, &err), -EINVAL);
	assert_int_equal(runtime_create(*state, NULL, true), 0);
	assert_int_equal(conf_load(*state, NULL, &c, &err), 0);
	assert_true(secret_equals(&c->auth_token, SV("own")));
	assert_int_equal(c->unknown_count, 1);
	conf_unref(c);
}

static void test_force_puts_a_broken_file_aside(void **state)
{
	char *aside;

	assert_int_equal(runtime_create(*state, NULL, false), 0);
	put(*state, "config/relay.json", "{\"authToken\":\"own\"");
	assert_int_equal(runtime_create(*state, NULL, true), 0);
	aside = get(*state, "config/relay.json.broken");
	assert_string_equal(aside, "{\"authToken\":\"own\"");
	free(aside);
}

static void test_remove_slot(void **state)
{
	char *dir = runtime_agent_dir(*state, "slot-3");

	assert_int_equal(durable_mkdirs(dir, 0700), 0);
	put(*state, "state/slots/slot-3/agent/auth-profiles.json", "{}");
	put(*state, "outside", "x");
	free(dir);
	dir = runtime_path(*state, "state/slots/slot-3/link");
	assert_int_equal(symlink("../../../outside", dir), 0);
	free(dir);
	assert_int_equal(runtime_remove_slot(*state, "slot-3"), 0);
	assert_false(exists(*state, "state/slots/slot-3"));
	assert_true(exists(*state, "outside"));
	assert_int_equal(runtime_remove_slot(*state, "slot-3"), 0);
}

static void test_create_tells_what_failed(void **state)
{
	char *root = runtime_path(*state, "file/below");

	put(*state, "file", "x");
	assert_int_equal(runtime_create(root, NULL, false), -ENOTDIR);
	free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test_setup_teardown(
			test_create_makes_private_files, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_create_keeps_what_exists, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(
			test_force_keeps_tokens_and_unknown_keys, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(
			test_force_repairs_a_wrong_value, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(
			test_force_puts_a_broken_file_aside, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_remove_slot, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_create_tells_what_failed, make_dir, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
