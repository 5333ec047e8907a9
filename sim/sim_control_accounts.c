#include "sim/sim_control_accounts.h"

#include "base/clock.h"
#include "base/limits.h"
#include "sim/sim_control.h"
#include "sim/sim_tokens.h"

#include <stdio.h>

enum { CREATE_MOST = 1000 };

static void write_list(struct sim *sim, size_t from, struct http_stream *stream)
{
	struct buf out;
	struct jw w;

	buf_init(&out, MIB(16));
	w = jw_begin(&out);
	jw_obj(&w);
	jw_karr(&w, "accounts");
	for (size_t i = from; i < sim_accounts_count(sim->accounts); i++)
		sim_account_write(sim_accounts_at(sim->accounts, i), &w);
	jw_end(&w);
	jw_end(&w);
	sim_control_json(stream, 200, buf_sv(&out));
	buf_fini(&out);
}

void sim_control_accounts_list(struct sim *sim, struct http_stream *stream)
{
	write_list(sim, 0, stream);
}

/* Setters of single members; NULL or what is wrong. */

static const char *set_window(struct sim_account *a, struct sim_window *w, json_t *v)
{
	json_t *used = json_object_get(v, "used_percent");
	json_t *in = json_object_get(v, "reset_in_seconds");
	json_t *at = json_object_get(v, "reset_at");
	json_t *length = json_object_get(v, "window_seconds");

	if (json_is_null(v)) {
		w->present = false;
		return NULL;
	}
	if (!json_is_object(v))
		return "a window must be an object or null";
	w->present = true;
	if (json_is_number(used))
		w->used_percent = json_number_value(used);
	if (json_is_integer(length) && json_integer_value(length) > 0)
		w->length_s = json_integer_value(length);
	if (json_is_integer(in))
		w->reset_at_s = sim_now_s(a->sim) + json_integer_value(in);
	if (json_is_integer(at))
		w->reset_at_s = json_integer_value(at);
	if (!w->length_s)
		return "window_seconds is missing";
	return NULL;
}

static const char *on_plan(struct sim_account *a, json_t *v)
{
	return json_is_string(v) && sim_account_set_plan(a, sv_cstr(json_string_value(v)))
		       ? NULL
		       : "unknown plan";
}

static const char *on_primary(struct sim_account *a, json_t *v)
{
	return set_window(a, &a->primary, v);
}

static const char *on_secondary(struct sim_account *a, json_t *v)
{
	return set_window(a, &a->secondary, v);
}

static const char *on_state(struct sim_account *a, json_t *v)
{
	return json_is_string(v) &&
			       sim_account_parse_state(sv_cstr(json_string_value(v)), &a->state)
		       ? NULL
		       : "state must be ok, deactivated, suspended, blocked or unpaid";
}

static const char *on_disabled(struct sim_account *a, json_t *v)
{
	a->state = json_is_true(v) ? SIM_ACCOUNT_SUSPENDED : SIM_ACCOUNT_OK;
	return NULL;
}

static const char *on_deactivated(struct sim_account *a, json_t *v)
{
	a->state = json_is_true(v) ? SIM_ACCOUNT_DEACTIVATED : SIM_ACCOUNT_OK;
	return NULL;
}

static const char *on_ttl(struct sim_account *a, json_t *v)
{
	if (!json_is_integer(v))
		return "token_ttl_seconds must be a number";
	a->token_ttl_s = json_integer_value(v);
	return NULL;
}

/* The newest access token is made anew, so that claim and files agree. Old ones stay valid. */
static const char *on_expires_in(struct sim_account *a, json_t *v)
{
	int64_t ttl = a->token_ttl_s;

	if (!json_is_integer(v))
		return "access_expires_in must be a number";
	a->token_ttl_s = json_integer_value(v);
	a->access = sim_tokens_issue(a->sim, a, SIM_TOKEN_ACCESS, a->family);
	a->token_ttl_s = ttl;
	return NULL;
}

static const char *on_revoke_access(struct sim_account *a, json_t *v)
{
	if (json_is_true(v))
		sim_tokens_revoke(a->sim->tokens, a, SIM_TOKEN_ACCESS);
	return NULL;
}

static const char *on_revoke_refresh(struct sim_account *a, json_t *v)
{
	if (json_is_true(v))
		sim_tokens_revoke(a->sim->tokens, a, SIM_TOKEN_REFRESH);
	return NULL;
}

static const char *on_login(struct sim_account *a, json_t *v)
{
	if (json_is_true(v))
		sim_account_login(a);
	return NULL;
}

static const char *on_credits(struct sim_account *a, json_t *v)
{
	const char *balance = json_string_value(json_object_get(v, "balance"));

	if (!json_is_object(v))
		return "credits must be an object";
	a->credits = json_is_true(json_object_get(v, "has_credits"));
	a->credits_unlimited = json_is_true(json_object_get(v, "unlimited"));
	snprintf(a->credits_balance, sizeof(a->credits_balance), "%s", balance ? balance : "");
	if (!http_is_field_value(sv_cstr(a->credits_balance)))
		return "bad balance";
	return NULL;
}

static const char *on_reset_credits(struct sim_account *a, json_t *v)
{
	if (!json_is_integer(v))
		return "reset_credits must be a number";
	a->reset_credits = json_integer_value(v);
	return NULL;
}

static const struct {
	const char *name;
	const char *(*set)(struct sim_account *a, json_t *v);
} MEMBERS[] = {
	{"plan", on_plan},
	{"primary", on_primary},
	{"secondary", on_secondary},
	{"state", on_state},
	{"disabled", on_disabled},
	{"deactivated", on_deactivated},
	{"token_ttl_seconds", on_ttl},
	{"access_expires_in", on_expires_in},
	{"revoke_access", on_revoke_access},
	{"revoke_refresh", on_revoke_refresh},
	{"login", on_login},
	{"credits", on_credits},
	{"reset_credits", on_reset_credits},
};

static const char *change_member(struct sim_account *a, const char *name, json_t *value)
{
	if (strcmp(name, "count") == 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(MEMBERS); i++) {
		if (strcmp(MEMBERS[i].name, name) == 0)
			return MEMBERS[i].set(a, value);
	}
	return "unknown member";
}

const char *sim_control_accounts_change(struct sim_account *a, json_t *body)
{
	const char *wrong = json_is_object(body) ? NULL : "an object is needed";
	const char *name;
	json_t *value;

	json_object_foreach(body, name, value)
	{
		if (!wrong)
			wrong = change_member(a, name, value);
	}
	a->headers_key[3] = -1;
	return wrong;
}

void sim_control_accounts_create(struct sim *sim, struct http_stream *stream, json_t *body)
{
	json_t *count = json_object_get(body, "count");
	const char *plan = json_string_value(json_object_get(body, "plan"));
	json_int_t left = json_is_integer(count) ? json_integer_value(count) : 1;
	size_t before = sim_accounts_count(sim->accounts);

	if (left < 1 || left > CREATE_MOST) {
		sim_control_error(stream, 400, "count must be 1 to 1000");
		return;
	}
	for (; left > 0; left--) {
		struct sim_account *a =
			sim_accounts_add(sim->accounts, sv_cstr(plan ? plan : sim->options.plan));
		const char *wrong = a ? sim_control_accounts_change(a, body) : "unknown plan";

		if (wrong) {
			sim_control_error(stream, 400, wrong);
			return;
		}
	}
	write_list(sim, before, stream);
}

void sim_control_accounts_profiles(struct sim_account *a, struct http_stream *stream)
{
	struct buf out;
	struct jw w;

	buf_init(&out, KIB(32));
	w = jw_begin(&out);
	jw_obj(&w);
	jw_ki64(&w, "version", 1);
	jw_kobj(&w, "profiles");
	jw_kobj(&w, "openai-codex:default");
	jw_klit(&w, "type", "oauth");
	jw_klit(&w, "provider", "openai-codex");
	jw_kstr(&w, "access", sv_make(a->access->text, a->access->length));
	jw_kstr(&w, "refresh", sv_make(a->refresh->text, a->refresh->length));
	jw_ki64(&w, "expires", a->access->expires_s * 1000);
	jw_kstr(&w, "accountId", sv_cstr(a->uuid));
	jw_kstr(&w, "email", sv_cstr(a->email));
	jw_end(&w);
	jw_end(&w);
	jw_end(&w);
	sim_control_json(stream, 200, buf_sv(&out));
	buf_fini(&out);
}

void sim_control_accounts_auth_json(struct sim_account *a, struct http_stream *stream)
{
	char now[CLOCK_ISO_SIZE];
	struct buf out;
	struct jw w;

	clock_format_iso(sim_now_ms(a->sim), now);
	buf_init(&out, KIB(32));
	w = jw_begin(&out);
	jw_obj(&w);
	jw_klit(&w, "auth_mode", "chatgpt");
	jw_knull(&w, "OPENAI_API_KEY");
	jw_kobj(&w, "tokens");
	jw_kstr(&w, "id_token", sv_make(a->id_token->text, a->id_token->length));
	jw_kstr(&w, "access_token", sv_make(a->access->text, a->access->length));
	jw_kstr(&w, "refresh_token", sv_make(a->refresh->text, a->refresh->length));
	jw_kstr(&w, "account_id", sv_cstr(a->uuid));
	jw_end(&w);
	jw_kstr(&w, "last_refresh", sv_cstr(now));
	jw_end(&w);
	sim_control_json(stream, 200, buf_sv(&out));
	buf_fini(&out);
}
