/*
 * Tool names that upstream would refuse: over 64 bytes, or with other characters than
 * [A-Za-z0-9_-]. The short form depends on the name alone, so that the request's bytes stay the
 * same from turn to turn (prompt cache); declared tools are remembered to restore their names.
 */
#ifndef DIALECT_CHAT_NAMES_H
#define DIALECT_CHAT_NAMES_H

#include "base/jw.h"

enum { CHAT_NAME_BYTES = 64 };

struct chat_name {
	char upstream[CHAT_NAME_BYTES + 1];
	struct sv client; /* raw text of the client's JSON string */
};

struct chat_names {
	struct chat_name *list; /* in the arena; only names that were changed */
	size_t count, room;
};

/* Remembers the name of a declared tool if it has to change. -ENOMEM. */
int chat_names_add(struct chat_names *n, struct jv name, struct arena *arena) MUST_CHECK;
/* Writes a client's name as upstream gets it. name is a JSON string. */
void chat_names_write(struct jv name, struct jw *w);
/* The client's name (raw text) for one that upstream used, which is itself if it was not changed.
 */
struct sv chat_names_restore(const struct chat_names *n, struct sv upstream);

#endif
