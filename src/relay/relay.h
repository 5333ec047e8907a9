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
#include "relay/conf_reload.h"
#include "relay/journal.h"
#include "relay/stats.h"
#include "relay/tls_reload.h"
#include "relay/trimmer.h"
#include "relay/waitq.h"
#include "relay/ws_session.h"
#include "slots/slot_env.h"

struct continuation;
struct socket_pool;
struct exchange;
struct openclaw_gateways;
struct upkeep;
struct relay;
struct route;

/*
 * What a folder behind this one (src/admin) puts into the relay: further routes, and functions that
 * are told of its life.
 */
struct relay_extension {
	const struct route *routes; /* path NULL behind the last; looked at after the relay's own */
	void (*on_start)(struct relay *r); /* everything stands */
	void (*on_drain)(struct relay *r); /* answers without an end of their own end now */
	void (*on_stop)(struct relay *r);  /* before the loop ends; also when the start failed */
	void (*on_free)(struct relay *r);  /* the loop has ended; the same */
};

struct relay {
	struct loop *loop;
	char *root, *profile;
	struct conf *conf;
	struct conf_reload conf_reload;
	struct tls_reload tls;	    /* certificate of the listeners that have TLS */
	struct conf *conf_at_start; /* what keys that need a restart still have */
	struct slot_table *slots;
	struct fetch_pool *pool;
	struct socket_pool *upstream_sockets; /* kept open between turns */
	struct upkeep *upkeep;		      /* usage and models of all slots */
	struct http_server *server;
	struct waitq *waitq;
	struct openclaw_gateways *gateways; /* of the legacy runner; none runs until it is used */
	struct saver *saver;		    /* writes slot state, debounced */
	struct slot_env env;	       /* loop, pool, slots and conf for the slots' own requests */
	struct auth_watch *auth_watch; /* credentials that other processes write */
	struct dir_watch *watch; /* of config/: edits by the CLI; NULL when it cannot be watched */
	struct timer reload;	 /* gathers a burst of edits */
	struct timer patience;	 /* how long running streams may go on after SIGTERM */
	struct timer farewell;	 /* how long cut clients may take to read that they were */
	struct continuation *continuation; /* answers that clients may go on from */
	struct timer forget;		   /* drops those that have expired */
	struct stats *stats;
	struct journal *journal;
	struct exchange *exchanges; /* running; list kept by exchange.c */
	size_t exchange_count;
	struct trimmer trimmer;
	struct ws_sessions sockets; /* of clients */
	bool draining, closing;
	int64_t started_ms;			 /* wall */
	const struct relay_extension *extension; /* NULL: none */
	void *extension_state;			 /* the extension's own */
	struct buf param; /* path parameter of the request that the router serves */
	/* Request id of an answer that the router gives itself; "" not made yet. */
	char answer_id[IDENT_UUID_SIZE];
};

/*
 * Runs the relay until it is told to stop: the exit status. Says on stderr why it could not start.
 * extension may be NULL.
 */
int relay_run(
	const char *runtime_root, const char *profile, const struct relay_extension *extension);

/* The relay goes on with another configuration, whose reference it takes. Keys that need a restart
 * (conf_table.h) are as before until then. */
void relay_take_conf(struct relay *r, struct conf *fresh);
/* What is kept for clients is looked through in a minute, when something is. */
void relay_forget_later(struct relay *r);
/* Reads slots.json again. False: not now, the saver is writing it; try again in a moment. */
bool relay_reload_slots(struct relay *r);

#endif
