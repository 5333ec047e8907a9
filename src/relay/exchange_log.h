/* The log lines of an exchange: request.start, slot.selection, attempt.failed, token.failed,
 * request.finish. */
#ifndef RELAY_EXCHANGE_LOG_H
#define RELAY_EXCHANGE_LOG_H

#include "codex/failure.h"
#include "dialect/dialect.h"
#include "relay/retry.h"
#include "slots/slot_table.h"

/* Monotonic microseconds. */
struct exchange_times {
	int64_t started_us;    /* first byte of the request */
	int64_t wait_since_us; /* began to look for a slot */
	int64_t queued_us;     /* spent waiting for slots in all */
};

struct exchange_summary {
	const char *id;
	int status;
	const char *slot_id; /* "" none */
	unsigned attempts;
	int64_t first_byte_us; /* monotonic time, 0 none */
	const struct exchange_times *times;
	const struct usage *usage;
	const struct api_err *err; /* NULL: success */
};

void exchange_log_start(const char *id, const struct http_request *request, const struct turn *turn,
	size_t body_bytes, const char *peer);
void exchange_log_selection(const char *id, struct slot_table *slots,
	const struct lease_report *report, unsigned attempt, int64_t queued_us);
void exchange_log_attempt(
	const char *id, const char *slot_id, const struct failure *f, enum retry_action action);
/* No attempt was made: the slot had no token to send. */
void exchange_log_token(
	const char *id, const char *slot_id, const struct failure *f, enum retry_action action);
void exchange_log_finish(const struct exchange_summary *s);

#endif
