/*
 * The golden cases of tests/golden/, see the README there: request in, internal form out; events
 * in, answer out; whatever the cuts of the event stream. GOLDEN_UPDATE=1 writes expectations.
 */
#include "base/limits.h"
#include "dialect/dialect.h"
#include "proto/sse.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX_CASES = 600, PATH_BYTES = 1024, MAX_STEPS = 64 };

/* A part of a case's events: bytes as upstream sends them, then a call of another kind. */
struct step {
	size_t bytes;
	enum { THEN_NOTHING, THEN_ERROR, THEN_HEARTBEAT, THEN_BEGIN } then;
	struct api_err err;
	bool in_stream;
};

struct golden {
	char path[PATH_BYTES];
	json_t *json;
	char *body; /* the request's text */
	bool changed;
	struct buf stream; /* the events of all steps, encoded */
	struct step steps[MAX_STEPS];
	size_t step_count;
};

/* One pass of a case's events, cut in two at `cut`, or bytewise with cut -1. */
struct pass {
	struct golden *golden;
	struct arena arena;
	struct turn turn;
	struct buf out;
	struct sse_decoder decoder;
	long cut;
	size_t fed;
};

static const struct dialect *dialect_of(json_t *json)
{
	const char *name = json_string_value(json_object_get(json, "dialect"));

	assert_non_null(name);
	if (strcmp(name, "chat") == 0)
		return &dialect_chat;
	if (strcmp(name, "completions") == 0)
		return &dialect_completions;
	assert_string_equal(name, "responses");
	return &dialect_responses;
}

/* JSON text of a value; a string stands for the text itself. */
static char *text_of(json_t *value)
{
	if (json_is_string(value))
		return strdup(json_string_value(value));
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void expect(struct golden *g, const char *key, json_t *actual)
{
	json_t *wanted = json_object_get(g->json, key);
	char *actual_text, *wanted_text;

	if (getenv("GOLDEN_UPDATE")) {
		g->changed = true;
		assert_int_equal(json_object_set_new(g->json, key, actual), 0);
		return;
	}
	if (!wanted)
		fail_msg("%s: no \"%s\": run with GOLDEN_UPDATE=1 and review", g->path, key);
	actual_text = json_dumps(actual, JSON_COMPACT | JSON_ENCODE_ANY);
	wanted_text = json_dumps(wanted, JSON_COMPACT | JSON_ENCODE_ANY);
	if (strcmp(actual_text, wanted_text) != 0)
		fail_msg("%s: %s\n is     %s\n wanted %s", g->path, key, actual_text, wanted_text);
	free(actual_text);
	free(wanted_text);
	json_decref(actual);
}

/* As JSON if the case has it so, or as the exact text where it has a string. */
static json_t *as_wanted(struct golden *g, const char *key, struct sv text)
{
	json_error_t error;
	json_t *value;

	if (json_is_string(json_object_get(g->json, key)))
		return json_stringn(text.p, text.n);
	value = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error);
	if (!value)
		fail_msg("%s: %s is no JSON: %.*s", g->path, key, SV_ARG(text));
	return value;
}

static void pass_init(struct pass *p, struct golden *g, long cut)
{
	*p = (struct pass){.golden = g, .cut = cut};
	arena_init(&p->arena, LIMIT_ARENA_BYTES);
	turn_init(&p->turn, dialect_of(g->json), &p->arena);
	p->turn.now_s = 1700000000;
	p->turn.id = "req-test";
	p->turn.native = json_is_true(json_object_get(g->json, "native"));
	buf_init(&p->out, LIMIT_FOLD_BYTES);
	sse_decoder_init(&p->decoder, LIMIT_EVENT_BYTES);
	assert_int_equal(jv_parse(sv_cstr(g->body), LIMIT_JSON_DEPTH, &p->turn.request, NULL), 0);
}

static void pass_fini(struct pass *p)
{
	sse_decoder_fini(&p->decoder);
	buf_fini(&p->out);
	turn_fini(&p->turn);
	arena_fini(&p->arena);
}

/* --- events --------------------------------------------------------------------------------------
 */

static void feed_piece(struct pass *p, struct sv piece)
{
	/* A copy of its own, so that a view that outlives its chunk is seen by the sanitizer. */
	char *copy = malloc(piece.n ? piece.n : 1);
	struct sse_event sse;
	struct event ev;

	assert_non_null(copy);
	if (piece.n)
		memcpy(copy, piece.p, piece.n);
	sse_feed(&p->decoder, sv_make(copy, piece.n));
	while (sse_next(&p->decoder, &sse) == 1) {
		assert_int_equal(event_parse(sse.data, sse.raw, &ev), 0);
		assert_int_equal(p->turn.dialect->on_event(&p->turn, &ev, &p->out), 0);
	}
	free(copy);
}

static void feed_text(struct pass *p, struct sv text)
{
	size_t cut = text.n;

	if (p->cut < 0) {
		for (size_t i = 0; i < text.n; i++)
			feed_piece(p, sv_make(text.p + i, 1));
	} else {
		if ((size_t)p->cut > p->fed && (size_t)p->cut < p->fed + text.n)
			cut = (size_t)p->cut - p->fed;
		feed_piece(p, sv_make(text.p, cut));
		if (cut < text.n)
			feed_piece(p, sv_from(text, cut));
	}
	p->fed += text.n;
}

static const char *string_of(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_string(value) ? json_string_value(value) : "";
}

static struct api_err error_of(json_t *spec)
{
	struct api_err err;

	api_err_set(&err, (int)json_integer_value(json_object_get(spec, "status")),
		string_of(spec, "type"), string_of(spec, "code"), "-");
	snprintf(err.message, sizeof(err.message), "%s", string_of(spec, "message"));
	snprintf(err.param, sizeof(err.param), "%s", string_of(spec, "param"));
	snprintf(err.plan_type, sizeof(err.plan_type), "%s", string_of(spec, "plan_type"));
	err.resets_at_s = json_integer_value(json_object_get(spec, "resets_at"));
	err.body = sv_cstr(json_string_value(json_object_get(spec, "body")));
	return err;
}

/* "$error", "$heartbeat", "$begin" stand for calls other than on_event. True if it was one. */
static bool end_step(struct golden *g, json_t *element)
{
	json_t *error = json_object_get(element, "$error");
	struct step *step = &g->steps[g->step_count];

	if (error) {
		step->then = THEN_ERROR;
		step->err = error_of(error);
		step->in_stream = json_is_true(json_object_get(error, "in_stream"));
	} else if (json_object_get(element, "$heartbeat")) {
		step->then = THEN_HEARTBEAT;
	} else if (json_object_get(element, "$begin")) {
		step->then = THEN_BEGIN;
	} else {
		return false;
	}
	g->step_count++;
	assert_true(g->step_count < MAX_STEPS);
	return true;
}

/* Once for each case: its many passes only feed bytes. */
static void encode_events(struct golden *g)
{
	json_t *element;
	size_t i;

	buf_init(&g->stream, LIMIT_FOLD_BYTES);
	json_array_foreach(json_object_get(g->json, "events"), i, element)
	{
		size_t before = g->stream.len;
		struct event ev;
		char *text;

		if (json_is_object(element) && end_step(g, element))
			continue;
		text = text_of(element);
		assert_non_null(text);
		if (event_parse(sv_cstr(text), SV_NONE, &ev))
			fail_msg("%s: event %zu is bad", g->path, i);
		sse_encode(&g->stream, ev.name, sv_cstr(text));
		g->steps[g->step_count].bytes += g->stream.len - before;
		free(text);
	}
	g->step_count++;
}

static void end_of_step(struct pass *p, const struct step *step)
{
	const struct dialect *d = p->turn.dialect;

	if (step->then == THEN_ERROR)
		d->error(&p->turn, &step->err, step->in_stream, &p->out);
	if (step->then == THEN_HEARTBEAT)
		d->heartbeat(&p->turn, &p->out);
	if (step->then == THEN_BEGIN) {
		buf_reset(&p->out, 0);
		assert_int_equal(d->begin(&p->turn), 0);
	}
}

/* Returns whether finish() is due: the answer did not end in an error. */
static bool run_events(struct pass *p)
{
	struct sv rest = buf_sv(&p->golden->stream);
	bool whole = true;

	for (size_t i = 0; i < p->golden->step_count; i++) {
		const struct step *step = &p->golden->steps[i];

		if (step->bytes)
			feed_text(p, sv_make(rest.p, step->bytes));
		rest = sv_from(rest, step->bytes);
		end_of_step(p, step);
		if (step->then)
			whole = step->then != THEN_ERROR;
	}
	return whole;
}

static void run_answer(struct pass *p)
{
	struct api_err err;

	assert_int_equal(p->turn.dialect->parse(&p->turn, &err), 0);
	assert_int_equal(p->turn.dialect->begin(&p->turn), 0);
	if (run_events(p))
		assert_int_equal(p->turn.dialect->finish(&p->turn, &p->out), 0);
	assert_int_equal(buf_error(&p->out), 0);
}

/* A stream as an array with one string for each event. */
static json_t *split_stream(struct sv text)
{
	json_t *list = json_array();

	while (text.n) {
		ptrdiff_t at = sv_find(text, SV("\n\n"));

		assert_true(at >= 0);
		json_array_append_new(list, json_stringn(text.p, (size_t)at));
		text = sv_from(text, (size_t)at + 2);
	}
	return list;
}

static void check_cuts(struct golden *g, struct sv wanted, size_t total)
{
	for (long cut = -1; cut < (long)total; cut++) {
		struct pass p;

		pass_init(&p, g, cut);
		run_answer(&p);
		if (!sv_eq(buf_sv(&p.out), wanted))
			fail_msg("%s: other answer when cut at %ld: %.*s", g->path, cut,
				SV_ARG(buf_sv(&p.out)));
		pass_fini(&p);
	}
}

static void check_answer(struct golden *g)
{
	bool stream;
	struct pass p;
	struct sv out;

	encode_events(g);
	pass_init(&p, g, 0);
	run_answer(&p);
	out = buf_sv(&p.out);
	stream = out.n > 0 && out.p[0] != '{';
	expect(g, "expected", stream ? split_stream(out) : as_wanted(g, "expected", out));
	check_cuts(g, out, p.fed);
	pass_fini(&p);
	buf_fini(&g->stream);
}

/* --- requests ------------------------------------------------------------------------------------
 */

static void check_request(struct golden *g)
{
	struct api_err err;
	struct pass p;

	pass_init(&p, g, 0);
	if (p.turn.dialect->parse(&p.turn, &err) == 0) {
		struct sv model = p.turn.model;
		struct jv again;

		assert_null(json_object_get(g->json, "error"));
		assert_int_equal(
			jv_parse(jv_raw(p.turn.upstream), LIMIT_JSON_DEPTH + 8, &again, NULL), 0);
		expect(g, "upstream", as_wanted(g, "upstream", jv_raw(p.turn.upstream)));
		expect(g, "model", json_stringn(model.p, model.n));
		expect(g, "ignored",
			json_stringn(p.turn.ignored.p ? p.turn.ignored.p : "", p.turn.ignored.n));
	} else {
		assert_null(json_object_get(g->json, "upstream"));
		expect(g, "error",
			json_pack("{s:i,s:s,s:s}", "status", err.status, "param", err.param,
				"message", err.message));
	}
	pass_fini(&p);
}

static void run_case(void **state)
{
	struct golden g = {.json = NULL};
	json_error_t error;

	snprintf(g.path, sizeof(g.path), "%s", (const char *)*state);
	g.json = json_load_file(g.path, JSON_REJECT_DUPLICATES, &error);
	if (!g.json)
		fail_msg("%s:%d: %s", g.path, error.line, error.text);
	assert_true(json_is_string(json_object_get(g.json, "covers")));
	g.body = text_of(json_object_get(g.json, "request"));
	check_request(&g);
	if (json_object_get(g.json, "events"))
		check_answer(&g);
	if (g.changed)
		assert_int_equal(json_dump_file(g.json, g.path, JSON_INDENT(2)), 0);
	free(g.body);
	json_decref(g.json);
}

/* --- the cases -----------------------------------------------------------------------------------
 */

static struct CMUnitTest tests[MAX_CASES];
static char paths[MAX_CASES][PATH_BYTES];

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && entry->d_type != DT_REG;
}

int main(void)
{
	const char *dir = getenv("TESTS_DIR");
	struct dirent **entries = NULL;
	char folder[PATH_BYTES / 2];
	int count, result;

	if (!dir)
		return 2;
	snprintf(folder, sizeof(folder), "%s/golden", dir);
	count = scandir(folder, &entries, visible, by_name);
	if (count <= 0 || count > MAX_CASES)
		return 2;
	for (int i = 0; i < count; i++) {
		snprintf(paths[i], PATH_BYTES, "%s/%s/case.json", folder, entries[i]->d_name);
		tests[i] = (struct CMUnitTest){.name = entries[i]->d_name,
			.test_func = run_case,
			.initial_state = paths[i]};
	}
	result = _cmocka_run_group_tests("golden", tests, (size_t)count, NULL, NULL);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return result;
}
