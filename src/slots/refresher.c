#include "slots/refresher.h"

#include "base/clock.h"

#include <stdlib.h>

struct refresher {
	struct slot_env *env;
	struct refresh_wait *waiting;
	struct deferred answer;
};

static void on_answer(struct deferred *d)
{
	struct refresher *r = CONTAINER_OF(d, struct refresher, answer);

	while (r->waiting) {
		struct refresh_wait *w = r->waiting;

		refresher_leave(w);
		w->on_done(w, REFRESH_FAILED);
	}
}

struct refresher *refresher_new(struct slot_env *env)
{
	struct refresher *r = mem_zalloc(sizeof(*r));

	r->env = env;
	r->answer.fn = on_answer;
	return r;
}

void refresher_free(struct refresher *r)
{
	if (!r)
		return;
	loop_undefer(&r->answer);
	free(r);
}

void refresher_stop(struct refresher *r, void (*on_idle)(void *arg), void *arg)
{
	(void)r;
	on_idle(arg);
}

bool refresher_must_wait(const struct slot *s, int64_t now_ms)
{
	return s->expires_ms && s->expires_ms <= now_ms;
}

bool refresher_is_due(const struct slot *s, int64_t now_ms)
{
	return s->expires_ms && s->expires_ms - now_ms < REFRESH_AHEAD_MS &&
	       !secret_is_empty(&s->refresh);
}

void refresher_ask(struct refresher *r, struct slot *s, const char *refused, struct refresh_wait *w)
{
	(void)s;
	(void)refused;
	if (!w)
		return;
	w->next = r->waiting;
	w->prev = &r->waiting;
	if (w->next)
		w->next->prev = &w->next;
	r->waiting = w;
	loop_defer(r->env->loop, &r->answer);
}

void refresher_leave(struct refresh_wait *w)
{
	if (!w->prev)
		return;
	*w->prev = w->next;
	if (w->next)
		w->next->prev = w->prev;
	w->prev = NULL;
}
