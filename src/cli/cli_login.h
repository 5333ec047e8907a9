/*
 * A login on its way, as the ways to get an authorization code (cli_login_browser.c,
 * cli_login_device.c) and the command itself (cli_login.c) share it. Owner: the command, for as
 * long as its loop runs. Nothing is written before the tokens are there, and then all at once.
 *
 *	GETTING_CODE -> EXCHANGING -> ENDED
 *
 * ENDED comes from every state, once; the way then says good-bye and closes what it holds.
 */
#ifndef CLI_CLI_LOGIN_H
#define CLI_CLI_LOGIN_H

#include "cli/cli.h"
#include "cli/cli_credential.h"
#include "io/call.h"
#include "io/fetch.h"
#include "slots/oauth.h"

#include <stdio.h>

struct cli_login;

struct cli_login_way {
	/* Talks to the user and starts to wait. CLI_OK, or a failure that has been told. */
	int (*start)(struct cli_login *l);
	/* The login has ended: nothing is waited for any more. text: what happened, for people.
	 * cli_login_closed() must follow, at once or later. */
	void (*on_end)(struct cli_login *l, bool ok, const char *text);
	/* There is no more time for a good-bye: closes all at once. */
	void (*close)(struct cli_login *l);
	/* After the loop. */
	void (*free)(struct cli_login *l);
};

enum cli_login_state { CLI_LOGIN_GETTING_CODE, CLI_LOGIN_EXCHANGING, CLI_LOGIN_ENDED };

struct cli_login {
	const struct cli_context *ctx;
	struct conf *conf;
	char id[LIMIT_SLOT_ID_BYTES];
	struct cli_credential_look before; /* of the slot */
	char account[321];		   /* who has logged in; "" unknown */
	FILE *out; /* where the user is talked to: stderr when the result is JSON */
	struct loop *loop;
	struct fetch_pool *pool;
	enum cli_login_state state;
	const struct cli_login_way *way;
	void *way_data;	   /* the way's own */
	struct call *call; /* the one request that is on its way, a way's or ours */
	struct timer patience, farewell;
	int status;		 /* ENDED: of the command */
	int signal;		 /* ENDED: by this one; 0 none */
	struct deferred closing; /* the HTTP client does not end inside its own callback */
};

const struct cli_login_way *cli_login_browser(void);
const struct cli_login_way *cli_login_device(void);

/* The code is there: exchanges it, stores what it gives, and ends. */
void cli_login_exchange(
	struct cli_login *l, struct sv code, struct sv redirect_uri, struct sv verifier);
/* Tells the text on stderr and ends with CLI_FAILED. */
void cli_login_fail(struct cli_login *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "Login of slot-2." or, when it has an account already, "Login of slot-2 (me@example.org)." */
void cli_login_greet(const struct cli_login *l);
/* The way holds nothing any more. */
void cli_login_closed(struct cli_login *l);

#endif
