#include "cli/cli_openclaw.h"

#include "base/clock.h"
#include "base/durable.h"
#include "cli/cli_credential.h"
#include "cli/cli_print.h"
#include "cli/cli_slots.h"
#include "conf/json_file.h"
#include "conf/runtime_dir.h"
#include "openclaw/openclaw_store.h"
#include "proto/url.h"
#include "slots/oauth.h"
#include "slots/slot_record.h"
#include "slots/stamp.h"
#include "slots/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROBLEM_SIZE = 512, URL_MAX_BYTES = 2048 };

/* --- sync-slots --- */

/* One slot of OpenClaw's on its way into ours. */
struct sync_one {
	const struct cli_context *ctx;
	const struct conf *conf;
	const struct openclaw_store *store;
	const struct openclaw_entry *entry;
	const struct auth_grant *grant;
	bool force;
	bool is_new, is_same;	   /* of our slot: there is none; it has this very grant */
	char reason[PROBLEM_SIZE]; /* why it stays as it is; "" */
};

static const json_t *entry_member(const struct sync_one *one, const char *name)
{
	return json_object_get(one->entry->json, name);
}

static bool same_token(const struct slot *s, const struct auth_grant *g)
{
	return secret_equals(&s->access, secret_expose(&g->access));
}

static bool same_owner(const struct slot *s, const struct auth_grant *g)
{
	const struct auth_grant owner = {
		.account_id = s->account_id,
		.user_id = s->user_id,
		.email = s->email,
	};

	return oauth_same_identity(&owner, g);
}

/* 1: the entry's grant is newer than the slot's, -1: older, 0: nobody can tell. */
static int compare(const struct sync_one *one, const struct slot *s)
{
	const json_t *meta = json_object_get(s->record, "sourceMeta");
	int64_t ours_ms = stamp_read(json_object_get(meta, "savedAt"));
	int64_t theirs_ms = stamp_read(entry_member(one, "savedAt"));

	if (s->expires_ms && one->grant->expires_ms && s->expires_ms != one->grant->expires_ms)
		return one->grant->expires_ms > s->expires_ms ? 1 : -1;
	if (ours_ms && theirs_ms && ours_ms != theirs_ms)
		return theirs_ms > ours_ms ? 1 : -1;
	return 0;
}

/*
 * Refresh tokens rotate: putting an older grant over a newer one loses the account until somebody
 * logs in again (PROTOCOL 1).
 */
static int check_grant(struct cli_credential *c, const struct slot *s)
{
	struct sync_one *one = c->arg;

	one->is_new = !s;
	one->reason[0] = '\0';
	if (!s || secret_is_empty(&s->access))
		return 0;
	one->is_same = same_token(s, one->grant);
	if (one->is_same)
		return -EALREADY;
	if (one->force)
		return 0;
	if (!same_owner(s, one->grant))
		snprintf(one->reason, sizeof(one->reason),
			"it belongs to another account here (%s); --force replaces it",
			s->email ? s->email : "unknown e-mail");
	else if (!s->reauth_required && compare(one, s) < 0)
		snprintf(one->reason, sizeof(one->reason), "it has a newer grant here");
	else if (!s->reauth_required && compare(one, s) == 0)
		snprintf(one->reason, sizeof(one->reason),
			"nobody can tell which of the two grants is newer; --force takes "
			"OpenClaw's");
	return one->reason[0] ? -ECANCELED : 0;
}

static void copy_member(json_t *to, const struct sync_one *one, const char *name)
{
	const json_t *value = entry_member(one, name);

	if (value && !json_is_null(value))
		json_object_set_new(to, name, json_deep_copy(value));
}

static void fill_usage(json_t *record, const struct sync_one *one)
{
	json_t *usage = openclaw_store_usage(one->entry);
	int64_t theirs_ms = stamp_read(json_object_get(usage, "checkedAt"));
	int64_t ours_ms =
		stamp_read(json_object_get(json_object_get(record, "usage"), "checkedAt"));

	if (usage && (theirs_ms > ours_ms || (!ours_ms && !theirs_ms)))
		slot_record_merge(record, usage, NULL, NULL);
	else
		json_decref(usage);
}

static void fill_source(json_t *record, const struct sync_one *one)
{
	static const char *const told[] = {
		"emailLabel", "profileId", "savedAt", "usageFingerprint"};
	json_t *meta = json_object_get(record, "sourceMeta");
	const json_t *models = json_object_get(openclaw_store_provider(one->store), "models");

	json_object_set_new(record, "sourceSlot", json_string(one->entry->id + strlen("slot-")));
	for (size_t i = 0; json_is_object(meta) && i < ARRAY_LEN(told); i++)
		copy_member(meta, one, told[i]);
	if (json_is_array(models))
		json_object_set_new(record, "providerModels", json_deep_copy(models));
	fill_usage(record, one);
}

static void fill_record(struct cli_credential *c, json_t *record)
{
	fill_source(record, c->arg);
}

static int refresh_source(json_t *slots, void *arg)
{
	const struct sync_one *one = arg;
	json_t *record = store_find(slots, one->entry->id);

	if (!record)
		return -ENOENT;
	fill_source(record, one);
	return 0;
}

static bool is_backend_url(const json_t *value)
{
	struct buf base;
	bool ok;

	if (!json_is_string(value))
		return false;
	buf_init(&base, URL_MAX_BYTES);
	ok = url_backend_base(sv_cstr(json_string_value(value)), &base) == 0;
	buf_fini(&base);
	return ok;
}

/* The slot's models.json: where its backend is. One that exists is the operator's. */
static int write_models(const struct sync_one *one)
{
	static const char *const members[] = {"baseUrl", "api", "models"};
	const json_t *provider = openclaw_store_provider(one->store);
	char *path = runtime_models_path(one->ctx->root, one->entry->id);
	json_t *copy = json_object();
	json_t *doc;
	int err = 0;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_t *value = json_object_get(provider, members[i]);

		if (value)
			json_object_set_new(copy, members[i], json_deep_copy(value));
	}
	doc = json_pack("{s:{s:o}}", "providers", "openai-codex", copy);
	if (is_backend_url(json_object_get(provider, "baseUrl")))
		err = one->force ? json_file_write(path, doc) : json_file_create(path, doc);
	else if (json_object_get(provider, "baseUrl"))
		cli_warn(one->ctx, "the baseUrl of OpenClaw's models.json is no http or https URL; "
				   "it is not taken over");
	json_decref(doc);
	if (err && err != -EEXIST)
		err = cli_fail(one->ctx, CLI_FAILED, "%s: %s", path, strerror(-err));
	else
		err = CLI_OK;
	free(path);
	return err;
}

static void skip(struct cli_openclaw_sync *sync, const char *id, const char *reason)
{
	json_array_append_new(sync->skipped, json_pack("{s:s, s:s}", "id", id, "reason", reason));
}

static int put_one(struct sync_one *one, struct cli_openclaw_sync *sync)
{
	struct cli_credential credential = {
		.ctx = one->ctx,
		.conf = one->conf,
		.grant = one->grant,
		.label_if_new = one->entry->label[0] ? one->entry->label : NULL,
		.check = check_grant,
		.fill = fill_record,
		.arg = one,
	};
	const char *id = one->entry->id;
	int status;

	memcpy(credential.id, id, sizeof(credential.id));
	status = cli_credential_put(&credential);
	if (status && one->is_same)
		status = cli_slots_edit(one->ctx, id, refresh_source, one);
	else if (status && one->reason[0]) {
		skip(sync, id, one->reason);
		return CLI_OK;
	}
	if (!status)
		status = write_models(one);
	if (!status)
		json_array_append_new(
			one->is_new ? sync->imported : sync->updated, json_string(id));
	return status;
}

static int sync_entry(struct sync_one *one, struct cli_openclaw_sync *sync)
{
	struct auth_grant grant = {0};
	char problem[PROBLEM_SIZE];
	int status = CLI_OK;

	one->grant = &grant;
	if (openclaw_store_grant(one->store, one->entry, &grant, problem, sizeof(problem)) != 0)
		skip(sync, one->entry->id, problem);
	else
		status = put_one(one, sync);
	auth_grant_fini(&grant);
	return status;
}

static void warn_shared(const struct cli_context *ctx)
{
	cli_warn(ctx, "OpenClaw and this relay now hold the same grants. Whichever refreshes one "
		      "first makes the other's worthless: use the accounts in one of them only.");
}

static int open_store(const struct cli_context *ctx, struct openclaw_store **ret)
{
	char problem[PROBLEM_SIZE];
	int err = openclaw_store_open(ret, problem, sizeof(problem));

	if (err)
		return cli_fail(ctx, err == -ENOENT ? CLI_NOT_FOUND : CLI_FAILED,
			"OpenClaw's slots: %s", problem);
	return CLI_OK;
}

int cli_openclaw_sync_run(const struct cli_context *ctx, bool force, struct cli_openclaw_sync *ret)
{
	struct openclaw_store *store;
	struct conf *conf;
	const char *odd;
	int status = cli_load_conf(ctx, &conf);

	*ret = (struct cli_openclaw_sync){json_array(), json_array(), json_array()};
	if (status)
		return status;
	status = open_store(ctx, &store);
	if (status) {
		conf_unref(conf);
		return status;
	}
	for (size_t i = 0; !status && i < openclaw_store_count(store); i++) {
		struct sync_one one = {
			.ctx = ctx,
			.conf = conf,
			.store = store,
			.entry = openclaw_store_at(store, i),
			.force = force,
		};

		status = sync_entry(&one, ret);
	}
	for (size_t i = 0; (odd = openclaw_store_odd(store, i)); i++)
		skip(ret, odd, "it is no slot: an object under a number is");
	if (json_array_size(ret->imported) + json_array_size(ret->updated) > 0)
		warn_shared(ctx);
	openclaw_store_free(store);
	conf_unref(conf);
	return status;
}

void cli_openclaw_sync_free(struct cli_openclaw_sync *sync)
{
	json_decref(sync->imported);
	json_decref(sync->updated);
	json_decref(sync->skipped);
}

json_t *cli_openclaw_sync_json(const struct cli_openclaw_sync *sync)
{
	return json_pack("{s:O, s:O, s:O}", "imported", sync->imported, "updated", sync->updated,
		"skipped", sync->skipped);
}

void cli_openclaw_sync_print(const struct cli_context *ctx, const struct cli_openclaw_sync *sync)
{
	const json_t *item;
	size_t i;

	json_array_foreach(sync->imported, i, item)
		cli_print_line(ctx, json_string_value(item), "imported");
	json_array_foreach(sync->updated, i, item)
		cli_print_line(ctx, json_string_value(item), "updated");
	json_array_foreach(sync->skipped, i, item)
	{
		char text[PROBLEM_SIZE + 16];

		snprintf(text, sizeof(text), "skipped: %s",
			json_string_value(json_object_get(item, "reason")));
		cli_print_line(ctx, json_string_value(json_object_get(item, "id")), text);
	}
}

int cli_openclaw_sync(const struct cli_context *ctx)
{
	struct cli_openclaw_sync sync;
	int status = cli_openclaw_sync_run(ctx, cli_value(ctx, "--force") != NULL, &sync);

	if (!status && ctx->json)
		cli_print_json(cli_openclaw_sync_json(&sync));
	else if (!status)
		cli_openclaw_sync_print(ctx, &sync);
	cli_openclaw_sync_free(&sync);
	return status;
}

/* --- slot-auth-copy-profile --- */

int cli_openclaw_copy_profile(const struct cli_context *ctx)
{
	struct auth_grant grant = {0};
	struct cli_credential credential = {
		.ctx = ctx,
		.grant = &grant,
		.label = cli_value(ctx, "--label"),
	};
	char problem[PROBLEM_SIZE];
	char *path = NULL;
	struct conf *conf;
	int status = cli_slot_id(ctx, credential.id);

	if (!status)
		status = cli_load_conf(ctx, &conf);
	if (status)
		return status;
	credential.conf = conf;
	if (openclaw_store_profile_grant(cli_value(ctx, "--source-profile"),
		    cli_value(ctx, "--source-agent"), &grant, &path, problem, sizeof(problem)) != 0)
		status = cli_fail(ctx, CLI_FAILED, "%s", problem);
	if (!status)
		status = cli_credential_put(&credential);
	if (!status)
		warn_shared(ctx);
	if (!status)
		status = cli_slots_show(ctx, credential.id, "copied");
	free(path);
	auth_grant_fini(&grant);
	conf_unref(conf);
	return status;
}

/* --- slot-usage-copy-main --- */

struct usage_copy {
	const char *id;
	json_t *usage; /* taken by the edit */
};

static int put_usage(json_t *slots, void *arg)
{
	struct usage_copy *copy = arg;
	json_t *record = store_find(slots, copy->id);

	if (!record)
		return -ENOENT;
	slot_record_merge(record, json_incref(copy->usage), NULL, NULL);
	/* What the relay learnt of the windows is of another time. */
	json_object_del(json_object_get(record, "relay"), "windows");
	return 0;
}

/* The entry that the slot came from, else the one with its number. */
static const struct openclaw_entry *find_source(
	const struct cli_context *ctx, const struct openclaw_store *store, const char *id)
{
	const struct openclaw_entry *entry = NULL;
	char source[LIMIT_SLOT_ID_BYTES];
	struct slot_table *slots;
	const struct slot *s;
	const char *told;
	struct conf *conf;

	if (cli_load_slots(ctx, &conf, &slots) != CLI_OK)
		return NULL;
	s = slot_table_find(slots, id);
	told = s ? json_string_value(json_object_get(s->record, "sourceSlot")) : NULL;
	if (told && store_slot_id(told, source) == 0)
		entry = openclaw_store_find(store, source);
	slot_table_free(slots);
	conf_unref(conf);
	return entry ? entry : openclaw_store_find(store, id);
}

static int copy_usage(
	const struct cli_context *ctx, const struct openclaw_store *store, const char *id)
{
	const struct openclaw_entry *entry = find_source(ctx, store, id);
	struct usage_copy copy = {.id = id};
	int status;

	if (!entry)
		return cli_fail(ctx, CLI_NOT_FOUND, "%s has no %s", openclaw_store_path(store), id);
	copy.usage = openclaw_store_usage(entry);
	if (!copy.usage)
		return cli_fail(ctx, CLI_FAILED, "%s knows no usage of %s",
			openclaw_store_path(store), entry->id);
	/* A snapshot without a time is one of now. */
	if (json_is_null(json_object_get(copy.usage, "checkedAt")))
		json_object_set_new(
			copy.usage, "checkedAt", stamp_write(clock_wall_ms(), NULL, NULL));
	status = cli_slots_edit(ctx, id, put_usage, &copy);
	json_decref(copy.usage);
	return status;
}

int cli_openclaw_copy_usage(const struct cli_context *ctx)
{
	char id[LIMIT_SLOT_ID_BYTES];
	struct openclaw_store *store;
	struct conf *conf;
	int status = cli_slot_id(ctx, id);

	if (!status)
		status = cli_load_conf(ctx, &conf);
	if (status)
		return status;
	conf_unref(conf);
	status = open_store(ctx, &store);
	if (status)
		return status;
	status = copy_usage(ctx, store, id);
	openclaw_store_free(store);
	return status ? status : cli_slots_show(ctx, id, "has the usage that OpenClaw knows");
}
