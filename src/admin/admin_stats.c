#include "admin/admin_stats.h"

#include "base/clock.h"
#include "conf/conf_table.h"
#include "conf/dependency_map.h"
#include "relay/continuation.h"
#include "relay/reply.h"
#include "relay/transport.h"
#include "slots/show.h"
#include "version.h"

void admin_stats_get(struct relay *r, struct http_stream *s)
{
	json_t *shown = stats_json(r->stats, r->exchange_count, clock_wall_ms());

	json_object_set_new(shown, "continuation",
		json_pack("{s:I, s:I}", "entries", (json_int_t)continuation_count(r->continuation),
			"bytes", (json_int_t)continuation_bytes(r->continuation)));
	json_object_set_new(shown, "upstreamSockets", transport_json(r));
	json_object_set_new(shown, "version", json_string(RELAY_VERSION));
	json_object_set_new(shown, "config", conf_json(r->conf, false, false));
	json_object_set_new(shown, "dependencyMap", dependency_map_json(r->conf));
	reply_value(r, s, 200, shown);
}

static void note_restart(void *arg, const struct conf_key *key)
{
	if (key->needs_restart)
		json_array_append_new(arg, json_string(key->name));
}

void admin_stats_config(struct relay *r, struct http_stream *s)
{
	json_t *waiting = json_array();

	conf_changes(r->conf_at_start, r->conf, note_restart, waiting);
	reply_value(r, s, 200,
		json_pack("{s:o, s:o, s:o}", "config", conf_json(r->conf, false, false),
			"configError", show_text(r->conf_reload.problem), "needsRestart", waiting));
}

void admin_stats_dependency_map(struct relay *r, struct http_stream *s)
{
	reply_value(r, s, 200, json_pack("{s:o}", "dependencyMap", dependency_map_json(r->conf)));
}
