/* What listeners are told of slots, and what is no news. */
#include "admin/slot_watch.h"

#include "../slots/rig.h"

struct heard {
	size_t count;
	unsigned groups;
	char id[LIMIT_SLOT_ID_BYTES];
	char removed[LIMIT_SLOT_ID_BYTES];
};

static void on_slot(void *arg, const struct slot *s, enum pick_reason reason, unsigned groups)
{
	struct heard *h = arg;

	(void)reason;
	h->count++;
	h->groups = groups;
	memcpy(h->id, s->id, sizeof(h->id));
}

static void on_removed(void *arg, const char *id)
{
	struct heard *h = arg;

	h->count++;
	snprintf(h->removed, sizeof(h->removed), "%s", id);
}

static const struct slot_watch_ops ops = {on_slot, on_removed};

static struct heard look(struct slot_watch *w, struct slot_table *t, int64_t now_ms)
{
	struct heard h = {0};

	slot_watch_look(w, t, now_ms, &ops, &h);
	return h;
}

static void check_one(struct slot_watch *w, struct slot_table *t, int64_t now_ms, unsigned groups)
{
	struct heard h = look(w, t, now_ms);

	assert_int_equal(h.count, 1);
	assert_string_equal(h.id, "slot-2");
	assert_int_equal(h.groups, groups);
	assert_int_equal(look(w, t, now_ms).count, 0);
}

#define BIT(group) (1u << (group))

static void test_each_group_is_told_once(void **state)
{
	struct slot_table *t = rig_table(3);
	struct slot_watch *w = slot_watch_new();
	struct slot *s = slot_table_at(t, 1);

	(void)state;
	slot_watch_forget(w, t, NOW_MS);
	assert_int_equal(look(w, t, NOW_MS).count, 0);
	s->enabled = false;
	check_one(w, t, NOW_MS, BIT(SLOT_GROUP_STATE));
	s->enabled = true;
	look(w, t, NOW_MS);
	s->failures = 2;
	check_one(w, t, NOW_MS, BIT(SLOT_GROUP_COOLDOWN));
	s->meters.window[METER_WEEK] =
		(struct meter){.known = true, .used_percent = 10, .resets_at_s = NOW_S + 9000};
	check_one(w, t, NOW_MS, BIT(SLOT_GROUP_USAGE));
	secret_set(&s->access, SV("another"));
	check_one(w, t, NOW_MS, BIT(SLOT_GROUP_CREDENTIAL));
	free(s->label);
	s->label = mem_strdup("renamed");
	check_one(w, t, NOW_MS, BIT(SLOT_GROUP_SETTINGS));
	slot_watch_free(w);
	slot_table_free(t);
}

/* Nobody touches the slot when its cooldown is over, its window resets, its token expires. */
static void test_time_alone_changes_a_slot(void **state)
{
	struct slot_table *t = rig_table(3);
	struct slot_watch *w = slot_watch_new();
	struct slot *s = slot_table_at(t, 1);

	(void)state;
	s->cooldown_until_ms = NOW_MS + 1000;
	s->meters.window[METER_5H] =
		(struct meter){.known = true, .used_percent = 80, .resets_at_s = NOW_S + 5};
	slot_watch_forget(w, t, NOW_MS);
	assert_int_equal(look(w, t, NOW_MS + 999).count, 0);
	check_one(w, t, NOW_MS + 1001, BIT(SLOT_GROUP_STATE));
	check_one(w, t, NOW_MS + 6000, BIT(SLOT_GROUP_USAGE));
	slot_watch_free(w);
	slot_table_free(t);
}

static void test_slots_come_and_go(void **state)
{
	static const char *const kept[] = {"slot-2", "slot-3"};
	struct slot_table *t = rig_table(3);
	struct slot_watch *w = slot_watch_new();
	struct heard h;

	(void)state;
	slot_watch_forget(w, t, NOW_MS);
	slot_table_retain(t, kept, 2);
	h = look(w, t, NOW_MS);
	assert_int_equal(h.count, 1);
	assert_string_equal(h.removed, "slot-1");
	slot_table_put(t, rig_slot("slot-9"));
	h = look(w, t, NOW_MS);
	assert_int_equal(h.count, 1);
	assert_string_equal(h.id, "slot-9");
	assert_int_equal(h.groups, 0);
	slot_watch_free(w);
	slot_table_free(t);
}

/* A request that runs is no change of its slot. */
static void test_load_is_no_news(void **state)
{
	struct slot_table *t = rig_table(3);
	struct slot_watch *w = slot_watch_new();
	struct slot *s = slot_table_at(t, 1);

	(void)state;
	slot_watch_forget(w, t, NOW_MS);
	s->inflight = 1;
	s->last_used_ms = NOW_MS;
	s->checked_at_ms = NOW_MS;
	assert_int_equal(look(w, t, NOW_MS).count, 0);
	s->inflight = 0;
	slot_watch_free(w);
	slot_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_group_is_told_once),
		cmocka_unit_test(test_time_alone_changes_a_slot),
		cmocka_unit_test(test_slots_come_and_go),
		cmocka_unit_test(test_load_is_no_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
