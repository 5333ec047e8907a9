#include "relay/tls_reload.h"

#include "base/clock.h"
#include "base/log.h"
#include "conf/runtime_dir.h"
#include "relay/relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Programs that renew certificates write two files one after the other. */
enum { NOTICE_MS = 100, SETTLE_MS = 500 };

/* --- what is logged --- */

static void on_refused(void *arg, const char *peer, const char *reason)
{
	(void)arg;
	log_begin(LOG_WARN, "tls.refused");
	log_str("peer", sv_cstr(peer));
	log_str("reason", sv_cstr(reason));
	log_end();
}

static void log_taken(const struct tls_reload *t)
{
	int64_t now_ms = clock_wall_ms();
	bool good = t->begins_ms <= now_ms && now_ms < t->ends_ms;
	char ends[CLOCK_ISO_SIZE];

	clock_format_iso(t->ends_ms, ends);
	log_begin(good ? LOG_INFO : LOG_WARN, "tls.reload");
	log_bool("ok", true);
	log_str("expires_at", sv_cstr(ends));
	if (!good)
		log_str("reason", now_ms < t->begins_ms ? SV("the certificate is not good yet")
							: SV("the certificate has expired"));
	log_end();
}

static void log_refused(const struct tls_reload *t)
{
	log_begin(LOG_ERROR, "tls.reload");
	log_bool("ok", false);
	log_str("reason", sv_cstr(t->problem.message));
	log_end();
}

/* --- the files --- */

static int load(const struct relay *r, struct tls_pair **ret, struct tls_problem *problem)
{
	char *cert = runtime_resolve(r->root, r->conf->tls_cert);
	char *key = runtime_resolve(r->root, r->conf->tls_key);
	int err = tls_pair_load(cert, key, ret, problem);

	free(cert);
	free(key);
	return err;
}

static bool wants_tls13(const struct conf *c)
{
	return strcmp(c->tls_min_version, "1.3") == 0;
}

/* 0, or why not. *ret_same: it is what runs. */
static int use(struct tls_reload *t, bool *ret_same, struct tls_problem *problem)
{
	bool only_tls13 = wants_tls13(t->relay->conf);
	struct tls_pair *pair;
	int err = load(t->relay, &pair, problem);

	if (err)
		return err;
	*ret_same = tls_pair_hash(pair) == t->in_use && only_tls13 == t->only_tls13;
	if (!*ret_same)
		err = tls_server_use(t->server, pair, only_tls13, problem);
	if (!err) {
		t->in_use = tls_pair_hash(pair);
		t->only_tls13 = only_tls13;
		t->begins_ms = tls_pair_begins_ms(pair);
		t->ends_ms = tls_pair_ends_ms(pair);
	}
	tls_pair_free(pair);
	return err;
}

static void check(struct tls_reload *t, bool asked)
{
	struct tls_problem problem = {""};
	bool same = false, was_wrong = t->problem.message[0];

	if (use(t, &same, &problem) == 0) {
		t->suspect = false;
		t->problem.message[0] = '\0';
		if (asked || !same || was_wrong)
			log_taken(t);
	} else if (!asked && !t->suspect) {
		t->suspect = true;
		timer_start(&t->timer, SETTLE_MS);
	} else {
		bool known = strcmp(problem.message, t->problem.message) == 0;

		t->suspect = false;
		t->problem = problem;
		if (asked || !known)
			log_refused(t);
	}
}

/* --- when they change --- */

static void on_dir(void *arg, const char *name)
{
	(void)name; /* a link to a directory elsewhere may have turned: anything counts */
	tls_reload_soon(arg);
}

static char *dir_of(const char *root, const char *path)
{
	char *full = runtime_resolve(root, path);
	char *slash = strrchr(full, '/');

	slash[slash == full] = '\0';
	return full;
}

static void watch_dir(struct tls_reload *t, size_t index, const char *path)
{
	char *dir = dir_of(t->relay->root, path);
	int err;

	if (t->watches[index] && strcmp(t->dirs[index], dir) == 0) {
		free(dir);
		return;
	}
	dir_watch_free(t->watches[index]);
	t->watches[index] = NULL;
	free(t->dirs[index]);
	t->dirs[index] = dir;
	err = dir_watch_new(t->relay->loop, dir, on_dir, t, &t->watches[index]);
	if (err)
		log_warn("tls.watch", SV("a new certificate is seen only after SIGHUP"), err);
}

/* The configuration may name others now. */
static void watch(struct tls_reload *t)
{
	watch_dir(t, 0, t->relay->conf->tls_cert);
	watch_dir(t, 1, t->relay->conf->tls_key);
}

static void on_timer(struct timer *timer)
{
	struct tls_reload *t = CONTAINER_OF(timer, struct tls_reload, timer);

	watch(t);
	check(t, false);
}

void tls_reload_soon(struct tls_reload *t)
{
	if (t->server && !timer_is_active(&t->timer))
		timer_start(&t->timer, NOTICE_MS);
}

void tls_reload_now(struct tls_reload *t)
{
	if (!t->server)
		return;
	timer_stop(&t->timer);
	watch(t);
	check(t, true);
}

/* --- life --- */

static int start(struct tls_reload *t, struct tls_problem *problem)
{
	struct tls_problem why;
	bool same;
	int err = use(t, &same, &why);

	if (err)
		snprintf(problem->message, sizeof(problem->message),
			"tls.cert and tls.key: %.180s (tls-selfsign makes them)", why.message);
	return err;
}

int tls_reload_start(struct tls_reload *t, struct relay *r, struct tls_problem *problem)
{
	struct tls_options options = {.on_refused = on_refused};
	int err;

	t->relay = r;
	timer_init(&t->timer, r->loop, on_timer);
	if (!conf_listen_has_tls(&r->conf->listeners))
		return 0;
	t->server = tls_server_new(&options);
	err = start(t, problem);
	if (err)
		return err;
	watch(t);
	log_taken(t);
	return 0;
}

void tls_reload_stop(struct tls_reload *t)
{
	timer_stop(&t->timer);
	for (size_t i = 0; i < ARRAY_LEN(t->watches); i++) {
		dir_watch_free(t->watches[i]);
		t->watches[i] = NULL;
		free(t->dirs[i]);
		t->dirs[i] = NULL;
	}
}

void tls_reload_free(struct tls_reload *t)
{
	tls_server_free(t->server);
}

void tls_reload_write(const struct tls_reload *t, struct jw *w)
{
	char ends[CLOCK_ISO_SIZE];

	if (!t->server) {
		jw_knull(w, "tls");
		return;
	}
	clock_format_iso(t->ends_ms, ends);
	jw_kobj(w, "tls");
	jw_kstr(w, "expiresAt", sv_cstr(ends));
	if (t->problem.message[0])
		jw_kstr(w, "error", sv_cstr(t->problem.message));
	else
		jw_knull(w, "error");
	jw_end(w);
}
