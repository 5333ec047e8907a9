/*
 * Gives memory back to the system after a burst: what its requests held is free then, but the
 * allocator keeps it below whatever was allocated last. Owner: struct relay. No timer runs unless
 * there was a burst.
 */
#ifndef RELAY_TRIMMER_H
#define RELAY_TRIMMER_H

#include "io/loop.h"

enum {
	TRIMMER_BURST = 256, /* requests at a time; fewer leave nothing worth the work */
	TRIMMER_QUIET_MS = 1000,
};

struct trimmer {
	size_t most; /* requests at a time since memory was given back */
	struct timer timer;
};

void trimmer_init(struct trimmer *t, struct loop *loop);
/* So many requests are running now. */
void trimmer_note(struct trimmer *t, size_t count);
void trimmer_stop(struct trimmer *t);

#endif
