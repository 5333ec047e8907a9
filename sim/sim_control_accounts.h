/* Control API: accounts, their settings, auth files and scripts. */
#ifndef SIM_CONTROL_ACCOUNTS_H
#define SIM_CONTROL_ACCOUNTS_H

#include "sim/sim_accounts.h"

#include <jansson.h>

void sim_control_accounts_list(struct sim *sim, struct http_stream *stream);
/* {"count":N,"plan":…, and settings}: new accounts. */
void sim_control_accounts_create(struct sim *sim, struct http_stream *stream, json_t *body);
/* Changes one account; NULL or what is wrong with it. */
const char *sim_control_accounts_change(struct sim_account *a, json_t *body);
/* {"version":1,"profiles":{"openai-codex:default":{…}}} */
void sim_control_accounts_profiles(struct sim_account *a, struct http_stream *stream);
/* Codex CLI's auth.json. */
void sim_control_accounts_auth_json(struct sim_account *a, struct http_stream *stream);

#endif
