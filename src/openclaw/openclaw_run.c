#include "openclaw/openclaw_run.h"

#include "io/child.h"
#include "openclaw/openclaw_env.h"
#include "openclaw/openclaw_room.h"

#include <stdio.h>
#include <stdlib.h>

enum { OUTPUT_CAP = 256 * 1024, PROBLEM_SIZE = 192, WORDS_MAX = 16, WORDS_MAX_BYTES = 100 };

struct openclaw_run {
	struct loop *loop;
	struct openclaw_room *room;
	int room_error;
	char *command, *profile;
	const char *const *words;
	int64_t timeout_ms;
	struct child *child; /* NULL: not running */
	struct secret token; /* that must not be told */
	struct buf out;
	char problem[PROBLEM_SIZE]; /* "" none */
	bool cancelled;
	void (*on_done)(void *arg, const struct openclaw_run_result *result);
	void *arg;
};

static void destroy(struct openclaw_run *run)
{
	openclaw_room_free(run->room);
	secret_fini(&run->token);
	buf_fini(&run->out);
	free(run->command);
	free(run->profile);
	free(run);
}

static void remove_room(void *arg)
{
	struct openclaw_run *run = arg;

	run->room_error = openclaw_room_remove(run->room);
}

static void on_room_removed(void *arg)
{
	struct openclaw_run *run = arg;
	struct openclaw_run_result result = {.out = buf_sv(&run->out)};

	if (!run->cancelled) {
		if (run->problem[0])
			result.problem = run->problem;
		run->on_done(run->arg, &result);
	}
	destroy(run);
}

/* The first line that it said on stderr, when that is fit to be shown. */
static struct sv first_words(const struct openclaw_run *run, struct sv text)
{
	struct sv token = secret_expose(&run->token);
	struct sv line = SV_NONE;

	if (token.n && sv_find(text, token) >= 0)
		return SV_NONE;
	while (text.n && !line.n)
		line = sv_trim(sv_split(&text, '\n'));
	return line.n > WORDS_MAX_BYTES ? sv_make(line.p, WORDS_MAX_BYTES) : line;
}

static void describe(struct openclaw_run *run, const struct child_result *r)
{
	struct sv words = first_words(run, r->err);

	snprintf(run->problem, sizeof(run->problem), "openclaw: %s%s%.*s%s", r->message,
		words.n ? " (" : "", SV_ARG(words), words.n ? ")" : "");
}

static void on_child_done(void *arg, const struct child_result *r)
{
	struct openclaw_run *run = arg;

	run->child = NULL;
	if (r->outcome == CHILD_EXITED && r->status == 0)
		buf_add_sv(&run->out, r->out);
	else
		describe(run, r);
	loop_work(run->loop, remove_room, on_room_removed, run);
}

static void run_program(struct openclaw_run *run)
{
	const char *argv[WORDS_MAX] = {run->command, "--profile", run->profile};
	struct openclaw_env env;
	struct child_request request = {
		.argv = argv,
		.cwd = openclaw_room_dir(run->room),
		.guard = "/proc/self/exe",
		.timeout_ms = run->timeout_ms,
		.output_cap = OUTPUT_CAP,
	};
	size_t n = 3;

	for (size_t i = 0; run->words[i] && n + 1 < WORDS_MAX; i++)
		argv[n++] = run->words[i];
	openclaw_env_init(&env);
	openclaw_env_set(&env, "OPENCLAW_STATE_DIR", sv_cstr(openclaw_room_dir(run->room)));
	openclaw_env_set(&env, "OPENCLAW_AGENT_DIR", sv_cstr(openclaw_room_agent_dir(run->room)));
	openclaw_env_set(&env, "NO_COLOR", SV("1"));
	request.env = (const char *const *)env.list;
	run->child = child_start(run->loop, &request, on_child_done, run);
	openclaw_env_fini(&env);
}

static void make_room(void *arg)
{
	struct openclaw_run *run = arg;

	run->room_error = openclaw_room_make(run->room);
}

static void on_room_made(void *arg)
{
	struct openclaw_run *run = arg;

	if (!run->room_error && !run->cancelled) {
		run_program(run);
		return;
	}
	snprintf(
		run->problem, sizeof(run->problem), "run/openclaw: %s", strerror(-run->room_error));
	loop_work(run->loop, remove_room, on_room_removed, run);
}

struct openclaw_run *openclaw_run_start(const struct openclaw_run_request *r,
	void (*on_done)(void *arg, const struct openclaw_run_result *result), void *arg)
{
	struct openclaw_run *run = mem_zalloc(sizeof(*run));
	char name[LIMIT_SLOT_ID_BYTES + 32];
	struct openclaw_room_plan plan = {
		.root = r->env->root,
		.name = name,
		.agent = "main",
		.slot = r->slot,
	};

	snprintf(name, sizeof(name), "%s-%.24s", r->slot->id, r->name);
	run->loop = r->env->loop;
	run->room = openclaw_room_new(&plan);
	secret_copy(&run->token, &r->slot->access);
	run->command = mem_strdup(r->env->conf->openclaw_command);
	run->profile = mem_strdup(r->env->conf->profile);
	run->words = r->words;
	run->timeout_ms = r->timeout_ms;
	buf_init(&run->out, OUTPUT_CAP);
	run->on_done = on_done;
	run->arg = arg;
	loop_work(run->loop, make_room, on_room_made, run);
	return run;
}

void openclaw_run_cancel(struct openclaw_run *run)
{
	run->cancelled = true;
	if (run->child) {
		child_abandon(run->child);
		run->child = NULL;
		loop_work(run->loop, remove_room, on_room_removed, run);
	}
}
