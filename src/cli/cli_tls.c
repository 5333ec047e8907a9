#include "cli/cli.h"
#include "cli/cli_print.h"

#include "base/clock.h"
#include "base/durable.h"
#include "conf/runtime_dir.h"
#include "io/tls_cert.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Some clients refuse certificates that are good for longer. */
enum { DAYS_DEFAULT = 825, DAYS_MAX = 3650, NAME_SIZE = 256 };

#define CERT_FILE "tls/cert.pem"
#define KEY_FILE "tls/key.pem"
#define DEFAULT_LISTENER "tls://127.0.0.1:8443"

struct files {
	char *dir, *ca, *cert, *key;
};

static struct files files_of(const char *root)
{
	return (struct files){
		.dir = runtime_path(root, "tls"),
		.ca = runtime_path(root, "tls/ca.pem"),
		.cert = runtime_path(root, CERT_FILE),
		.key = runtime_path(root, KEY_FILE),
	};
}

static void free_files(struct files *f)
{
	free(f->dir);
	free(f->ca);
	free(f->cert);
	free(f->key);
}

static int read_days(const struct cli_context *ctx, int *ret)
{
	const char *text = cli_value(ctx, "--days");
	char *end;
	long days;

	if (!text) {
		*ret = DAYS_DEFAULT;
		return CLI_OK;
	}
	days = strtol(text, &end, 10);
	if (*end || days < 1 || days > DAYS_MAX)
		return cli_fail(ctx, CLI_USAGE, "--days takes a number from 1 to %d", DAYS_MAX);
	*ret = (int)days;
	return CLI_OK;
}

/* --- the files --- */

static int check_absent(const struct cli_context *ctx, const struct files *f)
{
	const char *const paths[] = {f->ca, f->cert, f->key};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (access(paths[i], F_OK) == 0)
			return cli_fail(ctx, CLI_FAILED,
				"%s is there; --force replaces it, and clients need the new "
				"tls/ca.pem then",
				paths[i]);
	}
	return CLI_OK;
}

/* The key first: a relay that sees the new certificate finds its key. */
static int write_files(
	const struct cli_context *ctx, const struct files *f, const struct tls_made *made)
{
	const struct {
		const char *path;
		const struct buf *text;
	} rows[] = {{f->key, &made->key}, {f->cert, &made->cert}, {f->ca, &made->ca}};
	int err = durable_mkdirs(f->dir, 0700);

	if (err)
		return cli_fail(ctx, CLI_FAILED, "%s: %s", f->dir, strerror(-err));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		err = durable_write(rows[i].path, buf_sv(rows[i].text), 0600);
		if (err)
			return cli_fail(ctx, CLI_FAILED, "%s: %s", rows[i].path, strerror(-err));
	}
	return CLI_OK;
}

/* --- what is left to do --- */

static json_t *listen_with_tls(const struct conf *conf)
{
	json_t *list = json_array();

	for (size_t i = 0; i < conf->listeners.all.count; i++)
		json_array_append_new(list, json_string(conf->listeners.all.items[i]));
	json_array_append_new(list, json_string(DEFAULT_LISTENER));
	return list;
}

/* Keys of relay.json that must be set for the certificate to be used: an object, maybe empty. */
static json_t *settings(const struct conf *conf)
{
	json_t *keys = json_object();

	if (!conf_listen_has_tls(&conf->listeners))
		json_object_set_new(keys, "listen", listen_with_tls(conf));
	if (strcmp(conf->tls_cert, CERT_FILE) != 0)
		json_object_set_new(keys, "tls.cert", json_string(CERT_FILE));
	if (strcmp(conf->tls_key, KEY_FILE) != 0)
		json_object_set_new(keys, "tls.key", json_string(KEY_FILE));
	return keys;
}

static json_t *names_of(const struct files *f)
{
	json_t *names = json_array();
	struct tls_problem problem;
	char name[NAME_SIZE];
	struct tls_pair *pair;

	if (tls_pair_load(f->cert, f->key, &pair, &problem) != 0)
		return names; /* somebody took it away since */
	for (size_t i = 0; tls_pair_name(pair, i, name, sizeof(name)); i++)
		json_array_append_new(names, json_string(name));
	tls_pair_free(pair);
	return names;
}

/* As a word of the shell. */
static void print_word(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._-+:,=@%";

	if (text[strspn(text, plain)] == '\0' && *text) {
		fputs(text, stdout);
		return;
	}
	putchar('\'');
	for (const char *p = text; *p; p++) {
		if (*p == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*p);
	}
	putchar('\'');
}

static void print_settings(json_t *keys)
{
	const char *key;
	json_t *value;

	json_object_foreach(keys, key, value)
	{
		char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		printf("  codex-slot-relay config set %s ", key);
		print_word(json_is_string(value) ? json_string_value(value) : text);
		putchar('\n');
		free(text);
	}
}

static void print_people(const struct cli_context *ctx, const struct files *f, json_t *names,
	json_t *keys, const char *ends)
{
	struct buf list;

	buf_init(&list, KIB(64));
	for (size_t i = 0; i < json_array_size(names); i++)
		buf_addf(&list, "%s%s", i ? ", " : "", json_string_value(json_array_get(names, i)));
	cli_print_line(ctx, "authority", f->ca);
	cli_print_line(ctx, "certificate", f->cert);
	cli_print_line(ctx, "key", f->key);
	cli_print_line(ctx, "good for", buf_cstr(&list));
	cli_print_line(ctx, "until", ends);
	buf_fini(&list);
	if (json_object_size(keys)) {
		printf("\nThe relay uses it after these and a restart:\n");
		print_settings(keys);
	}
	printf("\nThe Codex CLI trusts it, and programs on Node do, with this in their "
	       "environment:\n  export CODEX_CA_CERTIFICATE=");
	print_word(f->ca);
	printf("\n  export NODE_EXTRA_CA_CERTS=");
	print_word(f->ca);
	putchar('\n');
}

static void print_result(const struct cli_context *ctx, const struct files *f,
	const struct conf *conf, int64_t ends_ms)
{
	json_t *names = names_of(f), *keys = settings(conf);
	char ends[CLOCK_ISO_SIZE];

	clock_format_iso(ends_ms, ends);
	if (ctx->json)
		cli_print_json(json_pack("{s:b, s:s, s:s, s:s, s:O, s:s, s:O, s:{s:s}}", "ok", 1,
			"ca", f->ca, "cert", f->cert, "key", f->key, "names", names, "expiresAt",
			ends, "config", keys, "environment", "CODEX_CA_CERTIFICATE", f->ca));
	else
		print_people(ctx, f, names, keys, ends);
	json_decref(names);
	json_decref(keys);
}

/* --- the command --- */

static int make(const struct cli_context *ctx, const struct files *f, int days, int64_t *ret_ends)
{
	struct tls_problem problem;
	struct tls_made made;
	int status;

	if (tls_make(ctx->repeats, ctx->repeat_count, days, &made, &problem) != 0)
		return cli_fail(ctx, CLI_USAGE, "--host: %s", problem.message);
	status = write_files(ctx, f, &made);
	*ret_ends = made.ends_ms;
	tls_made_fini(&made);
	return status;
}

int cli_tls_selfsign(const struct cli_context *ctx)
{
	struct conf *conf;
	struct files f;
	int64_t ends_ms = 0;
	char *root;
	int days = 0, status = read_days(ctx, &days);

	if (!status)
		status = cli_load_conf(ctx, &conf);
	if (status)
		return status;
	/* Others are told the paths. */
	root = realpath(ctx->root, NULL);
	f = files_of(root ? root : ctx->root);
	if (!cli_value(ctx, "--force"))
		status = check_absent(ctx, &f);
	if (!status)
		status = make(ctx, &f, days, &ends_ms);
	if (!status)
		print_result(ctx, &f, conf, ends_ms);
	free_files(&f);
	free(root);
	conf_unref(conf);
	return status;
}
