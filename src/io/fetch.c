#include "io/fetch.h"

#include "base/clock.h"
#include "io/fetch_curl.h"
#include "io/fetch_engine.h"
#include "io/fetch_http1.h"

#include <stdlib.h>

struct fetch_pool {
	struct dialer *dialer;
	struct fetch_curl_pool *curl;
	struct fetch_http1_pool *http1;
};

/* Timers. */

void fetch_touch(struct fetch *f)
{
	f->active_ms = loop_now_ms(f->loop);
}

void fetch_note_bytes(struct fetch *f)
{
	fetch_touch(f);
	if (!f->first_byte_us)
		f->first_byte_us = clock_mono_us() - f->start_us;
}

static void start_idle(struct fetch *f)
{
	fetch_touch(f);
	f->overdue = false;
	if (f->idle_timeout_ms > 0 && !f->paused)
		timer_start(&f->idle, f->idle_timeout_ms);
}

/* Bytes only note the time: the timer is not moved for each of them. A loop that was kept from
 * running hears of its timers before its sockets, so that these are asked before the verdict. */
static void on_idle(struct timer *t)
{
	struct fetch *f = CONTAINER_OF(t, struct fetch, idle);
	int64_t left_ms;

	if (f->paused)
		return;
	if (f->engine->has_moved(f))
		fetch_touch(f);
	left_ms = f->active_ms + f->idle_timeout_ms - loop_now_ms(f->loop);
	if (left_ms > 0) {
		f->overdue = false;
		timer_start(t, left_ms);
	} else if (!f->overdue) {
		f->overdue = true;
		timer_start(t, 0);
	} else {
		f->engine->fail(f, FETCH_IDLE, "no data from upstream within the idle timeout");
	}
}

static void on_total(struct timer *t)
{
	struct fetch *f = CONTAINER_OF(t, struct fetch, total);

	if (f->released)
		fetch_cancel(f);
	else
		f->engine->fail(f, FETCH_TIMEOUT, "the request took longer than its total timeout");
}

void fetch_stop_timers(struct fetch *f)
{
	f->sending = false;
	timer_stop(&f->idle);
	timer_stop(&f->total);
}

/* Life. */

void fetch_init(struct fetch *f, const struct fetch_engine *engine, struct loop *loop)
{
	f->engine = engine;
	f->loop = loop;
	timer_init(&f->idle, loop, on_idle);
	timer_init(&f->total, loop, on_total);
}

void fetch_begin(
	struct fetch *f, const struct fetch_request *r, const struct fetch_ops *ops, void *arg)
{
	f->ops = ops;
	f->arg = arg;
	f->paused = false;
	f->released = false;
	f->sending = false;
	f->start_us = clock_mono_us();
	f->first_byte_us = 0;
	f->idle_timeout_ms = r->idle_timeout_ms;
	if (r->total_timeout_ms > 0)
		timer_start(&f->total, r->total_timeout_ms);
}

void fetch_begin_sending(struct fetch *f)
{
	f->sending = true;
	start_idle(f);
}

void fetch_end_sending(struct fetch *f)
{
	f->sending = false;
	timer_stop(&f->idle);
}

struct fetch *fetch_start(
	struct fetch_pool *p, const struct fetch_request *r, const struct fetch_ops *ops, void *arg)
{
	struct fetch *f = p->http1 ? fetch_http1_start(p->http1, r, ops, arg) : NULL;

	return f ? f : fetch_curl_start(p->curl, r, ops, arg);
}

void fetch_cancel(struct fetch *f)
{
	f->engine->cancel(f);
}

void fetch_release(struct fetch *f, int64_t grace_ms)
{
	if (!f->engine->release(f)) {
		fetch_cancel(f);
		return;
	}
	f->released = true;
	f->idle_timeout_ms = 0;
	timer_stop(&f->idle);
	timer_start(&f->total, grace_ms);
	fetch_resume(f);
}

void fetch_pause(struct fetch *f)
{
	f->paused = true;
	timer_stop(&f->idle);
	f->engine->pause(f);
}

void fetch_resume(struct fetch *f)
{
	if (!f->paused)
		return;
	f->paused = false;
	if (f->sending)
		start_idle(f);
	f->engine->resume(f);
}

int fetch_status(const struct fetch *f)
{
	size_t count;
	int status;

	f->engine->head(f, &status, &count);
	return status;
}

const struct http_header *fetch_headers(const struct fetch *f, size_t *ret_count)
{
	int status;

	return f->engine->head(f, &status, ret_count);
}

struct sv fetch_header(const struct fetch *f, struct sv name)
{
	size_t count;
	const struct http_header *headers = fetch_headers(f, &count);

	for (size_t i = 0; i < count; i++) {
		if (sv_ieq(headers[i].name, name))
			return headers[i].value;
	}
	return SV_NONE;
}

/* The pool. */

struct fetch_pool *fetch_pool_new(struct loop *loop, const struct fetch_options *options)
{
	const struct dialer_options dialing = {
		.ca_file = options->ca_file, .proxy = options->proxy};
	struct fetch_pool *p = mem_zalloc(sizeof(*p));

	p->dialer = dialer_new(loop, &dialing);
	p->curl = fetch_curl_pool_new(loop, options);
	p->http1 = fetch_http1_pool_new(loop, options, p->dialer);
	return p;
}

void fetch_pool_free(struct fetch_pool *p)
{
	if (!p)
		return;
	fetch_http1_pool_free(p->http1);
	fetch_curl_pool_free(p->curl);
	dialer_free(p->dialer);
	free(p);
}

struct dialer *fetch_pool_dialer(struct fetch_pool *p)
{
	return p->dialer;
}
