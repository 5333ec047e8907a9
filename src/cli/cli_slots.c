#include "cli/cli.h"
#include "cli/cli_print.h"
#include "cli/cli_slots.h"

#include "base/clock.h"
#include "base/durable.h"
#include "conf/runtime_dir.h"
#include "slots/credential_lock.h"
#include "slots/slot_record.h"
#include "slots/store.h"
#include "slots/usage_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_SIZE = 160 };

static enum cli_color color_of_percent(const struct conf *conf, enum meter_kind kind, double left)
{
	double least = kind == METER_5H ? conf->min_5h_pct : conf->min_week_pct;

	if (left <= 0)
		return CLI_RED;
	return left < least ? CLI_YELLOW : CLI_GREEN;
}

/* "████████░░  95%  3h 5m" */
static void add_window(struct cli_table *t, const struct conf *conf, const struct slot *s,
	enum meter_kind kind, int64_t now_ms)
{
	const struct meter *m = slot_record_meter(s, kind);
	double left = slot_left_pct(s, kind, now_ms);
	char text[TEXT_SIZE], bar[64], span[USAGE_SPAN_SIZE] = "";

	if (!m || left < 0) {
		cli_table_add(t, CLI_DIM, "unknown");
		return;
	}
	cli_print_bar(left, bar, sizeof(bar));
	if (m->resets_at_s * 1000 > now_ms)
		usage_text_span(m->resets_at_s * 1000 - now_ms, span);
	snprintf(text, sizeof(text), "%s %3d%%%s%s", bar, usage_text_percent(left),
		span[0] ? "  " : "", span);
	cli_table_add(t, color_of_percent(conf, kind, left), text);
}

static void add_cooldown(struct cli_table *t, const struct slot *s, int64_t now_ms)
{
	char text[TEXT_SIZE], span[USAGE_SPAN_SIZE];

	if (s->cooldown_until_ms <= now_ms) {
		cli_table_add(t, CLI_DIM, "-");
		return;
	}
	usage_text_span(s->cooldown_until_ms - now_ms, span);
	snprintf(text, sizeof(text), "%s%s%s", span, s->cooldown_reason[0] ? " " : "",
		s->cooldown_reason);
	cli_table_add(t, CLI_YELLOW, text);
}

static void add_state(struct cli_table *t, const struct slot *s, enum pick_reason reason)
{
	const char *text = reason == PICK_CHOSEN ? "ready" : pick_reason_name(reason);
	enum cli_color color = CLI_RED;

	if (reason == PICK_CHOSEN || reason == PICK_BUSY)
		color = CLI_GREEN;
	else if (!s->enabled)
		color = CLI_DIM;
	else if (reason == PICK_COOLDOWN || reason == PICK_EXHAUSTED)
		color = CLI_YELLOW;
	cli_table_add(t, color, text);
}

static void print_table(const struct cli_context *ctx, const struct conf *conf,
	struct slot_table *slots, int64_t now_ms)
{
	static const char *const titles[] = {"SLOT", "STATE", "ENABLED", "LABEL", "PLAN", "5H LEFT",
		"WEEK LEFT", "COOLDOWN", "LAST ERROR"};
	struct cli_table *t = cli_table_new(titles, ARRAY_LEN(titles));

	for (size_t i = 0; i < slot_table_count(slots); i++) {
		const struct slot *s = slot_table_at(slots, i);
		const char *plan = s->meters.plan_type;

		cli_table_add(t, CLI_BOLD, s->id);
		add_state(t, s, slot_table_reason(slots, i, now_ms));
		cli_table_add(t, s->enabled ? CLI_PLAIN : CLI_DIM, s->enabled ? "yes" : "no");
		cli_table_add(t, CLI_PLAIN, s->label[0] ? s->label : "-");
		cli_table_add(t, CLI_PLAIN, plan[0] ? plan : "-");
		add_window(t, conf, s, METER_5H, now_ms);
		add_window(t, conf, s, METER_WEEK, now_ms);
		add_cooldown(t, s, now_ms);
		cli_table_add(t, CLI_PLAIN, s->last_error[0] ? s->last_error : "-");
	}
	cli_table_print(ctx, t);
}

static json_t *list_json(struct slot_table *slots, int64_t now_ms)
{
	json_t *list = json_array();

	for (size_t i = 0; i < slot_table_count(slots); i++)
		json_array_append_new(list, store_show_slot(slot_table_at(slots, i),
						    slot_table_reason(slots, i, now_ms), now_ms));
	return json_pack("{s:o}", "slots", list);
}

int cli_slots_list(const struct cli_context *ctx)
{
	int64_t now_ms = clock_wall_ms();
	struct slot_table *slots;
	struct conf *conf;
	int status = cli_load_slots(ctx, &conf, &slots);

	if (status)
		return status;
	if (ctx->json)
		cli_print_json(list_json(slots, now_ms));
	else if (slot_table_count(slots) == 0)
		printf("no slots yet: codex-slot-relay slot-auth-import-file --help\n");
	else
		print_table(ctx, conf, slots, now_ms);
	slot_table_free(slots);
	conf_unref(conf);
	return CLI_OK;
}

int cli_slots_show(const struct cli_context *ctx, const char *id, const char *done)
{
	int64_t now_ms = clock_wall_ms();
	struct slot_table *slots;
	struct conf *conf;
	int status = cli_load_slots(ctx, &conf, &slots);

	if (status)
		return status;
	for (size_t i = 0; ctx->json && i < slot_table_count(slots); i++) {
		const struct slot *s = slot_table_at(slots, i);

		if (strcmp(s->id, id) == 0)
			cli_print_json(json_pack("{s:b, s:o}", "ok", 1, "slot",
				store_show_slot(s, slot_table_reason(slots, i, now_ms), now_ms)));
	}
	if (!ctx->json)
		printf("%s %s\n", id, done);
	slot_table_free(slots);
	conf_unref(conf);
	return CLI_OK;
}

struct change {
	const char *id;
	bool enabled;
};

static int set_enabled(json_t *slots, void *arg)
{
	const struct change *change = arg;
	json_t *record = store_find(slots, change->id);

	if (!record)
		return -ENOENT;
	json_object_set_new(record, "enabled", json_boolean(change->enabled));
	/* Why the relay disabled it is history once the operator has decided. */
	json_object_del(json_object_get(record, "relay"), "disabledReason");
	return 0;
}

static int remove_record(json_t *slots, void *arg)
{
	const struct change *change = arg;
	const json_t *record = store_find(slots, change->id);

	for (size_t i = 0; record && i < json_array_size(slots); i++) {
		if (json_array_get(slots, i) == record)
			return json_array_remove(slots, i) ? -EINVAL : 0;
	}
	return -ENOENT;
}

int cli_slots_edit(const struct cli_context *ctx, const char *id,
	int (*edit)(json_t *slots, void *arg), void *arg)
{
	struct conf_error err = {""};
	int result = store_edit(ctx->root, edit, arg, &err);

	if (!result)
		return CLI_OK;
	if (result == -ENOENT && !err.message[0])
		return cli_fail(ctx, CLI_NOT_FOUND, "there is no %s; see slot-list", id);
	return cli_fail(ctx, result == -EINVAL ? CLI_CONFIG : CLI_FAILED, "%s",
		err.message[0] ? err.message : strerror(-result));
}

/* An edit of one existing record; CLI_OK or a failure that has been told. */
static int edit_one(
	const struct cli_context *ctx, struct change *change, int (*edit)(json_t *slots, void *arg))
{
	struct conf *conf;
	int status = cli_load_conf(ctx, &conf);

	if (status)
		return status;
	conf_unref(conf);
	return cli_slots_edit(ctx, change->id, edit, change);
}

static int enable_or_disable(const struct cli_context *ctx, bool enabled)
{
	char id[LIMIT_SLOT_ID_BYTES];
	struct change change = {id, enabled};
	int status = cli_slot_id(ctx, id);

	if (!status)
		status = edit_one(ctx, &change, set_enabled);
	if (!status)
		status = cli_slots_show(ctx, id, enabled ? "enabled" : "disabled");
	return status;
}

int cli_slots_enable(const struct cli_context *ctx)
{
	return enable_or_disable(ctx, true);
}

int cli_slots_disable(const struct cli_context *ctx)
{
	return enable_or_disable(ctx, false);
}

/* What slot-set changes; the members stay out of the record when nobody named them. */
struct settings {
	const char *id;
	json_t *members;
};

static int set_members(json_t *slots, void *arg)
{
	const struct settings *settings = arg;
	json_t *record = store_find(slots, settings->id);

	return record ? json_object_update(record, settings->members) : -ENOENT;
}

/* CLI_OK or a failure that has been told. */
static int read_settings(const struct cli_context *ctx, json_t *members)
{
	const char *label = cli_value(ctx, "--label");
	const char *priority = cli_value(ctx, "--priority");
	const char *weight = cli_value(ctx, "--weight");
	int64_t rank = 0;
	double share = 1;

	if (!label && !priority && !weight)
		return cli_fail(ctx, CLI_USAGE, "nothing to set: --label, --priority or --weight");
	if (priority && (sv_i64(sv_cstr(priority), &rank) != 0 || rank < -SLOT_PRIORITY_MAX ||
				rank > SLOT_PRIORITY_MAX))
		return cli_fail(ctx, CLI_USAGE,
			"--priority must be a whole number between -%d and %d", SLOT_PRIORITY_MAX,
			SLOT_PRIORITY_MAX);
	if (weight &&
		(sv_f64(sv_cstr(weight), &share) != 0 || !(share > 0) || share > SLOT_WEIGHT_MAX))
		return cli_fail(ctx, CLI_USAGE, "--weight must be a number above 0, at most %d",
			SLOT_WEIGHT_MAX);
	if (label && json_object_set_new(members, "label", json_string(label)) != 0)
		return cli_fail(ctx, CLI_USAGE, "--label must be UTF-8");
	if (priority)
		json_object_set_new(members, "priority", json_integer(rank));
	if (weight)
		json_object_set_new(members, "weight", json_real(share));
	return CLI_OK;
}

int cli_slots_set(const struct cli_context *ctx)
{
	char id[LIMIT_SLOT_ID_BYTES];
	struct settings settings = {id, json_object()};
	struct conf *conf;
	int status = cli_slot_id(ctx, id);

	if (!status)
		status = read_settings(ctx, settings.members);
	if (!status)
		status = cli_load_conf(ctx, &conf);
	if (!status) {
		conf_unref(conf);
		status = cli_slots_edit(ctx, id, set_members, &settings);
	}
	json_decref(settings.members);
	return status ? status : cli_slots_show(ctx, id, "changed");
}

/* Not while a refresh writes there. One that takes that long ends without the slot's files. */
static int remove_files(const struct cli_context *ctx, const char *id)
{
	enum { PATIENCE_MS = 10 * 1000 };
	int lock = -1;
	int err = credential_lock(ctx->root, id, PATIENCE_MS, &lock);

	if (err && err != -ETIMEDOUT)
		return err;
	err = runtime_remove_slot(ctx->root, id);
	durable_unlock(lock);
	return err;
}

int cli_slots_remove(const struct cli_context *ctx)
{
	char id[LIMIT_SLOT_ID_BYTES];
	struct change change = {.id = id};
	int err, status = cli_slot_id(ctx, id);

	if (!status)
		status = edit_one(ctx, &change, remove_record);
	if (status)
		return status;
	err = remove_files(ctx, id);
	if (err)
		return cli_fail(ctx, CLI_FAILED,
			"%s is removed, but its files under state/slots are not: %s", id,
			strerror(-err));
	if (ctx->json)
		cli_print_json(json_pack("{s:b, s:s}", "ok", 1, "removed", id));
	else
		printf("%s removed\n", id);
	return CLI_OK;
}
