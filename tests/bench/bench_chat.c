/*
 * Prints the CPU per event of an answer of 200 deltas, from the bytes of upstream's stream to those
 * for the client, in each API beside pass-through (a native Codex client); best of several rounds.
 * Exit status 1 when chat costs 1.5 us an event or more beyond pass-through.
 */
#include "bench_answer.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DELTAS = 200, ANSWERS = 500, ROUNDS = 9 };

#define MOST_NS 1500

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static size_t sink; /* keeps results alive */

/* The first one is what the others are compared with. */
static const struct bench_scenario scenarios[] = {
	{"pass-through", &dialect_responses, true, BENCH_RESPONSES},
	{"responses", &dialect_responses, false, BENCH_RESPONSES},
	{"chat", &dialect_chat, false, BENCH_CHAT ",\"stream\":true}"},
	{"chat, include_usage", &dialect_chat, false,
		BENCH_CHAT ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
	{"chat, stop", &dialect_chat, false,
		BENCH_CHAT ",\"stream\":true,\"stop\":[\"never\",\"###\"]}"},
	{"chat, folded", &dialect_chat, false, BENCH_CHAT "}"},
	{"completions", &dialect_completions, false,
		"{\"model\":\"m\",\"prompt\":\"x\",\"stream\":true}"},
};

static double measure(const struct bench_scenario *s, struct sv stream)
{
	double start = now_ns();

	for (int i = 0; i < ANSWERS; i++)
		sink += bench_answer(s, stream);
	return (now_ns() - start) / ANSWERS / DELTAS;
}

int main(void)
{
	double best[ARRAY_LEN(scenarios)], most = 0;
	struct buf stream;

	buf_init(&stream, MIB(1));
	bench_answer_stream(&stream, DELTAS);
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
