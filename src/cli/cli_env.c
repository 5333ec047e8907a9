#include "cli/cli_env.h"

#include "io/fetch_conf.h"
#include "openclaw/openclaw_usage.h"
#include "slots/refresher.h"
#include "slots/store.h"

#include <signal.h>
#include <string.h>

static void on_refreshes_over(void *arg)
{
	struct cli_env *env = arg;

	loop_stop(env->slots.loop);
}

static void on_signal(void *arg, int signo)
{
	struct cli_env *env = arg;

	if (env->signal)
		return;
	env->signal = signo;
	refresher_stop(env->slots.refresher, on_refreshes_over, env);
}

int cli_env_open(const struct cli_context *ctx, struct cli_env *ret)
{
	struct fetch_options options;
	int status;

	*ret = (struct cli_env){.ctx = ctx, .slots = {.root = ctx->root}};
	status = cli_load_slots(ctx, &ret->slots.conf, &ret->slots.table);
	if (status)
		return status;
	options = fetch_conf_options(ret->slots.conf);
	ret->slots.loop = loop_new();
	ret->slots.pool = fetch_pool_new(ret->slots.loop, &options);
	ret->slots.openclaw_usage = openclaw_usage_source();
	ret->slots.refresher = refresher_new(&ret->slots);
	loop_on_signal(ret->slots.loop, SIGINT, on_signal, ret);
	loop_on_signal(ret->slots.loop, SIGTERM, on_signal, ret);
	loop_unref_signals(ret->slots.loop);
	return CLI_OK;
}

void cli_env_run(struct cli_env *env)
{
	loop_run(env->slots.loop);
	if (!env->signal)
		return;
	if (env->on_stop) {
		env->on_stop(env->arg);
		loop_run(env->slots.loop);
	}
	refresher_free(env->slots.refresher);
	/* As if nobody had caught it: the shell sees that a signal was the end. */
	signal(env->signal, SIG_DFL);
	raise(env->signal);
}

static int save(struct cli_env *env)
{
	struct store_save *save = store_save_begin_changes(env->slots.root, env->slots.table);
	int err = store_save_commit(save);

	store_save_free(save);
	if (err)
		return cli_fail(env->ctx, CLI_FAILED, "config/slots.json: %s", strerror(-err));
	return CLI_OK;
}

int cli_env_close(struct cli_env *env)
{
	int status = save(env);

	refresher_free(env->slots.refresher);
	fetch_pool_free(env->slots.pool);
	loop_free(env->slots.loop);
	slot_table_free(env->slots.table);
	conf_unref(env->slots.conf);
	return status;
}
