#include "slots/oauth.h"

#include "base/b64url.h"
#include "base/ident.h"
#include "codex/failure_time.h"
#include "proto/url.h"
#include "slots/stamp.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	VERIFIER_BYTES = 64,
	STATE_BYTES = 32,
	URL_BYTES = 4096,
	TOKEN_TIMEOUT_MS = 60 * 1000,
};

#define SCOPE_LOGIN SV("openid profile email offline_access")
#define SCOPE_REFRESH SV("openid profile email")
#define FORM "application/x-www-form-urlencoded"
#define JSON "application/json"

static const struct {
	const char *path, *content_type;
} endpoints[] = {
	[OAUTH_TOKEN] = {"/oauth/token", FORM},
	[OAUTH_USERCODE] = {"/api/accounts/deviceauth/usercode", JSON},
	[OAUTH_DEVICE_TOKEN] = {"/api/accounts/deviceauth/token", JSON},
};

static const char *const permanent_codes[] = {
	"invalid_grant",
	"refresh_token_expired",
	"refresh_token_reused",
	"refresh_token_invalidated",
	"token_revoked",
	"token_expired",
	"app_session_terminated",
	"account_session_expired",
};

/* Encodes into out, which has room for it and a NUL. */
static void encode_into(const void *bytes, size_t n, char *out, size_t out_size)
{
	struct buf text;

	buf_init(&text, out_size);
	b64url_encode(sv_make(bytes, n), &text);
	snprintf(out, out_size, "%s", buf_cstr(&text));
	secret_wipe(text.data, text.len);
	buf_fini(&text);
}

void oauth_challenge(struct sv verifier, char out[OAUTH_CHALLENGE_SIZE])
{
	unsigned char digest[IDENT_SHA256_BYTES];

	ident_sha256(verifier, digest);
	encode_into(digest, sizeof(digest), out, OAUTH_CHALLENGE_SIZE);
}

void oauth_login_init(struct oauth_login *l)
{
	unsigned char random[VERIFIER_BYTES];

	ident_random(random, VERIFIER_BYTES);
	encode_into(random, VERIFIER_BYTES, l->verifier, sizeof(l->verifier));
	ident_random(random, STATE_BYTES);
	encode_into(random, STATE_BYTES, l->state, sizeof(l->state));
	secret_wipe(random, sizeof(random));
	oauth_challenge(sv_cstr(l->verifier), l->challenge);
}

void oauth_login_fini(struct oauth_login *l)
{
	if (l)
		secret_wipe(l, sizeof(*l));
}

static void add_issuer(const struct conf *conf, struct buf *out)
{
	struct sv issuer = sv_cstr(conf->auth_issuer);

	while (issuer.n && issuer.p[issuer.n - 1] == '/')
		issuer.n--;
	buf_add_sv(out, issuer);
}

/* "&name=value" of a form or a query; without the '&' at its start. */
static void add_pair(struct buf *out, const char *name, struct sv value)
{
	if (out->len && out->data[out->len - 1] != '?')
		buf_add_char(out, '&');
	buf_add_cstr(out, name);
	buf_add_char(out, '=');
	url_escape(value, out);
}

void oauth_authorize_url(
	const struct conf *conf, const struct oauth_login *l, bool choose_account, struct buf *out)
{
	add_issuer(conf, out);
	buf_add_cstr(out, "/oauth/authorize?");
	add_pair(out, "response_type", SV("code"));
	add_pair(out, "client_id", sv_cstr(conf->auth_client_id));
	add_pair(out, "redirect_uri", sv_cstr(conf->auth_redirect_uri));
	add_pair(out, "scope", SCOPE_LOGIN);
	add_pair(out, "code_challenge", sv_cstr(l->challenge));
	add_pair(out, "code_challenge_method", SV("S256"));
	add_pair(out, "id_token_add_organizations", SV("true"));
	add_pair(out, "codex_cli_simplified_flow", SV("true"));
	add_pair(out, "state", sv_cstr(l->state));
	add_pair(out, "originator", sv_cstr(conf->upstream_originator));
	if (choose_account)
		add_pair(out, "prompt", SV("login"));
}

void oauth_device_redirect_uri(const struct conf *conf, struct buf *out)
{
	add_issuer(conf, out);
	buf_add_cstr(out, "/deviceauth/callback");
}

void oauth_exchange_body(const struct conf *conf, struct sv code, struct sv redirect_uri,
	struct sv verifier, struct buf *out)
{
	add_pair(out, "grant_type", SV("authorization_code"));
	add_pair(out, "client_id", sv_cstr(conf->auth_client_id));
	add_pair(out, "code", code);
	add_pair(out, "redirect_uri", redirect_uri);
	add_pair(out, "code_verifier", verifier);
}

void oauth_refresh_body(const struct conf *conf, const struct secret *refresh, struct buf *out)
{
	add_pair(out, "grant_type", SV("refresh_token"));
	add_pair(out, "client_id", sv_cstr(conf->auth_client_id));
	add_pair(out, "refresh_token", secret_expose(refresh));
	add_pair(out, "scope", SCOPE_REFRESH);
}

void oauth_url(const struct conf *conf, enum oauth_endpoint endpoint, struct buf *out)
{
	add_issuer(conf, out);
	buf_add_cstr(out, endpoints[endpoint].path);
}

struct call *oauth_call_start(struct loop *loop, struct fetch_pool *pool, const struct conf *conf,
	enum oauth_endpoint endpoint, struct sv body,
	void (*on_done)(void *arg, const struct call_result *result), void *arg)
{
	struct http_header headers[] = {
		{SV("Content-Type"), sv_cstr(endpoints[endpoint].content_type)},
		{SV("Accept"), SV(JSON)},
		{SV("originator"), sv_cstr(conf->upstream_originator)},
		{SV("User-Agent"), sv_cstr(conf->upstream_user_agent)},
	};
	struct call_request request = {
		.method = "POST",
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
		.body = body,
		.connect_timeout_ms = conf->upstream_connect_timeout_s * 1000,
		.total_timeout_ms = TOKEN_TIMEOUT_MS,
		.body_cap = OAUTH_BODY_BYTES,
		.fresh_connection = true,
	};
	struct buf url;
	struct call *call;

	buf_init(&url, URL_BYTES);
	oauth_url(conf, endpoint, &url);
	request.url = buf_cstr(&url);
	call = call_start(loop, pool, &request, on_done, arg);
	buf_fini(&url);
	return call;
}

bool oauth_code_is_permanent(struct sv code)
{
	for (size_t i = 0; i < ARRAY_LEN(permanent_codes); i++) {
		if (sv_eq(code, sv_cstr(permanent_codes[i])))
			return true;
	}
	return false;
}

bool oauth_shown_code(struct sv word, char out[OAUTH_CODE_SIZE])
{
	if (!word.n || word.n >= OAUTH_CODE_SIZE)
		return false;
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];

		if (!islower((unsigned char)c) && !isdigit((unsigned char)c) && c != '_' &&
			c != '.' && c != '-')
			return false;
	}
	memcpy(out, word.p, word.n);
	out[word.n] = '\0';
	return true;
}

static bool code_of(const struct refusal *refusal, char out[OAUTH_CODE_SIZE])
{
	return oauth_shown_code(sv_cstr(refusal->code), out) ||
	       oauth_shown_code(sv_cstr(refusal->type), out);
}

bool oauth_error_code(struct sv body, char out[OAUTH_CODE_SIZE])
{
	struct refusal refusal;
	char code[OAUTH_CODE_SIZE];
	bool found;

	refusal_read_body(body, 0, &refusal);
	found = code_of(&refusal, code);
	secret_wipe(&refusal, sizeof(refusal));
	if (found)
		memcpy(out, code, sizeof(code));
	return found;
}

/* Behind a gateway's error the request may have been served. */
static bool is_gateway_error(int status)
{
	return status == 408 || status == 502 || status == 504 || status == 520 || status == 524;
}

static enum oauth_outcome outcome_of(const struct call_result *r, const char *code)
{
	/* The first of them is over before a request, the other before its last byte, and without
	 * that there is no request. */
	if (r->outcome == FETCH_CONNECT || r->outcome == FETCH_SEND)
		return OAUTH_NOT_SENT;
	if (is_gateway_error(r->status))
		return OAUTH_IN_DOUBT;
	/* A refusal stays one when its body is cut. */
	if (r->status >= 400 && r->status < 500)
		return oauth_code_is_permanent(sv_cstr(code)) ? OAUTH_DEAD : OAUTH_REFUSED;
	return r->outcome == FETCH_OK && r->status >= 300 ? OAUTH_REFUSED : OAUTH_IN_DOUBT;
}

static void describe(const struct call_result *r, struct oauth_answer *a)
{
	char code[OAUTH_CODE_SIZE + 3] = "";

	if (a->code[0])
		snprintf(code, sizeof(code), " (%s)", a->code);
	switch (a->outcome) {
	case OAUTH_NOT_SENT:
		snprintf(a->message, sizeof(a->message), "the issuer could not be reached: %s",
			r->message);
		break;
	case OAUTH_IN_DOUBT:
		if (r->outcome != FETCH_OK)
			snprintf(a->message, sizeof(a->message),
				"no answer came from the issuer: %s", r->message);
		else
			snprintf(a->message, sizeof(a->message),
				"the issuer's answer with status %d held no access token%s",
				r->status, code);
		break;
	default:
		snprintf(a->message, sizeof(a->message), "the issuer refused with status %d%s",
			r->status, code);
		break;
	}
}

static void read_refusal(const struct call_result *r, int64_t now_ms, struct oauth_answer *a)
{
	struct refusal refusal;
	struct failure_hints hints = {
		.refusal = &refusal,
		.headers = r->headers,
		.header_count = r->header_count,
		.now_ms = now_ms,
	};
	int64_t until_ms;

	refusal_read_body(r->body, r->status, &refusal);
	code_of(&refusal, a->code);
	a->outcome = outcome_of(r, a->code);
	until_ms = failure_time_until(&hints);
	if (a->outcome == OAUTH_REFUSED && until_ms > now_ms)
		a->retry_after_ms = until_ms - now_ms;
	secret_wipe(&refusal, sizeof(refusal));
	describe(r, a);
}

/* Seconds from now on, of an answer that has just come; 0: not told. */
static int64_t expires_in_s(const json_t *doc)
{
	static const double longest = 1e9;
	const json_t *value = json_object_get(doc, "expires_in");
	double seconds = json_number_value(value);

	if (json_is_string(value) && sv_f64(sv_cstr(json_string_value(value)), &seconds) != 0)
		return 0;
	return seconds > 0 && seconds < longest ? (int64_t)seconds : 0;
}

static bool read_grant(struct sv body, int64_t now_ms, struct auth_grant *ret)
{
	char ignored[256];
	json_t *doc = body.n ? json_loadb(body.p, body.n, 0, NULL) : NULL;
	int err = -EINVAL;

	if (json_is_object(doc))
		err = auth_grant_from_json(doc, now_ms, ret, ignored, sizeof(ignored));
	if (!err && expires_in_s(doc))
		ret->expires_ms = now_ms + expires_in_s(doc) * 1000;
	json_decref(doc);
	return !err;
}

void oauth_answer_read(const struct call_result *r, int64_t now_ms, struct oauth_answer *ret)
{
	*ret = (struct oauth_answer){.status = r->status};
	if (r->outcome == FETCH_OK && r->status >= 200 && r->status < 300 &&
		read_grant(r->body, now_ms, &ret->grant))
		ret->outcome = OAUTH_GRANTED;
	else
		read_refusal(r, now_ms, ret);
}

void oauth_answer_fini(struct oauth_answer *a)
{
	if (a)
		auth_grant_fini(&a->grant);
}

static bool may_be_same(const char *a, const char *b)
{
	return !a || !b || strcmp(a, b) == 0;
}

bool oauth_same_identity(const struct auth_grant *a, const struct auth_grant *b)
{
	if (!may_be_same(a->account_id, b->account_id) || !may_be_same(a->user_id, b->user_id))
		return false;
	/* Seats of one account are told apart by the user; an address may change. */
	if (a->user_id && b->user_id)
		return true;
	return may_be_same(a->email, b->email);
}
