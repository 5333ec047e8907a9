/* Counts of requests, and the rings of the last ones. */
#include "relay/router.h"
#include "relay/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1790000000000)

static const struct route responses = {.path = "/v1/responses", .role = ROLE_CLIENT};
static const struct route health = {.path = "/healthz", .role = ROLE_NONE};
static const struct route slot_get = {.path = "/admin/slots/{id}", .role = ROLE_ADMIN};
static const struct route slot_delete = {.path = "/admin/slots/{id}", .role = ROLE_ADMIN};

static struct request_end end_of(const struct route *route, int status)
{
	return (struct request_end){
		.id = "id-1",
		.method = SV("POST"),
		.path = SV("/asked"),
		.route = route,
		.status = status,
		.duration_us = 1500,
		.slot_id = "slot-2",
		.code = status >= 400 ? "code" : NULL,
		.error = status >= 400 ? "text" : NULL,
	};
}

static void count(struct stats *s, const struct route *route, int status)
{
	struct request_end end = end_of(route, status);

	stats_count(s, &end, NOW_MS);
}

static json_int_t number(json_t *shown, const char *group, const char *name)
{
	return json_integer_value(
		json_object_get(group ? json_object_get(shown, group) : shown, name));
}

static void test_every_request_counts_once(void **state)
{
	struct stats *s = stats_new(NOW_MS - 61500);
	json_t *shown;

	(void)state;
	count(s, &responses, 200);
	count(s, &responses, 429);
	count(s, &responses, 499);
	count(s, &responses, 502);
	count(s, &health, 200);
	count(s, NULL, 404);
	shown = stats_json(s, 3, NOW_MS);
	assert_int_equal(number(shown, NULL, "requestsTotal"), 6);
	assert_int_equal(number(shown, NULL, "successTotal"), 2);
	assert_int_equal(number(shown, NULL, "clientErrorTotal"), 3);
	assert_int_equal(number(shown, NULL, "serverErrorTotal"), 1);
	assert_int_equal(number(shown, NULL, "inflight"), 3);
	assert_int_equal(number(shown, NULL, "uptimeSeconds"), 61);
	assert_int_equal(number(shown, "byPath", "/v1/responses"), 4);
	assert_int_equal(number(shown, "byPath", "/healthz"), 1);
	assert_int_equal(number(shown, "byPath", "other"), 1);
	assert_int_equal(number(shown, "byStatus", "200"), 2);
	assert_int_equal(number(shown, "byStatus", "499"), 1);
	assert_int_equal(json_object_size(json_object_get(shown, "byStatus")), 5);
	json_decref(shown);
	stats_free(s);
}

static void test_nothing_has_happened_yet(void **state)
{
	struct stats *s = stats_new(NOW_MS);
	json_t *shown = stats_json(s, 0, NOW_MS);

	(void)state;
	assert_true(json_is_null(json_object_get(shown, "lastRequestAt")));
	assert_true(json_is_null(json_object_get(shown, "lastSuccessAt")));
	assert_true(json_is_null(json_object_get(shown, "lastErrorAt")));
	assert_string_equal(
		json_string_value(json_object_get(shown, "startedAt")), "2026-09-21T14:13:20.000Z");
	assert_int_equal(json_array_size(json_object_get(shown, "recentRequests")), 0);
	json_decref(shown);
	stats_free(s);
}

static void test_rings_keep_the_last_ones(void **state)
{
	struct stats *s = stats_new(NOW_MS);
	json_t *shown, *requests, *errors;
	char id[16];

	(void)state;
	for (int i = 0; i < 120; i++) {
		struct request_end end = end_of(&responses, i % 2 ? 500 : 200);

		snprintf(id, sizeof(id), "id-%d", i);
		end.id = id;
		stats_count(s, &end, NOW_MS + i);
	}
	shown = stats_json(s, 0, NOW_MS);
	requests = json_object_get(shown, "recentRequests");
	errors = json_object_get(shown, "recentErrors");
	assert_int_equal(json_array_size(requests), 50);
	assert_int_equal(json_array_size(errors), 20);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(requests, 0), "requestId")),
		"id-119");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(requests, 49), "requestId")),
		"id-70");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(errors, 19), "requestId")),
		"id-81");
	json_decref(shown);
	stats_free(s);
}

static void test_a_recent_error_says_what_was_wrong(void **state)
{
	static const char *const members[] = {"time", "requestId", "method", "path", "status",
		"durationMs", "slotId", "error", "code"};
	struct stats *s = stats_new(NOW_MS);
	json_t *shown, *error;

	(void)state;
	count(s, &responses, 502);
	shown = stats_json(s, 0, NOW_MS);
	error = json_array_get(json_object_get(shown, "recentErrors"), 0);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		assert_non_null(json_object_get(error, members[i]));
	assert_string_equal(json_string_value(json_object_get(error, "error")), "text");
	assert_string_equal(json_string_value(json_object_get(error, "path")), "/asked");
	assert_true(json_real_value(json_object_get(error, "durationMs")) == 1.5);
	json_decref(shown);
	stats_free(s);
}

/* Probes and dashboards ask all the time. */
static void test_looks_at_the_relay_are_counted_but_not_listed(void **state)
{
	struct stats *s = stats_new(NOW_MS);
	json_t *shown;

	(void)state;
	count(s, &health, 200);
	count(s, &slot_get, 200);
	count(s, &slot_delete, 404);
	shown = stats_json(s, 0, NOW_MS);
	assert_int_equal(number(shown, NULL, "requestsTotal"), 3);
	assert_int_equal(number(shown, "byPath", "/admin/slots/{id}"), 2);
	assert_int_equal(json_array_size(json_object_get(shown, "recentRequests")), 1);
	json_decref(shown);
	stats_free(s);
}

static void test_clients_cannot_make_it_grow(void **state)
{
	enum { ROUTES = LIMIT_STATS_PATHS_COUNT + 10, TEXT = 100000 };
	static char paths[ROUTES][16];
	static struct route routes[ROUTES];
	struct stats *s = stats_new(NOW_MS);
	char *text = mem_zalloc(TEXT + 1);
	struct request_end end = end_of(NULL, 404);
	json_t *shown, *listed;

	(void)state;
	memset(text, 'x', TEXT);
	end.path = end.method = sv_cstr(text);
	end.error = end.code = end.slot_id = end.id = text;
	stats_count(s, &end, NOW_MS);
	for (int i = 0; i < ROUTES; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/%d", i);
		routes[i].path = paths[i];
		count(s, &routes[i], 200);
	}
	shown = stats_json(s, 0, NOW_MS);
	assert_int_equal(
		json_object_size(json_object_get(shown, "byPath")), LIMIT_STATS_PATHS_COUNT + 1);
	assert_int_equal(number(shown, "byPath", "other"), 11);
	listed = json_array_get(json_object_get(shown, "recentErrors"), 0);
	assert_true(json_string_length(json_object_get(listed, "path")) < 1000);
	assert_true(json_string_length(json_object_get(listed, "error")) < 1000);
	json_decref(shown);
	free(text);
	stats_free(s);
}

static void test_texts_that_are_no_utf8_are_shown_somehow(void **state)
{
	struct stats *s = stats_new(NOW_MS);
	struct request_end end = end_of(NULL, 404);
	json_t *shown, *listed;

	(void)state;
	end.path = SV("/\xff\xfe\xff\xfe\xff");
	stats_count(s, &end, NOW_MS);
	shown = stats_json(s, 0, NOW_MS);
	listed = json_array_get(json_object_get(shown, "recentRequests"), 0);
	assert_true(json_is_string(json_object_get(listed, "path")));
	json_decref(shown);
	stats_free(s);
}

static void on_end(void *arg, const struct request_end *end)
{
	*(int *)arg += end->status;
}

static void test_listeners_hear_what_is_listed(void **state)
{
	struct stats *s = stats_new(NOW_MS);
	int sum = 0;

	(void)state;
	stats_on_end(s, on_end, &sum);
	count(s, &responses, 200);
	count(s, &health, 200);
	count(s, NULL, 404);
	assert_int_equal(sum, 604);
	stats_on_end(s, NULL, NULL);
	count(s, &responses, 200);
	assert_int_equal(sum, 604);
	stats_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_request_counts_once),
		cmocka_unit_test(test_nothing_has_happened_yet),
		cmocka_unit_test(test_rings_keep_the_last_ones),
		cmocka_unit_test(test_a_recent_error_says_what_was_wrong),
		cmocka_unit_test(test_looks_at_the_relay_are_counted_but_not_listed),
		cmocka_unit_test(test_clients_cannot_make_it_grow),
		cmocka_unit_test(test_texts_that_are_no_utf8_are_shown_somehow),
		cmocka_unit_test(test_listeners_hear_what_is_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
