/*
 * The body of a turn, read once: views of the members that matter, and what the model will look at.
 * Everything borrows the request body and the transaction's arena.
 */
#ifndef SIM_REQUEST_H
#define SIM_REQUEST_H

#include "base/jv.h"
#include "sim/sim_txn.h"

enum sim_param {
	SIM_P_MODEL,
	SIM_P_INSTRUCTIONS,
	SIM_P_INPUT,
	SIM_P_TOOLS,
	SIM_P_TOOL_CHOICE,
	SIM_P_PARALLEL,
	SIM_P_REASONING,
	SIM_P_STORE,
	SIM_P_STREAM,
	SIM_P_INCLUDE,
	SIM_P_CACHE_KEY,
	SIM_P_SERVICE_TIER,
	SIM_P_TEXT,
	SIM_P_CLIENT_METADATA,
	SIM_P_STREAM_OPTIONS,
	SIM_P_COUNT,
};

enum { SIM_OUTPUTS = 32, SIM_TOOL_LISTS = 8 };

struct sim_request {
	struct jv param[SIM_P_COUNT];
	struct sv model;
	bool minimal_effort;		/* the real backend hangs on it */
	struct jv last_user;		/* content of the last user message */
	struct jv outputs[SIM_OUTPUTS]; /* tool outputs at the end of the input */
	unsigned output_count;
	unsigned rounds; /* runs of tool outputs behind the last user message */
	bool ends_in_output;
	bool wants_compaction;
	struct jv tool_lists[SIM_TOOL_LISTS]; /* "tools", and those of additional_tools items */
	unsigned tool_list_count;
	size_t prompt_bytes;
	size_t cached_bytes;
};

#endif
