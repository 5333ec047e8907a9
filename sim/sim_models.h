/* The catalogue of models: which plan may use which, and GET /codex/models. */
#ifndef SIM_MODELS_H
#define SIM_MODELS_H

#include "sim/sim_txn.h"

enum { SIM_MODELS_ETAG_SIZE = 32 };

/* Of the list that a client of the newest version is given. */
void sim_models_etag(const struct sim_account *a, char out[SIM_MODELS_ETAG_SIZE]);
bool sim_models_has(struct sv slug, struct sv plan);
void sim_models_handle(struct sim_txn *t);

#endif
