#include "cli/cli_credential.h"

#include "base/clock.h"
#include "base/durable.h"
#include "conf/runtime_dir.h"
#include "slots/credential_lock.h"
#include "slots/oauth.h"
#include "slots/stamp.h"
#include "slots/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	LOCK_HINT_MS = 1000,
	LOCK_TIMEOUT_MS = 70 * 1000, /* longer than a token request may take */
	CHOICES_MAX = 8,
};

/* One of them, carried into the edit of slots.json: the auth file is written under its lock. */
struct put {
	struct cli_credential *c;
	char *root;  /* absolute */
	bool chosen; /* the slot was not named by the user */
	bool is_new; /* chosen: there is no such slot */
	bool told;   /* a failure was told already */
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

static json_t *fresh_record(const struct put *p)
{
	json_t *record = json_object();

	json_object_set_new(record, "id", json_string(p->c->id));
	json_object_set_new(record, "sourceSlot", json_null());
	json_object_set_new(record, "enabled", json_true());
	json_object_set_new(record, "label", json_null());
	json_object_set_new(record, "agentDir", json_null());
	json_object_set_new(record, "authFile", json_null());
	json_object_set_new(record, "modelDefault", json_string(p->c->conf->default_model));
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
static json_t *insert_record(json_t *slots, const struct put *p)
{
	json_t *record = fresh_record(p);
	size_t at = 0;

	while (at < json_array_size(slots) &&
		number_of(text_at(json_array_get(slots, at), "id")) < number_of(p->c->id))
		at++;
	json_array_insert_new(slots, at, record);
	return record;
}

/* Whose slot it is, as far as its credential or, without one, its record tells; views of s. */
static struct auth_grant owner_of(const struct slot *s)
{
	const json_t *meta = json_object_get(s->record, "sourceMeta");
	const char *account = text_at(meta, "accountId");
	const char *email = text_at(meta, "email");
	struct auth_grant owner = {
		.account_id = s->account_id,
		.user_id = s->user_id,
		.email = s->email,
	};

	if (!owner.account_id && !owner.user_id && !owner.email) {
		owner.account_id = *account ? (char *)account : NULL;
		owner.email = *email ? (char *)email : NULL;
	}
	return owner;
}

static bool is_known(const struct auth_grant *g)
{
	return g->account_id || g->user_id || g->email;
}

/* Limits, cooldowns and errors of another account say nothing of this one. */
static void forget_other_account(json_t *record)
{
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

static void fill_record(json_t *record, const struct put *p)
{
	const char *label = p->c->label;
	char *agent_dir = runtime_agent_dir(p->root, p->c->id);
	char *auth_file = runtime_auth_path(p->root, p->c->id);

	if (!label && !*text_at(record, "label"))
		label = p->c->label_if_new;
	if (!label && !*text_at(record, "label"))
		label = p->c->grant->email ? p->c->grant->email : p->c->id;
	if (label)
		json_object_set_new(record, "label", json_string(label));
	json_object_set_new(record, "agentDir", json_string(agent_dir));
	json_object_set_new(record, "authFile", json_string(auth_file));
	fill_meta(record, p->c->grant);
	free(auth_file);
	free(agent_dir);
}

/* One account id may hold several seats; the e-mail tells them apart. */
static void find_twin(const json_t *slots, struct put *p)
{
	const struct auth_grant *g = p->c->grant;
	const json_t *record;
	size_t i;

	json_array_foreach(slots, i, record)
	{
		const json_t *meta = json_object_get(record, "sourceMeta");
		const char *id = text_at(record, "id");

		if (strcmp(id, p->c->id) == 0 || !g->account_id || !g->email)
			continue;
		if (strcmp(text_at(meta, "accountId"), g->account_id) == 0 &&
			strcmp(text_at(meta, "email"), g->email) == 0)
			snprintf(p->twin, sizeof(p->twin), "%.*s", LIMIT_SLOT_ID_BYTES - 1, id);
	}
}

static int write_grant(struct put *p)
{
	char *dir = runtime_agent_dir(p->root, p->c->id);
	char *path = runtime_auth_path(p->root, p->c->id);
	int err = durable_mkdirs(dir, 0700);

	if (!err)
		err = auth_grant_write(path, p->c->grant);
	if (err) {
		cli_fail(p->c->ctx, CLI_FAILED, "%s: %s", path, strerror(-err));
		p->told = true;
	}
	free(path);
	free(dir);
	return err;
}

static const char *name_of(const struct auth_grant *g)
{
	if (g->email)
		return g->email;
	return g->account_id ? g->account_id : "an unknown account";
}

static int refuse_identity(struct put *p, const struct auth_grant *owner)
{
	const char *same_name =
		strcmp(name_of(owner), name_of(p->c->grant)) == 0 ? " in another workspace" : "";

	cli_fail(p->c->ctx, CLI_FAILED,
		"%s belongs to %s, and this login is that of %s%s; nothing was changed. --force "
		"gives the slot to the new account; a further --slot keeps both",
		p->c->id, name_of(owner), name_of(p->c->grant), same_name);
	p->told = true;
	return -EPERM;
}

/* Does the slot of the record have the same owner? -EPERM when it has not and must. */
static int check_owner(struct put *p, json_t *record, bool *ret_same)
{
	struct slot *s = store_slot_new(p->root, record, p->c->conf);
	struct auth_grant owner;
	bool same;
	int err = 0;

	if (!s)
		return -EINVAL;
	owner = owner_of(s);
	same = !is_known(&owner) || oauth_same_identity(&owner, p->c->grant);
	if (!same && p->c->same_identity)
		err = refuse_identity(p, &owner);
	store_slot_free(s);
	*ret_same = same;
	return err;
}

static int ask_caller(struct put *p, json_t *record)
{
	struct slot *s;
	int err;

	if (!p->c->check)
		return 0;
	s = record ? store_slot_new(p->root, record, p->c->conf) : NULL;
	err = p->c->check(p->c, s);
	store_slot_free(s);
	p->told = err != 0;
	return err;
}

static int tell_limit(const struct cli_context *ctx)
{
	return cli_fail(ctx, CLI_FAILED, "there are %d slots already, and no more are possible",
		LIMIT_SLOTS_COUNT);
}

static int edit(json_t *slots, void *arg)
{
	struct put *p = arg;
	json_t *record = store_find(slots, p->c->id);
	bool same = true;
	int err = 0;

	/* Somebody else was faster: the choice is to be made again. */
	if (p->chosen && p->is_new != !record)
		return -EAGAIN;
	if (!record && json_array_size(slots) >= LIMIT_SLOTS_COUNT) {
		tell_limit(p->c->ctx);
		p->told = true;
		return -E2BIG;
	}
	if (record)
		err = check_owner(p, record, &same);
	if (!err)
		err = ask_caller(p, record);
	if (!err)
		err = write_grant(p);
	if (err)
		return err;
	find_twin(slots, p);
	if (!same)
		forget_other_account(record);
	if (!record)
		record = insert_record(slots, p);
	fill_record(record, p);
	if (p->c->fill)
		p->c->fill(p->c, record);
	p->disabled = json_is_false(json_object_get(record, "enabled"));
	return 0;
}

/* The slot of this very account, else the lowest number that is free. */
static void choose_among(struct put *p, struct slot_table *slots)
{
	const struct auth_grant *g = p->c->grant;

	for (size_t i = 0; i < slot_table_count(slots); i++) {
		const struct slot *s = slot_table_at(slots, i);
		struct auth_grant owner = owner_of(s);
		bool known = (owner.account_id && g->account_id) || (owner.email && g->email);

		if (!known || !oauth_same_identity(&owner, g))
			continue;
		memcpy(p->c->id, s->id, sizeof(p->c->id));
		p->is_new = false;
		return;
	}
	p->is_new = true;
	for (unsigned n = 1; n <= LIMIT_SLOTS_COUNT + 1; n++) {
		snprintf(p->c->id, sizeof(p->c->id), "slot-%u", n);
		if (!slot_table_find(slots, p->c->id))
			return;
	}
}

static int choose(struct put *p)
{
	struct slot_table *slots;
	struct conf *conf;
	int status = cli_load_slots(p->c->ctx, &conf, &slots);

	if (status)
		return status;
	choose_among(p, slots);
	slot_table_free(slots);
	conf_unref(conf);
	return CLI_OK;
}

static int lock(struct put *p, int *ret_fd)
{
	int err = credential_lock(p->root, p->c->id, LOCK_HINT_MS, ret_fd);

	if (err == -ETIMEDOUT) {
		cli_warn(p->c->ctx,
			"another program refreshes the token of %s; waiting for it to end",
			p->c->id);
		err = credential_lock(p->root, p->c->id, LOCK_TIMEOUT_MS, ret_fd);
	}
	if (err)
		return cli_fail(p->c->ctx, CLI_FAILED, "run/credential-%s.lock: %s", p->c->id,
			err == -ETIMEDOUT ? "another program holds it" : strerror(-err));
	return CLI_OK;
}

/* CLI_OK, -EAGAIN, or a failure that has been told. */
static int put_locked(struct put *p)
{
	struct conf_error err = {""};
	int result = store_edit(p->root, edit, p, &err);

	if (!result)
		return CLI_OK;
	if (result == -EAGAIN && !err.message[0])
		return -EAGAIN;
	if (p->told)
		return CLI_FAILED;
	return cli_fail(p->c->ctx, result == -EINVAL ? CLI_CONFIG : CLI_FAILED, "%s",
		err.message[0] ? err.message : strerror(-result));
}

static int put_once(struct put *p)
{
	int status = p->chosen ? choose(p) : CLI_OK;
	int fd;

	if (!status)
		status = lock(p, &fd);
	if (status)
		return status;
	status = put_locked(p);
	durable_unlock(fd);
	return status;
}

static void warn_about(const struct put *p)
{
	const struct auth_grant *g = p->c->grant;

	if (p->twin[0])
		cli_warn(p->c->ctx, "%s has the same account", p->twin);
	if (p->disabled)
		cli_warn(p->c->ctx, "%s is disabled; slot-enable --slot %s lets requests use it",
			p->c->id, p->c->id);
	if (secret_is_empty(&g->refresh))
		cli_warn(p->c->ctx, "no refresh token in it: %s works until its token expires",
			p->c->id);
	else if (g->expires_ms && g->expires_ms <= clock_wall_ms())
		cli_warn(p->c->ctx, "the access token has expired already");
}

int cli_credential_put(struct cli_credential *c)
{
	struct put p = {.c = c, .root = realpath(c->ctx->root, NULL), .chosen = !c->id[0]};
	int status = -EAGAIN;

	if (!p.root)
		p.root = mem_strdup(c->ctx->root);
	for (int i = 0; i < CHOICES_MAX && status == -EAGAIN; i++)
		status = put_once(&p);
	if (status == -EAGAIN)
		status = cli_fail(c->ctx, CLI_FAILED, "the slots change too fast; try again");
	if (!status)
		warn_about(&p);
	free(p.root);
	return status;
}

static int look(const struct cli_context *ctx, struct slot_table *slots, const char *id,
	struct cli_credential_look *ret)
{
	const struct slot *s = slot_table_find(slots, id);
	size_t count = slot_table_count(slots);
	char *config = runtime_path(ctx->root, "config");
	int status = CLI_OK;

	*ret = (struct cli_credential_look){.others = count > (s ? 1 : 0)};
	if (s) {
		struct auth_grant owner = owner_of(s);

		snprintf(ret->owner, sizeof(ret->owner), "%s",
			is_known(&owner) ? name_of(&owner) : "");
	}
	if (!s && count >= LIMIT_SLOTS_COUNT)
		status = tell_limit(ctx);
	else if (access(config, W_OK) != 0)
		status = cli_fail(ctx, CLI_FAILED, "%s: %s", config, strerror(errno));
	free(config);
	return status;
}

int cli_credential_look(
	const struct cli_context *ctx, const char *id, struct cli_credential_look *ret)
{
	struct slot_table *slots;
	struct conf *conf;
	int status = cli_load_slots(ctx, &conf, &slots);

	if (status)
		return status;
	status = look(ctx, slots, id, ret);
	slot_table_free(slots);
	conf_unref(conf);
	return status;
}
