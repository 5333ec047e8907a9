#include "io/line_input.h"

#include "base/buf.h"
#include "base/secret.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

enum { READ_BYTES = 4096 };

struct line_input {
	/* Terminals, pipes and sockets are watched through a descriptor of our own, because libuv
	 * makes what it polls non-blocking. */
	uv_poll_t uv;
	int watcher; /* -1: a file, which is always readable and knows no polling */
	struct deferred read;
	bool freed, busy;
	bool skipping; /* the rest of a line that is too long */
	struct loop *loop;
	int fd;
	struct buf line;
	const struct line_input_ops *ops;
	void *arg;
};

static void stop(struct line_input *in)
{
	loop_undefer(&in->read);
	if (in->watcher >= 0)
		uv_poll_stop(&in->uv);
}

static void end_line(struct line_input *in)
{
	struct sv line = in->skipping ? SV_NONE : buf_sv(&in->line);

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	/* An empty line is one too, and not one that was too long. */
	if (!in->skipping && !line.p)
		line = sv_make("", 0);
	in->skipping = false;
	in->ops->on_line(in->arg, line);
	secret_wipe(in->line.data, in->line.len);
	buf_truncate(&in->line, 0);
}

static void add(struct line_input *in, struct sv bytes)
{
	if (in->skipping || !bytes.n)
		return;
	if (bytes.n > in->line.cap - in->line.len) {
		in->skipping = true;
		secret_wipe(in->line.data, in->line.len);
		buf_truncate(&in->line, 0);
		return;
	}
	buf_add_sv(&in->line, bytes);
}

static void take(struct line_input *in, struct sv bytes)
{
	while (bytes.n && !in->freed) {
		const char *end = memchr(bytes.p, '\n', bytes.n);
		size_t n = end ? (size_t)(end - bytes.p) : bytes.n;

		add(in, sv_make(bytes.p, n));
		bytes = sv_from(bytes, end ? n + 1 : n);
		if (end)
			end_line(in);
	}
}

static void finish(struct line_input *in)
{
	stop(in);
	if (in->line.len || in->skipping)
		end_line(in);
	if (!in->freed)
		in->ops->on_end(in->arg);
}

static void on_closed(uv_handle_t *handle)
{
	struct line_input *in = CONTAINER_OF((uv_poll_t *)handle, struct line_input, uv);

	close(in->watcher);
	free(in);
}

static void destroy(struct line_input *in)
{
	stop(in);
	secret_wipe(in->line.data, in->line.len);
	buf_fini(&in->line);
	if (in->watcher >= 0)
		uv_close((uv_handle_t *)&in->uv, on_closed);
	else
		free(in);
}

/* Is a read sure not to block? Another reader may have been faster. */
static bool is_ready(const struct line_input *in)
{
	struct pollfd p = {.fd = in->fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static void read_some(struct line_input *in)
{
	char bytes[READ_BYTES];
	ssize_t n;

	if (!is_ready(in))
		return;
	n = read(in->fd, bytes, sizeof(bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	in->busy = true;
	if (n > 0)
		take(in, sv_make(bytes, (size_t)n));
	else
		finish(in);
	secret_wipe(bytes, n > 0 ? (size_t)n : 0);
	in->busy = false;
	if (in->freed)
		destroy(in);
	else if (in->watcher < 0 && n > 0)
		loop_defer(in->loop, &in->read);
}

static void on_readable(uv_poll_t *uv, int status, int events)
{
	struct line_input *in = CONTAINER_OF(uv, struct line_input, uv);

	(void)status;
	(void)events;
	read_some(in);
}

static void on_deferred(struct deferred *d)
{
	read_some(CONTAINER_OF(d, struct line_input, read));
}

/* -1 when fd cannot be watched. */
static int new_watcher(int fd)
{
	struct epoll_event interest = {.events = EPOLLIN};
	int watcher = epoll_create1(EPOLL_CLOEXEC);

	if (watcher < 0 || epoll_ctl(watcher, EPOLL_CTL_ADD, fd, &interest) == 0)
		return watcher;
	close(watcher);
	return -1;
}

static int start_polling(struct line_input *in)
{
	int err = uv_poll_init(loop_uv(in->loop), &in->uv, in->watcher);

	if (err) {
		close(in->watcher);
		in->watcher = -1;
		return err;
	}
	return uv_poll_start(&in->uv, UV_READABLE, on_readable);
}

int line_input_new(struct loop *loop, int fd, size_t cap, const struct line_input_ops *ops,
	void *arg, struct line_input **ret)
{
	struct line_input *in = mem_zalloc(sizeof(*in));
	int err = 0;

	in->loop = loop;
	in->fd = fd;
	in->ops = ops;
	in->arg = arg;
	in->read.fn = on_deferred;
	buf_init(&in->line, cap);
	in->watcher = new_watcher(fd);
	if (in->watcher < 0)
		loop_defer(loop, &in->read);
	else
		err = start_polling(in);
	if (err) {
		line_input_free(in);
		return err;
	}
	*ret = in;
	return 0;
}

void line_input_free(struct line_input *in)
{
	if (!in || in->freed)
		return;
	stop(in);
	in->freed = true;
	if (!in->busy)
		destroy(in);
}
