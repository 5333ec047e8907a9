/*
 * One request on an emulated endpoint, from its body to the end of the answer. Made by the router,
 * ends by one of the sim_txn_* enders or when the client goes; nobody touches it afterwards.
 */
#ifndef SIM_TXN_H
#define SIM_TXN_H

#include "base/arena.h"
#include "sim/sim.h"
#include "sim/sim_ids.h"
#include "sim/sim_log.h"

struct sim_script;
struct sim_stream;
struct sim_request;
struct sim_socket;

struct sim_txn {
	struct sim *sim;
	struct http_stream *stream; /* NULL: a turn on a socket */
	struct sim_socket *socket;
	const struct http_request *head;
	struct sim_account *account; /* NULL until identified */
	struct sim_script *script;   /* the reference is ours; may be NULL */
	struct sim_entry *entry;     /* NULL without a log */
	struct sim_request *request; /* parsed body of a turn; in the arena */
	struct sim_stream *out;	     /* running stream, or NULL; in the arena */
	bool limits;		     /* the answer carries the account's x-codex-* headers */
	char request_id[SIM_UUID_SIZE];
	struct timer timer;
	void (*on_timer)(struct sim_txn *t);
	struct arena arena;
};

struct sim_txn *sim_txn_new(struct sim *sim, struct http_stream *stream);
/* A turn that came over a socket; message: for the log. */
struct sim_txn *sim_txn_new_turn(struct sim *sim, struct sim_socket *socket,
	const struct http_request *head, struct sv message);
struct sv sim_txn_body(struct sim_txn *t);
struct sv sim_txn_header(const struct sim_txn *t, struct sv name);
/* Identified: shown in the log, counted, its headers go on the answer. */
void sim_txn_set_account(struct sim_txn *t, struct sim_account *a);
/* fn is called once after the delay, unless t ended. */
void sim_txn_later(struct sim_txn *t, int64_t delay_ms, void (*fn)(struct sim_txn *t));

/* Enders of a whole answer. Script headers are added by all of them. */
void sim_txn_json(struct sim_txn *t, int status, struct sv body);
void sim_txn_respond(struct sim_txn *t, int status, struct sv content_type, struct sv body);
/* With one more header. */
void sim_txn_respond_with(struct sim_txn *t, int status, struct sv content_type, struct sv body,
	struct http_header extra);
/* {"detail":"text"} */
void sim_txn_detail(struct sim_txn *t, int status, const char *text);
/* {"error":{message,type,param:null,code}} */
void sim_txn_error(struct sim_txn *t, int status, const char *code, const char *message);
/* Streamed answer: the head, pieces, and an ender. */
void sim_txn_head(struct sim_txn *t, int status, struct sv content_type);
void sim_txn_send(struct sim_txn *t, struct sv bytes);
void sim_txn_finish(struct sim_txn *t);
void sim_txn_abort(struct sim_txn *t);
void sim_txn_reset(struct sim_txn *t);
/* Ends the transaction with this status; the stream is then the caller's to answer. */
struct http_stream *sim_txn_take_stream(struct sim_txn *t, int status);
bool sim_txn_is_congested(const struct sim_txn *t);
/* The client has read: a stream goes on. */
void sim_txn_drained(struct sim_txn *t);
/* The client went away. */
void sim_txn_gone(struct sim_txn *t);
/* Does the script's whole-answer part, after its delay; normal() answers where it leaves that open.
 */
void sim_txn_run_script(struct sim_txn *t, void (*normal)(struct sim_txn *t));

#endif
