#include "io/kept_conns.h"

#include "base/limits.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MAX_AGE_MS = 118 * 1000, /* idle; servers rarely keep one for more than two minutes */
	ORIGINS = 32,		 /* remembered; more only while they are used */
};

/* In two lists: of its origin, and of all. The youngest is the first of both. */
struct kept {
	struct conn *conn;
	struct origin *origin;
	struct kept *next, **prev;
	struct kept *younger, *older;
	int64_t since_ms;
};

struct origin {
	struct kept_conns *all;
	struct origin *next, **prev;
	bool tls;
	bool is_reached;
	uint16_t port;
	char *host;
	char *url;
	size_t users;
	size_t busy;
	struct kept *kept;
	size_t kept_count;
};

struct kept_conns {
	struct loop *loop;
	size_t most;
	bool (*reaches)(void *arg, const char *url);
	void *arg;
	struct origin *origins; /* the last one used is the first */
	size_t origin_count;
	struct kept *youngest, *oldest;
	struct kept *spare; /* by next */
	size_t count;
};

/* Kept connections. */

void kept_conns_close(struct conn *c)
{
	conn_disown(c);
	conn_close_now(c, CONN_END_LOCAL);
}

static void link_kept(struct kept *e)
{
	struct origin *o = e->origin;
	struct kept_conns *k = o->all;

	e->next = o->kept;
	e->prev = &o->kept;
	if (e->next)
		e->next->prev = &e->next;
	o->kept = e;
	o->kept_count++;
	e->younger = NULL;
	e->older = k->youngest;
	if (e->older)
		e->older->younger = e;
	else
		k->oldest = e;
	k->youngest = e;
	k->count++;
}

static void unlink_kept(struct kept *e)
{
	struct origin *o = e->origin;
	struct kept_conns *k = o->all;

	*e->prev = e->next;
	if (e->next)
		e->next->prev = e->prev;
	o->kept_count--;
	if (e->younger)
		e->younger->older = e->older;
	else
		k->youngest = e->older;
	if (e->older)
		e->older->younger = e->younger;
	else
		k->oldest = e->younger;
	k->count--;
}

/* Its storage waits for the next one: no more of it than connections at a time. */
static struct conn *forget(struct kept *e)
{
	struct kept_conns *k = e->origin->all;
	struct conn *c = e->conn;

	unlink_kept(e);
	e->next = k->spare;
	k->spare = e;
	return c;
}

static void drop(struct kept *e)
{
	kept_conns_close(forget(e));
}

/* Whatever it says is no answer: nothing was asked. */
static void on_read(struct conn *c, struct sv bytes)
{
	(void)bytes;
	drop(conn_owner(c));
}

static void on_eof(struct conn *c)
{
	drop(conn_owner(c));
}

static void on_closed(struct conn *c, enum conn_end why)
{
	(void)why;
	forget(conn_owner(c));
}

static struct kept *new_kept(struct kept_conns *k)
{
	struct kept *e = k->spare;

	if (!e)
		return mem_zalloc(sizeof(*e));
	k->spare = e->next;
	return e;
}

void origin_keep(struct origin *o, struct conn *c)
{
	static const struct conn_ops ops = {
		.on_read = on_read, .on_eof = on_eof, .on_closed = on_closed};
	struct kept_conns *k = o->all;
	struct kept *e = new_kept(k);

	*e = (struct kept){.conn = c, .origin = o, .since_ms = loop_now_ms(k->loop)};
	conn_set_owner(c, &ops, e);
	conn_read_start(c);
	conn_hold_loop(c, false);
	link_kept(e);
	if (k->count > k->most)
		drop(k->oldest);
}

static void drop_aged(struct kept_conns *k)
{
	while (k->oldest && loop_now_ms(k->loop) - k->oldest->since_ms > MAX_AGE_MS)
		drop(k->oldest);
}

struct conn *origin_take(struct origin *o)
{
	struct conn *c;

	drop_aged(o->all);
	if (!o->kept)
		return NULL;
	c = forget(o->kept);
	conn_hold_loop(c, true);
	return c;
}

bool origin_drop_oldest(struct origin *o)
{
	struct kept *e = o->kept;

	while (e && e->next)
		e = e->next;
	if (e)
		drop(e);
	return e != NULL;
}

size_t origin_kept_count(const struct origin *o)
{
	return o->kept_count;
}

size_t *origin_busy(struct origin *o)
{
	return &o->busy;
}

/* Origins. */

static void add_origin(struct kept_conns *k, struct origin *o)
{
	o->next = k->origins;
	o->prev = &k->origins;
	if (o->next)
		o->next->prev = &o->next;
	k->origins = o;
	k->origin_count++;
}

static void remove_origin(struct origin *o)
{
	*o->prev = o->next;
	if (o->next)
		o->next->prev = o->prev;
	o->all->origin_count--;
}

static void free_origin(struct origin *o)
{
	remove_origin(o);
	free(o->host);
	free(o->url);
	free(o);
}

static struct origin *new_origin(struct kept_conns *k, const struct url *parts)
{
	struct origin *o = mem_zalloc(sizeof(*o));
	bool is_v6 = memchr(parts->host.p, ':', parts->host.n) != NULL;
	struct buf url;

	o->all = k;
	o->tls = sv_eq(parts->scheme, SV("https"));
	o->port = parts->port;
	o->host = mem_strndup(parts->host.p, parts->host.n);
	buf_init(&url, KIB(1));
	buf_addf(&url, is_v6 ? "%.*s://[%s]" : "%.*s://%s", SV_ARG(parts->scheme), o->host);
	if (o->port != (o->tls ? 443 : 80))
		buf_addf(&url, ":%u", (unsigned)o->port);
	o->url = mem_strdup(buf_cstr(&url));
	buf_fini(&url);
	o->is_reached = k->reaches(k->arg, o->url);
	return o;
}

static void forget_unused(struct kept_conns *k)
{
	struct origin *next;

	for (struct origin *o = k->origins; o; o = next) {
		next = o->next;
		if (!o->users && !o->kept)
			free_origin(o);
	}
}

static bool is_of(const struct origin *o, const struct url *parts)
{
	return o->port == parts->port && o->tls == (parts->scheme.n == 5) &&
	       sv_ieq(sv_cstr(o->host), parts->host);
}

struct origin *kept_conns_origin(struct kept_conns *k, const struct url *parts)
{
	struct origin *o = k->origins;

	while (o && !is_of(o, parts))
		o = o->next;
	if (!o) {
		if (k->origin_count >= ORIGINS)
			forget_unused(k);
		o = new_origin(k, parts);
		add_origin(k, o);
	} else if (o != k->origins) {
		remove_origin(o);
		add_origin(k, o);
	}
	o->users++;
	return o;
}

void origin_unref(struct origin *o)
{
	assert(o->users);
	o->users--;
}

bool origin_is_reached(const struct origin *o)
{
	return o->is_reached;
}

const char *origin_url(const struct origin *o)
{
	return o->url;
}

struct sv origin_authority(const struct origin *o)
{
	return sv_from(sv_cstr(o->url), o->tls ? sizeof("https://") - 1 : sizeof("http://") - 1);
}

/* Life. */

struct kept_conns *kept_conns_new(
	struct loop *loop, size_t most, bool (*reaches)(void *arg, const char *url), void *arg)
{
	struct kept_conns *k = mem_zalloc(sizeof(*k));

	k->loop = loop;
	k->most = most;
	k->reaches = reaches;
	k->arg = arg;
	return k;
}

void kept_conns_free(struct kept_conns *k)
{
	if (!k)
		return;
	while (k->oldest)
		drop(k->oldest);
	while (k->origins)
		free_origin(k->origins);
	while (k->spare) {
		struct kept *e = k->spare;

		k->spare = e->next;
		free(e);
	}
	free(k);
}
