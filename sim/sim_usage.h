/* The account's own pages: usage, reset credits, accounts/check, settings. */
#ifndef SIM_USAGE_H
#define SIM_USAGE_H

#include "sim/sim_txn.h"

void sim_usage_handle(struct sim_txn *t);
void sim_usage_credits(struct sim_txn *t);
void sim_usage_consume_credit(struct sim_txn *t);
void sim_usage_accounts_check(struct sim_txn *t);
void sim_usage_settings(struct sim_txn *t);
void sim_usage_analytics(struct sim_txn *t);

#endif
