#include "cli/cli_net.h"

#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>

struct cli_net {
	struct loop *loop;
	struct fetch_pool *pool;
};

/* The call that runs: the loop is stopped when it has ended, for kept connections would go on. */
struct waiting {
	struct loop *loop;
	struct cli_answer *answer;
};

struct cli_net *cli_net_open(const struct fetch_options *options)
{
	struct cli_net *n = mem_zalloc(sizeof(*n));

	n->loop = loop_new();
	n->pool = fetch_pool_new(n->loop, options);
	return n;
}

void cli_net_close(struct cli_net *n)
{
	if (!n)
		return;
	fetch_pool_free(n->pool);
	loop_run(n->loop); /* closes the sockets' handles */
	loop_free(n->loop);
	free(n);
}

static void copy_header(const struct call_result *r, struct sv name, char *out, size_t size)
{
	struct sv value = call_header(r, name);

	snprintf(out, size, "%.*s", value.n < size ? (int)value.n : (int)size - 1,
		value.n ? value.p : "");
}

static void on_answer(void *arg, const struct call_result *r)
{
	struct waiting *w = arg;
	struct cli_answer *a = w->answer;

	a->outcome = r->outcome;
	a->status = r->status;
	a->body = mem_strndup(r->body.n ? r->body.p : "", r->body.n);
	a->body_bytes = r->body.n;
	snprintf(a->message, sizeof(a->message), "%s", r->message ? r->message : "");
	copy_header(r, SV("date"), a->date, sizeof(a->date));
	copy_header(r, SV("x-relay-version"), a->relay_version, sizeof(a->relay_version));
	loop_stop(w->loop);
}

void cli_net_call(struct cli_net *n, const struct call_request *r, struct cli_answer *ret)
{
	struct waiting w = {n->loop, ret};

	*ret = (struct cli_answer){0};
	call_start(n->loop, n->pool, r, on_answer, &w);
	loop_run(n->loop);
}

void cli_answer_fini(struct cli_answer *a)
{
	if (a->body)
		secret_wipe(a->body, a->body_bytes);
	free(a->body);
	a->body = NULL;
}
