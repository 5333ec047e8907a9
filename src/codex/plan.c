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

double plan_capacity(const char *plan_type)
{
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		/* Asked for every slot of every choice: most names differ at once. */
		if (plans[i].name[0] == plan_type[0] && strcmp(plans[i].name, plan_type) == 0)
			return plans[i].capacity;
	}
	return 1;
}
