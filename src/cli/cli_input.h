/* What a person or a pipe gives on standard input. */
#ifndef CLI_CLI_INPUT_H
#define CLI_CLI_INPUT_H

#include "cli/cli.h"

/*
 * Standard input to its end (a terminal: one line, asked for by name and not echoed when hidden),
 * without the line end. CLI_OK, or a failure that has been told. The caller wipes a secret.
 */
int cli_input_read(
	const struct cli_context *ctx, const char *name, bool hidden, struct buf *out) MUST_CHECK;

#endif
