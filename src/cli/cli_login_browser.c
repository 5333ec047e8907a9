/* Login in a browser (PKCE): the code comes to the callback's page or is pasted, what is first. */
#include "base/limits.h"
#include "cli/cli_browser.h"
#include "cli/cli_callback.h"
#include "cli/cli_login.h"
#include "io/line_input.h"
#include "proto/url.h"
#include "slots/oauth_paste.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { PASTE_BYTES = KIB(16), PASTES_MAX = 5, URL_BYTES = 8192 };

struct browser {
	struct oauth_login oauth;
	struct cli_callback *callback; /* NULL: pastes only */
	struct http_stream *held;      /* the browser waits for how it ends */
	struct line_input *input;      /* NULL: nothing can be pasted (any more) */
	bool on_terminal;	       /* a person can paste once more */
	int bad_pastes;
};

static struct browser *data_of(const struct cli_login *l)
{
	return l->way_data;
}

static void stop_input(struct browser *b)
{
	line_input_free(b->input);
	b->input = NULL;
}

static void take_code(struct cli_login *l, const struct oauth_paste *p)
{
	struct browser *b = data_of(l);

	stop_input(b);
	fprintf(l->out, "The code is here; asking for the tokens.\n");
	fflush(l->out);
	cli_login_exchange(l, secret_expose(&p->code), sv_cstr(l->conf->auth_redirect_uri),
		sv_cstr(b->oauth.verifier));
}

static void fail_by_issuer(struct cli_login *l, const struct oauth_paste *p)
{
	if (p->error[0])
		cli_login_fail(l, "%s (%s)", p->message, p->error);
	else
		cli_login_fail(l, "%s", p->message);
}

/* Pastes. */

static void refuse_paste(struct cli_login *l, const char *message)
{
	struct browser *b = data_of(l);

	if (!b->on_terminal || ++b->bad_pastes >= PASTES_MAX) {
		cli_login_fail(l, "what was pasted cannot be used: %s", message);
		return;
	}
	fprintf(l->out, "That cannot be used: %s. Paste the address of the browser's last page.\n",
		message);
	fflush(l->out);
}

static void on_line(void *arg, struct sv line)
{
	struct cli_login *l = arg;
	struct oauth_paste p;

	if (l->state != CLI_LOGIN_GETTING_CODE)
		return;
	if (!line.p) {
		refuse_paste(l, "it is too long");
		return;
	}
	oauth_paste_read(line, data_of(l)->oauth.state, &p);
	switch (p.kind) {
	case OAUTH_PASTE_CODE:
		take_code(l, &p);
		break;
	case OAUTH_PASTE_EMPTY:
		break;
	case OAUTH_PASTE_DENIED:
	case OAUTH_PASTE_ERROR:
		fail_by_issuer(l, &p);
		break;
	case OAUTH_PASTE_WRONG_STATE:
	case OAUTH_PASTE_UNUSABLE:
		refuse_paste(l, p.message);
		break;
	}
	oauth_paste_fini(&p);
}

static void on_input_end(void *arg)
{
	struct cli_login *l = arg;
	struct browser *b = data_of(l);

	if (l->state != CLI_LOGIN_GETTING_CODE)
		return;
	stop_input(b);
	if (b->on_terminal)
		cli_login_fail(l, "the login was given up at the terminal");
	else if (!b->callback)
		cli_login_fail(l, "the browser's last page cannot come here, and standard input "
				  "ended before it was pasted");
}

static const struct line_input_ops input_ops = {on_line, on_input_end};

/* The callback. */

static void on_query(void *arg, struct http_stream *s, struct sv query)
{
	struct cli_login *l = arg;
	struct browser *b = data_of(l);
	struct oauth_paste p;

	if (l->state != CLI_LOGIN_GETTING_CODE) {
		cli_callback_page(s, 409, "Too late", "This login is being finished already.");
		return;
	}
	oauth_paste_read_callback(query, b->oauth.state, &p);
	switch (p.kind) {
	case OAUTH_PASTE_CODE:
		b->held = s;
		take_code(l, &p);
		break;
	case OAUTH_PASTE_DENIED:
	case OAUTH_PASTE_ERROR:
		b->held = s;
		fail_by_issuer(l, &p);
		break;
	default:
		cli_callback_page(s, 400, "Not this login",
			"This page belongs to another login, or is incomplete. Open the address "
			"that the terminal shows.");
		fprintf(l->out, "A page was refused that came to the callback: %s.\n", p.message);
		fflush(l->out);
		break;
	}
	oauth_paste_fini(&p);
}

static void on_gone(void *arg, struct http_stream *s)
{
	struct browser *b = data_of(arg);

	if (b->held == s)
		b->held = NULL;
}

static void on_callback_closed(void *arg)
{
	struct cli_login *l = arg;

	l->way->close(l);
	cli_login_closed(l);
}

static const struct cli_callback_ops callback_ops = {on_query, on_gone, on_callback_closed};

/* Start and end. */

/* CLI_OK also without a callback: then pastes are all there is. */
static void listen_for_callback(struct cli_login *l)
{
	const char *uri = l->conf->auth_redirect_uri;
	struct browser *b = data_of(l);
	struct url u = {.port = 0};
	int err = cli_callback_new(l->loop, uri, &callback_ops, l, &b->callback);

	if (url_parse(sv_cstr(uri), &u))
		u.port = 0;
	if (err == -EADDRINUSE)
		cli_warn(l->ctx,
			"port %u is in use by another program, so the browser's last page cannot "
			"come here: paste its address instead",
			u.port);
	else if (err == -ENOTSUP)
		cli_warn(l->ctx, "auth.redirectUri does not lead to this machine: paste the "
				 "address of the browser's last page");
	else if (err)
		cli_warn(l->ctx, "port %u: %s: paste the address of the browser's last page",
			u.port, strerror(-err));
	else if (cli_callback_is_half(b->callback))
		cli_warn(l->ctx,
			"port %u of [::1] is in use by another program; if the browser ends there, "
			"paste the address of that page",
			u.port);
}

static void explain(struct cli_login *l, const char *url, bool opened)
{
	struct browser *b = data_of(l);

	cli_login_greet(l);
	fprintf(l->out, "%s\n\n  %s\n\n",
		opened ? " Sign in in the browser that has just been started, or open this address:"
		       : " Open this address in a browser and sign in:",
		url);
	if (b->callback)
		fprintf(l->out,
			"Waiting for the browser to come back. If it runs on another "
			"machine, its last page will not\nload: copy the address of that "
			"page (%s?code=…)\nand paste it here. ",
			l->conf->auth_redirect_uri);
	else
		fprintf(l->out,
			"The browser's last page will not load: copy its address\n"
			"(%s?code=…) and paste it here. ",
			l->conf->auth_redirect_uri);
	fprintf(l->out, "Ctrl-C gives up.\n");
	fflush(l->out);
}

static int start(struct cli_login *l)
{
	struct browser *b = mem_zalloc(sizeof(*b));
	struct buf url;
	bool opened = false;
	int err;

	l->way_data = b;
	oauth_login_init(&b->oauth);
	b->on_terminal = isatty(STDIN_FILENO);
	listen_for_callback(l);
	buf_init(&url, URL_BYTES);
	oauth_authorize_url(l->conf, &b->oauth, l->before.others, &url);
	if (!cli_value(l->ctx, "--no-browser"))
		opened = cli_browser_open(buf_cstr(&url)) == 0;
	explain(l, buf_cstr(&url), opened);
	buf_fini(&url);
	err = line_input_new(l->loop, STDIN_FILENO, PASTE_BYTES, &input_ops, l, &b->input);
	if (err && !b->callback)
		return cli_fail(l->ctx, CLI_FAILED, "standard input: %s", strerror(-err));
	return CLI_OK;
}

static void on_end(struct cli_login *l, bool ok, const char *text)
{
	struct browser *b = data_of(l);
	struct http_stream *held = b->held;

	b->held = NULL;
	stop_input(b);
	if (held)
		cli_callback_page(
			held, ok ? 200 : 400, ok ? "You are logged in" : "Login failed", text);
	if (b->callback)
		cli_callback_close(b->callback);
	else
		cli_login_closed(l);
}

static void close_all(struct cli_login *l)
{
	struct browser *b = data_of(l);

	if (b->callback)
		cli_callback_end(b->callback);
}

static void free_all(struct cli_login *l)
{
	struct browser *b = data_of(l);

	cli_callback_free(b->callback);
	oauth_login_fini(&b->oauth);
	free(b);
}

const struct cli_login_way *cli_login_browser(void)
{
	static const struct cli_login_way way = {
		.start = start,
		.on_end = on_end,
		.close = close_all,
		.free = free_all,
	};

	return &way;
}
