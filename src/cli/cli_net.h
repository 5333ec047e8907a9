/*
 * Requests of a command that are about no slot: is the relay up, can upstream be reached. One after
 * another, each to its end; the command waits. Owner: the command.
 */
#ifndef CLI_CLI_NET_H
#define CLI_CLI_NET_H

#include "io/call.h"

struct cli_net;

struct cli_answer {
	enum fetch_outcome outcome;
	int status; /* 0: no head came */
	char *body; /* with a NUL behind it */
	size_t body_bytes;
	char message[256];	/* why there is no answer */
	char date[64];		/* the header; "" without */
	char relay_version[64]; /* X-Relay-Version; "" without */
};

struct cli_net *cli_net_open(const struct fetch_options *options);
void cli_net_close(struct cli_net *n);
/* Always fills *ret, which ends with cli_answer_fini(). */
void cli_net_call(struct cli_net *n, const struct call_request *r, struct cli_answer *ret);
/* Wipes: an answer may repeat what was sent. */
void cli_answer_fini(struct cli_answer *a);

#endif
