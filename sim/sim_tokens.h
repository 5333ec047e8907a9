/*
 * Access, refresh and id tokens: made, found, used up, revoked. A family is what one login began; a
 * refresh token that is used twice revokes its family. Tokens stay known for the life of the
 * process, so that a stale one gets its true error.
 */
#ifndef SIM_TOKENS_H
#define SIM_TOKENS_H

#include "sim/sim.h"

enum sim_token_kind { SIM_TOKEN_ACCESS, SIM_TOKEN_REFRESH, SIM_TOKEN_ID };
enum sim_token_state { SIM_TOKEN_VALID, SIM_TOKEN_USED, SIM_TOKEN_REVOKED };

struct sim_token {
	struct sim_token *next; /* private: hash chain */
	enum sim_token_kind kind;
	enum sim_token_state state;
	struct sim_account *account;
	unsigned family;
	int64_t expires_s; /* 0: never */
	char *text;
	size_t length;
};

struct sim_tokens *sim_tokens_new(void);
void sim_tokens_free(struct sim_tokens *t);
unsigned sim_tokens_new_family(struct sim_tokens *t);
/* A new token of this account, owned by the registry. */
struct sim_token *sim_tokens_issue(
	struct sim *sim, struct sim_account *a, enum sim_token_kind kind, unsigned family);
/* NULL when nobody issued it. */
struct sim_token *sim_tokens_find(const struct sim_tokens *t, struct sv text);
void sim_tokens_revoke_family(struct sim_tokens *t, unsigned family);
/* Revokes all tokens of one kind of an account. */
void sim_tokens_revoke(struct sim_tokens *t, const struct sim_account *a, enum sim_token_kind kind);

#endif
