/* Who may pass: bearer token, account id, state of the account, full windows. */
#ifndef SIM_GATE_H
#define SIM_GATE_H

#include "sim/sim_txn.h"

/* The account of a head by its bearer token, whatever its state; NULL when nobody's. */
struct sim_account *sim_gate_account(const struct sim *sim, const struct http_request *head);
/* Identifies the account of t. False: refused and answered. */
bool sim_gate_pass(struct sim_txn *t);
/* Lets a turn pass while no window is full. False: answered 429. */
bool sim_gate_pass_limits(struct sim_txn *t);

#endif
