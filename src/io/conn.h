/*
 * One byte stream, accepted or dialed: TCP, TLS over TCP, or a Unix socket; its owner need not know
 * which. Owner: whoever received it from a listener or a dial; it dies by conn_close_now() or
 * conn_close_after_write(), after which no callback but on_closed comes; the memory goes after
 * on_closed. Writes are collected and go out once per loop turn in one system call where possible;
 * the queue is bounded by LIMIT_WRITE_QUEUE_BYTES.
 *
 * With TLS, on_read gets the bytes inside, the first ones after the handshake; on_eof means
 * close_notify (a FIN without one is a lost peer, RFC 8446 6.1); the ends that write what is queued
 * say close_notify, conn_close_now() does not, so that the peer knows that something is missing.
 * conn_queued_bytes() counts what is not sealed yet, and sealed bytes that the kernel has not
 * taken.
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
	CONN_END_CUT,	  /* a TLS server sent FIN without saying close_notify before it */
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
	/*
	 * Or NULL: where the next bytes should be put, which on_read then gets in their place;
	 * *ret_n how many at most. NULL: nowhere. Not asked with TLS.
	 */
	char *(*on_room)(struct conn *c, size_t *ret_n);
};

void conn_set_owner(struct conn *c, const struct conn_ops *ops, void *owner);
/* Nobody hears of it, until it gets an owner. It must not read. */
void conn_disown(struct conn *c);
void *conn_owner(const struct conn *c);
struct loop *conn_loop(const struct conn *c);
/* "127.0.0.1:40123", or "unix"; owned by c. */
const char *conn_peer(const struct conn *c);

void conn_read_start(struct conn *c);
/* Stops reading; a peer that vanishes is then noticed only by writing. */
void conn_read_stop(struct conn *c);
/* Whether it keeps loop_run() from returning, as it does at first. */
void conn_hold_loop(struct conn *c, bool holds);
/* Queues a copy. Ignored when closing. */
void conn_write(struct conn *c, struct sv bytes);
/* Queues the buffer itself (moved; b is empty afterwards): for big bodies. */
void conn_write_buf(struct conn *c, struct buf *b);
/* Queues the bytes where they are, whatever the bound of the queue, or a copy when they are few:
 * they must stay until nothing is queued, or until a conn_close_now(). */
void conn_write_borrowed(struct conn *c, struct sv bytes);
/* Buffer to append to directly; conn_write_commit() must follow in the same call. */
struct buf *conn_write_begin(struct conn *c);
void conn_write_commit(struct conn *c);
/* Bytes queued and not yet taken by the kernel. */
size_t conn_queued_bytes(const struct conn *c);
/* Of one that is closing: had all that was written reached the kernel? */
bool conn_was_flushed(const struct conn *c);
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
struct tls_server;

/* How many connections several listeners may have accepted together. Counted: the listeners and
 * their connections hold it, too. */
struct accept_group;
struct accept_group *accept_group_new(unsigned most);
void accept_group_unref(struct accept_group *group);

struct listener_options {
	const char *address;	    /* see url_parse_listener(); port 0: any */
	bool reuse_port;	    /* several processes share it; not of Unix sockets */
	struct accept_group *group; /* accepting pauses while it is full */
	struct tls_server *tls;	    /* for "tls://…"; outlives the connections */
};
/*
 * Listens. on_accept gets a conn that reads nothing until conn_read_start(). A Unix socket is made
 * with mode 0600; one that nobody listens at any more is replaced, any other file refused:
 * -EADDRINUSE when somebody does listen, -EEXIST when it is no socket. -EINVAL: the address cannot
 * be read.
 */
int listener_new(struct loop *loop, const struct listener_options *options,
	void (*on_accept)(void *arg, struct conn *c), void *arg, struct listener **ret) MUST_CHECK;
/* Stops accepting, removes a Unix socket's file, and frees; accepted conns live on. */
void listener_free(struct listener *l);
/* "127.0.0.1:8787" with the real port, "tls://127.0.0.1:8443", "unix:/path". */
const char *listener_address(const struct listener *l);

#endif
