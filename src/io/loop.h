/*
 * The event loop: one thread, libuv below. Owner: main. Everything in io/ and above runs on it;
 * only loop_work() functions run on pool threads. No other folder includes libuv.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct uv_loop_s;

struct loop *loop_new(void);
/* After loop_run() returned and all owners closed their handles; asserts that none is left. */
void loop_free(struct loop *loop);
/* Runs until loop_stop() or until nothing is left to wait for. SIGPIPE and SIGXFSZ are ignored from
 * here on: both come as errors of a write. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* For io/ only. */
struct uv_loop_s *loop_uv(struct loop *loop);
/*
 * Memory that a callback works in, for io/ only: one piece of each kind, taken when it is first
 * asked for and kept until loop_free(). bytes are the same at each call. Not thread-local: each
 * thread of the pool would get, and touch, its own.
 */
enum loop_scratch {
	LOOP_SCRATCH_READ,  /* what came from a socket */
	LOOP_SCRATCH_PLAIN, /* what was in a TLS record */
	LOOP_SCRATCH_SEAL,  /* what goes into one */
	LOOP_SCRATCH_WIRE,  /* records that go out */
	LOOP_SCRATCHES,
};
char *loop_scratch(struct loop *loop, enum loop_scratch which, size_t bytes);
/* Monotonic milliseconds, cached at the start of the loop turn. */
int64_t loop_now_ms(const struct loop *loop);

/*
 * A timer embedded in its owner. One-shot. Thousands are cheap: they share one libuv timer through
 * a heap, starting and stopping costs no system call, and a stopped timer may be freed at once.
 */
struct timer {
	void (*fn)(struct timer *t);
	struct loop *loop;
	int64_t due_ms; /* private */
	uint32_t index; /* private: place in the heap + 1, 0 when stopped */
};
void timer_init(struct timer *t, struct loop *loop, void (*fn)(struct timer *t));
/* (Re)starts: fn is called once, delay_ms (>= 0) from now. */
void timer_start(struct timer *t, int64_t delay_ms);
void timer_stop(struct timer *t);
static inline bool timer_is_active(const struct timer *t)
{
	return t->index != 0;
}

/*
 * Work put off to the end of the present loop turn, when no callback is on the stack. Intrusive;
 * scheduling twice is the same as once. Cancel before freeing.
 */
struct deferred {
	void (*fn)(struct deferred *d);
	struct deferred *next, **prev; /* private */
};
void loop_defer(struct loop *loop, struct deferred *d);
void loop_undefer(struct deferred *d);

/* fn runs on the loop when the signal comes. Registrations end with loop_free(). */
void loop_on_signal(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg);
/* Lets loop_run() return although signal handlers stand: called once at shutdown. */
void loop_close_signals(struct loop *loop);
/* The handlers that stand now do not keep loop_run() from returning when all else has ended. */
void loop_unref_signals(struct loop *loop);

/* work() on a pool thread, then done() on the loop. Both get arg. */
void loop_work(struct loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* Watches a directory (not recursive): fn is called on the loop, at most once per 50 ms burst, with
 * the name that changed (may be NULL). */
struct dir_watch;
int dir_watch_new(struct loop *loop, const char *path, void (*fn)(void *arg, const char *name),
	void *arg, struct dir_watch **ret) MUST_CHECK;
void dir_watch_free(struct dir_watch *w);

#endif
