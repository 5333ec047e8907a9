#include "cli/cli.h"
#include "cli/cli_slots.h"

#include "base/clock.h"
#include "base/durable.h"
#include "conf/runtime_dir.h"
#include "slots/auth_file.h"
#include "slots/stamp.h"
#include "slots/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* One import, carried into the edit of slots.json: the credential is written under its lock. */
struct import {
	const struct cli_context *ctx;
	const struct conf *conf;
	char *root; /* absolute */
	char id[LIMIT_SLOT_ID_BYTES];
	struct auth_grant grant;
	bool told; /* a failure was told already */
	bool disabled;
	char twin[LIMIT_SLOT_ID_BYTES]; /* another slot of the same account; "" none */
};

/* Text members of a record, "" when absent. */
static const char *text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

static json_t *fresh_usage(void)
{
	return json_pack("{s:n, s:n, s:n, s:n, s:n}", "usage5h", "usageWeek", "fivePct", "weekPct",
		"checkedAt");
}

static json_t *fresh_runtime(void)
{
	return json_pack("{s:n, s:n, s:n, s:i}", "cooldownUntil", "lastUsedAt", "lastError",
		"consecutiveFailures", 0);
}

static json_t *fresh_record(const struct import *im)
{
	json_t *record = json_object();

	json_object_set_new(record, "id", json_string(im->id));
	json_object_set_new(record, "sourceSlot", json_null());
	json_object_set_new(record, "enabled", json_true());
	json_object_set_new(record, "label", json_null());
	json_object_set_new(record, "agentDir", json_null());
	json_object_set_new(record, "authFile", json_null());
	json_object_set_new(record, "modelDefault", json_string(im->conf->default_model));
	json_object_set_new(record, "usage", fresh_usage());
	json_object_set_new(record, "runtime", fresh_runtime());
	json_object_set_new(record, "sourceMeta", json_object());
	json_object_set_new(record, "providerModels", json_array());
	return record;
}

static unsigned long number_of(const char *slot_id)
{
	const char *dash = strrchr(slot_id, '-');

	return strtoul(dash ? dash + 1 : slot_id, NULL, 10);
}

/* Behind the records with smaller numbers. */
static json_t *insert_record(json_t *slots, const struct import *im)
{
	json_t *record = fresh_record(im);
	size_t at = 0;

	while (at < json_array_size(slots) &&
		number_of(text_at(json_array_get(slots, at), "id")) < number_of(im->id))
		at++;
	json_array_insert_new(slots, at, record);
	return record;
}

static bool is_other(const char *old, const char *fresh)
{
	return *old && fresh && strcmp(old, fresh) != 0;
}

/* Limits, cooldowns and errors of another account say nothing of this one. */
static void forget_other_account(json_t *record, const struct auth_grant *g)
{
	const json_t *meta = json_object_get(record, "sourceMeta");

	if (!is_other(text_at(meta, "accountId"), g->account_id) &&
		!is_other(text_at(meta, "email"), g->email))
		return;
	json_object_set_new(record, "usage", fresh_usage());
	json_object_set_new(record, "runtime", fresh_runtime());
	json_object_del(record, "relay");
}

static void fill_meta(json_t *record, const struct auth_grant *g)
{
	json_t *meta = json_object_get(record, "sourceMeta");
	json_t *saved_at;

	if (!json_is_object(meta)) {
		json_object_set_new(record, "sourceMeta", json_object());
		meta = json_object_get(record, "sourceMeta");
	}
	saved_at = stamp_write(clock_wall_ms(), json_object_get(meta, "savedAt"), NULL);
	json_object_set_new(meta, "email", text_or_null(g->email));
	json_object_set_new(meta, "emailLabel", text_or_null(text_at(record, "label")));
	json_object_set_new(meta, "accountId", text_or_null(g->account_id));
	json_object_set_new(meta, "profileId", json_string("openai-codex:default"));
	json_object_set_new(
		meta, "expires", g->expires_ms ? json_integer(g->expires_ms) : json_null());
	json_object_set_new(meta, "savedAt", saved_at);
	if (!json_object_get(meta, "usageFingerprint"))
		json_object_set_new(meta, "usageFingerprint", json_null());
}

static void fill_record(json_t *record, const struct import *im)
{
	const char *label = cli_value(im->ctx, "--label");
	char *agent_dir = runtime_agent_dir(im->root, im->id);
	char *auth_file = runtime_auth_path(im->root, im->id);

	if (!label && !*text_at(record, "label"))
		label = im->grant.email ? im->grant.email : im->id;
	if (label)
		json_object_set_new(record, "label", json_string(label));
	json_object_set_new(record, "agentDir", json_string(agent_dir));
	json_object_set_new(record, "authFile", json_string(auth_file));
	fill_meta(record, &im->grant);
	free(auth_file);
	free(agent_dir);
}

/* One account id may hold several seats; the e-mail tells them apart. */
static void find_twin(const json_t *slots, struct import *im)
{
	const json_t *record;
	size_t i;

	json_array_foreach(slots, i, record)
	{
		const json_t *meta = json_object_get(record, "sourceMeta");
		const char *id = text_at(record, "id");

		if (strcmp(id, im->id) == 0 || !im->grant.account_id || !im->grant.email)
			continue;
		if (strcmp(text_at(meta, "accountId"), im->grant.account_id) == 0 &&
			strcmp(text_at(meta, "email"), im->grant.email) == 0)
			snprintf(im->twin, sizeof(im->twin), "%.*s", LIMIT_SLOT_ID_BYTES - 1, id);
	}
}

static int write_grant(struct import *im)
{
	char *dir = runtime_agent_dir(im->root, im->id);
	char *path = runtime_auth_path(im->root, im->id);
	int err = durable_mkdirs(dir, 0700);

	if (!err)
		err = auth_grant_write(path, &im->grant);
	if (err) {
		cli_fail(im->ctx, CLI_FAILED, "%s: %s", path, strerror(-err));
		im->told = true;
	}
	free(path);
	free(dir);
	return err;
}

static int import_into(json_t *slots, void *arg)
{
	struct import *im = arg;
	json_t *record = store_find(slots, im->id);
	int err;

	if (!record && json_array_size(slots) >= LIMIT_SLOTS_COUNT)
		return -E2BIG;
	err = write_grant(im);
	if (err)
		return err;
	find_twin(slots, im);
	if (record)
		forget_other_account(record, &im->grant);
	else
		record = insert_record(slots, im);
	fill_record(record, im);
	im->disabled = json_is_false(json_object_get(record, "enabled"));
	return 0;
}

static int edit_slots(struct import *im)
{
	struct conf_error err = {""};
	int result = store_edit(im->root, import_into, im, &err);

	if (!result || im->told)
		return result ? CLI_FAILED : CLI_OK;
	return cli_fail(im->ctx, result == -EINVAL ? CLI_CONFIG : CLI_FAILED, "%s",
		err.message[0] ? err.message : strerror(-result));
}

static void warn_about(const struct import *im)
{
	if (im->twin[0])
		cli_warn(im->ctx, "%s has the same account", im->twin);
	if (im->disabled)
		cli_warn(im->ctx, "%s is disabled; slot-enable --slot %s lets requests use it",
			im->id, im->id);
	if (secret_is_empty(&im->grant.refresh))
		cli_warn(im->ctx, "no refresh token in it: %s works until its token expires",
			im->id);
	else if (im->grant.expires_ms && im->grant.expires_ms <= clock_wall_ms())
		cli_warn(im->ctx, "the access token has expired already");
}

static int read_grant(struct import *im)
{
	const char *path = cli_value(im->ctx, "--auth-file");
	char problem[512];

	if (auth_grant_read(path, &im->grant, problem, sizeof(problem)) != 0)
		return cli_fail(im->ctx, CLI_FAILED, "%s: %s", path, problem);
	return CLI_OK;
}

int cli_import_file(const struct cli_context *ctx)
{
	struct import im = {.ctx = ctx};
	struct conf *conf;
	int status = cli_slot_id(ctx, im.id);

	if (!status)
		status = cli_load_conf(ctx, &conf);
	if (status)
		return status;
	im.conf = conf;
	im.root = realpath(ctx->root, NULL);
	if (!im.root)
		im.root = mem_strdup(ctx->root);
	status = read_grant(&im);
	if (!status)
		status = edit_slots(&im);
	if (!status)
		warn_about(&im);
	if (!status)
		status = cli_slots_show(ctx, im.id, "imported");
	auth_grant_fini(&im.grant);
	free(im.root);
	conf_unref(conf);
	return status;
}
