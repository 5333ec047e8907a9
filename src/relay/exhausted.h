/* What a client is told when no slot can serve (SPEC 6, PROTOCOL 6 "All slots exhausted"). */
#ifndef RELAY_EXHAUSTED_H
#define RELAY_EXHAUSTED_H

#include "dialect/api_err.h"
#include "slots/slot_table.h"

/*
 * 429 with Retry-After of the soonest recovery. native: usage_limit_reached, on which Codex stops
 * and tells the time; but rate_limit_exceeded, on which it waits and asks again, when a slot is
 * back within a minute. Others: rate_limit_exceeded. plan_type may be empty. recovers_ms: unix ms,
 * 0 unknown.
 */
void exhausted_describe(bool native, size_t slot_count, int64_t recovers_ms, const char *plan_type,
	int64_t now_ms, struct api_err *ret);
/*
 * True when no slot will ever serve without its operator, and *ret says so: none is configured, or
 * all are disabled or need a login. 429 as SPEC 6 has it; native: 403, as Codex would tell the user
 * of a usage limit, or ask for minutes.
 */
bool exhausted_needs_operator(
	bool native, const enum pick_reason *reasons, size_t slot_count, struct api_err *ret);
/*
 * 503 for a native client when the slot that is back first rests because upstream failed, not for a
 * limit, of which Codex would tell the user. Without Retry-After, which Codex obeys silently.
 */
void exhausted_describe_trouble(size_t slot_count, int64_t recovers_ms, struct api_err *ret);
/* 429 for a request that waited too long for a busy slot, or found the queue full. */
void exhausted_describe_busy(int64_t waited_s, struct api_err *ret);

/* 503: no slot is left but those whose token cannot be refreshed before retry_ms (unix, 0:
 * unknown).
 */
void exhausted_describe_token(int64_t retry_ms, int64_t now_ms, struct api_err *ret);

#endif
