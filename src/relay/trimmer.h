/*
 * Gives memory back to the system after a burst and after large bodies: what the requests held is
 * free then, but the allocator keeps it for the next ones, or below whatever was allocated last.
 * Owner: struct relay. No timer runs unless there was one of both.
 */
#ifndef RELAY_TRIMMER_H
#define RELAY_TRIMMER_H

#include "io/loop.h"

enum {
	TRIMMER_BURST = 64, /* requests at a time; fewer leave nothing worth the work */
	TRIMMER_BODY_BYTES = 256 * 1024, /* of one request; smaller ones leave too little */
	TRIMMER_QUIET_MS = 1000,
};

struct trimmer {
	size_t most; /* requests at a time since memory was given back */
	struct timer timer;
};

void trimmer_init(struct trimmer *t, struct loop *loop);
/* So many requests are running now. */
void trimmer_note(struct trimmer *t, size_t count);
/* A request that is over held a body of so many bytes, which is freed in this turn of the loop. */
void trimmer_note_body(struct trimmer *t, size_t bytes);
void trimmer_stop(struct trimmer *t);

#endif
