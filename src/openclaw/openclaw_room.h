/*
 * A room: a private directory (0700) in which one run of the openclaw program lives, below
 * run/openclaw of the runtime directory. It holds a copy of a slot's credential WITHOUT its refresh
 * token, so that a program that is not ours can never rotate the slot's grant (PROTOCOL 1), and
 * goes with all that the program wrote when the run is over. Making and removing block: commands
 * and pool threads.
 *
 *	run/openclaw/<name>-<pid>-<n>/openclaw.json
 *	                             /agents/<agent>/agent/{auth-profiles.json,models.json}
 */
#ifndef OPENCLAW_OPENCLAW_ROOM_H
#define OPENCLAW_OPENCLAW_ROOM_H

#include "slots/auth_file.h"
#include "slots/slot.h"

/* What goes in; all copied. */
struct openclaw_room_plan {
	const char *root;	 /* runtime directory; absolute or relative to ours */
	const char *name;	 /* "slot-2-gateway" */
	const char *agent;	 /* agent id, which names a directory */
	const struct slot *slot; /* whose credential and base URL; NULL: none */
};

struct openclaw_room;

/* Decides the names; nothing is on disk yet. */
struct openclaw_room *openclaw_room_new(const struct openclaw_room_plan *plan);
/* openclaw.json, for a room that is not made yet; stolen. */
void openclaw_room_configure(struct openclaw_room *room, json_t *config);
/* Writes it all: 0 or -errno. Sweeps before. */
int openclaw_room_make(struct openclaw_room *room) MUST_CHECK;
/* Deletes it with all that is in it: 0 (also when there is none) or -errno. */
int openclaw_room_remove(struct openclaw_room *room) MUST_CHECK;
/* Frees the memory; the directory stays as it is. Accepts NULL. */
void openclaw_room_free(struct openclaw_room *room);

const char *openclaw_room_dir(const struct openclaw_room *room);       /* absolute */
const char *openclaw_room_agent_dir(const struct openclaw_room *room); /* in it */
const char *openclaw_room_config(const struct openclaw_room *room);    /* openclaw.json in it */

/* Deletes rooms whose process there is not any more (it was killed). */
void openclaw_room_sweep(const char *root);

#endif
