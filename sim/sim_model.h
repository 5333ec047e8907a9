/*
 * The rule-driven "model": turns a checked request into a plan of output items. No I/O. A plan and
 * all its texts live in the transaction's arena (or are static).
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "sim/sim_request.h"

enum sim_item_kind {
	SIM_ITEM_MESSAGE,
	SIM_ITEM_REFUSAL,
	SIM_ITEM_REASONING,
	SIM_ITEM_FUNCTION,
	SIM_ITEM_CUSTOM,
	SIM_ITEM_COMPACTION,
	SIM_ITEM_SEARCH,
	SIM_ITEM_KINDS,
};

struct sim_item {
	enum sim_item_kind kind;
	char id[SIM_ID_SIZE];
	char call_id[SIM_ID_SIZE];
	struct sv text; /* text, summary, arguments or input: decoded */
	struct sv name;
	struct sv space;
	struct sv blob;	    /* encrypted_content */
	struct sv cite;	    /* URL of an annotation */
	const char *phase;  /* of a message */
	size_t delta_bytes; /* size of a delta; 0: a word */
	size_t delta_least; /* words are put together up to this */
};

struct sim_plan {
	struct sim_item *items;
	size_t item_count;
	int64_t delay_ms;
	int64_t pace_ms; /* -1: not said */
	bool incomplete;
	struct sv failure; /* code to fail with, or empty */
	size_t output_bytes;
	size_t reasoning_bytes;
};

/* False when the arena is full. script_directive (may be NULL) stands for the last user text. */
bool sim_model_plan(struct sim_txn *t, const char *script_directive, int64_t huge_bytes,
	struct sim_plan *ret) MUST_CHECK;

#endif
