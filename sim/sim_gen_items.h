/* The events of single output items: which steps each kind has, and how they are written. */
#ifndef SIM_GEN_ITEMS_H
#define SIM_GEN_ITEMS_H

#include "sim/sim_gen.h"

/* Appends the next event of item g->item and moves on; the last one moves to the next item. */
void sim_gen_item_event(struct sim_gen *g, struct buf *out);
/* The item as a JSON object, complete or as it is when it is added. */
void sim_gen_item(const struct sim_item *item, bool complete, struct buf *out);

#endif
