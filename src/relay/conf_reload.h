/*
 * relay.json while the relay runs: changes are noticed, read and taken over; a file that is not
 * valid changes nothing and is told about. Editors write in several ways (rename, truncate and
 * write): a file that is wrong is read again after a moment before anybody complains, so that one
 * seen half-written is none. Owner: the relay, which embeds it.
 */
#ifndef RELAY_CONF_RELOAD_H
#define RELAY_CONF_RELOAD_H

#include "conf/conf.h"
#include "io/loop.h"

struct relay;

struct conf_reload {
	struct relay *relay;
	struct timer timer;
	uint64_t in_use;  /* hash of the text that the running configuration came from */
	uint64_t suspect; /* of a text that was wrong when it was read; 0 none */
	uint64_t refused; /* of one that was told about; 0 none */
	/* Why the file is not what runs: "relay.json: logLevel: must be …"; "" when it is. No path
	 * and no value of a key is in it. */
	char problem[512];
};

/* The first time, before there is a loop. Errors as conf_load(). */
int conf_reload_load(struct conf_reload *c, struct relay *r, struct conf **ret,
	struct conf_error *err) MUST_CHECK;
/* The loop is there. */
void conf_reload_start(struct conf_reload *c);
void conf_reload_stop(struct conf_reload *c);
/* Something happened in config/. */
void conf_reload_soon(struct conf_reload *c);
/* Somebody asked for it: read at once, and told about whether anything changed or not. */
void conf_reload_now(struct conf_reload *c);

#endif
