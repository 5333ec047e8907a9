/*
 * The strict checks of a turn's body: refuses what the real backend refuses, with its texts, and
 * notes on the way what the model needs.
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "sim/sim_refusal.h"
#include "sim/sim_request.h"

/* The head: content type, accept, originator; of a socket's handshake the last one alone. */
bool sim_check_head(struct sim_txn *t, bool streams, struct sim_refusal *r);
/* The body of a turn; compact turns have neither stream nor store. Fills t->request. */
bool sim_check_body(struct sim_txn *t, bool compact, struct sim_refusal *r);
/* The input list (sim_items.c). */
bool sim_items_check(struct sim_txn *t, struct sim_request *q, struct sim_refusal *r);
/* Tools and tool_choice (sim_tools.c). */
bool sim_tools_check(const struct sim_request *q, struct sim_refusal *r);

/* Is text one of the names? */
bool sim_check_is_one_of(struct jv text, const char *const *names, size_t count);

#endif
