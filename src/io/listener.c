#include "base/limits.h"
#include "io/conn_accept.h"
#include "proto/url.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

enum { BACKLOG = 4096, KEEPALIVE_IDLE_SECONDS = 60 };

struct accept_group {
	unsigned refs;
	unsigned open;
	unsigned most;
	struct listener *listeners; /* that may wait for room */
};

struct listener {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	struct loop *loop;
	struct accept_how how;
	void (*on_accept)(void *arg, struct conn *c);
	void *arg;
	bool waiting; /* an accepted descriptor waits inside libuv, which accepts no more until it
			 is taken */
	struct listener *next, **prev; /* of the group */
	char *address;
	char path[LISTEN_PATH_SIZE]; /* of a Unix socket */
	dev_t device;		     /* of its file */
	ino_t inode;
};

struct accept_group *accept_group_new(unsigned most)
{
	struct accept_group *group = mem_zalloc(sizeof(*group));

	group->refs = 1;
	group->most = most;
	return group;
}

void accept_group_unref(struct accept_group *group)
{
	assert(group->refs > 0);
	if (--group->refs == 0)
		free(group);
}

void accept_format_address(const struct sockaddr_storage *address, char out[ACCEPT_ADDRESS_BYTES])
{
	char host[INET6_ADDRSTRLEN] = "";

	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
		bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);

		if (mapped)
			inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, host, sizeof(host));
		else
			inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(out, ACCEPT_ADDRESS_BYTES, "%s%s%s:%u", mapped ? "" : "[", host,
			mapped ? "" : "]", ntohs(in6->sin6_port));
	} else {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(out, ACCEPT_ADDRESS_BYTES, "%s:%u", host, ntohs(in->sin_port));
	}
}

/* Called for each connection; libuv batches the accepts and, when descriptors run out, answers with
 * a spare one and closes, so that the queue does not fill up with connections nobody looks at. */
static void on_connection(uv_stream_t *server, int status)
{
	struct listener *l = CONTAINER_OF(server, struct listener, uv.stream);
	struct accept_group *group = l->how.group;
	struct conn *c;

	if (status < 0)
		return;
	if (group->open >= group->most) {
		l->waiting = true;
		return;
	}
	if (conn_accept(l->loop, server, &l->how, &c))
		return;
	group->open++;
	group->refs++;
	l->on_accept(l->arg, c);
}

static void unlist(struct listener *l)
{
	*l->prev = l->next;
	if (l->next)
		l->next->prev = l->prev;
}

static void list(struct listener *l)
{
	struct listener **end = &l->how.group->listeners;

	while (*end)
		end = &(*end)->next;
	l->prev = end;
	l->next = NULL;
	*end = l;
}

/* Those that wait take turns: whoever got the room goes to the end. */
static void offer_room(struct accept_group *group)
{
	for (struct listener *l = group->listeners; l; l = l->next) {
		if (!l->waiting)
			continue;
		l->waiting = false;
		unlist(l);
		list(l);
		on_connection(&l->uv.stream, 0);
		return;
	}
}

void accept_group_leave(struct accept_group *group)
{
	assert(group->open > 0);
	group->open--;
	offer_room(group);
	accept_group_unref(group);
}

/* --- TCP --- */

/* All addresses: an IPv6 socket takes both kinds, where there is IPv6 at all. */
static void resolve_any(uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		memcpy(ret, &in, sizeof(in));
		return;
	}
	close(fd);
	memcpy(ret, &in6, sizeof(in6));
}

static int resolve(const struct listen_address *at, struct sockaddr_storage *ret)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found;
	char service[8];

	if (!at->host[0]) {
		resolve_any(at->port, ret);
		return 0;
	}
	snprintf(service, sizeof(service), "%u", at->port);
	if (getaddrinfo(at->host, service, &hints, &found))
		return -EADDRNOTAVAIL;
	memcpy(ret, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

/* Accepted sockets inherit these (Linux), which saves system calls for each of them. */
static int set_options(struct listener *l, bool reuse_port)
{
	int on = 1;
	int idle = KEEPALIVE_IDLE_SECONDS;
	uv_os_fd_t fd;
	int err = uv_fileno(&l->uv.handle, &fd);

	if (err)
		return err;
	if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)))
		return -errno;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) ||
		setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)))
		return -errno;
	return 0;
}

static int start_tcp(struct listener *l, const struct listen_address *at, bool reuse_port)
{
	struct sockaddr_storage bound = {0};
	char text[ACCEPT_ADDRESS_BYTES];
	struct buf address;
	int n = sizeof(bound);
	int err = resolve(at, &bound);

	if (!err)
		err = uv_tcp_init_ex(loop_uv(l->loop), &l->uv.tcp, bound.ss_family);
	if (err)
		return err;
	err = set_options(l, reuse_port);
	if (!err)
		err = uv_tcp_bind(&l->uv.tcp, (const struct sockaddr *)&bound, 0);
	if (!err)
		err = uv_listen(&l->uv.stream, BACKLOG, on_connection);
	if (!err)
		err = uv_tcp_getsockname(&l->uv.tcp, (struct sockaddr *)&bound, &n);
	if (err)
		return err;
	accept_format_address(&bound, text);
	buf_init(&address, KIB(1));
	buf_addf(&address, "%s%s", at->kind == LISTEN_TLS ? "tls://" : "", text);
	l->address = mem_strdup(buf_cstr(&address));
	buf_fini(&address);
	return 0;
}

/* --- Unix sockets --- */

static struct sockaddr_un unix_address(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

/* Does somebody listen there? A queue that is full counts, too. */
static bool is_alive(const char *path)
{
	struct sockaddr_un address = unix_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0)
		return true; /* not known */
	alive = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
		errno != ECONNREFUSED;
	close(fd);
	return alive;
}

/* What a relay left that was killed. */
static int remove_stale(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	if (is_alive(path))
		return -EADDRINUSE;
	return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

/* Never open to others, not even for a moment. */
static int bind_private(int fd, const char *path)
{
	struct sockaddr_un address = unix_address(path);
	mode_t mask = umask(0177);
	int err = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;

	umask(mask);
	return err;
}

static int open_unix(struct listener *l, const char *path)
{
	int fd, err = remove_stale(path);
	struct stat st;

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = bind_private(fd, path);
	if (!err && lstat(path, &st) == 0) {
		snprintf(l->path, sizeof(l->path), "%s", path);
		l->device = st.st_dev;
		l->inode = st.st_ino;
	}
	if (!err)
		err = uv_pipe_open(&l->uv.pipe, fd);
	if (err)
		close(fd);
	return err;
}

static int start_unix(struct listener *l, const char *path)
{
	struct buf address;
	int err;

	l->how.is_pipe = true;
	err = uv_pipe_init(loop_uv(l->loop), &l->uv.pipe, 0);
	if (!err)
		err = open_unix(l, path);
	if (!err)
		err = uv_listen(&l->uv.stream, BACKLOG, on_connection);
	if (err)
		return err;
	buf_init(&address, KIB(1));
	buf_addf(&address, "unix:%s", path);
	l->address = mem_strdup(buf_cstr(&address));
	buf_fini(&address);
	return 0;
}

/* Another relay may have its own there by now. */
static void remove_socket(const struct listener *l)
{
	struct stat st;

	if (l->path[0] && lstat(l->path, &st) == 0 && st.st_dev == l->device &&
		st.st_ino == l->inode)
		unlink(l->path);
}

/* --- all --- */

static void destroy(struct listener *l)
{
	accept_group_unref(l->how.group);
	free(l->address);
	free(l);
}

int listener_new(struct loop *loop, const struct listener_options *options,
	void (*on_accept)(void *arg, struct conn *c), void *arg, struct listener **ret)
{
	struct listen_address at;
	struct listener *l;
	int err = url_parse_listener(sv_cstr(options->address), &at);

	if (err)
		return err;
	assert(options->tls || at.kind != LISTEN_TLS);
	l = mem_zalloc(sizeof(*l));
	l->loop = loop;
	l->on_accept = on_accept;
	l->arg = arg;
	l->how.group = options->group;
	l->how.tls = at.kind == LISTEN_TLS ? options->tls : NULL;
	options->group->refs++;
	list(l);
	err = at.kind == LISTEN_UNIX ? start_unix(l, at.path)
				     : start_tcp(l, &at, options->reuse_port);
	if (err) {
		listener_free(l);
		return err;
	}
	*ret = l;
	return 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
	destroy(CONTAINER_OF(handle, struct listener, uv.handle));
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	unlist(l);
	remove_socket(l);
	if (l->uv.handle.type == UV_UNKNOWN_HANDLE)
		destroy(l); /* it never began */
	else
		uv_close(&l->uv.handle, on_listener_closed);
}

const char *listener_address(const struct listener *l)
{
	return l->address;
}
