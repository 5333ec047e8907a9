/*
 * What the requests that slots make for themselves (tokens, usage, models) need. Owner: the relay
 * or a command, which keeps it alive and in place until all of them have ended.
 */
#ifndef SLOTS_SLOT_ENV_H
#define SLOTS_SLOT_ENV_H

#include "io/fetch.h"
#include "slots/slot_table.h"

struct refresher;
struct usage_source;

struct slot_env {
	struct loop *loop;
	struct fetch_pool *pool;
	struct slot_table *table;
	const char *root;  /* runtime directory */
	struct conf *conf; /* replaced on reload */
	struct refresher *refresher;
	const struct usage_source *openclaw_usage; /* of the folder behind; NULL: none */
};

#endif
