#include "cli/cli_help.h"

#include "conf/conf_table.h"

#include <string.h>

enum { WORD_MAX = 32, DISTANCE_MAX = 3 };

static const struct cli_option global_options[] = {
	{"--runtime-root", "DIR", false,
		"runtime directory (CODEX_SLOT_RELAY_RUNTIME_ROOT; ./.codex-slot-relay-runtime)"},
	{"--profile", "NAME", false,
		"OpenClaw profile (CODEX_SLOT_RELAY_PROFILE; codex-slot-relay)"},
	{"--json", NULL, false, "results as JSON, which is the default when stdout is no terminal"},
	{"--table", NULL, false, "results as a table, also when stdout is no terminal"},
	{"--help", NULL, false, "this text, or that of a command"},
	{"--version", NULL, false, "the program's version"},
	{NULL, NULL, false, NULL},
};

const struct cli_option *cli_global_options(void)
{
	return global_options;
}

static void print_option(FILE *to, const struct cli_option *o)
{
	char left[64];

	snprintf(left, sizeof(left), "%s%s%s", o->name, o->value ? " " : "",
		o->value ? o->value : "");
	fprintf(to, "  %-24s %s%s\n", left, o->help, o->required ? " (required)" : "");
}

static void print_global_options(FILE *to)
{
	fprintf(to, "\nOptions of every command:\n");
	for (const struct cli_option *o = global_options; o->name; o++)
		print_option(to, o);
}

void cli_help_program(FILE *to)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	fprintf(to, "codex-slot-relay: an OpenAI-compatible relay in front of your Codex accounts\n"
		    "\nUsage: codex-slot-relay <command> [options]\n\nCommands:\n");
	for (size_t i = 0; i < count; i++) {
		if (!commands[i].hidden)
			fprintf(to, "  %-24s %s\n", commands[i].name, commands[i].summary);
	}
	print_global_options(to);
	fprintf(to, "\nExit status:\n");
	for (int status = CLI_OK; cli_help_status(status); status++)
		fprintf(to, "  %d  %s\n", status, cli_help_status(status));
	fprintf(to, "\n`codex-slot-relay <command> --help` tells more and has an example.\n");
}

const char *cli_help_status(int status)
{
	static const char *const meanings[] = {
		[CLI_OK] = "done",
		/* In brackets: clang takes two literals for a forgotten comma. */
		[CLI_FAILED] = ("it could not be done: a file, the network, what was given; for "
				"`doctor`: a check failed"),
		[CLI_USAGE] = "the command line is wrong, a value among it",
		[CLI_CONFIG] = "the runtime directory is missing, or a file in it is wrong",
		[CLI_NOT_FOUND] = "there is no such slot",
	};

	return status >= 0 && (size_t)status < ARRAY_LEN(meanings) ? meanings[status] : NULL;
}

void cli_help_usage(FILE *to, const struct cli_command *command, const char *before)
{
	fprintf(to, "%scodex-slot-relay %s", before, command->name);
	for (const struct cli_option *o = command->options; o->name; o++)
		fprintf(to, o->required ? " %s%s%s" : " [%s%s%s]", o->name, o->value ? " " : "",
			o->value ? o->value : "");
	fprintf(to, "%s%s\n", command->operands ? " " : "",
		command->operands ? command->operands : "");
}

void cli_help_command(FILE *to, const struct cli_command *command)
{
	fprintf(to, "codex-slot-relay %s: %s\n", command->name, command->summary);
	fputc('\n', to);
	cli_help_usage(to, command, "Usage: ");
	if (command->details)
		fprintf(to, "\n%s\n", command->details);
	if (command->options[0].name)
		fprintf(to, "\nOptions:\n");
	for (const struct cli_option *o = command->options; o->name; o++)
		print_option(to, o);
	print_global_options(to);
	fprintf(to, "\nExample:\n  codex-slot-relay %s\n", command->example);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits from a to b (insert, drop, replace); words over WORD_MAX are far from everything. */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	size_t row[WORD_MAX + 1];

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (size_t k = 0; k <= m; k++)
		row[k] = k;
	for (size_t i = 1; i <= n; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t k = 1; k <= m; k++) {
			size_t above = row[k];

			row[k] = least(
				least(row[k], row[k - 1]) + 1, corner + (a[i - 1] != b[k - 1]));
			corner = above;
		}
	}
	return row[m];
}

/* Remembers the candidate if it is the nearest one so far. */
static void consider(const char *text, const char *candidate, size_t *best, const char **nearest)
{
	size_t d = distance(text, candidate);

	/* A beginning is a good guess whatever is missing. */
	if (strlen(text) >= 3 && strncmp(candidate, text, strlen(text)) == 0)
		d = 1;
	if (d < *best) {
		*best = d;
		*nearest = candidate;
	}
}

const char *cli_help_nearest_command(const char *text)
{
	size_t best = DISTANCE_MAX + 1;
	const char *nearest = NULL;
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	for (size_t i = 0; i < count; i++) {
		if (!commands[i].hidden)
			consider(text, commands[i].name, &best, &nearest);
	}
	return nearest;
}

const char *cli_help_nearest(const char *text, const char *const *candidates, size_t count)
{
	size_t best = DISTANCE_MAX + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < count; i++)
		consider(text, candidates[i], &best, &nearest);
	return nearest;
}

/* "min5hPct" alone is as good as with its group. */
const char *cli_help_nearest_key(const char *text)
{
	size_t count, best = DISTANCE_MAX + 1;
	const struct conf_key *rows = conf_table(&count);
	const char *nearest = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *dot = strchr(rows[i].name, '.');
		const char *tail = NULL;
		size_t before = best;

		consider(text, rows[i].name, &best, &nearest);
		if (dot)
			consider(text, dot + 1, &best, &tail);
		if (tail && best < before)
			nearest = rows[i].name;
	}
	return nearest;
}

const char *cli_help_nearest_option(const struct cli_command *command, const char *text)
{
	size_t best = DISTANCE_MAX + 1;
	const char *nearest = NULL;

	for (const struct cli_option *o = command->options; o->name; o++)
		consider(text, o->name, &best, &nearest);
	for (const struct cli_option *o = global_options; o->name; o++)
		consider(text, o->name, &best, &nearest);
	return nearest;
}

int cli_help(const struct cli_context *ctx)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	if (!ctx->operand_count) {
		cli_help_program(stdout);
		return CLI_OK;
	}
	for (size_t i = 0; i < count; i++) {
		if (strcmp(commands[i].name, ctx->operands[0]) == 0) {
			cli_help_command(stdout, &commands[i]);
			return CLI_OK;
		}
	}
	return cli_fail(ctx, CLI_USAGE, "unknown command \"%s\"", ctx->operands[0]);
}
