#include "io/conn.h"

#include "base/limits.h"
#include "io/conn_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	PIECES = 8,	    /* of the queue, in one system call */
	COPY_BYTES = 16384, /* smaller buffers are copied rather than queued themselves */
	FIRST_BYTES = 1024, /* of a fresh output buffer */
	/* Handed to libuv at a time when the kernel is full: progress is told between them. */
	FLYING_BYTES = 128 * 1024,
};

static void flush(struct conn *c);

static struct conn *conn_of(uv_stream_t *stream)
{
	return CONTAINER_OF(stream, struct conn, uv.stream);
}

/* One piece of memory serves all connections whose owners name no place: bytes are borrowed for the
 * call only. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct conn *c = conn_of((uv_stream_t *)handle);
	size_t n = 0;
	char *room = NULL;

	(void)suggested;
	if (c->state == CONN_OPEN && !c->tls && c->ops->on_room)
		room = c->ops->on_room(c, &n);
	if (!room) {
		n = LIMIT_READ_CHUNK_BYTES;
		room = loop_scratch(c->loop, LOOP_SCRATCH_READ, n);
	}
	*ret = uv_buf_init(room, (unsigned)n);
}

static void on_uv_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	struct conn *c = conn_of(stream);

	if (c->state != CONN_OPEN || n == 0)
		return;
	if (n > 0 && c->tls)
		conn_tls_feed(c, sv_make(bytes->base, (size_t)n));
	else if (n > 0)
		c->ops->on_read(c, sv_make(bytes->base, (size_t)n));
	else if (n == UV_EOF && c->tls)
		conn_tls_end(c);
	else if (n == UV_EOF && c->ops->on_eof)
		c->ops->on_eof(c);
	else
		conn_close_now(c, CONN_END_PEER);
}

void conn_raw_read_start(struct conn *c)
{
	uv_read_start(&c->uv.stream, on_alloc, on_uv_read);
}

void conn_raw_read_stop(struct conn *c)
{
	uv_read_stop(&c->uv.stream);
}

void conn_read_start(struct conn *c)
{
	if (c->state != CONN_OPEN)
		return;
	if (c->tls)
		conn_tls_read_start(c);
	else
		conn_raw_read_start(c);
}

void conn_read_stop(struct conn *c)
{
	if (c->state != CONN_OPEN)
		return;
	if (c->tls)
		conn_tls_read_stop(c);
	else
		conn_raw_read_stop(c);
}

void conn_hold_loop(struct conn *c, bool holds)
{
	if (holds)
		uv_ref(&c->uv.handle);
	else
		uv_unref(&c->uv.handle);
}

/* The write queue. */

static struct piece *new_piece(struct conn *c)
{
	struct piece *piece = mem_zalloc(sizeof(*piece));

	*c->pieces_end = piece;
	c->pieces_end = &piece->next;
	return piece;
}

static void add_piece(struct conn *c, struct buf *b)
{
	buf_move(b, &new_piece(c)->bytes);
}

static void drop_piece(struct conn *c)
{
	struct piece *piece = c->pieces;

	c->pieces = piece->next;
	if (!c->pieces)
		c->pieces_end = &c->pieces;
	if (!piece->is_borrowed)
		buf_fini(&piece->bytes);
	free(piece);
}

static void drop_queue(struct conn *c)
{
	while (c->pieces)
		drop_piece(c);
	buf_fini(&c->out);
	c->queued = 0;
}

void conn_queue_take(struct conn *c, size_t n)
{
	assert(n <= c->queued);
	c->queued -= n;
	while (c->pieces) {
		struct piece *piece = c->pieces;
		size_t left = piece->bytes.len - piece->sent;

		if (n < left) {
			piece->sent += n;
			return;
		}
		n -= left;
		drop_piece(c);
	}
	if (n == c->out.len) {
		/* Not kept: an idle connection holds no buffer. */
		buf_fini(&c->out);
	} else if (n) {
		struct piece *piece;

		add_piece(c, &c->out);
		piece = c->pieces;
		piece->sent = n;
	}
}

/* The kernel took n bytes from the front. */
static void take_sent(struct conn *c, size_t n)
{
	c->sent_bytes += n;
	conn_queue_take(c, n);
}

struct sv conn_queue_front(struct conn *c, char *scratch, size_t most)
{
	size_t used = 0;

	for (struct piece *p = c->pieces; p && used < most; p = p->next) {
		size_t n = p->bytes.len - p->sent;

		if (n > most - used)
			n = most - used;
		if (p == c->pieces && (n == most || n == c->queued))
			return sv_make(p->bytes.data + p->sent, n);
		memcpy(scratch + used, p->bytes.data + p->sent, n);
		used += n;
	}
	if (used < most && c->out.len) {
		size_t n = c->out.len < most - used ? c->out.len : most - used;

		if (!used)
			return sv_make(c->out.data, n);
		memcpy(scratch + used, c->out.data, n);
		used += n;
	}
	return sv_make(scratch, used);
}

static unsigned front_of_queue(
	struct conn *c, size_t most_bytes, uv_buf_t vec[PIECES], size_t *ret_bytes)
{
	unsigned count = 0;
	size_t bytes = 0;

	for (struct piece *p = c->pieces; p && count < PIECES && bytes < most_bytes; p = p->next) {
		size_t n = p->bytes.len - p->sent;

		if (n > most_bytes - bytes)
			n = most_bytes - bytes;
		vec[count++] = uv_buf_init(p->bytes.data + p->sent, (unsigned)n);
		bytes += n;
	}
	if (c->out.len && count < PIECES && bytes < most_bytes) {
		vec[count++] = uv_buf_init(c->out.data, (unsigned)c->out.len);
		bytes += c->out.len;
	}
	*ret_bytes = bytes;
	return count;
}

/* What was written and has not reached the kernel; of what flies, all. */
static size_t backlog(const struct conn *c)
{
	return c->queued + (c->tls ? conn_tls_pending(c) : 0);
}

static void note_drained(struct conn *c)
{
	if (!c->congested || backlog(c) >= LIMIT_WRITE_LOW_BYTES)
		return;
	c->congested = false;
	if (c->state == CONN_OPEN && c->ops->on_drain)
		c->ops->on_drain(c);
}

/* libuv knows how much of the flying part is still to go. */
static size_t flown(const struct conn *c)
{
	return c->writing ? c->flying - c->uv.stream.write_queue_size : 0;
}

static void on_stall(struct timer *t)
{
	struct conn *c = CONTAINER_OF(t, struct conn, stall);
	uint64_t progress = c->sent_bytes + flown(c);

	if (progress == c->stall_at) {
		conn_close_now(c, CONN_END_TIMEOUT);
		return;
	}
	c->stall_at = progress;
	timer_start(t, LIMIT_WRITE_STALL_MS);
}

static void on_queue_empty(struct conn *c)
{
	timer_stop(&c->stall);
	buf_fini(&c->out);
	if (c->shutting && !c->shut && c->tls && !conn_tls_say_end(c))
		return;
	if (c->state == CONN_FINISHING) {
		conn_close_now(c, c->why);
	} else if (c->shutting && !c->shut) {
		c->shut = true;
		/* Fails when the peer reset the connection, which reading tells. */
		uv_shutdown(&c->shutdown_request, &c->uv.stream, NULL);
	}
}

static void on_written(uv_write_t *request, int status)
{
	struct conn *c = CONTAINER_OF(request, struct conn, write_request);
	size_t flying = c->flying;

	c->writing = false;
	c->flying = 0;
	if (c->state == CONN_CLOSING)
		return;
	if (status < 0) {
		conn_close_now(c, CONN_END_PEER);
		return;
	}
	if (c->tls) {
		c->sent_bytes += flying;
		conn_tls_written(c);
	} else {
		take_sent(c, flying);
	}
	flush(c);
}

bool conn_raw_write(struct conn *c, const uv_buf_t *vec, unsigned count, size_t bytes)
{
	int err = uv_write(&c->write_request, &c->uv.stream, vec, count, on_written);

	if (err) {
		conn_close_now(c, CONN_END_PEER);
		return false;
	}
	c->writing = true;
	c->flying = bytes;
	if (!timer_is_active(&c->stall)) {
		c->stall_at = c->sent_bytes;
		timer_start(&c->stall, LIMIT_WRITE_STALL_MS);
	}
	return true;
}

/* What the kernel did not take at once waits in libuv; its bytes stay where they are meanwhile. */
static void write_later(struct conn *c)
{
	uv_buf_t vec[PIECES];
	unsigned count;
	size_t bytes;

	if (c->out.len)
		add_piece(c, &c->out);
	count = front_of_queue(c, FLYING_BYTES, vec, &bytes);
	(void)conn_raw_write(c, vec, count, bytes);
}

static void flush_plain(struct conn *c)
{
	uv_buf_t vec[PIECES];
	size_t offered, sent = 0;
	int n;

	while (c->queued) {
		unsigned count = front_of_queue(c, SIZE_MAX, vec, &offered);

		n = uv_try_write(&c->uv.stream, vec, count);
		if (n < 0 && n != UV_EAGAIN) {
			conn_close_now(c, CONN_END_PEER);
			return;
		}
		sent = n > 0 ? (size_t)n : 0;
		take_sent(c, sent);
		if (sent < offered) {
			write_later(c);
			break;
		}
	}
}

static void flush(struct conn *c)
{
	if (c->writing || c->state == CONN_CLOSING)
		return;
	if (c->tls)
		conn_tls_flush(c);
	else
		flush_plain(c);
	if (c->state != CONN_CLOSING && !c->writing && backlog(c) == 0)
		on_queue_empty(c);
	note_drained(c);
}

static void on_flush(struct deferred *d)
{
	flush(CONTAINER_OF(d, struct conn, flush));
}

static bool is_writable(const struct conn *c)
{
	return c->state == CONN_OPEN && !c->shutting;
}

struct buf *conn_write_begin(struct conn *c)
{
	c->queued -= c->out.len;
	if (!c->out.data)
		buf_reserve(&c->out, FIRST_BYTES);
	return &c->out;
}

void conn_write_commit(struct conn *c)
{
	if (!is_writable(c)) {
		/* FINISHING and shutting may still hold bytes from before; these went to pieces. */
		buf_fini(&c->out);
		return;
	}
	c->queued += c->out.len;
	if (buf_error(&c->out) || c->queued > LIMIT_WRITE_QUEUE_BYTES) {
		conn_close_now(c, CONN_END_LIMIT);
		return;
	}
	if (backlog(c) > LIMIT_WRITE_HIGH_BYTES)
		c->congested = true;
	if (!c->writing)
		loop_defer(c->loop, &c->flush);
}

void conn_write(struct conn *c, struct sv bytes)
{
	buf_add_sv(conn_write_begin(c), bytes);
	conn_write_commit(c);
}

void conn_write_buf(struct conn *c, struct buf *b)
{
	if (b->len <= COPY_BYTES || !is_writable(c)) {
		conn_write(c, buf_sv(b));
		buf_fini(b);
		return;
	}
	if (c->out.len)
		add_piece(c, &c->out);
	c->queued += b->len;
	add_piece(c, b);
	conn_write_begin(c);
	conn_write_commit(c);
}

void conn_write_borrowed(struct conn *c, struct sv bytes)
{
	struct piece *piece;

	if (bytes.n <= COPY_BYTES || !is_writable(c)) {
		conn_write(c, bytes);
		return;
	}
	if (c->out.len)
		add_piece(c, &c->out);
	piece = new_piece(c);
	piece->is_borrowed = true;
	/* Only ever read. */
	piece->bytes = (struct buf){.data = (char *)(uintptr_t)bytes.p,
		.len = bytes.n,
		.size = bytes.n,
		.cap = bytes.n};
	c->queued += bytes.n;
	if (backlog(c) > LIMIT_WRITE_HIGH_BYTES)
		c->congested = true;
	if (!c->writing)
		loop_defer(c->loop, &c->flush);
}

size_t conn_queued_bytes(const struct conn *c)
{
	return backlog(c) - flown(c);
}

bool conn_was_flushed(const struct conn *c)
{
	return c->was_flushed;
}

bool conn_is_congested(const struct conn *c)
{
	return c->congested;
}

/* Life. */

static void stop_writing_more(struct conn *c)
{
	/* The queue is frozen: conn_write_commit() may drop what comes later. */
	if (c->out.len)
		add_piece(c, &c->out);
	c->shutting = true;
	if (!c->writing)
		loop_defer(c->loop, &c->flush);
}

void conn_shutdown_after_write(struct conn *c)
{
	if (is_writable(c))
		stop_writing_more(c);
}

void conn_close_after_write(struct conn *c, enum conn_end why)
{
	if (c->state != CONN_OPEN)
		return;
	conn_read_stop(c);
	c->state = CONN_FINISHING;
	c->why = why;
	stop_writing_more(c);
}

static void on_uv_closed(uv_handle_t *handle)
{
	struct conn *c = CONTAINER_OF(handle, struct conn, uv.handle);
	struct accept_group *group = c->group;

	drop_queue(c);
	if (c->tls)
		conn_tls_free(c);
	c->ops->on_closed(c, c->why);
	free(c);
	if (group)
		accept_group_leave(group);
}

static bool begin_closing(struct conn *c, enum conn_end why)
{
	if (c->state == CONN_CLOSING)
		return false;
	c->was_flushed = conn_queued_bytes(c) == 0;
	if (c->tls)
		conn_tls_closing(c);
	c->state = CONN_CLOSING;
	c->why = why;
	timer_stop(&c->stall);
	loop_undefer(&c->flush);
	if (!c->writing)
		drop_queue(c);
	return true;
}

void conn_close_now(struct conn *c, enum conn_end why)
{
	if (begin_closing(c, why))
		uv_close(&c->uv.handle, on_uv_closed);
}

void conn_reset(struct conn *c, enum conn_end why)
{
	if (!begin_closing(c, why))
		return;
	/* Unix sockets know no RST. Else fails only when a FIN was asked for already. */
	if (c->uv.handle.type != UV_TCP || uv_tcp_close_reset(&c->uv.tcp, on_uv_closed))
		uv_close(&c->uv.handle, on_uv_closed);
}

static void note_peer(struct conn *c)
{
	struct sockaddr_storage address;
	int n = sizeof(address);

	if (c->uv.handle.type != UV_TCP)
		snprintf(c->peer, sizeof(c->peer), "unix");
	else if (uv_tcp_getpeername(&c->uv.tcp, (struct sockaddr *)&address, &n) == 0)
		accept_format_address(&address, c->peer);
}

/* With a handle that has no descriptor yet. */
static int conn_new(struct loop *loop, bool is_pipe, struct conn **ret)
{
	struct conn *c = mem_zalloc(sizeof(*c));
	int err = is_pipe ? uv_pipe_init(loop_uv(loop), &c->uv.pipe, 0)
			  : uv_tcp_init(loop_uv(loop), &c->uv.tcp);

	if (err) {
		free(c);
		return err;
	}
	c->loop = loop;
	c->flush.fn = on_flush;
	c->pieces_end = &c->pieces;
	timer_init(&c->stall, loop, on_stall);
	buf_init(&c->out, LIMIT_WRITE_QUEUE_BYTES);
	*ret = c;
	return 0;
}

int conn_accept(struct loop *loop, struct uv_stream_s *server, const struct accept_how *how,
	struct conn **ret)
{
	struct conn *c = NULL;
	int err = conn_new(loop, how->is_pipe, &c);

	if (err)
		return err;
	c->group = how->group;
	/* Cannot fail: the listener holds an accepted descriptor. */
	err = uv_accept(server, &c->uv.stream);
	assert(err == 0);
	note_peer(c);
	if (how->tls)
		conn_tls_new(c, how->tls);
	*ret = c;
	return 0;
}

int conn_adopt(struct loop *loop, int fd, struct conn **ret)
{
	struct conn *c = NULL;
	int err = conn_new(loop, false, &c);

	if (err)
		return err;
	conn_disown(c);
	err = uv_tcp_open(&c->uv.tcp, fd);
	if (err) {
		conn_close_now(c, CONN_END_ERROR);
		return err;
	}
	note_peer(c);
	*ret = c;
	return 0;
}

static void on_disowned_closed(struct conn *c, enum conn_end why)
{
	(void)c;
	(void)why;
}

void conn_disown(struct conn *c)
{
	static const struct conn_ops nobody = {.on_closed = on_disowned_closed};

	conn_set_owner(c, &nobody, NULL);
}

void conn_set_owner(struct conn *c, const struct conn_ops *ops, void *owner)
{
	c->ops = ops;
	c->owner = owner;
}

void *conn_owner(const struct conn *c)
{
	return c->owner;
}

struct loop *conn_loop(const struct conn *c)
{
	return c->loop;
}

const char *conn_peer(const struct conn *c)
{
	return c->peer;
}
