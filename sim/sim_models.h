/* The catalogue of models: which plan may use which, and GET /codex/models. */
#ifndef SIM_MODELS_H
#define SIM_MODELS_H

#include "sim/sim_txn.h"

bool sim_models_has(struct sv slug, struct sv plan);
void sim_models_handle(struct sim_txn *t);

#endif
