#include "cli/cli.h"

#include "cli/cli_help.h"
#include "slots/store.h"
#include "version.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_ROOT "./.codex-slot-relay-runtime"

static void PRINTF_LIKE(3, 0)
	complain(const char *command, const char *kind, const char *fmt, va_list args)
{
	fprintf(stderr, "codex-slot-relay: ");
	if (command)
		fprintf(stderr, "%s: ", command);
	fprintf(stderr, "%s", kind);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

int cli_fail(const struct cli_context *ctx, enum cli_exit status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(ctx->command ? ctx->command->name : NULL, "", fmt, args);
	va_end(args);
	return (int)status;
}

void cli_warn(const struct cli_context *ctx, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(ctx->command ? ctx->command->name : NULL, "warning: ", fmt, args);
	va_end(args);
}

const char *cli_value(const struct cli_context *ctx, const char *option)
{
	for (size_t i = 0; ctx->command->options[i].name; i++) {
		if (strcmp(ctx->command->options[i].name, option) == 0)
			return ctx->values[i];
	}
	return NULL;
}

int cli_slot_id(const struct cli_context *ctx, char out[LIMIT_SLOT_ID_BYTES])
{
	const char *text = cli_value(ctx, "--slot");

	if (store_slot_id(text, out) != 0)
		return cli_fail(ctx, CLI_USAGE,
			"--slot takes a number or slot-<number>, and not \"%s\"", text);
	return CLI_OK;
}

int cli_load_conf(const struct cli_context *ctx, struct conf **ret)
{
	struct conf_error err = {""};

	if (conf_load(ctx->root, ctx->profile, ret, &err) != 0)
		return cli_fail(ctx, CLI_CONFIG, "%s", err.message);
	return CLI_OK;
}

int cli_load_slots(const struct cli_context *ctx, struct conf **ret_conf, struct slot_table **ret)
{
	struct conf_error err = {""};
	struct slot_table *slots;
	struct conf *conf;
	int status = cli_load_conf(ctx, &conf);

	if (status)
		return status;
	slots = slot_table_new();
	slot_table_configure(slots, conf);
	if (store_load(ctx->root, conf, slots, &err) != 0) {
		slot_table_free(slots);
		conf_unref(conf);
		return cli_fail(ctx, CLI_CONFIG, "%s", err.message);
	}
	*ret_conf = conf;
	*ret = slots;
	return CLI_OK;
}

/* Parsing. */

struct words {
	int at, count;
	char **text;
	bool help, version;
	bool only_words; /* behind "--" */
};

/* Where the value of an option is put, and how it is called. */
struct place {
	const char **value;
	bool is_flag;
};

static bool find_global(
	struct cli_context *ctx, struct words *w, const char *name, struct place *ret)
{
	static const char *ignored;

	*ret = (struct place){&ignored, true};
	if (strcmp(name, "--runtime-root") == 0)
		*ret = (struct place){&ctx->root, false};
	else if (strcmp(name, "--profile") == 0)
		*ret = (struct place){&ctx->profile, false};
	else if (strcmp(name, "--json") == 0)
		ctx->json = true;
	else if (strcmp(name, "--table") == 0)
		ctx->table = true;
	else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		w->help = true;
	else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		w->version = true;
	else
		return false;
	return true;
}

static bool find_local(struct cli_context *ctx, const char *name, struct place *ret)
{
	for (size_t i = 0; ctx->command && ctx->command->options[i].name; i++) {
		const struct cli_option *o = &ctx->command->options[i];

		if (strcmp(o->name, name) == 0) {
			*ret = (struct place){&ctx->values[i], !o->value};
			/* Of too many the last one counts, which check_required() refuses. */
			if (o->repeats && ctx->repeat_count <= CLI_REPEATS_MAX)
				ctx->repeat_count++;
			if (o->repeats && ctx->repeat_count <= CLI_REPEATS_MAX)
				ret->value = &ctx->repeats[ctx->repeat_count - 1];
			return true;
		}
	}
	return false;
}

static int unknown_option(const struct cli_context *ctx, const char *name)
{
	const char *nearest = ctx->command ? cli_help_nearest_option(ctx->command, name) : NULL;

	if (nearest)
		return cli_fail(
			ctx, CLI_USAGE, "unknown option %s; did you mean %s?", name, nearest);
	if (!ctx->command)
		return cli_fail(ctx, CLI_USAGE,
			"%s: no such option of every command; others follow the command's name",
			name);
	return cli_fail(
		ctx, CLI_USAGE, "unknown option %s; see %s --help", name, ctx->command->name);
}

/* "--name value" and "--name=value". */
static int parse_option(struct cli_context *ctx, struct words *w)
{
	const char *word = w->text[w->at++];
	const char *equals = strchr(word, '=');
	char *name = equals ? mem_strndup(word, (size_t)(equals - word)) : mem_strdup(word);
	struct place place;
	int status = CLI_OK;

	if (!find_global(ctx, w, name, &place) && !find_local(ctx, name, &place))
		status = unknown_option(ctx, name);
	else if (place.is_flag && equals)
		status = cli_fail(ctx, CLI_USAGE, "%s takes no value", name);
	else if (place.is_flag)
		*place.value = "";
	else if (equals)
		*place.value = equals + 1;
	else if (w->at == w->count)
		status = cli_fail(ctx, CLI_USAGE, "%s needs a value", name);
	else
		*place.value = w->text[w->at++];
	free(name);
	return status;
}

static const struct cli_command *find_command(const char *name)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static int parse_word(struct cli_context *ctx, struct words *w)
{
	const char *word = w->text[w->at++];
	const char *nearest;

	if (ctx->command && ctx->operand_count < ctx->command->operands_max) {
		ctx->operands[ctx->operand_count++] = word;
		return CLI_OK;
	}
	if (ctx->command)
		return cli_fail(ctx, CLI_USAGE, "\"%s\" is too much; see %s --help", word,
			ctx->command->name);
	ctx->command = find_command(word);
	if (ctx->command)
		return CLI_OK;
	nearest = cli_help_nearest_command(word);
	if (nearest)
		return cli_fail(
			ctx, CLI_USAGE, "unknown command \"%s\"; did you mean %s?", word, nearest);
	return cli_fail(ctx, CLI_USAGE, "unknown command \"%s\"; see --help", word);
}

static int parse(struct cli_context *ctx, struct words *w)
{
	int status = CLI_OK;

	while (w->at < w->count && !status) {
		const char *word = w->text[w->at];

		if (strcmp(word, "--") == 0 && !w->only_words) {
			w->only_words = true;
			w->at++;
		} else if (word[0] == '-' && word[1] && !w->only_words)
			status = parse_option(ctx, w);
		else
			status = parse_word(ctx, w);
	}
	return status;
}

static int check_required(const struct cli_context *ctx)
{
	for (size_t i = 0; ctx->command->options[i].name; i++) {
		const struct cli_option *o = &ctx->command->options[i];

		if (o->required && !ctx->values[i])
			return cli_fail(ctx, CLI_USAGE, "%s %s is missing; see %s --help", o->name,
				o->value, ctx->command->name);
		if (o->value && ctx->values[i] && !*ctx->values[i])
			return cli_fail(ctx, CLI_USAGE, "%s is empty", o->name);
	}
	if (ctx->repeat_count > CLI_REPEATS_MAX)
		return cli_fail(
			ctx, CLI_USAGE, "an option was given more than %d times", CLI_REPEATS_MAX);
	if (!*ctx->root)
		return cli_fail(ctx, CLI_USAGE, "--runtime-root is empty");
	return CLI_OK;
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static void set_defaults(struct cli_context *ctx)
{
	const char *terminal = environment("TERM");

	if (!ctx->root)
		ctx->root = environment("CODEX_SLOT_RELAY_RUNTIME_ROOT");
	if (!ctx->root)
		ctx->root = DEFAULT_ROOT;
	if (!ctx->profile)
		ctx->profile = environment("CODEX_SLOT_RELAY_PROFILE");
	if (!isatty(STDOUT_FILENO) && !ctx->table)
		ctx->json = true;
	ctx->color = !ctx->json && isatty(STDOUT_FILENO) && !environment("NO_COLOR") &&
		     !(terminal && strcmp(terminal, "dumb") == 0);
}

/* Who reads only the beginning (`| head`) has seen what he wanted: nobody is told. */
static bool is_reader_gone(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

static int end_output(const struct cli_context *ctx, int status)
{
	bool written = fflush(stdout) == 0 && !ferror(stdout);

	if (written || status)
		return status;
	if (is_reader_gone())
		return CLI_FAILED;
	return cli_fail(ctx, CLI_FAILED, "standard output could not be written");
}

static int run(const struct cli_context *ctx)
{
	int status = check_required(ctx);

	return status ? status : end_output(ctx, ctx->command->run(ctx));
}

int cli_main(int argc, char **argv)
{
	struct cli_context ctx = {0};
	struct words words = {.at = 1, .count = argc, .text = argv};
	int status = parse(&ctx, &words);

	if (status)
		return status;
	if (words.version) {
		printf("codex-slot-relay %s\n", RELAY_VERSION);
		return end_output(&ctx, CLI_OK);
	}
	if (words.help) {
		if (ctx.command)
			cli_help_command(stdout, ctx.command);
		else
			cli_help_program(stdout);
		return end_output(&ctx, CLI_OK);
	}
	if (!ctx.command) {
		cli_help_program(stderr);
		return CLI_USAGE;
	}
	set_defaults(&ctx);
	return run(&ctx);
}
