/* Help texts, made from the table of commands. */
#ifndef CLI_CLI_HELP_H
#define CLI_CLI_HELP_H

#include "cli/cli.h"

#include <stdio.h>

void cli_help_program(FILE *to);
/* "codex-slot-relay <command> <options> <words>" as a line. */
void cli_help_usage(FILE *to, const struct cli_command *command, const char *before);
/* What an exit status means; NULL behind the last one. */
const char *cli_help_status(int status);
void cli_help_command(FILE *to, const struct cli_command *command);
/* The command or option that was probably meant, or NULL. */
const char *cli_help_nearest_command(const char *text);
const char *cli_help_nearest_option(const struct cli_command *command, const char *text);
const char *cli_help_nearest(const char *text, const char *const *candidates, size_t count);
/* The same for a key of the configuration. */
const char *cli_help_nearest_key(const char *text);

#endif
