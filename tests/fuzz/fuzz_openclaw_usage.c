/* Whatever the program prints: windows with sane numbers, or a reason. */
#include "openclaw/openclaw_usage.h"

#include <assert.h>

enum { NOW_S = 1800000000, YEAR_S = 366 * 86400 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char problem[OPENCLAW_PROBLEM_SIZE];
	struct meters m;
	bool known = false;
	bool found = openclaw_usage_parse(
		sv_make((const char *)data, size), INT64_C(1000) * NOW_S, &m, problem);

	for (size_t kind = 0; kind < METER_KINDS; kind++) {
		const struct meter *w = &m.window[kind];

		if (!w->known)
			continue;
		known = true;
		assert(w->used_percent >= 0 && w->used_percent <= 100);
		assert(w->resets_at_s == 0 ||
			(w->resets_at_s >= NOW_S && w->resets_at_s <= NOW_S + YEAR_S));
		assert(w->window_minutes > 0);
	}
	assert(found == known);
	assert(found || problem[0]);
	return 0;
}
