#include "admin/admin_usage.h"

#include "admin/admin_wait.h"
#include "base/clock.h"
#include "proto/url.h"
#include "relay/reply.h"
#include "slots/store.h"
#include "slots/usage_round.h"

#include <stdlib.h>

struct asking {
	struct admin_wait wait;
	struct usage_round *round;
};

static void on_cancel(struct admin_wait *w)
{
	struct asking *a = CONTAINER_OF(w, struct asking, wait);

	usage_round_cancel(a->round);
	free(a);
}

static void answer(struct asking *a, const struct usage_result *results, size_t count)
{
	struct relay *r = a->wait.admin->relay;
	struct api_err err;

	if (count == 0 || usage_round_updated(results, count)) {
		reply_value(
			r, a->wait.stream, 200, usage_round_json(results, count, clock_wall_ms()));
		return;
	}
	api_err_set(&err, 502, "server_error", "usage_not_updated", "%s: %s", results[0].id,
		results[0].problem);
	reply_error(r, a->wait.stream, &err, NULL);
}

static void on_done(void *arg, const struct usage_result *results, size_t count)
{
	struct asking *a = arg;

	if (a->wait.stream)
		answer(a, results, count);
	admin_wait_end(&a->wait);
	free(a);
}

/* 0 and *ret_slot (NULL: all); -ENOENT: answered with 404. */
static int read_query(struct relay *r, struct http_stream *s, const struct slot **ret_slot)
{
	struct sv raw = url_query_get(http_stream_request(s)->query, SV("slot"));
	char id[LIMIT_SLOT_ID_BYTES];
	struct slot *slot = NULL;
	struct buf text;

	*ret_slot = NULL;
	if (!raw.p)
		return 0;
	buf_init(&text, LIMIT_PARAM_BYTES);
	/* A NUL would end the name for the one and not for the other. */
	if (url_unescape(raw, &text) == 0 && http_is_field_value(buf_sv(&text)) &&
		store_slot_id(buf_cstr(&text), id) == 0)
		slot = slot_table_find(r->slots, id);
	if (!slot)
		admin_no_slot(r, s, buf_sv(&text));
	buf_fini(&text);
	*ret_slot = slot;
	return slot ? 0 : -1;
}

void admin_usage_refresh(struct relay *r, struct http_stream *s)
{
	const struct slot *slot;
	struct asking *a;

	if (read_query(r, s, &slot))
		return;
	a = mem_zalloc(sizeof(*a));
	if (!admin_wait_begin(&a->wait, r, s, on_cancel)) {
		free(a);
		return;
	}
	a->round = usage_round_start(&r->env, slot ? slot->id : NULL, on_done, a);
}
