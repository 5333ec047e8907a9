/*
 * Writes the events of an answer one by one, in order, with all numbers and ids; lazily, so that a
 * 100 MB answer is never in memory. Lives in the transaction's arena.
 */
#ifndef SIM_GEN_H
#define SIM_GEN_H

#include "sim/sim_model.h"

struct sim_script;

struct sim_gen {
	struct sim_txn *t;
	const struct sim_plan *plan;
	const struct sim_script *script; /* NULL: none */
	char response_id[SIM_ID_SIZE];
	int64_t created_s;
	struct sv middle, tail; /* parts of the response object that do not change */
	struct sv usage;
	struct sv failure; /* JSON object of the error to fail with, or empty */
	int64_t fail_at;   /* event index, -1: never */
	size_t events;	   /* written so far */
	uint64_t sequence;
	enum { SIM_GEN_CREATED, SIM_GEN_PROGRESS, SIM_GEN_ITEMS, SIM_GEN_DONE } phase;
	size_t item;
	size_t step;
	size_t offset;	      /* in the item's text */
	size_t delta;	      /* length of the present delta */
	unsigned private_due; /* backend-private event to slip in, 0: none */
	bool private_events;
	bool output_in_terminal;
};

/* False when the arena is full. */
bool sim_gen_init(struct sim_gen *g, struct sim_txn *t, const struct sim_plan *plan) MUST_CHECK;
/* Appends one encoded event; false when there is none left. */
bool sim_gen_next(struct sim_gen *g, struct buf *out);
/* The finished response as one JSON object, items and all (compact turns). */
void sim_gen_response(struct sim_gen *g, struct buf *out);

#endif
