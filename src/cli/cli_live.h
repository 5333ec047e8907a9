/*
 * The relay that runs at the configured address, asked over HTTP with the configured token: its
 * state is newer than what the files tell. Blocks for some seconds at most. Owner: the command.
 */
#ifndef CLI_CLI_LIVE_H
#define CLI_CLI_LIVE_H

#include "conf/conf.h"

#include <jansson.h>

enum cli_live_state {
	CLI_LIVE_DOWN,	  /* nothing listens there */
	CLI_LIVE_SILENT,  /* something does, and does not answer */
	CLI_LIVE_FOREIGN, /* something else than a relay answers */
	CLI_LIVE_CLOSED,  /* a relay that does not tell us about its slots */
	CLI_LIVE_OTHER,	  /* a relay of another runtime directory */
	CLI_LIVE_UP,
};

struct cli_live {
	enum cli_live_state state;
	char address[300]; /* that was asked: "127.0.0.1:8787" */
	char version[64];  /* of the relay; "" none */
	char problem[256]; /* what follows "running, but "; "" none */
	json_t *health;	   /* GET /healthz, NULL when no relay answers */
	json_t *slots;	   /* the list of GET /admin/slots; NULL unless CLI_LIVE_UP */
};

/* Always fills *ret, which ends with cli_live_fini(). */
void cli_live_ask(const struct conf *conf, const char *root, struct cli_live *ret);
void cli_live_fini(struct cli_live *live);
/* The JSON object at this path of a relay that is CLI_LIVE_UP, NULL when there is none. New
 * reference. */
json_t *cli_live_get(const struct conf *conf, const char *root, const char *path);
/* "up" and so on, for JSON. */
const char *cli_live_name(enum cli_live_state state);

#endif
