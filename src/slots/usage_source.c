#include "slots/usage_source.h"

#include "base/clock.h"
#include "slots/slot_call.h"

#include <stdio.h>
#include <stdlib.h>

enum { USAGE_JSON_DEPTH = 32 };

/* --- codex-api --- */

struct api_question {
	struct slot_call *call;
	void (*on_done)(void *arg, const struct usage_answer *answer);
	void *arg;
};

static bool is_missing_path(const struct failure *f)
{
	/* A server without this path says "Not Found" and no code. */
	return f->err.code[0] == '\0';
}

/*
 * 402, 404 with a code, and the codes of closed accounts tell that there is no such account any
 * more (PROTOCOL 5). 401 and 403 do not: they come and go.
 */
static bool is_gone(int status, const struct failure *f)
{
	if (f->class == FAILURE_DEAD || status == 402)
		return true;
	return status == 404 && f->class == FAILURE_CLIENT && !is_missing_path(f);
}

static void refuse(struct api_question *q, const struct slot_call_result *r)
{
	const struct call_result *http = r->answer;
	int64_t now_ms = clock_wall_ms();
	struct usage_answer answer = {.problem = r->problem};
	struct failure f;

	if (http && http->outcome == FETCH_OK) {
		failure_from_http(http->status, http->headers, http->header_count, http->body, NULL,
			now_ms, &f);
		answer.retry_at_ms = f.until_ms;
		if (is_gone(http->status, &f)) {
			f.class = FAILURE_DEAD;
			answer.gone = &f;
		}
	}
	q->on_done(q->arg, &answer);
}

static void on_api_answer(void *arg, const struct slot_call_result *r)
{
	struct api_question *q = arg;
	struct usage_answer answer = {.problem = "upstream's answer about usage makes no sense"};
	struct meters meters;
	struct jv body;

	if (r->problem) {
		refuse(q, r);
	} else {
		if (jv_parse(r->answer->body, USAGE_JSON_DEPTH, &body, NULL) == 0 &&
			meters_from_usage(body, clock_wall_ms() / 1000, &meters)) {
			answer.problem = NULL;
			answer.meters = &meters;
			answer.is_whole = jv_exists(jv_get(body, SV("rate_limit")));
			answer.limit_reached = meters_usage_is_refusing(body);
		}
		q->on_done(q->arg, &answer);
	}
	free(q);
}

static void *api_start(struct slot_env *env, const struct slot *s,
	void (*on_done)(void *arg, const struct usage_answer *answer), void *arg)
{
	struct slot_call_request request = {.method = "GET", .path = "/wham/usage"};
	struct api_question *q = mem_zalloc(sizeof(*q));

	q->on_done = on_done;
	q->arg = arg;
	q->call = slot_call_start(env, s, &request, on_api_answer, q);
	return q;
}

static void api_cancel(void *running)
{
	struct api_question *q = running;

	slot_call_cancel(q->call);
	free(q);
}

const struct usage_source *usage_source_codex_api(void)
{
	static const struct usage_source source = {"codex-api", api_start, api_cancel};

	return &source;
}

/* --- local-cache --- */

struct cache_question {
	struct deferred answer;
	bool is_known;
	void (*on_done)(void *arg, const struct usage_answer *answer);
	void *arg;
};

static void on_cache_answer(struct deferred *d)
{
	struct cache_question *q = CONTAINER_OF(d, struct cache_question, answer);
	struct usage_answer answer = {0};

	if (!q->is_known)
		answer.problem = "no usage is stored: slot-usage-set sets it";
	q->on_done(q->arg, &answer);
	free(q);
}

static void *cache_start(struct slot_env *env, const struct slot *s,
	void (*on_done)(void *arg, const struct usage_answer *answer), void *arg)
{
	struct cache_question *q = mem_zalloc(sizeof(*q));

	q->answer.fn = on_cache_answer;
	q->is_known = s->checked_at_ms != 0;
	q->on_done = on_done;
	q->arg = arg;
	loop_defer(env->loop, &q->answer);
	return q;
}

static void cache_cancel(void *running)
{
	struct cache_question *q = running;

	loop_undefer(&q->answer);
	free(q);
}

const struct usage_source *usage_source_local_cache(void)
{
	static const struct usage_source source = {"local-cache", cache_start, cache_cancel};

	return &source;
}
