/*
 * What an upstream failure means (PROTOCOL 6): one table from signals to a class, and from class to
 * what the slot and the request suffer. Pure.
 */
#ifndef CODEX_FAILURE_H
#define CODEX_FAILURE_H

#include "codex/meters.h"
#include "dialect/api_err.h"
#include "dialect/event.h"
#include "io/fetch.h"

enum failure_class {
	FAILURE_NONE,
	FAILURE_RATE_LIMIT,  /* cooldown, next slot */
	FAILURE_QUOTA,	     /* long cooldown, next slot */
	FAILURE_AUTH,	     /* refresh once, same slot; then reauth-required */
	FAILURE_DEAD,	     /* account gone: disable the slot */
	FAILURE_BLOCKED,     /* 403 without known code, Cloudflare: short growing cooldown */
	FAILURE_TRANSIENT,   /* 5xx, overload: streak */
	FAILURE_ENTITLEMENT, /* model not for this account: remember, one other slot */
	FAILURE_BLOB,	     /* invalid_encrypted_content: drop reasoning once, same slot */
	FAILURE_CLIENT,	     /* the request's fault: to the client, unchanged */
	FAILURE_NETWORK,     /* connect, DNS, TLS: not sent */
	FAILURE_TRUNCATED,   /* EOF or reset without terminal event */
	FAILURE_IDLE,	     /* silence longer than the limit */
	FAILURE_PROTOCOL,    /* upstream spoke nonsense: bad JSON, oversized event */
	FAILURE_CLASSES,
};
const char *failure_class_name(enum failure_class class); /* "rate_limit" */

struct failure {
	enum failure_class class;
	struct api_err err; /* what the client is told if nobody else can serve it; status too */
	/*
	 * Unix milliseconds until which upstream asked to wait, 0 when it named none. Order:
	 * resets_at, resets_in_seconds, Retry-After (seconds or date), reset of the full window,
	 * "try again in 6m0s" text.
	 */
	int64_t until_ms;
	bool of_socket;	     /* a WebSocket broke: says nothing of the slot, and HTTP may do */
	int upstream_status; /* of an HTTP answer that was no event stream; 0: it came otherwise */
	/* What happened, for the operator (logs, lastError): upstream's or the transport's own
	 * words. */
	char detail[256];
};

/* A signal and the class that it means. */
struct failure_rule {
	enum failure_class class;
	struct sv text; /* a code or type, whole; a part of a message; "" in status rules */
	int status, status_last; /* range; 0 in other rules */
};

/*
 * An HTTP answer with a status other than 2xx, or a 2xx that is no event stream. meters may be
 * NULL. ret->err.body is a view of body for the classes whose answer is passed on.
 */
void failure_from_http(int status, const struct http_header *headers, size_t header_count,
	struct sv body, const struct meters *meters, int64_t now_ms, struct failure *ret);
/* A terminal event response.failed or error. False when the event is neither. */
bool failure_from_event(
	const struct event *ev, const struct meters *meters, int64_t now_ms, struct failure *ret);
/* A transport end without a terminal event. result may be NULL: clean EOF. sent_bytes tells nothing
 * here. */
void failure_from_fetch(const struct fetch_result *result, struct failure *ret);
/* "Please try again in 1.5s", "6m0s", "300ms", "1h2m": milliseconds, or -1. */
int64_t failure_parse_try_again(struct sv text);

/* f, or *copy of it that repeats no word of upstream's when one of them holds the secret. */
const struct failure *failure_without(
	const struct failure *f, struct sv secret, struct failure *copy);

/* What a client is told for a class: status, type, code and a sentence. */
const struct api_err *failure_default(enum failure_class class);
enum failure_table { FAILURE_BY_CODE, FAILURE_BY_TEXT, FAILURE_BY_STATUS, FAILURE_BY_TYPE };
/* A table in the order of their authority, row by row; NULL behind the last one. For tests. */
const struct failure_rule *failure_rule(enum failure_table table, size_t row);

#endif
