/*
 * What golden cases cannot show of answers: what they cost, and that a failure is never an end.
 * The program is linked with wrappers around the allocator, which count.
 */
#include "base/limits.h"
#include "dialect/dialect.h"
#include "proto/sse.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static size_t allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	allocations++;
	return __real_realloc(p, size);
}

enum { WARM_UP = 50, COUNTED = 400 };

#define CREATED                                                                                 \
	"{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\"," \
	"\"created_at\":1700000000,\"model\":\"m\"}}"
#define ADDED                                                                                  \
	"{\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"" \
	"item\":{\"id\":\"i1\",\"type\":\"%s\",\"call_id\":\"c\",\"name\":\"f\"}}"
/* With a number when %s holds one. */
#define DELTA \
	"{\"type\":\"%s\"%s,\"item_id\":\"i1\",\"output_index\":0,\"delta\":\"w\\u00f6rd %d, \"}"

struct stream_case {
	const char *name;
	const struct dialect *dialect;
	bool native, numbered;
	const char *request;
	const char *item, *delta; /* types */
	size_t chunk_bytes;	  /* 0: whole events */
};

#define CHAT "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"stream\":true"
#define RESPONSES "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}"
#define TEXT "response.output_text.delta"
#define ARGUMENTS "response.function_call_arguments.delta"
#define INPUT "response.custom_tool_call_input.delta"
#define THOUGHT "response.reasoning_summary_text.delta"

static const struct stream_case cases[] = {
	{"chat", &dialect_chat, false, true, CHAT "}", "message", TEXT, 0},
	{"chat in pieces", &dialect_chat, false, true, CHAT "}", "message", TEXT, 37},
	{"chat with usage", &dialect_chat, false, true,
		CHAT ",\"stream_options\":{\"include_usage\":true}}", "message", TEXT, 0},
	{"chat with stop", &dialect_chat, false, true, CHAT ",\"stop\":[\"never\",\"d 5q\"]}",
		"message", TEXT, 0},
	{"chat reasoning", &dialect_chat, false, true, CHAT "}", "reasoning", THOUGHT, 0},
	{"chat refusal", &dialect_chat, false, true, CHAT "}", "message", "response.refusal.delta",
		0},
	{"chat call", &dialect_chat, false, true, CHAT "}", "function_call", ARGUMENTS, 0},
	{"chat custom call", &dialect_chat, false, true, CHAT "}", "custom_tool_call", INPUT, 0},
	{"chat legacy call", &dialect_chat, false, true, CHAT ",\"functions\":[{\"name\":\"f\"}]}",
		"function_call", ARGUMENTS, 0},
	{"chat, folded", &dialect_chat, false, true,
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "message",
		TEXT, 0},
	{"completions", &dialect_completions, false, true,
		"{\"model\":\"m\",\"prompt\":\"x\",\"stream\":true,\"stop\":\"never\"}", "message",
		TEXT, 0},
	{"responses", &dialect_responses, false, true, RESPONSES, "message", TEXT, 0},
	{"responses in pieces", &dialect_responses, false, true, RESPONSES, "message", TEXT, 37},
	{"responses renumbered", &dialect_responses, false, false, RESPONSES, "message", TEXT, 0},
	{"responses, folded", &dialect_responses, false, true, "{\"model\":\"m\",\"input\":\"x\"}",
		"message", TEXT, 0},
	{"native", &dialect_responses, true, true, RESPONSES, "message", TEXT, 0},
};

struct run {
	const struct stream_case *c;
	struct arena arena;
	struct turn turn;
	struct sse_decoder decoder;
	struct buf out;
	size_t sent; /* bytes that the client got */
};

static void run_init(struct run *r, const struct stream_case *c)
{
	struct api_err err;

	*r = (struct run){.c = c};
	arena_init(&r->arena, LIMIT_ARENA_BYTES);
	turn_init(&r->turn, c->dialect, &r->arena);
	r->turn.id = "req";
	r->turn.now_s = 1700000000;
	r->turn.native = c->native;
	buf_init(&r->out, MIB(1));
	sse_decoder_init(&r->decoder, LIMIT_EVENT_BYTES);
	assert_int_equal(
		jv_parse(sv_cstr(c->request), LIMIT_JSON_DEPTH, &r->turn.request, NULL), 0);
	assert_int_equal(c->dialect->parse(&r->turn, &err), 0);
	assert_int_equal(c->dialect->begin(&r->turn), 0);
}

static void run_fini(struct run *r)
{
	sse_decoder_fini(&r->decoder);
	buf_fini(&r->out);
	turn_fini(&r->turn);
	arena_fini(&r->arena);
}

/* As the upstream and the answer do it; what was made is sent and its storage kept. */
static void feed(struct run *r, struct sv bytes)
{
	struct sse_event sse;
	struct event ev;

	sse_feed(&r->decoder, bytes);
	while (sse_next(&r->decoder, &sse) == 1) {
		assert_int_equal(event_parse(sse.data, sse.raw, &ev), 0);
		assert_int_equal(r->c->dialect->on_event(&r->turn, &ev, &r->out), 0);
	}
	r->sent += r->out.len;
	buf_reset(&r->out, LIMIT_WRITE_LOW_BYTES);
}

static void feed_event(struct run *r, const char *json)
{
	char text[1024];
	size_t step = r->c->chunk_bytes;
	struct sv rest;

	snprintf(text, sizeof(text), "event: x\ndata: %s\n\n", json);
	rest = sv_cstr(text);
	for (; step && rest.n > step; rest = sv_from(rest, step))
		feed(r, sv_make(rest.p, step));
	feed(r, rest);
}

static void feed_delta(struct run *r, int number)
{
	char json[512], member[48] = "";

	if (r->c->numbered)
		snprintf(member, sizeof(member), ",\"sequence_number\":%d", number + 2);
	snprintf(json, sizeof(json), DELTA, r->c->delta, member, number);
	feed_event(r, json);
}

static void check_case(const struct stream_case *c)
{
	char added[256];
	size_t before, sent;
	struct run r;

	run_init(&r, c);
	snprintf(added, sizeof(added), ADDED, c->item);
	feed_event(&r, CREATED);
	feed_event(&r, added);
	for (int i = 0; i < WARM_UP; i++)
		feed_delta(&r, i);
	before = allocations;
	sent = r.sent;
	for (int i = WARM_UP; i < WARM_UP + COUNTED; i++)
		feed_delta(&r, i);
	if (allocations != before)
		fail_msg("%s: %zu allocations for %d events", c->name, allocations - before,
			(int)COUNTED);
	if (r.turn.stream && r.sent - sent < COUNTED * sizeof("word"))
		fail_msg("%s: nothing came out", c->name);
	run_fini(&r);
}

static void an_event_allocates_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_case(&cases[i]);
}

/* The count of the test above would be 0 as well if nothing were counted. */
static void allocations_are_counted(void **state)
{
	size_t before = allocations;
	struct buf b;

	(void)state;
	buf_init(&b, KIB(64));
	buf_add_lit(&b, "x");
	buf_fini(&b);
	assert_true(allocations > before);
}

/* The exchange tells failures through error(); should one come this way, it is no answer. */
static void a_failed_event_is_no_end(void **state)
{
	static const char *const failures[] = {
		"{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\"}}"
		"}",
		"{\"type\":\"error\",\"error\":{\"code\":\"server_error\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].dialect == &dialect_responses)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(failures); k++) {
			struct event ev;
			struct run r;

			run_init(&r, &cases[i]);
			feed_event(&r, CREATED);
			feed_delta(&r, 0);
			assert_int_equal(event_parse(sv_cstr(failures[k]), SV_NONE, &ev), 0);
			assert_int_equal(r.c->dialect->on_event(&r.turn, &ev, &r.out), -EBADMSG);
			assert_int_equal(r.c->dialect->finish(&r.turn, &r.out), -EBADMSG);
			assert_int_equal(r.out.len, 0);
			run_fini(&r);
		}
	}
}

/* EOF without a terminal event, after each number of events. */
static void a_cut_is_no_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int events = 0; events < 60; events++) {
			struct run r;

			run_init(&r, &cases[i]);
			if (events > 0)
				feed_event(&r, CREATED);
			for (int k = 1; k < events; k++)
				feed_delta(&r, k - 2);
			assert_int_equal(r.c->dialect->finish(&r.turn, &r.out), -EBADMSG);
			run_fini(&r);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_counted),
		cmocka_unit_test(an_event_allocates_nothing),
		cmocka_unit_test(a_failed_event_is_no_end),
		cmocka_unit_test(a_cut_is_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
