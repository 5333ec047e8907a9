#include "slots/slot_call.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/ident.h"
#include "codex/headers.h"
#include "slots/refresher.h"

#include <stdio.h>
#include <stdlib.h>

enum { TIMEOUT_MS = 30 * 1000, URL_MAX_BYTES = 4096 };

struct slot_call {
	struct slot_env *env;
	char id[LIMIT_SLOT_ID_BYTES];
	const char *method;
	char *path;
	struct arena arena; /* further headers */
	struct http_header *headers;
	size_t header_count;
	struct buf body;
	struct refresh_wait wait;
	struct call *call;
	struct deferred fail;
	const char *problem;	   /* for fail */
	bool refreshed;		   /* after a 401; not again */
	char sent[IDENT_HEX_SIZE]; /* fingerprint of the token that was sent */
	void (*on_done)(void *arg, const struct slot_call_result *result);
	void *arg;
};

static void destroy(struct slot_call *c)
{
	refresher_leave(&c->wait);
	loop_undefer(&c->fail);
	arena_fini(&c->arena);
	buf_fini(&c->body);
	free(c->path);
	free(c);
}

static void finish(struct slot_call *c, const struct call_result *answer, const char *problem)
{
	struct slot_call_result result = {
		.slot = slot_table_find(c->env->table, c->id),
		.answer = answer,
		.problem = problem,
	};

	c->on_done(c->arg, &result);
	destroy(c);
}

static void on_fail(struct deferred *d)
{
	struct slot_call *c = CONTAINER_OF(d, struct slot_call, fail);

	finish(c, NULL, c->problem);
}

static void fail_later(struct slot_call *c, const char *problem)
{
	c->problem = problem;
	loop_defer(c->env->loop, &c->fail);
}

/* No other token would help: the account itself is closed. */
static bool is_account_gone(const struct call_result *r)
{
	struct failure f;

	failure_from_http(
		r->status, r->headers, r->header_count, r->body, NULL, clock_wall_ms(), &f);
	return f.class == FAILURE_DEAD;
}

static void on_answer(void *arg, const struct call_result *r)
{
	struct slot_call *c = arg;
	struct slot *s = slot_table_find(c->env->table, c->id);
	char problem[64];

	c->call = NULL;
	if (r->status == 401 && s && !c->refreshed && !is_account_gone(r)) {
		c->refreshed = true;
		refresher_ask(c->env->refresher, s, c->sent, &c->wait);
		return;
	}
	if (r->outcome != FETCH_OK) {
		finish(c, r, r->message);
	} else if ((r->status >= 200 && r->status < 300) || r->status == 304) {
		finish(c, r, NULL);
	} else {
		snprintf(problem, sizeof(problem), "upstream answered with status %d", r->status);
		finish(c, r, problem);
	}
}

static int build_headers(struct slot_call *c, const struct slot *s, struct arena *arena,
	struct http_header *out, size_t *ret_count)
{
	struct codex_cred cred = slot_cred(s);
	char id[IDENT_UUID_SIZE];
	struct codex_header_options options = {
		.originator = sv_cstr(c->env->conf->upstream_originator),
		.user_agent = sv_cstr(c->env->conf->upstream_user_agent),
		.accept = SV("application/json"),
		.content_type = c->body.len ? SV("application/json") : SV_NONE,
	};
	int err;

	ident_uuid7(id);
	options.request_id = arena_dup(arena, sv_cstr(id));
	err = codex_headers_build(&cred, &options, arena, out, ret_count);
	if (err)
		return err;
	for (size_t i = 0; i < c->header_count && *ret_count < CODEX_HEADERS_MAX; i++)
		out[(*ret_count)++] = c->headers[i];
	return 0;
}

static void send_request(struct slot_call *c, const struct slot *s)
{
	struct http_header headers[CODEX_HEADERS_MAX];
	struct arena arena;
	struct buf url;
	struct call_request request = {
		.method = c->method,
		.headers = headers,
		.body = buf_sv(&c->body),
		.connect_timeout_ms = c->env->conf->upstream_connect_timeout_s * 1000,
		.total_timeout_ms = TIMEOUT_MS,
	};

	arena_init(&arena, LIMIT_ARENA_BYTES);
	buf_init(&url, URL_MAX_BYTES);
	buf_add_cstr(&url, s->base_url);
	buf_add_cstr(&url, c->path);
	ident_fingerprint(secret_expose(&s->access), c->sent);
	request.url = buf_cstr(&url);
	if (build_headers(c, s, &arena, headers, &request.header_count)) {
		fail_later(c, "the slot's access token is not usable");
	} else {
		c->call = call_start(c->env->loop, c->env->pool, &request, on_answer, c);
		codex_headers_wipe(headers, request.header_count);
	}
	buf_fini(&url);
	arena_fini(&arena);
}

static void on_token(struct refresh_wait *w, enum refresh_result result)
{
	struct slot_call *c = CONTAINER_OF(w, struct slot_call, wait);
	struct slot *s = slot_table_find(c->env->table, c->id);

	if (!s)
		finish(c, NULL, "the slot is gone");
	else if (secret_is_empty(&s->access))
		finish(c, NULL, "the slot has no credential"); /* not any more */
	else if (result == REFRESH_REAUTH)
		finish(c, NULL, "the slot's login is not valid any more: log in again");
	else if (result == REFRESH_FAILED)
		finish(c, NULL, "the slot's token could not be refreshed");
	else
		send_request(c, s);
}

static void copy_headers(struct slot_call *c, const struct slot_call_request *r)
{
	c->headers = arena_alloc(&c->arena, (r->header_count + 1) * sizeof(*c->headers));
	for (size_t i = 0; c->headers && i < r->header_count; i++) {
		struct http_header *to = &c->headers[c->header_count];

		to->name = arena_dup(&c->arena, r->headers[i].name);
		to->value = arena_dup(&c->arena, r->headers[i].value);
		if (to->name.p && to->value.p)
			c->header_count++;
	}
}

struct slot_call *slot_call_start(struct slot_env *env, const struct slot *s,
	const struct slot_call_request *r,
	void (*on_done)(void *arg, const struct slot_call_result *result), void *arg)
{
	struct slot_call *c = mem_zalloc(sizeof(*c));
	struct slot *mine = slot_table_find(env->table, s->id);

	c->env = env;
	memcpy(c->id, s->id, sizeof(c->id));
	c->method = r->method;
	c->path = mem_strdup(r->path);
	c->on_done = on_done;
	c->arg = arg;
	c->wait.on_done = on_token;
	c->fail.fn = on_fail;
	arena_init(&c->arena, KIB(64));
	copy_headers(c, r);
	buf_init(&c->body, r->body.n ? r->body.n : 1);
	buf_add_sv(&c->body, r->body);
	if (!mine || secret_is_empty(&mine->access))
		fail_later(c, "the slot has no credential");
	else if (mine->reauth_required)
		fail_later(c, "the slot's login is not valid any more: log in again");
	else if (refresher_must_wait(mine, clock_wall_ms()))
		refresher_ask(env->refresher, mine, NULL, &c->wait);
	else
		send_request(c, mine);
	return c;
}

void slot_call_cancel(struct slot_call *c)
{
	if (c->call)
		call_cancel(c->call);
	destroy(c);
}
