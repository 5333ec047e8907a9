/*
 * The two clocks. Monotonic for durations and timers, wall for files, logs and reset times. Pure
 * code never calls these: it takes `now` as a parameter, so that tests inject it.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/buf.h"

int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* Milliseconds since the epoch. */
int64_t clock_wall_ms(void);

enum { CLOCK_ISO_SIZE = 25 };
/* "2026-11-23T20:53:00.123Z" with a NUL; years 1970 to 9999, others are clamped. */
void clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]);
/* ISO 8601 date-time with Z or an offset, optional fraction: 0 or -EINVAL. */
int clock_parse_iso(struct sv text, int64_t *ret_wall_ms) MUST_CHECK;

#endif
