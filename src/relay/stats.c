#include "relay/stats.h"

#include "base/limits.h"
#include "relay/router.h"
#include "slots/show.h"

#include <stdio.h>
#include <stdlib.h>

enum { RECENT_REQUESTS = 50, RECENT_ERRORS = 20, STATUS_FIRST = 100, STATUSES = 500 };
enum { METHOD_SIZE = 16, PATH_SIZE = 128, ID_SIZE = 40, CODE_SIZE = 64, ERROR_SIZE = 256 };

/* Unknown paths share one key: a client must not make our table grow. */
#define OTHER_PATHS "other"

struct path_count {
	const char *path; /* a row of the route table */
	uint64_t count;
};

struct recent {
	int64_t ended_ms, duration_us;
	int status;
	char id[ID_SIZE], method[METHOD_SIZE], path[PATH_SIZE];
	char slot_id[LIMIT_SLOT_ID_BYTES];
};

struct recent_error {
	struct recent request;
	char code[CODE_SIZE], error[ERROR_SIZE];
};

struct stats {
	int64_t started_ms;
	int64_t last_request_ms, last_success_ms, last_error_ms; /* 0: none yet */
	uint64_t total, success, client_error, server_error, other_paths;
	uint64_t by_status[STATUSES];
	struct path_count by_path[LIMIT_STATS_PATHS_COUNT];
	size_t path_count;
	struct recent requests[RECENT_REQUESTS];
	uint64_t request_count; /* ever put; the ring's place is the remainder */
	struct recent_error errors[RECENT_ERRORS];
	uint64_t error_count;
	void (*on_end)(void *arg, const struct request_end *end);
	void *on_end_arg;
};

struct stats *stats_new(int64_t started_ms)
{
	struct stats *s = mem_zalloc(sizeof(*s));

	s->started_ms = started_ms;
	return s;
}

void stats_free(struct stats *s)
{
	free(s);
}

void stats_on_end(struct stats *s, void (*fn)(void *arg, const struct request_end *end), void *arg)
{
	s->on_end = fn;
	s->on_end_arg = arg;
}

static uint64_t *path_counter(struct stats *s, const struct route *route)
{
	if (!route)
		return &s->other_paths;
	for (size_t i = 0; i < s->path_count; i++) {
		/* Rows of one path may be several: the text counts, not the pointer. */
		if (s->by_path[i].path == route->path ||
			strcmp(s->by_path[i].path, route->path) == 0)
			return &s->by_path[i].count;
	}
	if (s->path_count == LIMIT_STATS_PATHS_COUNT)
		return &s->other_paths;
	s->by_path[s->path_count].path = route->path;
	return &s->by_path[s->path_count++].count;
}

static void count_status(struct stats *s, int status, int64_t now_ms)
{
	if (status >= STATUS_FIRST && status < STATUS_FIRST + STATUSES)
		s->by_status[status - STATUS_FIRST]++;
	s->total++;
	s->last_request_ms = now_ms;
	if (status < 400) {
		s->success++;
		s->last_success_ms = now_ms;
		return;
	}
	s->last_error_ms = now_ms;
	if (status < 500)
		s->client_error++;
	else
		s->server_error++;
}

static void fill(struct recent *r, const struct request_end *end, int64_t now_ms)
{
	r->ended_ms = now_ms;
	r->duration_us = end->duration_us;
	r->status = end->status;
	sv_cut(sv_cstr(end->id), r->id, sizeof(r->id));
	sv_cut(end->method, r->method, sizeof(r->method));
	sv_cut(end->path, r->path, sizeof(r->path));
	sv_cut(sv_cstr(end->slot_id), r->slot_id, sizeof(r->slot_id));
}

static void fill_error(struct recent_error *e, const struct request_end *end, int64_t now_ms)
{
	fill(&e->request, end, now_ms);
	sv_cut(sv_cstr(end->code), e->code, sizeof(e->code));
	sv_cut(sv_cstr(end->error), e->error, sizeof(e->error));
}

static bool only_looks(const struct request_end *end)
{
	if (end->status >= 400 || !end->route)
		return false;
	if (end->route->role == ROLE_CODEX)
		return sv_eq(end->method, SV("GET"));
	return end->route->role != ROLE_CLIENT;
}

void stats_count(struct stats *s, const struct request_end *end, int64_t now_ms)
{
	struct recent *place = &s->requests[s->request_count % RECENT_REQUESTS];

	count_status(s, end->status, now_ms);
	(*path_counter(s, end->route))++;
	if (only_looks(end))
		return;
	s->request_count++;
	fill(place, end, now_ms);
	if (end->status >= 400)
		fill_error(&s->errors[s->error_count++ % RECENT_ERRORS], end, now_ms);
	if (s->on_end)
		s->on_end(s->on_end_arg, end);
}

/* --- shown --- */

static json_t *recent_json(const struct recent *r)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:i, s:o, s:o}", "time", show_time(r->ended_ms),
		"requestId", show_text(r->id), "method", show_text(r->method), "path",
		show_text(r->path), "status", r->status, "durationMs", show_ms(r->duration_us),
		"slotId", show_text(r->slot_id));
}

/* Newest first. */
static json_t *requests_json(const struct stats *s)
{
	json_t *list = json_array();

	for (uint64_t i = 0; i < RECENT_REQUESTS && i < s->request_count; i++)
		json_array_append_new(list,
			recent_json(&s->requests[(s->request_count - 1 - i) % RECENT_REQUESTS]));
	return list;
}

static json_t *error_json(const struct recent_error *e)
{
	json_t *shown = recent_json(&e->request);

	json_object_set_new(shown, "error", show_text(e->error));
	json_object_set_new(shown, "code", show_text(e->code));
	return shown;
}

json_t *stats_request_json(const struct request_end *end, int64_t now_ms)
{
	struct recent_error e;

	fill_error(&e, end, now_ms);
	return error_json(&e);
}

static json_t *errors_json(const struct stats *s)
{
	json_t *list = json_array();

	for (uint64_t i = 0; i < RECENT_ERRORS && i < s->error_count; i++)
		json_array_append_new(
			list, error_json(&s->errors[(s->error_count - 1 - i) % RECENT_ERRORS]));
	return list;
}

static json_t *by_path_json(const struct stats *s)
{
	json_t *counts = json_object();

	for (size_t i = 0; i < s->path_count; i++)
		json_object_set_new(
			counts, s->by_path[i].path, json_integer((json_int_t)s->by_path[i].count));
	if (s->other_paths)
		json_object_set_new(counts, OTHER_PATHS, json_integer((json_int_t)s->other_paths));
	return counts;
}

static json_t *by_status_json(const struct stats *s)
{
	json_t *counts = json_object();

	for (int i = 0; i < STATUSES; i++) {
		char name[16];

		if (!s->by_status[i])
			continue;
		snprintf(name, sizeof(name), "%d", STATUS_FIRST + i);
		json_object_set_new(counts, name, json_integer((json_int_t)s->by_status[i]));
	}
	return counts;
}

json_t *stats_json(const struct stats *s, size_t inflight, int64_t now_ms)
{
	json_t *shown = json_object();

	json_object_set_new(shown, "requestsTotal", json_integer((json_int_t)s->total));
	json_object_set_new(shown, "successTotal", json_integer((json_int_t)s->success));
	json_object_set_new(shown, "clientErrorTotal", json_integer((json_int_t)s->client_error));
	json_object_set_new(shown, "serverErrorTotal", json_integer((json_int_t)s->server_error));
	json_object_set_new(shown, "inflight", json_integer((json_int_t)inflight));
	json_object_set_new(shown, "byPath", by_path_json(s));
	json_object_set_new(shown, "byStatus", by_status_json(s));
	json_object_set_new(shown, "recentRequests", requests_json(s));
	json_object_set_new(shown, "recentErrors", errors_json(s));
	json_object_set_new(shown, "lastRequestAt", show_time(s->last_request_ms));
	json_object_set_new(shown, "lastSuccessAt", show_time(s->last_success_ms));
	json_object_set_new(shown, "lastErrorAt", show_time(s->last_error_ms));
	json_object_set_new(shown, "startedAt", show_time(s->started_ms));
	json_object_set_new(shown, "uptimeSeconds", json_integer((now_ms - s->started_ms) / 1000));
	return shown;
}
