/* catalogue: hostile bodies, what it refuses, and the file. */
#include "slots/catalogue.h"

#include "rig.h"

enum { HOUR_MS = 3600 * 1000 };

static const struct catalogue_origin origin = {"account", "http://upstream", "0.169.0"};

static struct catalogue *parse(const char *body)
{
	struct catalogue *c = NULL;
	const char *problem;

	if (catalogue_parse(sv_cstr(body), SV("W/\"1\""), &c, &problem))
		fail_msg("%s: %s", body, problem);
	c->fetched_ms = NOW_MS;
	return c;
}

static uint64_t hash(const char *name)
{
	return sv_hash(sv_cstr(name), SV_HASH_SEED);
}

static const char usual[] =
	"{\"models\":[{\"slug\":\"gpt-b\",\"display_name\":\"GPT B\",\"visibility\":\"list\","
	"\"context_window\":272000},{\"slug\":\"gpt-a\",\"visibility\":\"hide\"},"
	"{\"slug\":\"gpt-c\",\"display_name\":null,\"context_window\":null}]}";

static void assert_usual(const struct catalogue *c)
{
	assert_int_equal(c->count, 3);
	assert_string_equal(c->models[0].name, "gpt-b");
	assert_string_equal(c->models[0].display_name, "GPT B");
	assert_int_equal(c->models[0].context_window, 272000);
	assert_false(c->models[0].hidden);
	assert_true(c->models[1].hidden);
	assert_null(c->models[2].display_name);
	assert_int_equal(c->models[2].context_window, 0);
	assert_false(c->models[2].hidden);
	assert_string_equal(c->etag, "W/\"1\"");
	assert_int_equal(c->fetched_ms, NOW_MS);
}

static void test_known_models_and_others(void **state)
{
	struct catalogue *c = parse(usual);

	(void)state;
	assert_usual(c);
	assert_false(catalogue_lacks(c, hash("gpt-a"), NOW_MS));
	assert_false(catalogue_lacks(c, hash("gpt-b"), NOW_MS));
	assert_false(catalogue_lacks(c, hash("gpt-c"), NOW_MS));
	assert_true(catalogue_lacks(c, hash("gpt-d"), NOW_MS));
	assert_ptr_equal(catalogue_find(c, SV("gpt-a")), &c->models[1]);
	assert_null(catalogue_find(c, SV("gpt-")));
	catalogue_free(c);
}

static void test_what_is_not_known_lacks_nothing(void **state)
{
	struct catalogue *c = parse(usual);
	struct catalogue *empty = parse("{\"models\":[]}");

	(void)state;
	assert_false(catalogue_lacks(NULL, hash("gpt-d"), NOW_MS));
	assert_false(catalogue_lacks(empty, hash("gpt-d"), NOW_MS));
	assert_true(catalogue_lacks(c, hash("gpt-d"), NOW_MS + 23 * HOUR_MS));
	assert_false(catalogue_lacks(c, hash("gpt-d"), NOW_MS + 25 * HOUR_MS));
	catalogue_free(c);
	catalogue_free(empty);
	catalogue_free(NULL);
}

static void test_bodies_that_are_none(void **state)
{
	static const char *const bodies[] = {"", "null", "[]", "{}", "{\"models\":{}}",
		"{\"models\":null}", "<html>", "{\"models\":[}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct catalogue *c = NULL;
		const char *problem = NULL;

		assert_int_equal(
			catalogue_parse(sv_cstr(bodies[i]), SV_NONE, &c, &problem), -EINVAL);
		assert_null(c);
		assert_non_null(problem);
	}
}

static void test_entries_without_a_name_are_skipped(void **state)
{
	char body[1024];
	char longest[CATALOGUE_NAME_MAX + 2];
	struct catalogue *c;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[CATALOGUE_NAME_MAX + 1] = '\0';
	snprintf(body, sizeof(body),
		"{\"models\":[1,null,[],{},{\"slug\":5},{\"slug\":\"\"},{\"slug\":\"a b\"},"
		"{\"slug\":\"a\\u0000b\"},{\"slug\":\"\\u00e4\"},{\"slug\":\"%s\"},{\"slug\":\"%"
		"s\"},"
		"{\"slug\":\"ok\",\"display_name\":\"a\\nb\",\"context_window\":-5},"
		"{\"slug\":\"ok\",\"visibility\":\"hide\"}]}",
		longest, longest + 1);
	c = parse(body);
	assert_int_equal(c->count, 2);
	assert_int_equal(strlen(c->models[0].name), CATALOGUE_NAME_MAX);
	assert_string_equal(c->models[1].name, "ok");
	assert_null(c->models[1].display_name);
	assert_int_equal(c->models[1].context_window, 0);
	assert_false(c->models[1].hidden);
	catalogue_free(c);
}

static void test_too_many_models_are_no_list(void **state)
{
	struct catalogue *c = NULL;
	const char *problem;
	struct buf body;

	(void)state;
	for (int count = CATALOGUE_MODELS_MAX; count <= CATALOGUE_MODELS_MAX + 1; count++) {
		buf_init(&body, MIB(1));
		buf_add_lit(&body, "{\"models\":[");
		for (int i = 0; i < count; i++)
			buf_addf(&body, "%s{\"slug\":\"m%d\"}", i ? "," : "", i);
		buf_add_lit(&body, "]}");
		if (count > CATALOGUE_MODELS_MAX) {
			assert_int_equal(
				catalogue_parse(buf_sv(&body), SV_NONE, &c, &problem), -EINVAL);
		} else {
			assert_int_equal(catalogue_parse(buf_sv(&body), SV_NONE, &c, &problem), 0);
			assert_int_equal(c->count, CATALOGUE_MODELS_MAX);
			catalogue_free(c);
		}
		buf_fini(&body);
	}
}

static void test_etag_that_is_no_header_is_dropped(void **state)
{
	struct catalogue *c;
	const char *problem;

	(void)state;
	assert_int_equal(catalogue_parse(sv_cstr(usual), SV("a\r\nb: c"), &c, &problem), 0);
	assert_null(c->etag);
	catalogue_free(c);
}

static void test_file_reads_back_the_same(void **state)
{
	struct catalogue *c = parse(usual), *again;
	json_t *doc;

	(void)state;
	c->plan = mem_strdup("plus");
	doc = catalogue_json(c, &origin);
	again = catalogue_from_json(doc, &origin);
	assert_non_null(again);
	assert_usual(again);
	assert_string_equal(again->plan, "plus");
	assert_true(catalogue_lacks(again, hash("gpt-d"), NOW_MS));
	assert_false(catalogue_lacks(again, hash("gpt-a"), NOW_MS));
	catalogue_free(c);
	catalogue_free(again);
	json_decref(doc);
}

static void test_file_of_somebody_else_is_not_taken(void **state)
{
	static const struct catalogue_origin others[] = {
		{"other", "http://upstream", "0.169.0"},
		{NULL, "http://upstream", "0.169.0"},
		{"account", "http://other", "0.169.0"},
		{"account", "http://upstream", "0.170.0"},
	};
	struct catalogue *c = parse(usual);
	json_t *doc = catalogue_json(c, &origin);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_null(catalogue_from_json(doc, &others[i]));
	catalogue_free(c);
	json_decref(doc);
}

static void test_broken_files_are_no_catalogue(void **state)
{
	static const char *const texts[] = {"", "{", "[]", "{}", "{\"models\":5}"};
	char *path = catalogue_path(*state, "slot-1");
	const struct catalogue_origin nobody = {0};
	struct catalogue *c;

	assert_null(catalogue_read(path, &nobody));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		rig_put(*state, "state/slots/slot-1/agent/codex-models.json", texts[i]);
		assert_null(catalogue_read(path, &nobody));
	}
	rig_put(*state, "state/slots/slot-1/agent/codex-models.json",
		"{\"models\":[5,{\"slug\":\"a b\"},{\"slug\":\"a\",\"displayName\":5},"
		"{\"slug\":\"a\"}],\"etag\":7,\"fetchedAt\":\"soon\"}");
	c = catalogue_read(path, &nobody);
	assert_int_equal(c->count, 1);
	assert_null(c->etag);
	assert_false(catalogue_is_known(c, NOW_MS));
	catalogue_free(c);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_models_and_others),
		cmocka_unit_test(test_what_is_not_known_lacks_nothing),
		cmocka_unit_test(test_bodies_that_are_none),
		cmocka_unit_test(test_entries_without_a_name_are_skipped),
		cmocka_unit_test(test_too_many_models_are_no_list),
		cmocka_unit_test(test_etag_that_is_no_header_is_dropped),
		cmocka_unit_test(test_file_reads_back_the_same),
		cmocka_unit_test(test_file_of_somebody_else_is_not_taken),
		cmocka_unit_test_setup_teardown(
			test_broken_files_are_no_catalogue, rig_make_dir, rig_drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
