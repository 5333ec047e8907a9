/* The command line of codex-sim. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "sim/sim.h"

/* 0: go on with *ret; 1: done (help, version); -EINVAL: told on stderr. */
int sim_options_parse(int argc, char **argv, struct sim_options *ret) MUST_CHECK;

#endif
