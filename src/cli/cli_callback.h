/*
 * The page where a browser login ends: a small HTTP server on the loopback interface at the port of
 * the redirect URI. It answers only its one path, with a page for people, and takes nothing else
 * from anybody. Owner: the login.
 */
#ifndef CLI_CLI_CALLBACK_H
#define CLI_CLI_CALLBACK_H

#include "io/http_server.h"

struct cli_callback;

struct cli_callback_ops {
	/* GET of the redirect URI: to be answered with cli_callback_page(), now or later. */
	void (*on_query)(void *arg, struct http_stream *s, struct sv query);
	/* The browser did not wait for the answer: forget s. */
	void (*on_gone)(void *arg, struct http_stream *s);
	/* After cli_callback_close(): all that was written has arrived. */
	void (*on_closed)(void *arg);
};

/*
 * Listens on 127.0.0.1 and, where that is possible, on [::1]. -EADDRINUSE: the port is taken on the
 * first; -ENOTSUP: the redirect URI does not lead to this machine by HTTP.
 */
int cli_callback_new(struct loop *loop, const char *redirect_uri,
	const struct cli_callback_ops *ops, void *arg, struct cli_callback **ret) MUST_CHECK;
/* Is [::1] somebody else's, where a browser may go first? */
bool cli_callback_is_half(const struct cli_callback *c);
/* A page with this title and text (plain; it gets escaped). The stream is gone then. */
void cli_callback_page(struct http_stream *s, int status, const char *title, const char *text);
/* Takes no more, and tells on_closed once when the last page has been sent. */
void cli_callback_close(struct cli_callback *c);
/* Ends it at once. */
void cli_callback_end(struct cli_callback *c);
/* After cli_callback_end() and loop_run(), for connections close in the loop. Accepts NULL. */
void cli_callback_free(struct cli_callback *c);

#endif
