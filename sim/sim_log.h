/*
 * The request log: what came in and what became of it, for assertions. Bounded: the oldest entries
 * go first, and bodies are kept up to a total. Token values never get in, only fingerprints.
 */
#ifndef SIM_LOG_H
#define SIM_LOG_H

#include "proto/http1.h"
#include "sim/sim.h"

enum sim_end {
	SIM_END_NONE,	  /* still active */
	SIM_END_FINISHED, /* answered to the end */
	SIM_END_ABORTED,  /* cut on purpose */
	SIM_END_RESET,	  /* reset on purpose */
	SIM_END_GONE,	  /* the client went away */
};

struct sim_entry {
	struct sim_entry *next;
	uint64_t seq;
	int64_t time_ms;
	int64_t started_us;
	const struct sim_account *account;
	char *method, *path, *query;
	struct buf headers; /* JSON list of pairs */
	struct buf body;
	size_t body_bytes;
	int64_t script; /* id of the script used, 0: none */
	int status;
	uint64_t events;
	uint64_t sent_bytes;
	enum sim_end end;
	int64_t end_after_us;
	int64_t end_time_ms; /* real time, unlike time_ms */
	bool evicted;	     /* no longer listed; freed when it ends */
};

struct sim_filter {
	struct sv account; /* id; empty: all */
	struct sv path;	   /* substring; empty: all */
	uint64_t since;	   /* only entries with a greater seq */
	bool bodies;
};

struct sim_tally {
	uint64_t requests, active, gone, finished, events, succeeded, failed;
	uint64_t sockets; /* open now; filled by sim_wait */
};

struct sim_log *sim_log_new(void);
void sim_log_free(struct sim_log *log);
void sim_log_clear(struct sim_log *log);
/* A new active entry. It stays valid until sim_log_end(). */
struct sim_entry *sim_log_begin(
	struct sim *sim, const struct http_request *r, struct sv body, int64_t started_us);
void sim_log_end(struct sim_log *log, struct sim_entry *e, enum sim_end end);
/* {"requests":[…],"last":seq,"dropped":n} */
void sim_log_write(const struct sim_log *log, const struct sim_filter *f, struct buf *out);
void sim_log_count(const struct sim_log *log, const struct sim_filter *f, struct sim_tally *ret);

#endif
