/*
 * What an exchange tells of itself, in one place: the log (request.start, slot.selection,
 * attempt.failed, token.failed, request.finish), the journal, and the statistics.
 */
#ifndef RELAY_EXCHANGE_LOG_H
#define RELAY_EXCHANGE_LOG_H

#include "codex/upstream.h"
#include "dialect/dialect.h"
#include "relay/client.h"
#include "relay/retry.h"
#include "slots/slot_table.h"

struct relay;
struct route;

/* Of one exchange, which embeds it. */
struct exchange_log {
	struct relay *relay;
	const char *id;		   /* the exchange's */
	const struct route *route; /* its path */
	char method[16];
	uint64_t entry; /* in the journal */
};

/* Monotonic microseconds. */
struct exchange_times {
	int64_t started_us;    /* first byte of the request */
	int64_t wait_since_us; /* began to look for a slot */
	int64_t queued_us;     /* spent waiting for slots in all */
};

struct exchange_summary {
	int status;
	const char *slot_id; /* "" none */
	unsigned attempts;
	int64_t first_byte_us; /* monotonic time, 0 none */
	const struct exchange_times *times;
	const struct usage *usage;
	const struct upstream_trace *trace; /* transport NULL: upstream did not answer */
	const struct api_err *err;	    /* NULL: success */
};

void exchange_log_start(struct exchange_log *log, struct relay *relay, const char *id,
	const struct client *client, const struct turn *turn, size_t body_bytes);
/* What names the conversation is known now. */
void exchange_log_session(struct exchange_log *log, struct sv session);
void exchange_log_selection(struct exchange_log *log, const struct lease_report *report,
	unsigned attempt, int64_t queued_us);
void exchange_log_attempt(struct exchange_log *log, const char *slot_id, const struct failure *f,
	enum retry_action action);
/* No attempt was made: the slot had no token to send. */
void exchange_log_token(struct exchange_log *log, const char *slot_id, const struct failure *f,
	enum retry_action action);
void exchange_log_finish(struct exchange_log *log, const struct exchange_summary *s);

#endif
