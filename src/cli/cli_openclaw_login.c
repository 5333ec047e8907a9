#include "cli/cli_openclaw.h"

#include "cli/cli_credential.h"
#include "cli/cli_slots.h"
#include "conf/runtime_dir.h"
#include "io/child.h"
#include "openclaw/openclaw_env.h"
#include "openclaw/openclaw_room.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct login {
	const struct cli_context *ctx;
	const struct conf *conf;
	char id[LIMIT_SLOT_ID_BYTES];
	struct openclaw_room *room;
	struct loop *loop;
	struct child *child; /* NULL: it has ended */
	bool ok;
	int signal;
	char problem[128];
};

static void on_child_done(void *arg, const struct child_result *r)
{
	struct login *l = arg;

	l->child = NULL;
	l->ok = r->outcome == CHILD_EXITED && r->status == 0;
	snprintf(l->problem, sizeof(l->problem), "%s", r->message);
	loop_close_signals(l->loop);
}

/* Ctrl-C reaches the program by itself; we wait for it and clear up. */
static void on_signal(void *arg, int signo)
{
	struct login *l = arg;

	l->signal = signo;
	if (l->child)
		child_stop(l->child);
}

static void run_program(struct login *l)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	const char *const argv[] = {l->conf->openclaw_command, "--profile", l->conf->profile,
		"models", "auth", "login", "--provider", "openai-codex", NULL};
	struct openclaw_env env;
	struct child_request request = {
		.argv = argv,
		.guard = "/proc/self/exe",
		.timeout_ms = l->conf->openclaw_login_timeout_s * 1000,
		.output_cap = 1,
		.terminal = true,
		/* Our own stdout is for the result. */
		.terminal_out = l->ctx->json ? STDERR_FILENO : STDOUT_FILENO,
	};

	openclaw_env_init(&env);
	/* Versions differ in which of the two decides where the login is kept. */
	openclaw_env_set(&env, "OPENCLAW_STATE_DIR", sv_cstr(openclaw_room_dir(l->room)));
	openclaw_env_set(&env, "OPENCLAW_AGENT_DIR", sv_cstr(openclaw_room_agent_dir(l->room)));
	request.env = (const char *const *)env.list;
	l->loop = loop_new();
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		loop_on_signal(l->loop, signals[i], on_signal, l);
	l->child = child_start(l->loop, &request, on_child_done, l);
	openclaw_env_fini(&env);
	loop_run(l->loop);
	loop_free(l->loop);
}

static int import(struct login *l)
{
	struct auth_grant grant = {0};
	struct cli_credential credential = {
		.ctx = l->ctx,
		.conf = l->conf,
		.grant = &grant,
		.label = cli_value(l->ctx, "--label"),
		.same_identity = !cli_value(l->ctx, "--force"),
	};
	char *path = runtime_path(openclaw_room_agent_dir(l->room), "auth-profiles.json");
	char problem[256];
	int err = auth_grant_read(path, &grant, problem, sizeof(problem));
	int status;

	free(path);
	memcpy(credential.id, l->id, sizeof(credential.id));
	if (err == -ENOENT)
		status = cli_fail(l->ctx, CLI_FAILED,
			"openclaw ended well but left no auth-profiles.json; versions that keep "
			"logins in a database are not supported. Nothing was changed");
	else if (err)
		status = cli_fail(l->ctx, CLI_FAILED,
			"openclaw's auth-profiles.json: %s; nothing "
			"was changed",
			problem);
	else
		status = cli_credential_put(&credential);
	auth_grant_fini(&grant);
	return status;
}

static int log_in(struct login *l)
{
	int err = openclaw_room_make(l->room);

	if (err)
		return cli_fail(
			l->ctx, CLI_FAILED, "%s: %s", openclaw_room_dir(l->room), strerror(-err));
	/* The program draws on a terminal: it starts with nothing of ours half-written. */
	fflush(NULL);
	run_program(l);
	if (l->signal)
		return cli_fail(l->ctx, CLI_FAILED, "interrupted; nothing was changed");
	if (!l->ok)
		return cli_fail(l->ctx, CLI_FAILED, "%s: %s; nothing was changed",
			l->conf->openclaw_command, l->problem);
	return import(l);
}

int cli_openclaw_login(const struct cli_context *ctx, const struct conf *conf)
{
	struct login l = {.ctx = ctx, .conf = conf};
	struct openclaw_room_plan plan = {.root = ctx->root, .name = "login", .agent = "main"};
	int err, status = cli_slot_id(ctx, l.id);

	if (status)
		return status;
	if (cli_value(ctx, "--device"))
		return cli_fail(ctx, CLI_USAGE,
			"--device is for auth.backend \"native\"; here openclaw logs in");
	if (!isatty(STDIN_FILENO))
		return cli_fail(ctx, CLI_FAILED,
			"openclaw logs in at a terminal only (auth.backend is \"openclaw\")");
	l.room = openclaw_room_new(&plan);
	status = log_in(&l);
	err = openclaw_room_remove(l.room);
	if (err)
		cli_warn(ctx, "%s could not be deleted: %s", openclaw_room_dir(l.room),
			strerror(-err));
	openclaw_room_free(l.room);
	if (!status)
		status = cli_slots_show(ctx, l.id, "is logged in");
	return status;
}
