#include "relay/trimmer.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

static void give_back(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

static void on_quiet(struct timer *timer)
{
	struct trimmer *t = CONTAINER_OF(timer, struct trimmer, timer);

	t->most = 0;
	give_back();
}

void trimmer_init(struct trimmer *t, struct loop *loop)
{
	t->most = 0;
	timer_init(&t->timer, loop, on_quiet);
}

/* When three quarters of a burst are over. */
void trimmer_note(struct trimmer *t, size_t count)
{
	if (count > t->most)
		t->most = count;
	else if (t->most >= TRIMMER_BURST && count < t->most / 4 && !timer_is_active(&t->timer))
		timer_start(&t->timer, TRIMMER_QUIET_MS);
}

/* Each one begins the quiet time anew: none is read into memory that has just been given back. */
void trimmer_note_body(struct trimmer *t, size_t bytes)
{
	if (bytes >= TRIMMER_BODY_BYTES)
		timer_start(&t->timer, TRIMMER_QUIET_MS);
}

void trimmer_stop(struct trimmer *t)
{
	timer_stop(&t->timer);
}
