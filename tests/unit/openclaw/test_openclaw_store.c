/* openclaw_store: where OpenClaw's files are looked for, and what is taken from odd ones. */
#include "../slots/rig.h"

#include "openclaw/openclaw_store.h"

#define SLOTS "agents/main/agent/codex-slots/"
#define AUTH                                                                                   \
	"{\"profiles\":{\"openai-codex:a\":{\"provider\":\"openai-codex\",\"access\":\"one\"," \
	"\"accountId\":\"A\"},\"openai-codex:b\":{\"provider\":\"openai-codex\",\"access\":"   \
	"\"two\",\"accountId\":\"B\"}}}"

static char problem[512];

static int make_home(void **state)
{
	int err = rig_make_dir(state);

	unsetenv("OPENCLAW_MAIN_AGENT_DIR");
	unsetenv("OPENCLAW_MAIN_CONFIG");
	setenv("OPENCLAW_HOME", *state, 1);
	return err;
}

static struct openclaw_store *open_with(const char *root, const char *slots)
{
	struct openclaw_store *store;

	rig_put(root, SLOTS "slots.json", slots);
	assert_int_equal(openclaw_store_open(&store, problem, sizeof(problem)), 0);
	return store;
}

static void test_slots_come_by_number(void **state)
{
	struct openclaw_store *store = open_with(*state,
		"{\"slots\":{\"10\":{},\"2\":{\"emailLabel\":\"me\"},\"slot-1\":{},\"0x1\":{},"
		"\"3\":[]}}");

	assert_int_equal(openclaw_store_count(store), 3);
	assert_string_equal(openclaw_store_at(store, 0)->id, "slot-1");
	assert_string_equal(openclaw_store_at(store, 1)->id, "slot-2");
	assert_string_equal(openclaw_store_at(store, 1)->label, "me");
	assert_string_equal(openclaw_store_at(store, 2)->id, "slot-10");
	assert_string_equal(openclaw_store_at(store, 2)->label, "");
	assert_ptr_equal(openclaw_store_find(store, "slot-10"), openclaw_store_at(store, 2));
	assert_null(openclaw_store_find(store, "slot-3"));
	assert_string_equal(openclaw_store_odd(store, 0), "0x1");
	assert_string_equal(openclaw_store_odd(store, 1), "3");
	assert_null(openclaw_store_odd(store, 2));
	openclaw_store_free(store);
}

static void test_store_that_is_missing_or_odd_is_told(void **state)
{
	struct openclaw_store *store = NULL;

	assert_int_equal(openclaw_store_open(&store, problem, sizeof(problem)), -ENOENT);
	assert_non_null(strstr(problem, SLOTS "slots.json: "));
	rig_put(*state, SLOTS "slots.json", "{\"slots\":[]}");
	assert_int_equal(openclaw_store_open(&store, problem, sizeof(problem)), -EINVAL);
	assert_non_null(strstr(problem, "must be an object"));
	assert_null(store);
}

static void test_profile_of_the_entry_is_taken(void **state)
{
	struct openclaw_store *store = open_with(*state,
		"{\"slots\":{\"1\":{\"file\":\"f.json\",\"profileId\":\"openai-codex:b\"},"
		"\"2\":{\"file\":\"f.json\",\"profileId\":\"openai-codex:c\"},"
		"\"3\":{\"file\":\"f.json\",\"profileId\":\"openai-codex:b\",\"accountId\":\"A\"},"
		"\"4\":{\"file\":\"g.json\"},\"5\":{}}}");
	struct auth_grant g = {0};

	rig_put(*state, SLOTS "f.json", AUTH);
	assert_int_equal(openclaw_store_grant(
				 store, openclaw_store_at(store, 0), &g, problem, sizeof(problem)),
		0);
	assert_string_equal(g.account_id, "B");
	auth_grant_fini(&g);
	/* A name that is not there any more: whatever the file has. */
	assert_int_equal(openclaw_store_grant(
				 store, openclaw_store_at(store, 1), &g, problem, sizeof(problem)),
		0);
	assert_string_equal(g.account_id, "A");
	auth_grant_fini(&g);
	assert_int_equal(openclaw_store_grant(
				 store, openclaw_store_at(store, 2), &g, problem, sizeof(problem)),
		-EINVAL);
	assert_non_null(strstr(problem, "another account"));
	assert_null(strstr(problem, "two"));
	assert_int_equal(openclaw_store_grant(
				 store, openclaw_store_at(store, 3), &g, problem, sizeof(problem)),
		-ENOENT);
	assert_int_equal(openclaw_store_grant(
				 store, openclaw_store_at(store, 4), &g, problem, sizeof(problem)),
		-ENOENT);
	assert_null(g.account_id);
	openclaw_store_free(store);
}

static void test_usage_of_an_entry(void **state)
{
	struct openclaw_store *store = open_with(*state,
		"{\"slots\":{\"1\":{\"usage5h\":\"95% left · resets 3h\",\"usageWeek\":7,"
		"\"liveCheckedAt\":1790000000},\"2\":{\"usage5h\":\"?\"},"
		"\"3\":{\"usageWeek\":\"5% used\",\"savedAt\":\"2026-11-01T00:00:00Z\"}}}");
	json_t *usage = openclaw_store_usage(openclaw_store_at(store, 0));
	char *text = json_dumps(usage, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text,
		"{\"checkedAt\":\"2026-09-21T14:13:20.000Z\",\"fivePct\":95,\"usage5h\":\"95% left "
		"· resets 3h\",\"usageWeek\":null,\"weekPct\":null}");
	free(text);
	json_decref(usage);
	assert_null(openclaw_store_usage(openclaw_store_at(store, 1)));
	usage = openclaw_store_usage(openclaw_store_at(store, 2));
	assert_int_equal(json_integer_value(json_object_get(usage, "weekPct")), 95);
	assert_string_equal(
		json_string_value(json_object_get(usage, "checkedAt")), "2026-11-01T00:00:00.000Z");
	json_decref(usage);
	openclaw_store_free(store);
}

static void test_provider_of_models_goes_before_that_of_the_configuration(void **state)
{
	struct openclaw_store *store;

	rig_put(*state, "openclaw.json",
		"{\"models\":{\"providers\":{\"openai-codex\":{\"baseUrl\":\"http://config\"}}}}");
	store = open_with(*state, "{\"slots\":{}}");
	assert_string_equal(
		json_string_value(json_object_get(openclaw_store_provider(store), "baseUrl")),
		"http://config");
	openclaw_store_free(store);
	rig_put(*state, "agents/main/agent/models.json",
		"{\"providers\":{\"openai-codex\":{\"baseUrl\":\"http://models\"}}}");
	store = open_with(*state, "{\"slots\":{}}");
	assert_string_equal(
		json_string_value(json_object_get(openclaw_store_provider(store), "baseUrl")),
		"http://models");
	openclaw_store_free(store);
}

static void test_configuration_with_comments_is_no_failure(void **state)
{
	struct openclaw_store *store;

	rig_put(*state, "openclaw.json", "{ // JSON5\n models: {} }");
	store = open_with(*state, "{\"slots\":{}}");
	assert_null(openclaw_store_provider(store));
	openclaw_store_free(store);
}

#define IN_HOME(test) cmocka_unit_test_setup_teardown(test, make_home, rig_drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_HOME(test_slots_come_by_number),
		IN_HOME(test_store_that_is_missing_or_odd_is_told),
		IN_HOME(test_profile_of_the_entry_is_taken),
		IN_HOME(test_usage_of_an_entry),
		IN_HOME(test_provider_of_models_goes_before_that_of_the_configuration),
		IN_HOME(test_configuration_with_comments_is_no_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
