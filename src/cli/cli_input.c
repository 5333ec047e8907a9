#include "cli/cli_input.h"

#include <errno.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* False when there is nothing to give back. */
static bool stop_echo(struct termios *ret_before)
{
	struct termios silent;

	if (tcgetattr(STDIN_FILENO, ret_before) != 0)
		return false;
	silent = *ret_before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	return tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
}

static int read_all(struct buf *out, bool one_line)
{
	char piece[512];
	ssize_t got;

	do {
		got = read(STDIN_FILENO, piece, sizeof(piece));
		if (got > 0)
			buf_add(out, piece, (size_t)got);
		secret_wipe(piece, sizeof(piece));
	} while ((got > 0 && !(one_line && out->len && out->data[out->len - 1] == '\n') &&
			 !buf_error(out)) ||
		 (got < 0 && errno == EINTR));
	return got < 0 ? -errno : buf_error(out);
}

int cli_input_read(const struct cli_context *ctx, const char *name, bool hidden, struct buf *out)
{
	bool terminal = isatty(STDIN_FILENO);
	struct termios before;
	bool silent = false;
	int err;

	if (terminal) {
		/* Before the question: what is typed at once must not be seen nor lost. */
		silent = hidden && stop_echo(&before);
		fprintf(stderr, "%s: ", name);
	}
	err = read_all(out, terminal);
	if (silent) {
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
		fputc('\n', stderr);
	}
	if (err)
		return cli_fail(ctx, CLI_FAILED, "standard input: %s",
			err == -ENOBUFS ? "too much" : strerror(-err));
	while (out->len && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r'))
		buf_truncate(out, out->len - 1);
	return CLI_OK;
}
