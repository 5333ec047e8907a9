/*
 * Answers: the input is a stream of events, which goes through each dialect, streamed and folded.
 * Whatever upstream says, what the client gets is valid: SSE whose data is JSON or [DONE], or one
 * JSON object.
 */
#include "base/limits.h"
#include "dialect/dialect.h"
#include "proto/sse.h"

#include <assert.h>
#include <stdlib.h>

enum { CAP = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct sv text)
{
	struct jv v;

	assert(jv_parse(text, LIMIT_JSON_DEPTH + 8, &v, NULL) == 0);
	assert(jv_is(v, JV_OBJECT));
}

static void check_stream(struct sv text)
{
	struct sse_decoder d;
	struct sse_event ev;
	bool done = false;

	sse_decoder_init(&d, CAP);
	sse_feed(&d, text);
	while (sse_next(&d, &ev) == 1) {
		assert(!done);
		done = sv_eq(ev.data, SV("[DONE]"));
		if (!done)
			check_json(ev.data);
	}
	sse_decoder_fini(&d);
}

/* False when the dialect gave up: then nothing it said counts. */
static bool feed(struct turn *t, struct sv text, struct buf *out)
{
	struct sse_decoder d;
	struct sse_event sse;
	struct event ev;
	bool good = true;

	sse_decoder_init(&d, CAP);
	sse_feed(&d, text);
	while (good && sse_next(&d, &sse) == 1) {
		if (event_parse(sse.data, sse.raw, &ev))
			continue;
		if (ev.type == EVENT_FAILED || ev.type == EVENT_ERROR)
			break; /* the exchange's */
		good = t->dialect->on_event(t, &ev, out) == 0;
	}
	sse_decoder_fini(&d);
	return good;
}

static void answer(const struct dialect *dialect, struct sv request, struct sv events)
{
	struct api_err err;
	struct arena arena;
	struct turn turn;
	struct buf out;
	bool ended;

	arena_init(&arena, LIMIT_ARENA_BYTES);
	turn_init(&turn, dialect, &arena);
	buf_init(&out, CAP);
	turn.id = "fuzz";
	turn.now_s = 1700000000;
	assert(jv_parse(request, LIMIT_JSON_DEPTH, &turn.request, NULL) == 0);
	assert(dialect->parse(&turn, &err) == 0);
	assert(dialect->begin(&turn) == 0);
	if (feed(&turn, events, &out)) {
		ended = dialect->finish(&turn, &out) == 0;
		if (!ended) {
			api_err_set(&err, 502, "server_error", "", "Cut.");
			dialect->error(&turn, &err, turn.stream, &out);
		}
		if (turn.stream)
			check_stream(buf_sv(&out));
		else
			check_json(buf_sv(&out));
	}
	buf_fini(&out);
	turn_fini(&turn);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const chats[] = {
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"stream\":"
		"true,"
		"\"stream_options\":{\"include_usage\":true}}",
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"stream\":"
		"true,"
		"\"stop\":[\"ab\",\"b c\"]}",
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"stop\":"
		"\"ab\"}",
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"stream\":"
		"true,"
		"\"functions\":[{\"name\":\"a.b\"}]}",
	};
	static const char *const responses[] = {
		"{\"model\":\"m\",\"input\":\"x\"}",
		"{\"model\":\"m\",\"input\":\"x\",\"stream\":true}",
	};
	static const char *const completions[] = {
		"{\"model\":\"m\",\"prompt\":\"x\",\"echo\":true}",
		"{\"model\":\"m\",\"prompt\":\"x\",\"stream\":true,\"stop\":\"ab\"}",
	};
	struct sv events = sv_make((const char *)data, size);

	for (size_t i = 0; i < ARRAY_LEN(chats); i++)
		answer(&dialect_chat, sv_cstr(chats[i]), events);
	for (size_t i = 0; i < ARRAY_LEN(completions); i++)
		answer(&dialect_completions, sv_cstr(completions[i]), events);
	for (size_t i = 0; i < ARRAY_LEN(responses); i++)
		answer(&dialect_responses, sv_cstr(responses[i]), events);
	return 0;
}
