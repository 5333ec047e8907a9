/*
 * Accounts: identity, plan, windows that drain and reset, state, and the x-codex-* header block
 * that every answer of the codex endpoints carries. Owned by the table; never freed while running.
 */
#ifndef SIM_ACCOUNTS_H
#define SIM_ACCOUNTS_H

#include "base/jw.h"
#include "sim/sim.h"
#include "sim/sim_cache.h"
#include "sim/sim_ids.h"

enum sim_account_state {
	SIM_ACCOUNT_OK,
	SIM_ACCOUNT_DEACTIVATED, /* 401 account_deactivated */
	SIM_ACCOUNT_SUSPENDED,	 /* 403 account_suspended */
	SIM_ACCOUNT_BLOCKED,	 /* 403 with a page of HTML */
	SIM_ACCOUNT_UNPAID,	 /* 402 deactivated_workspace */
};

struct sim_window {
	bool present;
	double used_percent;
	int64_t length_s;
	int64_t reset_at_s;
	double capacity_share; /* tokens that fill it, as a multiple of the capacity option */
};

struct sim_token;

struct sim_account {
	struct sim *sim;
	unsigned index;
	char id[32];
	char uuid[SIM_UUID_SIZE];
	char user_id[SIM_ID_SIZE];
	char email[64];
	char plan[32];
	enum sim_account_state state;
	struct sim_window primary, secondary;
	bool credits;
	bool credits_unlimited;
	char credits_balance[32];
	int64_t reset_credits;
	int64_t token_ttl_s;
	unsigned family;
	const struct sim_token *access, *refresh, *id_token; /* the newest; owned by the registry */
	struct sim_scripts *scripts;
	struct sim_cache *cache;
	uint64_t requests;
	uint64_t refreshes;
	unsigned active;
	struct buf headers; /* cached block and what it was made for */
	int64_t headers_key[5];
};

struct sim_accounts *sim_accounts_new(struct sim *sim);
void sim_accounts_free(struct sim_accounts *t);
/* A new account acct-N with tokens; NULL when the plan is unknown or the table full. */
struct sim_account *sim_accounts_add(struct sim_accounts *t, struct sv plan);
bool sim_accounts_is_plan(struct sv plan);
size_t sim_accounts_count(const struct sim_accounts *t);
struct sim_account *sim_accounts_at(const struct sim_accounts *t, size_t index);
/* By "acct-2", e-mail or account id; NULL when there is none. */
struct sim_account *sim_accounts_find(const struct sim_accounts *t, struct sv name);
/* Fresh windows, state ok, no scripts; tokens stay as they are. */
void sim_accounts_reset(struct sim_accounts *t);

/* Sets the plan and the windows that go with it; false when unknown. */
bool sim_account_set_plan(struct sim_account *a, struct sv plan);
/* A new family of tokens: what a login gives. */
void sim_account_login(struct sim_account *a);
/* New access and refresh token within the family. */
void sim_account_rotate(struct sim_account *a);
/* Rolls windows whose reset time has passed. Call before looking at one. */
void sim_account_roll(struct sim_account *a);
/* The window that is full and resets last, or NULL. */
const struct sim_window *sim_account_full_window(struct sim_account *a);
/* Charges the windows. */
void sim_account_drain(struct sim_account *a, int64_t tokens);
/* x-codex-* header lines; borrowed until the next call. */
struct sv sim_account_headers(struct sim_account *a);
/* {"id":…,"plan":…} for the control API. */
void sim_account_write(struct sim_account *a, struct jw *w);
const char *sim_account_state_name(enum sim_account_state state);
/* SIM_ACCOUNT_OK for "ok"; false when the name is unknown. */
bool sim_account_parse_state(struct sv name, enum sim_account_state *ret);

#endif
