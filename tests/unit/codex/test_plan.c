#include "codex/plan.h"

#include "base/sv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *plan;
	double capacity;
} cases[] = {
	{"free", 0.15},
	{"go", 1},
	{"plus", 1},
	{"team", 1},
	{"business", 1},
	{"edu", 1},
	{"prolite", 5},
	{"pro", 6.67},
	{"enterprise", 6.67},
	{"", 1},
	{"p", 1},
	{"propane", 1},
	{"Pro", 1},
};

static void test_capacity_of_a_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (plan_capacity(cases[i].plan) != cases[i].capacity)
			fail_msg("%s: %g", cases[i].plan, plan_capacity(cases[i].plan));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capacity_of_a_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
