/* openclaw_env: what a child sees of our environment. */
#include "openclaw/openclaw_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *find(const struct openclaw_env *env, const char *name)
{
	size_t n = strlen(name), count = 0;
	const char *value = NULL;

	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->list[i], name, n) == 0 && env->list[i][n] == '=') {
			value = env->list[i] + n + 1;
			count++;
		}
	}
	assert_true(count <= 1);
	assert_null(env->list[env->count]);
	return value;
}

static void test_only_what_it_needs_passes(void **state)
{
	struct openclaw_env env;

	(void)state;
	setenv("PATH", "/p", 1);
	setenv("LC_TIME", "C", 1);
	setenv("https_proxy", "http://proxy", 1);
	setenv("OPENCLAW_GATEWAY_TOKEN", "secret", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	setenv("PATHOLOGY", "x", 1);
	openclaw_env_init(&env);
	assert_string_equal(find(&env, "PATH"), "/p");
	assert_string_equal(find(&env, "LC_TIME"), "C");
	assert_string_equal(find(&env, "https_proxy"), "http://proxy");
	assert_null(find(&env, "OPENCLAW_GATEWAY_TOKEN"));
	assert_null(find(&env, "AWS_SECRET_ACCESS_KEY"));
	assert_null(find(&env, "PATHOLOGY"));
	openclaw_env_fini(&env);
}

static void test_set_adds_and_replaces(void **state)
{
	struct openclaw_env env;
	size_t count;

	(void)state;
	setenv("HOME", "/h", 1);
	openclaw_env_init(&env);
	count = env.count;
	openclaw_env_set(&env, "HOME", SV("/room"));
	assert_int_equal(env.count, count);
	assert_string_equal(find(&env, "HOME"), "/room");
	openclaw_env_set(&env, "HOME2", SV("a=b"));
	openclaw_env_set(&env, "EMPTY", SV_NONE);
	assert_int_equal(env.count, count + 2);
	assert_string_equal(find(&env, "HOME2"), "a=b");
	assert_string_equal(find(&env, "EMPTY"), "");
	openclaw_env_fini(&env);
	openclaw_env_fini(&env);
}

static void test_empty_environment_is_a_list_too(void **state)
{
	struct openclaw_env env;

	(void)state;
	clearenv();
	openclaw_env_init(&env);
	assert_int_equal(env.count, 0);
	assert_null(env.list[0]);
	openclaw_env_fini(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_it_needs_passes),
		cmocka_unit_test(test_set_adds_and_replaces),
		cmocka_unit_test(test_empty_environment_is_a_list_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
