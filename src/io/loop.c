#include "io/loop.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { NOT_ARMED = -1, DIR_BURST_MS = 50, MIN_HEAP = 64 };

/* Timers of equal time fire in the order in which they were started. */
struct heap_entry {
	int64_t due_ms;
	uint64_t serial;
	struct timer *timer;
};

struct signal_watch {
	uv_signal_t uv;
	void (*fn)(void *arg, int signo);
	void *arg;
	struct signal_watch *next;
};

struct loop {
	uv_loop_t uv;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t awake; /* active while something is deferred: the loop lives and does not sleep */
	uv_timer_t alarm;
	int64_t armed_ms; /* what alarm is set to, or NOT_ARMED */
	struct heap_entry *heap;
	uint32_t heap_count;
	uint32_t heap_size;
	uint64_t serial;
	bool in_timers;
	bool running;
	bool closing;
	struct deferred *deferred; /* last one first */
	struct signal_watch *signals;
	char *scratch[LOOP_SCRATCHES];
};

struct work {
	uv_work_t uv;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

struct dir_watch {
	uv_fs_event_t uv;
	struct timer burst;
	void (*fn)(void *arg, const char *name);
	void *arg;
	char *name; /* NULL when several names changed in one burst */
};

/* The timer heap: a binary heap by (due, serial); a timer knows its place. */

static bool is_before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->serial < b->serial;
}

static void heap_put(struct loop *loop, uint32_t at, struct heap_entry entry)
{
	loop->heap[at] = entry;
	entry.timer->index = at + 1;
}

static void heap_up(struct loop *loop, uint32_t at, struct heap_entry entry)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / 2;

		if (!is_before(&entry, &loop->heap[parent]))
			break;
		heap_put(loop, at, loop->heap[parent]);
		at = parent;
	}
	heap_put(loop, at, entry);
}

static void heap_down(struct loop *loop, uint32_t at, struct heap_entry entry)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= loop->heap_count)
			break;
		if (child + 1 < loop->heap_count &&
			is_before(&loop->heap[child + 1], &loop->heap[child]))
			child++;
		if (!is_before(&loop->heap[child], &entry))
			break;
		heap_put(loop, at, loop->heap[child]);
		at = child;
	}
	heap_put(loop, at, entry);
}

static void heap_place(struct loop *loop, uint32_t at, struct heap_entry entry)
{
	if (at > 0 && is_before(&entry, &loop->heap[(at - 1) / 2]))
		heap_up(loop, at, entry);
	else
		heap_down(loop, at, entry);
}

static void heap_remove(struct loop *loop, uint32_t at)
{
	struct heap_entry last = loop->heap[--loop->heap_count];

	if (at < loop->heap_count)
		heap_place(loop, at, last);
}

static void on_alarm(uv_timer_t *uv);

static void arm(struct loop *loop, int64_t due_ms)
{
	int64_t now_ms = (int64_t)uv_now(&loop->uv);
	int err;

	loop->armed_ms = due_ms;
	err = uv_timer_start(
		&loop->alarm, on_alarm, due_ms > now_ms ? (uint64_t)(due_ms - now_ms) : 0, 0);
	assert(err == 0);
	(void)err;
}

/* Before the loop sleeps: the alarm stands exactly at the earliest timer, so that no wake-up is in
 * vain. */
static void rearm(struct loop *loop)
{
	if (loop->heap_count == 0) {
		if (loop->armed_ms != NOT_ARMED)
			uv_timer_stop(&loop->alarm);
		loop->armed_ms = NOT_ARMED;
		return;
	}
	if (loop->armed_ms != loop->heap[0].due_ms)
		arm(loop, loop->heap[0].due_ms);
}

static void on_alarm(uv_timer_t *uv)
{
	struct loop *loop = uv->data;
	int64_t now_ms = (int64_t)uv_now(&loop->uv);
	uint64_t last_serial = loop->serial;

	loop->armed_ms = NOT_ARMED;
	loop->in_timers = true;
	/* Timers started meanwhile wait for the next turn, or a delay of 0 would spin here. */
	while (loop->heap_count && loop->heap[0].due_ms <= now_ms &&
		loop->heap[0].serial <= last_serial) {
		struct timer *t = loop->heap[0].timer;

		heap_remove(loop, 0);
		t->index = 0;
		t->fn(t);
	}
	loop->in_timers = false;
}

void timer_init(struct timer *t, struct loop *loop, void (*fn)(struct timer *t))
{
	*t = (struct timer){.fn = fn, .loop = loop};
}

void timer_start(struct timer *t, int64_t delay_ms)
{
	struct loop *loop = t->loop;
	struct heap_entry entry;

	assert(delay_ms >= 0);
	if (!loop->running)
		uv_update_time(&loop->uv);
	t->due_ms = (int64_t)uv_now(&loop->uv) + delay_ms;
	entry = (struct heap_entry){t->due_ms, ++loop->serial, t};
	if (t->index) {
		heap_place(loop, t->index - 1, entry);
	} else {
		if (loop->heap_count == loop->heap_size) {
			loop->heap_size = loop->heap_size ? loop->heap_size * 2 : MIN_HEAP;
			loop->heap = mem_realloc(
				loop->heap, loop->heap_size * sizeof(struct heap_entry));
		}
		heap_up(loop, loop->heap_count++, entry);
	}
	/* Later ones are rearm()'s business; not inside on_alarm, where libuv would call it again
	 * in this very turn. */
	if (!loop->in_timers && (loop->armed_ms == NOT_ARMED || t->due_ms < loop->armed_ms))
		arm(loop, t->due_ms);
}

void timer_stop(struct timer *t)
{
	if (!t->index)
		return;
	heap_remove(t->loop, t->index - 1);
	t->index = 0;
}

/* Deferred work. */

static void on_awake(uv_idle_t *uv)
{
	(void)uv;
}

void loop_defer(struct loop *loop, struct deferred *d)
{
	if (d->prev)
		return;
	if (!loop->deferred && !loop->closing)
		uv_idle_start(&loop->awake, on_awake);
	d->next = loop->deferred;
	d->prev = &loop->deferred;
	if (d->next)
		d->next->prev = &d->next;
	loop->deferred = d;
}

void loop_undefer(struct deferred *d)
{
	if (!d->prev)
		return;
	*d->prev = d->next;
	if (d->next)
		d->next->prev = d->prev;
	d->next = NULL;
	d->prev = NULL;
}

/* Runs what is deferred now, oldest first; what gets deferred meanwhile waits for the next round.
 */
static void drain(struct loop *loop)
{
	struct deferred *batch = NULL;

	while (loop->deferred) {
		struct deferred *d = loop->deferred;

		loop_undefer(d);
		d->next = batch;
		d->prev = &batch;
		if (d->next)
			d->next->prev = &d->next;
		batch = d;
	}
	while (batch) {
		struct deferred *d = batch;

		loop_undefer(d);
		d->fn(d);
	}
	if (!loop->deferred && !loop->closing)
		uv_idle_stop(&loop->awake);
}

static void on_prepare(uv_prepare_t *uv)
{
	struct loop *loop = uv->data;

	drain(loop);
	rearm(loop);
	log_flush();
}

static void on_check(uv_check_t *uv)
{
	drain(uv->data);
}

/* Life. */

struct loop *loop_new(void)
{
	struct loop *loop = mem_zalloc(sizeof(*loop));
	int err = uv_loop_init(&loop->uv);

	if (err) {
		free(loop);
		return NULL;
	}
	loop->uv.data = loop;
	loop->armed_ms = NOT_ARMED;
	uv_prepare_init(&loop->uv, &loop->prepare);
	uv_check_init(&loop->uv, &loop->check);
	uv_idle_init(&loop->uv, &loop->awake);
	uv_timer_init(&loop->uv, &loop->alarm);
	loop->prepare.data = loop;
	loop->check.data = loop;
	loop->alarm.data = loop;
	uv_prepare_start(&loop->prepare, on_prepare);
	uv_check_start(&loop->check, on_check);
	uv_unref((uv_handle_t *)&loop->prepare);
	uv_unref((uv_handle_t *)&loop->check);
	return loop;
}

static void on_signal_closed(uv_handle_t *uv)
{
	free(CONTAINER_OF((uv_signal_t *)uv, struct signal_watch, uv));
}

void loop_close_signals(struct loop *loop)
{
	while (loop->signals) {
		struct signal_watch *watch = loop->signals;

		loop->signals = watch->next;
		uv_close((uv_handle_t *)&watch->uv, on_signal_closed);
	}
}

void loop_unref_signals(struct loop *loop)
{
	for (struct signal_watch *watch = loop->signals; watch; watch = watch->next)
		uv_unref((uv_handle_t *)&watch->uv);
}

void loop_free(struct loop *loop)
{
	int err;

	if (!loop)
		return;
	loop_close_signals(loop);
	while (loop->deferred)
		drain(loop);
	assert(loop->heap_count == 0);
	loop->closing = true;
	uv_close((uv_handle_t *)&loop->prepare, NULL);
	uv_close((uv_handle_t *)&loop->check, NULL);
	uv_close((uv_handle_t *)&loop->awake, NULL);
	uv_close((uv_handle_t *)&loop->alarm, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	while (loop->deferred)
		drain(loop);
	err = uv_loop_close(&loop->uv);
	assert(err == 0);
	(void)err;
	for (int i = 0; i < LOOP_SCRATCHES; i++)
		free(loop->scratch[i]);
	free(loop->heap);
	free(loop);
}

char *loop_scratch(struct loop *loop, enum loop_scratch which, size_t bytes)
{
	if (!loop->scratch[which])
		loop->scratch[which] = mem_realloc(NULL, bytes);
	return loop->scratch[which];
}

void loop_run(struct loop *loop)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	loop->running = true;
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	loop->running = false;
}

void loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
	return &loop->uv;
}

int64_t loop_now_ms(const struct loop *loop)
{
	return (int64_t)uv_now(&loop->uv);
}

/* Signals. */

static void on_signal(uv_signal_t *uv, int signo)
{
	struct signal_watch *watch = CONTAINER_OF(uv, struct signal_watch, uv);

	watch->fn(watch->arg, signo);
}

void loop_on_signal(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg)
{
	struct signal_watch *watch = mem_zalloc(sizeof(*watch));
	int err;

	watch->fn = fn;
	watch->arg = arg;
	err = uv_signal_init(&loop->uv, &watch->uv);
	assert(err == 0);
	err = uv_signal_start(&watch->uv, on_signal, signo);
	assert(err == 0);
	(void)err;
	watch->next = loop->signals;
	loop->signals = watch;
}

/* Work on pool threads. */

static void run_work(uv_work_t *uv)
{
	struct work *w = CONTAINER_OF(uv, struct work, uv);

	w->work(w->arg);
}

static void on_work_done(uv_work_t *uv, int status)
{
	struct work *w = CONTAINER_OF(uv, struct work, uv);

	(void)status; /* never cancelled */
	w->done(w->arg);
	free(w);
}

void loop_work(struct loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	struct work *w = mem_zalloc(sizeof(*w));
	int err;

	w->work = work;
	w->done = done;
	w->arg = arg;
	err = uv_queue_work(&loop->uv, &w->uv, run_work, on_work_done);
	assert(err == 0);
	(void)err;
}

/* Directory watches. */

static void on_burst_end(struct timer *t)
{
	struct dir_watch *w = CONTAINER_OF(t, struct dir_watch, burst);
	char *name = w->name;

	w->name = NULL;
	w->fn(w->arg, name);
	free(name);
}

static void on_dir_event(uv_fs_event_t *uv, const char *name, int events, int status)
{
	struct dir_watch *w = CONTAINER_OF(uv, struct dir_watch, uv);

	(void)events;
	if (status < 0)
		name = NULL;
	if (!timer_is_active(&w->burst)) {
		w->name = mem_strdup(name);
		timer_start(&w->burst, DIR_BURST_MS);
		return;
	}
	if (!name || !w->name || strcmp(name, w->name) != 0) {
		free(w->name);
		w->name = NULL;
	}
}

static void on_dir_closed(uv_handle_t *uv)
{
	free(CONTAINER_OF((uv_fs_event_t *)uv, struct dir_watch, uv));
}

int dir_watch_new(struct loop *loop, const char *path, void (*fn)(void *arg, const char *name),
	void *arg, struct dir_watch **ret)
{
	struct dir_watch *w = mem_zalloc(sizeof(*w));
	int err;

	w->fn = fn;
	w->arg = arg;
	timer_init(&w->burst, loop, on_burst_end);
	err = uv_fs_event_init(&loop->uv, &w->uv);
	if (err) {
		free(w);
		return err;
	}
	err = uv_fs_event_start(&w->uv, on_dir_event, path, 0);
	if (err) {
		uv_close((uv_handle_t *)&w->uv, on_dir_closed);
		return err;
	}
	*ret = w;
	return 0;
}

void dir_watch_free(struct dir_watch *w)
{
	if (!w)
		return;
	timer_stop(&w->burst);
	free(w->name);
	w->name = NULL;
	uv_close((uv_handle_t *)&w->uv, on_dir_closed);
}
