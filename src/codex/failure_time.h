/* How long upstream asked to wait, in whatever form it said so. Used by failure.c and by
 * slots/oauth.c. Pure. */
#ifndef CODEX_FAILURE_TIME_H
#define CODEX_FAILURE_TIME_H

#include "codex/meters.h"
#include "codex/refusal.h"

struct failure_hints {
	const struct refusal *refusal;
	const struct http_header *headers;
	size_t header_count;
	const struct meters *meters; /* NULL: windows are not asked */
	int64_t now_ms;
};

/* Unix milliseconds, or 0: none named, or none that is sane (future, under 366 days). */
int64_t failure_time_until(const struct failure_hints *hints);

#endif
