#include "slots/auth_file.h"

#include "base/b64url.h"
#include "base/durable.h"
#include "base/limits.h"
#include "conf/json_file.h"
#include "slots/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	TOKEN_MAX_BYTES = 32 * 1024,
	NAME_MAX_BYTES = 320, /* an e-mail address is not longer */
};

#define PROVIDER "openai-codex"
#define DEFAULT_PROFILE "openai-codex:default"
#define CLAIMS_AUTH "https://api.openai.com/auth"
#define CLAIMS_PROFILE "https://api.openai.com/profile"

void auth_grant_fini(struct auth_grant *g)
{
	if (!g)
		return;
	secret_fini(&g->access);
	secret_fini(&g->refresh);
	secret_fini(&g->id_token);
	free(g->account_id);
	free(g->user_id);
	free(g->email);
	free(g->plan_type);
	*g = (struct auth_grant){0};
}

static struct sv text_of(const json_t *value)
{
	if (!json_is_string(value))
		return SV_NONE;
	return sv_trim(sv_make(json_string_value(value), json_string_length(value)));
}

/* The first of several spellings that holds a non-empty string. */
static struct sv member_text(const json_t *object, const char *const *names)
{
	for (; *names; names++) {
		struct sv text = text_of(json_object_get(object, *names));

		if (text.n)
			return text;
	}
	return SV_NONE;
}

/* What goes into a header: no space, no control character, plain ASCII. */
static bool is_visible(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return false;
	}
	return text.n > 0;
}

/* Terminals show it: no control characters, those of Latin-1 (C2 80 to C2 9F) included. */
static bool is_name(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < ' ' || c == 0x7f)
			return false;
		if (c == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0)
			return false;
	}
	return text.n > 0 && text.n <= NAME_MAX_BYTES;
}

/* Sets what is not known yet. */
static void learn_name(char **place, struct sv text)
{
	if (!*place && is_name(text))
		*place = mem_strndup(text.p, text.n);
}

static void learn_id(char **place, struct sv text)
{
	if (is_visible(text))
		learn_name(place, text);
}

static void take_claims(const json_t *claims, struct auth_grant *into, int64_t *ret_exp_ms)
{
	static const char *const user[] = {"chatgpt_user_id", "user_id", NULL};
	const json_t *auth = json_object_get(claims, CLAIMS_AUTH);
	const json_t *profile = json_object_get(claims, CLAIMS_PROFILE);
	int64_t exp_ms = stamp_read(json_object_get(claims, "exp"));
	int64_t iat_ms = stamp_read(json_object_get(claims, "iat"));

	learn_id(&into->account_id, text_of(json_object_get(auth, "chatgpt_account_id")));
	learn_id(&into->user_id, member_text(auth, user));
	learn_id(&into->plan_type, text_of(json_object_get(auth, "chatgpt_plan_type")));
	learn_name(&into->email, text_of(json_object_get(profile, "email")));
	learn_name(&into->email, text_of(json_object_get(claims, "email")));
	if (exp_ms)
		*ret_exp_ms = exp_ms;
	if (iat_ms && !into->granted_ms)
		into->granted_ms = iat_ms;
}

int jwt_claims(struct sv token, struct auth_grant *into, int64_t *ret_exp_ms)
{
	struct sv rest = token;
	struct sv payload;
	struct buf text;
	json_t *claims;
	int err;

	if (token.n > TOKEN_MAX_BYTES)
		return -EINVAL;
	sv_split(&rest, '.');
	payload = sv_split(&rest, '.');
	if (!payload.n || !rest.n)
		return -EINVAL; /* not three parts: an opaque token */
	buf_init(&text, TOKEN_MAX_BYTES);
	err = b64url_decode(payload, &text) || !text.len ? -EINVAL : 0;
	claims = err ? NULL : json_loadb(text.data, text.len, 0, NULL);
	secret_wipe(text.data, text.len);
	buf_fini(&text);
	if (!json_is_object(claims)) {
		json_decref(claims);
		return -EINVAL;
	}
	take_claims(claims, into, ret_exp_ms);
	json_decref(claims);
	return 0;
}

static bool holds_access(const json_t *object)
{
	static const char *const names[] = {"access", "access_token", "accessToken", NULL};

	return member_text(object, names).n != 0;
}

static bool is_of_provider(const char *name, const json_t *profile)
{
	struct sv provider = text_of(json_object_get(profile, "provider"));

	if (provider.n)
		return sv_eq(provider, SV(PROVIDER));
	return sv_starts(sv_cstr(name), SV(PROVIDER));
}

/* "openai-codex:default", else the first Codex profile that has a token. */
static json_t *find_profile(json_t *profiles)
{
	json_t *profile = json_object_get(profiles, DEFAULT_PROFILE);
	const char *name;
	json_t *first = NULL;

	if (holds_access(profile))
		return profile;
	json_object_foreach(profiles, name, profile)
	{
		if (!first && holds_access(profile) && is_of_provider(name, profile))
			first = profile;
	}
	return first;
}

/* The object with the tokens in any of the accepted shapes, or NULL. */
static json_t *find_credential(json_t *doc)
{
	json_t *found = find_profile(json_object_get(doc, "profiles"));

	if (!found)
		found = json_object_get(json_object_get(doc, "oauth"), PROVIDER);
	if (!found)
		found = json_object_get(doc, "tokens");
	if (!found)
		found = doc;
	return holds_access(found) ? found : NULL;
}

static void describe_missing(const json_t *doc, char *err, size_t err_size)
{
	const char *text = "no access token in it; accepted are auth-profiles.json with a profile "
			   "of openai-codex, {\"oauth\":{\"openai-codex\":{…}}}, an object with "
			   "\"access\" or \"access_token\", and Codex CLI's auth.json";

	if (text_of(json_object_get(doc, "OPENAI_API_KEY")).n)
		text = "it holds an API key and no ChatGPT login; run `codex login` first";
	else if (json_object_get(doc, "profiles"))
		text = "no profile of openai-codex with an access token in it";
	snprintf(err, err_size, "%s", text);
}

static int take_token(
	struct secret *place, struct sv token, const char *what, char *err, size_t err_size)
{
	if (!token.n)
		return 0;
	if (!is_visible(token) || token.n > TOKEN_MAX_BYTES) {
		snprintf(err, err_size, "the %s token is no token: spaces or odd characters in it",
			what);
		return -EINVAL;
	}
	secret_set(place, token);
	return 0;
}

static int take_tokens(const json_t *credential, struct auth_grant *g, char *err, size_t err_size)
{
	static const char *const access[] = {"access", "access_token", "accessToken", NULL};
	static const char *const refresh[] = {"refresh", "refresh_token", "refreshToken", NULL};
	static const char *const id_token[] = {"id_token", "idToken", NULL};
	int result =
		take_token(&g->access, member_text(credential, access), "access", err, err_size);

	if (!result)
		result = take_token(
			&g->refresh, member_text(credential, refresh), "refresh", err, err_size);
	if (!result)
		result = take_token(
			&g->id_token, member_text(credential, id_token), "id", err, err_size);
	return result;
}

static void take_names(const json_t *credential, struct auth_grant *g)
{
	static const char *const account[] = {
		"accountId", "account_id", "chatgpt_account_id", NULL};
	static const char *const user[] = {"userId", "user_id", NULL};
	static const char *const plan[] = {"planType", "plan_type", "chatgptPlanType", NULL};
	static const char *const email[] = {"email", NULL};

	learn_id(&g->account_id, member_text(credential, account));
	learn_id(&g->user_id, member_text(credential, user));
	learn_id(&g->plan_type, member_text(credential, plan));
	learn_name(&g->email, member_text(credential, email));
}

/* Seconds from some time on, or 0: `expires_in` may also hold a date. */
static int64_t relative_seconds(const json_t *value)
{
	static const double longest = 1e9;
	double number = json_number_value(value);

	if (json_is_string(value) && sv_f64(text_of(value), &number) != 0)
		return 0;
	return number > 0 && number < longest ? (int64_t)number : 0;
}

/* Absolute times of the file; 0 when it has none. */
static int64_t told_expiry(const json_t *credential)
{
	static const char *const names[] = {"expires", "expires_at", "expiresAt", "expires_in"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const json_t *value = json_object_get(credential, names[i]);

		if (value && !relative_seconds(value) && stamp_read(value))
			return stamp_read(value);
	}
	return 0;
}

/*
 * `expires`, else the token's own claim, else expires_in from the time of the file's making, as far
 * as that is known.
 */
static int64_t expiry_of(
	const json_t *doc, const json_t *credential, int64_t exp_ms, int64_t made_ms)
{
	int64_t told = told_expiry(credential);
	int64_t refreshed_ms = stamp_read(json_object_get(doc, "last_refresh"));
	int64_t relative_s = relative_seconds(json_object_get(credential, "expires_in"));

	if (told)
		return told;
	if (exp_ms)
		return exp_ms;
	if (refreshed_ms)
		made_ms = refreshed_ms;
	return relative_s && made_ms ? made_ms + relative_s * 1000 : 0;
}

int auth_grant_from_json(
	json_t *doc, int64_t made_ms, struct auth_grant *ret, char *err, size_t err_size)
{
	json_t *credential = find_credential(doc);
	struct auth_grant g = {0};
	int64_t access_exp_ms = 0, id_exp_ms = 0;
	int result;

	if (!credential) {
		describe_missing(doc, err, err_size);
		return -EINVAL;
	}
	result = take_tokens(credential, &g, err, err_size);
	if (result) {
		auth_grant_fini(&g);
		return result;
	}
	take_names(credential, &g);
	/* Tokens that are no JWT tell nothing, and need not. */
	if (jwt_claims(secret_expose(&g.access), &g, &access_exp_ms) != 0)
		access_exp_ms = 0;
	if (jwt_claims(secret_expose(&g.id_token), &g, &id_exp_ms) != 0)
		id_exp_ms = 0;
	g.expires_ms = expiry_of(doc, credential, access_exp_ms, made_ms);
	if (!g.granted_ms)
		g.granted_ms = stamp_read(json_object_get(doc, "last_refresh"));
	if (!g.granted_ms)
		g.granted_ms = made_ms;
	g.written_ms = made_ms;
	*ret = g;
	return 0;
}

int auth_grant_parse(struct sv text, struct auth_grant *ret, char *err, size_t err_size)
{
	json_t *doc;
	int result = json_file_parse(text, &doc, err, err_size);

	if (result)
		return result;
	result = auth_grant_from_json(doc, 0, ret, err, err_size);
	json_decref(doc);
	return result;
}

int auth_grant_read(const char *path, struct auth_grant *ret, char *err, size_t err_size)
{
	struct stat st;
	int64_t made_ms = stat(path, &st) == 0 ? (int64_t)st.st_mtime * 1000 : 0;
	json_t *doc;
	int result = json_file_read(path, LIMIT_AUTH_FILE_BYTES, &doc, err, err_size);

	if (result)
		return result;
	result = auth_grant_from_json(doc, made_ms, ret, err, err_size);
	json_decref(doc);
	return result;
}

/* The member as an object, made when it is none. Borrowed. */
static json_t *object_member(json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	if (!json_is_object(member)) {
		json_object_set_new(object, name, json_object());
		member = json_object_get(object, name);
	}
	return member;
}

static void set_or_drop(json_t *object, const char *name, struct sv text)
{
	if (text.n)
		json_object_set_new(object, name, json_stringn(text.p, text.n));
	else
		json_object_del(object, name);
}

static void fill_profile(json_t *profile, const struct auth_grant *g)
{
	json_object_set_new(profile, "type", json_string("oauth"));
	json_object_set_new(profile, "provider", json_string(PROVIDER));
	set_or_drop(profile, "access", secret_expose(&g->access));
	set_or_drop(profile, "refresh", secret_expose(&g->refresh));
	if (g->expires_ms)
		json_object_set_new(profile, "expires", json_integer(g->expires_ms));
	else
		json_object_del(profile, "expires");
	set_or_drop(profile, "accountId", sv_cstr(g->account_id));
	set_or_drop(profile, "email", sv_cstr(g->email));
	/* Not in the original's files: Codex CLI's auth.json can only be written with it. */
	set_or_drop(profile, "idToken", secret_expose(&g->id_token));
}

int auth_grant_write(const char *path, const struct auth_grant *g)
{
	char problem[128];
	json_t *doc = NULL;
	int err = json_file_read(path, LIMIT_AUTH_FILE_BYTES, &doc, problem, sizeof(problem));

	/* A file that is no JSON, or none at all, has nothing to keep. */
	if (err && err != -ENOENT && err != -EINVAL)
		return err;
	if (!doc)
		doc = json_object();
	if (!json_object_get(doc, "version"))
		json_object_set_new(doc, "version", json_integer(1));
	fill_profile(object_member(object_member(doc, "profiles"), DEFAULT_PROFILE), g);
	err = json_file_write(path, doc);
	json_decref(doc);
	return err;
}
