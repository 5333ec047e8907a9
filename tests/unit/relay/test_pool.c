/* What clients are shown of all slots together: limits, models, and answer headers. */
#include "relay/native_head.h"
#include "relay/pool_models.h"
#include "relay/pool_usage.h"
#include "slots/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW_S INT64_C(1795000000)
#define NOW_MS (NOW_S * 1000)

struct rig {
	struct slot_table *slots;
	struct conf *conf;
};

static int setup(void **state)
{
	struct rig *rig = mem_zalloc(sizeof(*rig));

	rig->conf = conf_default("/r", NULL);
	rig->slots = slot_table_new();
	slot_table_configure(rig->slots, rig->conf);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	slot_table_free(rig->slots);
	conf_unref(rig->conf);
	free(rig);
	return 0;
}

static struct slot *add_slot(struct rig *rig, int number)
{
	struct slot *s = mem_zalloc(sizeof(*s));

	snprintf(s->id, sizeof(s->id), "slot-%d", number);
	s->enabled = true;
	s->weight = 1;
	s->label = mem_strdup("x");
	s->base_url = mem_strdup("http://upstream");
	s->auth_file = mem_strdup("/r/auth.json");
	secret_set(&s->access, SV("token"));
	slot_table_put(rig->slots, s);
	return slot_table_find(rig->slots, s->id);
}

static void set_window(struct slot *s, enum meter_kind kind, double used, int64_t in_s)
{
	s->meters.window[kind] = (struct meter){
		.known = true,
		.used_percent = used,
		.window_minutes = kind == METER_5H     ? 300
				  : kind == METER_WEEK ? 10080
						       : 43200,
		.resets_at_s = NOW_S + in_s,
	};
}

static struct pool_usage usage_of(struct rig *rig)
{
	struct pool_usage u;

	pool_usage_of(rig->slots, NOW_MS, &u);
	return u;
}

static void test_without_slots_nothing_is_known(void **state)
{
	struct pool_usage u = usage_of(*state);

	assert_false(u.window[POOL_5H].known || u.window[POOL_WEEK].known || u.allowed);
	assert_string_equal(u.plan_type, "");
}

static void test_unknown_windows_are_left_out(void **state)
{
	struct rig *rig = *state;
	struct pool_usage u;

	set_window(add_slot(rig, 1), METER_5H, 40, 100);
	add_slot(rig, 2);
	u = usage_of(rig);
	assert_true(u.allowed && u.window[POOL_5H].known && !u.window[POOL_WEEK].known);
	assert_float_equal(u.window[POOL_5H].used_percent, 40, 0.001);
	assert_int_equal(u.window[POOL_5H].resets_at_s, NOW_S + 100);
	assert_int_equal(u.window[POOL_5H].length_s, 5 * 3600);
}

static void test_larger_plans_count_for_more(void **state)
{
	struct rig *rig = *state;
	struct slot *plus = add_slot(rig, 1), *pro = add_slot(rig, 2);
	struct pool_usage u;

	set_window(plus, METER_5H, 100, 50);
	set_window(pro, METER_5H, 0, 10);
	snprintf(pro->meters.plan_type, sizeof(pro->meters.plan_type), "pro");
	u = usage_of(rig);
	assert_float_equal(u.window[POOL_5H].used_percent, 100 / 7.67, 0.001);
	/* The full one of pro gets nothing back. */
	assert_int_equal(u.window[POOL_5H].resets_at_s, NOW_S + 50);
	assert_string_equal(u.plan_type, "pro");
}

static void test_an_untouched_window_ends_too(void **state)
{
	struct rig *rig = *state;

	set_window(add_slot(rig, 1), METER_5H, 0, 700);
	set_window(add_slot(rig, 2), METER_5H, 0, 300);
	assert_int_equal(usage_of(rig).window[POOL_5H].resets_at_s, NOW_S + 300);
}

static void test_a_full_week_leaves_no_hours(void **state)
{
	struct rig *rig = *state;
	struct slot *s = add_slot(rig, 1);
	struct pool_usage u;

	set_window(s, METER_5H, 10, 100);
	set_window(s, METER_WEEK, 100, 5000);
	u = usage_of(rig);
	assert_false(u.allowed);
	assert_float_equal(u.window[POOL_5H].used_percent, 100, 0.001);
	assert_int_equal(u.window[POOL_5H].resets_at_s, NOW_S + 5000);
}

static void test_months_stand_for_weeks(void **state)
{
	struct rig *rig = *state;
	struct pool_usage u;

	set_window(add_slot(rig, 1), METER_MONTH, 30, 900);
	u = usage_of(rig);
	assert_false(u.window[POOL_5H].known);
	assert_float_equal(u.window[POOL_WEEK].used_percent, 30, 0.001);
	assert_int_equal(u.window[POOL_WEEK].length_s, 30 * 24 * 3600);
}

static void test_slots_that_nobody_may_use_do_not_count(void **state)
{
	struct rig *rig = *state;
	struct slot *s[3];

	for (int i = 0; i < 3; i++) {
		s[i] = add_slot(rig, i + 1);
		set_window(s[i], METER_5H, 90, 10);
	}
	s[0]->enabled = false;
	s[1]->dead = true;
	s[2]->reauth_required = true;
	assert_false(usage_of(rig).window[POOL_5H].known);
}

/* --- models --- */

static void give_models(struct slot *s, const char *body)
{
	const char *problem;

	if (catalogue_parse(sv_cstr(body), SV_NONE, &s->catalogue, &problem))
		fail_msg("%s", problem);
}

static void assert_models(struct rig *rig, const char *version, const char *expected)
{
	struct buf out;

	buf_init(&out, KIB(64));
	pool_models_write(rig->conf, rig->slots, sv_cstr(version), &out);
	assert_string_equal(buf_cstr(&out), expected);
	buf_fini(&out);
}

static void test_models_are_the_union_in_upstreams_words(void **state)
{
	struct rig *rig = *state;

	assert_models(rig, "", "{\"models\":[]}");
	give_models(add_slot(rig, 1),
		"{\"models\":[{\"slug\":\"a\", \"x\":1.50},{\"no\":\"slug\"},7,{\"slug\":\"b\"}]}");
	give_models(add_slot(rig, 2), "{\"models\":[{\"slug\":\"a\",\"x\":2},{\"slug\":\"c\"}]}");
	assert_models(rig, "",
		"{\"models\":[{\"slug\":\"a\", \"x\":1.50},{\"slug\":\"b\"},{\"slug\":\"c\"}]}");
}

static void test_models_of_newer_clients_are_left_out(void **state)
{
	struct rig *rig = *state;

	give_models(add_slot(rig, 1),
		"{\"models\":[{\"slug\":\"a\",\"minimal_client_version\":\"0.98.2\"},"
		"{\"slug\":\"b\",\"minimal_client_version\":[0,99,0]},"
		"{\"slug\":\"c\",\"minimal_client_version\":null},"
		"{\"slug\":\"d\",\"minimal_client_version\":\"x\"}]}");
#define A "{\"slug\":\"a\",\"minimal_client_version\":\"0.98.2\"}"
#define B "{\"slug\":\"b\",\"minimal_client_version\":[0,99,0]}"
#define CD                                                                  \
	"{\"slug\":\"c\",\"minimal_client_version\":null},{\"slug\":\"d\"," \
	"\"minimal_client_version\":\"x\"}"
	assert_models(rig, "0.98.1", "{\"models\":[" CD "]}");
	assert_models(rig, "0.98.2", "{\"models\":[" A "," CD "]}");
	assert_models(rig, "0.98.10-alpha.1", "{\"models\":[" A "," CD "]}");
	assert_models(rig, "0.99.0", "{\"models\":[" A "," B "," CD "]}");
	assert_models(rig, "1", "{\"models\":[" A "," B "," CD "]}");
	assert_models(rig, "", "{\"models\":[" A "," B "," CD "]}");
}

static void test_the_etag_is_of_what_there_is(void **state)
{
	struct rig *rig = *state;
	char none[POOL_MODELS_ETAG_SIZE], one[sizeof(none)], same[sizeof(none)], both[sizeof(none)];
	struct slot *a, *b;

	pool_models_etag(rig->conf, rig->slots, none);
	assert_string_equal(none, "");
	a = add_slot(rig, 1);
	give_models(a, "{\"models\":[{\"slug\":\"a\"}]}");
	pool_models_etag(rig->conf, rig->slots, one);
	assert_int_equal(strncmp(one, "W/\"", 3), 0);
	b = add_slot(rig, 2);
	give_models(b, "{\"models\":[{\"slug\":\"a\"}]}");
	assert_true(catalogue_share_text(b->catalogue, a->catalogue));
	pool_models_etag(rig->conf, rig->slots, same);
	assert_string_equal(same, one);
	catalogue_free(b->catalogue);
	give_models(b, "{\"models\":[{\"slug\":\"b\"}]}");
	assert_false(catalogue_share_text(b->catalogue, a->catalogue));
	pool_models_etag(rig->conf, rig->slots, both);
	assert_string_not_equal(both, one);
	b->enabled = false;
	pool_models_etag(rig->conf, rig->slots, same);
	assert_string_equal(same, one);
}

/* --- answer headers --- */

static const struct http_header upstream[] = {
	{SV("X-Codex-Active-Limit"), SV("premium")},
	{SV("x-codex-primary-used-percent"), SV("10")},
	{SV("x-codex-secondary-reset-after-seconds"), SV("5")},
	{SV("x-codex-credits-balance"), SV("3")},
	{SV("x-codex-plan-type"), SV("pro")},
	{SV("x-codex-turn-state"), SV("t")},
	{SV("x-models-etag"), SV("W/\"upstream\"")},
};

static void assert_header(const struct native_head *h, const char *name, const char *value)
{
	const struct http_header *found = NULL;

	for (size_t i = 0; i < h->count; i++) {
		if (!sv_ieq(h->headers[i].name, sv_cstr(name)))
			continue;
		assert_null(found);
		found = &h->headers[i];
	}
	if (!value)
		assert_null(found);
	else if (!found || !sv_eq(found->value, sv_cstr(value)))
		fail_msg("%s: not %s", name, value);
}

static void test_headers_of_the_slot_in_use(void **state)
{
	struct rig *rig = *state;
	struct native_head h;

	native_head_make(&h, rig->conf, rig->slots, upstream, ARRAY_LEN(upstream), NOW_MS);
	assert_header(&h, "x-codex-active-limit", "codex");
	assert_header(&h, "x-codex-primary-used-percent", "10");
	assert_header(&h, "x-codex-credits-balance", "3");
	assert_header(&h, "x-codex-turn-state", "t");
	assert_header(&h, "x-models-etag", NULL);
	native_head_make(&h, rig->conf, rig->slots, upstream, 1, NOW_MS);
	assert_int_equal(h.count, 0);
	give_models(add_slot(rig, 1), "{\"models\":[{\"slug\":\"a\"}]}");
	native_head_make(&h, rig->conf, rig->slots, upstream, ARRAY_LEN(upstream), NOW_MS);
	assert_header(&h, "x-models-etag", h.etag);
	native_head_make(&h, rig->conf, rig->slots, upstream, 1, NOW_MS);
	assert_header(&h, "x-models-etag", NULL);
}

static void test_headers_of_all_slots(void **state)
{
	struct rig *rig = *state;
	struct slot *s = add_slot(rig, 1);
	struct native_head h;

	rig->conf->codex_limits = CODEX_LIMITS_POOL;
	native_head_make(&h, rig->conf, rig->slots, upstream, ARRAY_LEN(upstream), NOW_MS);
	assert_int_equal(h.count, 1);
	assert_header(&h, "x-codex-turn-state", "t");
	set_window(s, METER_5H, 12.346, 600);
	set_window(s, METER_WEEK, 50, 6000);
	native_head_make(&h, rig->conf, rig->slots, upstream, ARRAY_LEN(upstream), NOW_MS);
	assert_header(&h, "x-codex-primary-used-percent", "12.35");
	assert_header(&h, "x-codex-primary-window-minutes", "300");
	assert_header(&h, "x-codex-primary-reset-at", "1795000600");
	assert_header(&h, "x-codex-secondary-used-percent", "50.00");
	assert_header(&h, "x-codex-secondary-window-minutes", "10080");
	assert_header(&h, "x-codex-secondary-reset-at", "1795006000");
	assert_header(&h, "x-codex-active-limit", "codex");
	assert_header(&h, "x-codex-plan-type", NULL);
	assert_header(&h, "x-codex-credits-balance", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_slots_nothing_is_known),
		TEST(test_unknown_windows_are_left_out),
		TEST(test_larger_plans_count_for_more),
		TEST(test_an_untouched_window_ends_too),
		TEST(test_a_full_week_leaves_no_hours),
		TEST(test_months_stand_for_weeks),
		TEST(test_slots_that_nobody_may_use_do_not_count),
		TEST(test_models_are_the_union_in_upstreams_words),
		TEST(test_models_of_newer_clients_are_left_out),
		TEST(test_the_etag_is_of_what_there_is),
		TEST(test_headers_of_the_slot_in_use),
		TEST(test_headers_of_all_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
