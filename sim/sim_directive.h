/*
 * What the last user text tells the model to do (the table stands in docs/sim.md). Pure: text in, a
 * directive out; the views borrow the text.
 */
#ifndef SIM_DIRECTIVE_H
#define SIM_DIRECTIVE_H

#include "base/sv.h"

enum { SIM_CALLS = 16 };

enum sim_directive_kind {
	SIM_D_ECHO,
	SIM_D_SAY,
	SIM_D_COUNT,
	SIM_D_BIG,
	SIM_D_CALL,
	SIM_D_USE_TOOL, /* any declared tool */
	SIM_D_OUTPUTS,	/* all calls are done: talk about their outputs */
	SIM_D_REFUSE,
	SIM_D_INCOMPLETE,
	SIM_D_FAIL,
	SIM_D_MESSAGES,
	SIM_D_CITE,
	SIM_D_SEARCH,
};

struct sim_call {
	struct sv name;
	struct sv arguments; /* given in the text, or empty */
};

struct sim_directive {
	enum sim_directive_kind kind;
	bool think; /* a reasoning item comes first */
	int64_t delay_ms;
	int64_t pace_ms; /* -1: not said */
	uint64_t count;
	struct sv text;
	struct sim_call calls[SIM_CALLS];
	unsigned call_count;
};

/* round: how many times tools have been run since; it picks the step of "call A then call B". */
void sim_directive_parse(struct sv text, unsigned round, struct sim_directive *ret);

#endif
