#include "conf/dependency_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static json_t *map_of(const char *config)
{
	struct conf_error err;
	struct conf *c;
	json_t *map;

	assert_int_equal(conf_parse(sv_cstr(config), "/r", NULL, &c, &err), 0);
	map = dependency_map_json(c);
	conf_unref(c);
	return map;
}

static const char *text_of(json_t *map, const char *part, const char *member)
{
	const char *text = json_string_value(json_object_get(json_object_get(map, part), member));

	assert_non_null(text);
	return text;
}

static void test_the_defaults_need_no_openclaw(void **state)
{
	static const char *const parts[] = {"auth", "usage", "runner", "stateControlPlane"};
	json_t *map = map_of("{}");

	(void)state;
	assert_int_equal(json_object_size(map), ARRAY_LEN(parts));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		json_t *used_by = json_object_get(json_object_get(map, parts[i]), "usedBy");

		assert_string_equal(text_of(map, parts[i], "status"), "OpenClaw-independent");
		assert_true(json_array_size(used_by) > 0);
	}
	assert_string_equal(text_of(map, "auth", "configuredBackend"), "native");
	assert_string_equal(text_of(map, "usage", "configuredBackend"), "codex-api");
	assert_string_equal(text_of(map, "runner", "configuredBackend"), "codex-direct");
	assert_string_equal(text_of(map, "stateControlPlane", "backend"), "local-files");
	json_decref(map);
}

static void test_an_openclaw_backend_is_a_dependency(void **state)
{
	json_t *map = map_of("{\"usage\":{\"backend\":\"openclaw\"}}");
	json_t *supported = json_object_get(json_object_get(map, "usage"), "supportedBackends");

	(void)state;
	assert_string_equal(text_of(map, "usage", "status"), "OpenClaw-dependent");
	assert_string_equal(text_of(map, "auth", "status"), "OpenClaw-independent");
	assert_int_equal(json_array_size(supported), 3);
	assert_string_equal(json_string_value(json_array_get(supported, 1)), "local-cache");
	json_decref(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_defaults_need_no_openclaw),
		cmocka_unit_test(test_an_openclaw_backend_is_a_dependency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
