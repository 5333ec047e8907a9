/*
 * The internal form of an answer: a stream of Responses events (PROTOCOL 4). An event is a view of
 * the bytes that upstream sent; nothing is copied.
 */
#ifndef DIALECT_EVENT_H
#define DIALECT_EVENT_H

#include "base/jv.h"

enum event_type {
	EVENT_OTHER, /* known to nobody here; passes */
	EVENT_CREATED,
	EVENT_IN_PROGRESS,
	EVENT_QUEUED,
	EVENT_ITEM_ADDED,
	EVENT_ITEM_DONE,
	EVENT_PART_ADDED,
	EVENT_PART_DONE,
	EVENT_TEXT_DELTA,
	EVENT_TEXT_DONE,
	EVENT_ANNOTATION_ADDED,
	EVENT_REFUSAL_DELTA,
	EVENT_REFUSAL_DONE,
	EVENT_SUMMARY_PART_ADDED,
	EVENT_SUMMARY_PART_DONE,
	EVENT_SUMMARY_DELTA,
	EVENT_SUMMARY_DONE,
	EVENT_REASONING_DELTA,
	EVENT_REASONING_DONE,
	EVENT_ARGS_DELTA,
	EVENT_ARGS_DONE,
	EVENT_CUSTOM_INPUT_DELTA,
	EVENT_CUSTOM_INPUT_DONE,
	EVENT_COMPLETED, /* also response.done */
	EVENT_INCOMPLETE,
	EVENT_FAILED,
	EVENT_ERROR,
	EVENT_RATE_LIMITS, /* codex.rate_limits */
	EVENT_PRIVATE, /* other codex.*, keepalive, response.metadata, responsesapi.*: native Codex
			  clients only */
};

struct event {
	enum event_type type;
	struct jv json; /* the whole object, validated */
	struct sv name; /* its "type", raw text */
	struct sv raw;	/* the SSE bytes when they may be forwarded as they are, else SV_NONE */
	struct jv_outline outline; /* of json; zeroed when the event was made by hand */
};

/* Member of the event; JV_NONE when absent. */
static inline struct jv event_get(const struct event *ev, struct sv key)
{
	return jv_outline_get(&ev->outline, ev->json, key);
}

/*
 * Validates data and finds the type. -EBADMSG: not a JSON object with a string "type" (also when
 * nested too deep). raw as sse.h gives it; pass SV_NONE when there is none.
 */
int event_parse(struct sv data, struct sv raw, struct event *ret) MUST_CHECK;
/* completed, incomplete, failed or error: nothing follows (PROTOCOL 4). */
bool event_is_terminal(enum event_type type);
/* Has no output yet: created, in_progress, queued, private ones. Held back before the commit. */
bool event_is_preamble(enum event_type type);
/* Bookkeeping beside answers, which may come at any time; false for events of an answer, for
 * errors, and for unknown ones that look like either. */
bool event_is_aside(const struct event *ev);

struct usage {
	bool known;
	int64_t input_tokens;
	int64_t cached_tokens;
	int64_t output_tokens;
	int64_t reasoning_tokens;
	int64_t total_tokens;
};
/* From a terminal event's response.usage; missing members are 0, total is summed when absent. */
struct usage event_usage(const struct event *ev);
/* The same from the usage object itself. */
struct usage event_usage_read(struct jv usage);

/* The members of a usage object; missing ones do not exist. */
enum usage_member {
	USAGE_INPUT,
	USAGE_INPUT_DETAILS,
	USAGE_OUTPUT,
	USAGE_OUTPUT_DETAILS,
	USAGE_TOTAL,
	USAGE_MEMBERS,
};
void event_usage_pick(struct jv usage, struct jv ret[USAGE_MEMBERS]);
/* 0 for what is no count of tokens, and for more than any answer has (2^50). */
int64_t event_token_count(struct jv number);

#endif
