/* Login with a device code: a person types it in at any browser, and we ask until that is done. */
#include "base/clock.h"
#include "base/limits.h"
#include "cli/cli_browser.h"
#include "cli/cli_login.h"
#include "slots/oauth_device.h"

#include <stdlib.h>

struct device {
	struct cli_login *login;
	struct oauth_device oauth;
	struct timer poll;
	int64_t ends_ms; /* of the loop's clock */
};

static struct device *data_of(const struct cli_login *l)
{
	return l->way_data;
}

static void exchange(struct cli_login *l, const struct secret *code, const struct secret *verifier)
{
	struct buf uri;

	fprintf(l->out, "The code was accepted; asking for the tokens.\n");
	fflush(l->out);
	buf_init(&uri, KIB(4));
	oauth_device_redirect_uri(l->conf, &uri);
	cli_login_exchange(l, secret_expose(code), buf_sv(&uri), secret_expose(verifier));
	buf_fini(&uri);
}

static void wait_on(struct cli_login *l)
{
	struct device *d = data_of(l);

	if (loop_now_ms(l->loop) + d->oauth.interval_ms >= d->ends_ms)
		cli_login_fail(l, "the code has expired before anybody entered it");
	else
		timer_start(&d->poll, d->oauth.interval_ms);
}

static void on_poll_answer(void *arg, const struct call_result *r)
{
	struct cli_login *l = arg;
	struct device *d = data_of(l);
	struct secret code = {0}, verifier = {0};
	char message[160] = "";

	l->call = NULL;
	switch (oauth_device_read_poll(r, &code, &verifier, message, sizeof(message))) {
	case OAUTH_POLL_SLOW_DOWN:
		d->oauth.interval_ms += OAUTH_DEVICE_SLOWER_MS;
		wait_on(l);
		break;
	case OAUTH_POLL_PENDING:
	case OAUTH_POLL_TROUBLE:
		wait_on(l);
		break;
	case OAUTH_POLL_APPROVED:
		exchange(l, &code, &verifier);
		break;
	case OAUTH_POLL_DENIED:
		cli_login_fail(l, "the login was denied in the browser");
		break;
	case OAUTH_POLL_EXPIRED:
		cli_login_fail(l, "the code has expired before anybody entered it");
		break;
	case OAUTH_POLL_FAILED:
		cli_login_fail(l, "%s", message);
		break;
	}
	secret_fini(&code);
	secret_fini(&verifier);
}

static void on_poll_due(struct timer *t)
{
	struct device *d = CONTAINER_OF(t, struct device, poll);
	struct cli_login *l = d->login;
	struct buf body;

	buf_init(&body, KIB(4));
	oauth_device_poll_body(&d->oauth, &body);
	l->call = oauth_call_start(
		l->loop, l->pool, l->conf, OAUTH_DEVICE_TOKEN, buf_sv(&body), on_poll_answer, l);
	secret_wipe(body.data, body.len);
	buf_fini(&body);
}

static void explain(struct cli_login *l)
{
	struct device *d = data_of(l);
	struct buf url;
	bool opened = false;

	buf_init(&url, KIB(4));
	oauth_device_url(l->conf, &url);
	if (!cli_value(l->ctx, "--no-browser"))
		opened = cli_browser_open(buf_cstr(&url)) == 0;
	cli_login_greet(l);
	fprintf(l->out,
		" %s\n\n  %s\n\nand enter the code\n\n  %s\n\n"
		"It is good for %d minutes. Enter it only when you have started this login "
		"yourself.\nWaiting for it to be entered. Ctrl-C gives up.\n",
		opened ? "Sign in in the browser that has just been started, or open"
		       : "Open this address in any browser, on any machine, sign in,",
		buf_cstr(&url), d->oauth.user_code, OAUTH_DEVICE_LIFE_MS / 60000);
	fflush(l->out);
	buf_fini(&url);
}

static void on_start_answer(void *arg, const struct call_result *r)
{
	struct cli_login *l = arg;
	struct device *d = data_of(l);
	char message[160] = "";

	l->call = NULL;
	switch (oauth_device_read_start(r, &d->oauth, message, sizeof(message))) {
	case OAUTH_DEVICE_STARTED:
		d->ends_ms = loop_now_ms(l->loop) + OAUTH_DEVICE_LIFE_MS;
		explain(l);
		wait_on(l);
		break;
	case OAUTH_DEVICE_NOT_ENABLED:
		cli_login_fail(l,
			"%s: log in without --device, or have it enabled in the "
			"account's security settings",
			message);
		break;
	case OAUTH_DEVICE_FAILED:
		cli_login_fail(l, "%s", message);
		break;
	}
}

static int start(struct cli_login *l)
{
	struct device *d = mem_zalloc(sizeof(*d));
	struct buf body;

	l->way_data = d;
	d->login = l;
	timer_init(&d->poll, l->loop, on_poll_due);
	buf_init(&body, KIB(4));
	oauth_device_start_body(l->conf, &body);
	l->call = oauth_call_start(
		l->loop, l->pool, l->conf, OAUTH_USERCODE, buf_sv(&body), on_start_answer, l);
	buf_fini(&body);
	return CLI_OK;
}

static void on_end(struct cli_login *l, bool ok, const char *text)
{
	(void)ok;
	(void)text;
	timer_stop(&data_of(l)->poll);
	cli_login_closed(l);
}

static void close_all(struct cli_login *l)
{
	(void)l;
}

static void free_all(struct cli_login *l)
{
	struct device *d = data_of(l);

	secret_wipe(d, sizeof(*d));
	free(d);
}

const struct cli_login_way *cli_login_device(void)
{
	static const struct cli_login_way way = {
		.start = start,
		.on_end = on_end,
		.close = close_all,
		.free = free_all,
	};

	return &way;
}
