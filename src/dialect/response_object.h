/*
 * The Response object as the API promises it (TRANSLATION 3): upstream's members, with what is
 * missing filled in from the request or the API's defaults. One const table of members.
 */
#ifndef DIALECT_RESPONSE_OBJECT_H
#define DIALECT_RESPONSE_OBJECT_H

#include "base/jw.h"
#include "dialect/dialect.h"

enum { RESPONSE_MEMBERS = 32 };

/* The members of a request that its answer echoes; picked once, since a request may be large. */
struct response_echo {
	struct jv member[RESPONSE_MEMBERS];
};
void response_echo_pick(struct response_echo *e, struct jv request);

struct response_object {
	const struct response_echo *echo;
	struct jv upstream; /* upstream's response object; may be missing */
	struct sv id;	    /* used when upstream gave none */
	struct sv model;
	const char *status;	    /* NULL: upstream's, else the next */
	const char *default_status; /* NULL: "in_progress" */
	int64_t created_at;	    /* used when upstream gave none; 0: now_s */
	struct sv output; /* comma-separated items, for an output that is missing or empty */
	int64_t now_s;	  /* for completed_at */
	bool store;	  /* the relay keeps the answer */
	const struct api_err *err; /* `error` of a failed response; NULL: upstream's, else null */
};

void response_object_write(const struct response_object *o, struct jw *w);
/* A usage object with both details, which SDKs require; null when there is none. */
void response_usage_write(struct jv upstream, struct jw *w);

#endif
