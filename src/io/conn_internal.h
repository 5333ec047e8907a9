/*
 * Shared by conn.c (queue, life) and conn_tls.c (what lies between queue and socket when the peer
 * speaks TLS). Private to them.
 */
#ifndef IO_CONN_INTERNAL_H
#define IO_CONN_INTERNAL_H

#include "io/conn_accept.h"

#include <uv.h>

enum conn_state {
	CONN_OPEN,
	CONN_FINISHING, /* writes what is queued, then closes */
	CONN_CLOSING,	/* on_closed comes */
};

/* A part of the write queue that is not appended to any more. */
struct piece {
	struct piece *next;
	struct buf bytes;
	size_t sent;
	bool is_borrowed; /* bytes are the caller's */
};

struct conn_tls;
struct ssl_st;

struct conn {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	struct loop *loop;
	const struct conn_ops *ops;
	void *owner;
	struct accept_group *group; /* NULL: it was dialed, not accepted */
	struct conn_tls *tls;	    /* NULL: bytes go as they are */
	enum conn_state state;
	enum conn_end why;
	bool congested;
	bool writing;  /* write_request is on its way, with the first pieces, or TLS records */
	bool shutting; /* FIN follows the queue */
	bool shut;
	bool was_flushed;     /* when it began to close */
	struct buf out;	      /* end of the queue: collects one loop turn's writes */
	struct piece *pieces; /* queue before out */
	struct piece **pieces_end;
	size_t queued;	     /* bytes in pieces and out */
	size_t flying;	     /* handed to write_request; of these, or of TLS records */
	uint64_t sent_bytes; /* that the kernel took, all in all */
	uint64_t stall_at;   /* progress when the stall timer was started */
	struct deferred flush;
	struct timer stall;
	uv_write_t write_request;
	uv_shutdown_t shutdown_request;
	char peer[ACCEPT_ADDRESS_BYTES];
};

/* Reading from the socket. */
void conn_raw_read_start(struct conn *c);
void conn_raw_read_stop(struct conn *c);
/* Hands buffers to libuv, to be told by an end of write_request; they stay where they are until
 * then. False: the connection is closing now. */
bool conn_raw_write(struct conn *c, const uv_buf_t *vec, unsigned count, size_t bytes);
/*
 * The queue's first bytes, at most so many, in one piece: where they are, or copied to scratch when
 * they lie in several.
 */
struct sv conn_queue_front(struct conn *c, char *scratch, size_t most);
/* Drops the first n bytes of the queue. */
void conn_queue_take(struct conn *c, size_t n);

/*
 * A connection around a socket that is connected; not reading, without an owner yet. On failure the
 * descriptor is still the caller's.
 */
int conn_adopt(struct loop *loop, int fd, struct conn **ret) MUST_CHECK;

/*
 * TLS. All but conn_tls_new() and conn_tls_connect() is for connections that have it. The records
 * of one connection are made from its queue when the kernel has taken the ones before: what is
 * sealed and not sent stays small, and the queue's water marks tell the truth.
 */
void conn_tls_new(struct conn *c, struct tls_server *server);
/*
 * The client's side of a handshake; ssl, whose certificate checks are set, is taken over.
 * on_handshake comes once, unless the connection closes before: error is NULL when all is well, or
 * a text that is valid during the call, after which the connection is closing. May come at once.
 */
void conn_tls_connect(struct conn *c, struct ssl_st *ssl,
	void (*on_handshake)(void *arg, const char *error), void *arg);
void conn_tls_free(struct conn *c);
void conn_tls_read_start(struct conn *c);
void conn_tls_read_stop(struct conn *c);
/* Bytes came from the socket. */
void conn_tls_feed(struct conn *c, struct sv bytes);
/* The peer sent FIN. */
void conn_tls_end(struct conn *c);
/* Seals and writes what the kernel takes. */
void conn_tls_flush(struct conn *c);
/* write_request has ended. */
void conn_tls_written(struct conn *c);
/* Records that are made and not yet taken by the kernel. */
size_t conn_tls_pending(const struct conn *c);
/* The queue is sent for good: says so to the peer (close_notify). False: that is not written yet.
 */
bool conn_tls_say_end(struct conn *c);
/* The connection is going to be closed now: the last chance to answer the peer's close_notify. */
void conn_tls_closing(struct conn *c);

#endif
