#include "cli/cli_env.h"
#include "cli/cli_openclaw.h"
#include "cli/cli_print.h"

#include "base/clock.h"
#include "conf/runtime_dir.h"
#include "slots/usage_round.h"

#include <stdio.h>
#include <stdlib.h>

struct refresh {
	bool is_done;
	size_t updated, count;
	json_t *told;
};

static void on_round(void *arg, const struct usage_result *results, size_t count)
{
	struct refresh *r = arg;

	r->is_done = true;
	r->count = count;
	r->updated = usage_round_updated(results, count);
	r->told = usage_round_json(results, count, clock_wall_ms());
}

/* Whatever goes wrong here is only a warning: the slots are there. */
static json_t *refresh_usage(const struct cli_context *ctx)
{
	struct refresh r = {0};
	struct cli_env env;

	if (cli_env_open(ctx, &env) != CLI_OK)
		return json_null();
	usage_round_start(&env.slots, NULL, on_round, &r);
	cli_env_run(&env);
	if (!r.is_done || r.updated < r.count)
		cli_warn(ctx,
			"the usage of %zu of %zu slots could not be refreshed; "
			"`refresh-usage` tries again and tells why",
			r.count - r.updated, r.count);
	if (cli_env_close(&env) != CLI_OK)
		cli_warn(ctx, "the usage was not stored");
	return r.told ? r.told : json_null();
}

static int create(const struct cli_context *ctx)
{
	int err = runtime_create(ctx->root, ctx->profile, cli_value(ctx, "--force") != NULL);

	if (err)
		return cli_fail(ctx, CLI_FAILED, "%s: %s", ctx->root, strerror(-err));
	return CLI_OK;
}

static void print(
	const struct cli_context *ctx, const struct cli_openclaw_sync *sync, json_t *usage)
{
	char *root = realpath(ctx->root, NULL);

	if (ctx->json) {
		cli_print_json(json_pack("{s:b, s:s, s:o, s:O}", "ok", 1, "runtimeRoot",
			root ? root : ctx->root, "sync", cli_openclaw_sync_json(sync), "usage",
			usage));
	} else {
		cli_print_line(ctx, "runtime directory", root ? root : ctx->root);
		cli_openclaw_sync_print(ctx, sync);
		cli_print_line(ctx, "next", "codex-slot-relay slot-list");
	}
	free(root);
}

int cli_openclaw_setup(const struct cli_context *ctx)
{
	struct cli_openclaw_sync sync;
	int status = create(ctx);

	if (status)
		return status;
	status = cli_openclaw_sync_run(ctx, cli_value(ctx, "--force") != NULL, &sync);
	if (!status) {
		json_t *usage = refresh_usage(ctx);

		print(ctx, &sync, usage);
		json_decref(usage);
	}
	cli_openclaw_sync_free(&sync);
	return status;
}
