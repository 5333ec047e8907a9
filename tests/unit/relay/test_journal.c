/* What is remembered of requests, and how much of it at most. */
#include "relay/journal.h"

#include "../slots/rig.h"

struct rig {
	struct journal *journal;
	struct slot_table *slots;
	struct arena arena;
	struct turn turn;
};

static void rig_start(struct rig *rig, size_t slots)
{
	rig->journal = journal_new();
	rig->slots = rig_table(slots);
	arena_init(&rig->arena, KIB(64));
	turn_init(&rig->turn, &dialect_chat, &rig->arena);
	rig->turn.model = SV("gpt-5.5");
	rig->turn.stream = true;
}

static void rig_stop(struct rig *rig)
{
	turn_fini(&rig->turn);
	arena_fini(&rig->arena);
	slot_table_free(rig->slots);
	journal_free(rig->journal);
}

static uint64_t begin(struct rig *rig, const char *id)
{
	return journal_begin(rig->journal, &(struct journal_request){
						   .id = id,
						   .method = SV("POST"),
						   .path = SV("/v1/chat/completions"),
						   .turn = &rig->turn,
						   .body_bytes = 12,
						   .peer = "127.0.0.1:1",
						   .now_ms = NOW_MS,
					   });
}

static void select_slot(struct rig *rig, uint64_t entry, int64_t now_ms)
{
	struct lease_request request = {.model = SV("m"), .now_ms = now_ms};
	struct slot_verdict cancelled = {.kind = VERDICT_CANCELLED};
	struct lease_report report;
	struct lease lease = {0};

	assert_int_equal(slot_table_lease(rig->slots, &request, &lease, &report), 0);
	journal_select(rig->journal, entry, rig->slots, &report, "policy", 2500, now_ms);
	lease_release(&lease, &cancelled, now_ms);
}

static void finish(struct rig *rig, uint64_t entry, int status, const struct api_err *err)
{
	static const struct usage usage = {.known = true, .input_tokens = 7, .total_tokens = 9};

	journal_end(rig->journal, entry,
		&(struct journal_end){
			.status = status,
			.slot_id = "slot-1",
			.err = err,
			.total_us = 5000,
			.usage = &usage,
		},
		NOW_MS + 30);
}

static const char *text_of(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_non_null(text);
	return text;
}

static json_t *attempt_of(json_t *shown, size_t index)
{
	json_t *attempt = json_array_get(json_object_get(shown, "attempts"), index);

	assert_non_null(attempt);
	return attempt;
}

static void test_a_request_is_told_with_its_attempts(void **state)
{
	struct failure f = {.class = FAILURE_RATE_LIMIT, .upstream_status = 429};
	json_t *shown, *selection, *candidates;
	struct rig rig;
	uint64_t entry;

	(void)state;
	rig_start(&rig, 3);
	api_err_set(&f.err, 429, "rate_limit_error", "rate_limit_exceeded", "slow down");
	entry = begin(&rig, "a");
	journal_session(rig.journal, entry, SV("my secret session"));
	select_slot(&rig, entry, NOW_MS + 10);
	journal_fail(rig.journal, entry, &f, RETRY_OTHER_SLOT, NOW_MS + 15);
	slot_table_at(rig.slots, 0)->cooldown_until_ms = NOW_MS + 60000;
	select_slot(&rig, entry, NOW_MS + 20);
	finish(&rig, entry, 200, NULL);

	shown = journal_show(rig.journal, SV("a"));
	assert_non_null(shown);
	assert_string_equal(text_of(shown, "state"), "done");
	assert_string_equal(text_of(shown, "model"), "gpt-5.5");
	assert_string_equal(text_of(shown, "dialect"), "chat");
	assert_int_equal(strlen(text_of(shown, "sessionHash")), 16);
	assert_null(strstr(text_of(shown, "sessionHash"), "secret"));
	assert_int_equal(json_integer_value(json_object_get(shown, "attemptCount")), 2);
	assert_string_equal(text_of(attempt_of(shown, 0), "outcome"), "failed");
	assert_string_equal(text_of(attempt_of(shown, 0), "class"), "rate_limit");
	assert_string_equal(
		text_of(attempt_of(shown, 0), "retryAction"), retry_action_name(RETRY_OTHER_SLOT));
	assert_int_equal(
		json_integer_value(json_object_get(attempt_of(shown, 0), "upstreamStatus")), 429);
	assert_int_equal(
		json_integer_value(json_object_get(attempt_of(shown, 0), "durationMs")), 5);
	assert_string_equal(text_of(attempt_of(shown, 1), "outcome"), "success");
	selection = json_object_get(attempt_of(shown, 1), "selection");
	assert_string_equal(text_of(selection, "slotId"), "slot-2");
	assert_string_equal(text_of(selection, "choice"), "policy");
	candidates = json_object_get(selection, "candidates");
	assert_int_equal(json_array_size(candidates), 3);
	assert_string_equal(text_of(json_array_get(candidates, 0), "id"), "slot-1");
	assert_string_equal(text_of(json_array_get(candidates, 0), "reason"), "cooldown");
	assert_string_equal(text_of(json_array_get(candidates, 1), "reason"), "chosen");
	json_decref(shown);
	rig_stop(&rig);
}

/* A refused token is refreshed and the same slot asked again: that is no new selection. */
static void test_the_same_slot_again_is_another_attempt(void **state)
{
	struct failure f = {.class = FAILURE_AUTH};
	json_t *shown, *selection;
	struct rig rig;
	uint64_t entry;

	(void)state;
	rig_start(&rig, 2);
	entry = begin(&rig, "a");
	select_slot(&rig, entry, NOW_MS);
	journal_fail(rig.journal, entry, &f, RETRY_SAME_REFRESHED, NOW_MS + 5);
	finish(&rig, entry, 200, NULL);
	shown = journal_show(rig.journal, SV("a"));
	assert_int_equal(json_integer_value(json_object_get(shown, "attemptCount")), 2);
	assert_string_equal(text_of(attempt_of(shown, 0), "outcome"), "failed");
	assert_string_equal(text_of(attempt_of(shown, 1), "outcome"), "success");
	selection = json_object_get(attempt_of(shown, 1), "selection");
	assert_string_equal(text_of(selection, "slotId"), "slot-1");
	assert_string_equal(text_of(selection, "choice"), "same_slot");
	assert_int_equal(json_array_size(json_object_get(selection, "candidates")), 0);
	json_decref(shown);
	rig_stop(&rig);
}

static void test_a_running_request_is_shown(void **state)
{
	json_t *shown;
	struct rig rig;
	uint64_t entry;

	(void)state;
	rig_start(&rig, 1);
	entry = begin(&rig, "a");
	select_slot(&rig, entry, NOW_MS);
	shown = journal_show(rig.journal, SV("a"));
	assert_string_equal(text_of(shown, "state"), "running");
	assert_true(json_is_null(json_object_get(shown, "status")));
	assert_string_equal(text_of(attempt_of(shown, 0), "outcome"), "running");
	json_decref(shown);
	finish(&rig, entry, 499, NULL);
	shown = journal_show(rig.journal, SV("a"));
	assert_string_equal(text_of(attempt_of(shown, 0), "outcome"), "cancelled");
	json_decref(shown);
	assert_null(journal_show(rig.journal, SV("b")));
	assert_null(journal_show(rig.journal, SV("")));
	rig_stop(&rig);
}

static void test_the_oldest_requests_are_forgotten(void **state)
{
	json_t *list;
	struct rig rig;
	uint64_t first;
	char id[16];

	(void)state;
	rig_start(&rig, 2);
	first = begin(&rig, "first");
	select_slot(&rig, first, NOW_MS);
	for (int i = 0; i < LIMIT_JOURNAL_COUNT; i++) {
		uint64_t entry;

		snprintf(id, sizeof(id), "r-%d", i);
		entry = begin(&rig, id);
		select_slot(&rig, entry, NOW_MS);
	}
	/* Its place is another's by now, who must not get what belongs to the first. */
	finish(&rig, first, 500, NULL);
	assert_null(journal_show(rig.journal, SV("first")));
	list = journal_list(rig.journal);
	assert_int_equal(json_array_size(list), LIMIT_JOURNAL_COUNT);
	snprintf(id, sizeof(id), "r-%d", LIMIT_JOURNAL_COUNT - 1);
	assert_string_equal(text_of(json_array_get(list, 0), "requestId"), id);
	for (size_t i = 0; i < json_array_size(list); i++)
		assert_string_equal(text_of(json_array_get(list, i), "state"), "running");
	json_decref(list);
	rig_stop(&rig);
}

static void test_attempts_and_candidates_are_bounded(void **state)
{
	enum { SLOTS = 600, ATTEMPTS = 40 };
	struct failure f = {.class = FAILURE_TRANSIENT};
	json_int_t left_out = 0;
	size_t listed = 0;
	json_t *shown;
	struct rig rig;
	uint64_t entry;

	(void)state;
	rig_start(&rig, SLOTS);
	entry = begin(&rig, "a");
	for (int i = 0; i < ATTEMPTS; i++) {
		select_slot(&rig, entry, NOW_MS);
		journal_fail(rig.journal, entry, &f, RETRY_OTHER_SLOT, NOW_MS);
	}
	finish(&rig, entry, 502, &f.err);
	shown = journal_show(rig.journal, SV("a"));
	assert_int_equal(json_integer_value(json_object_get(shown, "attemptCount")), ATTEMPTS);
	assert_int_equal(
		json_array_size(json_object_get(shown, "attempts")), LIMIT_JOURNAL_ATTEMPTS_COUNT);
	for (size_t i = 0; i < LIMIT_JOURNAL_ATTEMPTS_COUNT; i++) {
		json_t *selection = json_object_get(attempt_of(shown, i), "selection");

		listed += json_array_size(json_object_get(selection, "candidates"));
		left_out += json_integer_value(json_object_get(selection, "candidatesLeftOut"));
	}
	assert_true(listed >= 300 && listed * 10 <= LIMIT_JOURNAL_CANDIDATES_BYTES);
	assert_int_equal((size_t)left_out + listed, SLOTS * LIMIT_JOURNAL_ATTEMPTS_COUNT);
	json_decref(shown);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_is_told_with_its_attempts),
		cmocka_unit_test(test_the_same_slot_again_is_another_attempt),
		cmocka_unit_test(test_a_running_request_is_shown),
		cmocka_unit_test(test_the_oldest_requests_are_forgotten),
		cmocka_unit_test(test_attempts_and_candidates_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
