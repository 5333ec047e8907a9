/*
 * Points in time as state files hold them: the original program and its relatives wrote epoch
 * milliseconds, epoch seconds, digit strings and ISO 8601. All are read, and a value is written
 * back in the type that was there. New ones are ISO 8601 strings. Pure.
 */
#ifndef SLOTS_STAMP_H
#define SLOTS_STAMP_H

#include "base/sv.h"

#include <jansson.h>

/* Unix milliseconds; 0 for null, 0, and what is no time between 1970 and 9999. */
int64_t stamp_read(const json_t *value);
int64_t stamp_parse(struct sv text);
/*
 * wall_ms (0: none) in the type of old, else in that of sibling, else ISO 8601; either may be NULL.
 * None is null, or 0 where the old value is a number 0. New reference.
 */
json_t *stamp_write(int64_t wall_ms, const json_t *old, const json_t *sibling);

#endif
