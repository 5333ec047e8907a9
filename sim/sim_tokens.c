#include "sim/sim_tokens.h"

#include "base/b64url.h"
#include "base/jw.h"
#include "sim/sim_accounts.h"
#include "sim/sim_ids.h"

#include <stdlib.h>

enum { TOKEN_BUCKETS = 4096, TOKEN_TAIL = 32, TOKEN_BYTES = 8192 };

struct sim_tokens {
	struct sim_token *buckets[TOKEN_BUCKETS];
	unsigned families;
};

struct sim_tokens *sim_tokens_new(void)
{
	return mem_zalloc(sizeof(struct sim_tokens));
}

void sim_tokens_free(struct sim_tokens *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < TOKEN_BUCKETS; i++) {
		while (t->buckets[i]) {
			struct sim_token *token = t->buckets[i];

			t->buckets[i] = token->next;
			free(token->text);
			free(token);
		}
	}
	free(t);
}

unsigned sim_tokens_new_family(struct sim_tokens *t)
{
	return ++t->families;
}

/* Every token ends in 32 random digits: enough to spread them, and cheap for long tokens. */
static size_t bucket_of(struct sv text)
{
	return sv_hash(sv_from(text, text.n - TOKEN_TAIL), SV_HASH_SEED) % TOKEN_BUCKETS;
}

static void write_auth_claim(struct jw *w, const struct sim_account *a)
{
	jw_kobj(w, "https://api.openai.com/auth");
	jw_kstr(w, "chatgpt_account_id", sv_cstr(a->uuid));
	jw_kstr(w, "chatgpt_plan_type", sv_cstr(a->plan));
	jw_kstr(w, "chatgpt_user_id", sv_cstr(a->user_id));
	jw_kstr(w, "user_id", sv_cstr(a->user_id));
	jw_end(w);
	jw_kobj(w, "https://api.openai.com/profile");
	jw_kstr(w, "email", sv_cstr(a->email));
	jw_kbool(w, "email_verified", true);
	jw_end(w);
}

static void write_claims(struct sim *sim, const struct sim_account *a,
	const struct sim_token *token, struct buf *out)
{
	struct jw w = jw_begin(out);

	jw_obj(&w);
	jw_klit(&w, "iss", "https://auth.openai.com");
	jw_karr(&w, "aud");
	if (token->kind == SIM_TOKEN_ID)
		jw_str(&w, SV("app_EMoamEEZ73f0CkXaXp7hrann"));
	else
		jw_str(&w, SV("https://api.openai.com/v1"));
	jw_end(&w);
	jw_kstr(&w, "sub", sv_cstr(a->user_id));
	jw_ki64(&w, "iat", sim_now_s(sim));
	jw_ki64(&w, "exp", token->expires_s);
	jw_kstr(&w, "email", sv_cstr(a->email));
	write_auth_claim(&w, a);
	jw_end(&w);
}

static void write_token(struct sim *sim, const struct sim_account *a, const struct sim_token *token,
	struct buf *out)
{
	char tail[SIM_ID_SIZE];

	sim_ids_make(sim, "", tail);
	if (token->kind == SIM_TOKEN_REFRESH) {
		buf_add_lit(out, "rt_sim_");
	} else {
		struct buf claims;

		buf_init(&claims, TOKEN_BYTES);
		write_claims(sim, a, token, &claims);
		b64url_encode(SV("{\"alg\":\"none\",\"typ\":\"JWT\"}"), out);
		buf_add_char(out, '.');
		b64url_encode(buf_sv(&claims), out);
		buf_add_char(out, '.');
		buf_fini(&claims);
	}
	buf_add_cstr(out, tail);
}

struct sim_token *sim_tokens_issue(
	struct sim *sim, struct sim_account *a, enum sim_token_kind kind, unsigned family)
{
	struct sim_token *token = mem_zalloc(sizeof(*token));
	struct buf text;
	size_t bucket;

	token->kind = kind;
	token->account = a;
	token->family = family;
	if (kind != SIM_TOKEN_REFRESH)
		token->expires_s = sim_now_s(sim) + a->token_ttl_s;
	buf_init(&text, TOKEN_BYTES);
	write_token(sim, a, token, &text);
	token->text = mem_strndup(text.data, text.len);
	token->length = text.len;
	buf_fini(&text);
	bucket = bucket_of(sv_make(token->text, token->length));
	token->next = sim->tokens->buckets[bucket];
	sim->tokens->buckets[bucket] = token;
	return token;
}

struct sim_token *sim_tokens_find(const struct sim_tokens *t, struct sv text)
{
	struct sim_token *token;

	if (text.n < TOKEN_TAIL)
		return NULL;
	token = t->buckets[bucket_of(text)];
	while (token && !sv_eq(sv_make(token->text, token->length), text))
		token = token->next;
	return token;
}

static void revoke_where(struct sim_tokens *t, const struct sim_account *a,
	enum sim_token_kind kind, unsigned family)
{
	for (size_t i = 0; i < TOKEN_BUCKETS; i++) {
		for (struct sim_token *token = t->buckets[i]; token; token = token->next) {
			if (a ? token->account == a && token->kind == kind
			      : token->family == family)
				token->state = SIM_TOKEN_REVOKED;
		}
	}
}

void sim_tokens_revoke_family(struct sim_tokens *t, unsigned family)
{
	revoke_where(t, NULL, SIM_TOKEN_ACCESS, family);
}

void sim_tokens_revoke(struct sim_tokens *t, const struct sim_account *a, enum sim_token_kind kind)
{
	revoke_where(t, a, kind, 0);
}
