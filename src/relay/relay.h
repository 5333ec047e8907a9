/*
 * The daemon: owns the loop, configuration, slot table, HTTP server and client pool, and what is
 * running. Built by relay_run() in dependency order, torn down in reverse.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "base/ident.h"
#include "conf/conf.h"
#include "io/fetch.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "relay/waitq.h"
#include "slots/slot_env.h"

struct exchange;

struct relay {
	struct loop *loop;
	char *root, *profile;
	struct conf *conf;
	struct slot_table *slots;
	struct fetch_pool *pool;
	struct http_server *server;
	struct waitq *waitq;
	struct saver *saver;	       /* writes slot state, debounced */
	struct slot_env env;	       /* loop, pool, slots and conf for the slots' own requests */
	struct auth_watch *auth_watch; /* credentials that other processes write */
	struct dir_watch *watch; /* of config/: edits by the CLI; NULL when it cannot be watched */
	struct timer reload;	 /* gathers a burst of edits */
	struct timer patience;	 /* how long running streams may go on after SIGTERM */
	struct timer farewell;	 /* how long cut clients may take to read that they were */
	struct exchange *exchanges; /* running; list kept by exchange.c */
	size_t exchange_count;
	bool draining, closing;
	int64_t started_ms; /* wall */
	bool answering;	    /* the router runs a handler */
	/* Request id of an answer that no exchange gives, while answering; "" not made yet. */
	char answer_id[IDENT_UUID_SIZE];
};

/* Runs the relay until it is told to stop: the exit status. Says on stderr why it could not start.
 */
int relay_run(const char *runtime_root, const char *profile);

#endif
