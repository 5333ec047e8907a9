#include "admin/admin_wait.h"

#include "relay/reply.h"

#include <string.h>

static void on_gone(struct route_user *user, enum conn_end why)
{
	struct admin_wait *w = CONTAINER_OF(user, struct admin_wait, user);

	(void)why;
	w->stream = NULL;
}

static const struct route_user_ops user_ops = {.on_gone = on_gone};

bool admin_wait_begin(struct admin_wait *w, struct relay *r, struct http_stream *s,
	void (*cancel)(struct admin_wait *w))
{
	struct admin *a = admin_of(r);
	struct api_err err;

	if (a->wait_count == LIMIT_ADMIN_WAITS_COUNT) {
		api_err_set(&err, 503, "server_error", "busy",
			"%d requests of the admin API are at work already.",
			LIMIT_ADMIN_WAITS_COUNT);
		reply_error(r, s, &err, NULL);
		return false;
	}
	w->admin = a;
	w->stream = s;
	w->cancel = cancel;
	memcpy(w->request_id, router_request_id(r, s), sizeof(w->request_id));
	w->user = (struct route_user){&user_ops, w->request_id};
	http_stream_set_user(s, &w->user);
	w->next = a->waits;
	w->prev = &a->waits;
	if (w->next)
		w->next->prev = &w->next;
	a->waits = w;
	a->wait_count++;
	return true;
}

void admin_wait_end(struct admin_wait *w)
{
	*w->prev = w->next;
	if (w->next)
		w->next->prev = w->prev;
	w->admin->wait_count--;
}

void admin_wait_stop(struct admin *a)
{
	while (a->waits) {
		struct admin_wait *w = a->waits;

		/* The HTTP server ends the stream itself. */
		if (w->stream)
			http_stream_set_user(w->stream, NULL);
		w->stream = NULL;
		admin_wait_end(w);
		w->cancel(w);
	}
}
