/* Every row of the route table. */
#include "relay/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_every_row_is_complete(void **state)
{
	const struct route *route;

	(void)state;
	for (size_t i = 0; (route = router_routes(i)); i++) {
		assert_int_equal(route->path[0], '/');
		assert_non_null(route->serve);
		assert_true(route->help[0]);
		assert_true(strcmp(route->methods, "POST") == 0 ||
			    strcmp(route->methods, "GET, HEAD") == 0 ||
			    strcmp(route->methods, "DELETE") == 0);
		assert_true(strchr(route->path, '{') ||
			    router_match(route->path, sv_cstr(route->path), &(struct sv){0}));
		for (size_t k = 0; k < i; k++)
			assert_true(strcmp(route->path, router_routes(k)->path) != 0 ||
				    strcmp(route->methods, router_routes(k)->methods) != 0);
	}
	assert_null(router_routes(1000));
}

/* What answers from accounts asks for the token; only probes do not (SPEC 2). */
static void test_only_probes_are_open(void **state)
{
	const struct route *route;

	(void)state;
	for (size_t i = 0; (route = router_routes(i)); i++) {
		bool probe =
			strcmp(route->path, "/healthz") == 0 || strcmp(route->path, "/readyz") == 0;

		bool codex = strncmp(route->path, "/backend-api/", 13) == 0 ||
			     strncmp(route->path, "/api/codex/", 11) == 0;

		assert_int_equal(route->role, probe ? ROLE_NONE : codex ? ROLE_CODEX : ROLE_CLIENT);
	}
}

static void check_match(const char *pattern, const char *path, const char *param)
{
	struct sv found;
	bool fits = router_match(pattern, sv_cstr(path), &found);

	assert_int_equal(fits, param != NULL);
	if (param)
		assert_true(sv_eq(found, sv_cstr(param)));
}

static void test_a_part_in_braces_takes_one_part_of_the_path(void **state)
{
	(void)state;
	check_match("/v1/models", "/v1/models", "");
	check_match("/v1/models", "/v1/models/a", NULL);
	check_match("/v1/models/{id}", "/v1/models", NULL);
	check_match("/v1/models/{id}", "/v1/models/", NULL);
	check_match("/v1/models/{id}", "/v1/models/gpt-5.5", "gpt-5.5");
	check_match("/v1/models/{id}", "/v1/models/a/b", NULL);
	check_match("/v1/models/{id}", "/v1/models/a%2Fb", "a%2Fb");
	check_match("/v1/models/{id}", "/V1/models/a", NULL);
	check_match("/admin/slots/{id}/enable", "/admin/slots/2/enable", "2");
	check_match("/admin/slots/{id}/enable", "/admin/slots//enable", NULL);
	check_match("/admin/slots/{id}/enable", "/admin/slots/enable", NULL);
	check_match("/admin/slots/{id}/enable", "/admin/slots/2/3/enable", NULL);
	check_match("/admin/slots/{id}/enable", "/admin/slots/2/disable", NULL);
	check_match("/admin/slots/{id}", "/admin/slots/2/enable", NULL);
}

static void test_a_star_takes_all_that_is_below(void **state)
{
	(void)state;
	check_match("/a/*", "/a/b", "");
	check_match("/a/*", "/a/b/c", "");
	check_match("/a/*", "/a/", NULL);
	check_match("/a/*", "/a", NULL);
	check_match("/a/*", "/ab/c", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_is_complete),
		cmocka_unit_test(test_only_probes_are_open),
		cmocka_unit_test(test_a_part_in_braces_takes_one_part_of_the_path),
		cmocka_unit_test(test_a_star_takes_all_that_is_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
