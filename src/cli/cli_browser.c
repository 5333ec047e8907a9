#include "cli/cli_browser.h"

#include "base/buf.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 16, WORD_BYTES = 16 * 1024 };

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* In the grandchild; only calls that are safe behind a fork. */
static void become(char *const *words)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	signal(SIGPIPE, SIG_DFL); /* the loop ignores it, and that would be inherited */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(words[0], words);
}

/* Forks twice, so that nobody has to wait for the browser, and Ctrl-C does not reach it. */
static void start_detached(char *const *words, int report)
{
	int err;

	setsid();
	if (fork() != 0)
		_exit(0);
	become(words);
	err = errno;
	if (write(report, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

/* 0 once the program runs, else why it cannot be run. */
static int run(char *const *words)
{
	int fds[2], err = 0;
	ssize_t n;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -errno;
	child = fork();
	if (child == 0)
		start_detached(words, fds[1]);
	close(fds[1]);
	if (child < 0) {
		err = errno;
		close(fds[0]);
		return -err;
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	do
		n = read(fds[0], &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	close(fds[0]);
	return n == sizeof(err) ? -err : 0;
}

/* The word with every "%s" replaced; the caller frees. */
static char *filled(struct sv word, const char *url, bool *placed)
{
	struct buf out;
	char *text;

	buf_init(&out, WORD_BYTES);
	for (;;) {
		ptrdiff_t at = sv_find(word, SV("%s"));

		buf_add(&out, word.p, at < 0 ? word.n : (size_t)at);
		if (at < 0)
			break;
		buf_add_cstr(&out, url);
		*placed = true;
		word = sv_from(word, (size_t)at + 2);
	}
	text = mem_strdup(buf_cstr(&out));
	buf_fini(&out);
	return text;
}

/* "program arguments", separated by spaces; a "&" at the end means what we do anyway. */
static int run_command(struct sv command, const char *url)
{
	char *words[WORDS_MAX + 2] = {NULL};
	size_t count = 0;
	bool placed = false;
	int err = -ENOENT;

	while (command.n && count < WORDS_MAX) {
		struct sv word = sv_split(&command, ' ');

		if (word.n && !(sv_eq(word, SV("&")) && !command.n))
			words[count++] = filled(word, url, &placed);
	}
	if (count && !placed)
		words[count++] = mem_strdup(url);
	if (count && !command.n)
		err = run(words);
	for (size_t i = 0; i < count; i++)
		free(words[i]);
	return err;
}

static bool has_display(void)
{
	return environment("DISPLAY") || environment("WAYLAND_DISPLAY") ||
	       environment("WSL_DISTRO_NAME");
}

int cli_browser_open(const char *url)
{
	static const struct sv usual[] = {SV("xdg-open"), SV("wslview"), SV("x-www-browser")};
	struct sv list = sv_cstr(environment("BROWSER"));

	while (list.n) {
		if (run_command(sv_split(&list, ':'), url) == 0)
			return 0;
	}
	for (size_t i = 0; has_display() && i < ARRAY_LEN(usual); i++) {
		if (run_command(usual[i], url) == 0)
			return 0;
	}
	return -ENOENT;
}
