#include "relay/transport.h"

#include "base/clock.h"
#include "relay/relay.h"
#include "slots/show.h"
#include "slots/slot_table.h"

#include <string.h>

/* A first turn waits no longer than that for an upgrade that nobody answers. */
enum { UPGRADE_TIMEOUT_MS = 2000 };

/*
 * Only a conversation whose items stay byte for byte the same can be sent in increments. That is
 * so for clients on a socket, whose conversation the relay puts together; what others send again is
 * mostly written anew, and a kept-alive HTTP connection serves them as well.
 */
static bool is_wanted(const struct conf *conf, const struct client *client, const struct turn *turn)
{
	if (turn->dialect->compacts)
		return false;
	switch (conf->upstream_transport) {
	case TRANSPORT_HTTP:
		return false;
	case TRANSPORT_AUTO:
		return client->on_socket;
	case TRANSPORT_WEBSOCKET:
		break;
	}
	return true;
}

void transport_choose(const struct relay *relay, const struct conf *conf,
	const struct client *client, const struct turn *turn, struct upstream_request *r)
{
	if (!is_wanted(conf, client, turn))
		return;
	r->sockets = relay->upstream_sockets;
	r->upgrade_timeout_ms = UPGRADE_TIMEOUT_MS;
	if (conf->upstream_transport == TRANSPORT_WEBSOCKET)
		r->upgrade_timeout_ms = r->connect_timeout_ms;
}

void transport_start(struct relay *relay)
{
	relay->upstream_sockets = socket_pool_new(relay->loop, fetch_pool_dialer(relay->pool));
}

void transport_stop(struct relay *relay)
{
	socket_pool_free(relay->upstream_sockets);
	relay->upstream_sockets = NULL;
}

static bool is_of_slots(void *arg, struct sv slot, struct sv grant)
{
	const struct relay *relay = arg;

	for (size_t i = 0; i < slot_table_count(relay->slots); i++) {
		const struct slot *s = slot_table_at(relay->slots, i);

		if (sv_eq(sv_cstr(s->id), slot))
			return s->enabled && !s->dead &&
			       sv_eq(sv_cstr(s->token_fingerprint), grant);
	}
	return false;
}

void transport_slots_changed(struct relay *relay)
{
	if (relay->upstream_sockets)
		socket_pool_keep(relay->upstream_sockets, is_of_slots, relay);
}

void transport_conf_changed(struct relay *relay)
{
	if (!relay->upstream_sockets)
		return;
	socket_pool_forget_failures(relay->upstream_sockets);
	if (relay->conf->upstream_transport == TRANSPORT_HTTP)
		socket_pool_dismiss_all(relay->upstream_sockets);
}

static json_t *hosts_json(const struct socket_pool *pool)
{
	int64_t now_ms = clock_wall_ms();
	json_t *hosts = json_array();
	struct socket_host h;

	for (size_t i = 0; socket_pool_host(pool, i, &h); i++) {
		int64_t until_ms = h.http_for_ms ? now_ms + h.http_for_ms : 0;

		json_array_append_new(hosts,
			json_pack("{s:s%, s:b, s:o}", "host", h.name.p, h.name.n, "takesSockets",
				(int)h.takes_sockets, "httpUntil", show_time(until_ms)));
	}
	return hosts;
}

json_t *transport_json(const struct relay *relay)
{
	const struct socket_pool *pool = relay->upstream_sockets;
	struct socket_counts counts = {0};

	if (pool)
		counts = socket_pool_counts(pool);
	return json_pack("{s:I, s:I, s:I, s:o}", "idle", (json_int_t)counts.idle, "busy",
		(json_int_t)counts.busy, "dialing", (json_int_t)counts.dialing, "hosts",
		pool ? hosts_json(pool) : json_array());
}
