/* What the name of a model in a request means. */
#include "relay/model_choice.h"

#include "slots/catalogue.h"
#include "slots/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1790000000000)

struct world {
	struct conf *conf;
	struct slot_table *slots;
};

/* One slot that has the model "known". */
static void open_world(struct world *w)
{
	static const char text[] =
		"{\"models\":{\"aliases\":{\"fast\":\"known\",\"dream\":\"none\","
		"\"chain\":\"fast\"},\"extra\":[\"beta\"]}}";
	struct slot *s = mem_zalloc(sizeof(*s));
	struct conf_error err;
	const char *problem;

	assert_int_equal(conf_parse(sv_cstr(text), "/r", NULL, &w->conf, &err), 0);
	w->slots = slot_table_new();
	slot_table_configure(w->slots, w->conf);
	memcpy(s->id, "slot-1", sizeof("slot-1"));
	s->enabled = true;
	assert_int_equal(catalogue_parse(SV("{\"models\":[{\"slug\":\"known\"}]}"), SV_NONE,
				 &s->catalogue, &problem),
		0);
	s->catalogue->fetched_ms = NOW_MS;
	slot_table_put(w->slots, s);
}

static void close_world(struct world *w)
{
	slot_table_free(w->slots);
	conf_unref(w->conf);
}

struct choice_case {
	const char *asked, *name;
	bool native, aliased, possible, any_catalogue;
};

static const struct choice_case cases[] = {
	{"known", "known", false, false, true, false},
	{"known", "known", true, false, true, false},
	{"none", "none", false, false, false, false},
	{"none", "none", true, false, true, true},
	{"fast", "known", false, true, true, false},
	{"dream", "none", false, true, true, true},
	{"chain", "fast", false, true, true, true},
	{"beta", "beta", false, false, true, true},
	{"", "", false, false, false, false},
};

static void test_choices(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct choice_case *c = &cases[i];
		struct model_choice m = model_choice_of(w.conf, sv_cstr(c->asked));
		bool possible = model_choice_is_possible(&m, w.conf, w.slots, c->native, NOW_MS);

		if (!sv_eq(m.name, sv_cstr(c->name)) || m.aliased != c->aliased ||
			possible != c->possible || m.any_catalogue != c->any_catalogue)
			fail_msg("%s, native %d", c->asked, c->native);
	}
	close_world(&w);
}

/* For endings of names: only what stands somewhere is known. */
static void test_known_names(void **state)
{
	static const char *const known[] = {"known", "fast", "dream", "beta"};
	static const char *const unknown[] = {"none", "know", "known-high", ""};
	struct world w;

	(void)state;
	open_world(&w);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		assert_true(model_choice_knows(w.conf, w.slots, sv_cstr(known[i])));
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		assert_false(model_choice_knows(w.conf, w.slots, sv_cstr(unknown[i])));
	slot_table_at(w.slots, 0)->enabled = false;
	assert_false(model_choice_knows(w.conf, w.slots, SV("known")));
	close_world(&w);
}

static void test_unknown_catalogue_makes_everything_possible(void **state)
{
	struct world w;
	struct model_choice m;

	(void)state;
	open_world(&w);
	slot_table_at(w.slots, 0)->catalogue->fetched_ms = 0;
	m = model_choice_of(w.conf, SV("none"));
	assert_true(model_choice_is_possible(&m, w.conf, w.slots, false, NOW_MS));
	assert_false(m.any_catalogue);
	close_world(&w);
}

static void test_refused_when_no_slot_would_serve_it_later(void **state)
{
	static struct lease_report r;

	(void)state;
	assert_false(model_choice_is_refused(&r));
	r.count = 3;
	r.reasons[0] = PICK_DISABLED;
	r.reasons[1] = PICK_MODEL;
	r.reasons[2] = PICK_REAUTH_REQUIRED;
	assert_true(model_choice_is_refused(&r));
	r.reasons[2] = PICK_COOLDOWN;
	assert_false(model_choice_is_refused(&r));
	r.reasons[1] = r.reasons[2] = PICK_DISABLED;
	assert_false(model_choice_is_refused(&r));
}

static void test_refusal_is_in_the_clients_shape(void **state)
{
	const struct model_choice m = {.name = SV("a\"b")};
	struct arena arena;
	struct api_err err;
	struct jv body;

	(void)state;
	arena_init(&arena, KIB(16));
	model_choice_describe_refusal(&m, false, &arena, &err);
	assert_int_equal(err.status, 400);
	assert_int_equal(err.body.n, 0);
	assert_non_null(strstr(err.message, "'a\"b' model is not supported"));
	model_choice_describe_refusal(&m, true, &arena, &err);
	assert_int_equal(jv_parse(err.body, 4, &body, NULL), 0);
	assert_true(jv_str_eq(jv_get(body, SV("detail")), sv_cstr(err.message)));
	arena_fini(&arena);
}

static void test_model_header_is_dropped(void **state)
{
	const struct http_header headers[] = {
		{SV("x-codex-plan-type"), SV("plus")},
		{SV("OpenAI-Model"), SV("known")},
		{SV("openai-model-x"), SV("1")},
	};
	struct http_header kept[ARRAY_LEN(headers)];

	(void)state;
	assert_int_equal(model_choice_drop_name(headers, ARRAY_LEN(headers), kept), 2);
	assert_true(sv_eq(kept[0].name, headers[0].name));
	assert_true(sv_eq(kept[1].name, headers[2].name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_known_names),
		cmocka_unit_test(test_unknown_catalogue_makes_everything_possible),
		cmocka_unit_test(test_refused_when_no_slot_would_serve_it_later),
		cmocka_unit_test(test_refusal_is_in_the_clients_shape),
		cmocka_unit_test(test_model_header_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
