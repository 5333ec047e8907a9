#include "cli/cli.h"
#include "cli/cli_help.h"

#include <stdio.h>

static const char head[] =
	"# Commands\n"
	"\n"
	"This file is made from the table in `src/cli/cli_table.c` by `codex-slot-relay cli-doc > "
	"docs/cli.md`; a test\n"
	"checks that it is up to date.\n"
	"\n"
	"Results go to standard output: JSON when that is no terminal or with `--json`, lines and "
	"tables for people on a\n"
	"terminal or with `--table`. Errors and warnings go to standard error. Colours are used on "
	"a terminal only, and not\n"
	"when `NO_COLOR` is set or `TERM` is `dumb`. A reader that goes away early (`| head`) is "
	"no "
	"error that is told.\n"
	"Options may stand anywhere, as `--name value` or `--name=value`; behind `--` everything "
	"is a word. `--slot` takes\n"
	"`2` or `slot-2`.\n"
	"\n"
	"## Exit status\n"
	"\n"
	"| status | meaning |\n"
	"|---|---|\n";

/* Inside a table cell a bar would end it. */
static void print_cell(const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			putchar('\\');
		putchar(*text == '\n' ? ' ' : *text);
	}
}

static void print_options(const struct cli_option *options)
{
	printf("\n| option | what it does |\n|---|---|\n");
	for (const struct cli_option *o = options; o->name; o++) {
		printf("| `%s%s%s` | ", o->name, o->value ? " " : "", o->value ? o->value : "");
		print_cell(o->help);
		printf("%s |\n", o->required ? " (required)" : "");
	}
}

static void print_command(const struct cli_command *c)
{
	printf("\n## %s\n\n", c->name);
	cli_help_usage(stdout, c, "    ");
	printf("\n%c%s.\n", c->summary[0] - 'a' + 'A', c->summary + 1);
	if (c->details)
		printf("\n```\n%s\n```\n", c->details);
	if (c->options[0].name)
		print_options(c->options);
	if (c->output)
		printf("\nOutput: %s\n", c->output);
	printf("\nExample: `codex-slot-relay %s`\n", c->example);
}

int cli_doc(const struct cli_context *ctx)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	(void)ctx;
	fputs(head, stdout);
	for (int status = CLI_OK; cli_help_status(status); status++)
		printf("| %d | %s |\n", status, cli_help_status(status));
	printf("\n## Options of every command\n");
	print_options(cli_global_options());
	for (size_t i = 0; i < count; i++) {
		if (!commands[i].hidden)
			print_command(&commands[i]);
	}
	return CLI_OK;
}
