#include "sim/sim_log.h"

#include "base/clock.h"
#include "base/ident.h"
#include "base/jw.h"
#include "sim/sim_accounts.h"

#include <stdlib.h>

enum { LOG_ENTRIES = 20000 };
#define LOG_BODIES_BYTES MIB(128)
#define LOG_BODY_BYTES ((size_t)SIM_BODY_BYTES)
#define LOG_HEADERS_BYTES MIB(1)

struct sim_log {
	struct sim_entry *first, **last;
	size_t count;
	size_t bodies_bytes;
	uint64_t seq;
	uint64_t dropped;
};

static const char *const ENDS[] = {"active", "finished", "aborted", "reset", "gone"};

struct sim_log *sim_log_new(void)
{
	struct sim_log *log = mem_zalloc(sizeof(*log));

	log->last = &log->first;
	return log;
}

static void free_entry(struct sim_entry *e)
{
	free(e->method);
	free(e->path);
	free(e->query);
	buf_fini(&e->headers);
	buf_fini(&e->body);
	free(e);
}

static void evict_first(struct sim_log *log)
{
	struct sim_entry *e = log->first;

	log->first = e->next;
	if (!log->first)
		log->last = &log->first;
	log->count--;
	log->bodies_bytes -= e->body.len;
	e->evicted = true;
	if (e->end != SIM_END_NONE)
		free_entry(e);
}

void sim_log_clear(struct sim_log *log)
{
	while (log->first)
		evict_first(log);
	log->dropped = 0;
}

void sim_log_free(struct sim_log *log)
{
	if (!log)
		return;
	sim_log_clear(log);
	free(log);
}

static bool is_secret(struct sv name)
{
	return sv_ieq(name, SV("authorization")) || sv_ieq(name, SV("x-api-key")) ||
	       sv_ieq(name, SV("api-key")) || sv_ieq(name, SV("cookie"));
}

static void write_headers(const struct http_request *r, struct buf *out)
{
	struct jw w = jw_begin(out);

	jw_arr(&w);
	for (size_t i = 0; i < r->header_count; i++) {
		const struct http_header *h = &r->headers[i];
		char print[IDENT_HEX_SIZE];

		jw_arr(&w);
		jw_str(&w, h->name);
		if (is_secret(h->name)) {
			ident_fingerprint(h->value, print);
			jw_str_begin(&w);
			jw_str_add(&w, SV("fingerprint:"));
			jw_str_add(&w, sv_cstr(print));
			jw_str_end(&w);
		} else {
			jw_str(&w, h->value);
		}
		jw_end(&w);
	}
	jw_end(&w);
}

struct sim_entry *sim_log_begin(
	struct sim *sim, const struct http_request *r, struct sv body, int64_t started_us)
{
	struct sim_log *log = sim->log;
	struct sim_entry *e = mem_zalloc(sizeof(*e));

	e->seq = ++log->seq;
	e->time_ms = sim_now_ms(sim);
	e->started_us = started_us;
	e->method = mem_strndup(r->method.p, r->method.n);
	e->path = mem_strndup(r->path.p, r->path.n);
	e->query = mem_strndup(r->query.n ? r->query.p : "", r->query.n);
	buf_init(&e->headers, LOG_HEADERS_BYTES);
	write_headers(r, &e->headers);
	buf_init(&e->body, LOG_BODY_BYTES);
	buf_add_sv(&e->body, body);
	e->body_bytes = body.n;
	log->bodies_bytes += e->body.len;
	*log->last = e;
	log->last = &e->next;
	log->count++;
	while (log->count > LOG_ENTRIES || log->bodies_bytes > LOG_BODIES_BYTES) {
		evict_first(log);
		log->dropped++;
	}
	return e;
}

void sim_log_end(struct sim_log *log, struct sim_entry *e, enum sim_end end)
{
	(void)log;
	e->end = end;
	e->end_after_us = clock_mono_us() - e->started_us;
	e->end_time_ms = clock_wall_ms();
	if (e->evicted)
		free_entry(e);
}

static bool passes(const struct sim_entry *e, const struct sim_filter *f)
{
	if (e->seq <= f->since)
		return false;
	if (f->account.n && (!e->account || !sv_eq(sv_cstr(e->account->id), f->account)))
		return false;
	return !f->path.n || sv_find(sv_cstr(e->path), f->path) >= 0;
}

/* Both null while it is active. */
static void write_end(struct jw *w, const struct sim_entry *e)
{
	bool ended = e->end != SIM_END_NONE;

	jw_key_lit(w, SV("end_after_ms"));
	if (ended)
		jw_f64(w, (double)e->end_after_us / 1000);
	else
		jw_null(w);
	jw_key_lit(w, SV("end_time_ms"));
	if (ended)
		jw_i64(w, e->end_time_ms);
	else
		jw_null(w);
}

static void write_entry(struct jw *w, const struct sim_entry *e, bool bodies)
{
	jw_obj(w);
	jw_ki64(w, "seq", (int64_t)e->seq);
	jw_ki64(w, "time_ms", e->time_ms);
	jw_key_lit(w, SV("account"));
	if (e->account)
		jw_str(w, sv_cstr(e->account->id));
	else
		jw_null(w);
	jw_kstr(w, "method", sv_cstr(e->method));
	jw_kstr(w, "path", sv_cstr(e->path));
	jw_kstr(w, "query", sv_cstr(e->query));
	jw_kraw(w, "headers", buf_sv(&e->headers));
	if (bodies)
		jw_kstr(w, "body", buf_sv(&e->body));
	jw_ki64(w, "body_bytes", (int64_t)e->body_bytes);
	jw_ki64(w, "status", e->status);
	jw_ki64(w, "script", e->script);
	jw_ki64(w, "events", (int64_t)e->events);
	jw_ki64(w, "sent_bytes", (int64_t)e->sent_bytes);
	jw_kbool(w, "active", e->end == SIM_END_NONE);
	jw_kbool(w, "client_gone", e->end == SIM_END_GONE);
	jw_kstr(w, "end", sv_cstr(ENDS[e->end]));
	write_end(w, e);
	jw_end(w);
}

void sim_log_write(const struct sim_log *log, const struct sim_filter *f, struct buf *out)
{
	struct jw w = jw_begin(out);

	jw_obj(&w);
	jw_karr(&w, "requests");
	for (const struct sim_entry *e = log ? log->first : NULL; e; e = e->next) {
		if (passes(e, f))
			write_entry(&w, e, f->bodies);
	}
	jw_end(&w);
	jw_ki64(&w, "last", log ? (int64_t)log->seq : 0);
	jw_ki64(&w, "dropped", log ? (int64_t)log->dropped : 0);
	jw_end(&w);
}

void sim_log_count(const struct sim_log *log, const struct sim_filter *f, struct sim_tally *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (const struct sim_entry *e = log->first; e; e = e->next) {
		if (!passes(e, f))
			continue;
		ret->requests++;
		ret->active += e->end == SIM_END_NONE;
		ret->gone += e->end == SIM_END_GONE;
		ret->finished += e->end == SIM_END_FINISHED;
		ret->succeeded += e->end != SIM_END_NONE && e->status < 400;
		ret->failed += e->status >= 400;
		ret->events += e->events;
	}
}
