/*
 * The simulator as a whole: what all its parts share. Owner: sim_main, for the life of the process.
 * Single-threaded: everything runs on the loop. Parts reach each other through this struct only.
 */
#ifndef SIM_H
#define SIM_H

#include "base/buf.h"
#include "io/http_server.h"
#include "io/loop.h"

struct sim_account;
struct sim_accounts;
struct sim_tokens;
struct sim_auth;
struct sim_log;
struct sim_waits;
struct sim_scripts;

enum { SIM_BODY_BYTES = 16 << 20 };

struct sim_options {
	const char *listen;
	unsigned accounts;
	const char *plan;
	int64_t pace_ms;
	uint64_t seed;
	bool no_log;
	bool quiet;
	int64_t capacity_tokens; /* of a plus account's primary window; 0: windows do not drain */
};

/* One request's memory: an event of the largest size that a script may ask for, in a few forms. */
#define SIM_ARENA_BYTES MIB(512)

/* What the control API may change while running; reset by POST /_sim/reset. */
struct sim_settings {
	int64_t pace_ms;
	int64_t capacity_tokens;
	bool output_in_terminal;
	bool device_enabled;
	int64_t device_pending_polls; /* pending answers before approval; -1: only by hand */
	bool websockets;	      /* false: handshakes are answered 426 */
	bool models_etag;	      /* x-models-etag on every answer of the codex endpoints */
	char login_account[32];	      /* who the next login is; empty: each account in turn */
	char login_error[32];	      /* how browser logins end, "access_denied"; empty: well */
};

struct sim_stats {
	uint64_t requests;  /* all emulated endpoints */
	uint64_t responses; /* POST /codex/responses */
	uint64_t finished;
	uint64_t gone;
	uint64_t faults;  /* refused by the HTTP layer */
	uint64_t refused; /* refused by the strict checks */
	uint64_t events;
	uint64_t refreshes;
	uint64_t refresh_reuses;
	unsigned active;
	unsigned sockets; /* WebSockets that are open */
};

struct sim {
	struct loop *loop;
	struct http_server *server;
	struct sim_options options;
	struct sim_settings settings;
	struct sim_stats stats;
	struct sim_accounts *accounts;
	struct sim_tokens *tokens;
	struct sim_auth *auth;
	struct sim_log *log; /* NULL when switched off */
	struct sim_waits *waits;
	struct sim_scripts *any_scripts; /* scripts of account "*" */
	int64_t clock_offset_ms;
	uint64_t random;
};

/* The simulated wall clock. */
int64_t sim_now_ms(const struct sim *sim);
static inline int64_t sim_now_s(const struct sim *sim)
{
	return sim_now_ms(sim) / 1000;
}
/* Back to the settings of the command line. */
void sim_default_settings(struct sim *sim);

#endif
