/*
 * One accepted byte stream (TCP). Owner: whoever received it in listener's on_accept; it dies by
 * conn_close_now() or conn_close_after_write(), after which no callback but on_closed comes; the
 * memory goes after on_closed. Writes are collected and go out once per loop turn in one system
 * call where possible; the queue is bounded by LIMIT_WRITE_QUEUE_BYTES.
 */
#ifndef IO_CONN_H
#define IO_CONN_H

#include "base/buf.h"
#include "io/loop.h"

enum conn_end {
	CONN_END_LOCAL,	  /* we closed it */
	CONN_END_PEER,	  /* peer closed or reset */
	CONN_END_TIMEOUT, /* a timer of ours: idle, header, write stall */
	CONN_END_LIMIT,	  /* a cap was hit */
	CONN_END_ERROR,	  /* protocol or system error */
};

struct conn;

struct conn_ops {
	/* Bytes came; borrowed for the call. */
	void (*on_read)(struct conn *c, struct sv bytes);
	/* Peer sent FIN (only once). Default owner behaviour: conn_close_now(c, CONN_END_PEER). */
	void (*on_eof)(struct conn *c);
	/* The write queue fell below LIMIT_WRITE_LOW_BYTES after it had been above the high mark.
	 */
	void (*on_drain)(struct conn *c);
	/* Last call: forget c. */
	void (*on_closed)(struct conn *c, enum conn_end why);
};

void conn_set_owner(struct conn *c, const struct conn_ops *ops, void *owner);
void *conn_owner(const struct conn *c);
struct loop *conn_loop(const struct conn *c);
/* "127.0.0.1:40123", owned by c. */
const char *conn_peer(const struct conn *c);

void conn_read_start(struct conn *c);
/* Stops reading; a peer that vanishes is then noticed only by writing. */
void conn_read_stop(struct conn *c);
/* Queues a copy. Ignored when closing. */
void conn_write(struct conn *c, struct sv bytes);
/* Queues the buffer itself (moved; b is empty afterwards): for big bodies. */
void conn_write_buf(struct conn *c, struct buf *b);
/* Buffer to append to directly; conn_write_commit() must follow in the same call. */
struct buf *conn_write_begin(struct conn *c);
void conn_write_commit(struct conn *c);
/* Bytes queued and not yet taken by the kernel. */
size_t conn_queued_bytes(const struct conn *c);
/* Above the high mark and not yet below the low one. */
bool conn_is_congested(const struct conn *c);
/* Reads no more, writes what is queued (bounded by the write-stall timer), shuts down, closes. */
void conn_close_after_write(struct conn *c, enum conn_end why);
/* Drops what is queued. */
void conn_close_now(struct conn *c, enum conn_end why);
/* The same, with a RST instead of a FIN where the system allows. */
void conn_reset(struct conn *c, enum conn_end why);
/* Writes what is queued, then sends FIN; reading goes on. Nothing can be written any more. */
void conn_shutdown_after_write(struct conn *c);

struct listener;
/*
 * Listens on "host:port" (port 0: any). reuse_port lets several processes share it. on_accept gets
 * a conn that reads nothing until conn_read_start(). Accepting pauses while max_connections are
 * open.
 */
int listener_new(struct loop *loop, const char *address, bool reuse_port, unsigned max_connections,
	void (*on_accept)(void *arg, struct conn *c), void *arg, struct listener **ret) MUST_CHECK;
/* Stops accepting and frees; accepted conns live on. */
void listener_free(struct listener *l);
/* "127.0.0.1:8787" with the real port. */
const char *listener_address(const struct listener *l);

#endif
