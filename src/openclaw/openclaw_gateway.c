#include "openclaw/openclaw_gateway.h"

#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
#include "io/call.h"
#include "io/child.h"
#include "openclaw/openclaw_env.h"
#include "openclaw/openclaw_room.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BOOT_PROBE_MS = 100,
	PROBE_TIMEOUT_MS = 10 * 1000,
	PROBE_FAILURES_MAX = 3, /* in a row: it hangs */
	BOOTS_MAX = 2,		/* the port may have been taken between our look and its start */
	OUTPUT_TAIL_BYTES = 16 * 1024,
	PROBLEM_SIZE = 256,
	WORDS_SIZE = 120,
};

enum state { ROOM, BOOT, READY, LEAVING, STATES };

static const char *const state_names[STATES] = {"room", "boot", "ready", "leaving"};

#define BIT(s) (1u << (s))

static const unsigned legal_moves[STATES] = {
	[ROOM] = BIT(BOOT) | BIT(LEAVING),
	[BOOT] = BIT(BOOT) | BIT(READY) | BIT(LEAVING),
	[READY] = BIT(LEAVING),
};

struct openclaw_gateway {
	struct openclaw_gateway *next, **prev; /* in all->gateways */
	struct openclaw_gateways *all;
	enum state state;
	char slot_id[LIMIT_SLOT_ID_BYTES];
	char mark[IDENT_HEX_SIZE];  /* of all that it was started with */
	bool retired;		    /* takes no further requests */
	bool room_busy;		    /* a pool thread works on the room */
	bool gone;		    /* process and room are */
	bool telling;		    /* on_tell() will touch it again */
	char problem[PROBLEM_SIZE]; /* why it left; "" */

	struct openclaw_room *room;
	int room_error;
	struct child *child;
	struct secret token;
	char url[64];
	uint16_t port;
	unsigned boots;
	int64_t started_us; /* monotonic */

	struct openclaw_use *uses;
	size_t use_count;
	struct deferred tell;

	struct timer probe_due, boot_limit, idle;
	struct call *probe;
	unsigned probe_failures;
};

struct openclaw_gateways {
	struct slot_env *env;
	struct fetch_pool *pool;
	struct openclaw_gateway *gateways;
};

static void log_state(const struct openclaw_gateway *g, enum log_level level)
{
	log_begin(level, "openclaw.gateway");
	log_str("slot_id", sv_cstr(g->slot_id));
	log_str("state", sv_cstr(state_names[g->state]));
	if (g->state == READY)
		log_i64("port", g->port);
	if (g->child)
		log_i64("pid", child_pid(g->child));
	log_ms("after_ms", clock_mono_us() - g->started_us);
	if (g->problem[0])
		log_str("reason", sv_cstr(g->problem));
	log_end();
}

static void set_state(struct openclaw_gateway *g, enum state next, enum log_level level)
{
	assert(legal_moves[g->state] & BIT(next));
	g->state = next;
	log_state(g, level);
}

/* --- uses --- */

static void detach(struct openclaw_use *use)
{
	struct openclaw_gateway *g = use->gateway;

	*use->prev = use->next;
	if (use->next)
		use->next->prev = use->prev;
	use->gateway = NULL;
	g->use_count--;
}

static void attach(struct openclaw_gateway *g, struct openclaw_use *use)
{
	use->gateway = g;
	use->waiting = true;
	use->next = g->uses;
	use->prev = &g->uses;
	if (use->next)
		use->next->prev = &use->next;
	g->uses = use;
	g->use_count++;
}

static struct openclaw_use *find_waiting(const struct openclaw_gateway *g)
{
	struct openclaw_use *use = g->uses;

	while (use && !use->waiting)
		use = use->next;
	return use;
}

static void free_if_gone(struct openclaw_gateway *g)
{
	if (!g->gone || g->uses || g->telling)
		return;
	loop_undefer(&g->tell);
	*g->prev = g->next;
	if (g->next)
		g->next->prev = g->prev;
	openclaw_room_free(g->room);
	secret_fini(&g->token);
	free(g);
}

/* Those who wait: it is ready, or it will not be. */
static void on_tell(struct deferred *d)
{
	struct openclaw_gateway *g = CONTAINER_OF(d, struct openclaw_gateway, tell);
	struct openclaw_use *use;
	char problem[PROBLEM_SIZE];

	memcpy(problem, g->problem, sizeof(problem));
	g->telling = true;
	while ((use = find_waiting(g))) {
		bool failed = g->state == LEAVING;

		use->waiting = false;
		if (failed)
			detach(use);
		use->on_ready(use, failed ? problem : NULL);
	}
	g->telling = false;
	free_if_gone(g);
}

/* --- the end --- */

static void remove_room(void *arg)
{
	struct openclaw_gateway *g = arg;

	g->room_error = openclaw_room_remove(g->room);
}

static void on_room_removed(void *arg)
{
	struct openclaw_gateway *g = arg;

	g->room_busy = false;
	if (g->room_error)
		log_warn("openclaw.room", SV("a gateway's files could not be deleted"),
			g->room_error);
	g->gone = true;
	/* Not before those who wait were told. */
	if (!find_waiting(g))
		free_if_gone(g);
}

static void clear_room(struct openclaw_gateway *g)
{
	if (g->room_busy || g->child)
		return;
	g->room_busy = true;
	loop_work(g->all->env->loop, remove_room, on_room_removed, g);
}

/* reason: why, for people. Running requests see the connection end. */
static void leave(struct openclaw_gateway *g, enum log_level level, const char *reason)
{
	if (g->state == LEAVING)
		return;
	g->retired = true;
	if (reason != g->problem)
		snprintf(g->problem, sizeof(g->problem), "%s", reason);
	set_state(g, LEAVING, level);
	timer_stop(&g->probe_due);
	timer_stop(&g->boot_limit);
	timer_stop(&g->idle);
	if (g->probe)
		call_cancel(g->probe);
	g->probe = NULL;
	if (g->child)
		child_stop(g->child);
	clear_room(g);
	loop_defer(g->all->env->loop, &g->tell);
}

/* No further requests; it leaves when those that run are over. */
static void retire(struct openclaw_gateway *g, const char *reason)
{
	g->retired = true;
	if (!g->uses)
		leave(g, LOG_INFO, reason);
	else
		snprintf(g->problem, sizeof(g->problem), "%s", reason);
}

/* --- health --- */

static void mark_of(
	const struct openclaw_gateways *all, const struct slot *s, char out[IDENT_HEX_SIZE])
{
	const struct conf *conf = all->env->conf;
	const struct sv parts[] = {
		secret_expose(&s->access),
		sv_cstr(s->base_url),
		sv_cstr(conf->openclaw_command),
		sv_cstr(conf->runner_agent_id),
		sv_cstr(conf->thinking),
		sv_cstr(conf->workspace),
		sv_cstr(conf->default_model),
	};
	char uuid[IDENT_UUID_SIZE];

	ident_derived_uuid(parts, ARRAY_LEN(parts), uuid);
	ident_fingerprint(sv_cstr(uuid), out);
}

/* Does the slot still have what this gateway was started with? */
static bool is_current(const struct openclaw_gateway *g)
{
	const struct slot *s = slot_table_find(g->all->env->table, g->slot_id);
	char mark[IDENT_HEX_SIZE];

	if (!s)
		return false;
	mark_of(g->all, s, mark);
	return strcmp(mark, g->mark) == 0;
}

static void boot(struct openclaw_gateway *g);

static void probe_later(struct openclaw_gateway *g)
{
	timer_start(&g->probe_due, g->all->env->conf->openclaw_health_s * 1000);
}

static void become_ready(struct openclaw_gateway *g)
{
	timer_stop(&g->boot_limit);
	set_state(g, READY, LOG_INFO);
	probe_later(g);
	if (!g->uses)
		timer_start(&g->idle, g->all->env->conf->openclaw_idle_s * 1000);
	loop_defer(g->all->env->loop, &g->tell);
}

static void on_probe_done(void *arg, const struct call_result *r)
{
	struct openclaw_gateway *g = arg;
	bool healthy = r->outcome == FETCH_OK && r->status == 200;

	g->probe = NULL;
	if (g->state == BOOT && healthy) {
		become_ready(g);
		return;
	}
	if (g->state == BOOT) {
		timer_start(&g->probe_due, BOOT_PROBE_MS);
		return;
	}
	g->probe_failures = healthy ? 0 : g->probe_failures + 1;
	if (g->probe_failures >= PROBE_FAILURES_MAX)
		leave(g, LOG_WARN, "the OpenClaw gateway does not answer any more");
	else
		probe_later(g);
}

static void on_probe_due(struct timer *t)
{
	struct openclaw_gateway *g = CONTAINER_OF(t, struct openclaw_gateway, probe_due);
	char url[96];
	struct call_request request = {
		.method = "GET",
		.url = url,
		.total_timeout_ms = PROBE_TIMEOUT_MS,
	};

	if (g->state == READY && !g->retired && !is_current(g)) {
		retire(g, "the slot's credential or the configuration has changed");
		if (g->state == LEAVING)
			return;
	}
	snprintf(url, sizeof(url), "%s/healthz", g->url);
	g->probe = call_start(g->all->env->loop, g->all->pool, &request, on_probe_done, g);
}

static void on_idle(struct timer *t)
{
	leave(CONTAINER_OF(t, struct openclaw_gateway, idle), LOG_INFO,
		"nobody has used it for a while");
}

static void on_boot_limit(struct timer *t)
{
	struct openclaw_gateway *g = CONTAINER_OF(t, struct openclaw_gateway, boot_limit);
	char reason[PROBLEM_SIZE];

	snprintf(reason, sizeof(reason), "the OpenClaw gateway was not ready within %d s",
		(int)g->all->env->conf->openclaw_start_timeout_s);
	leave(g, LOG_WARN, reason);
}

/* --- the process --- */

static bool holds(struct sv text, const struct secret *secret)
{
	struct sv token = secret_expose(secret);

	return token.n && sv_find(text, token) >= 0;
}

/* The last line that it said, when that is fit to be shown. */
static struct sv last_words(const struct openclaw_gateway *g, struct sv text)
{
	const struct slot *s = slot_table_find(g->all->env->table, g->slot_id);
	struct sv line = SV_NONE;

	if (holds(text, &g->token) || !s || holds(text, &s->access))
		return SV_NONE;
	while (text.n) {
		struct sv next = sv_trim(sv_split(&text, '\n'));

		if (next.n)
			line = next;
	}
	return line.n > WORDS_SIZE ? sv_make(line.p, WORDS_SIZE) : line;
}

static void on_child_done(void *arg, const struct child_result *r)
{
	struct openclaw_gateway *g = arg;
	bool booting = g->state == BOOT;
	char reason[PROBLEM_SIZE];
	struct sv words = last_words(g, r->err);

	g->child = NULL;
	if (g->state == LEAVING) {
		clear_room(g);
		return;
	}
	if (booting && g->boots < BOOTS_MAX && r->outcome == CHILD_EXITED) {
		timer_stop(&g->probe_due);
		if (g->probe)
			call_cancel(g->probe);
		g->probe = NULL;
		boot(g);
		return;
	}
	snprintf(reason, sizeof(reason), "the OpenClaw gateway %s: %s%s%.*s%s",
		booting ? "did not start" : "ended", r->message, words.n ? " (" : "", SV_ARG(words),
		words.n ? ")" : "");
	leave(g, LOG_WARN, reason);
}

/* A port that is free at this moment; 0: none. */
static uint16_t free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint16_t port = 0;

	if (fd < 0)
		return 0;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
		getsockname(fd, (struct sockaddr *)&a, &n) == 0)
		port = ntohs(a.sin_port);
	close(fd);
	return port;
}

static void set_environment(const struct openclaw_gateway *g, struct openclaw_env *env)
{
	/* Not documented there, and harmless where they are not known: no chat channels, no other
	 * services. */
	static const char *const skipped[] = {
		"OPENCLAW_SKIP_CHANNELS",
		"OPENCLAW_SKIP_CRON",
		"OPENCLAW_SKIP_GMAIL_WATCHER",
		"OPENCLAW_SKIP_CANVAS_HOST",
		"OPENCLAW_SKIP_BROWSER_CONTROL_SERVER",
		"OPENCLAW_SKIP_ACPX_RUNTIME",
		"OPENCLAW_SKIP_ACPX_RUNTIME_PROBE",
		"OPENCLAW_DISABLE_BONJOUR",
		"OPENCLAW_NO_RESPAWN",
		"NO_COLOR",
	};
	struct sv dir = sv_cstr(openclaw_room_dir(g->room));

	openclaw_env_init(env);
	openclaw_env_set(env, "HOME", dir);
	openclaw_env_set(env, "OPENCLAW_HOME", dir);
	openclaw_env_set(env, "OPENCLAW_STATE_DIR", dir);
	openclaw_env_set(env, "OPENCLAW_CONFIG_PATH", sv_cstr(openclaw_room_config(g->room)));
	openclaw_env_set(env, "OPENCLAW_AGENT_DIR", sv_cstr(openclaw_room_agent_dir(g->room)));
	openclaw_env_set(env, "OPENCLAW_GATEWAY_TOKEN", secret_expose(&g->token));
	/* It logs answers otherwise, and to a place outside of the room (2026.4.15). */
	openclaw_env_set(env, "OPENCLAW_LOG_LEVEL", SV("error"));
	for (size_t i = 0; i < ARRAY_LEN(skipped); i++)
		openclaw_env_set(env, skipped[i], SV("1"));
}

static void boot(struct openclaw_gateway *g)
{
	const struct conf *conf = g->all->env->conf;
	char port[8];
	const char *const argv[] = {conf->openclaw_command, "gateway", "run", "--port", port,
		"--bind", "loopback", "--auth", "token", NULL};
	struct openclaw_env env;
	struct child_request request = {
		.argv = argv,
		.cwd = openclaw_room_dir(g->room),
		.guard = "/proc/self/exe",
		.output_cap = OUTPUT_TAIL_BYTES,
		.keep_tail = true,
	};

	g->port = free_port();
	g->boots++;
	snprintf(port, sizeof(port), "%u", (unsigned)g->port);
	snprintf(g->url, sizeof(g->url), "http://127.0.0.1:%u", (unsigned)g->port);
	set_environment(g, &env);
	request.env = (const char *const *)env.list;
	g->child = child_start(g->all->env->loop, &request, on_child_done, g);
	openclaw_env_fini(&env);
	set_state(g, BOOT, LOG_INFO);
	timer_start(&g->probe_due, BOOT_PROBE_MS);
	if (!timer_is_active(&g->boot_limit))
		timer_start(&g->boot_limit, conf->openclaw_start_timeout_s * 1000);
}

/* --- the room --- */

/* What 2026.4.15 needs; it adds to the file what it misses. */
static json_t *make_config(
	const struct conf *conf, const struct slot *s, const char *workspace, const char *dir)
{
	json_t *gateway = json_pack("{s:s, s:s, s:{s:s}, s:{s:b}, s:{s:{s:{s:b}}}}", "mode",
		"local", "bind", "loopback", "auth", "mode", "token", "controlUi", "enabled", 0,
		"http", "endpoints", "responses", "enabled", 1);
	json_t *models = json_pack("{s:s, s:{s:{s:s, s:s, s:[]}}}", "mode", "merge", "providers",
		"openai-codex", "baseUrl", s->base_url, "api", "openai-codex-responses", "models");
	json_t *model = json_sprintf("openai-codex/%s", conf->default_model);
	json_t *agents = json_pack("{s:{s:{s:o}, s:s, s:b}, s:[{s:s, s:b, s:s}]}", "defaults",
		"model", "primary", model, "thinkingDefault", conf->thinking, "skipBootstrap", 1,
		"list", "id", conf->runner_agent_id, "default", 1, "workspace", workspace);

	json_t *log = json_sprintf("%s/gateway.log", dir);

	/* A model behind an API has no tools but the client's. */
	return json_pack("{s:o, s:o, s:o, s:{s:[s]}, s:{s:b}, s:{s:b}, s:{s:{s:s}}, s:{s:o}}",
		"gateway", gateway, "models", models, "agents", agents, "tools", "deny", "*",
		"update", "checkOnStart", 0, "cron", "enabled", 0, "discovery", "mdns", "mode",
		"off", "logging", "file", log);
}

static void make_room(void *arg)
{
	struct openclaw_gateway *g = arg;

	g->room_error = openclaw_room_make(g->room);
}

static void on_room_made(void *arg)
{
	struct openclaw_gateway *g = arg;
	char reason[PROBLEM_SIZE];

	g->room_busy = false;
	if (g->state == LEAVING) {
		clear_room(g);
	} else if (g->room_error) {
		snprintf(reason, sizeof(reason), "run/openclaw: %s", strerror(-g->room_error));
		leave(g, LOG_ERROR, reason);
	} else {
		boot(g);
	}
}

static struct openclaw_gateway *gateway_new(struct openclaw_gateways *all, const struct slot *s)
{
	struct openclaw_gateway *g = mem_zalloc(sizeof(*g));
	char name[LIMIT_SLOT_ID_BYTES + 16], token[IDENT_HEX_SIZE];
	char *workspace = realpath(all->env->conf->workspace, NULL);
	struct openclaw_room_plan plan = {
		.root = all->env->root,
		.name = name,
		.agent = all->env->conf->runner_agent_id,
		.slot = s,
	};

	snprintf(name, sizeof(name), "%s-gateway", s->id);
	g->all = all;
	g->started_us = clock_mono_us();
	memcpy(g->slot_id, s->id, sizeof(g->slot_id));
	mark_of(all, s, g->mark);
	g->room = openclaw_room_new(&plan);
	openclaw_room_configure(g->room,
		make_config(all->env->conf, s, workspace ? workspace : all->env->conf->workspace,
			openclaw_room_dir(g->room)));
	free(workspace);
	ident_hex(token);
	secret_set(&g->token, sv_cstr(token));
	secret_wipe(token, sizeof(token));
	g->tell.fn = on_tell;
	timer_init(&g->probe_due, all->env->loop, on_probe_due);
	timer_init(&g->boot_limit, all->env->loop, on_boot_limit);
	timer_init(&g->idle, all->env->loop, on_idle);
	g->next = all->gateways;
	g->prev = &all->gateways;
	if (g->next)
		g->next->prev = &g->next;
	all->gateways = g;
	g->room_busy = true;
	loop_work(all->env->loop, make_room, on_room_made, g);
	return g;
}

/* --- interface --- */

struct openclaw_gateways *openclaw_gateways_new(struct slot_env *env)
{
	struct openclaw_gateways *all = mem_zalloc(sizeof(*all));

	all->env = env;
	all->pool = fetch_pool_new(env->loop, &(struct fetch_options){.proxy = ""});
	return all;
}

void openclaw_gateways_free(struct openclaw_gateways *all)
{
	if (!all)
		return;
	assert(!all->gateways && !all->pool);
	free(all);
}

void openclaw_gateways_stop(struct openclaw_gateways *all)
{
	if (!all)
		return;
	for (struct openclaw_gateway *g = all->gateways; g; g = g->next)
		leave(g, LOG_INFO, "the relay is stopping");
	fetch_pool_free(all->pool);
	all->pool = NULL;
}

static struct openclaw_gateway *find(const struct openclaw_gateways *all, const char *slot_id)
{
	struct openclaw_gateway *g = all->gateways;

	while (g && (g->retired || strcmp(g->slot_id, slot_id) != 0))
		g = g->next;
	return g;
}

void openclaw_gateways_ask(
	struct openclaw_gateways *all, const struct slot *s, struct openclaw_use *use)
{
	struct openclaw_gateway *g = find(all, s->id);
	char mark[IDENT_HEX_SIZE];

	assert(!use->gateway);
	mark_of(all, s, mark);
	if (g && strcmp(mark, g->mark) != 0) {
		retire(g, "the slot's credential or the configuration has changed");
		g = NULL;
	}
	if (!g)
		g = gateway_new(all, s);
	timer_stop(&g->idle);
	attach(g, use);
	if (g->state == READY)
		loop_defer(all->env->loop, &g->tell);
}

void openclaw_gateways_leave(struct openclaw_use *use)
{
	struct openclaw_gateway *g = use->gateway;

	if (!g)
		return;
	use->waiting = false;
	detach(use);
	if (g->uses)
		return;
	if (g->state == LEAVING)
		free_if_gone(g);
	else if (g->retired)
		leave(g, LOG_INFO, g->problem);
	else if (g->state == READY)
		timer_start(&g->idle, g->all->env->conf->openclaw_idle_s * 1000);
}

const char *openclaw_gateway_url(const struct openclaw_use *use)
{
	assert(use->gateway && !use->waiting);
	return use->gateway->url;
}

const struct secret *openclaw_gateway_token(const struct openclaw_use *use)
{
	assert(use->gateway && !use->waiting);
	return &use->gateway->token;
}

struct fetch_pool *openclaw_gateway_pool(const struct openclaw_use *use)
{
	assert(use->gateway && !use->waiting);
	return use->gateway->all->pool;
}
