#include "admin/admin_edit.h"

#include "base/clock.h"
#include "base/log.h"
#include "conf/runtime_dir.h"
#include "relay/reply.h"
#include "relay/router.h"
#include "slots/slot_edit.h"
#include "slots/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { EDITS_MAX = 64, RETRY_MS = 20 };

struct action {
	const char *name; /* for the log */
	int (*edit)(json_t *slots, void *arg);
	bool enabled; /* for slot_edit_enable() */
	bool removes;
};

static const struct action enable = {"enable", slot_edit_enable, .enabled = true};
static const struct action disable = {"disable", slot_edit_enable};
static const struct action reset = {"reset", slot_edit_reset};
static const struct action removal = {"remove", slot_edit_remove, .removes = true};

struct admin_edit {
	struct admin_edit *next;
	struct route_user user;
	char request_id[IDENT_UUID_SIZE];
	struct admin *admin;
	struct http_stream *stream; /* NULL: the client has gone */
	const struct action *action;
	char id[LIMIT_SLOT_ID_BYTES];
	char *root; /* ours: the thread reads it */
	struct slot_edit edit;
	int result, files_result;
	struct conf_error err;
	bool orphan; /* the relay has stopped meanwhile */
	struct timer retry;
};

static void free_edit(struct admin_edit *e)
{
	timer_stop(&e->retry);
	free(e->root);
	free(e);
}

static void on_gone(struct route_user *user, enum conn_end why)
{
	struct admin_edit *e = CONTAINER_OF(user, struct admin_edit, user);

	(void)why;
	e->stream = NULL;
}

static const struct route_user_ops user_ops = {.on_gone = on_gone};

/* --- the answer --- */

static void describe_failure(const struct admin_edit *e, struct api_err *err)
{
	if (e->result == -ENOENT && !e->err.message[0])
		api_err_set(err, 404, "invalid_request_error", "slot_not_found",
			"There is no slot \"%s\".", e->id);
	else if (e->result == -ETIMEDOUT)
		api_err_set(err, 503, "server_error", "state_locked", "%s", e->err.message);
	else if (e->result)
		api_err_set(err, 500, "server_error", "state_not_written", "%s",
			e->err.message[0] ? e->err.message : strerror(-e->result));
	else
		api_err_set(err, 500, "server_error", "files_not_removed",
			"%s is removed, but its files under state/slots are not: %s", e->id,
			strerror(-e->files_result));
}

static void reply_result(struct admin_edit *e)
{
	struct relay *r = e->admin->relay;
	const struct slot *slot = slot_table_find(r->slots, e->id);
	struct api_err err;

	if (e->result || e->files_result) {
		describe_failure(e, &err);
		reply_error(r, e->stream, &err, NULL);
	} else if (e->action->removes) {
		reply_value(r, e->stream, 200, json_pack("{s:b, s:s}", "ok", 1, "removed", e->id));
	} else if (slot) {
		reply_value(r, e->stream, 200,
			json_pack("{s:b, s:o}", "ok", 1, "slot",
				admin_show_slot(r, slot, clock_wall_ms())));
	} else {
		/* Somebody has removed it since. */
		admin_no_slot(r, e->stream, sv_cstr(e->id));
	}
}

static void log_edit(const struct admin_edit *e)
{
	log_begin(e->result ? LOG_WARN : LOG_INFO, "admin.slot");
	log_str("request_id", sv_cstr(e->request_id));
	log_str("slot_id", sv_cstr(e->id));
	log_str("action", sv_cstr(e->action->name));
	log_bool("ok", e->result == 0);
	if (e->result)
		log_str("reason",
			sv_cstr(e->err.message[0] ? e->err.message : strerror(-e->result)));
	log_end();
}

/* --- the work --- */

static void run_first(struct admin *a);

static void write_out(void *arg)
{
	struct admin_edit *e = arg;

	e->result = store_edit(e->root, e->action->edit, &e->edit, &e->err);
	if (!e->result && e->action->removes)
		e->files_result = runtime_remove_slot(e->root, e->id);
}

static void finish(struct admin_edit *e)
{
	struct admin *a = e->admin;

	a->edits = e->next;
	a->edit_count--;
	log_edit(e);
	if (e->stream)
		reply_result(e);
	free_edit(e);
	run_first(a);
}

/* The table must not be read again while the saver has told it that all is written. */
static void take_over(struct admin_edit *e)
{
	struct slot *slot = slot_table_find(e->admin->relay->slots, e->id);

	/* The operator's word is newer than what the relay found out before. */
	if (slot && e->action == &enable && !e->result)
		slot->dead = false;
	if (!e->result && !relay_reload_slots(e->admin->relay)) {
		timer_start(&e->retry, RETRY_MS);
		return;
	}
	finish(e);
}

static void on_retry(struct timer *t)
{
	take_over(CONTAINER_OF(t, struct admin_edit, retry));
}

static void on_written(void *arg)
{
	struct admin_edit *e = arg;

	if (e->orphan)
		free_edit(e);
	else
		take_over(e);
}

static void run_first(struct admin *a)
{
	if (a->edits)
		loop_work(a->relay->loop, write_out, on_written, a->edits);
}

static void start(struct relay *r, struct http_stream *s, const struct action *action)
{
	struct admin *a = admin_of(r);
	struct slot *slot = admin_slot(r, s);
	struct admin_edit **last = &a->edits;
	struct admin_edit *e;
	struct api_err err;

	if (!slot)
		return;
	if (a->edit_count == EDITS_MAX) {
		api_err_set(&err, 503, "server_error", "busy",
			"%d changes of slots wait to be written.", EDITS_MAX);
		reply_error(r, s, &err, NULL);
		return;
	}
	e = mem_zalloc(sizeof(*e));
	e->admin = a;
	e->stream = s;
	e->action = action;
	e->root = mem_strdup(r->root);
	memcpy(e->id, slot->id, sizeof(e->id));
	memcpy(e->request_id, router_request_id(r, s), sizeof(e->request_id));
	e->edit = (struct slot_edit){
		.id = e->id, .now_ms = clock_wall_ms(), .enabled = action->enabled};
	e->user = (struct route_user){&user_ops, e->request_id};
	timer_init(&e->retry, r->loop, on_retry);
	http_stream_set_user(s, &e->user);
	while (*last)
		last = &(*last)->next;
	*last = e;
	if (a->edit_count++ == 0)
		run_first(a);
}

void admin_edit_enable(struct relay *r, struct http_stream *s)
{
	start(r, s, &enable);
}

void admin_edit_disable(struct relay *r, struct http_stream *s)
{
	start(r, s, &disable);
}

void admin_edit_reset(struct relay *r, struct http_stream *s)
{
	start(r, s, &reset);
}

void admin_edit_remove(struct relay *r, struct http_stream *s)
{
	start(r, s, &removal);
}

void admin_edit_stop(struct admin *a)
{
	struct admin_edit *e = a->edits;
	bool first = true;

	a->edits = NULL;
	a->edit_count = 0;
	while (e) {
		struct admin_edit *next = e->next;
		bool waits_for_saver = timer_is_active(&e->retry);

		/* on_stop comes before the HTTP server ends: nobody answers these streams. */
		if (e->stream) {
			http_stream_set_user(e->stream, NULL);
			e->stream = NULL;
		}
		e->orphan = true;
		/* The first one is with its thread, which still has it. */
		if (!first || waits_for_saver)
			free_edit(e);
		first = false;
		e = next;
	}
}
