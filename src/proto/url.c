#include "proto/url.h"

#include <arpa/inet.h>
#include <errno.h>

enum { MAX_HOST_BYTES = 253 };

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_ipv6(struct sv host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return strlen(text) == host.n && inet_pton(AF_INET6, text, &address) == 1;
}

/* A DNS name (also with '_', which local resolvers know) or an IPv4 address. */
static bool is_host_name(struct sv host)
{
	if (host.n == 0 || host.n > MAX_HOST_BYTES || host.p[0] == '.' || host.p[0] == '-')
		return false;
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if (!is_alnum(c) && c != '-' && c != '_' && c != '.')
			return false;
		if (c == '.' && i + 1 < host.n && host.p[i + 1] == '.')
			return false;
	}
	return true;
}

static int parse_port(struct sv text, uint64_t least, uint16_t *ret)
{
	uint64_t port;

	if (text.n > 5 || sv_u64(text, &port) != 0 || port < least || port > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

/* "host", "host:port", "[v6]" or "[v6]:port"; *ret_port is left alone when there is no port. */
static int parse_authority(
	struct sv text, uint64_t least_port, struct sv *ret_host, uint16_t *ret_port)
{
	struct sv host = text;
	struct sv rest;
	bool bracketed = text.n && text.p[0] == '[';

	if (bracketed) {
		rest = sv_from(text, 1);
		host = sv_split(&rest, ']');
		if (host.n + 2 > text.n || !is_ipv6(host))
			return -EINVAL;
	} else {
		const char *colon = text.n ? memchr(text.p, ':', text.n) : NULL;

		host.n = colon ? (size_t)(colon - text.p) : text.n;
		rest = sv_from(text, host.n);
		if (!is_host_name(host))
			return -EINVAL;
	}
	if (rest.n && (rest.p[0] != ':' || parse_port(sv_from(rest, 1), least_port, ret_port)))
		return -EINVAL;
	*ret_host = host;
	return 0;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What RFC 3986 allows in a path and a query, escapes included. */
static bool is_path_and_query(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '%') {
			if (i + 2 >= text.n || !is_hex(text.p[i + 1]) || !is_hex(text.p[i + 2]))
				return false;
			i += 2;
		} else if (!is_alnum(c) && (c == '\0' || !strchr("-._~!$&'()*+,;=:@/?", c))) {
			return false;
		}
	}
	return true;
}

static size_t span_until(struct sv text, const char *stop)
{
	size_t n = 0;

	while (n < text.n && (text.p[n] == '\0' || !strchr(stop, text.p[n])))
		n++;
	return n;
}

int url_parse(struct sv text, struct url *ret)
{
	struct url u = {.port = 443};
	struct sv rest;
	size_t authority;

	if (sv_starts(text, SV("https://"))) {
		u.scheme = sv_make(text.p, 5);
	} else if (sv_starts(text, SV("http://"))) {
		u.scheme = sv_make(text.p, 4);
		u.port = 80;
	} else {
		return -EINVAL;
	}
	rest = sv_from(text, u.scheme.n + 3);
	authority = span_until(rest, "/?#");
	if (parse_authority(sv_make(rest.p, authority), 1, &u.host, &u.port))
		return -EINVAL;
	rest = sv_from(rest, authority);
	if (!is_path_and_query(rest))
		return -EINVAL;
	u.path = sv_make(rest.p, span_until(rest, "?"));
	*ret = u;
	return 0;
}

int url_parse_listen(struct sv text, char *host, size_t host_size, uint16_t *ret_port)
{
	struct sv name = SV("127.0.0.1");
	uint16_t port = 0;
	bool has_colon = text.n && memchr(text.p, ':', text.n);

	if (text.n && text.p[0] == ':') {
		name = SV_NONE;
		if (parse_port(sv_from(text, 1), 0, &port))
			return -EINVAL;
	} else if (!has_colon) {
		if (parse_port(text, 0, &port))
			return -EINVAL;
	} else if (parse_authority(text, 0, &name, &port) || text.p[text.n - 1] == ']') {
		return -EINVAL;
	}
	if (name.n >= host_size)
		return -EINVAL;
	if (name.n)
		memcpy(host, name.p, name.n);
	host[name.n] = '\0';
	*ret_port = port;
	return 0;
}

static int parse_unix(struct sv path, struct listen_address *ret)
{
	for (size_t i = 0; i < path.n; i++) {
		if ((unsigned char)path.p[i] < ' ' || path.p[i] == 0x7f)
			return -EINVAL;
	}
	if (!path.n || path.p[path.n - 1] == '/')
		return -EINVAL;
	if (path.n >= sizeof(ret->path))
		return -ENAMETOOLONG;
	ret->kind = LISTEN_UNIX;
	memcpy(ret->path, path.p, path.n);
	ret->path[path.n] = '\0';
	return 0;
}

int url_parse_listener(struct sv text, struct listen_address *ret)
{
	static const struct sv tls = SV("tls://"), socket_file = SV("unix:");
	struct listen_address parsed = {.kind = LISTEN_TCP};
	int err;

	if (sv_starts(text, socket_file)) {
		err = parse_unix(sv_from(text, socket_file.n), &parsed);
	} else {
		if (sv_starts(text, tls)) {
			parsed.kind = LISTEN_TLS;
			text = sv_from(text, tls.n);
		}
		err = url_parse_listen(text, parsed.host, sizeof(parsed.host), &parsed.port);
	}
	if (!err)
		*ret = parsed;
	return err;
}

static void strip_slashes(struct sv *path)
{
	while (path->n && path->p[path->n - 1] == '/')
		path->n--;
}

int url_backend_base(struct sv text, struct buf *out)
{
	struct url u;
	struct sv base;

	if (url_parse(text, &u))
		return -EINVAL;
	/* With a query it is the URL of one request, not a base. */
	if (u.path.p + u.path.n != text.p + text.n)
		return -EINVAL;
	strip_slashes(&u.path);
	if (sv_ends(u.path, SV("/codex/responses")))
		u.path.n -= strlen("/responses");
	if (sv_ends(u.path, SV("/codex")))
		u.path.n -= strlen("/codex");
	strip_slashes(&u.path);
	base = sv_make(text.p, (size_t)(u.path.p - text.p) + u.path.n);
	buf_add_sv(out, base);
	return buf_error(out);
}

static int hex_value(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

int url_unescape(struct sv text, struct buf *out)
{
	size_t before = out->len;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			if (i + 2 >= text.n || !is_hex(text.p[i + 1]) || !is_hex(text.p[i + 2])) {
				buf_truncate(out, before);
				return -EBADMSG;
			}
			c = (char)(hex_value(text.p[i + 1]) << 4 | hex_value(text.p[i + 2]));
			i += 2;
		}
		buf_add_char(out, c);
	}
	return buf_error(out);
}

void url_escape(struct sv text, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};

		if (is_alnum((char)c) || c == '-' || c == '.' || c == '_' || c == '~')
			buf_add_char(out, (char)c);
		else
			buf_add(out, escaped, sizeof(escaped));
	}
}

struct sv url_query_get(struct sv query, struct sv key)
{
	while (query.n) {
		struct sv value = sv_split(&query, '&');
		struct sv name = sv_split(&value, '=');

		if (sv_eq(name, key))
			return value.p ? value : sv_make(name.p + name.n, 0);
	}
	return SV_NONE;
}
