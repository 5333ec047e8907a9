#include "bench_answer.h"

#include "base/limits.h"
#include "proto/sse.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_BYTES = 16384 };

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

void bench_answer_stream(struct buf *out, int deltas)
{
	int sequence = 0;

	add_event(out, "response.created", &sequence, RESPONSE("in_progress"));
	add_event(out, "response.in_progress", &sequence, RESPONSE("in_progress"));
	add_event(out, "response.output_item.added", &sequence, ITEM("in_progress", ""));
	for (int i = 0; i < deltas; i++) {
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

/* Returns how many bytes the client gets of it. */
static size_t feed(struct turn *t, struct sse_decoder *d, struct sv bytes, struct buf *out)
{
	size_t made;
	struct sse_event sse;
	struct event ev;

	sse_feed(d, bytes);
	while (sse_next(d, &sse) == 1) {
		if (event_parse(sse.data, sse.raw, &ev) || t->dialect->on_event(t, &ev, out))
			abort();
	}
	made = out->len;
	if (t->stream)
		buf_reset(out, LIMIT_WRITE_LOW_BYTES);
	return made;
}

size_t bench_answer(const struct bench_scenario *s, struct sv stream)
{
	size_t made = 0;
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
		made += feed(&turn, &decoder, sv_make(stream.p, READ_BYTES), &out);
	made += feed(&turn, &decoder, stream, &out);
	if (s->dialect->finish(&turn, &out))
		abort();
	sse_decoder_fini(&decoder);
	buf_fini(&out);
	turn_fini(&turn);
	arena_fini(&arena);
	return made;
}
