#include "admin/admin_refresh.h"

#include "admin/admin_wait.h"
#include "base/clock.h"
#include "relay/reply.h"
#include "slots/refresher.h"

#include <stdlib.h>

struct asking {
	struct admin_wait wait;
	struct refresh_wait token;
	char id[LIMIT_SLOT_ID_BYTES];
};

static void on_cancel(struct admin_wait *w)
{
	struct asking *a = CONTAINER_OF(w, struct asking, wait);

	refresher_leave(&a->token);
	free(a);
}

static void answer(struct asking *a, const struct slot *slot, enum refresh_result result)
{
	struct relay *r = a->wait.admin->relay;
	struct api_err err;

	if (result == REFRESH_READY) {
		reply_value(r, a->wait.stream, 200,
			json_pack("{s:b, s:o}", "ok", 1, "slot",
				admin_show_slot(r, slot, clock_wall_ms())));
		return;
	}
	if (result == REFRESH_REAUTH)
		api_err_set(&err, 409, "invalid_request_error", "reauth_required",
			"The login of %s is dead: slot-login --slot %s.", a->id, a->id);
	else
		api_err_set(&err, 502, "server_error", "refresh_failed", "%s: %s", a->id,
			slot->last_error[0] ? slot->last_error : "it could not be refreshed");
	reply_error(r, a->wait.stream, &err, NULL);
}

static void on_done(struct refresh_wait *token, enum refresh_result result)
{
	struct asking *a = CONTAINER_OF(token, struct asking, token);
	struct relay *r = a->wait.admin->relay;
	const struct slot *slot = slot_table_find(r->slots, a->id);

	if (a->wait.stream && slot)
		answer(a, slot, result);
	else if (a->wait.stream)
		admin_no_slot(r, a->wait.stream, sv_cstr(a->id));
	admin_wait_end(&a->wait);
	free(a);
}

void admin_refresh_slot(struct relay *r, struct http_stream *s)
{
	struct slot *slot = admin_slot(r, s);
	struct asking *a;
	struct api_err err;

	if (!slot)
		return;
	if (!slot_can_refresh(slot)) {
		api_err_set(&err, 409, "invalid_request_error",
			slot->reauth_required ? "reauth_required" : "no_refresh_token",
			slot->reauth_required ? "The login of %s is dead: slot-login --slot %s."
					      : "%s has no refresh token that may be sent: "
						"slot-login --slot %s.",
			slot->id, slot->id);
		reply_error(r, s, &err, NULL);
		return;
	}
	a = mem_zalloc(sizeof(*a));
	if (!admin_wait_begin(&a->wait, r, s, on_cancel)) {
		free(a);
		return;
	}
	memcpy(a->id, slot->id, sizeof(a->id));
	a->token.on_done = on_done;
	refresher_force(r->env.refresher, slot, &a->token);
}
