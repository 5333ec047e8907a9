#include "cli/cli.h"
#include "cli/cli_print.h"

#include "conf/conf_table.h"
#include "conf/dependency_map.h"
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
		cli_print_line(ctx, "next", "codex-slot-relay slot-login --slot 1");
	}
	free(path);
	conf_unref(conf);
	return CLI_OK;
}

static void print_subsystem(const struct cli_context *ctx, const char *name, const json_t *entry)
{
	const char *backend = json_string_value(json_object_get(entry, "configuredBackend"));
	const char *status = json_string_value(json_object_get(entry, "status"));
	char text[128];

	if (!backend)
		backend = json_string_value(json_object_get(entry, "backend"));
	snprintf(text, sizeof(text), "%s (%s)", status ? status : "?", backend ? backend : "?");
	cli_print_line(ctx, name, text);
}

int cli_runtime_dependency_map(const struct cli_context *ctx)
{
	const char *name;
	struct conf *conf;
	json_t *map, *entry;
	int status = cli_load_conf(ctx, &conf);

	if (status)
		return status;
	map = dependency_map_json(conf);
	conf_unref(conf);
	if (ctx->json) {
		cli_print_json(json_pack("{s:o}", "dependencyMap", map));
		return CLI_OK;
	}
	json_object_foreach(map, name, entry)
	{
		print_subsystem(ctx, name, entry);
	}
	json_decref(map);
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
