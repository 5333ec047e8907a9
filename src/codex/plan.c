#include "codex/plan.h"

#include "base/sv.h"

/* As known clients weigh them, autumn 2026. A slot's `weight` corrects what is wrong here. */
static const struct {
	const char *name;
	double capacity;
} plans[] = {
	{"plus", 1},
	{"pro", 6.67},
	{"team", 1},
	{"business", 1},
	{"enterprise", 6.67},
	{"edu", 1},
	{"prolite", 5},
	{"go", 1},
	{"free", 0.15},
};

/* Asked for every slot of every choice: for such short names faster than strcmp(). */
static bool is_same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

double plan_capacity(const char *plan_type)
{
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		if (is_same(plans[i].name, plan_type))
			return plans[i].capacity;
	}
	return 1;
}
