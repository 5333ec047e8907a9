#include "sim/sim_auth.h"

#include "base/b64url.h"
#include "base/clock.h"
#include "base/jw.h"
#include "base/limits.h"
#include "proto/url.h"
#include "sim/sim_accounts.h"
#include "sim/sim_form.h"
#include "sim/sim_script.h"
#include "sim/sim_tokens.h"

#include <openssl/sha.h>

#include <stdio.h>
#include <stdlib.h>

#define CLIENT_ID SV("app_EMoamEEZ73f0CkXaXp7hrann")
#define DEFAULT_SCOPE SV("openid profile email offline_access")
enum { CODE_LIFE_S = 600, DEVICE_LIFE_S = 900, GRANTS_COUNT = 1000 };
/* RFC 7636: base64url of a SHA-256, and the length of a verifier. */
enum { CHALLENGE_BYTES = 43, VERIFIER_MIN_BYTES = 43, VERIFIER_MAX_BYTES = 128 };

/* An authorization code, and for device logins what leads to it. */
struct grant {
	struct grant *next;
	struct sim_account *account;
	char code[SIM_ID_SIZE];
	struct buf challenge, verifier, redirect_uri;
	int64_t expires_s;
	char device_id[SIM_ID_SIZE]; /* "": a browser login */
	char user_code[16];
	int64_t polls_left; /* pending answers before approval; -1: until approved */
	bool approved, denied;
};

struct sim_auth {
	struct sim *sim;
	struct grant *grants;
	size_t count;
	size_t turn; /* whose login is next */
};

struct sim_auth *sim_auth_new(struct sim *sim)
{
	struct sim_auth *auth = mem_zalloc(sizeof(*auth));

	auth->sim = sim;
	return auth;
}

static void free_grant(struct sim_auth *auth, struct grant *g)
{
	struct grant **at = &auth->grants;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	auth->count--;
	buf_fini(&g->challenge);
	buf_fini(&g->verifier);
	buf_fini(&g->redirect_uri);
	free(g);
}

void sim_auth_clear(struct sim_auth *auth)
{
	while (auth->grants)
		free_grant(auth, auth->grants);
	auth->turn = 0;
}

void sim_auth_free(struct sim_auth *auth)
{
	if (!auth)
		return;
	sim_auth_clear(auth);
	free(auth);
}

/* Who logs in: the hint, else the account set by the control API, else each in turn. */
static struct sim_account *next_login(struct sim_auth *auth, struct sv hint)
{
	struct sim_accounts *accounts = auth->sim->accounts;

	if (!hint.n)
		hint = sv_cstr(auth->sim->settings.login_account);
	if (hint.n)
		return sim_accounts_find(accounts, hint);
	if (!sim_accounts_count(accounts))
		return NULL;
	return sim_accounts_at(accounts, auth->turn++ % sim_accounts_count(accounts));
}

static struct grant *new_grant(struct sim_auth *auth, struct sim_account *a, int64_t life_s)
{
	struct grant *g = mem_zalloc(sizeof(*g));

	while (auth->count >= GRANTS_COUNT)
		free_grant(auth, auth->grants);
	g->account = a;
	g->expires_s = sim_now_s(auth->sim) + life_s;
	sim_ids_make(auth->sim, "ac_sim_", g->code);
	buf_init(&g->challenge, KIB(1));
	buf_init(&g->verifier, KIB(1));
	buf_init(&g->redirect_uri, KIB(8));
	g->next = auth->grants;
	auth->grants = g;
	auth->count++;
	return g;
}

static void challenge_of(struct sv verifier, struct buf *out)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)verifier.p, verifier.n, digest);
	b64url_encode(sv_make((const char *)digest, sizeof(digest)), out);
}

/* Sends the browser back with what the login gave: a code, or an error. */
static void redirect(struct sim_txn *t, struct sv uri, struct sv given, struct sv state)
{
	struct buf location;

	buf_init(&location, KIB(16));
	buf_add_sv(&location, uri);
	buf_add_char(&location, '?');
	buf_add_sv(&location, given);
	buf_add_lit(&location, "&state=");
	url_escape(state, &location);
	sim_txn_respond_with(t, 302, SV("text/html; charset=utf-8"), SV("<p>Signed in.</p>"),
		(struct http_header){SV("location"), buf_sv(&location)});
	buf_fini(&location);
}

/* The client is registered with http://localhost/auth/callback and a fixed port; here any port is
 * good, for tests choose theirs at run time. */
static bool is_registered(struct sv uri)
{
	struct url u;

	return url_parse(uri, &u) == 0 && sv_eq(u.scheme, SV("http")) &&
	       sv_eq(u.host, SV("localhost")) && sv_eq(u.path, SV("/auth/callback")) &&
	       u.path.p + u.path.n == uri.p + uri.n;
}

static bool has_scope(struct sv scopes, struct sv wanted)
{
	while (scopes.n) {
		if (sv_eq(sv_split(&scopes, ' '), wanted))
			return true;
	}
	return false;
}

/* What is wrong with a request to sign somebody in; NULL: nothing. */
static const char *check_authorize(struct sim_txn *t)
{
	struct sv scope = sim_form_query(t, SV("scope"));
	struct sv challenge = sim_form_query(t, SV("code_challenge"));

	if (!sv_eq(sim_form_query(t, SV("response_type")), SV("code")))
		return "response_type=code is required.";
	if (!sv_eq(sim_form_query(t, SV("client_id")), CLIENT_ID))
		return "Unknown client_id.";
	if (!is_registered(sim_form_query(t, SV("redirect_uri"))))
		return "redirect_uri is not registered for this client.";
	if (!sim_form_query(t, SV("state")).n)
		return "state is required.";
	if (!sv_eq(sim_form_query(t, SV("code_challenge_method")), SV("S256")) ||
		challenge.n != CHALLENGE_BYTES)
		return "code_challenge and code_challenge_method=S256 are required.";
	if (!has_scope(scope, SV("openid")) || !has_scope(scope, SV("offline_access")))
		return "scope must hold openid and offline_access.";
	return NULL;
}

static void send_back(struct sim_txn *t, struct sim_account *a, struct sv uri, struct sv state)
{
	const char *error = t->sim->settings.login_error;
	struct grant *g;
	struct buf given;

	buf_init(&given, KIB(1));
	if (error[0]) {
		buf_addf(&given, "error=%s&error_description=The+login+was+ended.", error);
	} else {
		g = new_grant(t->sim->auth, a, CODE_LIFE_S);
		buf_add_sv(&g->challenge, sim_form_query(t, SV("code_challenge")));
		buf_add_sv(&g->redirect_uri, uri);
		buf_addf(&given, "code=%s&scope=openid+profile+email+offline_access", g->code);
	}
	redirect(t, uri, buf_sv(&given), state);
	buf_fini(&given);
}

void sim_auth_authorize(struct sim_txn *t)
{
	const char *wrong = check_authorize(t);
	struct sim_account *a;

	if (wrong) {
		sim_txn_error(t, 400, "invalid_request", wrong);
		return;
	}
	a = next_login(t->sim->auth, sim_form_query(t, SV("login_hint")));
	if (!a) {
		sim_txn_error(t, 400, "invalid_request", "No such account.");
		return;
	}
	sim_txn_set_account(t, a);
	send_back(t, a, sim_form_query(t, SV("redirect_uri")), sim_form_query(t, SV("state")));
}

/* {"error":"invalid_grant","error_description":…}, as OAuth has it. */
static void oauth_error(struct sim_txn *t, int status, const char *code, const char *text)
{
	struct buf out;
	struct jw w;

	buf_init(&out, KIB(4));
	w = jw_begin(&out);
	jw_obj(&w);
	jw_kstr(&w, "error", sv_cstr(code));
	jw_kstr(&w, "error_description", sv_cstr(text));
	jw_end(&w);
	sim_txn_json(t, status, buf_sv(&out));
	buf_fini(&out);
}

static void answer_tokens(struct sim_txn *t)
{
	const struct sim_account *a = t->account;
	struct buf out;
	struct jw w;

	buf_init(&out, KIB(32));
	w = jw_begin(&out);
	jw_obj(&w);
	jw_kstr(&w, "access_token", sv_make(a->access->text, a->access->length));
	jw_kstr(&w, "refresh_token", sv_make(a->refresh->text, a->refresh->length));
	jw_kstr(&w, "id_token", sv_make(a->id_token->text, a->id_token->length));
	jw_klit(&w, "token_type", "Bearer");
	jw_ki64(&w, "expires_in", a->token_ttl_s);
	jw_kstr(&w, "scope", DEFAULT_SCOPE);
	jw_end(&w);
	sim_txn_json(t, 200, buf_sv(&out));
	buf_fini(&out);
}

/* Answered by a script where there is one, whatever the token. */
static void with_script(struct sim_txn *t, void (*normal)(struct sim_txn *t))
{
	t->script = sim_script_take(t->sim, t->account, t->head->path, sim_txn_body(t));
	sim_txn_run_script(t, normal);
}

static void finish_login(struct sim_txn *t)
{
	sim_account_login(t->account);
	answer_tokens(t);
}

static struct grant *find_code(struct sim_auth *auth, struct sv code)
{
	struct grant *g = auth->grants;

	while (g && !sv_eq(sv_cstr(g->code), code))
		g = g->next;
	return g;
}

/* Device logins end at a page of the issuer, as which the client knows us. */
static bool is_own_callback(struct sim_txn *t, struct sv uri)
{
	struct buf own;
	bool same;

	buf_init(&own, KIB(2));
	buf_addf(&own, "http://%.*s/deviceauth/callback", SV_ARG(sim_txn_header(t, SV("host"))));
	same = sv_eq(buf_sv(&own), uri);
	buf_fini(&own);
	return same;
}

static bool redirect_matches(struct sim_txn *t, const struct grant *g, struct sv uri)
{
	return g->device_id[0] ? is_own_callback(t, uri) : sv_eq(buf_sv(&g->redirect_uri), uri);
}

static bool verifier_matches(const struct grant *g, struct sv verifier)
{
	struct buf challenge;
	bool same;

	if (verifier.n < VERIFIER_MIN_BYTES || verifier.n > VERIFIER_MAX_BYTES)
		return false;
	buf_init(&challenge, KIB(1));
	challenge_of(verifier, &challenge);
	same = sv_eq(buf_sv(&challenge), buf_sv(&g->challenge));
	buf_fini(&challenge);
	return same;
}

static void exchange_code(struct sim_txn *t, const struct sim_form *f)
{
	struct grant *g = find_code(t->sim->auth, sim_form_get(f, SV("code")));
	bool ok;

	if (!g || g->expires_s < sim_now_s(t->sim) || (g->device_id[0] && !g->approved)) {
		oauth_error(
			t, 400, "invalid_grant", "The authorization code is unknown or expired.");
		return;
	}
	ok = verifier_matches(g, sim_form_get(f, SV("code_verifier")));
	if (!ok || !redirect_matches(t, g, sim_form_get(f, SV("redirect_uri")))) {
		oauth_error(t, 400, "invalid_grant",
			ok ? "redirect_uri does not match." : "code_verifier does not match.");
		return;
	}
	sim_txn_set_account(t, g->account);
	free_grant(t->sim->auth, g); /* a code works once */
	with_script(t, finish_login);
}

static void refuse_refresh(struct sim_txn *t, struct sim_token *token)
{
	struct sim *sim = t->sim;

	if (token->state == SIM_TOKEN_REVOKED) {
		sim_txn_error(t, 401, "refresh_token_invalidated",
			"Your refresh token has been revoked. Please try signing in again.");
		return;
	}
	/* Used twice: the family goes, as after a theft. */
	sim->stats.refresh_reuses++;
	sim_tokens_revoke_family(sim->tokens, token->family);
	sim_txn_error(t, 401, "refresh_token_reused",
		"Your refresh token has already been used to generate a new access token. Please "
		"try "
		"signing in again.");
}

static void finish_refresh(struct sim_txn *t)
{
	struct sim_account *a = t->account;
	struct sim_form f;
	struct sim_token *token = NULL;

	if (sim_form_init(&f, t))
		token = sim_tokens_find(t->sim->tokens, sim_form_get(&f, SV("refresh_token")));
	if (!token || token->state != SIM_TOKEN_VALID) {
		if (token)
			refuse_refresh(t, token);
		else
			oauth_error(t, 400, "invalid_grant", "Unknown refresh token.");
		return;
	}
	if (a->state == SIM_ACCOUNT_DEACTIVATED) {
		sim_txn_error(t, 401, "account_deactivated", "The account has been deactivated.");
		return;
	}
	token->state = SIM_TOKEN_USED;
	a->family = token->family;
	a->refreshes++;
	t->sim->stats.refreshes++;
	sim_account_rotate(a);
	answer_tokens(t);
}

static void refresh(struct sim_txn *t, const struct sim_form *f)
{
	struct sim_token *token =
		sim_tokens_find(t->sim->tokens, sim_form_get(f, SV("refresh_token")));

	if (!token || token->kind != SIM_TOKEN_REFRESH) {
		oauth_error(t, 400, "invalid_grant", "Unknown refresh token.");
		return;
	}
	sim_txn_set_account(t, token->account);
	with_script(t, finish_refresh);
}

void sim_auth_token(struct sim_txn *t)
{
	struct sim_form f;
	struct sv type;

	if (!sim_form_init(&f, t)) {
		oauth_error(t, 400, "invalid_request", "The body is neither a form nor JSON.");
		return;
	}
	type = sim_form_get(&f, SV("grant_type"));
	if (!sv_eq(sim_form_get(&f, SV("client_id")), CLIENT_ID))
		oauth_error(t, 401, "invalid_client", "Unknown client_id.");
	else if (sv_eq(type, SV("refresh_token")))
		refresh(t, &f);
	else if (sv_eq(type, SV("authorization_code")))
		exchange_code(t, &f);
	else
		oauth_error(t, 400, "unsupported_grant_type", "Unsupported grant_type.");
}

void sim_auth_revoke(struct sim_txn *t)
{
	struct sim_form f;
	struct sim_token *token = NULL;

	if (sim_form_init(&f, t))
		token = sim_tokens_find(t->sim->tokens, sim_form_get(&f, SV("token")));
	if (token) {
		sim_txn_set_account(t, token->account);
		sim_tokens_revoke_family(t->sim->tokens, token->family);
	}
	sim_txn_json(t, 200, SV("{}"));
}

static void make_device(struct sim *sim, struct grant *g)
{
	uint64_t digits = sim_ids_next(&sim->random);
	char verifier[SIM_ID_SIZE];
	char more[SIM_ID_SIZE];

	sim_ids_make(sim, "deviceauth_", g->device_id);
	for (size_t i = 0; i < 4; i++)
		g->user_code[i] = (char)('A' + (digits >> (i * 5)) % 26);
	snprintf(g->user_code + 4, sizeof(g->user_code) - 4, "-%05u",
		(unsigned)(digits >> 32) % 100000);
	sim_ids_make(sim, "verifier_", verifier);
	sim_ids_make(sim, "_", more);
	buf_addf(&g->verifier, "%s%s", verifier, more);
	challenge_of(buf_sv(&g->verifier), &g->challenge);
	g->polls_left = sim->settings.device_pending_polls;
}

static void start_device(struct sim_txn *t)
{
	struct sim *sim = t->sim;
	struct sim_account *a = next_login(sim->auth, SV_NONE);
	char expires[CLOCK_ISO_SIZE];
	struct sim_form f;
	struct grant *g;
	struct buf out;

	if (!sim->settings.device_enabled || !a) {
		sim_txn_detail(t, 404, "Not Found");
		return;
	}
	if (!sim_form_init(&f, t) || !sv_eq(sim_form_get(&f, SV("client_id")), CLIENT_ID)) {
		sim_txn_error(t, 400, "invalid_client", "Unknown client_id.");
		return;
	}
	g = new_grant(sim->auth, a, DEVICE_LIFE_S);
	make_device(sim, g);
	clock_format_iso(g->expires_s * 1000, expires);
	buf_init(&out, KIB(1));
	buf_addf(&out,
		"{\"device_auth_id\":\"%s\",\"user_code\":\"%s\",\"interval\":\"1\",\"expires_at\":"
		"\"%s\"}",
		g->device_id, g->user_code, expires);
	sim_txn_json(t, 200, buf_sv(&out));
	buf_fini(&out);
}

void sim_auth_usercode(struct sim_txn *t)
{
	with_script(t, start_device);
}

static struct grant *find_device(struct sim_auth *auth, struct sv device_id, struct sv user_code)
{
	struct grant *g = auth->grants;

	while (g && !(g->device_id[0] && sv_eq(sv_cstr(g->user_code), user_code) &&
			    (!device_id.n || sv_eq(sv_cstr(g->device_id), device_id))))
		g = g->next;
	return g;
}

bool sim_auth_approve(struct sim_auth *auth, struct sv user_code)
{
	struct grant *g = find_device(auth, SV_NONE, user_code);

	if (!g || g->denied)
		return false;
	g->approved = true;
	return true;
}

bool sim_auth_deny(struct sim_auth *auth, struct sv user_code)
{
	struct grant *g = find_device(auth, SV_NONE, user_code);

	if (!g || g->approved)
		return false;
	g->denied = true;
	return true;
}

void sim_auth_device_page(struct sim_txn *t)
{
	if (sim_auth_approve(t->sim->auth, sim_form_query(t, SV("user_code"))))
		sim_txn_respond(t, 200, SV("text/plain"), SV("Approved.\n"));
	else
		sim_txn_respond(
			t, 404, SV("text/plain"), SV("Open /codex/device?user_code=CODE\n"));
}

/* Otherwise it has been answered why not. */
static bool device_is_ready(struct sim_txn *t, struct grant *g)
{
	const char *code = NULL;

	if (!g->approved && !g->denied && g->polls_left == 0)
		g->approved = true;
	else if (g->polls_left > 0)
		g->polls_left--;
	if (g->expires_s < sim_now_s(t->sim))
		code = "expired_token";
	else if (g->denied)
		code = "access_denied";
	else if (!g->approved)
		code = "deviceauth_authorization_unknown";
	if (code)
		sim_txn_error(t, 403, code, "Device authorization failed. Please try again.");
	return !code;
}

static void answer_poll(struct sim_txn *t)
{
	struct sim_form f;
	struct grant *g = NULL;
	struct buf out;

	if (sim_form_init(&f, t))
		g = find_device(t->sim->auth, sim_form_get(&f, SV("device_auth_id")),
			sim_form_get(&f, SV("user_code")));
	if (!g || !sim_form_get(&f, SV("device_auth_id")).n) {
		sim_txn_error(t, 403, "deviceauth_authorization_unknown",
			"Device authorization is unknown. Please try again.");
		return;
	}
	if (!device_is_ready(t, g))
		return;
	sim_txn_set_account(t, g->account);
	buf_init(&out, KIB(2));
	buf_addf(&out,
		"{\"authorization_code\":\"%s\",\"code_challenge\":\"%s\",\"code_verifier\":\"%"
		"s\"}",
		g->code, buf_cstr(&g->challenge), buf_cstr(&g->verifier));
	sim_txn_json(t, 200, buf_sv(&out));
	buf_fini(&out);
}

void sim_auth_device_token(struct sim_txn *t)
{
	with_script(t, answer_poll);
}
