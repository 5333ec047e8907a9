/*
 * What is behind fetch.h: two engines, libcurl's HTTP (fetch_curl.c) and our own HTTP/1.1
 * (fetch_http1.c). A fetch of either begins with a struct fetch, which has what they share: its
 * user, the clock, and its two timers. Private to fetch*.c.
 */
#ifndef IO_FETCH_ENGINE_H
#define IO_FETCH_ENGINE_H

#include "io/fetch.h"

struct fetch_engine {
	void (*cancel)(struct fetch *f);
	/* Only while there is a user: fetch.c has taken f from him when true comes back. */
	bool (*release)(struct fetch *f);
	void (*pause)(struct fetch *f);
	void (*resume)(struct fetch *f);
	/* A timer has gone off. */
	void (*fail)(struct fetch *f, enum fetch_outcome outcome, const char *message);
	/* Have bytes of the request gone out that fetch_touch() was not told of? */
	bool (*has_moved)(struct fetch *f);
	/* The final head; status 0 before it. */
	const struct http_header *(*head)(
		const struct fetch *f, int *ret_status, size_t *ret_count);
};

struct fetch {
	const struct fetch_engine *engine;
	struct loop *loop;
	const struct fetch_ops *ops;
	void *arg;
	bool paused;   /* by the user */
	bool released; /* the user is gone: no callbacks, the rest of the body is skipped */
	bool overdue;  /* the idle time is over, and the sockets are looked at once more */
	bool sending;  /* the request is going out, or has gone: the idle time counts */
	int64_t start_us;
	int64_t first_byte_us;
	int64_t idle_timeout_ms;
	int64_t active_ms; /* when the last byte moved */
	struct timer idle;
	struct timer total;
};

/* Once, for storage that is used for one fetch after the other. */
void fetch_init(struct fetch *f, const struct fetch_engine *engine, struct loop *loop);
/* A new fetch: its total time begins. */
void fetch_begin(
	struct fetch *f, const struct fetch_request *r, const struct fetch_ops *ops, void *arg);
/* The request goes out: the idle time begins. */
void fetch_begin_sending(struct fetch *f);
/* And is not counted any more, until it goes out again. */
void fetch_end_sending(struct fetch *f);
/* It is over, or cancelled. */
void fetch_stop_timers(struct fetch *f);
/* Bytes have moved. */
void fetch_touch(struct fetch *f);
/* The same, of the response. */
void fetch_note_bytes(struct fetch *f);

#endif
