/*
 * OpenClaw's own files (SPEC 4): where they are, the slots of its main store, and the credential of
 * a profile. Only read, never written. Reading blocks: for commands. Error texts never quote a
 * file.
 *
 *	<home> = $OPENCLAW_HOME, else ~/.openclaw
 *	<main> = $OPENCLAW_MAIN_AGENT_DIR, else <home>/agents/main/agent
 *	<main>/codex-slots/slots.json	{"slots":{"1":{file, emailLabel, accountId, profileId,
 *		expires, savedAt, usage5h, usageWeek, liveCheckedAt, usageFingerprint}}}
 *	<main>/models.json		{"providers":{"openai-codex":{baseUrl, api, models}}}
 *	$OPENCLAW_MAIN_CONFIG, else <home>/openclaw.json: its models.providers when models.json
 *		has none
 *	<home>-<profile>/		a profile's home
 */
#ifndef OPENCLAW_OPENCLAW_STORE_H
#define OPENCLAW_OPENCLAW_STORE_H

#include "base/limits.h"
#include "slots/auth_file.h"

struct openclaw_store;

/* The main store of the environment: 0 and *ret, or -errno and a text for people. */
int openclaw_store_open(struct openclaw_store **ret, char *err, size_t err_size) MUST_CHECK;
/* Accepts NULL. */
void openclaw_store_free(struct openclaw_store *store);

/* One slot of the store. */
struct openclaw_entry {
	char id[LIMIT_SLOT_ID_BYTES]; /* "slot-2" */
	const json_t *json;	      /* its object; the store's */
	const char *label;	      /* emailLabel, "" none */
};

/* Slots by number. Members that are none are left out, see openclaw_store_odd(). */
size_t openclaw_store_count(const struct openclaw_store *store);
const struct openclaw_entry *openclaw_store_at(const struct openclaw_store *store, size_t index);
/* NULL: no such slot in it. */
const struct openclaw_entry *openclaw_store_find(
	const struct openclaw_store *store, const char *slot_id);
/* Keys of "slots" that are no slot; NULL behind the last. */
const char *openclaw_store_odd(const struct openclaw_store *store, size_t index);
const char *openclaw_store_path(const struct openclaw_store *store); /* of slots.json */

/* The credential in the entry's file: 0, or -errno and a text for people. */
int openclaw_store_grant(const struct openclaw_store *store, const struct openclaw_entry *entry,
	struct auth_grant *ret, char *err, size_t err_size) MUST_CHECK;
/*
 * The entry's usage as the `usage` member of a slot's record: usage5h, usageWeek, fivePct, weekPct,
 * checkedAt. NULL when it tells of none. New reference.
 */
json_t *openclaw_store_usage(const struct openclaw_entry *entry);
/* The provider openai-codex of models.json or the main configuration: borrowed, NULL if unknown. */
const json_t *openclaw_store_provider(const struct openclaw_store *store);

/*
 * The credential of a profile: "main" and "default" are the main agent's. agent NULL: "main". *ret
 * 0, or -errno and a text for people. ret_path: where it was found; free().
 */
int openclaw_store_profile_grant(const char *profile, const char *agent, struct auth_grant *ret,
	char **ret_path, char *err, size_t err_size) MUST_CHECK;

#endif
