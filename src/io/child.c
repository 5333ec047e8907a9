#include "io/child.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

enum {
	GRACE_MS = 5000,
	DRAIN_MS = 500,	 /* for output that is in the pipe when the process has ended */
	NOT_FOUND = 127, /* exit status of a guard whose command there is not */
	PIPES = 2,	 /* stdout, stderr */
	ARGS_MAX = 64,
	CHUNK_BYTES = 16 * 1024,
};

struct child;

struct output {
	struct child *child;
	uv_pipe_t uv;
	struct buf bytes;
	bool is_open;
	char chunk[CHUNK_BYTES];
};

struct child {
	struct loop *loop;
	uv_process_t process;
	struct output output[PIPES];
	unsigned handles; /* of libuv that are not closed yet; freed with the last one */
	bool running, has_group, keep_tail, guarded;
	bool over;	 /* on_done was called, or nobody wants it */
	bool has_reason; /* we ended it, for this: */
	enum child_outcome reason;
	int64_t status;
	int signal;
	int start_error;
	int64_t grace_ms;
	struct timer timeout, kill, drain;
	struct deferred finish;
	void (*on_done)(void *arg, const struct child_result *result);
	void *arg;
};

static void destroy(struct child *c)
{
	loop_undefer(&c->finish);
	timer_stop(&c->timeout);
	timer_stop(&c->kill);
	timer_stop(&c->drain);
	for (size_t i = 0; i < PIPES; i++)
		buf_fini(&c->output[i].bytes);
	free(c);
}

static void release(struct child *c)
{
	assert(c->handles > 0);
	if (--c->handles == 0 && c->over)
		destroy(c);
}

static void on_process_closed(uv_handle_t *uv)
{
	release(CONTAINER_OF((uv_process_t *)uv, struct child, process));
}

static void on_pipe_closed(uv_handle_t *uv)
{
	release(CONTAINER_OF((uv_pipe_t *)uv, struct output, uv)->child);
}

static void close_pipe(struct output *o)
{
	if (!o->is_open)
		return;
	o->is_open = false;
	uv_close((uv_handle_t *)&o->uv, on_pipe_closed);
}

static void send_signal(struct child *c, int signo)
{
	int pid = c->process.pid;

	if (pid <= 0)
		return;
	/* What is left of its group too, although the process itself may be gone. */
	if (c->has_group)
		kill(-pid, signo);
	else if (c->running)
		kill(pid, signo);
}

static void describe(const struct child *c, char *text, size_t size)
{
	switch (c->has_reason ? c->reason : CHILD_EXITED) {
	case CHILD_TIMED_OUT:
		snprintf(text, size, "it took too long");
		return;
	case CHILD_FLOODED:
		snprintf(text, size, "it wrote too much");
		return;
	case CHILD_STOPPED:
		snprintf(text, size, "it was stopped");
		return;
	default:
		break;
	}
	if (c->start_error)
		snprintf(text, size, "it could not be started: %s", uv_strerror(c->start_error));
	else if (c->guarded && c->status == NOT_FOUND)
		snprintf(text, size, "it could not be started: no such program");
	else if (c->signal)
		snprintf(text, size, "killed by signal %d", c->signal);
	else
		snprintf(text, size, "exit status %d", (int)c->status);
}

static enum child_outcome outcome_of(const struct child *c)
{
	if (c->has_reason)
		return c->reason;
	if (c->start_error || (c->guarded && c->status == NOT_FOUND && !c->signal))
		return CHILD_NOT_STARTED;
	return c->signal ? CHILD_SIGNALED : CHILD_EXITED;
}

static void finish(struct child *c)
{
	char message[128];
	struct child_result result = {
		.outcome = outcome_of(c),
		.status = c->signal ? c->signal : (int)c->status,
		.out = buf_sv(&c->output[0].bytes),
		.err = buf_sv(&c->output[1].bytes),
		.message = message,
	};

	assert(!c->over);
	for (size_t i = 0; i < PIPES; i++)
		close_pipe(&c->output[i]);
	describe(c, message, sizeof(message));
	c->on_done(c->arg, &result);
	c->over = true;
	if (c->handles == 0)
		destroy(c);
}

/* The process has ended: that is all when its output has been read to the end, or soon after. */
static void finish_if_drained(struct child *c)
{
	if (c->over || c->running)
		return;
	for (size_t i = 0; i < PIPES; i++) {
		if (c->output[i].is_open) {
			if (!timer_is_active(&c->drain))
				timer_start(&c->drain, DRAIN_MS);
			return;
		}
	}
	timer_stop(&c->drain);
	loop_defer(c->loop, &c->finish);
}

static void on_finish(struct deferred *d)
{
	finish(CONTAINER_OF(d, struct child, finish));
}

static void on_drain_over(struct timer *t)
{
	finish(CONTAINER_OF(t, struct child, drain));
}

static void on_process_exit(uv_process_t *uv, int64_t status, int signo)
{
	struct child *c = CONTAINER_OF(uv, struct child, process);

	c->running = false;
	c->status = status;
	c->signal = signo;
	timer_stop(&c->timeout);
	timer_stop(&c->kill);
	/* Nothing that it started stays behind. */
	if (c->has_group)
		send_signal(c, SIGKILL);
	uv_close((uv_handle_t *)uv, on_process_closed);
	finish_if_drained(c);
}

static void stop_for(struct child *c, enum child_outcome reason)
{
	if (!c->running)
		return;
	if (!c->has_reason) {
		c->has_reason = true;
		c->reason = reason;
	}
	timer_stop(&c->timeout);
	if (timer_is_active(&c->kill))
		return;
	send_signal(c, SIGTERM);
	timer_start(&c->kill, c->grace_ms);
}

static void on_timeout(struct timer *t)
{
	stop_for(CONTAINER_OF(t, struct child, timeout), CHILD_TIMED_OUT);
}

static void on_kill_due(struct timer *t)
{
	send_signal(CONTAINER_OF(t, struct child, kill), SIGKILL);
}

/* Output. */

static void on_alloc(uv_handle_t *uv, size_t suggested, uv_buf_t *ret)
{
	struct output *o = CONTAINER_OF((uv_pipe_t *)uv, struct output, uv);

	(void)suggested;
	*ret = uv_buf_init(o->chunk, sizeof(o->chunk));
}

static void collect(struct output *o, struct sv bytes)
{
	struct child *c = o->child;
	size_t half = o->bytes.cap / 2;

	if (c->keep_tail && o->bytes.len + bytes.n > o->bytes.cap) {
		if (bytes.n > half)
			bytes = sv_from(bytes, bytes.n - half);
		if (o->bytes.len > half)
			buf_consume(&o->bytes, o->bytes.len - half);
		if (o->bytes.len + bytes.n > o->bytes.cap)
			buf_reset(&o->bytes, o->bytes.cap);
	}
	if (bytes.n > o->bytes.cap - o->bytes.len)
		stop_for(c, CHILD_FLOODED);
	else
		buf_add_sv(&o->bytes, bytes);
}

static void on_read(uv_stream_t *uv, ssize_t n, const uv_buf_t *chunk)
{
	struct output *o = CONTAINER_OF((uv_pipe_t *)uv, struct output, uv);

	if (n > 0) {
		collect(o, sv_make(chunk->base, (size_t)n));
	} else if (n < 0) {
		close_pipe(o);
		finish_if_drained(o->child);
	}
}

static void open_pipes(struct child *c, uv_stdio_container_t stdio[3])
{
	for (size_t i = 0; i < PIPES; i++) {
		struct output *o = &c->output[i];
		int err = uv_pipe_init(loop_uv(c->loop), &o->uv, 0);

		assert(err == 0);
		(void)err;
		o->is_open = true;
		c->handles++;
		stdio[i + 1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
		stdio[i + 1].data.stream = (uv_stream_t *)&o->uv;
	}
}

/* Start. */

static const char **guarded_argv(const struct child_request *r, const char *pid, const char **out)
{
	size_t n = 0;

	if (r->guard) {
		out[n++] = r->guard;
		out[n++] = CHILD_GUARD_WORD;
		out[n++] = pid;
	}
	for (size_t i = 0; r->argv[i]; i++) {
		assert(n + 1 < ARGS_MAX);
		out[n++] = r->argv[i];
	}
	out[n] = NULL;
	return out;
}

static void spawn(struct child *c, const struct child_request *r)
{
	const char *argv[ARGS_MAX];
	char pid[16];
	uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}};
	uv_process_options_t options = {
		.exit_cb = on_process_exit,
		.env = (char **)(uintptr_t)r->env,
		.cwd = r->cwd,
		.flags = r->terminal ? 0 : UV_PROCESS_DETACHED,
		.stdio_count = 3,
		.stdio = stdio,
	};

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	options.args = (char **)(uintptr_t)guarded_argv(r, pid, argv);
	options.file = options.args[0];
	for (int fd = 0; r->terminal && fd < 3; fd++) {
		stdio[fd].flags = UV_INHERIT_FD;
		stdio[fd].data.fd = fd == STDOUT_FILENO ? r->terminal_out : fd;
	}
	if (!r->terminal)
		open_pipes(c, stdio);
	c->start_error = uv_spawn(loop_uv(c->loop), &c->process, &options);
	c->handles++;
	if (c->start_error) {
		uv_close((uv_handle_t *)&c->process, on_process_closed);
		for (size_t i = 0; i < PIPES; i++)
			close_pipe(&c->output[i]);
		finish_if_drained(c);
		return;
	}
	c->running = true;
	c->has_group = !r->terminal;
	for (size_t i = 0; i < PIPES && !r->terminal; i++)
		uv_read_start((uv_stream_t *)&c->output[i].uv, on_alloc, on_read);
	if (r->timeout_ms)
		timer_start(&c->timeout, r->timeout_ms);
}

struct child *child_start(struct loop *loop, const struct child_request *r,
	void (*on_done)(void *arg, const struct child_result *result), void *arg)
{
	struct child *c = mem_zalloc(sizeof(*c));

	c->loop = loop;
	c->on_done = on_done;
	c->arg = arg;
	c->keep_tail = r->keep_tail;
	c->guarded = r->guard != NULL;
	c->grace_ms = r->grace_ms ? r->grace_ms : GRACE_MS;
	c->finish.fn = on_finish;
	timer_init(&c->timeout, loop, on_timeout);
	timer_init(&c->kill, loop, on_kill_due);
	timer_init(&c->drain, loop, on_drain_over);
	for (size_t i = 0; i < PIPES; i++) {
		c->output[i].child = c;
		buf_init(&c->output[i].bytes, r->output_cap);
	}
	spawn(c, r);
	return c;
}

void child_stop(struct child *c)
{
	stop_for(c, CHILD_STOPPED);
}

void child_abandon(struct child *c)
{
	assert(!c->over);
	c->over = true;
	loop_undefer(&c->finish);
	timer_stop(&c->timeout);
	timer_stop(&c->kill);
	timer_stop(&c->drain);
	if (c->running)
		send_signal(c, SIGKILL);
	for (size_t i = 0; i < PIPES; i++)
		close_pipe(&c->output[i]);
	if (c->handles == 0)
		destroy(c);
}

int child_pid(const struct child *c)
{
	return c->start_error ? 0 : c->process.pid;
}

struct sv child_stderr(const struct child *c)
{
	return buf_sv(&c->output[1].bytes);
}

int child_guard(int argc, char **argv)
{
	enum { FIRST = 3 };
	char self[16];

	if (argc <= FIRST)
		return NOT_FOUND;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* It may have died before we asked. */
	snprintf(self, sizeof(self), "%d", (int)getppid());
	if (strcmp(self, argv[2]) != 0)
		return NOT_FOUND;
	execvp(argv[FIRST], argv + FIRST);
	return NOT_FOUND;
}
