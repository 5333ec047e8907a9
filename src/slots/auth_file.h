/*
 * Credential files in all shapes that SPEC 4 names, JWT claims (PROTOCOL 1), and the one shape that
 * we write. Pure but for the read and write helpers. Tokens stay in struct secret.
 */
#ifndef SLOTS_AUTH_FILE_H
#define SLOTS_AUTH_FILE_H

#include "base/secret.h"

#include <jansson.h>

struct auth_grant {
	struct secret access, refresh, id_token;
	char *account_id, *user_id, *email, *plan_type; /* NULL when unknown */
	int64_t expires_ms;				/* 0 unknown */
	int64_t granted_ms; /* when the issuer gave it, as far as it is told; 0 unknown */
	int64_t written_ms; /* when its file was made; 0 unknown */
};

void auth_grant_fini(struct auth_grant *g);
/*
 * Any accepted shape: profiles form, {"oauth":{…}}, flat object, Codex CLI's auth.json. Missing
 * values are read from the JWT. -EINVAL with a text for people (no token in it) when there is no
 * access token.
 */
int auth_grant_parse(struct sv text, struct auth_grant *ret, char *err, size_t err_size) MUST_CHECK;
/* The same for a JSON document; made_ms: what expires_in counts from when the document does not say
 * when it was made, 0 unknown. */
int auth_grant_from_json(json_t *doc, int64_t made_ms, struct auth_grant *ret, char *err,
	size_t err_size) MUST_CHECK;
int auth_grant_read(
	const char *path, struct auth_grant *ret, char *err, size_t err_size) MUST_CHECK;
/* Writes {"version":1,"profiles":{"openai-codex:default":{…}}} durably, 0600; unknown members of an
 * existing file survive. */
int auth_grant_write(const char *path, const struct auth_grant *g) MUST_CHECK;

/* Claims of a JWT, unverified, tolerant of any type. */
int jwt_claims(struct sv token, struct auth_grant *into, int64_t *ret_exp_ms) MUST_CHECK;

#endif
