/*
 * A child process: started without a shell from a list of arguments and an environment of its own,
 * watched and reaped. It leads a process group: whatever way it ends, what is left of the group is
 * killed. Output is captured up to a cap. Owner: whoever started it, until on_done (exactly once)
 * or child_abandon(); it frees itself after either. A child never outlives the loop: loop_run()
 * does not return before it is reaped.
 *
 * With a guard (the program itself, see child_guard()) the child also gets SIGTERM from the kernel
 * when this process is killed without a chance to clean up.
 */
#ifndef IO_CHILD_H
#define IO_CHILD_H

#include "base/buf.h"
#include "io/loop.h"

/* First argument that makes the program a guard. */
#define CHILD_GUARD_WORD "child-guard"

struct child;

struct child_request {
	const char *const *argv; /* NULL behind the last; argv[0] is looked up in env's PATH */
	const char *const *env;	 /* "NAME=value", NULL behind the last: all that it gets */
	const char *cwd;	 /* NULL: ours */
	const char *guard;	 /* path of a program that calls child_guard(); NULL: none */
	int64_t timeout_ms;	 /* then it is stopped; 0: none */
	int64_t grace_ms;	 /* between SIGTERM and SIGKILL; 0: 5 s */
	size_t output_cap;	 /* of stdout and of stderr each; not 0 */
	bool keep_tail;		 /* more output is no mistake: the last half of the cap is kept */
	/*
	 * For a person at the terminal: it inherits stdin, stdout and stderr and stays in our
	 * process group, so that Ctrl-C reaches it. Nothing is captured.
	 */
	bool terminal;
	int terminal_out; /* which of our descriptors is its stdout then */
};

enum child_outcome {
	CHILD_EXITED,	   /* by itself: see status */
	CHILD_SIGNALED,	   /* somebody else killed it: status is the signal */
	CHILD_TIMED_OUT,   /* timeout_ms passed */
	CHILD_FLOODED,	   /* more output than output_cap */
	CHILD_STOPPED,	   /* child_stop() */
	CHILD_NOT_STARTED, /* no such program, no process: message tells */
};

struct child_result {
	enum child_outcome outcome;
	int status;
	struct sv out, err;
	const char *message; /* what happened, for people: "exit status 1", "no output for …" */
};

/* Never fails, never calls back at once: problems arrive in on_done. Nothing of r is kept. The
 * result is borrowed for the call. */
struct child *child_start(struct loop *loop, const struct child_request *r,
	void (*on_done)(void *arg, const struct child_result *result), void *arg);
/* SIGTERM to its group, SIGKILL after the grace time; on_done comes when it is gone. May be called
 * again. Not inside on_done. */
void child_stop(struct child *c);
/* No callback follows. Its group is killed at once, and reaped by the loop. Not inside on_done. */
void child_abandon(struct child *c);
/* Process id; 0 when it did not start. */
int child_pid(const struct child *c);
/* What was captured of stderr so far. Valid until the loop goes on. */
struct sv child_stderr(const struct child *c);

/*
 * The guard's whole program, for main(): argv is {program, CHILD_GUARD_WORD, parent's pid, command,
 * arguments…}. Asks for SIGTERM when the parent dies and becomes the command; the exit status when
 * that cannot be.
 */
int child_guard(int argc, char **argv);

#endif
