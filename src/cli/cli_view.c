#include "cli/cli_view.h"

#include "base/clock.h"
#include "slots/slot_record.h"
#include "slots/stamp.h"
#include "slots/store.h"

#include <stdlib.h>

static json_t *list_of(struct slot_table *slots, int64_t now_ms)
{
	json_t *list = json_array();

	for (size_t i = 0; i < slot_table_count(slots); i++)
		json_array_append_new(list, store_show_slot(slot_table_at(slots, i),
						    slot_table_reason(slots, i, now_ms), now_ms));
	return list;
}

int cli_view_load(const struct cli_context *ctx, struct cli_view *ret)
{
	struct cli_view v = {.now_ms = clock_wall_ms()};
	struct slot_table *slots;
	int status = cli_load_slots(ctx, &v.conf, &slots);

	if (status)
		return status;
	cli_live_ask(v.conf, ctx->root, &v.live);
	v.is_live = v.live.state == CLI_LIVE_UP;
	v.slots = v.is_live ? json_incref(v.live.slots) : list_of(slots, v.now_ms);
	slot_table_free(slots);
	*ret = v;
	return CLI_OK;
}

void cli_view_fini(struct cli_view *v)
{
	json_decref(v->slots);
	cli_live_fini(&v->live);
	conf_unref(v->conf);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void read_windows(const json_t *shown, int64_t now_ms, struct cli_slot *ret)
{
	struct slot s = {0};

	/* slot_record knows how windows are written, slot what they mean. */
	slot_record_read_windows(&s.meters, json_object_get(shown, "windows"));
	s.checked_at_ms = stamp_read(json_object_get(json_object_get(shown, "usage"), "checkedAt"));
	for (int kind = 0; kind < METER_KINDS; kind++) {
		ret->left[kind] = slot_left_pct(&s, (enum meter_kind)kind, now_ms);
		ret->resets_ms[kind] = slot_window_ends_ms(&s, (enum meter_kind)kind);
	}
}

void cli_view_slot(const struct cli_view *v, size_t index, struct cli_slot *ret)
{
	const json_t *shown = json_array_get(v->slots, index);
	const json_t *runtime = json_object_get(shown, "runtime");

	*ret = (struct cli_slot){
		.id = text_of(shown, "id"),
		.label = text_of(shown, "label"),
		.plan = text_of(shown, "plan"),
		.state = text_of(shown, "state"),
		.reason = text_of(shown, "reason"),
		.last_error = text_of(runtime, "lastError"),
		.cooldown_reason = text_of(shown, "cooldownReason"),
		.credential = text_of(json_object_get(shown, "credential"), "state"),
		.enabled = json_is_true(json_object_get(shown, "enabled")),
		.eligible = json_is_true(json_object_get(shown, "eligible")),
		.inflight = json_integer_value(json_object_get(shown, "inflight")),
		.cooldown_until_ms = stamp_read(json_object_get(runtime, "cooldownUntil")),
	};
	read_windows(shown, v->now_ms, ret);
}

/* When the slot may serve again, as far as that is a matter of time. */
static int64_t recovers_ms(const struct cli_slot *s, int64_t now_ms)
{
	static const enum meter_kind kinds[] = {METER_5H, METER_WEEK};
	int64_t latest = s->cooldown_until_ms > now_ms ? s->cooldown_until_ms : 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		int64_t ends_ms = s->resets_ms[kinds[i]];

		if (s->left[kinds[i]] == 0 && ends_ms > latest)
			latest = ends_ms;
	}
	return latest;
}

struct cli_recovery cli_view_recovery(const struct cli_view *v)
{
	struct cli_recovery soonest = {0};

	for (size_t i = 0; i < json_array_size(v->slots); i++) {
		struct cli_slot s;
		int64_t at_ms;

		cli_view_slot(v, i, &s);
		at_ms = recovers_ms(&s, v->now_ms);
		if (s.eligible || !at_ms)
			continue;
		/* A login that is dead does not come back by waiting. */
		if (strcmp(s.reason, "cooldown") != 0 && strcmp(s.reason, "exhausted") != 0)
			continue;
		if (!soonest.id || at_ms < soonest.at_ms)
			soonest = (struct cli_recovery){s.id, s.reason, at_ms};
	}
	return soonest;
}
