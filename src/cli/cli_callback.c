#include "cli/cli_callback.h"

#include "base/limits.h"
#include "proto/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FAMILIES = 2, CONNECTIONS_MAX = 16, BODY_BYTES = 1024, HEADER_TIMEOUT_MS = 10 * 1000 };

struct cli_callback {
	struct http_server *servers[FAMILIES]; /* 127.0.0.1, [::1] */
	bool idle[FAMILIES];
	bool half;
	struct url uri;
	char *uri_text; /* what uri views */
	const struct cli_callback_ops *ops;
	void *arg;
};

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			buf_add_lit(out, "&amp;");
			break;
		case '<':
			buf_add_lit(out, "&lt;");
			break;
		case '>':
			buf_add_lit(out, "&gt;");
			break;
		default:
			buf_add_char(out, *text);
		}
	}
}

static void build_page(const char *title, const char *text, struct buf *out)
{
	buf_add_lit(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
			 "<meta name=\"viewport\" content=\"width=device-width\"><title>");
	add_escaped(out, title);
	buf_add_lit(out, "</title><style>body{font:1.1em/1.5 system-ui,sans-serif;max-width:34em;"
			 "margin:20vh auto 0;padding:0 1em;color-scheme:light dark}"
			 "small{opacity:.6}</style></head>\n<body><h1>");
	add_escaped(out, title);
	buf_add_lit(out, "</h1><p>");
	add_escaped(out, text);
	buf_add_lit(out, "</p><p><small>codex-slot-relay</small></p></body></html>\n");
}

static void respond(struct http_stream *s, int status, struct http_header *more, struct sv body)
{
	struct http_header headers[] = {
		{SV("Cache-Control"), SV("no-store")},
		{SV("Referrer-Policy"), SV("no-referrer")},
		{SV("X-Content-Type-Options"), SV("nosniff")},
		{SV("Content-Security-Policy"),
			SV("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors "
			   "'none'")},
		more ? *more : (struct http_header){SV_NONE, SV_NONE},
	};
	struct http_response response = {
		.status = status,
		.content_type = SV("text/html; charset=utf-8"),
		.headers = headers,
		.header_count = ARRAY_LEN(headers) - (more ? 0 : 1),
		.close = true,
	};

	http_respond(s, &response, body);
}

static void send_page(struct http_stream *s, int status, struct http_header *more,
	const char *title, const char *text)
{
	struct buf page;

	buf_init(&page, KIB(16));
	build_page(title, text, &page);
	respond(s, status, more, buf_sv(&page));
	buf_fini(&page);
}

void cli_callback_page(struct http_stream *s, int status, const char *title, const char *text)
{
	send_page(s, status, NULL, title, text);
}

static void on_head(struct http_stream *s, void *arg)
{
	(void)arg;
	http_set_body_cap(s, BODY_BYTES);
}

static void on_request(struct http_stream *s, void *arg)
{
	struct cli_callback *c = arg;
	const struct http_request *r = http_stream_request(s);
	struct http_header allow = {SV("Allow"), SV("GET")};

	if (!sv_eq(r->path, c->uri.path.n ? c->uri.path : SV("/")))
		send_page(s, 404, NULL, "Not found", "Nothing but the end of a login is here.");
	else if (!sv_eq(r->method, SV("GET")))
		send_page(s, 405, &allow, "Not allowed", "Only a browser's GET is answered here.");
	else
		c->ops->on_query(c->arg, s, r->query);
}

static void on_gone(struct http_stream *s, void *arg, enum conn_end why)
{
	struct cli_callback *c = arg;

	(void)why;
	c->ops->on_gone(c->arg, s);
}

static void render_fault(
	const struct http_request *r, const struct http_fault *fault, struct buf *out, void *arg)
{
	(void)r;
	(void)arg;
	buf_addf(out, "{\"error\":\"%s\"}\n", fault->message);
}

static const struct http_handler handler = {
	.on_head = on_head,
	.on_request = on_request,
	.on_gone = on_gone,
	.render_fault = render_fault,
};

static int listen_on(struct cli_callback *c, struct loop *loop, const char *host, size_t family)
{
	char address[64];
	struct http_options options = {
		.address = address,
		.max_connections = CONNECTIONS_MAX,
		.max_body_bytes = BODY_BYTES,
		.header_timeout_ms = HEADER_TIMEOUT_MS,
	};

	snprintf(address, sizeof(address), "%s:%u", host, c->uri.port);
	return http_server_new(loop, &options, &handler, c, &c->servers[family]);
}

static bool is_this_machine(const struct url *u)
{
	return sv_eq(u->scheme, SV("http")) &&
	       (sv_eq(u->host, SV("localhost")) || sv_eq(u->host, SV("127.0.0.1")) ||
		       sv_eq(u->host, SV("::1")));
}

int cli_callback_new(struct loop *loop, const char *redirect_uri,
	const struct cli_callback_ops *ops, void *arg, struct cli_callback **ret)
{
	struct cli_callback *c = mem_zalloc(sizeof(*c));
	int err;

	c->uri_text = mem_strdup(redirect_uri);
	c->ops = ops;
	c->arg = arg;
	err = url_parse(sv_cstr(c->uri_text), &c->uri) || !is_this_machine(&c->uri) ? -ENOTSUP : 0;
	while (!err && c->uri.path.n > 1 && c->uri.path.p[c->uri.path.n - 1] == '/')
		c->uri.path.n--;
	if (!err)
		err = listen_on(c, loop, "127.0.0.1", 0);
	if (err) {
		cli_callback_free(c);
		return err;
	}
	/* A machine may have no IPv6 at all, and needs none. */
	c->half = listen_on(c, loop, "[::1]", 1) == -EADDRINUSE;
	*ret = c;
	return 0;
}

bool cli_callback_is_half(const struct cli_callback *c)
{
	return c->half;
}

static void on_idle(struct cli_callback *c, size_t family)
{
	c->idle[family] = true;
	for (size_t i = 0; i < FAMILIES; i++) {
		if (c->servers[i] && !c->idle[i])
			return;
	}
	c->ops->on_closed(c->arg);
}

static void on_idle_v4(void *arg)
{
	on_idle(arg, 0);
}

static void on_idle_v6(void *arg)
{
	on_idle(arg, 1);
}

void cli_callback_close(struct cli_callback *c)
{
	for (size_t i = 0; i < FAMILIES; i++) {
		if (!c->servers[i])
			continue;
		http_server_drain(c->servers[i]);
		http_server_on_idle(c->servers[i], i ? on_idle_v6 : on_idle_v4, c);
	}
}

void cli_callback_end(struct cli_callback *c)
{
	for (size_t i = 0; i < FAMILIES; i++) {
		http_server_free(c->servers[i]);
		c->servers[i] = NULL;
	}
}

void cli_callback_free(struct cli_callback *c)
{
	if (!c)
		return;
	free(c->uri_text);
	free(c);
}
