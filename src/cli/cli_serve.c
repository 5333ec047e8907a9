#include "cli/cli.h"
#include "relay/relay.h"

int cli_serve(const struct cli_context *ctx)
{
	return relay_run(ctx->root, ctx->profile, NULL);
}
