/*
 * The control API under /_sim/: accounts, scripts, request log, clock, settings. No authentication:
 * the simulator is for the loopback interface.
 */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include "sim/sim.h"

#include <jansson.h>

void sim_control_handle(struct sim *sim, struct http_stream *stream);

/* Answers. */
void sim_control_json(struct http_stream *stream, int status, struct sv body);
void sim_control_error(struct http_stream *stream, int status, const char *message);
void sim_control_ok(struct http_stream *stream);

#endif
