#include "cli/cli_login.h"

#include "base/clock.h"
#include "cli/cli_openclaw.h"
#include "cli/cli_print.h"
#include "cli/cli_slots.h"
#include "io/fetch_conf.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	PATIENCE_S = 15 * 60, /* as long as codes live */
	PATIENCE_MAX_S = 24 * 60 * 60,
	FAREWELL_MS = 2000, /* for the browser's last page */
	TEXT_SIZE = 512,
};

static void on_closing(struct deferred *d)
{
	struct cli_login *l = CONTAINER_OF(d, struct cli_login, closing);

	timer_stop(&l->farewell);
	fetch_pool_free(l->pool);
	l->pool = NULL;
	loop_close_signals(l->loop);
}

void cli_login_closed(struct cli_login *l)
{
	if (l->pool)
		loop_defer(l->loop, &l->closing);
}

static void on_farewell_over(struct timer *t)
{
	struct cli_login *l = CONTAINER_OF(t, struct cli_login, farewell);

	l->way->close(l);
	cli_login_closed(l);
}

static void end(struct cli_login *l, int status, const char *text)
{
	if (l->state == CLI_LOGIN_ENDED)
		return;
	l->state = CLI_LOGIN_ENDED;
	l->status = status;
	timer_stop(&l->patience);
	if (l->call)
		call_cancel(l->call);
	l->call = NULL;
	timer_start(&l->farewell, FAREWELL_MS);
	l->way->on_end(l, status == CLI_OK, text);
}

void cli_login_fail(struct cli_login *l, const char *fmt, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	if (l->state == CLI_LOGIN_ENDED)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	end(l, cli_fail(l->ctx, CLI_FAILED, "%s; nothing was changed", text), text);
}

static void on_patience_over(struct timer *t)
{
	struct cli_login *l = CONTAINER_OF(t, struct cli_login, patience);

	cli_login_fail(l, "nobody signed in within the time for it");
}

static void on_signal(void *arg, int signo)
{
	struct cli_login *l = arg;

	if (l->state == CLI_LOGIN_ENDED)
		return;
	l->signal = signo;
	/* The terminal shows ^C. */
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr);
	cli_fail(l->ctx, CLI_FAILED, "interrupted; nothing was changed");
	end(l, CLI_FAILED, "The login was interrupted in the terminal.");
}

static void store(struct cli_login *l, const struct auth_grant *grant)
{
	struct cli_credential credential = {
		.ctx = l->ctx,
		.conf = l->conf,
		.grant = grant,
		.label = cli_value(l->ctx, "--label"),
		.same_identity = !cli_value(l->ctx, "--force"),
	};
	int status;

	memcpy(credential.id, l->id, sizeof(credential.id));
	if (grant->email)
		snprintf(l->account, sizeof(l->account), "%s", grant->email);
	status = cli_credential_put(&credential);
	end(l, status,
		status ? "The login was refused; the terminal says why."
		       : "You can close this page and go back to the terminal.");
}

static void explain(struct cli_login *l, const struct oauth_answer *a)
{
	switch (a->outcome) {
	case OAUTH_DEAD:
		cli_login_fail(l,
			"the code is not valid any more, or was used already (%s): log in again",
			a->code);
		break;
	case OAUTH_IN_DOUBT:
		cli_login_fail(l, "%s: log in again", a->message);
		break;
	default:
		cli_login_fail(l, "%s", a->message);
		break;
	}
}

static void on_answer(void *arg, const struct call_result *r)
{
	struct cli_login *l = arg;
	struct oauth_answer answer;

	l->call = NULL;
	oauth_answer_read(r, clock_wall_ms(), &answer);
	if (answer.outcome == OAUTH_GRANTED)
		store(l, &answer.grant);
	else
		explain(l, &answer);
	oauth_answer_fini(&answer);
}

void cli_login_greet(const struct cli_login *l)
{
	const char *owner = l->before.owner;

	fprintf(l->out, "Login of %s%s%s%s.", l->id, owner[0] ? " (" : "", owner,
		owner[0] ? ")" : "");
}

void cli_login_exchange(
	struct cli_login *l, struct sv code, struct sv redirect_uri, struct sv verifier)
{
	struct buf body;

	l->state = CLI_LOGIN_EXCHANGING;
	/* The request has a limit of its own. */
	timer_stop(&l->patience);
	buf_init(&body, OAUTH_BODY_BYTES);
	oauth_exchange_body(l->conf, code, redirect_uri, verifier, &body);
	l->call = oauth_call_start(
		l->loop, l->pool, l->conf, OAUTH_TOKEN, buf_sv(&body), on_answer, l);
	secret_wipe(body.data, body.len);
	buf_fini(&body);
}

static int read_patience(const struct cli_context *ctx, int64_t *ret_ms)
{
	const char *text = cli_value(ctx, "--timeout");
	uint64_t seconds = PATIENCE_S;

	if (text &&
		(sv_u64(sv_cstr(text), &seconds) != 0 || seconds < 1 || seconds > PATIENCE_MAX_S))
		return cli_fail(ctx, CLI_USAGE, "--timeout takes seconds from 1 to %d, not \"%s\"",
			PATIENCE_MAX_S, text);
	*ret_ms = (int64_t)seconds * 1000;
	return CLI_OK;
}

static void open_loop(struct cli_login *l, int64_t patience_ms)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct fetch_options options = fetch_conf_options(l->conf);

	l->loop = loop_new();
	l->pool = fetch_pool_new(l->loop, &options);
	l->closing.fn = on_closing;
	timer_init(&l->patience, l->loop, on_patience_over);
	timer_init(&l->farewell, l->loop, on_farewell_over);
	timer_start(&l->patience, patience_ms);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		loop_on_signal(l->loop, signals[i], on_signal, l);
}

static void run(struct cli_login *l, int64_t patience_ms)
{
	int status;

	open_loop(l, patience_ms);
	status = l->way->start(l);
	if (status)
		end(l, status, "");
	loop_run(l->loop);
	l->way->free(l);
	loop_free(l->loop);
}

static int show(const struct cli_login *l)
{
	char done[sizeof(l->account) + 32];

	snprintf(done, sizeof(done), "is logged in%s%s", l->account[0] ? " as " : "", l->account);
	return cli_slots_show(l->ctx, l->id, done);
}

/* As if nobody had caught it: the shell sees that a signal was the end. */
static void die_of(int signo)
{
	fflush(NULL);
	signal(signo, SIG_DFL);
	raise(signo);
}

int cli_login(const struct cli_context *ctx)
{
	struct cli_login l = {
		.ctx = ctx,
		.out = ctx->json ? stderr : stdout,
		.way = cli_value(ctx, "--device") ? cli_login_device() : cli_login_browser(),
	};
	int64_t patience_ms = 0;
	int status = cli_slot_id(ctx, l.id);

	if (!status)
		status = read_patience(ctx, &patience_ms);
	if (!status)
		status = cli_credential_look(ctx, l.id, &l.before);
	if (!status)
		status = cli_load_conf(ctx, &l.conf);
	if (status)
		return status;
	if (l.conf->auth_backend == BACKEND_OPENCLAW) {
		status = cli_openclaw_login(ctx, l.conf);
		conf_unref(l.conf);
		return status;
	}
	run(&l, patience_ms);
	if (!l.status)
		l.status = show(&l);
	conf_unref(l.conf);
	if (l.signal)
		die_of(l.signal);
	return l.status;
}
