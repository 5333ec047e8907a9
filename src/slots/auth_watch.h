/*
 * Watches the directories of the slots' auth files: a credential that another process writes there
 * (a login, an import, another relay's refresh) is the slot's within a fraction of a second. Files
 * are read by pool threads. Owner: the relay.
 */
#ifndef SLOTS_AUTH_WATCH_H
#define SLOTS_AUTH_WATCH_H

#include "slots/slot_env.h"

struct auth_watch;

struct auth_watch *auth_watch_new(struct slot_env *env);
/* The slots, or their files' places, have changed. */
void auth_watch_sync(struct auth_watch *w);
/* No read starts any more; those that run end in peace. Accepts NULL. */
void auth_watch_stop(struct auth_watch *w);
/* When the loop has ended. Accepts NULL. */
void auth_watch_free(struct auth_watch *w);

#endif
