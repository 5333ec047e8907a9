#include "relay/codex_auth.h"

#include "relay/router.h"
#include "slots/auth_file.h"

#include <stdio.h>

/* A proxy on this machine makes everybody's connections local; it says so. */
static bool came_through_proxy(const struct http_request *request)
{
	static const struct sv names[] = {
		SV("forwarded"), SV("via"), SV("x-real-ip"), SV("x-forwarded-for")};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (http_request_header(request, names[i]).n)
			return true;
	}
	return false;
}

/* "127.0.0.1:40123", "[::1]:40123", "unix:…". A peer that is not known is not local. */
static bool is_local(const char *peer)
{
	struct sv p = sv_cstr(peer);

	return sv_starts(p, SV("127.")) || sv_starts(p, SV("[::1]:")) || sv_starts(p, SV("unix"));
}

static bool refuse(struct api_err *err, const char *code, const char *message)
{
	api_err_set(err, 403, "permission_error", code, "%s", message);
	return false;
}

static bool refuse_token(struct api_err *err)
{
	api_err_set(err, 401, "authentication_error", "invalid_api_key",
		"The relay's token is missing or wrong: send it as Authorization: Bearer.");
	return false;
}

/*
 * 403, not 401: at a 401 the CLI would refresh its login, six times over, which helps nothing here.
 */
static bool allows_login(const struct conf *conf, const struct http_request *request,
	const char *peer, const struct auth_grant *login, struct api_err *err)
{
	if (!login->account_id ||
		!conf_names_has(&conf->codex_trust_accounts, sv_cstr(login->account_id)))
		return refuse(err, "account_not_trusted",
			"The relay does not know this ChatGPT account: its operator can list the "
			"account's id in codexClients.trustAccounts.");
	if (!conf->codex_trust_remote && (!is_local(peer) || came_through_proxy(request)))
		return refuse(err, "account_not_local",
			"The relay takes ChatGPT logins from its own machine only: use the relay's "
			"token, or see codexClients.trustRemote.");
	return true;
}

bool codex_auth_allows(const struct conf *conf, const struct http_request *request,
	const char *peer, int64_t now_ms, struct api_err *err)
{
	struct sv token = router_client_token(request);
	struct auth_grant login = {0};
	int64_t exp_ms = 0;
	bool ok;

	if (conf_token_ok(conf, token))
		return true;
	if (!token.n || jwt_claims(token, &login, &exp_ms))
		return refuse_token(err);
	ok = allows_login(conf, request, peer, &login, err);
	if (ok && exp_ms && exp_ms <= now_ms) {
		/* In the words of upstream: the CLI refreshes its login and comes again. */
		api_err_set(err, 401, "authentication_error", "token_expired",
			"Provided authentication token is expired. Please try signing in again.");
		ok = false;
	}
	auth_grant_fini(&login);
	return ok;
}

void codex_auth_account(const struct http_request *request, char out[CONF_NAME_BYTES_MAX + 1])
{
	struct sv told = http_request_header(request, SV("chatgpt-account-id"));
	struct auth_grant login = {0};
	int64_t exp_ms = 0;

	if (!told.n && !jwt_claims(router_client_token(request), &login, &exp_ms))
		told = sv_cstr(login.account_id);
	if (!conf_names_is_name(told))
		told = SV_NONE;
	sv_cut(told, out, CONF_NAME_BYTES_MAX + 1);
	auth_grant_fini(&login);
}
