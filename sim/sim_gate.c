#include "sim/sim_gate.h"

#include "sim/sim_accounts.h"
#include "sim/sim_tokens.h"

enum { LIMIT_BODY = 1024 };

static struct sv bearer_of(const struct http_request *head)
{
	struct sv value = http_request_header(head, SV("authorization"));

	if (!sv_istarts(value, SV("Bearer ")))
		return SV_NONE;
	return sv_trim(sv_from(value, 7));
}

struct sim_account *sim_gate_account(const struct sim *sim, const struct http_request *head)
{
	const struct sim_token *token = sim_tokens_find(sim->tokens, bearer_of(head));

	return token && token->kind == SIM_TOKEN_ACCESS ? token->account : NULL;
}

static bool pass_token(struct sim_txn *t, const struct sim_token *token)
{
	if (!token || token->kind != SIM_TOKEN_ACCESS) {
		sim_txn_error(t, 401, "token_invalid",
			"Your authentication token is invalid. Please try signing in again.");
		return false;
	}
	sim_txn_set_account(t, token->account);
	if (token->state != SIM_TOKEN_VALID) {
		sim_txn_error(t, 401, "token_invalidated",
			"Your authentication token has been invalidated. Please try signing in "
			"again.");
		return false;
	}
	if (token->expires_s <= sim_now_s(t->sim)) {
		sim_txn_error(t, 401, "token_expired",
			"Provided authentication token is expired. Please try signing in again.");
		return false;
	}
	return true;
}

static bool pass_state(struct sim_txn *t)
{
	switch (t->account->state) {
	case SIM_ACCOUNT_OK:
		return true;
	case SIM_ACCOUNT_DEACTIVATED:
		sim_txn_error(t, 401, "account_deactivated",
			"Your OpenAI account has been deactivated, please check your email for "
			"more "
			"information.");
		return false;
	case SIM_ACCOUNT_SUSPENDED:
		sim_txn_error(t, 403, "account_suspended", "Your account has been suspended.");
		return false;
	case SIM_ACCOUNT_BLOCKED:
		sim_txn_respond(t, 403, SV("text/html; charset=UTF-8"),
			SV("<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>"
			   "Enable JavaScript and cookies to continue - cloudflare</body></html>"));
		return false;
	case SIM_ACCOUNT_UNPAID:
		sim_txn_json(t, 402, SV("{\"detail\":{\"code\":\"deactivated_workspace\"}}"));
		return false;
	}
	return true;
}

bool sim_gate_pass(struct sim_txn *t)
{
	struct sv bearer = bearer_of(t->head);
	struct sv id = sim_txn_header(t, SV("chatgpt-account-id"));

	if (!bearer.n) {
		sim_txn_error(t, 401, "token_invalid",
			"Missing bearer authentication in header. Please try signing in again.");
		return false;
	}
	if (!pass_token(t, sim_tokens_find(t->sim->tokens, bearer)))
		return false;
	if (!sv_eq(id, sv_cstr(t->account->uuid))) {
		sim_txn_error(t, 401, "token_invalid",
			"The chatgpt-account-id header does not match the authentication token.");
		return false;
	}
	return pass_state(t);
}

bool sim_gate_pass_limits(struct sim_txn *t)
{
	struct sim_account *a = t->account;
	const struct sim_window *full = sim_account_full_window(a);
	struct buf out;

	if (!full)
		return true;
	buf_init(&out, LIMIT_BODY);
	buf_addf(&out,
		"{\"error\":{\"type\":\"usage_limit_reached\",\"message\":\"The usage limit has "
		"been "
		"reached\",\"plan_type\":\"%s\",\"resets_at\":%lld,\"eligible_promo\":null,"
		"\"resets_in_seconds\":%lld}}",
		a->plan, (long long)full->reset_at_s,
		(long long)(full->reset_at_s - sim_now_s(t->sim)));
	sim_txn_json(t, 429, buf_sv(&out));
	buf_fini(&out);
	return false;
}
