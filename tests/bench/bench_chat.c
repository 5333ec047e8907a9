/*
 * Prints the CPU per event of an answer of 200 deltas, from the bytes of upstream's stream to those
 * for the client, in each API beside pass-through (a native Codex client); best of several rounds.
 * Exit status 1 when chat costs 1.5 us an event or more beyond pass-through.
 */
#include "base/limits.h"
#include "dialect/dialect.h"
#include "proto/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DELTAS = 200, ANSWERS = 500, ROUNDS = 9, READ_BYTES = 16384 };

#define MOST_NS 1500

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static size_t sink; /* keeps results alive */

struct scenario {
	const char *name;
	const struct dialect *dialect;
	bool native;
	const char *request;
};

#define CHAT "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"
#define RESPONSES "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}"

/* The first one is what the others are compared with. */
static const struct scenario scenarios[] = {
	{"pass-through", &dialect_responses, true, RESPONSES},
	{"responses", &dialect_responses, false, RESPONSES},
	{"chat", &dialect_chat, false, CHAT ",\"stream\":true}"},
	{"chat, include_usage", &dialect_chat, false,
		CHAT ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
	{"chat, stop", &dialect_chat, false, CHAT ",\"stream\":true,\"stop\":[\"never\",\"###\"]}"},
	{"chat, folded", &dialect_chat, false, CHAT "}"},
	{"completions", &dialect_completions, false,
		"{\"model\":\"m\",\"prompt\":\"x\",\"stream\":true}"},
};

static void add_event(struct buf *out, const char *name, int *sequence, const char *rest)
{
	buf_addf(out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%d,%s}\n\n", name,
		name, (*sequence)++, rest);
}

#define PLACE "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,"
#define ITEM(status, content)                                                                     \
	"\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"status\":\"" status \
	"\",\"role\":\"assistant\",\"content\":[" content "]}"
#define RESPONSE(status)                                                                         \
	"\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1700000000,"     \
	"\"status\":\"" status "\",\"model\":\"m\",\"output\":[],\"usage\":{\"input_tokens\":1," \
	"\"output_tokens\":200,\"total_tokens\":201}}"

/* What upstream sends: a word a delta, obfuscation and all. */
static void make_stream(struct buf *out)
{
	int sequence = 0;

	add_event(out, "response.created", &sequence, RESPONSE("in_progress"));
	add_event(out, "response.in_progress", &sequence, RESPONSE("in_progress"));
	add_event(out, "response.output_item.added", &sequence, ITEM("in_progress", ""));
	for (int i = 0; i < DELTAS; i++) {
		char rest[256];

		snprintf(rest, sizeof(rest),
			PLACE
			"\"delta\":\" word%d\",\"logprobs\":[],\"obfuscation\":\"aB3dE5gH7jK9\"",
			i);
		add_event(out, "response.output_text.delta", &sequence, rest);
	}
	add_event(out, "response.output_item.done", &sequence,
		ITEM("completed", "{\"type\":\"output_text\",\"text\":\"words\"}"));
	add_event(out, "response.completed", &sequence, RESPONSE("completed"));
	if (buf_error(out))
		abort();
}

static void feed(struct turn *t, struct sse_decoder *d, struct sv bytes, struct buf *out)
{
	struct sse_event sse;
	struct event ev;

	sse_feed(d, bytes);
	while (sse_next(d, &sse) == 1) {
		if (event_parse(sse.data, sse.raw, &ev) || t->dialect->on_event(t, &ev, out))
			abort();
	}
	sink += out->len;
	if (t->stream)
		buf_reset(out, LIMIT_WRITE_LOW_BYTES);
}

static void answer(const struct scenario *s, struct sv stream)
{
	struct sse_decoder decoder;
	struct arena arena;
	struct api_err err;
	struct turn turn;
	struct buf out;

	arena_init(&arena, LIMIT_ARENA_BYTES);
	turn_init(&turn, s->dialect, &arena);
	turn.id = "req";
	turn.native = s->native;
	buf_init(&out, LIMIT_FOLD_BYTES);
	sse_decoder_init(&decoder, LIMIT_EVENT_BYTES);
	if (jv_parse(sv_cstr(s->request), LIMIT_JSON_DEPTH, &turn.request, NULL) ||
		s->dialect->parse(&turn, &err) || s->dialect->begin(&turn))
		abort();
	for (; stream.n > READ_BYTES; stream = sv_from(stream, READ_BYTES))
		feed(&turn, &decoder, sv_make(stream.p, READ_BYTES), &out);
	feed(&turn, &decoder, stream, &out);
	if (s->dialect->finish(&turn, &out))
		abort();
	sse_decoder_fini(&decoder);
	buf_fini(&out);
	turn_fini(&turn);
	arena_fini(&arena);
}

static double measure(const struct scenario *s, struct sv stream)
{
	double start = now_ns();

	for (int i = 0; i < ANSWERS; i++)
		answer(s, stream);
	return (now_ns() - start) / ANSWERS / DELTAS;
}

int main(void)
{
	double best[ARRAY_LEN(scenarios)], most = 0;
	struct buf stream;

	buf_init(&stream, MIB(1));
	make_stream(&stream);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
			double took = measure(&scenarios[i], buf_sv(&stream));

			if (round == 0 || took < best[i])
				best[i] = took;
		}
	}
	printf("%d deltas, %zu bytes\n", (int)DELTAS, stream.len);
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		double more = best[i] - best[0];

		printf("%-20s %6.0f ns/event %+6.0f ns\n", scenarios[i].name, best[i], more);
		if (scenarios[i].dialect != &dialect_responses && more > most)
			most = more;
	}
	printf("at most %.0f ns beyond pass-through (limit %d)\n", most, MOST_NS);
	buf_fini(&stream);
	return sink == 0 || most >= MOST_NS;
}
