/*
 * Requests that wait for a free lease, first come first served. Owner: the relay. Waiters are
 * embedded in their exchanges, which take them out before they die.
 */
#ifndef RELAY_WAITQ_H
#define RELAY_WAITQ_H

#include "io/loop.h"

struct waitq;

struct waiter {
	/*
	 * A lease may be free: try to take it. Returns true when the waiter is done (it has a
	 * lease, or gave up and was answered) and left the queue; false to keep its place.
	 */
	bool (*try_now)(struct waiter *w);
	/* Waited too long; it has left the queue. */
	void (*on_timeout)(struct waiter *w);
	struct waiter *next, *prev; /* private */
	int64_t deadline_ms;	    /* private, loop time */
	struct waitq *queue;	    /* NULL when not waiting */
};

struct waitq *waitq_new(struct loop *loop);
void waitq_free(struct waitq *q);
/* -ENOBUFS when LIMIT_WAITERS_COUNT wait already. */
int waitq_add(struct waitq *q, struct waiter *w, int64_t timeout_ms) MUST_CHECK;
/* Accepts one that does not wait. */
void waitq_remove(struct waiter *w);
/* Capacity changed: waiters are tried in order at the end of the loop turn. */
void waitq_kick(struct waitq *q);
size_t waitq_count(const struct waitq *q);

#endif
