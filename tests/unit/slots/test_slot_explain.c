/* Every reason in words: what is in the way, until when, and what to do. */
#include "slots/slot_explain.h"

#include "rig.h"

struct explained {
	struct slot_table *table;
	struct slot *slot;
	struct conf *conf;
	json_t *shown;
};

static void start(struct explained *e)
{
	e->table = rig_table(1);
	e->slot = slot_table_at(e->table, 0);
	e->conf = conf_default("/r", NULL);
	e->shown = NULL;
}

static void stop(struct explained *e)
{
	json_decref(e->shown);
	conf_unref(e->conf);
	slot_table_free(e->table);
}

static const char *member(const struct explained *e, const char *name)
{
	return json_string_value(json_object_get(e->shown, name));
}

/* Explains the slot as it is; remedy and changes_at: parts of the text, or NULL for null. */
static void check(struct explained *e, const char *reason, const char *text, const char *remedy,
	const char *changes_at)
{
	const char *told;

	json_decref(e->shown);
	e->shown =
		slot_explain_json(e->slot, slot_table_reason(e->table, 0, NOW_MS), e->conf, NOW_MS);
	assert_string_equal(member(e, "reason"), reason);
	if (!strstr(member(e, "text"), text))
		fail_msg("\"%s\" is not in \"%s\"", text, member(e, "text"));
	told = member(e, "remedy");
	assert_int_equal(told != NULL, remedy != NULL);
	if (remedy)
		assert_non_null(strstr(told, remedy));
	told = member(e, "changesAt");
	assert_int_equal(told != NULL, changes_at != NULL);
	if (changes_at)
		assert_string_equal(told, changes_at);
}

static void set_left(struct slot *s, enum meter_kind kind, double left, int64_t resets_at_s)
{
	s->meters.window[kind] = (struct meter){
		.known = true, .used_percent = 100 - left, .resets_at_s = resets_at_s};
	s->checked_at_ms = NOW_MS;
}

static void test_a_slot_that_can_serve(void **state)
{
	struct explained e;

	(void)state;
	start(&e);
	check(&e, "unknown_usage", "nobody knows yet", NULL, NULL);
	set_left(e.slot, METER_WEEK, 60, NOW_S + 3600);
	check(&e, "ready", "It can serve.", NULL, NULL);
	set_left(e.slot, METER_5H, 12, NOW_S + 3600);
	check(&e, "below_threshold", "12 % left of its 5-hour limit is below the threshold of 15 %",
		NULL, "2026-09-21T15:13:20.000Z");
	stop(&e);
}

static void test_limits_and_cooldowns_name_their_end(void **state)
{
	struct explained e;

	(void)state;
	start(&e);
	set_left(e.slot, METER_5H, 0, NOW_S + 60);
	set_left(e.slot, METER_WEEK, 0, NOW_S + 3600);
	check(&e, "exhausted", "Nothing is left of its weekly limit until 2026-09-21T15:13:20.000Z",
		NULL, "2026-09-21T15:13:20.000Z");
	e.slot->cooldown_until_ms = NOW_MS + 7200 * 1000;
	snprintf(e.slot->cooldown_reason, sizeof(e.slot->cooldown_reason), "quota");
	check(&e, "cooldown", "in cooldown (quota) until 2026-09-21T16:13:20.000Z (in 2h",
		"slot-reset --slot slot-1", "2026-09-21T16:13:20.000Z");
	stop(&e);
}

static void test_credentials_name_their_cure(void **state)
{
	struct explained e;

	(void)state;
	start(&e);
	secret_set(&e.slot->refresh, SV("refresh-token"));
	e.slot->reauth_required = true;
	check(&e, "reauth_required", "login is dead", "slot-login --slot slot-1", NULL);
	e.slot->reauth_required = false;
	e.slot->expires_ms = NOW_MS - 1;
	e.slot->refresh_after_ms = NOW_MS + 60000;
	check(&e, "expired", "expired; the next try to refresh it is at 2026-09-21T14:14:20.000Z",
		"POST /admin/slots/slot-1/refresh", "2026-09-21T14:14:20.000Z");
	secret_fini(&e.slot->refresh);
	check(&e, "expired", "no refresh token that may be sent", "slot-login --slot slot-1", NULL);
	secret_fini(&e.slot->access);
	slot_set_error(e.slot, "credential", SV("not there"));
	check(&e, "no_credential", "credential: not there", "slot-auth-import-file", NULL);
	stop(&e);
}

static void test_who_disabled_it(void **state)
{
	struct explained e;

	(void)state;
	start(&e);
	e.slot->enabled = false;
	check(&e, "disabled", "It is disabled.", "slot-enable --slot slot-1", NULL);
	json_object_set_new(e.slot->record, "relay",
		json_pack("{s:s}", "disabledReason", "dead: account deleted"));
	check(&e, "disabled", "relay has disabled it: dead: account deleted", "slot-enable", NULL);
	stop(&e);
}

static void test_busy(void **state)
{
	struct explained e;

	(void)state;
	start(&e);
	e.slot->inflight = (unsigned)e.conf->slot_concurrency;
	check(&e, "busy", "all of its 8 concurrent requests", "slotConcurrency", NULL);
	e.slot->inflight = 0;
	stop(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_slot_that_can_serve),
		cmocka_unit_test(test_limits_and_cooldowns_name_their_end),
		cmocka_unit_test(test_credentials_name_their_cure),
		cmocka_unit_test(test_who_disabled_it),
		cmocka_unit_test(test_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
