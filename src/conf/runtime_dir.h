/* Paths of the runtime directory (SPEC 4), and its creation. Strings are the caller's: free(). */
#ifndef CONF_RUNTIME_DIR_H
#define CONF_RUNTIME_DIR_H

#include "base/mem.h"

#include <stdbool.h>

/* root + "/" + relative; aborts on OOM. */
char *runtime_path(const char *root, const char *relative);
/* A path of the configuration: as it is when absolute, else in the runtime directory. */
char *runtime_resolve(const char *root, const char *path);
char *runtime_config_path(const char *root); /* config/relay.json */
char *runtime_slots_path(const char *root);  /* config/slots.json */
char *runtime_lock_path(const char *root);   /* run/state.lock */
char *runtime_auth_path(
	const char *root, const char *slot_id); /* state/slots/slot-N/agent/auth-profiles.json */
char *runtime_models_path(const char *root, const char *slot_id);
char *runtime_agent_dir(const char *root, const char *slot_id);
/*
 * Creates directories (0700), config/relay.json, config/slots.json and min-workspace/AGENTS.md
 * where absent; force rewrites relay.json with defaults but keeps its tokens and unknown keys
 * (slots are never touched; a relay.json that is no JSON is kept as relay.json.broken). 0 or
 * -errno.
 */
int runtime_create(const char *root, const char *profile, bool force) MUST_CHECK;
/* Deletes state/slots/<slot_id>/ with all that is in it; 0 when there is none. */
int runtime_remove_slot(const char *root, const char *slot_id) MUST_CHECK;

#endif
