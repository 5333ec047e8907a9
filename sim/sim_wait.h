/*
 * GET /_sim/wait: answers as soon as a condition on the request log holds, so that tests need not
 * sleep. Conditions are looked at again at the end of every loop turn in which something happened.
 */
#ifndef SIM_WAIT_H
#define SIM_WAIT_H

#include "sim/sim.h"

struct sim_waits *sim_waits_new(struct sim *sim);
void sim_waits_free(struct sim_waits *w);
/* Something that a condition may speak of has changed. */
void sim_wait_poke(struct sim *sim);
/* Takes the stream over; answers now or later. */
void sim_wait_handle(struct sim *sim, struct http_stream *stream);
/* The client of a waiting stream went away. */
void sim_wait_gone(struct sim *sim, struct http_stream *stream);

#endif
