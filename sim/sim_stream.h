/*
 * Sends an answer's events: at once and in as few writes as possible, or paced, or with the faults
 * that a script asks for. Holds no more than one piece of output; waits while the client reads
 * slowly. Ends the transaction.
 */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include "sim/sim_gen.h"

/* Head and events. The plan lives in the transaction's arena. */
void sim_stream_start(struct sim_txn *t, const struct sim_plan *plan);
/* A head, and then silence until the client gives up. */
void sim_stream_hang(struct sim_txn *t);
/* The client has read: go on. */
void sim_stream_on_drain(struct sim_txn *t);
/* The transaction ends: frees what the stream holds. */
void sim_stream_fini(struct sim_stream *s);

#endif
