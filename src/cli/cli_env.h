/*
 * What a command needs that asks upstream: a loop, an HTTP client, the slots as files tell them,
 *and their refresher. A command opens it, starts its requests (slot_call.h, refresher.h), runs the
 *loop and closes it:
 *
 *	struct cli_env env;
 *	int status = cli_env_open(ctx, &env);
 *
 *	if (status)
 *		return status;
 *	slot_call_start(&env.slots, slot_table_find(env.slots.table, id), …);
 *	cli_env_run(&env);
 *	status = cli_env_close(&env);
 *
 * The command owns it and keeps it in place meanwhile. A relay may serve from the same directory:
 * what the command learnt of a slot reaches it through slots.json, a token through its file.
 */
#ifndef CLI_CLI_ENV_H
#define CLI_CLI_ENV_H

#include "cli/cli.h"
#include "slots/slot_env.h"

struct cli_env {
	const struct cli_context *ctx;
	struct slot_env slots; /* loop, pool, table, root, conf, refresher: all set */
	int signal;	       /* the command was told to stop; 0 not */
	/* After a signal, outside of all callbacks: ends what the command has started, and the loop
	 * goes on until that is gone. NULL: nothing that may not just stay where it is. */
	void (*on_stop)(void *arg);
	void *arg;
};

/* CLI_OK, or a failure that has been told. */
int cli_env_open(const struct cli_context *ctx, struct cli_env *ret) MUST_CHECK;
/*
 * Runs until nothing that was started is left. SIGINT and SIGTERM end the process, but not before a
 * token request that is on its way was answered and its grant is on disk.
 */
void cli_env_run(struct cli_env *env);
/*
 * Writes the state of the slots that were marked dirty (slot_table_mark_dirty()) and frees all.
 * CLI_OK, or a failure that has been told.
 */
int cli_env_close(struct cli_env *env) MUST_CHECK;

#endif
