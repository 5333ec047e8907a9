#include "cli/cli.h"
#include "cli/cli_credential.h"
#include "cli/cli_slots.h"

int cli_import_file(const struct cli_context *ctx)
{
	const char *path = cli_value(ctx, "--auth-file");
	struct auth_grant grant = {0};
	struct cli_credential credential = {
		.ctx = ctx,
		.grant = &grant,
		.label = cli_value(ctx, "--label"),
	};
	char problem[512];
	struct conf *conf;
	int status = cli_slot_id(ctx, credential.id);

	if (!status)
		status = cli_load_conf(ctx, &conf);
	if (status)
		return status;
	credential.conf = conf;
	if (auth_grant_read(path, &grant, problem, sizeof(problem)) != 0)
		status = cli_fail(ctx, CLI_FAILED, "%s: %s", path, problem);
	if (!status)
		status = cli_credential_put(&credential);
	if (!status)
		status = cli_slots_show(ctx, credential.id, "imported");
	auth_grant_fini(&grant);
	conf_unref(conf);
	return status;
}
