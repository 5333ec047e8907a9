#include "relay/relay.h"

#include "base/clock.h"
#include "base/jw.h"
#include "base/log.h"
#include "conf/runtime_dir.h"
#include "io/fetch_conf.h"
#include "openclaw/openclaw_gateway.h"
#include "openclaw/openclaw_room.h"
#include "openclaw/openclaw_usage.h"
#include "relay/continuation.h"
#include "relay/exchange.h"
#include "relay/router.h"
#include "relay/saver.h"
#include "relay/transport.h"
#include "slots/auth_watch.h"
#include "slots/refresher.h"
#include "slots/store.h"
#include "slots/upkeep.h"
#include "version.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RELOAD_DELAY_MS = 100, FAREWELL_MS = 500, FORGET_MS = 60 * 1000 };

/* --- reload --- */

static enum log_level level_of(const char *name)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return (enum log_level)i;
	}
	return LOG_INFO;
}

static void log_reload(const char *what, const struct conf_error *err)
{
	log_begin(err ? LOG_ERROR : LOG_INFO, "config.reload");
	log_str("file", sv_cstr(what));
	log_bool("ok", !err);
	if (err)
		log_str("reason", sv_cstr(err->message));
	log_end();
}

static void on_slots_changed(void *arg)
{
	struct relay *r = arg;

	upkeep_reconsider(r->upkeep);
	transport_slots_changed(r);
	refresher_reconsider(r->env.refresher);
}

static void reload_slots(struct relay *r)
{
	struct conf_error err = {""};

	log_reload("config/slots.json", store_load(r->root, r->conf, r->slots, &err) ? &err : NULL);
	auth_watch_sync(r->auth_watch);
	on_slots_changed(r);
}

static void configure_continuation(struct relay *r)
{
	const struct conf *c = r->conf;
	struct continuation_limits limits = {
		.enabled = c->continuation_enabled,
		.max_entries = (size_t)c->continuation_max_entries,
		.max_bytes = (size_t)c->continuation_max_bytes,
		.ttl_ms = c->continuation_ttl_s * 1000,
	};

	continuation_configure(r->continuation, &limits);
}

/* Also when nobody asks: what clients have said is not kept for longer than was promised. */
static void on_forget(struct timer *t)
{
	struct relay *r = CONTAINER_OF(t, struct relay, forget);

	continuation_expire(r->continuation, clock_mono_ms());
	relay_forget_later(r);
}

void relay_forget_later(struct relay *r)
{
	if (!r->closing && continuation_count(r->continuation) && !timer_is_active(&r->forget))
		timer_start(&r->forget, FORGET_MS);
}

void relay_take_conf(struct relay *r, struct conf *fresh)
{
	conf_unref(r->conf);
	r->conf = fresh;
	r->env.conf = fresh;
	log_set_level(level_of(fresh->log_level));
	slot_table_configure(r->slots, fresh);
	configure_continuation(r);
	/* The backend's address is in every slot. */
	timer_start(&r->reload, 0);
	tls_reload_soon(&r->tls);
	transport_conf_changed(r);
}

static void on_hangup(void *arg, int signo)
{
	struct relay *r = arg;

	(void)signo;
	if (r->closing)
		return;
	conf_reload_now(&r->conf_reload);
	tls_reload_now(&r->tls);
	timer_start(&r->reload, 0);
}

bool relay_reload_slots(struct relay *r)
{
	if (saver_is_writing(r->saver))
		return false;
	reload_slots(r);
	return true;
}

static void on_reload_due(struct timer *t)
{
	if (!relay_reload_slots(CONTAINER_OF(t, struct relay, reload)))
		timer_start(t, RELOAD_DELAY_MS);
}

/* Somebody edits files while we run. name: NULL when it was several. */
static void on_config_dir(void *arg, const char *name)
{
	struct relay *r = arg;

	if (!name || strcmp(name, "slots.json") == 0)
		timer_start(&r->reload, RELOAD_DELAY_MS);
	if (!name || strcmp(name, "slots.json") != 0)
		conf_reload_soon(&r->conf_reload);
}

/* --- stop --- */

/* Nothing is left that asks upstream. */
static void on_refreshes_over(void *arg)
{
	struct relay *r = arg;

	fetch_pool_free(r->pool);
	r->pool = NULL;
	saver_stop(r->saver);
	loop_close_signals(r->loop);
	/* A further signal must not end the process while it writes its state. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static void close_all(struct relay *r)
{
	if (r->closing)
		return;
	r->closing = true;
	timer_stop(&r->patience);
	timer_stop(&r->farewell);
	timer_stop(&r->reload);
	timer_stop(&r->forget);
	trimmer_stop(&r->trimmer);
	conf_reload_stop(&r->conf_reload);
	tls_reload_stop(&r->tls);
	dir_watch_free(r->watch);
	r->watch = NULL;
	exchange_abort_all(r);
	transport_stop(r);
	openclaw_gateways_stop(r->gateways);
	if (r->extension)
		r->extension->on_stop(r);
	slot_table_on_change(r->slots, NULL, NULL);
	if (r->upkeep)
		upkeep_stop(r->upkeep);
	http_server_free(r->server);
	r->server = NULL;
	auth_watch_stop(r->auth_watch);
	refresher_stop(r->env.refresher, on_refreshes_over, r);
}

static void on_idle(void *arg)
{
	close_all(arg);
}

static void on_farewell_over(struct timer *t)
{
	close_all(CONTAINER_OF(t, struct relay, farewell));
}

/* Running requests end with an error, which clients get a moment to read. */
static void cut_all(struct relay *r)
{
	if (timer_is_active(&r->farewell)) {
		close_all(r);
		return;
	}
	timer_start(&r->farewell, FAREWELL_MS);
	exchange_abort_all(r);
}

static void on_patience_over(struct timer *t)
{
	struct relay *r = CONTAINER_OF(t, struct relay, patience);

	if (r->exchange_count == 0) {
		close_all(r);
		return;
	}
	log_begin(LOG_WARN, "server.drain");
	log_i64("cut_requests", (int64_t)r->exchange_count);
	log_end();
	cut_all(r);
}

/* First signal: no new connections, running streams may finish. Second one: not even those. */
static void on_terminate(void *arg, int signo)
{
	struct relay *r = arg;

	log_begin(LOG_INFO, "server.stop");
	log_i64("signal", signo);
	log_i64("inflight", (int64_t)r->exchange_count);
	log_end();
	if (r->draining) {
		cut_all(r);
		return;
	}
	r->draining = true;
	if (r->extension)
		r->extension->on_drain(r);
	timer_start(&r->patience, r->conf->drain_timeout_s * 1000);
	http_server_drain(r->server);
	http_server_on_idle(r->server, on_idle, r);
}

/* --- start --- */

static void on_capacity(void *arg)
{
	struct relay *r = arg;

	waitq_kick(r->waitq);
}

/* Exit statuses, the same as the commands' (cli.h). */
enum { EXIT_RUNTIME_DIR = 3 };

static int complain(int exit_status, const char *what, const char *detail)
{
	fprintf(stderr, "codex-slot-relay: %s: %s\n", what, detail);
	return exit_status;
}

static int load_state(struct relay *r)
{
	struct conf_error err = {""};
	int rc = conf_reload_load(&r->conf_reload, r, &r->conf, &err);

	if (rc == -ENOENT)
		return complain(EXIT_RUNTIME_DIR, r->root,
			"not a runtime directory; run: codex-slot-relay init");
	if (rc)
		return complain(EXIT_RUNTIME_DIR, "configuration refused", err.message);
	r->conf_at_start = conf_ref(r->conf);
	r->slots = slot_table_new();
	slot_table_configure(r->slots, r->conf);
	if (store_load(r->root, r->conf, r->slots, &err))
		return complain(EXIT_RUNTIME_DIR, "slots refused", err.message);
	return 0;
}

static int start_tls(struct relay *r)
{
	struct tls_problem problem;

	if (tls_reload_start(&r->tls, r, &problem) == 0)
		return 0;
	return complain(EXIT_FAILURE, "TLS", problem.message);
}

static const char *why_not(int err)
{
	if (err == -EEXIST)
		return "the file is there and no socket";
	return strerror(-err);
}

static int start_server(struct relay *r)
{
	char *address = conf_listen_address(&r->conf->listeners, 0, r->root);
	struct http_options options = {
		.address = address,
		.tls = r->tls.server,
		.reuse_port = r->conf->reuse_port,
		.max_connections = (unsigned)r->conf->max_connections,
		.max_body_bytes = (size_t)r->conf->max_body_bytes,
	};
	int rc = http_server_new(r->loop, &options, &router_http_handler, r, &r->server);
	size_t index = 0;

	while (!rc) {
		char *next = conf_listen_address(&r->conf->listeners, ++index, r->root);

		if (!next)
			break;
		free(address);
		address = next;
		rc = http_server_listen(r->server, address);
	}
	rc = rc ? complain(EXIT_FAILURE, address, why_not(rc)) : 0;
	free(address);
	return rc;
}

static void start_watch(struct relay *r)
{
	char *dir = runtime_path(r->root, "config");
	int rc = dir_watch_new(r->loop, dir, on_config_dir, r, &r->watch);

	if (rc)
		log_warn("config.watch", SV("edits are seen only after SIGHUP"), rc);
	free(dir);
}

static void warn_unknown_keys(const struct conf *c)
{
	for (size_t i = 0; i < c->unknown_count; i++) {
		log_begin(LOG_WARN, "config.unknown_key");
		log_str("key", sv_cstr(c->unknown_keys[i]));
		log_end();
	}
}

static void log_listeners(const struct relay *r)
{
	const char *address;
	struct buf list;
	struct jw w;

	buf_init(&list, KIB(64));
	w = jw_begin(&list);
	jw_arr(&w);
	for (size_t i = 0; (address = http_server_address_at(r->server, i)); i++)
		jw_str(&w, sv_cstr(address));
	jw_end(&w);
	log_raw("listeners", buf_sv(&list));
	buf_fini(&list);
}

static void log_started(const struct relay *r)
{
	log_begin(LOG_INFO, "server.start");
	log_str("version", SV(RELAY_VERSION));
	log_str("listen", sv_cstr(http_server_address(r->server)));
	log_listeners(r);
	log_i64("pid", getpid());
	log_i64("slots", (int64_t)slot_table_count(r->slots));
	log_i64("eligible", (int64_t)slot_table_eligible(r->slots, r->started_ms));
	log_str("policy", sv_cstr(conf_policy_name(r->conf->policy)));
	log_end();
	warn_unknown_keys(r->conf);
	log_flush();
}

/* A relay holds two descriptors a request: take what the system lets us have. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void start_env(struct relay *r)
{
	r->env = (struct slot_env){
		.loop = r->loop,
		.pool = r->pool,
		.table = r->slots,
		.root = r->root,
		.conf = r->conf,
		.openclaw_usage = openclaw_usage_source(),
	};
	r->env.refresher = refresher_new(&r->env);
	r->auth_watch = auth_watch_new(&r->env);
	r->upkeep = upkeep_new(&r->env);
	slot_table_on_change(r->slots, on_slots_changed, r);
	/* What a relay left that was killed. */
	openclaw_room_sweep(r->root);
	r->gateways = openclaw_gateways_new(&r->env);
}

static int start(struct relay *r)
{
	struct fetch_options options;
	int status = load_state(r);

	if (status)
		return status;
	log_init(STDERR_FILENO, level_of(r->conf->log_level));
	raise_descriptor_limit();
	r->started_ms = clock_wall_ms();
	r->stats = stats_new(r->started_ms);
	r->journal = journal_new();
	r->continuation = continuation_new();
	configure_continuation(r);
	r->loop = loop_new();
	timer_init(&r->reload, r->loop, on_reload_due);
	timer_init(&r->forget, r->loop, on_forget);
	conf_reload_start(&r->conf_reload);
	timer_init(&r->patience, r->loop, on_patience_over);
	timer_init(&r->farewell, r->loop, on_farewell_over);
	r->waitq = waitq_new(r->loop);
	trimmer_init(&r->trimmer, r->loop);
	slot_table_on_capacity(r->slots, on_capacity, r);
	r->saver = saver_new(r->loop, r->root, r->slots);
	options = fetch_conf_options(r->conf);
	r->pool = fetch_pool_new(r->loop, &options);
	transport_start(r);
	start_env(r);
	status = start_tls(r);
	if (!status)
		status = start_server(r);
	if (status) {
		close_all(r);
		return status;
	}
	start_watch(r);
	refresher_start(r->env.refresher);
	if (r->extension)
		r->extension->on_start(r);
	loop_on_signal(r->loop, SIGTERM, on_terminate, r);
	loop_on_signal(r->loop, SIGINT, on_terminate, r);
	loop_on_signal(r->loop, SIGHUP, on_hangup, r);
	mem_drop_start_code();
	log_started(r);
	return 0;
}

static void tear_down(struct relay *r)
{
	if (r->extension)
		r->extension->on_free(r);
	buf_fini(&r->param);
	upkeep_free(r->upkeep);
	refresher_free(r->env.refresher);
	auth_watch_free(r->auth_watch);
	openclaw_gateways_free(r->gateways);
	saver_free(r->saver);
	waitq_free(r->waitq);
	trimmer_stop(&r->trimmer);
	if (r->loop)
		loop_free(r->loop);
	tls_reload_free(&r->tls);
	stats_free(r->stats);
	journal_free(r->journal);
	continuation_free(r->continuation);
	slot_table_free(r->slots);
	conf_unref(r->conf_at_start);
	conf_unref(r->conf);
	free(r->root);
	free(r->profile);
	log_fini();
}

int relay_run(
	const char *runtime_root, const char *profile, const struct relay_extension *extension)
{
	struct relay r = {
		.root = mem_strdup(runtime_root),
		.profile = mem_strdup(profile),
		.extension = extension,
	};
	int rc;

	mem_keep_free();
	buf_init(&r.param, LIMIT_PARAM_BYTES);
	rc = start(&r);
	if (r.loop)
		loop_run(r.loop);
	tear_down(&r);
	return rc;
}
