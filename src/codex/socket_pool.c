#include "codex/socket_pool.h"

#include "base/limits.h"
#include "base/log.h"
#include "codex/refusal.h"
#include "dialect/event.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	PING_MS = 30 * 1000,
	SWEEP_MS = 15 * 1000,
	IDLE_MS = 10 * 60 * 1000,
	LIFE_MS = 55 * 60 * 1000, /* upstream ends them after 60 minutes (PROTOCOL 7) */
	REFUSED_MS = 10 * 60 * 1000,
	TROUBLE_MS = 60 * 1000, /* the host is in trouble; that says nothing of sockets */
	HOST_BYTES = 280,
	HOSTS_MAX = 64,
	SLOT_SOCKETS_MAX = 64,
	SOCKETS_MAX = 1024,
	STRIKES_MAX = 3,
	ASIDES_MAX = 1000, /* messages between two turns */
};

#define ASIDES_BYTES MIB(1)

/* Scheme, name and port: what takes upgrades or does not. */
struct host {
	char name[HOST_BYTES];
	int64_t refused_until_ms;
	bool proved; /* it has taken one */
	unsigned dialing;
	unsigned strikes; /* turns in a row that its sockets broke */
	int64_t struck_ms;
};

struct ws_socket {
	struct ws_socket *next, **prev;
	struct socket_pool *pool;
	struct host *host;
	char slot[LIMIT_SLOT_ID_BYTES];
	char grant[IDENT_HEX_SIZE];
	char session[LIMIT_SESSION_KEY_BYTES + 1];
	struct ws_open *opening;
	struct ws_conn *conn;
	const struct ws_socket_ops *ops; /* NULL: idle */
	void *user;
	int64_t opened_ms, begun_ms, idle_since_ms;
	unsigned turns;	 /* that were given back */
	bool unwanted;	 /* to be closed when the turn is over */
	bool heard;	 /* something came in this turn */
	unsigned asides; /* since the last turn */
	size_t aside_bytes;
	struct ws_frame_memory memory;
};

struct socket_pool {
	struct loop *loop;
	struct dialer *dialer;
	struct ws_socket *sockets;
	size_t count;
	struct timer sweep;
	struct host hosts[HOSTS_MAX];
	size_t host_count;
};

static void forget(struct ws_socket *s)
{
	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->pool->count--;
	if (!s->pool->count)
		timer_stop(&s->pool->sweep);
	free(s);
}

static void close_socket(struct ws_socket *s)
{
	if (s->opening) {
		ws_open_cancel(s->opening);
		s->host->dialing--;
	}
	if (s->conn)
		ws_conn_close(s->conn, WS_CLOSE_NORMAL, "");
	forget(s);
}

static bool is_old(const struct ws_socket *s)
{
	int64_t now = loop_now_ms(s->pool->loop);

	return now - s->opened_ms >= LIFE_MS || (!s->ops && now - s->idle_since_ms >= IDLE_MS);
}

static void on_sweep(struct timer *t)
{
	struct socket_pool *p = CONTAINER_OF(t, struct socket_pool, sweep);

	timer_start(t, SWEEP_MS);
	for (struct ws_socket *s = p->sockets, *next; s; s = next) {
		next = s->next;
		if (!s->ops && is_old(s))
			close_socket(s);
	}
}

struct socket_pool *socket_pool_new(struct loop *loop, struct dialer *dialer)
{
	struct socket_pool *p = mem_zalloc(sizeof(*p));

	p->loop = loop;
	p->dialer = dialer;
	timer_init(&p->sweep, loop, on_sweep);
	return p;
}

static void dismiss(struct ws_socket *s)
{
	if (s->ops)
		s->unwanted = true;
	else
		close_socket(s);
}

void socket_pool_dismiss_all(struct socket_pool *p)
{
	for (struct ws_socket *s = p->sockets, *next; s; s = next) {
		next = s->next;
		dismiss(s);
	}
}

void socket_pool_free(struct socket_pool *p)
{
	if (!p)
		return;
	socket_pool_dismiss_all(p);
	assert(!p->sockets);
	timer_stop(&p->sweep);
	free(p);
}

void socket_pool_keep(struct socket_pool *p,
	bool (*is_wanted)(void *arg, struct sv slot, struct sv grant), void *arg)
{
	for (struct ws_socket *s = p->sockets, *next; s; s = next) {
		next = s->next;
		if (!is_wanted(arg, sv_cstr(s->slot), sv_cstr(s->grant)))
			dismiss(s);
	}
}

void socket_pool_forget_failures(struct socket_pool *p)
{
	for (size_t i = 0; i < p->host_count; i++) {
		p->hosts[i].refused_until_ms = 0;
		p->hosts[i].strikes = 0;
	}
}

struct socket_counts socket_pool_counts(const struct socket_pool *p)
{
	struct socket_counts counts = {0};

	for (const struct ws_socket *s = p->sockets; s; s = s->next) {
		if (s->opening)
			counts.dialing++;
		else if (s->ops)
			counts.busy++;
		else
			counts.idle++;
	}
	return counts;
}

bool socket_pool_host(const struct socket_pool *p, size_t index, struct socket_host *ret)
{
	const struct host *h;
	int64_t left_ms;

	if (index >= p->host_count)
		return false;
	h = &p->hosts[index];
	left_ms = h->refused_until_ms - loop_now_ms(p->loop);
	*ret = (struct socket_host){
		.name = sv_cstr(h->name),
		.takes_sockets = h->proved,
		.http_for_ms = left_ms > 0 ? left_ms : 0,
	};
	return true;
}

/* --- hosts --- */

static struct sv host_name(const char *url)
{
	struct sv text = sv_cstr(url);
	ptrdiff_t scheme = sv_find(text, SV("://"));
	size_t at = scheme < 0 ? 0 : (size_t)scheme + 3;

	while (at < text.n && text.p[at] != '/' && text.p[at] != '?')
		at++;
	return sv_make(text.p, at);
}

static struct host *host_of(struct socket_pool *p, const char *url)
{
	struct sv name = host_name(url);
	struct host *h;

	for (size_t i = 0; i < p->host_count; i++) {
		if (sv_ieq(sv_cstr(p->hosts[i].name), name))
			return &p->hosts[i];
	}
	if (p->host_count == HOSTS_MAX || name.n >= HOST_BYTES)
		return NULL;
	h = &p->hosts[p->host_count++];
	sv_cut(name, h->name, sizeof(h->name));
	return h;
}

/* A page, or a 403 that says nothing, is of what stands in front of upstream. */
bool socket_pool_is_of_account(const struct ws_open_result *r)
{
	struct refusal said;

	refusal_read_body(r->body, r->status, &said);
	if (said.page)
		return false;
	if (r->status == 403)
		return said.json && (said.code[0] || said.type[0] || said.message[0]);
	return r->status == 401 || r->status == 402 || r->status == 429;
}

static void give_up(
	struct socket_pool *p, struct host *h, int64_t pause_ms, int status, const char *reason)
{
	int64_t now_ms = loop_now_ms(p->loop);
	bool known = now_ms < h->refused_until_ms;

	h->proved = false;
	h->refused_until_ms = now_ms + pause_ms;
	if (known)
		return;
	log_begin(LOG_WARN, "upstream.websocket");
	log_str("host", host_name(h->name));
	log_i64("status", status);
	log_str("reason", sv_cstr(reason));
	log_i64("http_for_s", pause_ms / 1000);
	log_end();
}

static void note_refusal(struct socket_pool *p, struct host *h, const struct ws_open_result *r)
{
	bool trouble = r->status >= 500 || r->outcome == FETCH_CONNECT;

	if (!socket_pool_is_of_account(r))
		give_up(p, h, trouble ? TROUBLE_MS : REFUSED_MS, r->status, r->message);
}

/*
 * A socket that was closed while nobody used it, before its end was seen, is nothing to wonder at.
 * Turns that ran side by side break together: that is one strike.
 */
static void strike(struct ws_socket *s)
{
	struct host *h = s->host;

	if ((s->turns && !s->heard) || s->begun_ms < h->struck_ms)
		return;
	h->struck_ms = loop_now_ms(s->pool->loop);
	if (++h->strikes >= STRIKES_MAX)
		give_up(s->pool, h, REFUSED_MS, 0, "turns on its WebSockets come to nothing");
}

/* --- sockets --- */

/* Upstream has something to add when a turn is over. */
static bool may_ignore(struct ws_socket *s, struct sv text)
{
	struct event ev;

	s->aside_bytes += text.n;
	return ++s->asides <= ASIDES_MAX && s->aside_bytes <= ASIDES_BYTES &&
	       event_parse(text, SV_NONE, &ev) == 0 && event_is_aside(&ev);
}

static void on_message(void *user, struct buf *text)
{
	struct ws_socket *s = user;

	if (s->ops) {
		s->heard = true;
		s->ops->on_message(s->user, text);
	} else if (!may_ignore(s, buf_sv(text))) {
		close_socket(s);
	}
}

static void on_drain(void *user)
{
	(void)user;
}

static void on_stopping(void *user)
{
	(void)user;
}

static void on_gone(void *user, int code, const char *why)
{
	struct ws_socket *s = user;
	const struct ws_socket_ops *ops = s->ops;

	user = s->user;
	/* A message of ours that is too large for it is no fault of the host. */
	if (ops && code != WS_CLOSE_TOO_BIG)
		strike(s);
	forget(s);
	if (ops)
		ops->on_gone(user, code, why);
}

static const struct ws_conn_ops conn_ops = {on_message, on_drain, on_stopping, on_gone};

static void on_open(void *arg, const struct ws_open_result *result)
{
	struct ws_socket *s = arg;
	const struct ws_socket_ops *ops = s->ops;
	void *user = s->user;

	s->opening = NULL;
	s->host->dialing--;
	s->conn = result->conn;
	s->idle_since_ms = loop_now_ms(s->pool->loop);
	if (s->conn) {
		s->host->proved = true;
		s->opened_ms = loop_now_ms(s->pool->loop);
		ws_conn_set_user(s->conn, &conn_ops, s);
	} else {
		note_refusal(s->pool, s->host, result);
		forget(s);
	}
	if (ops)
		ops->on_open(user, result);
}

static bool fits(const struct ws_socket *s, const struct socket_key *key, const struct host *h)
{
	return s->host == h && sv_eq(sv_cstr(s->slot), key->slot) &&
	       sv_eq(sv_cstr(s->session), key->session);
}

struct ws_socket *socket_pool_take(struct socket_pool *p, const struct socket_key *key,
	const struct ws_socket_ops *ops, void *user)
{
	struct host *h = host_of(p, key->url);

	for (struct ws_socket *s = p->sockets, *next; s; s = next) {
		next = s->next;
		if (s->ops || s->opening || !fits(s, key, h))
			continue;
		if (is_old(s) || !sv_eq(sv_cstr(s->grant), key->grant)) {
			close_socket(s);
			continue;
		}
		s->ops = ops;
		s->user = user;
		s->heard = false;
		s->begun_ms = loop_now_ms(p->loop);
		return s;
	}
	return NULL;
}

/* Closes the one that has been idle for longest, of this slot or of all. */
static bool make_room(struct socket_pool *p, struct sv slot)
{
	struct ws_socket *oldest = NULL;

	for (struct ws_socket *s = p->sockets; s; s = s->next) {
		if (s->ops || (slot.n && !sv_eq(sv_cstr(s->slot), slot)))
			continue;
		if (!oldest || s->idle_since_ms < oldest->idle_since_ms)
			oldest = s;
	}
	if (oldest)
		close_socket(oldest);
	return oldest != NULL;
}

static bool has_room(struct socket_pool *p, struct sv slot)
{
	size_t of_slot = 0;

	for (const struct ws_socket *s = p->sockets; s; s = s->next)
		of_slot += sv_eq(sv_cstr(s->slot), slot);
	if (of_slot >= SLOT_SOCKETS_MAX)
		return make_room(p, slot);
	return p->count < SOCKETS_MAX || make_room(p, SV_NONE);
}

static bool may_dial(struct socket_pool *p, const struct host *h, const struct socket_key *key)
{
	return h && loop_now_ms(p->loop) >= h->refused_until_ms && (h->proved || !h->dialing) &&
	       key->session.n > 0 && key->session.n <= LIMIT_SESSION_KEY_BYTES &&
	       dialer_reaches(p->dialer, key->url) && has_room(p, key->slot);
}

struct ws_socket *socket_pool_dial(struct socket_pool *p, const struct socket_key *key,
	const struct http_header *headers, size_t count, int64_t timeout_ms,
	const struct ws_socket_ops *ops, void *user)
{
	struct host *h = host_of(p, key->url);
	const struct ws_open_request request = {
		.url = key->url,
		.headers = headers,
		.header_count = count,
		.timeout_ms = timeout_ms,
		.max_message_bytes = LIMIT_EVENT_BYTES,
		.ping_ms = PING_MS,
	};
	struct ws_socket *s;

	if (!may_dial(p, h, key))
		return NULL;
	s = mem_zalloc(sizeof(*s));
	s->pool = p;
	s->host = h;
	s->ops = ops;
	s->user = user;
	sv_cut(key->slot, s->slot, sizeof(s->slot));
	sv_cut(key->grant, s->grant, sizeof(s->grant));
	sv_cut(key->session, s->session, sizeof(s->session));
	s->opened_ms = s->begun_ms = loop_now_ms(p->loop);
	s->next = p->sockets;
	s->prev = &p->sockets;
	if (s->next)
		s->next->prev = &s->next;
	p->sockets = s;
	if (!p->count++)
		timer_start(&p->sweep, SWEEP_MS);
	h->dialing++;
	s->opening = ws_open_start(p->dialer, &request, on_open, s);
	return s;
}

void ws_socket_send(struct ws_socket *s, struct sv text)
{
	ws_conn_send(s->conn, text);
}

void ws_socket_pause(struct ws_socket *s)
{
	if (s->conn)
		ws_conn_pause(s->conn);
}

void ws_socket_resume(struct ws_socket *s)
{
	if (s->conn)
		ws_conn_resume(s->conn);
}

void ws_socket_answered(struct ws_socket *s)
{
	s->host->strikes = 0;
}

struct ws_frame_memory *ws_socket_memory(struct ws_socket *s)
{
	return &s->memory;
}

void ws_socket_give_back(struct ws_socket *s)
{
	s->ops = NULL;
	s->user = NULL;
	s->turns++;
	s->asides = 0;
	s->aside_bytes = 0;
	s->idle_since_ms = loop_now_ms(s->pool->loop);
	if (s->unwanted)
		close_socket(s);
}

void ws_socket_discard(struct ws_socket *s)
{
	if (!s->opening || s->unwanted) {
		close_socket(s);
		return;
	}
	s->ops = NULL;
	s->user = NULL;
	s->idle_since_ms = loop_now_ms(s->pool->loop);
}

void ws_socket_blame(struct ws_socket *s)
{
	strike(s);
	close_socket(s);
}
