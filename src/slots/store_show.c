#include "slots/store.h"

#include "slots/slot_record.h"
#include "slots/stamp.h"

#include <string.h>

/* Members of sourceMeta that may be shown; others could hold anything. */
static const char *const meta_names[] = {
	"email",
	"emailLabel",
	"accountId",
	"profileId",
	"expires",
	"savedAt",
	"usageFingerprint",
};

static bool is_scalar(const json_t *value)
{
	return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

static void set_if_null(json_t *object, const char *name, json_t *value)
{
	if (json_is_null(json_object_get(object, name)))
		json_object_set_new(object, name, value);
	else
		json_decref(value);
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

/* As stored; what is missing there comes from the credential. */
static json_t *source_meta(const struct slot *s)
{
	const json_t *stored = json_object_get(s->record, "sourceMeta");
	json_t *meta = json_object(), *zero = json_integer(0);

	for (size_t i = 0; i < ARRAY_LEN(meta_names); i++) {
		json_t *value = json_object_get(stored, meta_names[i]);

		if (is_scalar(value))
			json_object_set(meta, meta_names[i], value);
		else
			json_object_set_new(meta, meta_names[i], json_null());
	}
	set_if_null(meta, "email", text_or_null(s->email));
	set_if_null(meta, "accountId", text_or_null(s->account_id));
	/* What is stored is as old as the import, and tokens are refreshed. */
	if (s->expires_ms)
		json_object_set_new(meta, "expires",
			stamp_write(s->expires_ms, json_object_get(stored, "expires"), zero));
	json_decref(zero);
	return meta;
}

static bool serves(enum pick_reason reason)
{
	return reason == PICK_CHOSEN || reason == PICK_BUSY || reason == PICK_BELOW_THRESHOLD ||
	       reason == PICK_UNKNOWN_USAGE || reason == PICK_LOWER_PRIORITY ||
	       reason == PICK_LOWER_RANK || reason == PICK_NOT_PINNED;
}

/* What is wrong with it, or null. */
static json_t *obstacle(enum pick_reason reason)
{
	return serves(reason) ? json_null() : json_string(pick_reason_name(reason));
}

static const char *state_name(enum pick_reason reason)
{
	if (reason == PICK_BUSY)
		return "busy";
	return serves(reason) ? "ready" : pick_reason_name(reason);
}

static const char *credential_state(const struct slot *s, int64_t now_ms)
{
	if (secret_is_empty(&s->access))
		return "none";
	if (s->reauth_required)
		return "reauth_required";
	if (s->refresh_state != SLOT_REFRESH_FREE)
		return "in_doubt";
	if (s->token_refused)
		return "refused";
	if (slot_needs_token(s, now_ms))
		return "expired";
	return secret_is_empty(&s->refresh) ? "no_refresh_token" : "ok";
}

/* How the token stands; refreshAfter: not refreshed before, because that failed. */
static json_t *show_credential(const struct slot *s, int64_t now_ms)
{
	bool waits = s->refresh_failures && s->refresh_after_ms > now_ms;

	return json_pack("{s:s, s:o, s:o, s:o}", "state", credential_state(s, now_ms), "grantedAt",
		stamp_write(s->granted_ms, NULL, NULL), "expiresAt",
		stamp_write(s->expires_ms, NULL, NULL), "refreshAfter",
		stamp_write(waits ? s->refresh_after_ms : 0, NULL, NULL));
}

json_t *store_show_slot(const struct slot *s, enum pick_reason reason, int64_t now_ms)
{
	json_t *shown = json_object();

	json_object_set_new(shown, "id", json_string(s->id));
	json_object_set_new(shown, "enabled", json_boolean(s->enabled));
	json_object_set_new(shown, "label", json_string(s->label));
	json_object_set_new(shown, "usage", slot_record_usage_at(s, now_ms));
	json_object_set_new(shown, "runtime", slot_record_runtime(s));
	json_object_set_new(shown, "busy", json_boolean(s->inflight > 0));
	json_object_set_new(shown, "sourceMeta", source_meta(s));
	json_object_set_new(shown, "priority", json_integer(s->priority));
	json_object_set_new(shown, "weight", json_real(s->weight));
	json_object_set_new(shown, "plan", text_or_null(s->meters.plan_type));
	json_object_set_new(shown, "windows", slot_record_windows(s));
	if (s->meters.has_resets_known)
		json_object_set_new(
			shown, "resetCredits", json_integer(s->meters.resets_available));
	json_object_set_new(shown, "inflight", json_integer(s->inflight));
	json_object_set_new(shown, "state", json_string(state_name(reason)));
	json_object_set_new(shown, "eligible", json_boolean(serves(reason)));
	json_object_set_new(shown, "reason", obstacle(reason));
	json_object_set_new(shown, "cooldownReason", text_or_null(s->cooldown_reason));
	json_object_set_new(shown, "credential", show_credential(s, now_ms));
	json_object_set_new(shown, "expiresAt", stamp_write(s->expires_ms, NULL, NULL));
	return shown;
}
