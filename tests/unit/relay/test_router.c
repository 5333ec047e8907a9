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
			    strcmp(route->methods, "GET, HEAD") == 0);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(route->path, router_routes(k)->path);
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

		assert_int_equal(route->role, probe ? ROLE_NONE : ROLE_CLIENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_is_complete),
		cmocka_unit_test(test_only_probes_are_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
