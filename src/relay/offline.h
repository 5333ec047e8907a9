/* Models that answer without any slot (SPEC 2), in every dialect. One const table. */
#ifndef RELAY_OFFLINE_H
#define RELAY_OFFLINE_H

#include "dialect/dialect.h"

/* Is turn->model one of them? *ret is what it says (a literal or in the turn's arena). */
bool offline_answer(struct turn *turn, struct sv *ret);
bool offline_has(struct sv name);
/* Ids that GET /v1/models lists; NULL behind the last. */
const char *offline_listed(size_t index);

#endif
