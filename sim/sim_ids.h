/* Random identifiers from the seeded generator: the same seed gives the same ids. */
#ifndef SIM_IDS_H
#define SIM_IDS_H

#include "sim/sim.h"

enum { SIM_ID_SIZE = 48, SIM_UUID_SIZE = 37 };

uint64_t sim_ids_next(uint64_t *state);
/* prefix (at most 12 characters) and 32 hex digits, NUL-terminated. */
void sim_ids_make(struct sim *sim, const char *prefix, char out[SIM_ID_SIZE]);
void sim_ids_uuid(uint64_t *state, char out[SIM_UUID_SIZE]);

#endif
