#include "sim/sim_control.h"

#include "base/jw.h"
#include "base/limits.h"
#include "proto/url.h"
#include "sim/sim_accounts.h"
#include "sim/sim_auth.h"
#include "sim/sim_control_accounts.h"
#include "sim/sim_log.h"
#include "sim/sim_script.h"
#include "sim/sim_wait.h"

#include <stdio.h>
#include <stdlib.h>

struct call {
	struct sim *sim;
	struct http_stream *stream;
	json_t *body;		     /* NULL without one */
	struct sv name;		     /* account of the path, if any */
	struct sim_account *account; /* NULL for "*" and for paths without one */
};

void sim_control_json(struct http_stream *stream, int status, struct sv body)
{
	struct http_response r = {.status = status, .content_type = SV("application/json")};

	http_respond(stream, &r, body);
}

void sim_control_error(struct http_stream *stream, int status, const char *message)
{
	struct buf out;
	struct jw w;

	buf_init(&out, KIB(4));
	w = jw_begin(&out);
	jw_obj(&w);
	jw_kstr(&w, "error", sv_cstr(message));
	jw_end(&w);
	sim_control_json(stream, status, buf_sv(&out));
	buf_fini(&out);
}

void sim_control_ok(struct http_stream *stream)
{
	sim_control_json(stream, 200, SV("{\"ok\":true}"));
}

static void answer_jansson(struct http_stream *stream, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	sim_control_json(stream, 200, sv_cstr(text));
	free(text);
	json_decref(json);
}

static void get_accounts(struct call *c)
{
	sim_control_accounts_list(c->sim, c->stream);
}

static void post_accounts(struct call *c)
{
	sim_control_accounts_create(c->sim, c->stream, c->body);
}

static void answer_account(struct call *c)
{
	struct buf out;
	struct jw w;

	buf_init(&out, KIB(16));
	w = jw_begin(&out);
	sim_account_write(c->account, &w);
	sim_control_json(c->stream, 200, buf_sv(&out));
	buf_fini(&out);
}

static void post_account(struct call *c)
{
	const char *wrong = sim_control_accounts_change(c->account, c->body);

	if (wrong)
		sim_control_error(c->stream, 400, wrong);
	else
		answer_account(c);
}

static void get_profiles(struct call *c)
{
	sim_control_accounts_profiles(c->account, c->stream);
}

static void get_auth_json(struct call *c)
{
	sim_control_accounts_auth_json(c->account, c->stream);
}

static struct sim_scripts *scripts_of(struct call *c)
{
	return c->account ? c->account->scripts : c->sim->any_scripts;
}

static void get_scripts(struct call *c)
{
	answer_jansson(c->stream, json_pack("{s:o}", "scripts", sim_scripts_json(scripts_of(c))));
}

/* One script, a list of them, or {"script":[…]}. */
static void post_scripts(struct call *c)
{
	json_t *list = json_object_get(c->body, "script");
	json_t *ids = json_array();
	json_t *one = c->body;
	size_t count;

	if (!json_is_array(list))
		list = json_is_array(c->body) ? c->body : NULL;
	count = list ? json_array_size(list) : 1;
	for (size_t i = 0; i < count; i++) {
		const char *why = "";
		int64_t id;

		if (list)
			one = json_array_get(list, i);
		id = sim_scripts_add(scripts_of(c), one, &why);
		if (id < 0) {
			char text[128];

			snprintf(text, sizeof(text), "bad script: %s", why);
			json_decref(ids);
			sim_control_error(c->stream, 400, text);
			return;
		}
		json_array_append_new(ids, json_integer(id));
	}
	answer_jansson(c->stream, json_pack("{s:o}", "ids", ids));
}

static void delete_scripts(struct call *c)
{
	sim_scripts_clear(scripts_of(c));
	sim_control_ok(c->stream);
}

static void decode_query(struct call *c, struct sv key, struct buf *out)
{
	struct sv query = http_stream_request(c->stream)->query;

	buf_init(out, KIB(4));
	if (url_unescape(url_query_get(query, key), out) < 0)
		buf_reset(out, 0);
}

static void get_requests(struct call *c)
{
	struct sv query = http_stream_request(c->stream)->query;
	struct sim_filter f = {.bodies = !sv_eq(url_query_get(query, SV("bodies")), SV("0"))};
	struct buf account, path, out;

	decode_query(c, SV("account"), &account);
	decode_query(c, SV("path"), &path);
	f.account = buf_sv(&account);
	f.path = buf_sv(&path);
	if (sv_u64(url_query_get(query, SV("since")), &f.since))
		f.since = 0;
	buf_init(&out, MIB(512));
	sim_log_write(c->sim->log, &f, &out);
	buf_fini(&account);
	buf_fini(&path);
	sim_control_json(c->stream, 200, buf_sv(&out));
	buf_fini(&out);
}

static void delete_requests(struct call *c)
{
	if (c->sim->log)
		sim_log_clear(c->sim->log);
	sim_control_ok(c->stream);
}

static void get_wait(struct call *c)
{
	sim_wait_handle(c->sim, c->stream);
}

static json_t *refreshes_by_account(struct sim *sim)
{
	json_t *object = json_object();

	for (size_t i = 0; i < sim_accounts_count(sim->accounts); i++) {
		const struct sim_account *a = sim_accounts_at(sim->accounts, i);

		json_object_set_new(object, a->id, json_integer((json_int_t)a->refreshes));
	}
	return object;
}

static void get_stats(struct call *c)
{
	const struct sim_stats *s = &c->sim->stats;

	answer_jansson(c->stream,
		json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "requests",
			(json_int_t)s->requests, "responses", (json_int_t)s->responses, "finished",
			(json_int_t)s->finished, "gone", (json_int_t)s->gone, "faults",
			(json_int_t)s->faults, "refused", (json_int_t)s->refused, "events",
			(json_int_t)s->events, "active", (json_int_t)s->active, "refreshes",
			(json_int_t)s->refreshes, "refresh_reuses", (json_int_t)s->refresh_reuses,
			"connections", (json_int_t)http_server_connections(c->sim->server),
			"sockets", (json_int_t)s->sockets, "refreshes_by_account",
			refreshes_by_account(c->sim)));
}

static void post_reset(struct call *c)
{
	struct sim *sim = c->sim;
	unsigned active = sim->stats.active, sockets = sim->stats.sockets;

	sim->clock_offset_ms = 0;
	sim_default_settings(sim);
	sim_accounts_reset(sim->accounts);
	sim_scripts_clear(sim->any_scripts);
	sim_auth_clear(sim->auth);
	if (sim->log)
		sim_log_clear(sim->log);
	sim->stats = (struct sim_stats){.active = active, .sockets = sockets};
	sim_control_ok(c->stream);
}

static void get_clock(struct call *c)
{
	answer_jansson(c->stream, json_pack("{s:I,s:I}", "now_ms", sim_now_ms(c->sim), "offset_ms",
					  c->sim->clock_offset_ms));
}

static void post_clock(struct call *c)
{
	json_t *advance = json_object_get(c->body, "advance_seconds");

	if (!json_is_number(advance)) {
		sim_control_error(c->stream, 400, "advance_seconds is needed");
		return;
	}
	c->sim->clock_offset_ms += (int64_t)(json_number_value(advance) * 1000);
	get_clock(c);
}

static void get_settings(struct call *c)
{
	const struct sim_settings *s = &c->sim->settings;

	answer_jansson(
		c->stream, json_pack("{s:I,s:I,s:b,s:b,s:I,s:b,s:b,s:s,s:s}", "pace_ms", s->pace_ms,
				   "capacity_tokens", s->capacity_tokens, "output_in_terminal",
				   s->output_in_terminal, "device_enabled", s->device_enabled,
				   "device_pending_polls", s->device_pending_polls, "models_etag",
				   s->models_etag, "websockets", s->websockets, "login_account",
				   s->login_account, "login_error", s->login_error));
}

static void post_settings(struct call *c)
{
	struct sim_settings *s = &c->sim->settings;
	json_int_t pace = s->pace_ms, capacity = s->capacity_tokens,
		   polls = s->device_pending_polls;
	int output = s->output_in_terminal, enabled = s->device_enabled, etag = s->models_etag,
	    websockets = s->websockets;
	const char *login = s->login_account, *login_error = s->login_error;
	json_error_t error;

	if (!c->body || json_unpack_ex(c->body, &error, JSON_STRICT,
				"{s?I,s?I,s?b,s?b,s?I,s?b,s?b,s?s,s?s}", "pace_ms", &pace,
				"capacity_tokens", &capacity, "output_in_terminal", &output,
				"device_enabled", &enabled, "device_pending_polls", &polls,
				"models_etag", &etag, "websockets", &websockets, "login_account",
				&login, "login_error", &login_error) < 0) {
		sim_control_error(c->stream, 400, c->body ? error.text : "an object is needed");
		return;
	}
	s->pace_ms = pace;
	s->capacity_tokens = capacity;
	s->output_in_terminal = output;
	s->device_enabled = enabled;
	s->device_pending_polls = polls;
	s->models_etag = etag;
	s->websockets = websockets;
	if (login != s->login_account)
		snprintf(s->login_account, sizeof(s->login_account), "%s", login);
	if (login_error != s->login_error)
		snprintf(s->login_error, sizeof(s->login_error), "%s", login_error);
	get_settings(c);
}

static void post_approve(struct call *c)
{
	const char *code = json_string_value(json_object_get(c->body, "user_code"));

	if (sim_auth_approve(c->sim->auth, sv_cstr(code)))
		sim_control_ok(c->stream);
	else
		sim_control_error(c->stream, 404, "no such user_code");
}

static void post_deny(struct call *c)
{
	const char *code = json_string_value(json_object_get(c->body, "user_code"));

	if (sim_auth_deny(c->sim->auth, sv_cstr(code)))
		sim_control_ok(c->stream);
	else
		sim_control_error(c->stream, 404, "no such user_code");
}

/* A path with "{id}" names an account; "*" is allowed where scripts are meant. */
static const struct {
	const char *method;
	const char *path;
	bool any_account;
	void (*handle)(struct call *c);
} ROUTES[] = {
	{"GET", "/_sim/accounts", false, get_accounts},
	{"POST", "/_sim/accounts", false, post_accounts},
	{"GET", "/_sim/accounts/{id}", false, answer_account},
	{"POST", "/_sim/accounts/{id}", false, post_account},
	{"GET", "/_sim/accounts/{id}/auth-profiles.json", false, get_profiles},
	{"GET", "/_sim/accounts/{id}/auth.json", false, get_auth_json},
	{"GET", "/_sim/accounts/{id}/script", true, get_scripts},
	{"POST", "/_sim/accounts/{id}/script", true, post_scripts},
	{"DELETE", "/_sim/accounts/{id}/script", true, delete_scripts},
	{"GET", "/_sim/requests", false, get_requests},
	{"DELETE", "/_sim/requests", false, delete_requests},
	{"GET", "/_sim/wait", false, get_wait},
	{"GET", "/_sim/stats", false, get_stats},
	{"POST", "/_sim/reset", false, post_reset},
	{"GET", "/_sim/clock", false, get_clock},
	{"POST", "/_sim/clock", false, post_clock},
	{"GET", "/_sim/settings", false, get_settings},
	{"POST", "/_sim/settings", false, post_settings},
	{"POST", "/_sim/device/approve", false, post_approve},
	{"POST", "/_sim/device/deny", false, post_deny},
};

/* Does the path fit the pattern? Then *ret_name is what stands for {id}. */
static bool fits(struct sv path, struct sv pattern, struct sv *ret_name)
{
	ptrdiff_t at = sv_find(pattern, SV("{id}"));
	struct sv rest, name;

	*ret_name = SV_NONE;
	if (at < 0)
		return sv_eq(path, pattern);
	if (!sv_starts(path, sv_make(pattern.p, (size_t)at)))
		return false;
	rest = sv_from(path, (size_t)at);
	name = rest;
	while (rest.n && rest.p[0] != '/')
		rest = sv_from(rest, 1);
	name.n -= rest.n;
	*ret_name = name;
	return name.n && sv_eq(rest, sv_from(pattern, (size_t)at + 4));
}

static void run(struct call *c, bool any_account, void (*handle)(struct call *c))
{
	struct sv text = buf_sv(http_body(c->stream));
	json_error_t error;

	if (c->name.n && !sv_eq(c->name, SV("*")) && !sv_eq(c->name, SV("%2A"))) {
		c->account = sim_accounts_find(c->sim->accounts, c->name);
		any_account = c->account != NULL;
	}
	if (c->name.n && !any_account) {
		sim_control_error(c->stream, 404, "no such account");
		return;
	}
	if (text.n) {
		c->body = json_loadb(text.p, text.n, 0, &error);
		if (!c->body) {
			sim_control_error(c->stream, 400, error.text);
			return;
		}
	}
	handle(c);
	json_decref(c->body);
}

void sim_control_handle(struct sim *sim, struct http_stream *stream)
{
	const struct http_request *r = http_stream_request(stream);
	struct call c = {.sim = sim, .stream = stream};

	for (size_t i = 0; i < ARRAY_LEN(ROUTES); i++) {
		if (sv_eq(r->method, sv_cstr(ROUTES[i].method)) &&
			fits(r->path, sv_cstr(ROUTES[i].path), &c.name)) {
			run(&c, ROUTES[i].any_account, ROUTES[i].handle);
			return;
		}
	}
	sim_control_error(stream, 404, "no such control path; see docs/sim.md");
}
