#include "relay/waitq.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct waitq {
	struct loop *loop;
	struct waiter *first, *last;
	size_t count;
	struct deferred kick;
	struct timer expiry;
	int64_t expiry_ms; /* loop time at which it is due */
};

static void serve(struct deferred *d)
{
	struct waitq *q = CONTAINER_OF(d, struct waitq, kick);
	struct waiter *w = q->first;

	while (w) {
		struct waiter *next = w->next;

		/* Order is kept: who came later gets nothing that an earlier one could have had. */
		if (!w->try_now(w))
			return;
		w = next;
	}
}

static void expire_at(struct waitq *q, int64_t deadline_ms)
{
	int64_t delay = deadline_ms - loop_now_ms(q->loop);

	q->expiry_ms = deadline_ms;
	timer_start(&q->expiry, delay > 0 ? delay : 0);
}

static void arm_expiry(struct waitq *q)
{
	int64_t soonest = INT64_MAX;

	for (struct waiter *w = q->first; w; w = w->next) {
		if (w->deadline_ms < soonest)
			soonest = w->deadline_ms;
	}
	if (q->first)
		expire_at(q, soonest);
}

static void on_expiry(struct timer *t)
{
	struct waitq *q = CONTAINER_OF(t, struct waitq, expiry);
	int64_t now = loop_now_ms(q->loop);
	struct waiter *w = q->first;

	while (w) {
		struct waiter *next = w->next;

		if (w->deadline_ms <= now) {
			waitq_remove(w);
			w->on_timeout(w);
		}
		w = next;
	}
	arm_expiry(q);
}

struct waitq *waitq_new(struct loop *loop)
{
	struct waitq *q = mem_zalloc(sizeof(*q));

	q->loop = loop;
	q->kick.fn = serve;
	timer_init(&q->expiry, loop, on_expiry);
	return q;
}

void waitq_free(struct waitq *q)
{
	if (!q)
		return;
	assert(!q->first);
	loop_undefer(&q->kick);
	timer_stop(&q->expiry);
	free(q);
}

int waitq_add(struct waitq *q, struct waiter *w, int64_t timeout_ms)
{
	assert(!w->queue);
	if (q->count >= LIMIT_WAITERS_COUNT)
		return -ENOBUFS;
	w->queue = q;
	w->next = NULL;
	w->prev = q->last;
	if (q->last)
		q->last->next = w;
	else
		q->first = w;
	q->last = w;
	q->count++;
	w->deadline_ms = loop_now_ms(q->loop) + timeout_ms;
	if (!timer_is_active(&q->expiry) || w->deadline_ms < q->expiry_ms)
		expire_at(q, w->deadline_ms);
	return 0;
}

void waitq_remove(struct waiter *w)
{
	struct waitq *q = w->queue;

	if (!q)
		return;
	if (w->prev)
		w->prev->next = w->next;
	else
		q->first = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		q->last = w->prev;
	q->count--;
	w->queue = NULL;
	if (!q->first)
		timer_stop(&q->expiry);
}

void waitq_kick(struct waitq *q)
{
	if (q->first)
		loop_defer(q->loop, &q->kick);
}

size_t waitq_count(const struct waitq *q)
{
	return q->count;
}
