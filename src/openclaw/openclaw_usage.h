/*
 * Usage as the openclaw program tells it (SPEC 5): `openclaw --profile P status --usage`, run in a
 * room with a copy of the slot's credential. Its text:
 *
 *	Usage:
 *	  Codex (plus)
 *	    5h: 95% left · resets 3h 5m
 *	    Week: 78% left · resets 6d 23h
 *
 * A backend of usage.backend, see usage_check.h.
 */
#ifndef OPENCLAW_OPENCLAW_USAGE_H
#define OPENCLAW_OPENCLAW_USAGE_H

#include "slots/usage_check.h"

enum { OPENCLAW_PROBLEM_SIZE = 160 };

/*
 * The Codex windows in the program's output; now_ms is what resets count from. Pure. True when
 * there is at least one; else problem tells people why, in the program's own words if it has some.
 */
bool openclaw_usage_parse(
	struct sv text, int64_t now_ms, struct meters *ret, char problem[OPENCLAW_PROBLEM_SIZE]);

const struct usage_source *openclaw_usage_source(void);

#endif
