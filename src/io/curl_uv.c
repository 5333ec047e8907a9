#include "io/curl_uv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

/* A socket that libcurl uses. Freed in its uv close callback. */
struct watch {
	uv_poll_t uv;
	struct curl_uv *owner;
	int fd;
	int wanted;  /* UV_READABLE, UV_WRITABLE: what libcurl waits for */
	int armed;   /* what libuv watches; may hold UV_READABLE more than wanted */
	bool ours;   /* opened by on_socket_open(): lives as long as its socket */
	ino_t inode; /* of that socket */
};

struct curl_uv {
	struct loop *loop;
	CURLM *multi;
	void (*on_done)(void *arg, CURL *easy, CURLcode code);
	void *arg;
	struct watch **by_fd; /* indexed by descriptor */
	size_t by_fd_size;
	struct timer timer;
	struct deferred kick;
	bool due;  /* libcurl asked for a timeout of 0 */
	bool busy; /* libcurl is on the stack */
};

static void on_poll(uv_poll_t *uv, int status, int events);

/* Watches. */

static struct watch *watch_find(const struct curl_uv *g, int fd)
{
	return fd >= 0 && (size_t)fd < g->by_fd_size ? g->by_fd[fd] : NULL;
}

static void by_fd_grow(struct curl_uv *g, size_t fd)
{
	size_t size = g->by_fd_size ? g->by_fd_size : 64;

	while (size <= fd)
		size *= 2;
	if (size == g->by_fd_size)
		return;
	g->by_fd = mem_realloc(g->by_fd, size * sizeof(*g->by_fd));
	memset(g->by_fd + g->by_fd_size, 0, (size - g->by_fd_size) * sizeof(*g->by_fd));
	g->by_fd_size = size;
}

/* Of the open file behind a descriptor; 0 when it is closed. */
static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static struct watch *watch_new(struct curl_uv *g, int fd, bool ours)
{
	struct watch *w = mem_zalloc(sizeof(*w));

	assert(!watch_find(g, fd));
	if (uv_poll_init(loop_uv(g->loop), &w->uv, fd) != 0) {
		free(w);
		return NULL;
	}
	w->uv.data = w;
	w->owner = g;
	w->fd = fd;
	w->ours = ours;
	w->inode = inode_of(fd);
	by_fd_grow(g, (size_t)fd);
	g->by_fd[fd] = w;
	return w;
}

static void on_watch_closed(uv_handle_t *uv)
{
	free(uv->data);
}

/* Before the descriptor is closed, or epoll would keep it. */
static void watch_close(struct watch *w)
{
	w->owner->by_fd[w->fd] = NULL;
	uv_close((uv_handle_t *)&w->uv, on_watch_closed);
}

static void watch_arm(struct watch *w, int events)
{
	int err = events ? uv_poll_start(&w->uv, events, on_poll) : uv_poll_stop(&w->uv);

	assert(err == 0);
	(void)err;
	w->armed = events;
}

static void watch_want(struct watch *w, int events)
{
	int keep = events | (w->armed & UV_READABLE);

	w->wanted = events;
	/* Surplus readability is left armed until it fires: mostly the next request wants it again.
	 * Surplus writability would fire at once. */
	if (w->armed != keep)
		watch_arm(w, keep);
	if (events)
		uv_ref((uv_handle_t *)&w->uv);
	else
		uv_unref((uv_handle_t *)&w->uv);
}

/* Driving libcurl. */

static void collect(struct curl_uv *g)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(g->multi, &left))) {
		if (message->msg == CURLMSG_DONE)
			g->on_done(g->arg, message->easy_handle, message->data.result);
	}
}

static void act(struct curl_uv *g, curl_socket_t fd, int bits)
{
	int running;
	CURLMcode code;

	g->busy = true;
	code = curl_multi_socket_action(g->multi, fd, bits, &running);
	g->busy = false;
	assert(code == CURLM_OK);
	(void)code;
	collect(g);
	if (g->due)
		loop_defer(g->loop, &g->kick);
}

void curl_uv_run_due(struct curl_uv *g)
{
	if (!g->due)
		return;
	g->due = false;
	act(g, CURL_SOCKET_TIMEOUT, 0);
}

static void on_kick(struct deferred *d)
{
	curl_uv_run_due(CONTAINER_OF(d, struct curl_uv, kick));
}

static void on_timeout(struct timer *t)
{
	act(CONTAINER_OF(t, struct curl_uv, timer), CURL_SOCKET_TIMEOUT, 0);
}

static void on_poll(uv_poll_t *uv, int status, int events)
{
	struct watch *w = uv->data;
	struct curl_uv *g = w->owner;
	int fd = w->fd;
	int bits;

	if (status < 0) {
		/* libuv has stopped the handle. libcurl finds the error by itself when it reads;
		 * told CURL_CSELECT_ERR it would not even look. */
		w->armed = 0;
		events = w->wanted;
	} else if (events & ~w->wanted) {
		watch_arm(w, w->wanted);
		events &= w->wanted;
	}
	bits = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
	       (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
	if (!bits)
		return;
	act(g, fd, bits);
	/* A closed w is not freed before its close callback, so it cannot be taken for another. */
	if (watch_find(g, fd) == w && (w->wanted & ~w->armed))
		watch_arm(w, w->wanted);
}

/* libcurl's callbacks. */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct curl_uv *g = arg;
	struct watch *w = watch_find(g, fd);

	(void)easy;
	(void)socket_arg;
	if (what == CURL_POLL_REMOVE) {
		/*
		 * libcurl 7.88 closes a socket that is still connecting (cancelled, or the loser of
		 * a race of addresses) without its close callback: this call is all that is heard.
		 */
		if (w && w->ours && w->inode == inode_of(fd))
			watch_want(w, 0);
		else if (w)
			watch_close(w);
		return 0;
	}
	/* Not opened by us: the resolver thread's wake-up socket. */
	if (!w)
		w = watch_new(g, fd, false);
	if (!w)
		return -1;
	watch_want(w,
		(what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0));
	return 0;
}

static int on_timer(CURLM *multi, long delay_ms, void *arg)
{
	struct curl_uv *g = arg;

	(void)multi;
	g->due = delay_ms == 0;
	if (delay_ms > 0) {
		timer_start(&g->timer, delay_ms);
		return 0;
	}
	timer_stop(&g->timer);
	if (g->due)
		loop_defer(g->loop, &g->kick);
	return 0;
}

static curl_socket_t on_socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct curl_uv *g = arg;
	int type = address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int fd = socket(address->family, type, address->protocol);

	(void)purpose;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (!watch_new(g, fd, true)) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	return fd;
}

static int on_socket_close(void *arg, curl_socket_t fd)
{
	struct curl_uv *g = arg;
	struct watch *w = watch_find(g, fd);

	if (w)
		watch_close(w);
	return close(fd);
}

/* Life. */

struct curl_uv *curl_uv_new(
	struct loop *loop, void (*on_done)(void *arg, CURL *easy, CURLcode code), void *arg)
{
	struct curl_uv *g = mem_zalloc(sizeof(*g));

	g->loop = loop;
	g->on_done = on_done;
	g->arg = arg;
	g->kick.fn = on_kick;
	timer_init(&g->timer, loop, on_timeout);
	g->multi = curl_multi_init();
	assert(g->multi);
	curl_multi_setopt(g->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(g->multi, CURLMOPT_SOCKETDATA, g);
	curl_multi_setopt(g->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(g->multi, CURLMOPT_TIMERDATA, g);
	return g;
}

void curl_uv_free(struct curl_uv *g)
{
	if (!g)
		return;
	curl_multi_cleanup(g->multi);
	for (size_t fd = 0; fd < g->by_fd_size; fd++) {
		if (g->by_fd[fd])
			watch_close(g->by_fd[fd]);
	}
	timer_stop(&g->timer);
	loop_undefer(&g->kick);
	free(g->by_fd);
	free(g);
}

void curl_uv_prepare(struct curl_uv *g, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, g);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_socket_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, g);
}

void curl_uv_limit(struct curl_uv *g, long per_host, long cached)
{
	curl_multi_setopt(g->multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_host);
	curl_multi_setopt(g->multi, CURLMOPT_MAXCONNECTS, cached);
}

CURLMcode curl_uv_add(struct curl_uv *g, CURL *easy)
{
	return curl_multi_add_handle(g->multi, easy);
}

CURLcode curl_uv_unpause(struct curl_uv *g, CURL *easy)
{
	CURLcode code;

	g->busy = true;
	code = curl_easy_pause(easy, CURLPAUSE_CONT);
	g->busy = false;
	return code;
}

bool curl_uv_is_busy(const struct curl_uv *g)
{
	return g->busy;
}

void curl_uv_remove(struct curl_uv *g, CURL *easy)
{
	CURLMcode code = curl_multi_remove_handle(g->multi, easy);

	assert(code == CURLM_OK);
	(void)code;
}
