#include "admin/admin.h"
#include "cli/cli.h"
#include "cli/cli_print.h"
#include "relay/relay.h"
#include "relay/router.h"

int cli_serve(const struct cli_context *ctx)
{
	return relay_run(ctx->root, ctx->profile, admin_extension());
}

static json_t *route_json(const struct route *route)
{
	static const char *const roles[] = {
		[ROLE_NONE] = "none",
		[ROLE_CLIENT] = "client",
		[ROLE_CODEX] = "codex",
		[ROLE_ADMIN] = "admin",
	};

	return json_pack("{s:s, s:s, s:s, s:s}", "path", route->path, "methods", route->methods,
		"role", roles[route->role], "help", route->help);
}

int cli_serve_routes(const struct cli_context *ctx)
{
	const struct route *route;
	json_t *list = json_array();

	(void)ctx;
	for (size_t i = 0; (route = router_routes(i)); i++)
		json_array_append_new(list, route_json(route));
	for (route = admin_extension()->routes; route->path; route++)
		json_array_append_new(list, route_json(route));
	cli_print_json(json_pack("{s:o}", "routes", list));
	return CLI_OK;
}
