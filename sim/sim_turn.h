/* POST /codex/responses and /codex/responses/compact: gate, checks, script, model, answer. */
#ifndef SIM_TURN_H
#define SIM_TURN_H

#include "sim/sim_txn.h"

void sim_turn_handle(struct sim_txn *t);
void sim_turn_compact(struct sim_txn *t);
/* GET on the same path: the handshake of a WebSocket. */
void sim_turn_upgrade(struct sim_txn *t);
/* A turn on a socket. warmup: nothing is generated. */
void sim_turn_message(struct sim_txn *t, bool warmup);

#endif
