#include "cli/cli.h"
#include "cli/cli_print.h"
#include "cli/cli_show.h"
#include "cli/cli_slots.h"

#include "base/clock.h"
#include "slots/slot_edit.h"
#include "slots/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *list_json(const struct cli_view *v)
{
	return json_pack("{s:O, s:s}", "slots", v->slots, "source", v->is_live ? "relay" : "files");
}

int cli_slots_list(const struct cli_context *ctx)
{
	struct cli_view v;
	int status = cli_view_load(ctx, &v);

	if (status)
		return status;
	if (ctx->json)
		cli_print_json(list_json(&v));
	else if (json_array_size(v.slots) == 0)
		printf("no slots yet: codex-slot-relay slot-login --help\n");
	else
		cli_show_slots(ctx, &v);
	if (v.live.problem[0])
		cli_warn(ctx, "from the files: something listens at %s, but %s", v.live.address,
			v.live.problem);
	cli_view_fini(&v);
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
static int edit_one(const struct cli_context *ctx, struct slot_edit *change,
	int (*edit)(json_t *slots, void *arg))
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
	struct slot_edit change = {.id = id, .enabled = enabled};
	int status = cli_slot_id(ctx, id);

	if (!status)
		status = edit_one(ctx, &change, slot_edit_enable);
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

int cli_slots_reset(const struct cli_context *ctx)
{
	char id[LIMIT_SLOT_ID_BYTES];
	struct slot_edit change = {.id = id, .now_ms = clock_wall_ms()};
	int status = cli_slot_id(ctx, id);

	if (!status)
		status = edit_one(ctx, &change, slot_edit_reset);
	if (!status && !change.enabled)
		cli_warn(ctx, "%s stays disabled: slot-enable --slot %s", id, id);
	if (!status && change.reauth)
		cli_warn(ctx, "%s still needs a new login: slot-login --slot %s", id, id);
	if (!status)
		status = cli_slots_show(ctx, id, "reset");
	return status;
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

int cli_slots_remove(const struct cli_context *ctx)
{
	char id[LIMIT_SLOT_ID_BYTES];
	struct slot_edit change = {.id = id};
	int err, status = cli_slot_id(ctx, id);

	if (!status)
		status = edit_one(ctx, &change, slot_edit_remove);
	if (status)
		return status;
	err = slot_edit_remove_files(ctx->root, id);
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
