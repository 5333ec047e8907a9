/* The legacy commands, which take over what OpenClaw has (SPEC 3), as others of cli/ need them. */
#ifndef CLI_CLI_OPENCLAW_H
#define CLI_CLI_OPENCLAW_H

#include "cli/cli.h"

/* What sync-slots did. Arrays; owner: the caller. */
struct cli_openclaw_sync {
	json_t *imported; /* ids */
	json_t *updated;  /* ids */
	json_t *skipped;  /* {id,reason} */
};

/* CLI_OK, or a failure that has been told. *ret is to be freed in both cases. */
int cli_openclaw_sync_run(
	const struct cli_context *ctx, bool force, struct cli_openclaw_sync *ret) MUST_CHECK;
void cli_openclaw_sync_free(struct cli_openclaw_sync *sync);
/* Lines for people. */
void cli_openclaw_sync_print(const struct cli_context *ctx, const struct cli_openclaw_sync *sync);
/* {imported,updated,skipped}; new reference. */
json_t *cli_openclaw_sync_json(const struct cli_openclaw_sync *sync);

/* slot-login with `auth.backend` "openclaw": the program logs in, its credential is imported. */
int cli_openclaw_login(const struct cli_context *ctx, const struct conf *conf);

#endif
