#include "slots/slot_table.h"

#include "rig.h"
#include "slots/catalogue.h"

#include <math.h>

static const struct slot_verdict success = {.kind = VERDICT_SUCCESS};
static const struct slot_verdict cancelled = {.kind = VERDICT_CANCELLED};

enum { MINUTE_MS = 60 * 1000 };

static int lease_at(struct slot_table *t, struct sv session, int64_t now_ms, struct lease *ret,
	struct lease_report *report)
{
	struct lease_request r = {.session = session, .model = SV("m"), .now_ms = now_ms};

	return slot_table_lease(t, &r, ret, report);
}

static int lease(struct slot_table *t, struct lease *ret)
{
	struct lease_report report;

	return lease_at(t, SV_NONE, NOW_MS, ret, &report);
}

static void release_failed(
	struct lease *l, enum failure_class class, int64_t until_ms, int64_t now_ms)
{
	struct failure f = {.class = class, .until_ms = until_ms};
	struct slot_verdict v = {.kind = VERDICT_FAILURE,
		.failure = &f,
		.model_hash = sv_hash(SV("m"), SV_HASH_SEED)};

	lease_release(l, &v, now_ms);
}

static void on_call(void *arg)
{
	(*(int *)arg)++;
}

static void test_leases_are_counted(void **state)
{
	struct slot_table *t = rig_table(2);
	struct lease leases[16], more = {0};

	(void)state;
	for (int i = 0; i < 16; i++)
		assert_int_equal(lease(t, &leases[i]), 0);
	assert_int_equal(slot_table_at(t, 0)->inflight, 8);
	assert_int_equal(slot_table_at(t, 1)->inflight, 8);
	assert_int_equal(lease(t, &more), -EAGAIN);
	assert_null(more.slot);
	assert_int_equal(slot_table_eligible(t, NOW_MS), 2);
	lease_release(&leases[3], &success, NOW_MS);
	assert_null(leases[3].slot);
	lease_release(&leases[3], &success, NOW_MS); /* an empty one */
	assert_int_equal(lease(t, &leases[3]), 0);
	for (int i = 0; i < 16; i++)
		lease_release(&leases[i], &cancelled, NOW_MS);
	assert_int_equal(slot_table_at(t, 0)->inflight, 0);
	assert_int_equal(slot_table_at(t, 1)->inflight, 0);
	slot_table_free(t);
}

static void test_equal_slots_share_the_load(void **state)
{
	struct slot_table *t = rig_table(3);
	struct lease leases[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		assert_int_equal(lease(t, &leases[i]), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(slot_table_at(t, i)->inflight, 2);
	for (int i = 0; i < 6; i++)
		lease_release(&leases[i], &cancelled, NOW_MS);
	slot_table_free(t);
}

static void test_none_can_serve(void **state)
{
	struct slot_table *t = rig_table(2);
	struct lease_report report;
	struct lease l;

	(void)state;
	slot_table_at(t, 0)->cooldown_until_ms = NOW_MS + 9000;
	slot_table_at(t, 1)->cooldown_until_ms = NOW_MS + 5000;
	assert_int_equal(lease_at(t, SV_NONE, NOW_MS, &l, &report), -ENOENT);
	assert_int_equal(report.pick.recovers_ms, NOW_MS + 5000);
	assert_int_equal(slot_table_recovers_ms(t, NOW_MS), NOW_MS + 5000);
	assert_int_equal(report.count, 2);
	assert_int_equal(report.reasons[1], PICK_COOLDOWN);
	assert_int_equal(slot_table_eligible(t, NOW_MS), 0);
	assert_int_equal(slot_table_reason(t, 1, NOW_MS), PICK_COOLDOWN);
	assert_int_equal(slot_table_reason(t, 1, NOW_MS + 5000), PICK_CHOSEN);
	slot_table_free(t);
}

static void test_recovery_is_the_latest_exhausted_window(void **state)
{
	struct slot_table *t = rig_table(1);
	struct meters *m = &slot_table_at(t, 0)->meters;

	(void)state;
	m->window[METER_5H] = (struct meter){true, 100, 300, NOW_S + 60};
	m->window[METER_WEEK] = (struct meter){true, 100, 10080, NOW_S + 600};
	/* Of an older plan: the week counts now. */
	m->window[METER_MONTH] = (struct meter){true, 100, 43200, NOW_S + 6000};
	assert_int_equal(slot_table_recovers_ms(t, NOW_MS), (NOW_S + 600) * 1000);
	slot_table_free(t);
}

static void test_tried_slots_are_not_taken_again(void **state)
{
	struct slot_table *t = rig_table(2);
	struct lease a, b, c;
	const struct slot *tried[2];
	struct lease_request r = {.now_ms = NOW_MS, .tried = tried};
	struct lease_report report;

	(void)state;
	assert_int_equal(slot_table_lease(t, &r, &a, &report), 0);
	tried[0] = a.slot;
	r.tried_count = 1;
	assert_int_equal(slot_table_lease(t, &r, &b, &report), 0);
	assert_ptr_not_equal(a.slot, b.slot);
	tried[1] = b.slot;
	r.tried_count = 2;
	assert_int_equal(slot_table_lease(t, &r, &c, &report), -ENOENT);
	assert_false(slot_table_could_lease(t, &r));
	r.tried_count = 1;
	assert_true(slot_table_could_lease(t, &r));
	lease_release(&a, &cancelled, NOW_MS);
	lease_release(&b, &cancelled, NOW_MS);
	slot_table_free(t);
}

/* The slot that a session gets at now_ms. */
static const char *slot_of(struct slot_table *t, const char *session, int64_t now_ms)
{
	struct lease_report report;
	struct lease l;
	const char *id;

	assert_int_equal(lease_at(t, sv_cstr(session), now_ms, &l, &report), 0);
	id = l.slot->id;
	lease_release(&l, &cancelled, now_ms);
	return id;
}

static void set_week(struct slot_table *t, const char *id, double left)
{
	slot_table_find(t, id)->meters.window[METER_WEEK] =
		(struct meter){true, 100 - left, 10080, 0};
}

static void test_a_session_stays_where_it_was(void **state)
{
	struct slot_table *t = rig_table(2);

	(void)state;
	set_week(t, "slot-1", 90);
	set_week(t, "slot-2", 50);
	assert_string_equal(slot_of(t, "s", NOW_MS), "slot-1");
	set_week(t, "slot-1", 20);
	assert_string_equal(slot_of(t, "s", NOW_MS), "slot-1");
	assert_string_equal(slot_of(t, "other", NOW_MS), "slot-2");
	slot_table_free(t);
}

static void test_short_cooldown_keeps_the_pin_and_a_long_one_moves_it(void **state)
{
	struct slot_table *t = rig_table(2);
	int64_t later = NOW_MS + MINUTE_MS;

	(void)state;
	set_week(t, "slot-1", 90);
	set_week(t, "slot-2", 50);
	slot_of(t, "s", NOW_MS);
	slot_table_find(t, "slot-1")->cooldown_until_ms = later;
	assert_string_equal(slot_of(t, "s", NOW_MS), "slot-2");
	assert_string_equal(slot_of(t, "s", later), "slot-1");
	slot_table_find(t, "slot-1")->cooldown_until_ms = later + 60 * MINUTE_MS;
	assert_string_equal(slot_of(t, "s", later), "slot-2");
	slot_table_find(t, "slot-1")->cooldown_until_ms = 0;
	assert_string_equal(slot_of(t, "s", later), "slot-2");
	slot_table_free(t);
}

static void test_a_full_slot_keeps_the_pin(void **state)
{
	struct slot_table *t = rig_table(2);
	struct slot *first;

	(void)state;
	set_week(t, "slot-1", 90);
	set_week(t, "slot-2", 50);
	slot_of(t, "s", NOW_MS);
	first = slot_table_find(t, "slot-1");
	first->inflight = 8;
	assert_string_equal(slot_of(t, "s", NOW_MS), "slot-2");
	first->inflight = 0;
	assert_string_equal(slot_of(t, "s", NOW_MS), "slot-1");
	slot_table_free(t);
}

static void test_a_disabled_slot_loses_the_pin(void **state)
{
	struct slot_table *t = rig_table(2);
	struct lease_report report;
	struct lease l;

	(void)state;
	set_week(t, "slot-1", 90);
	set_week(t, "slot-2", 50);
	slot_of(t, "s", NOW_MS);
	slot_table_find(t, "slot-1")->enabled = false;
	assert_int_equal(lease_at(t, SV("s"), NOW_MS, &l, &report), 0);
	assert_true(report.moved);
	lease_release(&l, &cancelled, NOW_MS);
	slot_table_find(t, "slot-1")->enabled = true;
	assert_string_equal(slot_of(t, "s", NOW_MS), "slot-2");
	slot_table_free(t);
}

static void test_entitlement_is_remembered_by_model(void **state)
{
	struct slot_table *t = rig_table(1);
	struct lease_request other = {.model = SV("other"), .now_ms = NOW_MS};
	struct lease_report report;
	struct lease l;

	(void)state;
	assert_int_equal(lease(t, &l), 0);
	release_failed(&l, FAILURE_ENTITLEMENT, 0, NOW_MS);
	assert_int_equal(lease_at(t, SV_NONE, NOW_MS, &l, &report), -ENOENT);
	assert_int_equal(report.reasons[0], PICK_MODEL);
	assert_int_equal(slot_table_lease(t, &other, &l, &report), 0);
	lease_release(&l, &cancelled, NOW_MS);
	slot_table_free(t);
}

static void test_streams_that_end_well_do_not_end_a_cooldown(void **state)
{
	struct slot_table *t = rig_table(1);
	struct lease before, refused, noted;
	int64_t until_ms = NOW_MS + 60 * MINUTE_MS;
	struct failure f = {.class = FAILURE_TRANSIENT};
	struct slot_verdict v = {.kind = VERDICT_FAILURE, .failure = &f};

	(void)state;
	assert_int_equal(lease(t, &before), 0);
	assert_int_equal(lease(t, &noted), 0);
	assert_int_equal(lease(t, &refused), 0);
	release_failed(&refused, FAILURE_RATE_LIMIT, until_ms, NOW_MS);
	lease_release(&before, &success, NOW_MS);
	assert_int_equal(slot_table_at(t, 0)->cooldown_until_ms, until_ms);
	/* A try that began after it does. */
	lease_note(&noted, &v, NOW_MS);
	lease_release(&noted, &success, NOW_MS);
	assert_int_equal(slot_table_at(t, 0)->cooldown_until_ms, 0);
	slot_table_free(t);
}

static void test_removed_slot_lives_until_its_last_lease(void **state)
{
	struct slot_table *t = rig_table(2);
	const char *const kept[] = {"slot-2"};
	struct lease l;
	int capacity = 0;

	(void)state;
	assert_int_equal(lease(t, &l), 0);
	assert_string_equal(l.slot->id, "slot-1");
	slot_table_on_capacity(t, on_call, &capacity);
	slot_table_retain(t, kept, 1);
	assert_int_equal(capacity, 1);
	assert_int_equal(slot_table_count(t), 1);
	assert_null(slot_table_find(t, "slot-1"));
	assert_true(l.slot->removed);
	assert_true(sv_eq(secret_expose(slot_cred(l.slot).access), SV("token")));
	lease_release(&l, &success, NOW_MS);
	assert_int_equal(capacity, 2);
	slot_table_free(t);
}

static void test_capacity_and_dirt_are_told(void **state)
{
	struct slot_table *t = rig_table(1);
	struct meters m = {.window[METER_5H] = {true, 10, 300, 0}};
	int capacity = 0, dirty = 0;
	struct lease l;

	(void)state;
	slot_table_on_capacity(t, on_call, &capacity);
	slot_table_on_dirty(t, on_call, &dirty);
	assert_int_equal(lease(t, &l), 0);
	assert_int_equal(capacity + dirty, 0);
	lease_meters(&l, &m, NOW_MS);
	assert_int_equal(dirty, 1);
	assert_true(slot_left_pct(l.slot, METER_5H, NOW_MS) == 90);
	lease_release(&l, &success, NOW_MS);
	assert_int_equal(dirty, 2);
	assert_int_equal(capacity, 1);
	slot_table_put(t, rig_slot("slot-9"));
	assert_int_equal(capacity, 2);
	slot_table_free(t);
}

static void test_put_again_keeps_what_was_learnt(void **state)
{
	struct slot_table *t = rig_table(1);
	struct slot *s = slot_table_at(t, 0);
	struct slot *fresh = rig_slot("slot-1");
	struct lease l;

	(void)state;
	assert_int_equal(lease(t, &l), 0);
	s->cooldown_until_ms = NOW_MS + 5;
	s->failures = 3;
	s->checked_at_ms = NOW_MS;
	set_week(t, "slot-1", 33);
	slot_set_error(s, "x", SV("y"));
	s->dirty = true;
	fresh->enabled = false;
	secret_set(&fresh->access, SV("newer"));
	free(fresh->label);
	fresh->label = mem_strdup("label");
	slot_table_put(t, fresh);
	assert_ptr_equal(slot_table_at(t, 0), s);
	assert_ptr_equal(l.slot, s);
	assert_int_equal(s->inflight, 1);
	assert_false(s->enabled);
	assert_string_equal(s->label, "label");
	assert_true(sv_eq(secret_expose(&s->access), SV("newer")));
	assert_int_equal(s->cooldown_until_ms, NOW_MS + 5);
	assert_int_equal(s->failures, 3);
	assert_true(slot_left_pct(s, METER_WEEK, NOW_MS) == 33);
	assert_string_equal(s->last_error, "x: y");
	assert_true(s->dirty);
	lease_release(&l, &cancelled, NOW_MS);
	slot_table_free(t);
}

static void test_put_again_takes_newer_usage(void **state)
{
	struct slot_table *t = rig_table(1);
	struct slot *fresh = rig_slot("slot-1");

	(void)state;
	slot_table_at(t, 0)->checked_at_ms = NOW_MS;
	set_week(t, "slot-1", 33);
	fresh->checked_at_ms = NOW_MS + 1;
	fresh->meters.window[METER_WEEK] = (struct meter){true, 12, 0, 0};
	slot_table_put(t, fresh);
	assert_true(slot_left_pct(slot_table_at(t, 0), METER_WEEK, NOW_MS) == 88);
	slot_table_free(t);
}

static void test_reauth_ends_with_another_token(void **state)
{
	struct slot_table *t = rig_table(1);
	struct slot *same = rig_slot("slot-1"), *other = rig_slot("slot-1");
	struct lease l;

	(void)state;
	assert_int_equal(lease(t, &l), 0);
	release_failed(&l, FAILURE_AUTH, 0, NOW_MS);
	slot_table_put(t, same);
	assert_int_equal(slot_table_reason(t, 0, NOW_MS), PICK_REAUTH_REQUIRED);
	assert_int_equal(strlen(slot_table_at(t, 0)->refused_fingerprint), 32);
	secret_set(&other->access, SV("newer"));
	slot_table_put(t, other);
	assert_int_equal(slot_table_reason(t, 0, NOW_MS), PICK_CHOSEN);
	slot_table_free(t);
}

static void test_expired_slot_is_able_while_its_token_can_be_refreshed(void **state)
{
	struct slot_table *t = rig_table(1);
	struct slot *s = slot_table_at(t, 0);
	struct lease_report report;
	struct lease l = {0};

	(void)state;
	s->expires_ms = NOW_MS - 1;
	assert_int_equal(slot_table_reason(t, 0, NOW_MS), PICK_EXPIRED);
	secret_set(&s->refresh, SV("refresh"));
	assert_int_equal(slot_table_reason(t, 0, NOW_MS), PICK_CHOSEN);
	s->refresh_after_ms = NOW_MS + MINUTE_MS;
	assert_int_equal(lease_at(t, SV_NONE, NOW_MS, &l, &report), -ENOENT);
	assert_int_equal(report.reasons[0], PICK_EXPIRED);
	assert_true(report.pick.recovers_ms == NOW_MS + MINUTE_MS);
	assert_true(slot_table_recovers_ms(t, NOW_MS) == 0); /* that is about limits */
	assert_int_equal(slot_table_reason(t, 0, NOW_MS + MINUTE_MS), PICK_CHOSEN);
	s->refresh_state = SLOT_REFRESH_IN_DOUBT;
	assert_int_equal(slot_table_reason(t, 0, NOW_MS + MINUTE_MS), PICK_EXPIRED);
	slot_table_free(t);
}

static struct slot *with_tokens(const char *access, const char *refresh)
{
	struct slot *s = rig_slot("slot-1");

	secret_set(&s->access, sv_cstr(access));
	secret_set(&s->refresh, sv_cstr(refresh));
	return s;
}

static void test_grant_that_is_not_on_disk_survives_a_reload(void **state)
{
	struct slot_table *t = slot_table_new();
	struct slot *s = with_tokens("new", "new-refresh");

	(void)state;
	slot_table_put(t, s);
	s->unsaved = true;
	s->expires_ms = NOW_MS + 99;
	slot_table_put(t, with_tokens("old", "old-refresh"));
	assert_true(secret_equals(&s->access, SV("new")));
	assert_true(secret_equals(&s->refresh, SV("new-refresh")));
	assert_true(s->unsaved && s->expires_ms == NOW_MS + 99);
	s->unsaved = false;
	slot_table_put(t, with_tokens("old", "old-refresh"));
	assert_true(secret_equals(&s->access, SV("old")));
	slot_table_free(t);
}

static void test_reload_keeps_what_is_known_of_the_same_grant(void **state)
{
	struct slot_table *t = slot_table_new();
	struct slot *s = with_tokens("a", "r"), *fresh = with_tokens("a", "r");

	(void)state;
	slot_table_put(t, s);
	s->token_refused = true;
	s->refresh_after_ms = NOW_MS + 5;
	s->refresh_failures = 2;
	s->refresh_state = SLOT_REFRESH_IN_DOUBT;
	fresh->refresh_state = SLOT_REFRESH_NOTED;
	slot_table_put(t, fresh);
	assert_true(s->token_refused && s->refresh_after_ms == NOW_MS + 5);
	assert_int_equal(s->refresh_failures, 2);
	assert_int_equal(s->refresh_state, SLOT_REFRESH_IN_DOUBT);
	slot_table_put(t, with_tokens("b", "q"));
	assert_false(s->token_refused);
	assert_int_equal(s->refresh_after_ms, 0);
	assert_int_equal(s->refresh_state, SLOT_REFRESH_FREE);
	slot_table_free(t);
}

static void test_dead_login_that_another_process_found_is_taken_over(void **state)
{
	struct slot_table *t = slot_table_new();
	struct slot *s = with_tokens("a", "r"), *fresh = with_tokens("a", "r");

	(void)state;
	slot_table_put(t, s);
	slot_require_reauth(fresh);
	slot_table_put(t, fresh);
	assert_true(s->reauth_required);
	slot_table_put(t, with_tokens("a", "r")); /* a file that does not know it yet */
	assert_true(s->reauth_required);
	slot_table_free(t);
}

static void test_another_account_starts_afresh(void **state)
{
	struct slot_table *t = rig_table(1);
	struct slot *s = slot_table_at(t, 0);
	struct slot *fresh = rig_slot("slot-1");
	unsigned grants;

	(void)state;
	s->account_id = mem_strdup("a");
	grants = s->grants = fresh->grants = 7;
	fresh->account_id = mem_strdup("b");
	s->cooldown_until_ms = NOW_MS + 5;
	set_week(t, "slot-1", 0);
	slot_table_put(t, fresh);
	assert_int_equal(s->cooldown_until_ms, 0);
	assert_true(slot_left_pct(s, METER_WEEK, NOW_MS) == -1);
	/* Who reads its file meanwhile sees that it has another grant. */
	assert_int_not_equal(s->grants, grants);
	slot_table_free(t);
}

static void test_dead_account_stays_out_until_the_file_knows(void **state)
{
	struct slot_table *t = rig_table(1);
	struct lease l;

	(void)state;
	assert_int_equal(lease(t, &l), 0);
	release_failed(&l, FAILURE_DEAD, 0, NOW_MS);
	slot_table_put(t, rig_slot("slot-1"));
	assert_int_equal(slot_table_reason(t, 0, NOW_MS), PICK_DISABLED);
	slot_table_free(t);
}

static void test_remembered_keys(void **state)
{
	struct slot_table *t = rig_table(2);
	const struct slot *a = slot_table_at(t, 0), *b = slot_table_at(t, 1);

	(void)state;
	assert_false(slot_table_came_from(t, SV("ts"), a, NOW_MS));
	slot_table_remember(t, SV("ts"), a, NOW_MS);
	assert_true(slot_table_came_from(t, SV("ts"), a, NOW_MS));
	assert_false(slot_table_came_from(t, SV("ts"), b, NOW_MS));
	slot_table_free(t);
}

static void give_catalogue(struct slot *s, const char *names)
{
	const char *problem;

	catalogue_free(s->catalogue);
	assert_int_equal(catalogue_parse(sv_cstr(names), SV_NONE, &s->catalogue, &problem), 0);
	s->catalogue->fetched_ms = NOW_MS;
}

static void test_slot_whose_catalogue_lacks_the_model_is_left_out(void **state)
{
	struct slot_table *t = rig_table(2);
	struct lease_request r = {.model = SV("m"), .now_ms = NOW_MS};
	struct lease_report report;
	struct lease l = {0};

	(void)state;
	give_catalogue(slot_table_at(t, 0), "{\"models\":[{\"slug\":\"n\"}]}");
	assert_false(slot_table_lacks_model(t, SV("m"), NOW_MS));
	assert_int_equal(slot_table_lease(t, &r, &l, &report), 0);
	assert_string_equal(l.slot->id, "slot-2");
	assert_int_equal(report.reasons[0], PICK_MODEL);
	lease_release(&l, &cancelled, NOW_MS);
	give_catalogue(slot_table_at(t, 1), "{\"models\":[{\"slug\":\"o\"}]}");
	assert_true(slot_table_lacks_model(t, SV("m"), NOW_MS));
	assert_false(slot_table_lacks_model(t, SV("n"), NOW_MS));
	assert_int_equal(slot_table_lease(t, &r, &l, &report), -ENOENT);
	assert_false(slot_table_could_lease(t, &r));
	r.any_catalogue = true;
	assert_true(slot_table_could_lease(t, &r));
	assert_int_equal(slot_table_lease(t, &r, &l, &report), 0);
	lease_release(&l, &cancelled, NOW_MS);
	/* Only enabled slots count, and without any of them nothing is known. */
	slot_table_at(t, 0)->enabled = false;
	assert_true(slot_table_lacks_model(t, SV("n"), NOW_MS));
	slot_table_at(t, 1)->enabled = false;
	assert_false(slot_table_lacks_model(t, SV("n"), NOW_MS));
	slot_table_free(t);
}

static void test_catalogue_stays_with_its_account_and_backend(void **state)
{
	struct slot_table *t = rig_table(1);
	struct slot *s = slot_table_at(t, 0);
	struct slot *fresh = rig_slot("slot-1");

	(void)state;
	give_catalogue(s, "{\"models\":[{\"slug\":\"n\"}]}");
	slot_table_put(t, fresh);
	assert_non_null(s->catalogue);
	fresh = rig_slot("slot-1");
	free(fresh->base_url);
	fresh->base_url = mem_strdup("http://other");
	slot_table_put(t, fresh);
	assert_null(s->catalogue);
	slot_table_free(t);
}

static void test_change_is_told_to_who_plans(void **state)
{
	struct slot_table *t = rig_table(1);
	int changes = 0, capacity = 0;

	(void)state;
	slot_table_on_change(t, on_call, &changes);
	slot_table_on_capacity(t, on_call, &capacity);
	slot_table_changed(t, slot_table_at(t, 0));
	slot_table_mark_dirty(t, slot_table_at(t, 0));
	assert_int_equal(changes, 1);
	assert_int_equal(capacity, 1);
	slot_table_free(t);
}

/* A table under a policy, each slot with these meters. */
static struct slot_table *table_under(enum conf_policy policy, size_t count)
{
	struct slot_table *t = rig_table(count);
	struct conf *conf = conf_default("/r", NULL);

	conf->policy = policy;
	slot_table_configure(t, conf);
	conf_unref(conf);
	for (size_t i = 0; i < count; i++) {
		struct slot *s = slot_table_at(t, i);

		s->checked_at_ms = NOW_MS;
		s->meters.window[METER_5H] = (struct meter){true, 50, 300, NOW_S + 3600};
		s->meters.window[METER_WEEK] = (struct meter){true, 50, 10080, NOW_S + 86400};
	}
	return t;
}

/* The slot that a request gets; it ends at once, nobody's fault. */
static size_t served_by(struct slot_table *t, struct sv session, struct lease_report *report)
{
	struct lease l = {0};

	assert_int_equal(lease_at(t, session, NOW_MS, &l, report), 0);
	lease_release(&l, &cancelled, NOW_MS);
	return (size_t)report->pick.chosen;
}

static void test_round_robin_remembers_whose_turn_it_is(void **state)
{
	struct slot_table *t = table_under(POLICY_ROUND_ROBIN, 3);
	struct lease_request ask = {.now_ms = NOW_MS};
	struct lease_report report;

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		/* To look is not to choose. */
		assert_true(slot_table_could_lease(t, &ask));
		assert_int_equal(served_by(t, SV_NONE, &report), i % 3);
		assert_int_equal(report.policy, POLICY_ROUND_ROBIN);
	}
	assert_int_equal(served_by(t, SV("session"), &report), 1);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(served_by(t, SV("session"), &report), 1);
	assert_int_equal(served_by(t, SV_NONE, &report), 2);
	slot_table_free(t);
}

static void test_weighted_follows_plan_weight_and_usage(void **state)
{
	struct slot_table *t = table_under(POLICY_WEIGHTED, 3);
	struct lease_report report;
	int served[3] = {0};

	(void)state;
	snprintf(slot_table_at(t, 0)->meters.plan_type, 32, "pro");
	slot_table_at(t, 1)->weight = 2;
	slot_table_at(t, 2)->meters.window[METER_WEEK].used_percent = 75;
	/* Shares of 6.67 x 0.5, 2 x 0.5 and 0.25. */
	for (int i = 0; i < 459; i++)
		served[served_by(t, SV_NONE, &report)]++;
	assert_in_range(served[0], 333, 335);
	assert_in_range(served[1], 99, 101);
	assert_in_range(served[2], 24, 26);
	slot_table_free(t);
}

static void test_candidates_carry_windows_and_shares(void **state)
{
	struct slot_table *t = table_under(POLICY_PACE, 1);
	struct slot *s = slot_table_at(t, 0);
	struct pick_candidate c;
	struct pick_options o;

	(void)state;
	s->priority = 4;
	s->weight = 0.5;
	s->inflight = 3;
	snprintf(s->meters.plan_type, sizeof(s->meters.plan_type), "prolite");
	o = slot_table_candidates(t, NOW_MS, &c);
	assert_int_equal(o.policy, POLICY_PACE);
	assert_int_equal(c.id_number, 1);
	assert_int_equal(c.priority, 4);
	assert_int_equal(c.inflight, 3);
	assert_true(c.capacity == 2.5);
	assert_int_equal(c.resets_5h_ms, (NOW_S + 3600) * 1000);
	assert_int_equal(c.resets_week_ms, (NOW_S + 86400) * 1000);
	assert_int_equal(c.length_5h_ms, 300 * MINUTE_MS);
	assert_int_equal(c.length_week_ms, INT64_C(10080) * MINUTE_MS);
	/* A free plan: the month stands for the week; its length is the usual one when not told. */
	s->meters.window[METER_WEEK].known = false;
	s->meters.window[METER_5H].known = false;
	s->meters.window[METER_MONTH] = (struct meter){true, 10, 0, 0};
	slot_table_candidates(t, NOW_MS, &c);
	assert_true(c.left_5h < 0 && c.left_week == 90);
	assert_int_equal(c.resets_5h_ms, 0);
	assert_int_equal(c.length_5h_ms, 0);
	assert_int_equal(c.length_week_ms, INT64_C(43200) * MINUTE_MS);
	assert_int_equal(c.resets_week_ms, NOW_MS + INT64_C(43200) * MINUTE_MS);
	s->inflight = 0;
	slot_table_free(t);
}

static void test_report_explains_every_slot(void **state)
{
	struct slot_table *t = table_under(POLICY_RESET_SOONEST, 3);
	struct lease_report report;

	(void)state;
	slot_table_at(t, 1)->cooldown_until_ms = NOW_MS + 1;
	slot_table_at(t, 2)->meters.window[METER_WEEK].resets_at_s = NOW_S + 7200;
	assert_int_equal(served_by(t, SV_NONE, &report), 2);
	assert_int_equal(report.reasons[0], PICK_LOWER_RANK);
	assert_int_equal(report.reasons[1], PICK_COOLDOWN);
	assert_int_equal(report.reasons[2], PICK_CHOSEN);
	assert_true(report.scores[0] == 86400);
	assert_true(isnan(report.scores[1]));
	assert_true(report.scores[2] == 7200);
	slot_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leases_are_counted),
		cmocka_unit_test(test_equal_slots_share_the_load),
		cmocka_unit_test(test_none_can_serve),
		cmocka_unit_test(test_recovery_is_the_latest_exhausted_window),
		cmocka_unit_test(test_tried_slots_are_not_taken_again),
		cmocka_unit_test(test_a_session_stays_where_it_was),
		cmocka_unit_test(test_short_cooldown_keeps_the_pin_and_a_long_one_moves_it),
		cmocka_unit_test(test_a_full_slot_keeps_the_pin),
		cmocka_unit_test(test_a_disabled_slot_loses_the_pin),
		cmocka_unit_test(test_entitlement_is_remembered_by_model),
		cmocka_unit_test(test_streams_that_end_well_do_not_end_a_cooldown),
		cmocka_unit_test(test_removed_slot_lives_until_its_last_lease),
		cmocka_unit_test(test_capacity_and_dirt_are_told),
		cmocka_unit_test(test_put_again_keeps_what_was_learnt),
		cmocka_unit_test(test_put_again_takes_newer_usage),
		cmocka_unit_test(test_reauth_ends_with_another_token),
		cmocka_unit_test(test_expired_slot_is_able_while_its_token_can_be_refreshed),
		cmocka_unit_test(test_grant_that_is_not_on_disk_survives_a_reload),
		cmocka_unit_test(test_reload_keeps_what_is_known_of_the_same_grant),
		cmocka_unit_test(test_dead_login_that_another_process_found_is_taken_over),
		cmocka_unit_test(test_another_account_starts_afresh),
		cmocka_unit_test(test_dead_account_stays_out_until_the_file_knows),
		cmocka_unit_test(test_remembered_keys),
		cmocka_unit_test(test_slot_whose_catalogue_lacks_the_model_is_left_out),
		cmocka_unit_test(test_catalogue_stays_with_its_account_and_backend),
		cmocka_unit_test(test_change_is_told_to_who_plans),
		cmocka_unit_test(test_round_robin_remembers_whose_turn_it_is),
		cmocka_unit_test(test_weighted_follows_plan_weight_and_usage),
		cmocka_unit_test(test_candidates_carry_windows_and_shares),
		cmocka_unit_test(test_report_explains_every_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
