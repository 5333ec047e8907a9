#include "sim/sim_wait.h"

#include "base/jw.h"
#include "proto/url.h"
#include "sim/sim_control.h"
#include "sim/sim_log.h"

#include <stdlib.h>

enum { WAIT_DEFAULT_MS = 10000, WAIT_MAX_MS = 600000, WAIT_TEXT_BYTES = 4096 };

struct wait {
	struct wait *next;
	struct sim *sim;
	struct http_stream *stream;
	struct timer timer;
	struct buf until; /* conditions joined with commas, decoded */
	struct buf account, path;
	uint64_t since;
};

struct sim_waits {
	struct sim *sim;
	struct wait *first;
	struct deferred check;
};

static const struct {
	const char *name;
	size_t offset;
} COUNTERS[] = {
	{"requests", offsetof(struct sim_tally, requests)},
	{"active", offsetof(struct sim_tally, active)},
	{"gone", offsetof(struct sim_tally, gone)},
	{"finished", offsetof(struct sim_tally, finished)},
	{"events", offsetof(struct sim_tally, events)},
	{"succeeded", offsetof(struct sim_tally, succeeded)},
	{"failed", offsetof(struct sim_tally, failed)},
	{"sockets", offsetof(struct sim_tally, sockets)},
};

static const struct {
	const char *text;
	bool less, equal, greater;
} OPERATORS[] = {
	/* Longer ones first. */
	{">=", false, true, true},
	{"<=", true, true, false},
	{"==", false, true, false},
	{"=", false, true, false},
	{">", false, false, true},
	{"<", true, false, false},
};

/* Without a log there are totals only. */
static void tally(const struct wait *w, struct sim_tally *ret)
{
	const struct sim_stats *stats = &w->sim->stats;
	struct sim_filter f = {buf_sv(&w->account), buf_sv(&w->path), w->since, false};

	if (w->sim->log) {
		sim_log_count(w->sim->log, &f, ret);
		ret->sockets = stats->sockets;
		return;
	}
	memset(ret, 0, sizeof(*ret));
	ret->requests = stats->requests;
	ret->active = stats->active;
	ret->gone = stats->gone;
	ret->finished = stats->finished;
	ret->events = stats->events;
	ret->sockets = stats->sockets;
}

/* One "name>=N": 1 holds, 0 does not, -1 makes no sense. */
static int holds(struct sv condition, const struct sim_tally *t)
{
	for (size_t i = 0; i < ARRAY_LEN(OPERATORS); i++) {
		ptrdiff_t at = sv_find(condition, sv_cstr(OPERATORS[i].text));
		struct sv name, number;
		uint64_t value, wanted;

		if (at < 0)
			continue;
		name = sv_trim(sv_make(condition.p, (size_t)at));
		number = sv_trim(sv_from(condition, (size_t)at + strlen(OPERATORS[i].text)));
		if (sv_u64(number, &wanted))
			return -1;
		for (size_t k = 0; k < ARRAY_LEN(COUNTERS); k++) {
			if (!sv_eq(name, sv_cstr(COUNTERS[k].name)))
				continue;
			memcpy(&value, (const char *)t + COUNTERS[k].offset, sizeof(value));
			return value < wanted	? OPERATORS[i].less
			       : value > wanted ? OPERATORS[i].greater
						: OPERATORS[i].equal;
		}
		return -1;
	}
	return -1;
}

static int all_hold(const struct wait *w, struct sim_tally *t)
{
	struct sv rest = buf_sv(&w->until);
	int verdict = 1;

	tally(w, t);
	if (!rest.n)
		return -1;
	while (rest.n) {
		int one = holds(sv_split(&rest, ','), t);

		if (one < 0)
			return -1;
		if (one == 0)
			verdict = 0;
	}
	return verdict;
}

static void free_wait(struct wait *w)
{
	struct wait **at = &w->sim->waits->first;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	timer_stop(&w->timer);
	buf_fini(&w->until);
	buf_fini(&w->account);
	buf_fini(&w->path);
	free(w);
}

static void answer(struct wait *w, int status, bool ok, const struct sim_tally *t)
{
	struct http_stream *stream = w->stream;
	struct buf out;
	struct jw j;

	buf_init(&out, WAIT_TEXT_BYTES);
	j = jw_begin(&out);
	jw_obj(&j);
	jw_kbool(&j, "ok", ok);
	for (size_t k = 0; k < ARRAY_LEN(COUNTERS); k++) {
		uint64_t value;

		memcpy(&value, (const char *)t + COUNTERS[k].offset, sizeof(value));
		jw_key_lit(&j, sv_cstr(COUNTERS[k].name));
		jw_u64(&j, value);
	}
	jw_end(&j);
	free_wait(w);
	sim_control_json(stream, status, buf_sv(&out));
	buf_fini(&out);
}

static void on_timeout(struct timer *timer)
{
	struct wait *w = CONTAINER_OF(timer, struct wait, timer);
	struct sim_tally t;

	tally(w, &t);
	answer(w, 408, false, &t);
}

static void on_check(struct deferred *d)
{
	struct sim_waits *waits = CONTAINER_OF(d, struct sim_waits, check);
	struct wait *w = waits->first;

	while (w) {
		struct wait *next = w->next;
		struct sim_tally t;

		if (all_hold(w, &t) == 1)
			answer(w, 200, true, &t);
		w = next;
	}
}

struct sim_waits *sim_waits_new(struct sim *sim)
{
	struct sim_waits *waits = mem_zalloc(sizeof(*waits));

	waits->sim = sim;
	waits->check.fn = on_check;
	return waits;
}

/* After the server is gone: no stream is left. */
void sim_waits_free(struct sim_waits *waits)
{
	if (!waits)
		return;
	loop_undefer(&waits->check);
	while (waits->first)
		free_wait(waits->first);
	free(waits);
}

void sim_wait_poke(struct sim *sim)
{
	if (sim->waits->first)
		loop_defer(sim->loop, &sim->waits->check);
}

static void query_text(struct sv query, struct sv key, struct buf *out)
{
	buf_init(out, WAIT_TEXT_BYTES);
	if (url_unescape(url_query_get(query, key), out) < 0)
		buf_reset(out, 0);
}

static struct wait *new_wait(struct sim *sim, struct http_stream *stream, struct sv query)
{
	struct wait *w = mem_zalloc(sizeof(*w));

	w->sim = sim;
	w->stream = stream;
	query_text(query, SV("until"), &w->until);
	query_text(query, SV("account"), &w->account);
	query_text(query, SV("path"), &w->path);
	if (sv_u64(url_query_get(query, SV("since")), &w->since))
		w->since = 0;
	timer_init(&w->timer, sim->loop, on_timeout);
	w->next = sim->waits->first;
	sim->waits->first = w;
	return w;
}

void sim_wait_handle(struct sim *sim, struct http_stream *stream)
{
	struct sv query = http_stream_request(stream)->query;
	struct wait *w = new_wait(sim, stream, query);
	uint64_t timeout_ms;
	struct sim_tally t;
	int verdict = all_hold(w, &t);

	if (verdict < 0) {
		free_wait(w);
		sim_control_error(stream, 400,
			"until must be conditions like requests>=2,active==0 (percent-encoded)");
		return;
	}
	if (verdict == 1) {
		answer(w, 200, true, &t);
		return;
	}
	if (sv_u64(url_query_get(query, SV("timeout_ms")), &timeout_ms))
		timeout_ms = WAIT_DEFAULT_MS;
	timer_start(&w->timer, timeout_ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int64_t)timeout_ms);
}

void sim_wait_gone(struct sim *sim, struct http_stream *stream)
{
	for (struct wait *w = sim->waits->first; w; w = w->next) {
		if (w->stream == stream) {
			free_wait(w);
			return;
		}
	}
}
