/*
 * WebSockets to upstream that stay open between turns. Each belongs to one grant of one slot, one
 * session and one host, and carries one turn at a time. The pool remembers hosts that take none, or
 * on which turns come to nothing, so that nobody pays for that again and again. Owner: the relay; a
 *socket's user is the attempt that took it, until it gives the socket back or is told that it is
 *gone.
 *
 *	DIALING -> BUSY <-> IDLE -> closed
 *	      \-> closed
 */
#ifndef CODEX_SOCKET_POOL_H
#define CODEX_SOCKET_POOL_H

#include "codex/ws_frame.h"
#include "io/ws_client.h"

struct socket_pool;
struct ws_socket;

/* Views; copied. */
struct socket_key {
	struct sv slot;	   /* whose account */
	struct sv grant;   /* fingerprint of the token */
	struct sv session; /* conversation */
	const char *url;   /* http or https */
};

/* Of the user of a socket. */
struct ws_socket_ops {
	/* The dial is over; without result->conn the socket is gone. */
	void (*on_open)(void *user, const struct ws_open_result *result);
	void (*on_message)(void *user, struct buf *text);
	/* The peer closed it, or the connection ended: it is gone. */
	void (*on_gone)(void *user, int code, const char *why);
};

struct socket_pool *socket_pool_new(struct loop *loop, struct dialer *dialer);
/* No socket may be in use. */
void socket_pool_free(struct socket_pool *p);
/* Nobody needs them any more: closes them now, or when the turn on them is over. */
void socket_pool_dismiss_all(struct socket_pool *p);
/* The same with those whose slot and grant are not wanted. */
void socket_pool_keep(struct socket_pool *p,
	bool (*is_wanted)(void *arg, struct sv slot, struct sv grant), void *arg);
/* Hosts may be tried again. */
void socket_pool_forget_failures(struct socket_pool *p);

struct socket_counts {
	size_t dialing, busy, idle;
};

struct socket_counts socket_pool_counts(const struct socket_pool *p);

/* What is known of a host. */
struct socket_host {
	struct sv name; /* "https://chatgpt.com", as its URL has it; lives as long as the pool */
	bool takes_sockets;  /* it has, and nothing has gone wrong since */
	int64_t http_for_ms; /* so long nothing is dialed, and turns go over HTTP; 0: sockets may */
};

/* Host number `index`, in the order in which they were met; false: there are not so many. */
bool socket_pool_host(const struct socket_pool *p, size_t index, struct socket_host *ret);

/* An idle one, which is the user's then; NULL: none. */
struct ws_socket *socket_pool_take(struct socket_pool *p, const struct socket_key *key,
	const struct ws_socket_ops *ops, void *user);
/*
 * Opens one; on_open follows, never at once. NULL: not now, because the host is known not to take
 * sockets, or the first one to it has not been answered yet, or there are too many.
 */
struct ws_socket *socket_pool_dial(struct socket_pool *p, const struct socket_key *key,
	const struct http_header *headers, size_t count, int64_t timeout_ms,
	const struct ws_socket_ops *ops, void *user);

/* Is a refused upgrade the account's verdict? Else it is the host's, which then takes no sockets.
 */
bool socket_pool_is_of_account(const struct ws_open_result *refusal);

void ws_socket_send(struct ws_socket *s, struct sv text);
/* The turn came to an end of its own, whatever it was: the host is fine. */
void ws_socket_answered(struct ws_socket *s);
void ws_socket_pause(struct ws_socket *s);
void ws_socket_resume(struct ws_socket *s);
/* What the last turn on it was; the user writes it. */
struct ws_frame_memory *ws_socket_memory(struct ws_socket *s);

/* Enders of the use; no callback follows. The turn is over, another one may come: */
void ws_socket_give_back(struct ws_socket *s);
/* It must not be used again. While it is dialed: nobody waits for it any more, but how that ends
 * is worth knowing, and the session's next turn may have it. */
void ws_socket_discard(struct ws_socket *s);
/* And the turn came to nothing on it: silence, nonsense. The host is given up for a while when that
 * happens to some turns in a row; a socket that is gone counts by itself. */
void ws_socket_blame(struct ws_socket *s);

#endif
