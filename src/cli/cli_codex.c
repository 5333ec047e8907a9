/* Logins taken over from the Codex CLI, and given to it: its auth.json. */
#include "cli/cli.h"
#include "cli/cli_client_url.h"
#include "cli/cli_credential.h"
#include "cli/cli_print.h"
#include "cli/cli_slots.h"

#include "base/clock.h"
#include "base/durable.h"
#include "conf/json_file.h"
#include "conf/runtime_dir.h"
#include "slots/credential_lock.h"
#include "slots/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TIMEOUT_MS = 70 * 1000, BACKUPS_MAX = 100 };

/* Where the Codex CLI keeps its login; the caller frees. NULL when nobody says where. */
static char *auth_json_path(const struct cli_context *ctx)
{
	char *home = cli_client_codex_home(ctx);
	char *path = home ? runtime_path(home, "auth.json") : NULL;

	free(home);
	return path;
}

static int read_codex(const struct cli_context *ctx, const char *path, struct auth_grant *ret)
{
	char problem[512];
	int err = auth_grant_read(path, ret, problem, sizeof(problem));

	if (err == -ENOENT)
		return cli_fail(ctx, CLI_FAILED,
			"%s: there is none; sign in with `codex login`, or say where it is with "
			"--codex-home (a login in the system's keyring cannot be read: use "
			"slot-login)",
			path);
	if (err)
		return cli_fail(ctx, CLI_FAILED, "%s: %s", path, problem);
	return CLI_OK;
}

/* auth.json.moved-20261126, or with a number behind it when that is taken. */
static int rename_away(const char *path, char **ret_name)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	char suffix[64], stamp[16] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(stamp, sizeof(stamp), "%Y%m%d", &tm);
	for (int i = 0; i < BACKUPS_MAX; i++) {
		struct buf name;
		int err;

		snprintf(suffix, sizeof(suffix), i ? ".moved-%s-%d" : ".moved-%s", stamp, i);
		buf_init(&name, 8192);
		buf_add_cstr(&name, path);
		buf_add_cstr(&name, suffix);
		/* link() and not rename(): what has this name already stays. */
		err = link(path, buf_cstr(&name)) == 0 ? 0 : -errno;
		if (!err)
			*ret_name = mem_strdup(buf_cstr(&name));
		buf_fini(&name);
		if (err != -EEXIST)
			return err ? err : (unlink(path) == 0 ? 0 : -errno);
	}
	return -EEXIST;
}

static int move_away(const struct cli_context *ctx, const char *path, char **ret_name)
{
	int err = rename_away(path, ret_name);

	if (err)
		return cli_fail(ctx, CLI_FAILED,
			"the login was imported, but %s could not be renamed (%s): the Codex CLI "
			"still uses it; sign out there with `codex logout` only after renaming "
			"it by hand, because a logout ends the login",
			path, strerror(-err));
	return CLI_OK;
}

static void warn_shared(const struct cli_context *ctx, const char *id)
{
	cli_warn(ctx,
		"the Codex CLI and %s share one login now: when one of them refreshes its token, "
		"the other's can be refused and the login ended for both. --move takes it away "
		"from the CLI; slot-login makes one of its own",
		id);
}

/* A link is followed: what is taken over is the file. */
static char *real_path(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : mem_strdup(path);
}

/* The CLI may have refreshed its token between our reading and the renaming: the newest counts. */
static int catch_up(struct cli_credential *credential, const char *backup)
{
	struct auth_grant grant = {0};
	char problem[512];
	int status = CLI_OK;

	if (auth_grant_read(backup, &grant, problem, sizeof(problem)) == 0 &&
		!secret_equals(&grant.access, secret_expose(&credential->grant->access))) {
		credential->grant = &grant;
		status = cli_credential_put(credential);
	}
	auth_grant_fini(&grant);
	return status;
}

static int finish_import(struct cli_credential *credential, const char *path)
{
	const struct cli_context *ctx = credential->ctx;
	char *backup = NULL;
	int status = CLI_OK;

	if (!cli_value(ctx, "--move"))
		warn_shared(ctx, credential->id);
	else
		status = move_away(ctx, path, &backup);
	if (!status && backup)
		status = catch_up(credential, backup);
	if (!status)
		status = cli_slots_show(ctx, credential->id, "has the Codex CLI's login");
	/* Where the result is JSON, people read stderr. */
	if (!status && backup)
		fprintf(ctx->json ? stderr : stdout,
			"%s is now %s: the Codex CLI is signed out there, and the relay alone has "
			"the login.\nSend its requests through the relay, or sign it in anew with "
			"`codex login`.\n",
			path, backup);
	free(backup);
	return status;
}

static int import(struct cli_credential *credential, const char *path)
{
	const struct cli_context *ctx = credential->ctx;
	struct auth_grant grant = {0};
	int status = read_codex(ctx, path, &grant);

	credential->grant = &grant;
	if (!status && cli_value(ctx, "--move") && secret_is_empty(&grant.refresh))
		status = cli_fail(ctx, CLI_FAILED,
			"%s has no refresh token: there is no login in it that could be moved",
			path);
	if (!status)
		status = cli_credential_put(credential);
	if (!status)
		status = finish_import(credential, path);
	auth_grant_fini(&grant);
	return status;
}

int cli_codex_import(const struct cli_context *ctx)
{
	struct cli_credential credential = {
		.ctx = ctx,
		.label = cli_value(ctx, "--label"),
		.same_identity = !cli_value(ctx, "--force"),
	};
	char *told = auth_json_path(ctx);
	struct conf *conf;
	char *path;
	int status = CLI_OK;

	if (!told)
		return cli_fail(ctx, CLI_USAGE,
			"neither --codex-home nor $CODEX_HOME nor $HOME "
			"says where the Codex CLI keeps its login");
	if (cli_value(ctx, "--slot"))
		status = cli_slot_id(ctx, credential.id);
	if (!status)
		status = cli_load_conf(ctx, &conf);
	if (!status) {
		path = real_path(told);
		credential.conf = conf;
		status = import(&credential, path);
		free(path);
		conf_unref(conf);
	}
	free(told);
	return status;
}

/* Export. */

static json_t *text_or_null(struct sv text)
{
	return text.n ? json_stringn(text.p, text.n) : json_null();
}

/* Member for member what the Codex CLI (0.98 to 0.144) writes. */
static json_t *codex_document(const struct auth_grant *g, int64_t made_ms)
{
	char refreshed[CLOCK_ISO_SIZE];
	json_t *tokens = json_object();
	json_t *doc = json_object();

	json_object_set_new(tokens, "id_token", text_or_null(secret_expose(&g->id_token)));
	json_object_set_new(tokens, "access_token", text_or_null(secret_expose(&g->access)));
	json_object_set_new(tokens, "refresh_token", text_or_null(secret_expose(&g->refresh)));
	json_object_set_new(tokens, "account_id", text_or_null(sv_cstr(g->account_id)));
	clock_format_iso(made_ms, refreshed);
	json_object_set_new(doc, "OPENAI_API_KEY", json_null());
	json_object_set_new(doc, "tokens", tokens);
	json_object_set_new(doc, "last_refresh", json_string(refreshed));
	return doc;
}

/* When the tokens were had: the auth file is written whenever they change. */
static int64_t refreshed_ms(const struct slot *s)
{
	struct stat st;

	return stat(s->auth_file, &st) == 0 ? (int64_t)st.st_mtime * 1000 : clock_wall_ms();
}

static int write_export(
	const struct cli_context *ctx, const struct slot *s, const struct auth_grant *g)
{
	const char *path = cli_value(ctx, "--to");
	json_t *doc = codex_document(g, refreshed_ms(s));
	int err = cli_value(ctx, "--force") ? json_file_write(path, doc)
					    : json_file_create(path, doc);

	json_decref(doc);
	if (err == -EEXIST)
		return cli_fail(ctx, CLI_FAILED, "%s exists; --force replaces it", path);
	if (err)
		return cli_fail(ctx, CLI_FAILED, "%s: %s", path, strerror(-err));
	return CLI_OK;
}

/* A file of its own and nothing else: no terminal, no pipe, no device that would be replaced. */
static int check_target(const struct cli_context *ctx)
{
	const char *path = cli_value(ctx, "--to");
	struct stat st;

	if (strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
		return cli_fail(
			ctx, CLI_FAILED, "%s is no file: tokens are written only to one", path);
	return CLI_OK;
}

static int check_complete(const struct cli_context *ctx, const char *id, const struct auth_grant *g)
{
	if (secret_is_empty(&g->refresh))
		return cli_fail(ctx, CLI_FAILED,
			"%s has no refresh token: the Codex CLI could not use it", id);
	if (secret_is_empty(&g->id_token))
		return cli_fail(ctx, CLI_FAILED,
			"%s has no id token, which the Codex CLI needs: it was imported from a "
			"file without one. Log in again: slot-login --slot %s",
			id, id);
	return CLI_OK;
}

/* Under the credential's lock, so that no refresh makes it worthless while it is written. */
static int export_locked(const struct cli_context *ctx, const struct slot *s)
{
	struct auth_grant grant = {0};
	char problem[512];
	int err = auth_grant_read(s->auth_file, &grant, problem, sizeof(problem));
	int status;

	if (err)
		return cli_fail(ctx, CLI_FAILED, "%s: %s", s->auth_file, problem);
	status = check_complete(ctx, s->id, &grant);
	if (!status)
		status = write_export(ctx, s, &grant);
	auth_grant_fini(&grant);
	return status;
}

static int export_slot(const struct cli_context *ctx, const struct slot *s)
{
	int fd, status;
	int err = credential_lock(ctx->root, s->id, LOCK_TIMEOUT_MS, &fd);

	if (err)
		return cli_fail(ctx, CLI_FAILED, "run/credential-%s.lock: %s", s->id,
			err == -ETIMEDOUT ? "another program holds it" : strerror(-err));
	status = export_locked(ctx, s);
	durable_unlock(fd);
	return status;
}

static void show_export(const struct cli_context *ctx, const struct slot *s)
{
	const char *path = cli_value(ctx, "--to");

	cli_warn(ctx,
		"%s and whatever uses %s share one login now: when one of them refreshes its "
		"token, the other's can be refused and the login ended for both. Where only the "
		"file is to be used, remove the slot: slot-remove --slot %s",
		s->id, path, s->id);
	if (ctx->json)
		cli_print_json(json_pack("{s:b, s:s, s:s}", "ok", 1, "slot", s->id, "file", path));
	else
		printf("%s written to %s\n", s->id, path);
}

int cli_codex_export(const struct cli_context *ctx)
{
	char id[LIMIT_SLOT_ID_BYTES];
	struct slot_table *slots;
	const struct slot *s;
	struct conf *conf;
	int status = cli_slot_id(ctx, id);

	if (!status)
		status = check_target(ctx);
	if (!status)
		status = cli_load_slots(ctx, &conf, &slots);
	if (status)
		return status;
	s = slot_table_find(slots, id);
	status = s ? export_slot(ctx, s)
		   : cli_fail(ctx, CLI_NOT_FOUND, "there is no %s; see slot-list", id);
	if (!status)
		show_export(ctx, s);
	slot_table_free(slots);
	conf_unref(conf);
	return status;
}
