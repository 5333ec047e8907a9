/* The relay's address as its clients write it, and where the Codex CLI has its files. */
#ifndef CLI_CLI_CLIENT_URL_H
#define CLI_CLI_CLIENT_URL_H

#include "cli/cli.h"

/*
 * --url of the command, else that of the configuration's first listener of the right kind (https
 * only when `tls` is set): "http://127.0.0.1:8787", without a slash behind it. CLI_OK, or a failure
 * that has been told. The caller frees.
 */
int cli_client_url(const struct cli_context *ctx, bool tls, char **ret) MUST_CHECK;
/* --codex-home, $CODEX_HOME or ~/.codex; the caller frees. NULL when nobody says where. */
char *cli_client_codex_home(const struct cli_context *ctx);

#endif
