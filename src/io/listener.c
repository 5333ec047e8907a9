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
#include <unistd.h>
#include <uv.h>

enum { BACKLOG = 4096, KEEPALIVE_IDLE_SECONDS = 60 };

/* Counts what a listener accepted; lives as long as either of them. */
struct accept_group {
	struct listener *listener; /* NULL when freed */
	unsigned open;
	unsigned most;
	bool waiting; /* an accepted descriptor waits inside libuv, which accepts no more until it
			 is taken */
};

struct listener {
	uv_tcp_t tcp;
	struct loop *loop;
	struct accept_group *group;
	void (*on_accept)(void *arg, struct conn *c);
	void *arg;
	char address[ACCEPT_ADDRESS_BYTES];
};

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
	struct listener *l = CONTAINER_OF((uv_tcp_t *)server, struct listener, tcp);
	struct accept_group *group = l->group;
	struct conn *c;

	if (status < 0)
		return;
	if (group->open >= group->most) {
		group->waiting = true;
		return;
	}
	group->open++;
	if (conn_accept(l->loop, server, group, &c)) {
		group->open--;
		return;
	}
	l->on_accept(l->arg, c);
}

void accept_group_leave(struct accept_group *group)
{
	assert(group->open > 0);
	group->open--;
	if (!group->listener) {
		if (group->open == 0)
			free(group);
		return;
	}
	if (group->waiting) {
		group->waiting = false;
		on_connection((uv_stream_t *)&group->listener->tcp, 0);
	}
}

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

static int resolve(const char *address, struct sockaddr_storage *ret)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found;
	char host[256];
	char service[8];
	uint16_t port;
	int err = url_parse_listen(sv_cstr(address), host, sizeof(host), &port);

	if (err)
		return err;
	if (!host[0]) {
		resolve_any(port, ret);
		return 0;
	}
	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &found))
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
	int err = uv_fileno((uv_handle_t *)&l->tcp, &fd);

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

static int start(struct listener *l, const struct sockaddr_storage *address, bool reuse_port)
{
	struct sockaddr_storage bound;
	int n = sizeof(bound);
	int err = set_options(l, reuse_port);

	if (!err)
		err = uv_tcp_bind(&l->tcp, (const struct sockaddr *)address, 0);
	if (!err)
		err = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
	if (!err)
		err = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&bound, &n);
	if (!err)
		accept_format_address(&bound, l->address);
	return err;
}

int listener_new(struct loop *loop, const char *address, bool reuse_port, unsigned max_connections,
	void (*on_accept)(void *arg, struct conn *c), void *arg, struct listener **ret)
{
	struct sockaddr_storage parsed = {0};
	struct listener *l;
	int err = resolve(address, &parsed);

	if (err)
		return err;
	l = mem_zalloc(sizeof(*l));
	l->loop = loop;
	l->on_accept = on_accept;
	l->arg = arg;
	err = uv_tcp_init_ex(loop_uv(loop), &l->tcp, parsed.ss_family);
	if (err) {
		free(l);
		return err;
	}
	l->group = mem_zalloc(sizeof(*l->group));
	l->group->listener = l;
	l->group->most = max_connections ? max_connections : LIMIT_CONNECTIONS_COUNT;
	err = start(l, &parsed, reuse_port);
	if (err) {
		listener_free(l);
		return err;
	}
	*ret = l;
	return 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
	free(CONTAINER_OF((uv_tcp_t *)handle, struct listener, tcp));
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	l->group->listener = NULL;
	if (l->group->open == 0)
		free(l->group);
	uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
}

const char *listener_address(const struct listener *l)
{
	return l->address;
}
