#include "cli/cli.h"
#include "cli/cli_print.h"

#include "conf/conf_table.h"
#include "conf/runtime_dir.h"

#include <stdio.h>
#include <stdlib.h>

int cli_runtime_init(const struct cli_context *ctx)
{
	bool force = cli_value(ctx, "--force") != NULL;
	struct conf *conf;
	char *path;
	int status, err = runtime_create(ctx->root, ctx->profile, force);

	if (err)
		return cli_fail(ctx, CLI_FAILED, "%s: %s", ctx->root, strerror(-err));
	/* A file that was there before may still be wrong. */
	status = cli_load_conf(ctx, &conf);
	if (status)
		return status;
	path = realpath(ctx->root, NULL);
	if (ctx->json) {
		cli_print_json(json_pack("{s:b, s:s, s:s, s:s}", "ok", 1, "runtimeRoot",
			path ? path : ctx->root, "profile", conf->profile, "listen", conf->listen));
	} else {
		cli_print_line(ctx, "runtime directory", path ? path : ctx->root);
		cli_print_line(ctx, "listen", conf->listen);
		cli_print_line(ctx, "next",
			"codex-slot-relay slot-auth-import-file --slot 1 --auth-file FILE");
	}
	free(path);
	conf_unref(conf);
	return CLI_OK;
}

int cli_runtime_config_doc(const struct cli_context *ctx)
{
	struct buf doc;

	(void)ctx;
	buf_init(&doc, MIB(1));
	conf_table_doc(&doc);
	fwrite(doc.data, 1, doc.len, stdout);
	buf_fini(&doc);
	return CLI_OK;
}
