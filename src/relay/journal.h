/*
 * The last requests that asked for a model, with what became of each of their attempts and why its
 * slot was chosen (/admin/requests). Bounded by limits.h; nothing of a request's content is kept,
 * and of its session only a hash that means nothing outside this process. Owner: the relay. Pure
 * but for its own memory.
 */
#ifndef RELAY_JOURNAL_H
#define RELAY_JOURNAL_H

#include "codex/failure.h"
#include "dialect/dialect.h"
#include "relay/retry.h"
#include "slots/slot_table.h"

#include <jansson.h>

struct journal;

struct journal *journal_new(void);
void journal_free(struct journal *j);

struct journal_request {
	const char *id;
	struct sv method, path;
	const struct turn *turn; /* model, dialect, stream, native */
	size_t body_bytes;
	const char *peer;
	int64_t now_ms; /* wall */
};
/* The handle of its entry. The functions below do nothing once a later request has its place. */
uint64_t journal_begin(struct journal *j, const struct journal_request *r);
void journal_session(struct journal *j, uint64_t entry, struct sv key);
/* A slot was looked for; with one that was chosen an attempt begins. choice: why this one, static.
 */
void journal_select(struct journal *j, uint64_t entry, struct slot_table *slots,
	const struct lease_report *report, const char *choice, int64_t queued_us, int64_t now_ms);
/* The running attempt failed. */
void journal_fail(struct journal *j, uint64_t entry, const struct failure *f,
	enum retry_action action, int64_t now_ms);

struct journal_end {
	int status;
	const char *slot_id;
	const struct api_err *err; /* NULL: success */
	int64_t total_us, queued_us;
	int64_t first_byte_us; /* since the beginning; 0: none */
	const struct usage *usage;
};
void journal_end(struct journal *j, uint64_t entry, const struct journal_end *end, int64_t now_ms);

/* One request with everything, or NULL. New reference. */
json_t *journal_show(const struct journal *j, struct sv id);
/* All, newest first, without their attempts. New reference. */
json_t *journal_list(const struct journal *j);

#endif
