/*
 * Usage as the original program stores and shows it: "95% left · resets 3h". Pure. Resets are
 * relative to the time of the snapshot, in a text that is read as in one that is written.
 */
#ifndef SLOTS_USAGE_TEXT_H
#define SLOTS_USAGE_TEXT_H

#include "codex/meters.h"

enum { USAGE_TEXT_SIZE = 64, USAGE_SPAN_SIZE = 24 };

/*
 * "95% left", "95% left · resets 6d 23h", "5% used"; base_ms 0: the reset stays unknown. False when
 * there is no percentage in it.
 */
bool usage_text_parse(struct sv text, int64_t base_ms, struct meter *ret);
/* A known meter as it was at base_ms. */
void usage_text_format(const struct meter *m, int64_t base_ms, char out[USAGE_TEXT_SIZE]);
/* Percent left as a whole number: 0 only when nothing is left. */
int usage_text_percent(double left);
/* "6d 23h", "3h 5m", "45m"; "now" for nothing. */
void usage_text_span(int64_t ms, char out[USAGE_SPAN_SIZE]);

#endif
