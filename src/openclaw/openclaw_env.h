/*
 * The environment of a child that runs the openclaw program: what it needs of ours (paths, locale,
 * proxies, terminal), and what we set. Nothing else leaks into it. Pure but for getenv().
 */
#ifndef OPENCLAW_OPENCLAW_ENV_H
#define OPENCLAW_OPENCLAW_ENV_H

#include "base/sv.h"

struct openclaw_env {
	char **list; /* "NAME=value", NULL behind the last: for child_request */
	size_t count;
};

/* With what passes from our own environment. */
void openclaw_env_init(struct openclaw_env *env);
/* Values may be secrets: all are wiped. */
void openclaw_env_fini(struct openclaw_env *env);
/* Sets, or replaces. */
void openclaw_env_set(struct openclaw_env *env, const char *name, struct sv value);
/* Does a variable of ours with this name pass? */
bool openclaw_env_passes(struct sv name);

#endif
