#include "slots/store.h"

#include "rig.h"

#include <sys/wait.h>

/* As the original program left it, with members that nobody here knows. */
static const char original[] =
	"{\"version\":1,\"updatedAt\":\"2026-09-01T00:00:00Z\",\"other\":{\"x\":1},\"slots\":["
	"{\"id\":\"slot-1\",\"sourceSlot\":\"1\",\"enabled\":true,\"label\":\"first\","
	"\"agentDir\":\"/gone/agent\",\"authFile\":\"/gone/agent/auth-profiles.json\","
	"\"modelDefault\":\"gpt-5.4\","
	"\"usage\":{\"usage5h\":\"95% left · resets 3h\",\"usageWeek\":\"40% left · resets 6d "
	"23h\","
	"\"fivePct\":95,\"weekPct\":40,\"checkedAt\":1790000000000,\"mood\":\"fine\"},"
	"\"runtime\":{\"cooldownUntil\":null,\"lastUsedAt\":1789999000000,\"lastError\":\"old\","
	"\"consecutiveFailures\":2,\"x\":true},"
	"\"sourceMeta\":{\"email\":\"e@x\",\"emailLabel\":\"E\",\"accountId\":\"acc\","
	"\"profileId\":\"p\",\"expires\":1800000000000,\"savedAt\":\"s\","
	"\"usageFingerprint\":\"f\",\"token\":\"sekret\"},"
	"\"providerModels\":[\"m\"],\"custom\":[1,2]},"
	"{\"id\":\"slot-2\",\"enabled\":false,\"usage\":null,\"runtime\":null}]}";

static struct conf *conf_of(const char *root)
{
	struct conf_error err;
	struct conf *conf;

	assert_int_equal(conf_load(root, NULL, &conf, &err), 0);
	return conf;
}

/* A table loaded from the directory. */
static struct slot_table *load(const char *root)
{
	struct conf *conf = conf_of(root);
	struct slot_table *t = slot_table_new();
	struct conf_error err = {""};

	slot_table_configure(t, conf);
	if (store_load(root, conf, t, &err) != 0)
		fail_msg("%s", err.message);
	conf_unref(conf);
	return t;
}

static void reload(const char *root, struct slot_table *t)
{
	struct conf *conf = conf_of(root);
	struct conf_error err;

	assert_int_equal(store_load(root, conf, t, &err), 0);
	conf_unref(conf);
}

static void save(const char *root, struct slot_table *t)
{
	struct store_save *s = store_save_begin(root, t);

	assert_int_equal(store_save_commit(s), 0);
	store_save_free(s);
}

static void put_auth(const char *root, const char *id, const char *access)
{
	char name[128], text[256];

	snprintf(name, sizeof(name), "state/slots/%s/agent/auth-profiles.json", id);
	snprintf(text, sizeof(text),
		"{\"profiles\":{\"openai-codex:default\":{\"access\":\"%s\",\"refresh\":\"r\","
		"\"accountId\":\"acc\"}}}",
		access);
	rig_put(root, name, text);
}

static void put_original(const char *root)
{
	rig_put(root, "config/slots.json", original);
	put_auth(root, "slot-1", "A1");
}

/* A record of the file as it is now; the caller drops *ret_doc. */
static json_t *record_in_file(const char *root, const char *id, json_t **ret_doc)
{
	json_t *record;

	*ret_doc = rig_get(root, "config/slots.json");
	record = store_find(json_object_get(*ret_doc, "slots"), id);
	assert_non_null(record);
	return record;
}

static const char *text_in(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static json_int_t int_in(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void test_slot_ids(void **state)
{
	static const struct {
		const char *text, *id;
	} good[] = {{"2", "slot-2"}, {"slot-2", "slot-2"}, {"0", "slot-0"},
		{"999999999", "slot-999999999"}};
	static const char *const bad[] = {"", "slot-", "slot", "x", "slot-x", "02", "-1", "2 ",
		"slot-../x", "1000000000", "slot-slot-2"};
	char id[LIMIT_SLOT_ID_BYTES] = "untouched";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(store_slot_id(bad[i], id), -EINVAL);
		assert_string_equal(id, "untouched");
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(store_slot_id(good[i].text, id), 0);
		assert_string_equal(id, good[i].id);
	}
}

static void test_load_of_the_originals_file(void **state)
{
	struct slot_table *t;
	struct slot *s;

	put_original(*state);
	t = load(*state);
	assert_int_equal(slot_table_count(t), 2);
	s = slot_table_find(t, "slot-1");
	assert_true(s->enabled);
	assert_string_equal(s->label, "first");
	assert_true(sv_eq(secret_expose(&s->access), SV("A1")));
	assert_string_equal(s->account_id, "acc");
	assert_string_equal(s->base_url, "https://chatgpt.com/backend-api");
	assert_int_equal(s->checked_at_ms, NOW_MS);
	assert_true(slot_left_pct(s, METER_5H, NOW_MS) == 95);
	assert_true(slot_left_pct(s, METER_WEEK, NOW_MS) == 40);
	assert_int_equal(s->meters.window[METER_5H].resets_at_s, NOW_S + 3 * 3600);
	assert_int_equal(s->meters.window[METER_WEEK].resets_at_s, NOW_S + 167 * 3600);
	assert_int_equal(s->last_used_ms, INT64_C(1789999000000));
	assert_int_equal(s->failures, 2);
	assert_string_equal(s->last_error, "old");
	s = slot_table_find(t, "slot-2");
	assert_false(s->enabled);
	assert_true(secret_is_empty(&s->access));
	assert_string_equal(s->last_error, "credential: none: import one (slot-auth-import-file)");
	assert_true(slot_left_pct(s, METER_5H, NOW_MS) == -1);
	slot_table_free(t);
}

static void test_files_that_cannot_be_used(void **state)
{
	static const struct {
		const char *name, *text, *told;
	} cases[] = {
		{"auth-profiles.json", "{broken", "credential: line 1"},
		{"auth-profiles.json", "{}", "credential: no access token"},
		{"models.json", "[]", "credential: models.json: must be a JSON object"},
		{"models.json", "{\"providers\":{\"openai-codex\":{\"baseUrl\":\"nope\"}}}",
			"credential: models.json: baseUrl is no http or https URL"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[128];
		struct slot_table *t;
		struct slot *s;

		put_original(*state);
		rig_put(*state, "state/slots/slot-1/agent/models.json", "{}");
		snprintf(name, sizeof(name), "state/slots/slot-1/agent/%s", cases[i].name);
		rig_put(*state, name, cases[i].text);
		t = load(*state);
		s = slot_table_find(t, "slot-1");
		assert_true(secret_is_empty(&s->access));
		if (strncmp(s->last_error, cases[i].told, strlen(cases[i].told)) != 0)
			fail_msg("%s: said %s", cases[i].text, s->last_error);
		/* Once it is right again, nothing is left of that. */
		rig_put(*state, "state/slots/slot-1/agent/models.json", "{}");
		put_auth(*state, "slot-1", "A2");
		reload(*state, t);
		assert_true(sv_eq(secret_expose(&s->access), SV("A2")));
		assert_string_equal(s->last_error, "");
		slot_table_free(t);
	}
}

static void test_base_url(void **state)
{
	static const struct {
		const char *given, *want;
	} cases[] = {
		{"http://127.0.0.1:9/x", "http://127.0.0.1:9/x"},
		{"http://127.0.0.1:9/x/codex", "http://127.0.0.1:9/x"},
		{"http://127.0.0.1:9/x/codex/responses/", "http://127.0.0.1:9/x"},
		{"", "https://chatgpt.com/backend-api"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slot_table *t;
		char text[256];

		put_original(*state);
		snprintf(text, sizeof(text),
			"{\"providers\":{\"openai-codex\":{\"baseUrl\":\"%s\",\"models\":[]}}}",
			cases[i].given);
		rig_put(*state, "state/slots/slot-1/agent/models.json", text);
		t = load(*state);
		assert_string_equal(slot_table_find(t, "slot-1")->base_url, cases[i].want);
		slot_table_free(t);
	}
}

static void test_auth_file_of_the_record(void **state)
{
	char text[512];
	struct slot_table *t;

	rig_put(*state, "elsewhere.json", "{\"access\":\"E\"}");
	rig_put(*state, "config/slots.json",
		"{\"slots\":[{\"id\":1,\"authFile\":\"elsewhere.json\"}]}");
	t = load(*state);
	assert_true(sv_eq(secret_expose(&slot_table_find(t, "slot-1")->access), SV("E")));
	slot_table_free(t);
	snprintf(text, sizeof(text),
		"{\"slots\":[{\"id\":\"1\",\"authFile\":\"%s/elsewhere.json\"}]}",
		(const char *)*state);
	rig_put(*state, "config/slots.json", text);
	t = load(*state);
	assert_true(sv_eq(secret_expose(&slot_table_find(t, "slot-1")->access), SV("E")));
	slot_table_free(t);
}

static void test_load_refuses_and_changes_nothing(void **state)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
		{"{", "slots.json: line 1"},
		{"{}", "slots.json: slots: must be a list"},
		{"{\"slots\":{}}", "slots.json: slots: must be a list"},
		{"{\"slots\":[5]}", "slots[0].id: must be like"},
		{"{\"slots\":[{\"id\":\"slot-1\"},{\"id\":\"../x\"}]}",
			"slots[1].id: must be like"},
		{"{\"slots\":[{\"id\":\"slot-1\"},{\"id\":\"1\"}]}", "slots[1].id: slot-1 is there "
								     "twice"},
	};
	struct conf *conf = conf_of(*state);
	struct slot_table *t;

	put_original(*state);
	t = load(*state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf_error err = {""};

		rig_put(*state, "config/slots.json", cases[i].text);
		assert_true(store_load(*state, conf, t, &err) < 0);
		if (!strstr(err.message, cases[i].told))
			fail_msg("%s: said %s", cases[i].text, err.message);
		assert_int_equal(slot_table_count(t), 2);
	}
	slot_table_free(t);
	conf_unref(conf);
}

static void test_no_file_is_no_slots(void **state)
{
	char *path = runtime_slots_path(*state);
	struct slot_table *t;

	assert_int_equal(unlink(path), 0);
	t = load(*state);
	assert_int_equal(slot_table_count(t), 0);
	slot_table_free(t);
	free(path);
}

static void test_reload_follows_the_operator(void **state)
{
	struct slot_table *t;

	put_original(*state);
	t = load(*state);
	rig_put(*state, "config/slots.json",
		"{\"slots\":[{\"id\":\"slot-3\"},{\"id\":\"slot-1\",\"enabled\":false}]}");
	reload(*state, t);
	assert_int_equal(slot_table_count(t), 2);
	assert_null(slot_table_find(t, "slot-2"));
	assert_non_null(slot_table_find(t, "slot-3"));
	assert_false(slot_table_find(t, "slot-1")->enabled);
	slot_table_free(t);
}

static void assert_shares(struct slot_table *t, const char *id, int priority, double weight)
{
	const struct slot *s = slot_table_find(t, id);

	assert_non_null(s);
	assert_int_equal(s->priority, priority);
	assert_true(s->weight == weight);
}

static void test_priority_and_weight(void **state)
{
	static const struct {
		const char *members;
		int priority;
		double weight;
	} cases[] = {
		{"", 0, 1},
		{",\"priority\":7,\"weight\":0.25", 7, 0.25},
		{",\"priority\":-1000000,\"weight\":1000000", -1000000, 1e6},
		{",\"priority\":1000001,\"weight\":1000000.5", 0, 1},
		{",\"priority\":-1000001,\"weight\":0", 0, 1},
		{",\"priority\":1.5,\"weight\":-2", 0, 1},
		{",\"priority\":\"3\",\"weight\":\"2\"", 0, 1},
		{",\"priority\":null,\"weight\":true", 0, 1},
		{",\"priority\":9223372036854775807,\"weight\":1e308", 0, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slot_table *t;
		char text[256];

		snprintf(text, sizeof(text), "{\"slots\":[{\"id\":\"slot-1\"%s}]}",
			cases[i].members);
		rig_put(*state, "config/slots.json", text);
		t = load(*state);
		assert_shares(t, "slot-1", cases[i].priority, cases[i].weight);
		slot_table_free(t);
	}
}

static void test_priority_and_weight_are_the_operators(void **state)
{
	struct slot_table *t;
	json_t *doc, *record, *shown;
	struct slot *s;

	rig_put(*state, "config/slots.json",
		"{\"slots\":[{\"id\":\"slot-1\",\"priority\":2,\"weight\":\"heavy\"}]}");
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	s->turn = (struct pick_turn){5, 2.5};
	/* Changed while the relay runs, in the middle of a lease: taken over, turns go on. */
	s->inflight = 1;
	rig_put(*state, "config/slots.json",
		"{\"slots\":[{\"id\":\"slot-1\",\"priority\":-3,\"weight\":2.5}]}");
	reload(*state, t);
	assert_ptr_equal(slot_table_find(t, "slot-1"), s);
	assert_shares(t, "slot-1", -3, 2.5);
	assert_int_equal(s->turn.number, 5);
	assert_true(s->turn.due == 2.5);
	s->inflight = 0;
	shown = store_show_slot(s, PICK_CHOSEN, NOW_MS);
	assert_int_equal(int_in(shown, "priority"), -3);
	assert_true(json_real_value(json_object_get(shown, "weight")) == 2.5);
	json_decref(shown);
	/* A save of what the relay knows leaves newer values of the file alone. */
	rig_put(*state, "config/slots.json",
		"{\"slots\":[{\"id\":\"slot-1\",\"priority\":4,\"weight\":[]}]}");
	slot_table_mark_dirty(t, s);
	save(*state, t);
	record = record_in_file(*state, "slot-1", &doc);
	assert_int_equal(int_in(record, "priority"), 4);
	assert_true(json_is_array(json_object_get(record, "weight")));
	json_decref(doc);
	slot_table_free(t);
}

static void test_round_trip_keeps_what_it_does_not_know(void **state)
{
	struct slot_table *t;
	json_t *doc, *record, *usage, *runtime;
	struct slot *s;

	put_original(*state);
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	s->cooldown_until_ms = NOW_MS + 60000;
	slot_set_error(s, "rate_limit", SV("wait"));
	s->meters.window[METER_5H].used_percent = 12.5;
	slot_table_mark_dirty(t, s);
	save(*state, t);
	assert_false(s->dirty);
	slot_table_free(t);

	record = record_in_file(*state, "slot-1", &doc);
	assert_int_equal(int_in(json_object_get(doc, "other"), "x"), 1);
	assert_int_equal(int_in(doc, "version"), 1);
	assert_non_null(strstr(text_in(doc, "updatedAt"), "T"));
	assert_string_not_equal(text_in(doc, "updatedAt"), "2026-09-01T00:00:00Z");
	assert_int_equal(json_array_size(json_object_get(record, "custom")), 2);
	assert_string_equal(text_in(record, "authFile"), "/gone/agent/auth-profiles.json");
	usage = json_object_get(record, "usage");
	assert_string_equal(text_in(usage, "mood"), "fine");
	assert_string_equal(text_in(usage, "usage5h"), "88% left · resets 3h");
	assert_string_equal(text_in(usage, "usageWeek"), "40% left · resets 6d 23h");
	assert_int_equal(int_in(usage, "fivePct"), 88);
	/* The types that were there. */
	assert_int_equal(int_in(usage, "checkedAt"), NOW_MS);
	runtime = json_object_get(record, "runtime");
	assert_int_equal(int_in(runtime, "cooldownUntil"), NOW_MS + 60000);
	assert_int_equal(int_in(runtime, "lastUsedAt"), INT64_C(1789999000000));
	assert_string_equal(text_in(runtime, "lastError"), "rate_limit: wait");
	assert_true(json_is_true(json_object_get(runtime, "x")));
	json_decref(doc);

	/* Exact values come back, not the rounded ones of the texts. */
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	assert_true(slot_left_pct(s, METER_5H, NOW_MS) == 87.5);
	assert_int_equal(s->cooldown_until_ms, NOW_MS + 60000);
	slot_table_free(t);
}

static void test_newer_usage_of_others_beats_our_windows(void **state)
{
	struct slot_table *t;
	json_t *doc, *record;
	struct slot *s;
	char *path = runtime_slots_path(*state);

	put_original(*state);
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	slot_table_mark_dirty(t, s);
	save(*state, t);
	/* The original program asks upstream, knowing nothing of `relay`. */
	record = record_in_file(*state, "slot-1", &doc);
	json_object_set_new(record, "usage",
		json_pack("{s:s, s:I}", "usage5h", "11% left · resets 1h", "checkedAt",
			(json_int_t)NOW_MS + 60000));
	assert_int_equal(json_dump_file(doc, path, 0), 0);
	json_decref(doc);
	/* A save of what we knew before does not overwrite it. */
	s->failures = 9;
	slot_table_mark_dirty(t, s);
	save(*state, t);
	record = record_in_file(*state, "slot-1", &doc);
	assert_string_equal(
		text_in(json_object_get(record, "usage"), "usage5h"), "11% left · resets 1h");
	assert_int_equal(int_in(json_object_get(record, "runtime"), "consecutiveFailures"), 9);
	json_decref(doc);
	reload(*state, t);
	assert_true(slot_left_pct(s, METER_5H, NOW_MS) == 11);
	assert_int_equal(s->failures, 9);
	slot_table_free(t);
	free(path);
}

static void test_state_that_the_original_has_no_place_for(void **state)
{
	struct slot_table *t;
	struct slot *s;

	put_original(*state);
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	s->reauth_required = true;
	slot_set_error(s, "auth", SV("refused"));
	{
		struct failure f = {.class = FAILURE_AUTH};
		struct slot_verdict v = {.kind = VERDICT_FAILURE, .failure = &f};
		struct cooldown_conf c = {1, 1};

		slot_apply_verdict(s, &v, &c, NOW_MS);
	}
	s->meters.window[METER_MONTH] = (struct meter){true, 70, 43200, NOW_S + 999};
	s->meters.has_credits_known = s->meters.has_credits = true;
	snprintf(s->meters.plan_type, sizeof(s->meters.plan_type), "pro");
	snprintf(s->cooldown_reason, sizeof(s->cooldown_reason), "quota");
	slot_table_mark_dirty(t, s);
	save(*state, t);
	slot_table_free(t);
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	assert_true(s->reauth_required);
	assert_string_equal(s->meters.plan_type, "pro");
	assert_true(s->meters.has_credits);
	assert_string_equal(s->cooldown_reason, "quota");
	assert_int_equal(s->meters.window[METER_MONTH].resets_at_s, NOW_S + 999);
	assert_int_equal(s->meters.window[METER_MONTH].window_minutes, 43200);
	/* Another token is not refused, also after a restart. */
	slot_table_free(t);
	put_auth(*state, "slot-1", "A2");
	t = load(*state);
	assert_false(slot_table_find(t, "slot-1")->reauth_required);
	slot_table_free(t);
}

static void test_dead_account_is_disabled_in_the_file_once(void **state)
{
	struct slot_table *t;
	json_t *doc, *record;
	struct slot *s;

	put_original(*state);
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	s->enabled = false;
	s->dead = true;
	slot_set_error(s, "dead", SV("account_deactivated"));
	slot_table_mark_dirty(t, s);
	save(*state, t);
	record = record_in_file(*state, "slot-1", &doc);
	assert_true(json_is_false(json_object_get(record, "enabled")));
	assert_string_equal(text_in(json_object_get(record, "relay"), "disabledReason"),
		"dead: account_deactivated");
	/* The operator enables it; a later save does not take that back. */
	json_object_set_new(record, "enabled", json_true());
	{
		char *path = runtime_slots_path(*state);

		assert_int_equal(json_dump_file(doc, path, 0), 0);
		free(path);
	}
	json_decref(doc);
	slot_table_mark_dirty(t, s);
	save(*state, t);
	record = record_in_file(*state, "slot-1", &doc);
	assert_true(json_is_true(json_object_get(record, "enabled")));
	json_decref(doc);
	slot_table_free(t);
}

/* As slot-reset does it. */
static int reset_slot_1(json_t *slots, void *arg)
{
	json_t *record = store_find(slots, "slot-1");

	json_object_set_new(record, "runtime",
		json_pack(
			"{s:n, s:n, s:i}", "cooldownUntil", "lastError", "consecutiveFailures", 0));
	json_object_set_new(record, "enabled", json_true());
	json_object_set_new(record, "relay", json_pack("{s:s}", "resetAt", (const char *)arg));
	return 0;
}

static void reset_in_file(const char *root, const char *at)
{
	struct conf_error err;

	assert_int_equal(store_edit(root, reset_slot_1, (void *)(uintptr_t)at, &err), 0);
}

static struct slot *make_trouble(struct slot_table *t)
{
	struct slot *s = slot_table_find(t, "slot-1");

	s->enabled = false;
	s->dead = true;
	s->failures = 3;
	s->cooldown_until_ms = NOW_MS + 1000000;
	snprintf(s->cooldown_reason, sizeof(s->cooldown_reason), "quota");
	slot_set_error(s, "quota", SV("used up"));
	slot_table_mark_dirty(t, s);
	return s;
}

static void assert_no_trouble(const struct slot *s)
{
	assert_true(s->enabled);
	assert_false(s->dead);
	assert_int_equal(s->failures, 0);
	assert_int_equal(s->cooldown_until_ms, 0);
	assert_string_equal(s->cooldown_reason, "");
	assert_string_equal(s->last_error, "");
}

static void test_reset_of_the_operator_is_taken_once(void **state)
{
	struct slot_table *t;
	struct slot *s;

	put_original(*state);
	t = load(*state);
	s = make_trouble(t);
	reset_in_file(*state, "2026-01-01T00:00:00.000Z");
	reload(*state, t);
	assert_no_trouble(s);
	/* What comes after it stays, however often the file is read again. */
	make_trouble(t);
	reload(*state, t);
	assert_int_equal(s->cooldown_until_ms, NOW_MS + 1000000);
	assert_true(s->dead);
	/* The next one is another, also when the clock was set back. */
	reset_in_file(*state, "2025-01-01T00:00:00.000Z");
	reload(*state, t);
	assert_no_trouble(s);
	slot_table_free(t);
}

static void test_save_does_not_undo_a_reset_that_it_did_not_know(void **state)
{
	struct store_save *late;
	struct slot_table *t;
	json_t *doc, *record;

	put_original(*state);
	t = load(*state);
	make_trouble(t);
	late = store_save_begin(*state, t);
	reset_in_file(*state, "2026-01-01T00:00:00.000Z");
	assert_int_equal(store_save_commit(late), 0);
	store_save_free(late);
	record = record_in_file(*state, "slot-1", &doc);
	assert_true(
		json_is_null(json_object_get(json_object_get(record, "runtime"), "cooldownUntil")));
	assert_true(json_is_true(json_object_get(record, "enabled")));
	assert_null(json_object_get(json_object_get(record, "relay"), "cooldownReason"));
	assert_null(json_object_get(json_object_get(record, "relay"), "disabledReason"));
	assert_string_equal(
		text_in(json_object_get(record, "relay"), "resetAt"), "2026-01-01T00:00:00.000Z");
	json_decref(doc);
	/* Once it knows, it writes again. */
	reload(*state, t);
	make_trouble(t);
	save(*state, t);
	record = record_in_file(*state, "slot-1", &doc);
	assert_false(
		json_is_null(json_object_get(json_object_get(record, "runtime"), "cooldownUntil")));
	assert_true(json_is_false(json_object_get(record, "enabled")));
	json_decref(doc);
	slot_table_free(t);
}

/* --- a command beside a running relay --- */

static void save_changes(const char *root, struct slot_table *t)
{
	struct store_save *s = store_save_begin_changes(root, t);

	assert_int_equal(store_save_commit(s), 0);
	store_save_free(s);
}

/* What the relay wrote while the command ran. */
static void write_as_relay(const char *root)
{
	struct slot_table *t = load(root);
	struct slot *s = slot_table_find(t, "slot-1");

	s->last_used_ms = NOW_MS + 5000;
	s->cooldown_until_ms = NOW_MS + 900000;
	snprintf(s->cooldown_reason, sizeof(s->cooldown_reason), "rate_limit");
	s->failures = 7;
	slot_set_error(s, "rate_limit", SV("too much"));
	slot_require_reauth(s);
	slot_table_mark_dirty(t, s);
	save(root, t);
	slot_table_free(t);
}

static void test_command_writes_nothing_over_what_the_relay_wrote_meanwhile(void **state)
{
	struct slot_table *t;
	struct slot *s;
	json_t *doc, *record, *runtime, *relay;

	put_original(*state);
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	write_as_relay(*state);
	s->meters.window[METER_5H] =
		(struct meter){.known = true, .used_percent = 70, .window_minutes = 300};
	s->checked_at_ms = NOW_MS + 9000;
	slot_set_error(s, "refresh", SV("from the command"));
	slot_table_mark_dirty(t, s);
	save_changes(*state, t);
	record = record_in_file(*state, "slot-1", &doc);
	runtime = json_object_get(record, "runtime");
	relay = json_object_get(record, "relay");
	assert_int_equal(int_in(runtime, "lastUsedAt"), NOW_MS + 5000);
	assert_false(json_is_null(json_object_get(runtime, "cooldownUntil")));
	assert_int_equal(int_in(runtime, "consecutiveFailures"), 7);
	assert_string_equal(text_in(runtime, "lastError"), "rate_limit: too much");
	assert_true(json_is_true(json_object_get(runtime, "x")));
	assert_string_equal(text_in(relay, "cooldownReason"), "rate_limit");
	assert_true(json_is_true(json_object_get(relay, "reauthRequired")));
	assert_non_null(text_in(relay, "refusedFingerprint"));
	/* What it asked for is its own. */
	assert_int_equal(int_in(json_object_get(record, "usage"), "fivePct"), 30);
	assert_non_null(json_object_get(json_object_get(relay, "windows"), "5h"));
	json_decref(doc);
	slot_table_free(t);
}

static void test_command_writes_what_it_found_out_of_the_login(void **state)
{
	struct slot_table *t;
	struct slot *s;
	json_t *doc, *record;

	put_original(*state);
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	slot_set_error(s, "refresh", SV("log in again"));
	slot_require_reauth(s);
	slot_table_mark_dirty(t, s);
	save_changes(*state, t);
	record = record_in_file(*state, "slot-1", &doc);
	assert_string_equal(
		text_in(json_object_get(record, "runtime"), "lastError"), "refresh: log in again");
	assert_int_equal(int_in(json_object_get(record, "runtime"), "consecutiveFailures"), 2);
	assert_true(
		json_is_true(json_object_get(json_object_get(record, "relay"), "reauthRequired")));
	json_decref(doc);
	slot_table_free(t);
	/* And takes it back: the file's words are from before. */
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	assert_true(s->reauth_required);
	s->reauth_required = false;
	s->last_error[0] = '\0';
	slot_table_mark_dirty(t, s);
	save_changes(*state, t);
	record = record_in_file(*state, "slot-1", &doc);
	assert_true(json_is_null(json_object_get(json_object_get(record, "runtime"), "lastError")));
	assert_null(json_object_get(json_object_get(record, "relay"), "reauthRequired"));
	json_decref(doc);
	slot_table_free(t);
}

static void test_save_leaves_newer_usage_whole(void **state)
{
	struct slot_table *t, *other;
	struct slot *s;
	json_t *doc, *record;

	put_original(*state);
	t = load(*state);
	other = load(*state);
	s = slot_table_find(other, "slot-1");
	s->meters.window[METER_5H] =
		(struct meter){.known = true, .used_percent = 70, .window_minutes = 300};
	snprintf(s->meters.plan_type, sizeof(s->meters.plan_type), "pro");
	s->checked_at_ms = NOW_MS + 9000;
	slot_table_mark_dirty(other, s);
	save(*state, other);
	slot_table_free(other);
	/* Ours is older, and has a success to tell. */
	s = slot_table_find(t, "slot-1");
	s->last_used_ms = NOW_MS + 20000;
	slot_table_mark_dirty(t, s);
	save(*state, t);
	slot_table_free(t);
	record = record_in_file(*state, "slot-1", &doc);
	assert_int_equal(int_in(json_object_get(record, "runtime"), "lastUsedAt"), NOW_MS + 20000);
	assert_int_equal(int_in(json_object_get(record, "usage"), "fivePct"), 30);
	assert_string_equal(text_in(json_object_get(record, "relay"), "plan"), "pro");
	json_decref(doc);
	t = load(*state);
	assert_int_equal(slot_table_find(t, "slot-1")->meters.window[METER_5H].window_minutes, 300);
	slot_table_free(t);
}

static void test_save_of_nothing_writes_nothing(void **state)
{
	char *path = runtime_slots_path(*state);
	struct stat before, after;
	struct slot_table *t;

	put_original(*state);
	t = load(*state);
	assert_int_equal(stat(path, &before), 0);
	save(*state, t);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	slot_table_free(t);
	free(path);
}

static void test_removed_slot_does_not_come_back(void **state)
{
	struct slot_table *t;
	json_t *doc;

	put_original(*state);
	t = load(*state);
	slot_table_mark_dirty(t, slot_table_find(t, "slot-2"));
	rig_put(*state, "config/slots.json", "{\"slots\":[{\"id\":\"slot-1\"}]}");
	save(*state, t);
	doc = rig_get(*state, "config/slots.json");
	assert_int_equal(json_array_size(json_object_get(doc, "slots")), 1);
	json_decref(doc);
	slot_table_free(t);
}

static void test_failed_save_can_be_repeated(void **state)
{
	struct slot_table *t;
	struct store_save *s;
	json_t *doc, *record;

	put_original(*state);
	t = load(*state);
	slot_table_find(t, "slot-1")->failures = 5;
	slot_table_mark_dirty(t, slot_table_find(t, "slot-1"));
	rig_put(*state, "config/slots.json", "{broken by hand");
	s = store_save_begin(*state, t);
	assert_int_equal(store_save_commit(s), -EINVAL);
	store_save_undo(s, t);
	store_save_free(s);
	rig_put(*state, "config/slots.json", original);
	save(*state, t);
	record = record_in_file(*state, "slot-1", &doc);
	assert_int_equal(int_in(json_object_get(record, "runtime"), "consecutiveFailures"), 5);
	json_decref(doc);
	slot_table_free(t);
}

static int refuse_edit(json_t *slots, void *arg)
{
	(void)arg;
	json_array_clear(slots);
	return -EPERM;
}

static void test_refused_edit_writes_nothing(void **state)
{
	struct conf_error err;
	json_t *doc;

	put_original(*state);
	assert_int_equal(store_edit(*state, refuse_edit, NULL, &err), -EPERM);
	assert_string_equal(err.message, "");
	doc = rig_get(*state, "config/slots.json");
	assert_int_equal(json_array_size(json_object_get(doc, "slots")), 2);
	json_decref(doc);
	rig_put(*state, "config/slots.json", "{");
	assert_int_equal(store_edit(*state, refuse_edit, NULL, &err), -EINVAL);
	assert_non_null(strstr(err.message, "slots.json: line 1"));
}

enum { WRITERS = 3, ROUNDS = 40 };

static int count_up(json_t *slots, void *arg)
{
	json_t *record = store_find(slots, "slot-1");
	const char *name = arg;

	json_object_set_new(
		record, name, json_integer(json_integer_value(json_object_get(record, name)) + 1));
	return 0;
}

/* A CLI process, many times. */
static void run_editor(const char *root, int number)
{
	char name[32];

	snprintf(name, sizeof(name), "edits%d", number);
	for (int i = 0; i < ROUNDS; i++) {
		struct conf_error err;

		if (store_edit(root, count_up, name, &err) != 0)
			_exit(1);
	}
	_exit(0);
}

static void test_edits_while_the_daemon_saves_lose_nothing(void **state)
{
	struct slot_table *t;
	json_t *doc, *record;
	pid_t pids[WRITERS];
	struct slot *s;

	put_original(*state);
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			run_editor(*state, i);
	}
	for (int i = 1; i <= ROUNDS; i++) {
		s->failures = (unsigned)i;
		slot_table_mark_dirty(t, s);
		save(*state, t);
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	record = record_in_file(*state, "slot-1", &doc);
	for (int i = 0; i < WRITERS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "edits%d", i);
		assert_int_equal(int_in(record, name), ROUNDS);
	}
	assert_int_equal(int_in(json_object_get(record, "runtime"), "consecutiveFailures"), ROUNDS);
	json_decref(doc);
	slot_table_free(t);
}

static void test_show(void **state)
{
	static const char *const keys[] = {"id", "enabled", "label", "usage", "runtime", "busy",
		"sourceMeta", "plan", "windows", "inflight", "state", "eligible", "reason"};
	static const char *const meta_keys[] = {"email", "emailLabel", "accountId", "profileId",
		"expires", "savedAt", "usageFingerprint"};
	struct slot_table *t;
	struct slot *s;
	json_t *shown;
	char *text;

	put_original(*state);
	t = load(*state);
	s = slot_table_find(t, "slot-1");
	s->inflight = 2;
	shown = store_show_slot(s, PICK_BUSY, NOW_MS + 3600 * 1000);
	s->inflight = 0;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_non_null(json_object_get(shown, keys[i]));
	for (size_t i = 0; i < ARRAY_LEN(meta_keys); i++)
		assert_non_null(
			json_object_get(json_object_get(shown, "sourceMeta"), meta_keys[i]));
	text = json_dumps(shown, 0);
	assert_null(strstr(text, "sekret"));
	assert_null(strstr(text, "A1"));
	free(text);
	/* An hour later: */
	assert_string_equal(
		text_in(json_object_get(shown, "usage"), "usage5h"), "95% left · resets 2h");
	assert_string_equal(text_in(shown, "state"), "busy");
	assert_true(json_is_true(json_object_get(shown, "busy")));
	assert_true(json_is_true(json_object_get(shown, "eligible")));
	json_decref(shown);
	shown = store_show_slot(slot_table_find(t, "slot-2"), PICK_DISABLED, NOW_MS);
	for (size_t i = 0; i < ARRAY_LEN(meta_keys); i++)
		assert_non_null(
			json_object_get(json_object_get(shown, "sourceMeta"), meta_keys[i]));
	assert_string_equal(text_in(shown, "state"), "disabled");
	assert_string_equal(text_in(shown, "reason"), "disabled");
	assert_true(json_is_false(json_object_get(shown, "eligible")));
	assert_true(json_is_null(json_object_get(json_object_get(shown, "usage"), "usage5h")));
	json_decref(shown);
	slot_table_free(t);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, rig_make_dir, rig_drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slot_ids),
		IN_DIR(test_load_of_the_originals_file),
		IN_DIR(test_files_that_cannot_be_used),
		IN_DIR(test_base_url),
		IN_DIR(test_auth_file_of_the_record),
		IN_DIR(test_load_refuses_and_changes_nothing),
		IN_DIR(test_no_file_is_no_slots),
		IN_DIR(test_reload_follows_the_operator),
		IN_DIR(test_priority_and_weight),
		IN_DIR(test_priority_and_weight_are_the_operators),
		IN_DIR(test_round_trip_keeps_what_it_does_not_know),
		IN_DIR(test_newer_usage_of_others_beats_our_windows),
		IN_DIR(test_state_that_the_original_has_no_place_for),
		IN_DIR(test_dead_account_is_disabled_in_the_file_once),
		IN_DIR(test_reset_of_the_operator_is_taken_once),
		IN_DIR(test_save_does_not_undo_a_reset_that_it_did_not_know),
		IN_DIR(test_command_writes_nothing_over_what_the_relay_wrote_meanwhile),
		IN_DIR(test_command_writes_what_it_found_out_of_the_login),
		IN_DIR(test_save_leaves_newer_usage_whole),
		IN_DIR(test_save_of_nothing_writes_nothing),
		IN_DIR(test_removed_slot_does_not_come_back),
		IN_DIR(test_failed_save_can_be_repeated),
		IN_DIR(test_refused_edit_writes_nothing),
		IN_DIR(test_edits_while_the_daemon_saves_lose_nothing),
		IN_DIR(test_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
