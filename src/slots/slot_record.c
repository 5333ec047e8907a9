#include "slots/slot_record.h"

#include "slots/stamp.h"
#include "slots/usage_text.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const window_names[METER_KINDS] = {
	[METER_5H] = "5h",
	[METER_WEEK] = "week",
	[METER_MONTH] = "month",
};

static const char *text_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void read_percent(struct meter *m, const json_t *value)
{
	double left = json_number_value(value);

	if (json_is_number(value) && left >= 0 && left <= 100)
		*m = (struct meter){.known = true, .used_percent = 100 - left};
}

/* The text, or the number alone when there is none. */
static void read_told(struct slot *s, enum meter_kind kind, char **text, const char *text_name,
	const char *percent_name)
{
	const json_t *usage = json_object_get(s->record, "usage");
	const char *told = text_member(usage, text_name);
	struct meter *m = &s->meters.window[kind];

	*text = mem_strdup(told);
	if (!told || !usage_text_parse(sv_cstr(told), s->checked_at_ms, m))
		read_percent(m, json_object_get(usage, percent_name));
}

static void read_window(struct meter *m, const json_t *window)
{
	const json_t *used = json_object_get(window, "usedPercent");
	double percent = json_number_value(used);

	if (!json_is_number(used) || !(percent >= 0 && percent <= 100))
		return;
	m->known = true;
	m->used_percent = percent;
	m->window_minutes = json_integer_value(json_object_get(window, "windowMinutes"));
	m->resets_at_s = stamp_read(json_object_get(window, "resetsAt")) / 1000;
	if (m->window_minutes < 0)
		m->window_minutes = 0;
}

void slot_record_read_windows(struct meters *m, const json_t *windows)
{
	for (size_t kind = 0; kind < METER_KINDS; kind++) {
		m->window[kind] = (struct meter){0};
		read_window(&m->window[kind], json_object_get(windows, window_names[kind]));
	}
}

/* Both were written at once, but the original's type may be whole seconds. */
static bool is_same_snapshot(int64_t a_ms, int64_t b_ms)
{
	return a_ms && b_ms && a_ms / 1000 == b_ms / 1000;
}

static void read_relay_usage(struct slot *s, const json_t *relay)
{
	const json_t *windows = json_object_get(relay, "windows");
	const json_t *credits = json_object_get(relay, "credits");
	const json_t *resets = json_object_get(relay, "resetCredits");
	int64_t checked_ms = stamp_read(json_object_get(relay, "checkedAt"));
	const char *plan = text_member(relay, "plan");

	if (plan)
		snprintf(s->meters.plan_type, sizeof(s->meters.plan_type), "%s", plan);
	if (json_is_object(credits)) {
		s->meters.has_credits_known = true;
		s->meters.has_credits = json_is_true(json_object_get(credits, "has"));
		s->meters.credits_unlimited = json_is_true(json_object_get(credits, "unlimited"));
	}
	if (json_integer_value(resets) >= 0 && json_is_integer(resets)) {
		s->meters.has_resets_known = true;
		s->meters.resets_available = json_integer_value(resets);
	}
	if (!json_is_object(windows) || !is_same_snapshot(checked_ms, s->checked_at_ms))
		return;
	slot_record_read_windows(&s->meters, windows);
}

static void read_usage(struct slot *s)
{
	const json_t *usage = json_object_get(s->record, "usage");

	s->checked_at_ms = stamp_read(json_object_get(usage, "checkedAt"));
	read_told(s, METER_5H, &s->usage_5h_text, "usage5h", "fivePct");
	read_told(s, METER_WEEK, &s->usage_week_text, "usageWeek", "weekPct");
	read_relay_usage(s, json_object_get(s->record, "relay"));
}

static void read_runtime(struct slot *s)
{
	const json_t *runtime = json_object_get(s->record, "runtime");
	const json_t *relay = json_object_get(s->record, "relay");
	json_int_t failures = json_integer_value(json_object_get(runtime, "consecutiveFailures"));
	const char *error = text_member(runtime, "lastError");
	const char *reason = text_member(relay, "cooldownReason");
	const char *refused = text_member(relay, "refusedFingerprint");

	s->cooldown_until_ms = stamp_read(json_object_get(runtime, "cooldownUntil"));
	s->last_used_ms = stamp_read(json_object_get(runtime, "lastUsedAt"));
	s->failures = failures > 0 && failures < 1000000 ? (unsigned)failures : 0;
	slot_set_error(s, NULL, sv_cstr(error));
	snprintf(s->cooldown_reason, sizeof(s->cooldown_reason), "%s", reason ? reason : "");
	s->reauth_required = json_is_true(json_object_get(relay, "reauthRequired"));
	s->reset_at_ms = stamp_read(json_object_get(relay, "resetAt"));
	snprintf(s->refused_fingerprint, sizeof(s->refused_fingerprint), "%s",
		refused ? refused : "");
}

/* The operator's; a value that makes no sense counts as absent. */
static void read_shares(struct slot *s)
{
	const json_t *priority = json_object_get(s->record, "priority");
	const json_t *weight = json_object_get(s->record, "weight");
	json_int_t rank = json_integer_value(priority);
	double share = json_number_value(weight);

	s->priority = rank >= -SLOT_PRIORITY_MAX && rank <= SLOT_PRIORITY_MAX ? (int)rank : 0;
	s->weight = share > 0 && share <= SLOT_WEIGHT_MAX ? share : 1;
}

void slot_record_read(struct slot *s)
{
	read_shares(s);
	read_usage(s);
	read_runtime(s);
}

const struct meter *slot_record_meter(const struct slot *s, enum meter_kind kind)
{
	const struct meter *m = &s->meters.window[kind];

	if (!m->known && kind == METER_WEEK)
		m = &s->meters.window[METER_MONTH];
	return m->known ? m : NULL;
}

static void put_told(json_t *usage, const struct slot *s, enum meter_kind kind, const char *text,
	int64_t base_ms)
{
	const struct meter *m = slot_record_meter(s, kind);
	const char *text_name = kind == METER_5H ? "usage5h" : "usageWeek";
	const char *percent_name = kind == METER_5H ? "fivePct" : "weekPct";
	char told[USAGE_TEXT_SIZE];

	if (!m) {
		json_object_set_new(usage, text_name, text ? json_string(text) : json_null());
		json_object_set_new(usage, percent_name, json_null());
		return;
	}
	usage_text_format(m, base_ms, told);
	json_object_set_new(usage, text_name, json_string(told));
	json_object_set_new(usage, percent_name,
		json_integer(usage_text_percent(100 - meter_used_at(m, base_ms / 1000))));
}

json_t *slot_record_usage_at(const struct slot *s, int64_t now_ms)
{
	const json_t *old = json_object_get(s->record, "usage");
	json_t *usage = json_object();

	put_told(usage, s, METER_5H, s->usage_5h_text, now_ms);
	put_told(usage, s, METER_WEEK, s->usage_week_text, now_ms);
	json_object_set_new(usage, "checkedAt",
		stamp_write(s->checked_at_ms, json_object_get(old, "checkedAt"), NULL));
	return usage;
}

json_t *slot_record_usage(const struct slot *s)
{
	return slot_record_usage_at(s, s->checked_at_ms);
}

json_t *slot_record_runtime(const struct slot *s)
{
	const json_t *old = json_object_get(s->record, "runtime");
	const json_t *cooldown = json_object_get(old, "cooldownUntil");
	const json_t *used = json_object_get(old, "lastUsedAt");
	json_t *runtime = json_object();

	json_object_set_new(
		runtime, "cooldownUntil", stamp_write(s->cooldown_until_ms, cooldown, used));
	json_object_set_new(runtime, "lastUsedAt", stamp_write(s->last_used_ms, used, cooldown));
	json_object_set_new(
		runtime, "lastError", s->last_error[0] ? json_string(s->last_error) : json_null());
	json_object_set_new(runtime, "consecutiveFailures", json_integer(s->failures));
	return runtime;
}

static json_t *window_json(const struct meter *m)
{
	json_t *window = json_object();

	json_object_set_new(window, "usedPercent", json_real(m->used_percent));
	if (m->window_minutes)
		json_object_set_new(window, "windowMinutes", json_integer(m->window_minutes));
	if (m->resets_at_s)
		json_object_set_new(
			window, "resetsAt", stamp_write(m->resets_at_s * 1000, NULL, NULL));
	return window;
}

json_t *slot_record_windows(const struct slot *s)
{
	json_t *windows = json_object();

	for (size_t kind = 0; kind < METER_KINDS; kind++) {
		const struct meter *m = &s->meters.window[kind];

		if (m->known)
			json_object_set_new(windows, window_names[kind], window_json(m));
	}
	return windows;
}

json_t *slot_record_relay(const struct slot *s)
{
	json_t *relay = json_object();

	json_object_set_new(relay, "windows", slot_record_windows(s));
	if (s->checked_at_ms)
		json_object_set_new(relay, "checkedAt", stamp_write(s->checked_at_ms, NULL, NULL));
	if (s->meters.plan_type[0])
		json_object_set_new(relay, "plan", json_string(s->meters.plan_type));
	if (s->meters.has_credits_known)
		json_object_set_new(relay, "credits",
			json_pack("{s:b, s:b}", "has", (int)s->meters.has_credits, "unlimited",
				(int)s->meters.credits_unlimited));
	if (s->meters.has_resets_known)
		json_object_set_new(
			relay, "resetCredits", json_integer(s->meters.resets_available));
	if (s->cooldown_reason[0])
		json_object_set_new(relay, "cooldownReason", json_string(s->cooldown_reason));
	if (s->reauth_required) {
		json_object_set_new(relay, "reauthRequired", json_true());
		json_object_set_new(
			relay, "refusedFingerprint", json_string(s->refused_fingerprint));
	}
	return relay;
}

/* Steals news. NULL: nothing to merge. */
static void merge_member(json_t *record, const char *name, json_t *news)
{
	json_t *old = json_object_get(record, name);

	if (!news)
		return;
	if (!json_is_object(old)) {
		json_object_set_new(record, name, news);
		return;
	}
	json_object_update(old, news);
	json_decref(news);
}

void slot_record_merge(json_t *record, json_t *usage, json_t *runtime, json_t *relay)
{
	/* Ours, and left out when there is nothing to tell. disabledReason is the operator's to
	 * drop. */
	static const char *const dropped[] = {"windows", "checkedAt", "plan", "credits",
		"resetCredits", "cooldownReason", "reauthRequired", "refusedFingerprint"};
	json_t *old_relay = json_object_get(record, "relay");

	for (size_t i = 0; relay && i < ARRAY_LEN(dropped); i++)
		json_object_del(old_relay, dropped[i]);
	merge_member(record, "usage", usage);
	merge_member(record, "runtime", runtime);
	merge_member(record, "relay", relay);
}
