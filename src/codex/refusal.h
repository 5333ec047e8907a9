/*
 * What upstream said when it refused: one record out of the many shapes that its error bodies and
 * events have (PROTOCOL 6). Used by failure.c and by slots/oauth.c. Pure.
 */
#ifndef CODEX_REFUSAL_H
#define CODEX_REFUSAL_H

#include "base/jv.h"

struct refusal {
	int status; /* of HTTP, or told by an event; 0 unknown */
	char code[64];
	char type[64];
	char param[128];
	char message[1024]; /* upstream's sentence; "" when it gave none, or a page */
	char plan_type[32];
	bool json; /* the body was a JSON object */
	bool page; /* HTML, or a text of the proxy in front of upstream */
	bool has_resets_at, has_resets_in;
	double resets_at_s;
	double resets_in_s;
};

/* From a JSON object: {"error":{…}}, flat, {"detail":…}, {"response":{"error":{…}}}. */
void refusal_read_json(struct jv root, int status, struct refusal *ret);
/* From any body. */
void refusal_read_body(struct sv body, int status, struct refusal *ret);

#endif
