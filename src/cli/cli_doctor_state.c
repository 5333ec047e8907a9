#include "cli/cli_doctor.h"
#include "cli/cli_warnings.h"

#include "base/clock.h"
#include "slots/store.h"
#include "slots/usage_text.h"

#include <stdio.h>

enum { ADVICE_SIZE = 256, TOKEN_WEAK_BYTES = 16, EXPIRES_SOON_MS = 24 * 3600 * 1000 };

/* --- relay.json --- */

static void check_token(struct doctor *d)
{
	static const char advice[] =
		"choose a long one: openssl rand -hex 24 | codex-slot-relay config set authToken -";
	const char *open = cli_warnings_public_address(d->conf);
	enum doctor_level level = open ? DOCTOR_FAIL : DOCTOR_WARN;

	if (cli_warnings_is_default_token(d->conf)) {
		if (open)
			cli_doctor_tell(d, DOCTOR_FAIL, "token", advice,
				"authToken is the default one, which everybody knows, and %s can "
				"be reached from other machines",
				open);
		else
			cli_doctor_tell(d, DOCTOR_OK, "token", NULL,
				"authToken is the default one; only this machine can reach %s",
				d->conf->listen);
	} else if (secret_expose(&d->conf->auth_token).n < TOKEN_WEAK_BYTES) {
		cli_doctor_tell(d, level, "token", advice,
			"authToken has fewer than %d characters: it can be guessed",
			TOKEN_WEAK_BYTES);
	} else {
		cli_doctor_tell(d, DOCTOR_OK, "token", NULL, "authToken is long enough");
	}
}

static void check_aliases(struct doctor *d)
{
	for (size_t i = 0; i < d->conf->alias_count; i++) {
		if (secret_expose(&d->conf->aliases[i]).n >= TOKEN_WEAK_BYTES)
			continue;
		cli_doctor_tell(d, DOCTOR_WARN, "token", "use a longer one, or none",
			"authTokenAliases[%zu] has fewer than %d characters", i, TOKEN_WEAK_BYTES);
	}
}

static void check_conf(struct doctor *d)
{
	struct conf_error err = {""};

	if (conf_load(d->ctx->root, d->ctx->profile, &d->conf, &err) != 0) {
		cli_doctor_tell(d, DOCTOR_FAIL, "config",
			"correct the file and try codex-slot-relay config check; init makes a new "
			"one",
			"%s", err.message);
		return;
	}
	if (d->conf->unknown_count == 0)
		cli_doctor_tell(d, DOCTOR_OK, "config", NULL, "config/relay.json is right");
	for (size_t i = 0; i < d->conf->unknown_count; i++)
		cli_doctor_tell(d, DOCTOR_WARN, "config",
			"a slip of the pen? config list shows the known keys; config unset "
			"removes it",
			"nobody knows the key %s of config/relay.json", d->conf->unknown_keys[i]);
	check_token(d);
	check_aliases(d);
}

/* --- slots --- */

static const char *text_of(const struct slot *s, const char *name)
{
	return json_string_value(json_object_get(json_object_get(s->record, "relay"), name));
}

static void login_advice(const struct slot *s, char out[ADVICE_SIZE])
{
	snprintf(out, ADVICE_SIZE,
		"log in again: codex-slot-relay slot-login --slot %s (or slot-auth-import-file)",
		s->id);
}

static void check_expiry(struct doctor *d, const struct slot *s)
{
	bool can_refresh = !secret_is_empty(&s->refresh);
	char advice[ADVICE_SIZE], span[USAGE_SPAN_SIZE];
	int64_t left_ms = s->expires_ms - d->now_ms;

	login_advice(s, advice);
	usage_text_span(left_ms, span);
	if (!s->expires_ms)
		cli_doctor_tell(d, can_refresh ? DOCTOR_OK : DOCTOR_WARN, s->id,
			can_refresh ? NULL : advice, "nobody knows when its token expires%s",
			can_refresh ? "; it can be refreshed" : ", and there is no refresh token");
	else if (left_ms <= 0)
		cli_doctor_tell(d, can_refresh ? DOCTOR_OK : DOCTOR_FAIL, s->id,
			can_refresh ? NULL : advice, "its token has expired%s",
			can_refresh ? "; it is refreshed when it is needed"
				    : ", and there is no refresh token");
	else if (!can_refresh)
		cli_doctor_tell(d, left_ms < EXPIRES_SOON_MS ? DOCTOR_FAIL : DOCTOR_WARN, s->id,
			advice, "its token expires in %s, and there is no refresh token", span);
	else
		cli_doctor_tell(d, DOCTOR_OK, s->id, NULL, "its token is good for %s", span);
}

/* A token request was sent and nobody knows its outcome: it cannot be sent again. */
static bool is_in_doubt(const struct doctor *d, const struct slot *s)
{
	json_t *shown = store_show_slot(s, PICK_CHOSEN, d->now_ms);
	const char *state =
		json_string_value(json_object_get(json_object_get(shown, "credential"), "state"));
	bool doubt = state && strcmp(state, "in_doubt") == 0;

	json_decref(shown);
	return doubt;
}

static void check_slot(struct doctor *d, const struct slot *s)
{
	const char *disabled = text_of(s, "disabledReason");
	char advice[ADVICE_SIZE];

	login_advice(s, advice);
	if (disabled)
		cli_doctor_tell(d, DOCTOR_WARN, s->id,
			"when the account is good again: slot-reset; else slot-remove",
			"the relay has disabled it: %s", disabled);
	if (!s->base_url)
		cli_doctor_tell(d, DOCTOR_FAIL, s->id,
			"correct its agent/models.json, or remove it", "%s", s->last_error);
	else if (secret_is_empty(&s->access))
		cli_doctor_tell(d, s->enabled ? DOCTOR_FAIL : DOCTOR_WARN, s->id, advice,
			"it has no credential that can be used: %s", s->last_error);
	else if (s->reauth_required)
		cli_doctor_tell(d, s->enabled ? DOCTOR_FAIL : DOCTOR_WARN, s->id, advice,
			"upstream does not accept its login any more: %s", s->last_error);
	else if (is_in_doubt(d, s))
		cli_doctor_tell(d, DOCTOR_WARN, s->id, advice,
			"a refresh of its token was cut off: it works until that token expires");
	else
		check_expiry(d, s);
}

static bool is_same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static void check_twins(struct doctor *d)
{
	for (size_t i = 0; i < slot_table_count(d->slots); i++) {
		const struct slot *a = slot_table_at(d->slots, i);

		for (size_t k = 0; k < i; k++) {
			const struct slot *b = slot_table_at(d->slots, k);

			if (is_same(a->account_id, b->account_id) && is_same(a->email, b->email))
				cli_doctor_tell(d, DOCTOR_WARN, a->id,
					"remove one of them: they share their limits",
					"%s is the same account", b->id);
		}
	}
}

static void check_slots(struct doctor *d)
{
	struct slot_table *slots = slot_table_new();
	struct conf_error err = {""};

	slot_table_configure(slots, d->conf);
	if (store_load(d->ctx->root, d->conf, slots, &err) != 0) {
		slot_table_free(slots);
		cli_doctor_tell(
			d, DOCTOR_FAIL, "slots", "correct config/slots.json", "%s", err.message);
		return;
	}
	d->slots = slots;
	if (slot_table_count(slots) == 0)
		cli_doctor_tell(d, DOCTOR_WARN, "slots",
			"add one: slot-login, slot-auth-import-file", "there is no slot");
	else if (slot_table_eligible(slots, d->now_ms) == 0)
		cli_doctor_tell(
			d, DOCTOR_WARN, "slots", "slot-list tells why", "no slot can serve now");
	else
		cli_doctor_tell(d, DOCTOR_OK, "slots", NULL, "%zu of %zu can serve now",
			slot_table_eligible(slots, d->now_ms), slot_table_count(slots));
	for (size_t i = 0; i < slot_table_count(slots); i++)
		check_slot(d, slot_table_at(slots, i));
	check_twins(d);
}

void cli_doctor_state(struct doctor *d)
{
	check_conf(d);
	if (d->conf)
		check_slots(d);
}
