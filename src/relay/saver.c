#include "relay/saver.h"

#include "base/log.h"
#include "slots/store.h"

#include <stdlib.h>

enum { QUIET_MS = 1000, LATEST_MS = 60 * 1000 };

struct saver {
	struct loop *loop;
	const char *root;
	struct slot_table *slots;
	struct timer timer;
	int64_t first_dirt_ms, last_dirt_ms; /* loop time; first is 0 when clean */
	struct store_save *running;
	int result;
	bool stopped;
};

static void on_dirty(void *arg)
{
	struct saver *s = arg;
	int64_t now = loop_now_ms(s->loop);

	s->last_dirt_ms = now;
	if (s->first_dirt_ms)
		return;
	s->first_dirt_ms = now;
	if (!s->running)
		timer_start(&s->timer, QUIET_MS);
}

static void write_out(void *arg)
{
	struct saver *s = arg;

	s->result = store_save_commit(s->running);
}

static void on_written(void *arg)
{
	struct saver *s = arg;

	if (s->result) {
		log_error("state.save", SV("slot state could not be written"), s->result);
		store_save_undo(s->running, s->slots);
	}
	store_save_free(s->running);
	s->running = NULL;
	if (s->first_dirt_ms && !s->stopped)
		timer_start(&s->timer, QUIET_MS);
}

static void on_timer(struct timer *t)
{
	struct saver *s = CONTAINER_OF(t, struct saver, timer);
	int64_t now = loop_now_ms(s->loop);
	int64_t quiet = now - s->last_dirt_ms;

	if (quiet < QUIET_MS && now - s->first_dirt_ms < LATEST_MS) {
		timer_start(&s->timer, QUIET_MS - quiet);
		return;
	}
	s->first_dirt_ms = 0;
	s->running = store_save_begin(s->root, s->slots);
	loop_work(s->loop, write_out, on_written, s);
}

struct saver *saver_new(struct loop *loop, const char *root, struct slot_table *slots)
{
	struct saver *s = mem_zalloc(sizeof(*s));

	s->loop = loop;
	s->root = root;
	s->slots = slots;
	timer_init(&s->timer, loop, on_timer);
	slot_table_on_dirty(slots, on_dirty, s);
	return s;
}

bool saver_is_writing(const struct saver *s)
{
	return s->running != NULL;
}

void saver_stop(struct saver *s)
{
	timer_stop(&s->timer);
	slot_table_on_dirty(s->slots, NULL, NULL);
	s->stopped = true;
}

void saver_free(struct saver *s)
{
	if (!s)
		return;
	if (s->first_dirt_ms) {
		struct store_save *last = store_save_begin(s->root, s->slots);

		if (store_save_commit(last))
			log_error("state.save", SV("slot state could not be written"), 0);
		store_save_free(last);
	}
	free(s);
}
