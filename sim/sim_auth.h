/*
 * The login side: GET /oauth/authorize, POST /oauth/token and /oauth/revoke, and the device code
 * endpoints. Codes and device logins are kept until used.
 */
#ifndef SIM_AUTH_H
#define SIM_AUTH_H

#include "sim/sim_txn.h"

struct sim_auth *sim_auth_new(struct sim *sim);
void sim_auth_free(struct sim_auth *auth);
/* Forgets codes and device logins. */
void sim_auth_clear(struct sim_auth *auth);

void sim_auth_authorize(struct sim_txn *t);
void sim_auth_token(struct sim_txn *t);
void sim_auth_revoke(struct sim_txn *t);
void sim_auth_usercode(struct sim_txn *t);
void sim_auth_device_token(struct sim_txn *t);
/* GET /codex/device?user_code=…: what a person would do in the browser. */
void sim_auth_device_page(struct sim_txn *t);
/* Approves or denies a pending device login; false when there is none of this user code. */
bool sim_auth_approve(struct sim_auth *auth, struct sv user_code);
bool sim_auth_deny(struct sim_auth *auth, struct sv user_code);

#endif
