/* Every row of the admin API's route table. */
#include "admin/admin.h"
#include "relay/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool fits(const char *pattern, const char *path)
{
	struct sv param;

	return router_match(pattern, sv_cstr(path), &param);
}

static void test_every_row_is_complete_and_for_admins(void **state)
{
	const struct route *rows = admin_extension()->routes;
	size_t count = 0;

	(void)state;
	for (const struct route *row = rows; row->path; row++, count++) {
		assert_true(sv_starts(sv_cstr(row->path), SV("/admin/")));
		assert_int_equal(row->role, ROLE_ADMIN);
		assert_non_null(row->serve);
		assert_true(row->help[0]);
		assert_true(strcmp(row->methods, "GET, HEAD") == 0 ||
			    strcmp(row->methods, "POST") == 0 ||
			    strcmp(row->methods, "DELETE") == 0);
	}
	assert_true(count > 10);
}

/* What changes something is no GET: a link or a prefetch must not do it. */
static void test_only_looks_are_get(void **state)
{
	static const char *const acting[] = {"enable", "disable", "reset", "refresh"};

	(void)state;
	for (const struct route *row = admin_extension()->routes; row->path; row++) {
		for (size_t i = 0; i < ARRAY_LEN(acting); i++) {
			if (strstr(row->path, acting[i]))
				assert_string_equal(row->methods, "POST");
		}
	}
}

/* A row that another one hides would never be asked. */
static void test_no_row_hides_another(void **state)
{
	const struct route *rows = admin_extension()->routes;

	(void)state;
	for (const struct route *a = rows; a->path; a++) {
		for (const struct route *b = a + 1; b->path; b++) {
			bool same_path = strcmp(a->path, b->path) == 0;

			if (strcmp(a->methods, b->methods) == 0)
				assert_false(same_path || fits(a->path, b->path));
		}
		for (size_t i = 0; router_routes(i); i++)
			assert_false(fits(router_routes(i)->path, a->path));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_is_complete_and_for_admins),
		cmocka_unit_test(test_only_looks_are_get),
		cmocka_unit_test(test_no_row_hides_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
