/* The Codex CLI's config.toml: the block that sends it to the relay. */
#include "cli/cli.h"
#include "cli/cli_client_url.h"
#include "cli/cli_print.h"
#include "cli/codex_toml.h"

#include "base/durable.h"
#include "base/limits.h"
#include "conf/runtime_dir.h"
#include "slots/auth_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0600, DIR_MODE = 0700 };

#define BACKUP_SUFFIX ".before-codex-slot-relay"

static const struct {
	const char *name;
	enum codex_toml_mode mode;
} modes[] = {
	{"api-key", CODEX_TOML_API_KEY},
	{"chatgpt", CODEX_TOML_CHATGPT},
	{"chatgpt-tls", CODEX_TOML_CHATGPT_TLS},
};

static bool find_mode(const char *name, enum codex_toml_mode *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(modes[i].name, name) == 0) {
			*ret = modes[i].mode;
			return true;
		}
	}
	return false;
}

static bool is_model_name(const char *text)
{
	return conf_names_is_name(sv_cstr(text));
}

/* --- the file --- */

struct file {
	char *home;
	char *path; /* what is written: links are followed, so that they stay links */
	char *backup;
	struct buf text;
	bool exists;
	mode_t mode;
};

static void file_fini(struct file *f)
{
	free(f->home);
	free(f->path);
	free(f->backup);
	buf_fini(&f->text);
}

static char *join(const char *a, const char *b)
{
	struct buf out;
	char *joined;

	buf_init(&out, KIB(16));
	buf_add_cstr(&out, a);
	buf_add_cstr(&out, b);
	joined = mem_strdup(buf_cstr(&out));
	buf_fini(&out);
	return joined;
}

/* Where a link leads to that has nothing at its end; NULL: it is none. */
static char *end_of_link(const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target));
	const char *slash = strrchr(path, '/');
	struct buf out;
	char *end;

	if (n <= 0 || (size_t)n == sizeof(target))
		return NULL;
	buf_init(&out, KIB(16));
	if (target[0] != '/' && slash)
		buf_add(&out, path, (size_t)(slash + 1 - path));
	buf_add(&out, target, (size_t)n);
	end = mem_strdup(buf_cstr(&out));
	buf_fini(&out);
	return end;
}

/* The file that is meant, which need not be there. */
static char *behind_links(const char *path)
{
	char *real = realpath(path, NULL);
	char *found = real ? mem_strdup(real) : end_of_link(path);

	free(real);
	return found ? found : mem_strdup(path);
}

static int file_open(const struct cli_context *ctx, struct file *f)
{
	struct stat st;
	char *named;
	int err;

	*f = (struct file){.home = cli_client_codex_home(ctx), .mode = FILE_MODE};
	buf_init(&f->text, LIMIT_CONFIG_FILE_BYTES);
	if (!f->home)
		return cli_fail(ctx, CLI_FAILED,
			"neither CODEX_HOME nor HOME is set: say with --codex-home where the Codex "
			"CLI has its files");
	named = runtime_path(f->home, "config.toml");
	f->path = behind_links(named);
	free(named);
	f->backup = join(f->path, BACKUP_SUFFIX);
	err = durable_read(f->path, &f->text);
	f->exists = err != -ENOENT;
	if (err && f->exists)
		return cli_fail(ctx, CLI_FAILED, "%s: %s", f->path,
			err == -EFBIG ? "too large for a configuration" : strerror(-err));
	if (f->exists && stat(f->path, &st) == 0)
		f->mode = st.st_mode & 0777;
	return CLI_OK;
}

static int refuse_text(const struct cli_context *ctx, const struct file *f, int err, size_t line)
{
	if (err == -ENOBUFS)
		return cli_fail(ctx, CLI_FAILED, "%s: too large for more to be put in", f->path);
	if (err != -EBADMSG)
		return cli_fail(ctx, CLI_FAILED, "%s: %s", f->path, strerror(-err));
	return cli_fail(ctx, CLI_FAILED,
		"%s: line %zu and what follows makes no sense, so nothing was changed: it is no "
		"TOML, or a mark of codex-config is there without its other half",
		f->path, line);
}

static int write_file(const struct cli_context *ctx, const char *path, struct sv text, mode_t mode)
{
	int err = durable_write(path, text, mode);

	return err ? cli_fail(ctx, CLI_FAILED, "%s: %s", path, strerror(-err)) : CLI_OK;
}

static bool is_wired(const struct file *f)
{
	struct codex_toml_found found = {0};
	struct buf clean;
	size_t line;
	bool wired;

	buf_init(&clean, LIMIT_CONFIG_FILE_BYTES);
	wired = codex_toml_unwire(buf_sv(&f->text), &clean, &found, &line) == 0 && found.wired;
	buf_fini(&clean);
	return wired;
}

/* The file as it was before the relay came: a wired one is no backup. */
static int back_up(const struct cli_context *ctx, const struct file *f)
{
	if (!f->exists || is_wired(f))
		return CLI_OK;
	return write_file(ctx, f->backup, buf_sv(&f->text), f->mode);
}

/* --- results --- */

/* The value that codexClients.trustAccounts must have, as a word of a shell; the caller frees. */
static char *trust_value(const struct conf *conf, const char *account)
{
	json_t *list = conf_names_json(&conf->codex_trust_accounts);
	char *text;

	json_array_append_new(list, json_string(account));
	text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	if (text && strchr(text, '\'')) {
		free(text);
		return NULL;
	}
	return text;
}

static void hint_trust(
	const struct cli_context *ctx, const struct conf *conf, const struct auth_grant *login)
{
	char *value;

	if (!login->account_id ||
		conf_names_has(&conf->codex_trust_accounts, sv_cstr(login->account_id)))
		return;
	value = trust_value(conf, login->account_id);
	if (value)
		cli_warn(ctx,
			"the relay does not know the CLI's account yet: codex-slot-relay config "
			"set codexClients.trustAccounts '%s'",
			value);
	free(value);
}

static void hint_account(const struct cli_context *ctx, const struct file *f)
{
	char *path = runtime_path(f->home, "auth.json");
	struct auth_grant login = {0};
	struct conf *conf = NULL;
	struct conf_error err;
	char problem[256];

	if (auth_grant_read(path, &login, problem, sizeof(problem)) == 0 &&
		conf_load(ctx->root, ctx->profile, &conf, &err) == 0)
		hint_trust(ctx, conf, &login);
	conf_unref(conf);
	auth_grant_fini(&login);
	free(path);
}

/* The one that tls-selfsign made, if it did. */
static void hint_authority(const struct cli_context *ctx)
{
	char *path = runtime_path(ctx->root, "tls/ca.pem");

	if (access(path, R_OK) == 0)
		cli_warn(ctx,
			"the CLI must trust the relay's certificate: export "
			"CODEX_CA_CERTIFICATE=%s",
			path);
	free(path);
}

static void show_written(const struct cli_context *ctx, const struct file *f,
	const struct codex_toml_wish *wish, bool changed)
{
	bool has_backup = access(f->backup, F_OK) == 0;

	if (ctx->json) {
		cli_print_json(json_pack("{s:b, s:s, s:b, s:s?}", "ok", 1, "file", f->path,
			"changed", changed, "backup", has_backup ? f->backup : NULL));
	} else {
		printf(changed ? "%s written\n" : "%s is up to date\n", f->path);
		if (has_backup)
			printf("as it was before: %s\n", f->backup);
		if (wish->mode == CODEX_TOML_API_KEY)
			printf("The CLI takes the relay's token (authToken) from the environment "
			       "variable " CODEX_TOML_TOKEN_VARIABLE ".\n");
	}
	if (wish->mode == CODEX_TOML_CHATGPT_TLS)
		hint_authority(ctx);
	if (wish->mode != CODEX_TOML_API_KEY)
		hint_account(ctx, f);
}

static int write_wired(
	const struct cli_context *ctx, struct file *f, const struct codex_toml_wish *wish)
{
	struct codex_toml_wish fit = *wish;
	struct buf wired;
	size_t line;
	bool changed;
	int err, status = CLI_OK;

	fit.new_file = !f->exists;
	/* --remove must be able to read it. */
	buf_init(&wired, LIMIT_CONFIG_FILE_BYTES);
	err = codex_toml_wire(buf_sv(&f->text), &fit, &wired, &line);
	changed = !err && !sv_eq(buf_sv(&wired), buf_sv(&f->text));
	if (err)
		status = refuse_text(ctx, f, err, line);
	if (changed)
		status = back_up(ctx, f);
	if (changed && !status && (err = durable_mkdirs(f->home, DIR_MODE)))
		status = cli_fail(ctx, CLI_FAILED, "%s: %s", f->home, strerror(-err));
	if (changed && !status)
		status = write_file(ctx, f->path, buf_sv(&wired), f->mode);
	buf_fini(&wired);
	if (!status)
		show_written(ctx, f, wish, changed);
	return status;
}

/* Without the relay's part; a file that was made for it goes too. */
static int put_back(const struct cli_context *ctx, const struct file *f, struct sv clean,
	const struct codex_toml_found *found)
{
	struct buf backup;
	int status;

	if (found->new_file && !clean.n)
		return unlink(f->path) == 0
			       ? CLI_OK
			       : cli_fail(ctx, CLI_FAILED, "%s: %s", f->path, strerror(errno));
	status = write_file(ctx, f->path, clean, f->mode);
	buf_init(&backup, LIMIT_CONFIG_FILE_BYTES);
	/* It holds nothing more than the file again. */
	if (!status && durable_read(f->backup, &backup) == 0 && sv_eq(buf_sv(&backup), clean))
		unlink(f->backup);
	buf_fini(&backup);
	return status;
}

static void show_removed(const struct cli_context *ctx, const struct file *f, bool changed)
{
	bool has_backup = access(f->backup, F_OK) == 0;

	if (ctx->json) {
		cli_print_json(json_pack("{s:b, s:s, s:b, s:s?}", "ok", 1, "file", f->path,
			"changed", changed, "backup", has_backup ? f->backup : NULL));
		return;
	}
	printf(changed ? "%s is without the relay again\n" : "%s has nothing of the relay's\n",
		f->path);
	if (changed && has_backup)
		printf("it was changed meanwhile; as it was before: %s\n", f->backup);
}

static int remove_wired(const struct cli_context *ctx, struct file *f)
{
	struct codex_toml_found found = {0};
	int err, status = CLI_OK;
	struct buf clean;
	size_t line;

	buf_init(&clean, LIMIT_CONFIG_FILE_BYTES);
	err = codex_toml_unwire(buf_sv(&f->text), &clean, &found, &line);
	if (err)
		status = refuse_text(ctx, f, err, line);
	else if (found.wired)
		status = put_back(ctx, f, buf_sv(&clean), &found);
	buf_fini(&clean);
	if (!status)
		show_removed(ctx, f, found.wired);
	return status;
}

/* --- the command --- */

static int read_wish(const struct cli_context *ctx, struct codex_toml_wish *ret, char **ret_url)
{
	const char *mode = cli_value(ctx, "--mode");
	const char *model = cli_value(ctx, "--model");
	int status;

	*ret = (struct codex_toml_wish){.mode = CODEX_TOML_API_KEY, .model = sv_cstr(model)};
	if (mode && !find_mode(mode, &ret->mode))
		return cli_fail(ctx, CLI_USAGE, "--mode takes api-key, chatgpt or chatgpt-tls");
	if (model && !is_model_name(model))
		return cli_fail(ctx, CLI_USAGE, "--model takes the name of a model");
	status = cli_client_url(ctx, ret->mode == CODEX_TOML_CHATGPT_TLS, ret_url);
	ret->url = sv_cstr(*ret_url);
	return status;
}

static int print_block(const struct codex_toml_wish *wish)
{
	struct buf out;

	buf_init(&out, KIB(16));
	codex_toml_print(wish, &out);
	fputs(buf_cstr(&out), stdout);
	buf_fini(&out);
	return CLI_OK;
}

int cli_codex_config(const struct cli_context *ctx)
{
	bool write = cli_value(ctx, "--write") != NULL;
	bool remove = cli_value(ctx, "--remove") != NULL;
	struct codex_toml_wish wish;
	struct file file;
	char *url = NULL;
	int status;

	if (write && remove)
		return cli_fail(ctx, CLI_USAGE, "--write and --remove exclude each other");
	status = remove ? CLI_OK : read_wish(ctx, &wish, &url);
	if (!status && !write && !remove) {
		status = print_block(&wish);
	} else if (!status) {
		status = file_open(ctx, &file);
		if (!status)
			status = remove ? remove_wired(ctx, &file) : write_wired(ctx, &file, &wish);
		file_fini(&file);
	}
	free(url);
	return status;
}
