#include "io/fetch_curl.h"

#include "io/curl_uv.h"
#include "io/fetch_engine.h"
#include "io/fetch_head.h"
#include "io/fetch_outcome.h"
#include "io/header_list.h"
#include "io/request_head.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	BUFFER_BYTES = 16 * 1024,   /* one read from a socket; each running transfer has its own */
	BIG_BODY_BYTES = 64 * 1024, /* libcurl sends smaller ones in one piece with the head */
	DEFAULT_CONNECT_MS = 10 * 1000,
	DEFAULT_IDLE_CONNECTIONS = 256,
	SPARE_FETCHES = 256, /* kept for reuse */
};

/*
 * START -> RUN -> (done) -> SPARE; CANCELLED from START and RUN, then SPARE from the deferred
 * queue. START: waits in the pool's todo queue to be given to libcurl. RUN: libcurl has it. DONE:
 * in on_done.
 */
enum fetch_state { FETCH_SPARE, FETCH_START, FETCH_RUN, FETCH_DONE, FETCH_CANCELLED };

struct curl_fetch {
	struct fetch base;
	struct fetch_curl_pool *pool;
	struct curl_fetch *next, **prev; /* in pool->live or pool->spare */
	struct curl_fetch *todo_next;
	bool in_todo;
	bool in_curl; /* added to the multi handle */
	enum fetch_state state;
	CURL *easy;
	bool held;	    /* libcurl holds bytes back because we refused them while paused */
	bool was_restarted; /* on a fresh connection, because a kept one broke */
	bool has_fault;
	enum fetch_outcome fault; /* overrides what libcurl says */
	const char *fault_message;

	size_t body_bytes;
	curl_off_t uploaded_bytes;
	struct fetch_head head;
	struct header_list headers;
	char curl_error[CURL_ERROR_SIZE];
	char message[FETCH_MESSAGE_BYTES];
};

struct fetch_curl_pool {
	struct loop *loop;
	struct curl_uv *curl;
	CURLSH *tls_sessions;
	long max_per_host;
	long idle_connections;
	bool http2;
	bool has_ca_file_only; /* libcurl's default CA directory would defeat its CA cache */
	char *ca_file;
	char *proxy;
	char *unix_socket;
	struct curl_slist *connect_to;
	struct curl_fetch *live;
	struct curl_fetch *spare;
	size_t live_count;
	size_t spare_count;
	struct curl_fetch *todo_first;
	struct curl_fetch **todo_end;
	struct deferred drive;
};

static const struct fetch_engine engine;

static struct curl_fetch *of(struct fetch *f)
{
	return CONTAINER_OF(f, struct curl_fetch, base);
}

/* Lists. */

static void list_add(struct curl_fetch **list, struct curl_fetch *f)
{
	f->next = *list;
	f->prev = list;
	if (f->next)
		f->next->prev = &f->next;
	*list = f;
}

static void list_remove(struct curl_fetch *f)
{
	*f->prev = f->next;
	if (f->next)
		f->next->prev = f->prev;
}

static void todo_add(struct curl_fetch *f)
{
	struct fetch_curl_pool *p = f->pool;

	if (f->in_todo)
		return;
	f->in_todo = true;
	f->todo_next = NULL;
	*p->todo_end = f;
	p->todo_end = &f->todo_next;
	loop_defer(p->loop, &p->drive);
}

static struct curl_fetch *todo_take(struct fetch_curl_pool *p)
{
	struct curl_fetch *f = p->todo_first;

	if (!f)
		return NULL;
	p->todo_first = f->todo_next;
	if (!p->todo_first)
		p->todo_end = &p->todo_first;
	f->in_todo = false;
	return f;
}

/* Storage. */

static struct curl_fetch *fetch_new(struct fetch_curl_pool *p)
{
	struct curl_fetch *f = p->spare;

	if (f) {
		list_remove(f);
		p->spare_count--;
	} else {
		f = mem_zalloc(sizeof(*f));
		f->pool = p;
		f->easy = curl_easy_init();
		assert(f->easy);
		curl_easy_setopt(f->easy, CURLOPT_SHARE, p->tls_sessions); /* survives a reset */
		fetch_head_init(&f->head);
		header_list_init(&f->headers);
		fetch_init(&f->base, &engine, p->loop);
	}
	list_add(&p->live, f);
	p->live_count++;
	return f;
}

static void fetch_destroy(struct curl_fetch *f)
{
	list_remove(f);
	curl_easy_cleanup(f->easy);
	fetch_head_fini(&f->head);
	header_list_fini(&f->headers);
	free(f);
}

/* The end of a fetch's life: it may be on no queue any more. */
static void fetch_recycle(struct curl_fetch *f)
{
	struct fetch_curl_pool *p = f->pool;

	assert(!f->in_todo && !f->in_curl);
	p->live_count--;
	if (p->spare_count >= SPARE_FETCHES) {
		fetch_destroy(f);
		return;
	}
	/* Forgets URL, headers and body, but neither connections nor TLS sessions. */
	curl_easy_reset(f->easy);
	fetch_head_reset(&f->head);
	list_remove(f);
	list_add(&p->spare, f);
	p->spare_count++;
	f->state = FETCH_SPARE;
}

static void detach(struct curl_fetch *f)
{
	fetch_stop_timers(&f->base);
	if (f->in_curl)
		curl_uv_remove(f->pool->curl, f->easy);
	f->in_curl = false;
}

/* The end. */

static int64_t connect_time_of(const struct curl_fetch *f)
{
	long connects = 0;
	curl_off_t tcp_us = 0;
	curl_off_t tls_us = 0;

	curl_easy_getinfo(f->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (connects == 0)
		return 0;
	curl_easy_getinfo(f->easy, CURLINFO_CONNECT_TIME_T, &tcp_us);
	curl_easy_getinfo(f->easy, CURLINFO_APPCONNECT_TIME_T, &tls_us);
	return tls_us ? tls_us : tcp_us;
}

static void finish(struct curl_fetch *f, CURLcode code)
{
	struct fetch_ending ending = {
		.easy = f->easy,
		.code = code,
		.head = &f->head,
		.body_bytes = f->body_bytes,
		.was_connected = f->base.sending,
		.curl_error = f->curl_error,
	};
	struct fetch_result result = {
		.outcome = f->has_fault ? f->fault : fetch_outcome_of(&ending),
		.status = fetch_status(&f->base),
		.message = f->has_fault ? f->fault_message
					: fetch_outcome_message(&ending, f->message),
		.connect_us = f->in_curl ? connect_time_of(f) : 0,
		.first_byte_us = f->base.first_byte_us,
	};

	detach(f);
	f->state = FETCH_DONE;
	if (!f->base.released)
		f->base.ops->on_done(&f->base, f->base.arg, &result);
	/* A queued resume is void now. */
	if (!f->in_todo)
		fetch_recycle(f);
}

static void set_fault(struct curl_fetch *f, enum fetch_outcome outcome, const char *message)
{
	if (f->has_fault)
		return;
	f->has_fault = true;
	f->fault = outcome;
	f->fault_message = message;
}

static void finish_with(struct curl_fetch *f, enum fetch_outcome outcome, const char *message)
{
	set_fault(f, outcome, message);
	finish(f, CURLE_OK);
}

/* libcurl's callbacks. */

static int on_prereq(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct curl_fetch *f = arg;

	(void)remote_ip;
	(void)local_ip;
	(void)remote_port;
	(void)local_port;
	if (f->state != FETCH_RUN)
		return CURL_PREREQFUNC_ABORT;
	fetch_begin_sending(&f->base);
	return CURL_PREREQFUNC_OK;
}

/* Only for bodies that take more than one write: the idle time counts from the last byte sent. */
static int on_progress(
	void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	struct curl_fetch *f = arg;

	(void)down_total;
	(void)down;
	(void)up_total;
	if (up != f->uploaded_bytes)
		fetch_touch(&f->base);
	f->uploaded_bytes = up;
	return 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
	struct curl_fetch *f = arg;
	size_t n = size * count;
	int what;

	if (f->state != FETCH_RUN)
		return 0;
	fetch_note_bytes(&f->base);
	what = fetch_head_add(&f->head, sv_make(bytes, n));
	if (what < 0) {
		set_fault(f, FETCH_PROTOCOL,
			what == -EMSGSIZE ? "the response head is too large"
					  : "the response head is not HTTP");
		return 0;
	}
	if (what == 1 && !f->base.released)
		f->base.ops->on_head(&f->base, f->base.arg);
	return f->state == FETCH_RUN ? n : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct curl_fetch *f = arg;
	size_t n = size * count;

	if (f->state != FETCH_RUN)
		return 0;
	if (f->base.paused) {
		f->held = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	fetch_touch(&f->base);
	if (!f->base.released)
		f->base.ops->on_data(&f->base, f->base.arg, sv_make(bytes, n));
	return f->state == FETCH_RUN ? n : 0;
}

/* A kept connection broke while the request went out, and libcurl gave up: it retries by itself
 * only when the break shows at reading. Once more on a new connection; nothing was answered and
 * the request was never complete. */
static bool restart(struct curl_fetch *f, CURLcode code)
{
	long connects = 1;

	if (code != CURLE_SEND_ERROR || f->was_restarted || f->has_fault || f->head.seen_bytes)
		return false;
	curl_easy_getinfo(f->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (connects || fetch_outcome_is_sent(f->easy, f->body_bytes))
		return false;
	f->was_restarted = true;
	fetch_end_sending(&f->base);
	curl_uv_remove(f->pool->curl, f->easy);
	f->in_curl = false;
	curl_easy_setopt(f->easy, CURLOPT_FRESH_CONNECT, 1L);
	f->state = FETCH_START;
	todo_add(f);
	return true;
}

static void on_curl_done(void *arg, CURL *easy, CURLcode code)
{
	struct curl_fetch *f = NULL;

	(void)arg;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&f);
	assert(f && f->in_curl);
	if (f->state == FETCH_CANCELLED)
		detach(f);
	else if (!restart(f, code))
		finish(f, code);
}

/* The todo queue. */

static void run_start(struct curl_fetch *f)
{
	if (f->has_fault) {
		finish(f, CURLE_OK);
		return;
	}
	f->state = FETCH_RUN;
	f->in_curl = true;
	if (curl_uv_add(f->pool->curl, f->easy) != CURLM_OK) {
		f->in_curl = false;
		finish_with(f, FETCH_CONNECT, "libcurl refused the request");
	}
}

static void run_resume(struct curl_fetch *f)
{
	CURLcode code;

	if (!f->held || f->base.paused)
		return;
	f->held = false;
	/* Hands the held bytes to on_body() at once. */
	code = curl_uv_unpause(f->pool->curl, f->easy);
	if (code != CURLE_OK && f->state == FETCH_RUN)
		finish(f, code);
}

static void on_drive(struct deferred *d)
{
	struct fetch_curl_pool *p = CONTAINER_OF(d, struct fetch_curl_pool, drive);
	struct curl_fetch *f;

	/* libcurl closes the oldest idle connection when there are more than this in all. */
	curl_uv_limit(p->curl, p->max_per_host, p->idle_connections + (long)p->live_count);
	while ((f = todo_take(p))) {
		switch (f->state) {
		case FETCH_START:
			run_start(f);
			break;
		case FETCH_RUN:
			run_resume(f);
			break;
		case FETCH_CANCELLED:
			detach(f);
			fetch_recycle(f);
			break;
		case FETCH_DONE:
			fetch_recycle(f);
			break;
		case FETCH_SPARE:
			assert(!"a spare fetch is never queued");
		}
	}
	curl_uv_run_due(p->curl);
}

/* Requests. */

static void set_fixed_options(struct curl_fetch *f)
{
	const struct fetch_curl_pool *p = f->pool;
	CURL *easy = f->easy;

	curl_uv_prepare(f->pool->curl, easy);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, f->curl_error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Or removing a handle would wait for its resolver thread. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
		p->http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_prereq);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, f);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
	if (p->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, p->ca_file);
	if (p->ca_file || p->has_ca_file_only)
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	if (p->proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, p->proxy);
	if (p->unix_socket)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, p->unix_socket);
	if (p->connect_to)
		curl_easy_setopt(easy, CURLOPT_CONNECT_TO, p->connect_to);
}

static void set_method(struct curl_fetch *f, const struct fetch_request *r)
{
	CURL *easy = f->easy;

	if (r->body.n || request_head_has_length(r->method)) {
		/* Borrowed, not copied; libcurl can read it again when it retries. */
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body.n ? r->body.p : "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
		if (strcmp(r->method, "POST") != 0)
			curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
	} else if (strcmp(r->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else if (strcmp(r->method, "GET") != 0) {
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
	}
	if (r->body.n > BIG_BODY_BYTES && r->idle_timeout_ms > 0) {
		curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl_easy_setopt(easy, CURLOPT_XFERINFODATA, f);
		curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	}
}

static void set_request(struct curl_fetch *f, const struct fetch_request *r)
{
	int64_t connect_ms = r->connect_timeout_ms ? r->connect_timeout_ms : DEFAULT_CONNECT_MS;

	set_fixed_options(f);
	set_method(f, r);
	curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(f->easy, CURLOPT_FRESH_CONNECT, (long)r->fresh_connection);
	if (curl_easy_setopt(f->easy, CURLOPT_URL, r->url) != CURLE_OK)
		set_fault(f, FETCH_CONNECT, "bad URL");
	if (header_list_build(&f->headers, r->headers, r->header_count))
		set_fault(f, FETCH_CONNECT, "a request header is malformed or too large");
	curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, header_list_head(&f->headers));
}

struct fetch *fetch_curl_start(struct fetch_curl_pool *p, const struct fetch_request *r,
	const struct fetch_ops *ops, void *arg)
{
	struct curl_fetch *f = fetch_new(p);

	fetch_begin(&f->base, r, ops, arg);
	f->state = FETCH_START;
	f->held = false;
	f->was_restarted = false;
	f->has_fault = false;
	f->body_bytes = r->body.n;
	f->uploaded_bytes = 0;
	f->curl_error[0] = '\0';
	set_request(f, r);
	todo_add(f);
	return &f->base;
}

/* The engine. */

static void cancel(struct fetch *base)
{
	struct curl_fetch *f = of(base);

	if (f->state != FETCH_START && f->state != FETCH_RUN)
		return;
	f->state = FETCH_CANCELLED;
	fetch_stop_timers(base);
	/* The body is not ours any more, so libcurl must not send on. Inside its callbacks, which
	 * then fail, nothing more can be done; else it forgets the transfer now. */
	if (!curl_uv_is_busy(f->pool->curl))
		detach(f);
	todo_add(f);
}

static bool release(struct fetch *base)
{
	const struct curl_fetch *f = of(base);

	return f->state == FETCH_RUN && fetch_outcome_is_sent(f->easy, f->body_bytes);
}

/* on_body() refuses what comes. */
static void pause_transfer(struct fetch *base)
{
	(void)base;
}

static void resume_transfer(struct fetch *base)
{
	struct curl_fetch *f = of(base);

	if (f->state == FETCH_RUN && f->held)
		todo_add(f);
}

static void fail(struct fetch *base, enum fetch_outcome outcome, const char *message)
{
	finish_with(of(base), outcome, message);
}

/* on_progress() tells. */
static bool has_moved(struct fetch *base)
{
	(void)base;
	return false;
}

static const struct http_header *get_head(
	const struct fetch *base, int *ret_status, size_t *ret_count)
{
	const struct curl_fetch *f = CONTAINER_OF(base, const struct curl_fetch, base);

	*ret_status = f->head.final ? f->head.status : 0;
	*ret_count = f->head.final ? f->head.header_count : 0;
	return f->head.headers;
}

static const struct fetch_engine engine = {
	.cancel = cancel,
	.release = release,
	.pause = pause_transfer,
	.resume = resume_transfer,
	.fail = fail,
	.has_moved = has_moved,
	.head = get_head,
};

/* The pool. */

struct fetch_curl_pool *fetch_curl_pool_new(struct loop *loop, const struct fetch_options *options)
{
	struct fetch_curl_pool *p = mem_zalloc(sizeof(*p));
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);

	assert(code == CURLE_OK);
	(void)code;
	p->loop = loop;
	p->curl = curl_uv_new(loop, on_curl_done, p);
	p->tls_sessions = curl_share_init();
	assert(p->tls_sessions);
	curl_share_setopt(p->tls_sessions, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	p->max_per_host = options->max_connections_per_host;
	p->idle_connections =
		options->idle_connections ? options->idle_connections : DEFAULT_IDLE_CONNECTIONS;
	p->http2 = options->http2;
	p->has_ca_file_only = curl_version_info(CURLVERSION_NOW)->cainfo != NULL;
	p->ca_file = mem_strdup(options->ca_file);
	p->proxy = mem_strdup(options->proxy);
	p->unix_socket = mem_strdup(options->unix_socket);
	if (options->connect_to)
		p->connect_to = curl_slist_append(NULL, options->connect_to);
	p->todo_end = &p->todo_first;
	p->drive.fn = on_drive;
	return p;
}

void fetch_curl_pool_free(struct fetch_curl_pool *p)
{
	if (!p)
		return;
	while (todo_take(p))
		;
	while (p->live) {
		detach(p->live);
		fetch_destroy(p->live);
	}
	while (p->spare)
		fetch_destroy(p->spare);
	loop_undefer(&p->drive);
	curl_uv_free(p->curl);
	curl_share_cleanup(p->tls_sessions);
	curl_global_cleanup();
	free(p->ca_file);
	free(p->proxy);
	free(p->unix_socket);
	curl_slist_free_all(p->connect_to);
	free(p);
}
