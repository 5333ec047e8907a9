#include "admin/admin.h"

#include "admin/admin_edit.h"
#include "admin/admin_events.h"
#include "admin/admin_refresh.h"
#include "admin/admin_requests.h"
#include "admin/admin_slots.h"
#include "admin/admin_stats.h"
#include "admin/admin_usage.h"
#include "admin/admin_wait.h"
#include "relay/router.h"

#include <stdlib.h>

static const struct route routes[] = {
	{"/admin/slots", "GET, HEAD", ROLE_ADMIN, admin_slots_list,
		"all slots with limits, state and why they are not eligible"},
	{"/admin/slots/{id}", "GET, HEAD", ROLE_ADMIN, admin_slots_get,
		"one slot, and in words why it can or cannot serve"},
	{"/admin/slots/{id}", "DELETE", ROLE_ADMIN, admin_edit_remove,
		"removes a slot with its credentials"},
	{"/admin/slots/{id}/enable", "POST", ROLE_ADMIN, admin_edit_enable,
		"lets requests use a slot"},
	{"/admin/slots/{id}/disable", "POST", ROLE_ADMIN, admin_edit_disable,
		"keeps requests away from a slot"},
	{"/admin/slots/{id}/reset", "POST", ROLE_ADMIN, admin_edit_reset,
		"clears a slot's cooldown, failures and last error"},
	{"/admin/slots/{id}/refresh", "POST", ROLE_ADMIN, admin_refresh_slot,
		"gives a slot a new access token now"},
	{"/admin/refresh-usage", "POST", ROLE_ADMIN, admin_usage_refresh,
		"asks the usage backend about one slot (?slot=) or all"},
	{"/admin/stats", "GET, HEAD", ROLE_ADMIN, admin_stats_get,
		"counts since the start, the last requests and errors"},
	{"/admin/dependency-map", "GET, HEAD", ROLE_ADMIN, admin_stats_dependency_map,
		"which backends are in use, and what needs them"},
	{"/admin/config", "GET, HEAD", ROLE_ADMIN, admin_stats_config,
		"the configuration that runs, without its secrets"},
	{"/admin/requests", "GET, HEAD", ROLE_ADMIN, admin_requests_list,
		"the last requests that asked for a model"},
	{"/admin/requests/{id}", "GET, HEAD", ROLE_ADMIN, admin_requests_get,
		"one request with its attempts and the selection of their slots"},
	{"/admin/events", "GET, HEAD", ROLE_ADMIN, admin_events_get,
		"server-sent events: changes of slots, finished requests"},
	{0},
};

static void on_start(struct relay *r)
{
	struct admin *a = mem_zalloc(sizeof(*a));

	a->relay = r;
	a->events = admin_events_new(r);
	r->extension_state = a;
}

static void on_drain(struct relay *r)
{
	admin_events_end(admin_of(r)->events);
}

static void on_stop(struct relay *r)
{
	struct admin *a = admin_of(r);

	if (!a)
		return;
	admin_wait_stop(a);
	a->edits = NULL; /* those that are with a thread free themselves */
	admin_events_stop(a->events);
}

static void on_free(struct relay *r)
{
	struct admin *a = admin_of(r);

	if (!a)
		return;
	admin_events_free(a->events);
	free(a);
}

static const struct relay_extension extension = {
	.routes = routes,
	.on_start = on_start,
	.on_drain = on_drain,
	.on_stop = on_stop,
	.on_free = on_free,
};

const struct relay_extension *admin_extension(void)
{
	return &extension;
}
