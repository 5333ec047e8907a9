/* Declared tools: finding one by name, through namespaces and additional_tools items. */
#ifndef SIM_TOOLS_H
#define SIM_TOOLS_H

#include "sim/sim_refusal.h"
#include "sim/sim_request.h"

struct sim_tool {
	struct jv definition;
	struct sv name;
	struct sv space; /* name of the namespace it stands in, or empty */
	bool custom;
};

/* The declared tool of this name; with an empty name the first one. False when there is none. */
bool sim_tools_find(const struct sim_request *q, struct sv name, struct sim_tool *ret);
/* Is this a name that a tool may have? param names it when it is not. */
bool sim_tools_check_name(struct sv name, const char *param, struct sim_refusal *r);
/* What tool_choice demands: 1 and *ret, 0 when it leaves the choice, -1 when it forbids tools. */
int sim_tools_demanded(const struct sim_request *q, struct sim_tool *ret);

#endif
