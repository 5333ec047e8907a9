/* One table of the emulated endpoints; everything under /_sim/ goes to the control API. */
#ifndef SIM_ROUTER_H
#define SIM_ROUTER_H

#include "sim/sim.h"

/* Callbacks for http_server_new(); its arg must be the sim. */
const struct http_handler *sim_router_handler(void);

#endif
