/*
 * A WebSocket on the turn endpoint (PROTOCOL 7): takes text frames as turns, one at a time, each a
 * transaction of its own, and sends what the transaction says as frames. Keeps the conversation of
 * the socket, so that a turn may bring new items only. Owner: itself, until its connection ends.
 */
#ifndef SIM_SOCKET_H
#define SIM_SOCKET_H

#include "sim/sim_txn.h"

struct sim_socket;

/* The handshake was accepted: answers it, ends the transaction. */
void sim_socket_open(struct sim_txn *t, const char *accept);

/* For sim_txn.c: what a turn does instead of an HTTP answer. */
struct sv sim_socket_body(const struct sim_socket *s);
bool sim_socket_is_congested(const struct sim_socket *s);
/* An error frame, and the end of the turn. */
void sim_socket_refuse(
	struct sim_socket *s, int status, struct sv body, const struct sim_script *script);
/* Events as SSE bytes, cut anywhere: each becomes a frame. */
void sim_socket_send(struct sim_socket *s, struct sv bytes);
/* One message that is not of the turn. */
void sim_socket_say(struct sim_socket *s, struct sv text);
/* The transaction has ended (it is freed): what becomes of the socket. close_code 0: cut. */
void sim_socket_turn_over(struct sim_socket *s);
void sim_socket_cut(struct sim_socket *s, int close_code);
void sim_socket_reset(struct sim_socket *s);

#endif
