/* What an operator ought to know about a runtime directory, one sentence each. */
#ifndef CLI_CLI_WARNINGS_H
#define CLI_CLI_WARNINGS_H

#include "cli/cli_view.h"

/* A list of texts, new reference. No network is asked; `doctor` looks deeper. */
json_t *cli_warnings(const struct cli_view *v);

/* The first listen address that other machines can reach, or NULL. Borrowed. */
const char *cli_warnings_public_address(const struct conf *conf);
/* Is the token the default one, which everybody knows? */
bool cli_warnings_is_default_token(const struct conf *conf);

#endif
