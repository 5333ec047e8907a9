#include "cli/cli.h"
#include "cli/cli_env.h"
#include "cli/cli_print.h"
#include "cli/cli_slots.h"

#include "slots/refresher.h"

#include <stdio.h>

struct outcome {
	struct refresh_wait wait;
	enum refresh_result result;
};

static void on_done(struct refresh_wait *w, enum refresh_result result)
{
	CONTAINER_OF(w, struct outcome, wait)->result = result;
}

static int complain(const struct cli_context *ctx, const struct slot *s, enum refresh_result result)
{
	if (result == REFRESH_REAUTH)
		return cli_fail(ctx, CLI_FAILED,
			"the login of %s is not valid any more: log in again", s->id);
	return cli_fail(ctx, CLI_FAILED, "%s has no new token: %s", s->id,
		s->last_error[0] ? s->last_error : "it cannot be refreshed");
}

/* In a loop of our own: CLI_OK or a failure that has been told. */
static int refresh(const struct cli_context *ctx, const char *id, struct cli_env *env)
{
	struct outcome o = {.wait = {.on_done = on_done}, .result = REFRESH_FAILED};
	struct slot *s = slot_table_find(env->slots.table, id);

	if (!s)
		return cli_fail(ctx, CLI_NOT_FOUND, "there is no %s; see slot-list", id);
	if (secret_is_empty(&s->access))
		return cli_fail(ctx, CLI_FAILED, "%s: %s", id, s->last_error);
	if (secret_is_empty(&s->refresh))
		return cli_fail(ctx, CLI_FAILED, "%s has no refresh token: log in again", id);
	refresher_force(env->slots.refresher, s, &o.wait);
	cli_env_run(env);
	return o.result == REFRESH_READY ? CLI_OK : complain(ctx, s, o.result);
}

int cli_refresh_slot(const struct cli_context *ctx)
{
	char id[LIMIT_SLOT_ID_BYTES];
	struct cli_env env;
	int status = cli_slot_id(ctx, id);
	int closed;

	if (!status)
		status = cli_env_open(ctx, &env);
	if (status)
		return status;
	status = refresh(ctx, id, &env);
	closed = cli_env_close(&env);
	if (!status)
		status = closed;
	return status ? status : cli_slots_show(ctx, id, "refreshed");
}
