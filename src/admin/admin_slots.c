#include "admin/admin_slots.h"

#include "base/clock.h"
#include "relay/reply.h"
#include "relay/router.h"
#include "slots/catalogue.h"
#include "slots/show.h"
#include "slots/slot_explain.h"
#include "slots/store.h"

#include <stdio.h>

void admin_slots_list(struct relay *r, struct http_stream *s)
{
	int64_t now_ms = clock_wall_ms();
	json_t *list = json_array();

	for (size_t i = 0; i < slot_table_count(r->slots); i++)
		json_array_append_new(
			list, store_show_slot(slot_table_at(r->slots, i),
				      slot_table_reason(r->slots, i, now_ms), now_ms));
	reply_value(r, s, 200, json_pack("{s:o}", "slots", list));
}

static enum pick_reason reason_of(struct relay *r, const struct slot *slot, int64_t now_ms)
{
	for (size_t i = 0; i < slot_table_count(r->slots); i++) {
		if (slot_table_at(r->slots, i) == slot)
			return slot_table_reason(r->slots, i, now_ms);
	}
	return PICK_DISABLED;
}

json_t *admin_show_slot(struct relay *r, const struct slot *slot, int64_t now_ms)
{
	enum pick_reason reason = reason_of(r, slot, now_ms);
	json_t *shown = store_show_slot(slot, reason, now_ms);

	json_object_set_new(shown, "models",
		slot->catalogue ? json_integer((json_int_t)slot->catalogue->count) : json_null());
	json_object_set_new(shown, "modelsFetchedAt",
		show_time(slot->catalogue ? slot->catalogue->fetched_ms : 0));
	json_object_set_new(shown, "explanation", slot_explain_json(slot, reason, r->conf, now_ms));
	return shown;
}

void admin_no_slot(struct relay *r, struct http_stream *s, struct sv id)
{
	struct api_err err;

	api_err_set(&err, 404, "invalid_request_error", "slot_not_found",
		"There is no slot \"%.*s\".", id.n > 64 ? 64 : (int)id.n, id.p);
	reply_error(r, s, &err, NULL);
}

struct slot *admin_slot(struct relay *r, struct http_stream *s)
{
	struct sv param = router_param(r);
	char text[LIMIT_PARAM_BYTES + 1], id[LIMIT_SLOT_ID_BYTES];
	struct slot *slot = NULL;

	snprintf(text, sizeof(text), "%.*s", SV_ARG(param));
	if (store_slot_id(text, id) == 0)
		slot = slot_table_find(r->slots, id);
	if (!slot)
		admin_no_slot(r, s, param);
	return slot;
}

void admin_slots_get(struct relay *r, struct http_stream *s)
{
	const struct slot *slot = admin_slot(r, s);

	if (slot)
		reply_value(r, s, 200,
			json_pack("{s:o}", "slot", admin_show_slot(r, slot, clock_wall_ms())));
}
