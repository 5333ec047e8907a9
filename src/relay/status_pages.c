#include "relay/status_pages.h"

#include "base/clock.h"
#include "base/jw.h"
#include "relay/relay.h"
#include "relay/reply.h"
#include "version.h"

static void write_busy(struct jw *w, struct relay *r)
{
	jw_karr(w, "busy");
	for (size_t i = 0; i < slot_table_count(r->slots); i++) {
		struct slot *slot = slot_table_at(r->slots, i);

		if (slot->inflight)
			jw_str(w, sv_cstr(slot->id));
	}
	jw_end(w);
}

static size_t count_enabled(struct relay *r)
{
	size_t enabled = 0;

	for (size_t i = 0; i < slot_table_count(r->slots); i++)
		enabled += slot_table_at(r->slots, i)->enabled;
	return enabled;
}

static void write_listeners(struct jw *w, struct relay *r)
{
	const char *address;

	jw_karr(w, "listeners");
	for (size_t i = 0; (address = http_server_address_at(r->server, i)); i++)
		jw_str(w, sv_cstr(address));
	jw_end(w);
}

static void write_health(struct jw *w, struct relay *r, bool ok, int64_t now_ms)
{
	char time[CLOCK_ISO_SIZE];

	clock_format_iso(now_ms, time);
	jw_obj(w);
	jw_kbool(w, "ok", ok);
	jw_kstr(w, "time", sv_cstr(time));
	jw_kstr(w, "version", SV(RELAY_VERSION));
	jw_kstr(w, "listen", sv_cstr(http_server_address(r->server)));
	write_listeners(w, r);
	jw_ki64(w, "slots", (int64_t)slot_table_count(r->slots));
	write_busy(w, r);
	jw_kobj(w, "slotsDetail");
	jw_ki64(w, "total", (int64_t)slot_table_count(r->slots));
	jw_ki64(w, "enabled", (int64_t)count_enabled(r));
	jw_ki64(w, "eligible", (int64_t)slot_table_eligible(r->slots, now_ms));
	jw_end(w);
	jw_kstr(w, "selectionPolicy", sv_cstr(conf_policy_name(r->conf->policy)));
	jw_kobj(w, "backends");
	jw_kstr(w, "auth", sv_cstr(conf_backend_name(r->conf->auth_backend)));
	jw_kstr(w, "usage", sv_cstr(conf_backend_name(r->conf->usage_backend)));
	jw_kstr(w, "runner", sv_cstr(conf_backend_name(r->conf->runner_backend)));
	jw_end(w);
	jw_ki64(w, "inflight", (int64_t)r->exchange_count);
	jw_ki64(w, "waiting", (int64_t)waitq_count(r->waitq));
	jw_kbool(w, "draining", r->draining);
	if (r->conf_reload.problem[0])
		jw_kstr(w, "configError", sv_cstr(r->conf_reload.problem));
	else
		jw_knull(w, "configError");
	tls_reload_write(&r->tls, w);
	jw_end(w);
}

void status_health(struct relay *r, struct http_stream *s)
{
	struct buf body;
	struct jw w;

	buf_init(&body, MIB(1));
	w = jw_begin(&body);
	write_health(&w, r, true, clock_wall_ms());
	reply_json(r, s, 200, &body);
}

void status_ready(struct relay *r, struct http_stream *s)
{
	int64_t now_ms = clock_wall_ms();
	bool ready = !r->draining && slot_table_eligible(r->slots, now_ms) > 0;
	struct buf body;
	struct jw w;

	buf_init(&body, MIB(1));
	w = jw_begin(&body);
	write_health(&w, r, ready, now_ms);
	reply_json(r, s, ready ? 200 : 503, &body);
}
