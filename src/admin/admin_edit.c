#include "admin/admin_edit.h"

#include "admin/admin_wait.h"
#include "base/clock.h"
#include "base/log.h"
#include "relay/reply.h"
#include "relay/router.h"
#include "slots/slot_edit.h"
#include "slots/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RETRY_MS = 20 };

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
	struct admin_edit *next; /* in admin.edits */
	struct admin_wait wait;
	const struct action *action;
	char id[LIMIT_SLOT_ID_BYTES];
	char *root; /* ours: the thread reads it */
	struct slot_edit edit;
	int result, files_result;
	struct conf_error err;
	bool with_thread, orphan; /* orphan: the relay has stopped meanwhile */
	struct timer retry;
};

static void free_edit(struct admin_edit *e)
{
	timer_stop(&e->retry);
	free(e->root);
	free(e);
}

/* What a thread has is still written; what waits for one is not. */
static void on_cancel(struct admin_wait *w)
{
	struct admin_edit *e = CONTAINER_OF(w, struct admin_edit, wait);

	if (e->with_thread)
		e->orphan = true;
	else
		free_edit(e);
}

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
	struct relay *r = e->wait.admin->relay;
	const struct slot *slot = slot_table_find(r->slots, e->id);
	struct api_err err;

	if (e->result || e->files_result) {
		describe_failure(e, &err);
		reply_error(r, e->wait.stream, &err, NULL);
	} else if (e->action->removes) {
		reply_value(
			r, e->wait.stream, 200, json_pack("{s:b, s:s}", "ok", 1, "removed", e->id));
	} else if (slot) {
		reply_value(r, e->wait.stream, 200,
			json_pack("{s:b, s:o}", "ok", 1, "slot",
				admin_show_slot(r, slot, clock_wall_ms())));
	} else {
		/* Somebody has removed it since. */
		admin_no_slot(r, e->wait.stream, sv_cstr(e->id));
	}
}

static void log_edit(const struct admin_edit *e)
{
	log_begin(e->result ? LOG_WARN : LOG_INFO, "admin.slot");
	log_str("request_id", sv_cstr(e->wait.request_id));
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
		e->files_result = slot_edit_remove_files(e->root, e->id);
}

static void finish(struct admin_edit *e)
{
	struct admin *a = e->wait.admin;

	a->edits = e->next;
	admin_wait_end(&e->wait);
	log_edit(e);
	if (e->wait.stream)
		reply_result(e);
	free_edit(e);
	run_first(a);
}

/* The table must not be read again while the saver has told it that all is written. */
static void take_over(struct admin_edit *e)
{
	struct slot *slot = slot_table_find(e->wait.admin->relay->slots, e->id);

	/* The operator's word is newer than what the relay found out before. */
	if (slot && e->action == &enable && !e->result)
		slot->dead = false;
	if (!e->result && !relay_reload_slots(e->wait.admin->relay)) {
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

	e->with_thread = false;
	if (e->orphan)
		free_edit(e);
	else
		take_over(e);
}

static void run_first(struct admin *a)
{
	if (!a->edits)
		return;
	a->edits->with_thread = true;
	loop_work(a->relay->loop, write_out, on_written, a->edits);
}

static void append(struct admin *a, struct admin_edit *e)
{
	struct admin_edit **last = &a->edits;

	while (*last)
		last = &(*last)->next;
	*last = e;
	if (a->edits == e)
		run_first(a);
}

static void start(struct relay *r, struct http_stream *s, const struct action *action)
{
	const struct slot *slot = admin_slot(r, s);
	struct admin_edit *e;

	if (!slot)
		return;
	e = mem_zalloc(sizeof(*e));
	if (!admin_wait_begin(&e->wait, r, s, on_cancel)) {
		free(e);
		return;
	}
	e->action = action;
	e->root = mem_strdup(r->root);
	memcpy(e->id, slot->id, sizeof(e->id));
	e->edit = (struct slot_edit){
		.id = e->id, .now_ms = clock_wall_ms(), .enabled = action->enabled};
	timer_init(&e->retry, r->loop, on_retry);
	append(admin_of(r), e);
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
