/*
 * Who runs an attempt on a slot (`runner.backend`): the Codex backend itself, or a gateway of
 * OpenClaw. Both take a Responses body over HTTP and answer with a stream of Responses events; they
 * differ in where that is, what it takes, and whether it must be started first.
 */
#ifndef RELAY_RUNNER_H
#define RELAY_RUNNER_H

#include "codex/body.h"
#include "codex/headers.h"
#include "openclaw/openclaw_gateway.h"
#include "relay/answer.h"
#include "relay/relay.h"

/* A place to run one attempt. Embedded in its user (an exchange), who leaves it before he dies. */
struct runner_place {
	struct fetch_pool *pool;	    /* that goes to the backend */
	struct openclaw_gateways *gateways; /* may be NULL for a runner that does not start any */
	/* Once, never from inside of open(), unless left before. problem NULL: it may be used. */
	void (*on_open)(struct runner_place *place, const char *problem);
	struct openclaw_use gateway; /* private */
};

/* What the head of an attempt is made from. */
struct runner_head {
	const struct codex_cred *cred;
	const struct codex_header_options *options;
	struct sv model; /* what the client asked for */
	struct arena *arena;
};

struct runner {
	const char *name;
	/* True: open at once. False: on_open comes. */
	bool (*open)(struct runner_place *place, const struct slot *s);
	/* 0, -EINVAL with *err (the client's mistake), or out's error. Nothing in out: the body is
	 * the request's own text. */
	int (*body)(const struct conf *conf, struct jv request,
		const struct codex_body_options *options, struct buf *out, struct api_err *err);
	/* As codex_headers_build(). */
	int (*headers)(struct runner_place *place, const struct runner_head *head,
		struct http_header out[CODEX_HEADERS_MAX], size_t *ret_count);
	void (*url)(const struct runner_place *place, const struct codex_cred *cred, bool compact,
		char *out, size_t size);
	struct fetch_pool *(*pool)(const struct runner_place *place);
	bool has_sockets;   /* may be talked to over WebSockets */
	bool compacts;	    /* has an endpoint that makes a conversation short */
	bool renames_model; /* its events name something else as the model */
};

/* The one of the configuration. */
const struct runner *runner_of(const struct conf *conf);
/* The attempt is over, or nobody waits any more. Accepts a place that was never opened. */
void runner_leave(struct runner_place *place);
/* Hands an event on, as answer_event() does. model: what the client asked for. */
int runner_event(const struct runner *runner, struct answer *answer, struct sv model,
	const struct event *ev) MUST_CHECK;
/* What went wrong with a place that did not open, as an attempt's failure. */
void runner_failure(const char *problem, struct failure *ret);

#endif
