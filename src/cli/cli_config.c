#include "cli/cli.h"
#include "cli/cli_help.h"
#include "cli/cli_input.h"
#include "cli/cli_print.h"

#include "base/durable.h"
#include "conf/conf_edit.h"
#include "conf/runtime_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define HIDDEN "***"

/* The values of a configuration beside the defaults, as documents with secrets. */
struct values {
	json_t *now, *usual;
};

static struct values values_of(const struct cli_context *ctx, const struct conf *conf)
{
	struct conf *usual = conf_default(ctx->root, NULL);
	struct values v = {conf_json(conf, true, false), conf_json(usual, true, false)};

	conf_unref(usual);
	return v;
}

static void free_values(struct values *v)
{
	json_decref(v->now);
	json_decref(v->usual);
}

static bool is_changed(const struct values *v, const struct conf_key *key)
{
	return !json_equal(conf_edit_get(v->now, key->name), conf_edit_get(v->usual, key->name));
}

/* A value as it may be seen: of a secret only whether there is one. New reference. */
static json_t *shown(const struct conf *conf, const struct conf_key *key, json_t *value)
{
	json_t *doc, *list;

	if (key->type == CONF_SECRET)
		return json_string(json_string_length(value) ? HIDDEN : "");
	if (key->type == CONF_SECRET_LIST) {
		list = json_array();
		for (size_t i = 0; i < json_array_size(value); i++)
			json_array_append_new(list, json_string(HIDDEN));
		return list;
	}
	if (!conf)
		return json_incref(value);
	doc = conf_json(conf, false, false); /* URLs without their passwords */
	value = json_incref(conf_edit_get(doc, key->name));
	json_decref(doc);
	return value;
}

static json_t *entry_json(
	const struct conf *conf, const struct values *v, const struct conf_key *key)
{
	return json_pack("{s:s, s:o, s:o, s:b}", "key", key->name, "value",
		shown(conf, key, conf_edit_get(v->now, key->name)), "default",
		shown(NULL, key, conf_edit_get(v->usual, key->name)), "changed",
		(int)is_changed(v, key));
}

/* Texts as they are, everything else as JSON. The caller frees it. */
static char *text_of(const json_t *value)
{
	if (json_is_string(value))
		return mem_strdup(json_string_value(value));
	return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

static const struct conf_key *find_key(const struct cli_context *ctx, const char *name)
{
	const struct conf_key *key = conf_edit_find(name);
	const char *nearest;

	if (key)
		return key;
	nearest = cli_help_nearest_key(name);
	if (nearest)
		cli_fail(ctx, CLI_USAGE, "unknown key \"%s\"; did you mean %s?", name, nearest);
	else
		cli_fail(ctx, CLI_USAGE, "unknown key \"%s\"; see config list", name);
	return NULL;
}

static int get(const struct cli_context *ctx)
{
	const struct conf_key *key = find_key(ctx, ctx->operands[1]);
	struct conf *conf;
	struct values v;
	json_t *entry;
	char *text;
	int status;

	if (!key)
		return CLI_USAGE;
	status = cli_load_conf(ctx, &conf);
	if (status)
		return status;
	v = values_of(ctx, conf);
	entry = entry_json(conf, &v, key);
	if (ctx->json) {
		cli_print_json(entry);
	} else {
		text = text_of(json_object_get(entry, "value"));
		cli_print_part(ctx, CLI_PLAIN, text);
		putchar('\n');
		free(text);
		json_decref(entry);
	}
	free_values(&v);
	conf_unref(conf);
	return CLI_OK;
}

/* --- list --- */

static void print_list(const struct cli_context *ctx, json_t *keys)
{
	static const char *const titles[] = {"KEY", "CHANGED", "VALUE"};
	struct cli_table *t = cli_table_new(titles, ARRAY_LEN(titles));
	json_t *entry;
	size_t i;

	json_array_foreach(keys, i, entry)
	{
		bool changed = json_is_true(json_object_get(entry, "changed"));
		char *text = text_of(json_object_get(entry, "value"));

		cli_table_add(t, changed ? CLI_BOLD : CLI_PLAIN,
			json_string_value(json_object_get(entry, "key")));
		cli_table_add(t, changed ? CLI_YELLOW : CLI_DIM, changed ? "yes" : "-");
		cli_table_add(t, changed ? CLI_BOLD : CLI_PLAIN, text);
		free(text);
	}
	cli_table_print(ctx, t);
}

static json_t *unknown_keys(const struct conf *conf)
{
	json_t *list = json_array();

	for (size_t i = 0; i < conf->unknown_count; i++)
		json_array_append_new(list, json_string(conf->unknown_keys[i]));
	return list;
}

static void warn_unknown(const struct cli_context *ctx, const struct conf *conf)
{
	for (size_t i = 0; i < conf->unknown_count; i++)
		cli_warn(ctx, "nobody knows the key %s", conf->unknown_keys[i]);
}

static int list(const struct cli_context *ctx)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);
	json_t *keys = json_array();
	struct conf *conf;
	struct values v;
	int status = cli_load_conf(ctx, &conf);

	if (status) {
		json_decref(keys);
		return status;
	}
	v = values_of(ctx, conf);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(keys, entry_json(conf, &v, &rows[i]));
	if (ctx->json) {
		cli_print_json(
			json_pack("{s:O, s:o}", "keys", keys, "unknownKeys", unknown_keys(conf)));
	} else {
		print_list(ctx, keys);
		warn_unknown(ctx, conf);
	}
	json_decref(keys);
	free_values(&v);
	conf_unref(conf);
	return CLI_OK;
}

/* --- check --- */

static int read_file(const struct cli_context *ctx, const char *path, struct conf **ret)
{
	struct conf_error err = {""};
	struct buf text;
	int status = CLI_OK, result;

	buf_init(&text, LIMIT_CONFIG_FILE_BYTES);
	result = durable_read(path, &text);
	if (result)
		status = cli_fail(ctx, CLI_CONFIG, "%s: %s", path, strerror(-result));
	else if (conf_parse(buf_sv(&text), ctx->root, ctx->profile, ret, &err) != 0)
		status = cli_fail(ctx, CLI_CONFIG, "%s: %s", path, err.message);
	secret_wipe(text.data, text.len);
	buf_fini(&text);
	return status;
}

static int check(const struct cli_context *ctx)
{
	char *path = ctx->operand_count > 1 ? mem_strdup(ctx->operands[1])
					    : runtime_config_path(ctx->root);
	struct conf *conf;
	int status = read_file(ctx, path, &conf);

	if (!status && ctx->json) {
		cli_print_json(json_pack("{s:b, s:s, s:o}", "ok", 1, "file", path, "unknownKeys",
			unknown_keys(conf)));
	} else if (!status) {
		printf("%s is right\n", path);
		warn_unknown(ctx, conf);
	}
	if (!status)
		conf_unref(conf);
	free(path);
	return status;
}

/* --- set and unset --- */

static int edit(const struct cli_context *ctx, const char *name, json_t *value)
{
	struct conf_error err;
	int result = conf_edit_file(ctx->root, name, value, &err);

	if (!result)
		return CLI_OK;
	if (result == -ENOENT && !err.message[0])
		return cli_fail(ctx, CLI_USAGE, "%s is not set", name);
	if (result == -EINVAL || result == -ENOENT)
		return cli_fail(ctx, CLI_CONFIG, "%s/config: %s", ctx->root, err.message);
	return cli_fail(ctx, CLI_FAILED, "%s", err.message);
}

static void show_edit(const struct cli_context *ctx, const struct conf_key *key, json_t *value)
{
	json_t *seen = value ? shown(NULL, key, value) : json_null();
	char *text;

	if (key && key->hide_user_info && value && strchr(json_string_value(value), '@')) {
		json_decref(seen);
		seen = json_string(HIDDEN);
	}
	text = text_of(seen);
	if (ctx->json)
		cli_print_json(json_pack("{s:b, s:s, s:O, s:b}", "ok", 1, "key", ctx->operands[1],
			"value", seen, "needsRestart", key && key->needs_restart));
	else if (value)
		printf("%s is %s\n", ctx->operands[1], *text ? text : "empty");
	else
		printf("%s has its default again\n", ctx->operands[1]);
	if (key && key->needs_restart)
		cli_warn(ctx, "a relay that runs already takes it after a restart");
	free(text);
	json_decref(seen);
}

static int parse_value(const struct cli_context *ctx, const struct conf_key *key, json_t **ret)
{
	const char *word = ctx->operands[2];
	struct conf_error err = {""};
	struct buf text;
	int status = CLI_OK, result;

	buf_init(&text, LIMIT_CONFIG_FILE_BYTES);
	if (strcmp(word, "-") == 0) {
		status = cli_input_read(ctx, key->name, conf_edit_is_secret(key), &text);
	} else {
		if (conf_edit_is_secret(key))
			cli_warn(ctx,
				"others on this machine can see arguments: \"config set %s -\" "
				"reads standard input",
				key->name);
		buf_add_cstr(&text, word);
	}
	if (!status) {
		result = conf_edit_parse(key, buf_sv(&text), ret, &err);
		if (result)
			status = cli_fail(ctx, CLI_USAGE, "%s", err.message);
	}
	secret_wipe(text.data, text.len);
	buf_fini(&text);
	return status;
}

static int set(const struct cli_context *ctx)
{
	const struct conf_key *key = find_key(ctx, ctx->operands[1]);
	json_t *value;
	int status;

	if (!key)
		return CLI_USAGE;
	status = parse_value(ctx, key, &value);
	if (status)
		return status;
	status = edit(ctx, key->name, value);
	if (!status)
		show_edit(ctx, key, value);
	json_decref(value);
	return status;
}

/* Keys that nobody knows can be dropped, too. */
static int unset(const struct cli_context *ctx)
{
	int status = edit(ctx, ctx->operands[1], NULL);

	if (!status)
		show_edit(ctx, conf_edit_find(ctx->operands[1]), NULL);
	return status;
}

static const struct action {
	const char *name;
	size_t least, most; /* words, its own included */
	int (*run)(const struct cli_context *ctx);
} actions[] = {
	{"get", 2, 2, get},
	{"set", 3, 3, set},
	{"unset", 2, 2, unset},
	{"list", 1, 1, list},
	{"check", 1, 2, check},
};

/* The same whatever way the directory was named: defaults hold its path. */
static int run_at(const struct action *a, const struct cli_context *ctx)
{
	struct cli_context here = *ctx;
	char *root = realpath(ctx->root, NULL);
	int status;

	if (root)
		here.root = root;
	status = a->run(&here);
	free(root);
	return status;
}

int cli_config(const struct cli_context *ctx)
{
	const char *names[ARRAY_LEN(actions)];
	const char *word = ctx->operand_count ? ctx->operands[0] : "";
	const char *nearest;

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		const struct action *a = &actions[i];

		names[i] = a->name;
		if (strcmp(a->name, word) != 0)
			continue;
		if (ctx->operand_count < a->least || ctx->operand_count > a->most)
			return cli_fail(ctx, CLI_USAGE, "%s takes %s; see config --help", word,
				a->least == 3	? "a key and a value"
				: a->most == 1	? "nothing more"
				: a->least == 1 ? "one file at most"
						: "a key");
		return run_at(a, ctx);
	}
	nearest = cli_help_nearest(word, names, ARRAY_LEN(names));
	if (!*word)
		return cli_fail(
			ctx, CLI_USAGE, "get, set, unset, list or check? See config --help");
	if (nearest)
		return cli_fail(
			ctx, CLI_USAGE, "unknown word \"%s\"; did you mean %s?", word, nearest);
	return cli_fail(ctx, CLI_USAGE, "unknown word \"%s\"; see config --help", word);
}
